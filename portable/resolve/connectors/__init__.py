"""Connectors -> which source meets which target. One file a connector, named as it is in small letters: its
rule, and how many connections it makes. A new connector is a class in model/connectors.py and a file here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any, Protocol, cast

from portable.model.connectors import CONNECTORS, Connector
from portable.resolve.sides import Pattern, Sides


class Rule(Protocol):
    """A module of this folder. TRANSIENT: bytes a connection that are given back when it is made."""

    TRANSIENT: int

    def expand(self, connector: Any, sides: Sides, key: int) -> Pattern:
        """Draw the connections. ModelError where the connector cannot be met."""
        ...

    def count(self, connector: Any, sides: Sides) -> int:
        """How many connections there will be, of a part those onto its cells: exact, or the rounded mean."""
        ...


def _rule(kind: type[Connector]) -> Rule:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
    return cast(Rule, importlib.import_module(f"{__name__}.{name}"))


RULES: Mapping[type[Connector], Rule] = {kind: _rule(kind) for kind in CONNECTORS}


def connect(connector: Connector, sides: Sides, key: int) -> Pattern:
    """Draw a connector. ModelError where it cannot be met."""
    return RULES[type(connector)].expand(connector, sides, key)


def count(connector: Connector, sides: Sides) -> int:
    """Connections of a projection: exact, the rounded mean where their number is drawn."""
    return RULES[type(connector)].count(connector, sides)
