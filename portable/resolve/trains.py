"""The spikes of a group of sources in any window of steps: the same for every backend that asks.

A new kind of source comes in here: what it adds is its window, and a backend that has no better way of its
own hands that to its simulator.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from portable.resolve import poisson
from portable.resolve.program import Ints, PerCell, PoissonGroup, TrainGroup

Counts = npt.NDArray[np.uint16]
AT_ONCE = 2**22  # counts worked out at a time (uint16: 8 MiB)


class Trains:
    """The spikes of one group. After `set_rate(rate, now)` stamps > now follow the new rate (1/ms), earlier
    ones do not.
    """

    def __init__(self, group: PoissonGroup | TrainGroup, dt: float) -> None:
        self.group, self.dt, self.size = group, dt, group.size
        if isinstance(group, TrainGroup):
            ids = np.repeat(np.arange(group.size), np.diff(group.indptr))
            order = np.lexsort((ids, group.steps))
            self._ids, self._stamps = ids[order], np.asarray(group.steps)[order]
        else:
            self._epochs = [(0, group, poisson.table(group, dt))]

    @property
    def longest(self) -> int:
        """Steps of a window that stays within AT_ONCE counts; given spikes are at hand already."""
        if isinstance(self.group, TrainGroup):
            return 2**31
        return max(1, AT_ONCE // max(1, self.size))

    def set_rate(self, rate: PerCell, now: int) -> None:
        """Of Poisson sources."""
        assert isinstance(self.group, PoissonGroup)
        self.group = replace(self.group, rate=rate)
        self._epochs.append((now, self.group, poisson.table(self.group, self.dt)))

    def counts(self, first: int, steps: int) -> Counts:
        """Spikes of every source at stamps first .. first + steps - 1, shape (steps, size); stamps below 1
        have none.
        """
        out = np.zeros((steps, self.size), dtype=np.uint16)
        if isinstance(self.group, TrainGroup):
            ids, stamps = self.spikes(first, steps)
            np.add.at(out, (stamps - first, ids), np.uint16(1))
            return out
        ends = [*(start for start, _, _ in self._epochs[1:]), first + steps]
        for (start, group, table), end in zip(self._epochs, ends, strict=True):
            low, high = max(first, start + 1), min(first + steps - 1, end)
            if high >= low:
                out[low - first : high - first + 1] = poisson.counts(group, table, low, high - low + 1)
        return out

    def spikes(self, first: int, steps: int) -> tuple[Ints, Ints]:
        """(positions, stamps) in the window, by stamp and then position, repeated where a source fires more
        than once in a step.
        """
        if isinstance(self.group, TrainGroup):
            low, high = np.searchsorted(self._stamps, (first, first + steps))
            return self._ids[low:high], self._stamps[low:high]
        ids, stamps = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for at in range(first, first + steps, self.longest):
            found = self.counts(at, min(self.longest, first + steps - at))
            row, source = np.nonzero(found)
            many = found[row, source]
            ids.append(np.repeat(source, many))
            stamps.append(np.repeat(row + at, many))
        return np.concatenate(ids), np.concatenate(stamps)

    def by_source(self, first: int, steps: int) -> tuple[Ints, Ints, Ints]:
        """(indptr, stamps, counts) in the window: source i fires counts[k] times at each stamps[k], k in
        indptr[i]:indptr[i + 1].
        """
        if isinstance(self.group, TrainGroup):
            ids, stamps = self.spikes(first, steps)
            order = np.argsort(ids, kind="stable")
            ids, stamps = ids[order], stamps[order]
            new = np.ones(ids.size, dtype=bool)
            new[1:] = (np.diff(ids) != 0) | (np.diff(stamps) != 0)
            at = np.flatnonzero(new)
            return self._indptr(ids[at]), stamps[at], np.diff(np.append(at, ids.size))
        drawn = np.ascontiguousarray(self.counts(first, steps).T)
        who, when = np.nonzero(drawn)
        return self._indptr(who), when + first, drawn[who, when].astype(np.int64)

    def _indptr(self, ids: Ints) -> Ints:
        return np.searchsorted(ids, np.arange(self.size + 1)).astype(np.int64)

    def given(self, steps: int) -> TrainGroup:
        """The spikes up to `steps` as a group of given ones."""
        ids, stamps = self.spikes(1, steps)
        order = np.argsort(ids, kind="stable")
        return TrainGroup(self.group.name, self.size, self._indptr(ids[order]), stamps[order])
