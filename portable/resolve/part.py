"""Parts of a network: some of its cells, whose incoming connections alone are made.

Every part knows all groups, so ids are those of the whole; it has the connections onto its own cells, equal
to the same connections of the whole, in memory that goes with the part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.model.network import Side

Mask = npt.NDArray[np.bool_]


class Part(Protocol):
    """Any choice of cells, for example those of one process of a simulator."""

    def local(self, population: str, size: int) -> Mask:
        """Which of a population's cells belong to the part (length `size`)."""
        ...


@dataclass(frozen=True)
class RoundRobin:
    """Of `size` parts the one with the cells rank, rank + size, ... of each population."""

    rank: int
    size: int

    def __post_init__(self) -> None:
        if not (0 <= self.rank < self.size):
            raise ModelError(
                "RoundRobin",
                f"needs 0 <= rank < size, got rank {self.rank} of {self.size}",
                "ranks are counted from 0",
            )

    def local(self, population: str, size: int) -> Mask:  # noqa: ARG002
        """Every size-th cell from `rank` on."""
        return np.asarray(np.arange(size) % self.size == self.rank)


@dataclass(frozen=True)
class Chosen:
    """The cells for which `choose(population, positions)` is true."""

    choose: Callable[[str, npt.NDArray[np.int64]], Mask]

    def local(self, population: str, size: int) -> Mask:
        """What `choose` says."""
        return np.broadcast_to(np.asarray(self.choose(population, np.arange(size)), dtype=bool), size)


def places(part: Part | None, side: Side) -> Mask | None:
    """Which positions of a side are local; None where all are."""
    if part is None:
        return None
    masks = {
        v.population.name: np.asarray(part.local(v.population.name, v.population.size), bool) for v in side
    }
    for view in side:
        if masks[view.population.name].shape != (view.population.size,):
            raise ModelError(
                "part",
                f"local('{view.population.name}', {view.population.size}) gave shape "
                f"{masks[view.population.name].shape}",
                "give one bool for each cell",
            )
    return np.asarray(np.concatenate([masks[v.population.name][v.ids] for v in side]), dtype=bool)
