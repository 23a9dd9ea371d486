"""What a run gives back: spikes and traces with portable ids and times in ms, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError, suggestion
from portable.resolve.program import Approximation, Ints
from portable.results.approximations import grouped
from portable.results.synapses import SynapseTable
from portable.results.times import on_grid
from portable.units import Floats

if TYPE_CHECKING:
    import neo


@dataclass(frozen=True, eq=False)
class SpikeTable:
    """Spikes of one population, sorted by (step, id). ids (n,) positions in the population; steps (n,) stamps
    in units of dt.
    """

    ids: Ints
    steps: Ints
    dt: float
    recorded: Ints  # the positions whose spikes were kept

    @property
    def times(self) -> Floats:
        """Spike times in ms."""
        return on_grid(self.steps, self.dt)

    def __len__(self) -> int:
        return int(self.ids.size)

    def __repr__(self) -> str:
        return f"SpikeTable({len(self)} spikes of {self.recorded.size} cells)"

    def trains(self) -> list[Floats]:
        """One array of spike times (ms) for each recorded cell, in the order of `recorded`."""
        order = np.argsort(self.ids, kind="stable")
        ids, times = self.ids[order], self.times[order]
        lows, highs = (
            np.searchsorted(ids, self.recorded, "left"),
            np.searchsorted(ids, self.recorded, "right"),
        )
        return [times[a:b] for a, b in zip(lows, highs, strict=True)]


@dataclass(frozen=True, eq=False)
class TraceTable:
    """A recorded variable: values (samples, cells) in `unit`, at `steps` (samples,), of `ids` (cells,)."""

    ids: Ints
    steps: Ints
    dt: float
    values: Floats
    unit: str

    @property
    def times(self) -> Floats:
        """Sample times in ms."""
        return on_grid(self.steps, self.dt)

    def __repr__(self) -> str:
        return f"TraceTable({self.values.shape[0]} samples of {self.values.shape[1]} cells, {self.unit})"


def sorted_spikes(ids: npt.ArrayLike, steps: npt.ArrayLike, dt: float, recorded: Ints) -> SpikeTable:
    """A SpikeTable from spikes in any order."""
    i, s = np.asarray(ids, dtype=np.int64), np.asarray(steps, dtype=np.int64)
    order = np.lexsort((i, s))
    return SpikeTable(i[order], s[order], dt, recorded)


@dataclass(frozen=True, eq=False)
class Results:
    """Everything recorded in a run.

    results.spikes["exc"].times, .ids; results.traces["exc", "v"].values; results.to_neo(). `provenance` says
    what ran: versions, seed, model hash, options, integrators, inputs ("frozen" or "native"), wall-clock
    seconds per phase, peak memory.
    """

    network: str
    backend: str
    dt: float
    steps: int
    sizes: Mapping[str, int]
    spikes: Mapping[str, SpikeTable]
    traces: Mapping[tuple[str, str], TraceTable]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    approximations: tuple[Approximation, ...] = ()
    synapses: Mapping[tuple[str, str], SynapseTable] = field(default_factory=dict)

    @property
    def weights(self) -> Mapping[str, SynapseTable]:
        """The recorded weights of projections that learn, by name."""
        return {p: t for (p, v), t in self.synapses.items() if v == "weight"}

    @property
    def duration(self) -> float:
        """ms simulated."""
        return float(on_grid(np.asarray(self.steps), self.dt))

    def rate(self, population: str) -> float:
        """Mean firing rate of the recorded cells of a population, in Hz."""
        if population not in self.spikes:
            raise ModelError(
                "", f"no spikes were recorded of '{population}'", suggestion(population, self.spikes)
            )
        table = self.spikes[population]
        return 1000.0 * len(table) / max(1, table.recorded.size) / self.duration if self.steps else 0.0

    def to_neo(self) -> neo.Block:
        """The same as a neo.Block with one segment; units attached, population and cell id as annotations."""
        from portable.results.neo_block import block

        return block(self)

    def __repr__(self) -> str:
        rows = [f"Results of '{self.network}' on {self.backend}: {self.duration:g} ms at dt {self.dt:g} ms"]
        rows += [f"  {n}: {len(t)} spikes, {self.rate(n):.2f} Hz" for n, t in self.spikes.items()]
        rows += [f"  {n}.{v}: {t!r}" for (n, v), t in self.traces.items()]
        rows += [f"  {n}.{v}: {t!r}" for (n, v), t in self.synapses.items()]
        rows += [f"  approximation: {line}" for line in grouped(self.approximations)]
        return "\n".join(rows)
