"""Where the populations of a program lie in a simulator, and the way back from its numbers of cells, its
times and its weights to our positions, steps and units. `lower` makes it before the simulator is there; pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends.contract import HeldConnections
from portable.resolve.program import Ints
from portable.units import Floats

Bools = npt.NDArray[np.bool_]
Spikes = dict[str, tuple[Ints, Ints]]


@dataclass(frozen=True)
class Place:
    """A population's cells are numbered first .. first + size - 1 in a space: an object of the simulator's
    that holds several populations side by side, or all there are ("")."""

    space: str
    first: int
    size: int

    @property
    def cells(self) -> slice:
        """Of an array over the space."""
        return slice(self.first, self.first + self.size)

    def has(self, numbers: npt.NDArray[Any]) -> Bools:
        """Which of these numbers of the space are cells of the population."""
        return (numbers >= self.first) & (numbers < self.first + self.size)


@dataclass(frozen=True)
class Placement:
    """Places by population; dt: ms a step; recorded: positions whose spikes are recorded, by population."""

    places: Mapping[str, Place]
    dt: float
    recorded: Mapping[str, Ints]

    def __getitem__(self, population: str) -> Place:
        return self.places[population]

    def __contains__(self, population: str) -> bool:
        return population in self.places

    def records(self, space: str) -> bool:
        """Whether spikes of a population in this space are recorded."""
        return any(self.places[n].space == space for n in self.recorded if n in self.places)

    def numbers(self, population: str, positions: npt.NDArray[Any]) -> Ints:
        """The simulator's numbers of cells."""
        return np.asarray(positions, dtype=np.int64) + self.places[population].first

    def positions(self, population: str, numbers: npt.NDArray[Any]) -> Ints:
        """Positions of cells that the simulator names by these numbers."""
        return np.asarray(numbers, dtype=np.int64) - self.places[population].first

    def steps(self, times: Floats) -> Ints:
        """Whole steps of times in ms."""
        return nearest_steps(times, self.dt)

    def spikes(self, space: str, numbers: Ints, stamps: Ints) -> Spikes:
        """Spikes of a space, as positions and stamps of its populations that are recorded, in their order."""
        mine = [n for n in self.recorded if n in self.places and self.places[n].space == space]
        return {name: self.spikes_of(name, numbers, stamps) for name in mine}

    def spikes_of(self, population: str, numbers: Ints, stamps: Ints) -> tuple[Ints, Ints]:
        """Positions and stamps of the recorded cells of one population, out of its space."""
        place, wanted = self.places[population], self.recorded[population]
        mine = place.has(np.asarray(numbers))
        ids = self.positions(population, np.asarray(numbers)[mine])
        at = np.asarray(stamps)[mine].astype(np.int64)
        if wanted.size == place.size:
            return ids, at
        kept = np.isin(ids, wanted)
        return ids[kept], at[kept]

    def connections(
        self,
        names: Mapping[str, float],
        ends: tuple[str, str],
        sources: Ints,
        targets: Ints,
        weights: Floats,
        delays: Ints,
    ) -> HeldConnections:
        """Of rows with the simulator's numbers (source and target each in the space of its population) those
        that join the two populations. names: connections of the program, with the simulator's weight of a
        weight of 1; delays in steps.
        """
        pre, post = (self.places[e] for e in ends)
        mine = pre.has(sources) & post.has(targets)
        return HeldConnections(
            tuple(names),
            self.positions(ends[0], sources[mine]),
            self.positions(ends[1], targets[mine]),
            np.asarray(weights[mine], dtype=np.float64),
            np.asarray(delays[mine], dtype=np.int64),
            {n: f for n, f in names.items() if f != 1.0},
        )


def nearest_steps(times: Floats, dt: float) -> Ints:
    """Of times that simulators hold as sums of dt or products with it, in its unit: the nearest."""
    return np.rint(np.asarray(times, dtype=np.float64) / dt).astype(np.int64)


def side_by_side(populations: Iterable[tuple[str, int]], space: str = "", first: int = 0) -> dict[str, Place]:
    """The places of populations (name, size) that are numbered one after another in one space."""
    out = {}
    for name, size in populations:
        out[name] = Place(space, first, size)
        first += size
    return out
