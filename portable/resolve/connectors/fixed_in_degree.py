"""A number of sources for every target: drawn by target, of a part for its own targets alone; then turned
into rows by source.
"""

from __future__ import annotations

import numpy as np

from portable.errors import ModelError
from portable.model.connectors import FixedInDegree
from portable.resolve import patterns
from portable.resolve.program import Ints
from portable.resolve.sides import Pattern, Sides, Targets, pointers
from portable.resolve.threads import blocks, even, run

TRANSIENT = 4  # sources by target, before they are turned


def expand(connector: FixedInDegree, sides: Sides, key: int) -> Pattern:
    """n sources a target, with or without replacement."""
    n, multapses = int(connector.n), connector.allow_multapses
    back, no_self, k = sides.flipped(), not connector.allow_self_connections, np.uint64(key)
    room = back.room(not no_self)
    least = int(np.argmin(room))
    if n and (room[least] == 0 or (not multapses and n > room[least])):
        why = "" if multapses else " without multapses"
        raise ModelError(
            f"{sides.path}.connector",
            f"FixedInDegree({n}){why}: target {least} has only {room[least]} possible sources",
            "use a smaller number, or allow multapses or self-connections",
        )
    if not multapses:
        sides.once("FixedInDegree", "pre")
    local = np.ones(back.pre.size, dtype=bool) if sides.local is None else sides.local
    whole, indptr = np.arange(back.pre.size + 1, dtype=np.int64) * n, pointers(n * local)
    sources = back.empty(int(indptr[-1]))

    def draw(lo: int, hi: int) -> None:
        if not multapses:
            patterns.distinct(k, lo, hi, indptr, sources, back.pre, back.post, room, no_self)
            return
        if sides.local is None:
            patterns.picks(k, int(indptr[lo]), sources[indptr[lo] : indptr[hi]], sides.pre.size)
        else:
            patterns.picks_of_rows(k, lo, hi, indptr, whole, sources, sides.pre.size)
        if no_self:
            patterns.not_self(k, lo, hi, indptr, whole, sources, back.pre, back.post)

    run(draw, even(indptr))
    return _by_source(sides, indptr, sources, int(whole[-1]))


def _by_source(sides: Sides, indptr: Ints, sources: Targets, total: int) -> Pattern:
    """From rows by target to rows by source, each sorted by target whatever the ranges."""
    ranges = blocks(sides.post.size)
    counts = np.zeros((max(1, len(ranges)), sides.pre.size), dtype=np.int64)
    index = {lo: i for i, (lo, _) in enumerate(ranges)}
    run(lambda lo, hi: patterns.count_columns(sources[indptr[lo] : indptr[hi]], counts[index[lo]]), ranges)
    starts = pointers(counts.sum(axis=0))
    at = starts[:-1] + np.cumsum(counts, axis=0) - counts
    targets = sides.empty(sources.size)
    run(lambda lo, hi: patterns.transpose(lo, hi, indptr, sources, at[index[lo]], targets), ranges)
    return Pattern(starts, targets, total)


def count(connector: FixedInDegree, sides: Sides) -> int:
    """n for each target."""
    return int(connector.n) * int(sides.kept().post.size)
