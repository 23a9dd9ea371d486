"""Connectors -> which source meets which target, as rows of positions in the two sides of a projection.

A side is a list of views that counts as one sequence of cells. Arrays of weights and delays are aligned to
the connections in order of source, then target (AllToAll, OneToOne: the sides' orders; connections left out
as self-connections have no entry), or to the given order (Explicit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.model.connectors import (
    AllToAll,
    Connector,
    Explicit,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    OneToOne,
)
from portable.resolve import patterns
from portable.resolve.program import Ints
from portable.resolve.threads import blocks, run

Targets = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def narrow(size: int) -> type[Any]:
    """The type of positions among `size` cells."""
    return np.uint16 if size <= 65536 else np.uint32


@dataclass(frozen=True)
class Pattern:
    """Row s has targets[indptr[s]:indptr[s+1]], positions in the target side (uint16 or uint32).

    `given` maps a slot to its entry in the user's arrays; None where that is the slot itself. `ordered`:
    arrays make sense.
    """

    indptr: Ints
    targets: Targets
    given: Ints | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Sides:
    """The cells of the two sides: one int64 for each position, equal where the cell is the same. `path` names
    the projection.
    """

    pre: Ints
    post: Ints
    path: str

    def own(self) -> Ints:
        """How often each source's own cell is among the targets."""
        cells, count = np.unique(self.post, return_counts=True)
        at = np.searchsorted(cells, self.pre)
        at[at == cells.size] = 0
        return np.asarray(np.where(cells[at] == self.pre, count[at], 0))

    def flipped(self) -> Sides:
        return Sides(self.post, self.pre, self.path)

    def empty(self, count: int) -> Targets:
        """An array for `count` positions in the target side."""
        return np.empty(count, dtype=narrow(self.post.size))


def connect(connector: Connector, sides: Sides, key: int) -> Pattern:
    """Draw a connector. ModelError where it cannot be met."""
    match connector:
        case AllToAll(allow_self):
            return _every(sides, allow_self)
        case OneToOne():
            if sides.pre.size != sides.post.size:
                raise ModelError(
                    f"{sides.path}.connector",
                    f"OneToOne needs sides of one size, got {sides.pre.size} sources and {sides.post.size} "
                    "targets",
                    "use views of one size",
                )
            n = sides.pre.size
            return Pattern(np.arange(n + 1), np.arange(n).astype(narrow(n)), ordered=True)
        case FixedProbability(p, allow_self):
            return _probability(sides, np.uint64(key), float(p), allow_self)
        case FixedInDegree(n, multapses, allow_self):
            return _in_degree(sides, np.uint64(key), int(n), multapses, allow_self)
        case FixedTotalNumber(n, multapses, allow_self):
            return _total(sides, np.uint64(key), int(n), multapses, allow_self)
        case Explicit(pre, post):
            return _explicit(sides, pre.values, post.values)


def _pointers(counts: npt.NDArray[np.integer]) -> Ints:
    out = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def _room(sides: Sides, allow_self: bool) -> Ints:
    """How many targets each source may have."""
    room = np.full(sides.pre.size, sides.post.size, dtype=np.int64)
    return room if allow_self else room - sides.own()


def _once(sides: Sides, kind: str, side: str) -> None:
    cells = getattr(sides, side)
    if np.unique(cells).size != cells.size:
        raise ModelError(
            f"{sides.path}.{side}",
            f"names a cell twice, which {kind} with allow_multapses=False rules out",
            "name each cell once",
        )


def _every(sides: Sides, allow_self: bool) -> Pattern:
    indptr = _pointers(_room(sides, allow_self))
    targets = sides.empty(int(indptr[-1]))
    run(
        lambda lo, hi: patterns.every(lo, hi, indptr, targets, sides.pre, sides.post, not allow_self),
        blocks(sides.pre.size),
    )
    return Pattern(indptr, targets, ordered=True)


def _probability(sides: Sides, key: np.uint64, p: float, allow_self: bool) -> Pattern:
    if p == 1.0:
        every = _every(sides, allow_self)
        return Pattern(every.indptr, every.targets)
    counts, nothing, none = (
        np.zeros(sides.pre.size, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        sides.empty(0),
    )
    rows = blocks(sides.pre.size)
    if p > 0.0:
        run(
            lambda lo, hi: patterns.probability(
                key, lo, hi, p, sides.pre, sides.post, not allow_self, counts, nothing, none
            ),
            rows,
        )
    indptr = _pointers(counts)
    targets = sides.empty(int(indptr[-1]))
    if targets.size:
        run(
            lambda lo, hi: patterns.probability(
                key, lo, hi, p, sides.pre, sides.post, not allow_self, counts, indptr, targets
            ),
            rows,
        )
    return Pattern(indptr, targets)


def _in_degree(sides: Sides, key: np.uint64, n: int, multapses: bool, allow_self: bool) -> Pattern:
    back = sides.flipped()  # its rows are the targets
    room = _room(back, allow_self)
    least = int(np.argmin(room))
    if n and (room[least] == 0 or (not multapses and n > room[least])):
        why = "" if multapses else " without multapses"
        raise ModelError(
            f"{sides.path}.connector",
            f"FixedInDegree({n}){why}: target {least} has only {room[least]} possible sources",
            "use a smaller number, or allow multapses or self-connections",
        )
    indptr = np.arange(back.pre.size + 1, dtype=np.int64) * n
    sources = back.empty(int(indptr[-1]))
    if multapses:
        run(lambda lo, hi: patterns.picks(key, lo, sources[lo:hi], sides.pre.size), blocks(sources.size, 4))
        if not allow_self:
            run(
                lambda lo, hi: patterns.not_self(key, lo, hi, indptr, sources, back.pre, back.post),
                blocks(back.pre.size),
            )
    else:
        _once(sides, "FixedInDegree", "pre")
        run(
            lambda lo, hi: patterns.distinct(
                key, lo, hi, indptr, sources, back.pre, back.post, room, not allow_self
            ),
            blocks(back.pre.size),
        )
    return _by_source(sides, sources, n)


def _by_source(sides: Sides, sources: Targets, n: int) -> Pattern:
    """From n sources a target to rows by source, each sorted by target whatever the blocks."""
    ranges = blocks(sides.post.size)
    counts = np.zeros((max(1, len(ranges)), sides.pre.size), dtype=np.int64)
    index = {lo: i for i, (lo, _) in enumerate(ranges)}
    run(lambda lo, hi: patterns.count_columns(sources[lo * n : hi * n], counts[index[lo]]), ranges)
    indptr = _pointers(counts.sum(axis=0))
    at = indptr[:-1] + np.cumsum(counts, axis=0) - counts
    targets = sides.empty(sources.size)
    run(lambda lo, hi: patterns.transpose(lo, hi, n, sources, at[index[lo]], targets), ranges)
    return Pattern(indptr, targets)


def _total(sides: Sides, key: np.uint64, n: int, multapses: bool, allow_self: bool) -> Pattern:
    room = _room(sides, allow_self)
    pairs = int(room.sum())
    if n and (pairs == 0 or (not multapses and n > pairs)):
        raise ModelError(
            f"{sides.path}.connector",
            f"FixedTotalNumber({n}): there are only {pairs} possible pairs",
            "use a smaller number, or allow multapses or self-connections",
        )
    counts = (
        _counts_with(key ^ np.uint64(1), n, room)
        if multapses
        else _counts_without(key ^ np.uint64(1), n, room)
    )
    indptr = _pointers(counts)
    targets = sides.empty(n)
    if multapses:
        run(lambda lo, hi: patterns.picks(key, lo, targets[lo:hi], sides.post.size), blocks(n, 4))
        if not allow_self:
            run(
                lambda lo, hi: patterns.not_self(key, lo, hi, indptr, targets, sides.pre, sides.post),
                blocks(sides.pre.size),
            )
    else:
        _once(sides, "FixedTotalNumber", "pre")
        _once(sides, "FixedTotalNumber", "post")
        run(
            lambda lo, hi: patterns.distinct(
                key, lo, hi, indptr, targets, sides.pre, sides.post, room, not allow_self
            ),
            blocks(sides.pre.size),
        )
    return Pattern(indptr, targets)


def _counts_with(key: np.uint64, n: int, room: Ints) -> Ints:
    """Multinomial counts: n independent sources, in proportion to their room."""
    ranges = blocks(n, 4)
    counts = np.zeros((max(1, len(ranges)), room.size), dtype=np.int64)
    index = {lo: i for i, (lo, _) in enumerate(ranges)}
    run(lambda lo, hi: patterns.histogram(key, lo, hi, room, int(room.max()), counts[index[lo]]), ranges)
    return np.asarray(counts.sum(axis=0))


def _counts_without(key: np.uint64, n: int, room: Ints) -> Ints:
    """Multivariate hypergeometric counts: n distinct pairs; of more than half, those left out are drawn."""
    pairs, counts = int(room.sum()), np.zeros(room.size, dtype=np.int64)
    left_out = 2 * n > pairs
    patterns.without_replacement(key, pairs - n if left_out else n, room, int(room.max()), counts)
    return room - counts if left_out else counts


def _explicit(sides: Sides, pre: npt.NDArray[np.float64], post: npt.NDArray[np.float64]) -> Pattern:
    for name, index, cells in (("pre", pre, sides.pre), ("post", post, sides.post)):
        bad = np.flatnonzero(index >= cells.size)
        if bad.size:
            raise ModelError(
                f"{sides.path}.connector.{name}[{bad[0]}]",
                f"must be less than {cells.size}, the number of cells of this side, got {int(index[bad[0]])}",
            )
    sources, given = pre.astype(np.int64), np.empty(pre.size, dtype=np.int64)
    indptr = _pointers(np.bincount(sources, minlength=sides.pre.size))
    patterns.by_row(sources, indptr[:-1].copy(), given)
    return Pattern(indptr, post.astype(narrow(sides.post.size))[given], given, ordered=True)
