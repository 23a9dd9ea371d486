"""Connectors -> which source meets which target. One file a connector: its rule, and how many connections it
makes. A new connector is a class in model/connectors.py, a file here and a row in RULES.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from portable.model.connectors import (
    AllToAll,
    Connector,
    Explicit,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    OneToOne,
)
from portable.resolve.connectors import (
    all_to_all,
    explicit,
    fixed_in_degree,
    fixed_probability,
    fixed_total_number,
    one_to_one,
)
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


RULES: Mapping[type[Connector], Rule] = {
    AllToAll: all_to_all,
    OneToOne: one_to_one,
    FixedProbability: fixed_probability,
    FixedInDegree: fixed_in_degree,
    FixedTotalNumber: fixed_total_number,
    Explicit: explicit,
}


def connect(connector: Connector, sides: Sides, key: int) -> Pattern:
    """Draw a connector. ModelError where it cannot be met."""
    return RULES[type(connector)].expand(connector, sides, key)


def count(connector: Connector, sides: Sides) -> int:
    """Connections of a projection: exact, the rounded mean where their number is drawn."""
    return RULES[type(connector)].count(connector, sides)
