"""Source i to target i."""

from __future__ import annotations

import numpy as np

from portable.errors import ModelError
from portable.model.connectors import OneToOne
from portable.resolve.sides import Pattern, Sides, narrow, pointers

TRANSIENT = 0


def expand(connector: OneToOne, sides: Sides, key: int) -> Pattern:  # noqa: ARG001  nothing is drawn
    """One connection a row."""
    n = sides.pre.size
    if n != sides.post.size:
        raise ModelError(
            f"{sides.path}.connector",
            f"OneToOne needs sides of one size, got {n} sources and {sides.post.size} targets",
            "use views of one size",
        )
    local = np.ones(n, dtype=bool) if sides.local is None else sides.local
    mine = np.flatnonzero(local)
    given = None if sides.local is None else mine
    return Pattern(pointers(local), mine.astype(narrow(n)), n, given, ordered=True)


def count(connector: OneToOne, sides: Sides) -> int:  # noqa: ARG001
    """One for each target."""
    return int(sides.kept().post.size)
