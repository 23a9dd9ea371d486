"""Arrays for the pictures of a report: what the records in `verdicts` are drawn from. Never written to
report.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portable.results.tables import Results
from portable.units import Floats


@dataclass(frozen=True)
class Growth:
    """How the difference of two spike lists grows: at the end of each window (ms), the number of spikes
    without a partner so far.
    """

    times: Floats  # (windows,)
    unmatched: Floats  # (windows,)


@dataclass(frozen=True)
class Traces:
    """One variable of one cell on both sides, at the same times (ms)."""

    population: str
    neuron: int
    variable: str
    unit: str
    times: Floats
    reference: Floats
    other: Floats


@dataclass(frozen=True)
class Spectrum:
    """Power of the population activity: frequencies (Hz), power ((1/s)^2/Hz), a mean over seeds."""

    frequencies: Floats
    power: Floats


@dataclass(frozen=True)
class Learnt:
    """Weights of a projection on both sides: sorted, at most some thousands, at the first and the last time
    of `times` (ms) for one seed; gaps: by seed, the largest difference at each time, as a share of the range.
    """

    projection: str
    unit: str
    seed: int
    times: Floats
    reference: tuple[Floats, Floats]
    other: tuple[Floats, Floats]
    gaps: dict[int, Floats]


@dataclass(frozen=True)
class Evidence:
    """results: (backend, seed) -> what a run recorded, of the seeds that are drawn (the first, and the first
    that differs).

    growth: (backend, seed) -> growth of the difference to the reference, and ("perturbed", seed) that of the
    reference from itself.
    around: (backend, seed) -> voltage of the first diverging cell around that moment, on both sides. cells:
    (backend, population) -> the trace of the level-2 comparison. distributions: (statistic, population,
    backend) -> values of cells, pairs or intervals, pooled over seeds (at most some thousands, evenly
    thinned). spectra: (population, backend). weights: (backend, projection).
    """

    results: Mapping[tuple[str, int], Results] = field(default_factory=dict)
    growth: Mapping[tuple[str, int], Growth] = field(default_factory=dict)
    around: Mapping[tuple[str, int], Traces] = field(default_factory=dict)
    cells: Mapping[tuple[str, str], Traces] = field(default_factory=dict)
    distributions: Mapping[tuple[str, str, str], Floats] = field(default_factory=dict)
    spectra: Mapping[tuple[str, str], Spectrum] = field(default_factory=dict)
    weights: Mapping[tuple[str, str], Learnt] = field(default_factory=dict)
