"""Two Results side by side: plain data that says whether they agree, and if not, where they part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.errors import ModelError
from portable.results.synapses import SynapseTable
from portable.results.tables import Results, TraceTable
from portable.units import Floats
from portable.validation.matching import match

# Weights are sums of changes, each rounded to 1e-16 of the largest weight, told in another order or with exp
# where the other side has a table.
CLOSE = 1e-12


@dataclass(frozen=True)
class Divergence:
    """The first spike that only one side has (or has more often): its time (ms), cell, and how often each
    side has it.
    """

    time: float
    step: int
    population: str
    neuron: int
    spikes: tuple[int, int]


@dataclass(frozen=True)
class PopulationDifference:
    """Spikes of one population on both sides; `equal` and `near` have a partner at the same, or within one,
    step.
    """

    population: str
    cells: int
    spikes: tuple[int, int]
    rates: tuple[float, float]  # Hz
    equal: int
    near: int

    @property
    def identical(self) -> bool:
        return self.equal == self.spikes[0] == self.spikes[1]


@dataclass(frozen=True)
class TraceDifference:
    """Largest absolute difference of a recorded variable: where, when (ms) and the two values, in `unit`.

    `before` is the largest difference up to the first spike that differs (from there on two neurons may be a
    whole action potential apart); equal to `largest` where the spikes are identical.
    """

    population: str
    variable: str
    unit: str
    largest: float
    time: float
    neuron: int
    values: tuple[float, float]
    before: float


@dataclass(frozen=True)
class Pair:
    """Two runs of one resolved network compared; `first` is the reference of the two."""

    first: str
    second: str
    seed: int
    populations: tuple[PopulationDifference, ...]
    traces: tuple[TraceDifference, ...]
    divergence: Divergence | None
    synapses: tuple[SynapseDifference, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether every population's spike lists are the same, and recorded weights and other states of
        connections but for rounding.
        """
        return self.divergence is None and all(s.same for s in self.synapses)

    @property
    def spikes(self) -> tuple[int, int]:
        """Recorded spikes of each side."""
        return sum(p.spikes[0] for p in self.populations), sum(p.spikes[1] for p in self.populations)

    @property
    def equal(self) -> float:
        """Share of the longer list's spikes with a partner at the same step; 1 if both are empty."""
        return self._share(sum(p.equal for p in self.populations))

    @property
    def within_one_step(self) -> float:
        """Share of the longer list's spikes with a partner of its own at most one step away."""
        return self._share(sum(p.near for p in self.populations))

    def _share(self, matched: int) -> float:
        return matched / max(self.spikes) if max(self.spikes) else 1.0


@dataclass(frozen=True)
class SynapseDifference:
    """Largest absolute difference of a recorded variable of connections that learn: where (source and target
    in their sides), when (ms) and the two values, in `unit`. `scale`: the largest value of the reference.
    """

    projection: str
    variable: str
    unit: str
    largest: float
    time: float
    source: int
    target: int
    values: tuple[float, float]
    before: float
    scale: float

    @property
    def same(self) -> bool:
        """Equal but for rounding."""
        return self.largest <= CLOSE * self.scale


@dataclass(frozen=True)
class Largest:
    """The largest absolute difference of two tables, its place, and that of each row."""

    size: float
    place: tuple[int, int]
    rows: Floats


def largest(a: Floats, b: Floats) -> Largest:
    """Of two tables of one shape (rows, columns), not empty. A number against none is an infinite difference,
    none against none is no difference.
    """
    with np.errstate(invalid="ignore"):
        gap = np.abs(a - b)
    gap[(np.isnan(a) & np.isnan(b)) | (a == b)] = 0.0
    gap[np.isnan(gap)] = np.inf
    row, column = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return Largest(float(gap[row, column]), (int(row), int(column)), gap.max(axis=1))


def compare_results(a: Results, b: Results) -> Pair:
    """Compare two runs of the same network, dt, duration and recordings. ModelError if they are not
    comparable.
    """
    _comparable(a, b)
    populations, firsts = [], []
    for place, (name, left) in enumerate(a.spikes.items()):
        right = b.spikes[name]
        found = match(left, right)
        populations.append(
            PopulationDifference(
                name,
                int(left.recorded.size),
                (len(left), len(right)),
                (a.rate(name), b.rate(name)),
                found.equal,
                found.near,
            )
        )
        if found.first is not None:
            step, neuron, in_a, in_b = found.first
            firsts.append((step, place, neuron, name, (in_a, in_b)))
    divergence = None
    if firsts:
        step, _, neuron, name, spikes = min(firsts)
        divergence = Divergence(round(step * a.dt, 9), step, name, neuron, spikes)
    traces = tuple(
        _trace(key, t, b.traces[key], divergence)
        for key, t in a.traces.items()
        if key in b.traces and t.values.size
    )
    synapses = tuple(
        _synapses(key, t, b.synapses[key], divergence)
        for key, t in a.synapses.items()
        if key in b.synapses and t.values.size
    )
    return Pair(
        a.backend,
        b.backend,
        int(a.provenance.get("seed", 0)),
        tuple(populations),
        traces,
        divergence,
        synapses,
    )


def _comparable(a: Results, b: Results) -> None:
    facts: Mapping[str, tuple[Any, Any]] = {
        "network": (a.network, b.network),
        "dt": (a.dt, b.dt),
        "duration in steps": (a.steps, b.steps),
        "populations": (sorted(a.spikes), sorted(b.spikes)),
        "seed": (a.provenance.get("seed"), b.provenance.get("seed")),
    }
    for what, (left, right) in facts.items():
        if left != right:
            raise ModelError(
                what,
                f"differs: {left} on {a.backend} and {right} on {b.backend}",
                "compare runs of one network with one dt, duration and seed",
            )
    for name, table in a.spikes.items():
        if not np.array_equal(table.recorded, b.spikes[name].recorded):
            raise ModelError(
                f"spikes of '{name}'",
                "were recorded of different cells on the two sides",
                "use the same recordings",
            )


def _worst(
    a: TraceTable | SynapseTable, b: TraceTable | SynapseTable, divergence: Divergence | None
) -> tuple[Largest, float]:
    """The largest difference of two tables, and that of the samples before the first spike that differs."""
    worst = largest(a.values, b.values)
    early = worst.rows if divergence is None else worst.rows[a.steps < divergence.step]
    return worst, float(early.max()) if early.size else 0.0


def _trace(
    key: tuple[str, str], a: TraceTable, b: TraceTable, divergence: Divergence | None
) -> TraceDifference:
    if not np.array_equal(a.ids, b.ids) or not np.array_equal(a.steps, b.steps):
        raise ModelError(
            f"trace of '{key[0]}.{key[1]}'",
            "has different cells or sample times on the two sides",
            "use the same recordings",
        )
    worst, before = _worst(a, b, divergence)
    row, column = worst.place
    return TraceDifference(
        key[0],
        key[1],
        a.unit,
        worst.size,
        float(a.times[row]),
        int(a.ids[column]),
        (float(a.values[row, column]), float(b.values[row, column])),
        before,
    )


def _synapses(
    key: tuple[str, str], a: SynapseTable, b: SynapseTable, divergence: Divergence | None
) -> SynapseDifference:
    alike = ((x, y) for x, y in ((a.sources, b.sources), (a.targets, b.targets), (a.steps, b.steps)))
    if not all(np.array_equal(x, y) for x, y in alike):
        raise ModelError(
            f"{key[1]} of '{key[0]}'",
            "has different connections or sample times on the two sides",
            "use the same recordings",
        )
    worst, before = _worst(a, b, divergence)
    row, column = worst.place
    return SynapseDifference(
        key[0],
        key[1],
        a.unit,
        worst.size,
        float(a.times[row]),
        int(a.sources[column]),
        int(a.targets[column]),
        (float(a.values[row, column]), float(b.values[row, column])),
        before,
        float(np.abs(a.values).max()),
    )
