"""A number of pairs: first how many each source has, then the targets of each row."""

from __future__ import annotations

import numpy as np

from portable.errors import ModelError
from portable.model.connectors import FixedTotalNumber
from portable.resolve import patterns
from portable.resolve.program import Ints
from portable.resolve.sides import Pattern, Sides, Targets, by_rows, pointers
from portable.resolve.threads import blocks, run

TRANSIENT = 0


def expand(connector: FixedTotalNumber, sides: Sides, key: int) -> Pattern:
    """n pairs, with or without replacement."""
    n, multapses = int(connector.n), connector.allow_multapses
    no_self, k = not connector.allow_self_connections, np.uint64(key)
    room = sides.room(not no_self)
    pairs = int(room.sum())
    if n and (pairs == 0 or (not multapses and n > pairs)):
        raise ModelError(
            f"{sides.path}.connector",
            f"FixedTotalNumber({n}): there are only {pairs} possible pairs",
            "use a smaller number, or allow multapses or self-connections",
        )
    if not multapses:
        sides.once("FixedTotalNumber", "pre")
        sides.once("FixedTotalNumber", "post")
    shares = _with_replacement if multapses else _without_replacement
    whole = pointers(shares(k ^ np.uint64(1), n, room))

    def draw(lo: int, hi: int, indptr: Ints, targets: Targets) -> None:
        if not multapses:
            patterns.distinct(k, lo, hi, indptr, targets, sides.pre, sides.post, room, no_self)
            return
        patterns.picks(k, int(whole[lo]), targets[indptr[lo] : indptr[hi]], sides.post.size)
        if no_self:
            patterns.not_self(k, lo, hi, indptr, whole, targets, sides.pre, sides.post)

    return by_rows(sides, whole, draw)


def _with_replacement(key: np.uint64, n: int, room: Ints) -> Ints:
    """Multinomial counts: n independent sources, in proportion to their room."""
    ranges = blocks(n, 4)
    counts = np.zeros((max(1, len(ranges)), room.size), dtype=np.int64)
    index = {lo: i for i, (lo, _) in enumerate(ranges)}
    run(lambda lo, hi: patterns.histogram(key, lo, hi, room, int(room.max()), counts[index[lo]]), ranges)
    return np.asarray(counts.sum(axis=0))


def _without_replacement(key: np.uint64, n: int, room: Ints) -> Ints:
    """Multivariate hypergeometric counts: n distinct pairs; of more than half, those left out are drawn."""
    pairs, counts = int(room.sum()), np.zeros(room.size, dtype=np.int64)
    left_out = 2 * n > pairs
    patterns.without_replacement(key, pairs - n if left_out else n, room, int(room.max()), counts)
    return room - counts if left_out else counts


def count(connector: FixedTotalNumber, sides: Sides) -> int:
    """n; of a part the mean."""
    return round(int(connector.n) * sides.kept().post.size / sides.post.size)
