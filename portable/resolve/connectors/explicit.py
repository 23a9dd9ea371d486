"""Pairs of positions as the user gave them."""

from __future__ import annotations

import numpy as np

from portable.errors import ModelError
from portable.model.connectors import Explicit
from portable.resolve import patterns
from portable.resolve.sides import Pattern, Sides, narrow, pointers

TRANSIENT = 28  # int64 permutations, and copies in their order


def expand(connector: Explicit, sides: Sides, key: int) -> Pattern:  # noqa: ARG001  nothing is drawn
    """Rows by source, each in the given order."""
    for name, index, cells in (("pre", connector.pre, sides.pre), ("post", connector.post, sides.post)):
        bad = np.flatnonzero(index.values >= cells.size)
        if bad.size:
            raise ModelError(
                f"{sides.path}.connector.{name}[{bad[0]}]",
                f"must be less than {cells.size}, the number of cells of this side, got "
                f"{int(index.values[bad[0]])}",
            )
    sources, targets = (x.values.astype(np.int64) for x in (connector.pre, connector.post))
    kept = None if sides.local is None else np.flatnonzero(sides.local[targets])
    if kept is not None:
        sources, targets = sources[kept], targets[kept]
    given = np.empty(sources.size, dtype=np.int64)
    indptr = pointers(np.bincount(sources, minlength=sides.pre.size))
    patterns.by_row(sources, indptr[:-1].copy(), given)
    made = targets.astype(narrow(sides.post.size))[given]
    whole = given if kept is None else kept[given]
    return Pattern(indptr, made, len(connector.pre), whole, ordered=True)


def count(connector: Explicit, sides: Sides) -> int:
    """As many as were given."""
    if sides.local is None:
        return len(connector.pre)
    targets = connector.post.values.astype(np.int64)
    return int(np.count_nonzero(sides.local[targets[targets < sides.local.size]]))
