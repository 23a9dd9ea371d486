"""What connectors work on: the two sides of a projection, and the pattern that they make of them.

A side is a list of views that counts as one sequence of cells. Arrays of weights and delays are aligned to
the connections in order of source, then target (AllToAll, OneToOne: the sides' orders; connections left out
as self-connections have no entry), or to the given order (Explicit).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.resolve.part import Mask
from portable.resolve.program import Ints
from portable.resolve.threads import even, portions, run

Targets = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
BAND = 1 << 20  # connections of the whole that a thread draws at a time where a part keeps some of them


def narrow(size: int) -> type[Any]:
    """The type of positions among `size` cells."""
    return np.uint16 if size <= 65536 else np.uint32


def pointers(counts: npt.NDArray[Any]) -> Ints:
    """Starts of rows with these counts, and the end of the last."""
    out = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=out[1:])
    return out


@dataclass(frozen=True)
class Pattern:
    """Row s has targets[indptr[s]:indptr[s+1]], positions in the target side (uint16 or uint32).

    total: connections of the whole, of which a part has some. `given` maps a slot to its entry in the user's
    arrays (length total); None where that is the slot itself. `ordered`: arrays make sense.
    """

    indptr: Ints
    targets: Targets
    total: int
    given: Ints | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Sides:
    """The cells of the two sides: one int64 for each position, equal where the cell is the same. `path` names
    the projection; local: positions of the target side whose connections are made, None: all.
    """

    pre: Ints
    post: Ints
    path: str
    local: Mask | None = None

    def own(self) -> Ints:
        """How often each source's own cell is among the targets."""
        if not self.post.size:
            return np.zeros(self.pre.size, dtype=np.int64)
        cells, count = np.unique(self.post, return_counts=True)
        at = np.searchsorted(cells, self.pre)
        at[at == cells.size] = 0
        return np.asarray(np.where(cells[at] == self.pre, count[at], 0))

    def flipped(self) -> Sides:
        """Sources and targets exchanged: the rows are targets."""
        return Sides(self.post, self.pre, self.path)

    def kept(self) -> Sides:
        """The sides with the local targets alone."""
        return self if self.local is None else Sides(self.pre, self.post[self.local], self.path)

    def empty(self, count: int) -> Targets:
        """An array for `count` positions in the target side."""
        return np.empty(count, dtype=narrow(self.post.size))

    def room(self, allow_self: bool) -> Ints:
        """How many targets each source may have."""
        room = np.full(self.pre.size, self.post.size, dtype=np.int64)
        return room if allow_self else room - self.own()

    def once(self, kind: str, side: str) -> None:
        """ModelError if `side` names a cell twice."""
        cells = getattr(self, side)
        if np.unique(cells).size != cells.size:
            raise ModelError(
                f"{self.path}.{side}",
                f"names a cell twice, which {kind} with allow_multapses=False rules out",
                "name each cell once",
            )


# (first row, last row, starts of rows in the array, the array): fill it. Draws are keyed by row, or by slot
# in the whole, so that any rows may be drawn at any time.
Draw = Callable[[int, int, Ints, Targets], object]


def by_rows(sides: Sides, indptr: Ints, draw: Draw, ordered: bool = False) -> Pattern:
    """The pattern of rows by source with these starts, drawn in ranges of rows; of a part, each range is
    drawn whole and what is local is kept.
    """
    total = int(indptr[-1])
    if sides.local is None:
        targets = sides.empty(total)
        if total:
            run(lambda lo, hi: draw(lo, hi, indptr, targets), even(indptr))
        return Pattern(indptr, targets, total, ordered=ordered)
    local = sides.local
    counts = np.zeros(indptr.size - 1, dtype=np.int64)
    pieces: dict[int, tuple[Targets, Ints]] = {}

    def band(first: int, last: int) -> None:
        for lo, hi in portions(indptr, first, last, BAND):
            base = int(indptr[lo])
            drawn = sides.empty(int(indptr[hi]) - base)
            draw(lo, hi, indptr - base, drawn)
            mine = local[drawn]
            before = pointers(mine)
            counts[lo:hi] = before[indptr[lo + 1 : hi + 1] - base] - before[indptr[lo:hi] - base]
            pieces[lo] = drawn[mine], np.flatnonzero(mine) + base if ordered else np.zeros(0, dtype=np.int64)

    run(band, even(indptr))
    made = [pieces[lo] for lo in sorted(pieces)]
    targets = np.concatenate([sides.empty(0), *(t for t, _ in made)])
    given = np.concatenate([np.zeros(0, dtype=np.int64), *(g for _, g in made)]) if ordered else None
    return Pattern(pointers(counts), targets, total, given, ordered)
