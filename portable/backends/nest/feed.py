"""The spikes of sources, chunk by chunk: what each generator gets before NEST runs on, and what was
emitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from portable.backends.nest.plan import Source
from portable.errors import ModelError
from portable.resolve import poisson
from portable.resolve.program import Ints, PoissonGroup, TrainGroup
from portable.units import Floats

CHUNK_COUNTS = 2**23  # counts drawn at a time (uint16: 16 MiB), and about as many entries handed to NEST


@dataclass(frozen=True)
class Chunk:
    """Spikes of a group for some steps: source i has stamps steps[indptr[i]:indptr[i+1]], each `counts` times
    (float64).
    """

    indptr: Ints
    steps: Ints
    counts: Floats


class Feed:
    """One group of sources. `keep` are the positions whose spikes are recorded (None: not recorded)."""

    def __init__(self, source: Source, dt: float, keep: Ints | None) -> None:
        self.group, self.dt, self.how = source.group, dt, source.how
        self.keep = keep
        self.kept: list[tuple[Ints, Ints]] = []
        self._read_rate()

    def _read_rate(self) -> None:
        self.table = (
            poisson.table(self.group, self.dt)
            if isinstance(self.group, PoissonGroup) and self.group.size
            else None
        )

    @property
    def needed(self) -> bool:
        """Whether spikes must be worked out here at all."""
        return self.how in ("trains", "frozen") or self.keep is not None

    def longest(self) -> int:
        """Steps that one chunk may cover."""
        return (
            max(1, CHUNK_COUNTS // max(1, self.group.size)) if isinstance(self.group, PoissonGroup) else 2**31
        )

    def set(self, values: Mapping[str, float | Floats]) -> None:
        """Change the rate (1/ms)."""
        for name in values:
            if name != "rate" or not isinstance(self.group, PoissonGroup):
                raise ModelError(
                    f"population '{self.group.name}'.{name}",
                    "cannot be changed while running",
                    "only the rate of Poisson sources can",
                )
        assert isinstance(self.group, PoissonGroup)
        self.group = replace(self.group, rate=values["rate"])
        self._read_rate()

    def draw(self, first: int, steps: int) -> Chunk:
        """Spikes stamped first .. first+steps-1; what is recorded of them is kept."""
        chunk = (
            self._poisson(first, steps)
            if isinstance(self.group, PoissonGroup)
            else _trains(self.group, first, steps)
        )
        if self.keep is not None:
            ids = np.repeat(np.arange(self.group.size), np.diff(chunk.indptr))
            times = chunk.counts.astype(np.int64)
            ids, stamps = np.repeat(ids, times), np.repeat(chunk.steps, times)
            wanted = np.isin(ids, self.keep) if self.keep.size < self.group.size else slice(None)
            self.kept.append((ids[wanted], stamps[wanted]))
        return chunk

    def _poisson(self, first: int, steps: int) -> Chunk:
        assert isinstance(self.group, PoissonGroup)
        if self.table is None:
            return Chunk(np.zeros(self.group.size + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        drawn = np.ascontiguousarray(poisson.counts(self.group, self.table, first, steps).T)
        who, when = np.nonzero(drawn)
        indptr = np.searchsorted(who, np.arange(self.group.size + 1))
        return Chunk(indptr, when + first, drawn[who, when].astype(np.float64))

    def recorded(self) -> tuple[Ints, Ints]:
        """(positions, stamps) so far."""
        if not self.kept:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([a for a, _ in self.kept]), np.concatenate([b for _, b in self.kept])


def _trains(group: TrainGroup, first: int, steps: int) -> Chunk:
    """Stamps in the window; repeats of a stamp become a count."""
    ids = np.repeat(np.arange(group.size), np.diff(group.indptr))
    inside = (group.steps >= first) & (group.steps < first + steps)
    ids, stamps = ids[inside], group.steps[inside]
    new = np.ones(ids.size, dtype=bool)
    new[1:] = (np.diff(ids) != 0) | (np.diff(stamps) != 0)
    at = np.flatnonzero(new)
    counts = np.diff(np.append(at, ids.size)).astype(np.float64)
    return Chunk(np.searchsorted(ids[at], np.arange(group.size + 1)), stamps[at], counts)
