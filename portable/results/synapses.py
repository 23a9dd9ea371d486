"""Weights and states of connections that learn, as a user sees them: in source-target order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portable.resolve.program import Ints
from portable.results.times import on_grid
from portable.units import Floats


@dataclass(frozen=True, eq=False)
class SynapseTable:
    """A variable of a projection's connections, sorted by source, then target, then delay.

    sources, targets (n,): positions in the projection's two sides, counted over the whole side from 0;
    values (samples, n) in `unit`, at `steps` (samples,), after all that the connections' clocks have seen by
    then. `numpy.asarray` of a table of one sample is that sample.
    """

    sources: Ints
    targets: Ints
    steps: Ints
    dt: float
    values: Floats
    unit: str

    @property
    def times(self) -> Floats:
        """Sample times in ms."""
        return on_grid(self.steps, self.dt)

    def __len__(self) -> int:
        return int(self.sources.size)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        one = self.values[0] if self.steps.size == 1 else self.values
        return np.array(one, dtype=dtype) if copy or dtype else one

    def matrix(self, sample: int = -1) -> Floats:
        """(sources, targets) of one sample; nan where there is no connection, the sum of several."""
        shape = (int(self.sources.max(initial=-1)) + 1, int(self.targets.max(initial=-1)) + 1)
        out = np.zeros(shape)
        seen = np.zeros(shape, dtype=bool)
        np.add.at(out, (self.sources, self.targets), self.values[sample])
        seen[self.sources, self.targets] = True
        out[~seen] = np.nan
        return out

    def joined(self, other: SynapseTable) -> SynapseTable:
        """The samples of both, of the same connections."""
        return replace(
            self,
            steps=np.concatenate([self.steps, other.steps]),
            values=np.concatenate([self.values, other.values]),
        )

    def __repr__(self) -> str:
        return f"SynapseTable({self.steps.size} samples of {len(self)} connections, {self.unit})"
