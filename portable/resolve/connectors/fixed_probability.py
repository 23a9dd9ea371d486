"""Each pair with a probability, independently: rows by source, in geometric gaps."""

from __future__ import annotations

import numpy as np

from portable.model.connectors import AllToAll, FixedProbability
from portable.resolve import patterns
from portable.resolve.connectors import all_to_all
from portable.resolve.sides import Pattern, Sides, by_rows, pointers
from portable.resolve.threads import blocks, run

TRANSIENT = 0


def expand(connector: FixedProbability, sides: Sides, key: int) -> Pattern:
    """Rows are drawn twice, to count and to fill."""
    p, no_self, k = float(connector.p), not connector.allow_self_connections, np.uint64(key)
    if p >= 1.0:
        whole = all_to_all.expand(AllToAll(not no_self), sides, key)
        return Pattern(whole.indptr, whole.targets, whole.total)
    counts = np.zeros(sides.pre.size, dtype=np.int64)
    none, nothing = sides.empty(0), np.zeros(0, dtype=np.int64)
    if p > 0.0:
        run(
            lambda lo, hi: patterns.probability(
                k, lo, hi, p, sides.pre, sides.post, no_self, counts, nothing, none
            ),
            blocks(sides.pre.size),
        )
    return by_rows(
        sides,
        pointers(counts),
        lambda lo, hi, indptr, out: patterns.probability(
            k, lo, hi, p, sides.pre, sides.post, no_self, counts, indptr, out
        ),
    )


def count(connector: FixedProbability, sides: Sides) -> int:
    """The mean."""
    return round(all_to_all.count(AllToAll(connector.allow_self_connections), sides) * connector.p)
