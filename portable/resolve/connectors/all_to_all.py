"""Every source to every target."""

from __future__ import annotations

from portable.model.connectors import AllToAll
from portable.resolve import patterns
from portable.resolve.sides import Pattern, Sides, by_rows, pointers

TRANSIENT = 0


def expand(connector: AllToAll, sides: Sides, key: int) -> Pattern:  # noqa: ARG001  nothing is drawn
    """Rows of all targets in order."""
    no_self = not connector.allow_self_connections
    return by_rows(
        sides,
        pointers(sides.room(not no_self)),
        lambda lo, hi, indptr, out: patterns.every(lo, hi, indptr, out, sides.pre, sides.post, no_self),
        ordered=True,
    )


def count(connector: AllToAll, sides: Sides) -> int:
    """All pairs, but for self-connections."""
    kept = sides.kept()
    own = 0 if connector.allow_self_connections else int(kept.own().sum())
    return kept.pre.size * kept.post.size - own
