"""What the checks of the cases measure: statistics of `activity` after the warm-up, averaged over runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from portable.results.activity import Trains, Window, by_cell, rates
from portable.results.tables import Results
from portable.units import Floats

STANDARD_ERRORS = 4.0  # a margin of so many is passed over by chance in 6 of 100,000 checks


def trains(results: Results, population: str, warmup: float) -> Trains:
    """The population's spikes later than `warmup` ms."""
    return by_cell(results.spikes[population], Window.after(warmup, results))


def mean_of(
    results: Sequence[Results], population: str, warmup: float, statistic: Callable[[Trains], Floats | float]
) -> float:
    """The statistic averaged over cells (or pairs) where it is defined, then over runs; nan without any."""
    values = [np.atleast_1d(statistic(trains(r, population, warmup))) for r in results]
    means = [float(v[np.isfinite(v)].mean()) for v in values if np.isfinite(v).any()]
    return float(np.mean(means)) if means else math.nan


def mean_rate(results: Sequence[Results], population: str, warmup: float) -> float:
    """Hz, mean over cells and runs; nan without a run."""
    return mean_of(results, population, warmup, rates)


def counting_error(expected: float, cells: int, duration: float) -> float:
    """STANDARD_ERRORS of a mean rate (Hz) of independent cells over `duration` ms, taking their trains for
    Poisson's (CV 1), more irregular than any here."""
    return STANDARD_ERRORS * math.sqrt(expected / (cells * duration / 1000.0))
