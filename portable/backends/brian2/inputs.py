"""The frozen input spikes of a run, a window of steps at a time: the same as every other backend's. No Brian2
in here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from portable.backends.brian2.plan import Source
from portable.resolve import poisson
from portable.resolve.program import Ints, PerCell, PoissonGroup, TrainGroup

Counts = npt.NDArray[np.uint16]


class PoissonTrains:
    """Counts of a Poisson population in any window; after `set_rate(rate, now)` stamps > now follow the new
    rate, earlier ones do not.
    """

    def __init__(self, group: PoissonGroup, dt: float) -> None:
        self.dt, self.size = dt, group.size
        self.epochs = [(0, group, poisson.table(group, dt))]

    def set_rate(self, rate: PerCell, now: int) -> None:
        group = replace(self.epochs[-1][1], rate=rate)
        self.epochs.append((now, group, poisson.table(group, self.dt)))

    def window(self, first: int, steps: int) -> Counts:
        """Counts of stamps first .. first+steps-1, shape (steps, size); stamps below 1 have none."""
        out = np.zeros((steps, self.size), dtype=np.uint16)
        ends = [*(start for start, _, _ in self.epochs[1:]), first + steps]
        for (start, group, table), end in zip(self.epochs, ends, strict=True):
            low, high = max(first, start + 1), min(first + steps - 1, end)
            if high >= low:
                out[low - first : high - first + 1] = poisson.counts(group, table, low, high - low + 1)
        return out


class SourceTrains:
    """Events of one Source in a window."""

    def __init__(self, source: Source, poissons: dict[str, PoissonTrains]) -> None:
        self.source, self.poissons = source, poissons
        self.ids: dict[str, Ints] = {}
        self.steps: dict[str, Ints] = {}
        for g in source.groups:
            if isinstance(g, TrainGroup):
                ids = np.repeat(np.arange(g.size), np.diff(g.indptr))
                order = np.lexsort((ids, g.steps))
                self.ids[g.name], self.steps[g.name] = ids[order], g.steps[order]

    def window(self, first: int, steps: int) -> tuple[npt.NDArray[np.int32], Ints]:
        """(positions in the source, start of each step): positions of stamp first+r are
        ids[start[r]:start[r+1]], sorted.
        """
        ids, rows = [], []
        for m, g in zip(self.source.members, self.source.groups, strict=True):
            if isinstance(g, PoissonGroup):
                row, column = unfold(self.poissons[g.name].window(first, steps))
            else:
                low, high = np.searchsorted(self.steps[g.name], (first, first + steps))
                row, column = self.steps[g.name][low:high] - first, self.ids[g.name][low:high]
            ids.append(column + m.offset)
            rows.append(row)
        all_ids, all_rows = np.concatenate(ids), np.concatenate(rows)
        if len(ids) > 1:
            order = np.lexsort((all_ids, all_rows))
            all_ids, all_rows = all_ids[order], all_rows[order]
        return all_ids.astype(np.int32), np.searchsorted(all_rows, np.arange(steps + 1))


def unfold(counts: Counts) -> tuple[Ints, Ints]:
    """(row, column) of every spike, repeated where a source fires more than once in a step; sorted by row,
    then column.
    """
    row, column = np.nonzero(counts)
    many = counts[row, column]
    return np.repeat(row, many), np.repeat(column, many)
