"""Statistics of one population's spikes in a window of time, vectorised over cells.

    by_cell(table, window) -> Trains      spikes of the window, cell after cell
    rates cvs lvs fanos                   (cells,) each, nan where a cell has too few spikes
    intervals correlations spectrum       per interval, per pair of cells, per frequency
    summary(table, window)                one number each (STATISTICS)
    distributions(table, window)          values of cells, pairs and intervals

`elephant` has the same statistics for one train at a time; the tests check that these are equal to them.
Spreads are those of the population (divided by n), as there. Bins are the whole number of steps nearest to
the width asked for, and only whole bins count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.resolve.program import Ints
from portable.results.tables import Results, SpikeTable
from portable.units import Floats

LEAST = 5  # intervals that a cell needs for its CV and LV
COUNT_WINDOW, PAIR_BIN, SYNCHRONY_BIN, SPECTRUM_BIN = 100.0, 2.0, 3.0, 1.0  # ms
PAIR_CELLS = 200  # at most so many cells are correlated: 19,900 pairs
SEGMENT = 1000.0  # ms of a segment of the spectrum, so its resolution is 1 Hz
BAND = (1.0, 500.0)  # Hz searched for the peak of the spectrum
SMOOTHING = 5.0  # Hz over which the spectrum is averaged before its peak is sought
NAN = float("nan")


class Statistic(NamedTuple):
    """What a number of `summary` is: its unit, its name in full and its definition, with the source."""

    unit: str
    name: str
    definition: str


STATISTICS: dict[str, Statistic] = {
    "rate": Statistic(
        "Hz",
        "firing rate",
        "Spikes of a cell divided by the length of the window, averaged over all recorded cells.",
    ),
    "cv": Statistic(
        "",
        "coefficient of variation of intervals",
        "Standard deviation of a cell's interspike intervals divided by their mean, averaged over cells "
        "with at least 5 intervals; 1 for a Poisson "
        "process (Softky & Koch 1993, doi:10.1523/JNEUROSCI.13-01-00334.1993).",
    ),
    "lv": Statistic(
        "",
        "local variation of intervals",
        "3 ((I1 - I2)/(I1 + I2))^2 averaged over neighbouring intervals of a cell, then over cells with at "
        "least 5 intervals; 1 for a Poisson process "
        "(Shinomoto, Shima & Tanji 2003, doi:10.1162/089976603322518759).",
    ),
    "fano": Statistic(
        "",
        "Fano factor of counts",
        "Variance of a cell's spike counts in windows of 100 ms divided by their mean, averaged over the "
        "cells that spike; 1 for a Poisson process "
        "(Fano 1947, doi:10.1103/PhysRev.72.26).",
    ),
    "correlation": Statistic(
        "",
        "pairwise correlation",
        "Pearson's coefficient of the spike counts of two cells in bins of 2 ms, averaged over the pairs of "
        "at most 200 evenly chosen cells that spike "
        "(as in van Albada et al. 2018, doi:10.3389/fnins.2018.00291).",
    ),
    "synchrony": Statistic(
        "",
        "synchrony",
        "Variance of the population's spike counts in bins of 3 ms divided by their mean; 1 for independent "
        "Poisson cells "
        "(Potjans & Diesmann 2014, doi:10.1093/cercor/bhs358).",
    ),
    "peak_frequency": Statistic(
        "Hz",
        "peak frequency of the population activity",
        "Where the power spectrum of the population's rate, averaged over 5 Hz, is highest between 1 and "
        "500 Hz "
        "(Welch 1967, doi:10.1109/TAU.1967.1161901, in bins of 1 ms and segments of 1 s).",
    ),
    "peak_power": Statistic(
        "",
        "height of the spectrum's peak",
        "Power at the peak frequency, averaged over 5 Hz, divided by rate / number of cells, the level of "
        "independent Poisson cells at every frequency "
        "(Welch 1967, doi:10.1109/TAU.1967.1161901).",
    ),
}


@dataclass(frozen=True)
class Window:
    """The steps start+1 ... stop: a spike is stamped at the end of its step, so the window begins at start*dt
    and ends at stop*dt.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ModelError(
                "window",
                f"must begin at step 0 or later and before its end, got steps {self.start} to {self.stop}",
                "shorten the warm-up",
            )

    @classmethod
    def between(cls, start: float, stop: float, dt: float) -> Window:
        """The window from `start` to `stop` in ms, both at the nearest step."""
        return cls(round(start / dt), round(stop / dt))

    @classmethod
    def after(cls, warmup: float, results: Results) -> Window:
        """All of a run but its first `warmup` ms."""
        return cls(round(warmup / results.dt), results.steps)

    @property
    def steps(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Trains:
    """Spikes cell after cell: those of cell c, the c-th of `recorded`, are steps[first[c]:first[c + 1]],
    counted from the window's start.

    first (cells + 1,), steps (n,) from 1 to `length`, in order within a cell; length is the window's in
    steps; dt in ms.
    """

    first: Ints
    steps: Ints
    length: int
    dt: float

    @property
    def cells(self) -> int:
        return int(self.first.size) - 1

    @property
    def counts(self) -> Ints:
        """Spikes of each cell, (cells,)."""
        return np.diff(self.first)

    @property
    def owners(self) -> Ints:
        """The cell of each spike, (n,)."""
        return np.repeat(np.arange(self.cells), self.counts)

    @property
    def duration(self) -> float:
        """Length of the window in ms."""
        return self.length * self.dt


def by_cell(table: SpikeTable, window: Window) -> Trains:
    """The spikes of a table that fall in the window, cell after cell in the order of `recorded`; spikes of
    other cells are left out.
    """
    low, high = np.searchsorted(table.steps, [window.start, window.stop], "right")
    ids, steps = table.ids[low:high], table.steps[low:high] - window.start
    place = np.argsort(table.recorded, kind="stable")
    found = np.searchsorted(table.recorded, ids, sorter=place)
    known = found < place.size
    known[known] = table.recorded[place[found[known]]] == ids[known]
    cells = place[found[known]]
    order = np.argsort(
        cells, kind="stable"
    )  # the table is sorted by step, so each cell's spikes stay in order
    first = np.zeros(table.recorded.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(cells, minlength=table.recorded.size), out=first[1:])
    return Trains(first, steps[known][order], window.steps, table.dt)


def rates(trains: Trains) -> Floats:
    """Firing rate of each cell in Hz, (cells,)."""
    return np.asarray(trains.counts * (1000.0 / trains.duration))


def intervals(trains: Trains) -> tuple[Floats, Ints]:
    """Interspike intervals in ms and the cell of each, both (n,), cell after cell and in order of time."""
    owners = trains.owners
    same = owners[1:] == owners[:-1]
    return np.diff(trains.steps)[same] * trains.dt, owners[1:][same]


def cvs(trains: Trains, least: int = LEAST) -> Floats:
    """Standard deviation of a cell's intervals over their mean, (cells,); nan with fewer than `least`
    intervals or all of them 0.
    """
    interval, owner = intervals(trains)
    n = np.bincount(owner, minlength=trains.cells)
    mean = _ratio(np.bincount(owner, interval, trains.cells), n)
    variance = _ratio(np.bincount(owner, (interval - mean[owner]) ** 2, trains.cells), n)
    return _ratio(np.sqrt(variance), np.where(n >= max(least, 1), mean, 0.0))


def lvs(trains: Trains, least: int = LEAST) -> Floats:
    """Local variation of a cell's intervals, (cells,); nan with fewer than `least` intervals. Two neighbours
    that are both 0 (three spikes in a step) have no ratio and are left out."""
    interval, owner = intervals(trains)
    n = np.bincount(owner, minlength=trains.cells)
    before, after = interval[:-1], interval[1:]
    kept = (owner[1:] == owner[:-1]) & (before + after > 0) & (n[owner[1:]] >= max(least, 2))
    before, after, owner = before[kept], after[kept], owner[1:][kept]
    term = 3.0 * ((after - before) / (after + before)) ** 2
    return _ratio(np.bincount(owner, term, trains.cells), np.bincount(owner, minlength=trains.cells))


def fanos(trains: Trains, width: float = COUNT_WINDOW) -> Floats:
    """Variance over mean of a cell's counts in windows of `width` ms, (cells,); nan without a spike or with
    fewer than two windows.
    """
    bins, place, owners = _binned(trains, width)
    if bins < 2:
        return np.full(trains.cells, NAN)
    key = owners * bins + place  # in order, so equal keys are neighbours
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    counts, cells = np.diff(starts, append=key.size), owners[starts]
    total, squares = (np.bincount(cells, c, trains.cells) for c in (counts, counts**2))
    return _ratio(bins * squares - total**2, bins * total)  # whole numbers below 2**53: exact


def correlations(trains: Trains, width: float = PAIR_BIN, most: int = PAIR_CELLS) -> Floats:
    """Pearson's coefficients of counts in bins of `width` ms, one for each pair of at most `most` spiking
    cells; nan where a count is constant.

    The cells are those with the smallest fractional part of position * golden ratio. They lie evenly in the
    population, whatever its size, and a cell that spikes on one side of a comparison only changes one of
    them.
    """
    bins, place, owners = _binned(trains, width)
    spiking = np.unique(owners)
    order = np.argsort(spiking * ((np.sqrt(5.0) - 1.0) / 2.0) % 1.0, kind="stable")
    chosen = np.sort(spiking[order[:most]])
    if bins < 2 or chosen.size < 2:
        return np.empty(0)
    row = np.full(trains.cells, -1)
    row[chosen] = np.arange(chosen.size)
    used = row[owners] >= 0
    counts = (
        np.bincount(row[owners[used]] * bins + place[used], minlength=chosen.size * bins)
        .reshape(chosen.size, bins)
        .astype(np.float64)
    )
    total = counts.sum(axis=1)
    products = bins * (counts @ counts.T) - np.outer(
        total, total
    )  # whole numbers, so no error from cancellation
    spread = np.sqrt(np.diagonal(products))
    upper = np.triu_indices(chosen.size, 1)
    return _ratio(products[upper], np.outer(spread, spread)[upper])


def synchrony(trains: Trains, width: float = SYNCHRONY_BIN) -> float:
    """Variance over mean of the population's counts in bins of `width` ms; nan without a spike or with fewer
    than two bins.
    """
    bins, place, _ = _binned(trains, width)
    counts = np.bincount(place, minlength=bins)
    return float(counts.var() / counts.mean()) if bins > 1 and place.size else NAN


def spectrum(trains: Trains, width: float = SPECTRUM_BIN, segment: float = SEGMENT) -> tuple[Floats, Floats]:
    """Power spectrum of the population's rate: frequencies (Hz), power ((1/s)^2/Hz); empty with fewer than
    two bins or no cell.

    With a(t) = spikes in a bin / (cells * width) in 1/s, power(f) = <|sum_k w_k (a_k - mean a) exp(-2 pi i f
    t_k)|^2> width / sum_k w_k^2, averaged over segments of `segment` ms (at most the window) that overlap by
    half, under Hann's window w (Welch 1967). It is the two-sided density at f >= 0: N independent Poisson
    cells of rate r have r / N at every frequency above the first.
    """
    from scipy.signal import (
        welch,
    )  # over half a second to import, and the report of a single run needs no spectrum

    bins, place, _ = _binned(trains, width)
    if bins < 2 or not trains.cells:
        return np.empty(0), np.empty(0)
    per_bin = _steps(width, trains.dt) * trains.dt  # ms
    activity = np.bincount(place, minlength=bins) * (1000.0 / per_bin / trains.cells)
    size = min(bins, max(2, round(segment / per_bin)))
    frequencies, power = welch(
        activity, fs=1000.0 / per_bin, nperseg=size, noverlap=size // 2, return_onesided=False
    )
    half = (size + 1) // 2
    return np.asarray(frequencies[:half]), np.asarray(power[:half])


def peak(
    frequencies: Floats, power: Floats, band: tuple[float, float] = BAND, smoothing: float = SMOOTHING
) -> tuple[float, float]:
    """Frequency (Hz) and height of the highest point of a spectrum in `band` after averaging over `smoothing`
    Hz; nan without power.

    At the ends of the band the average is over the frequencies there are.
    """
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    f, p = frequencies[inside], power[inside]
    if not p.size or not p.max() > 0:
        return NAN, NAN
    reach = round(smoothing / 2.0 / (frequencies[1] - frequencies[0]))
    sums = np.concatenate([[0.0], np.cumsum(p)])
    low, high = np.maximum(np.arange(p.size) - reach, 0), np.minimum(np.arange(p.size) + reach + 1, p.size)
    smooth = (sums[high] - sums[low]) / (high - low)
    at = int(np.argmax(smooth))
    return float(f[at]), float(smooth[at])


def summary(table: SpikeTable, window: Window) -> dict[str, float]:
    """Every one of STATISTICS of a population in the window; nan where it is not defined."""
    trains = by_cell(table, window)
    rate = mean_known(rates(trains))
    frequency, height = peak(*spectrum(trains))
    return {
        "rate": rate,
        "cv": mean_known(cvs(trains)),
        "lv": mean_known(lvs(trains)),
        "fano": mean_known(fanos(trains)),
        "correlation": mean_known(correlations(trains)),
        "synchrony": synchrony(trains),
        "peak_frequency": frequency,
        "peak_power": height * trains.cells / rate if rate else NAN,
    }


def distributions(table: SpikeTable, window: Window) -> dict[str, Floats]:
    """Values of cells ("rate" in Hz, "cv", "lv"), of pairs ("correlation") and of intervals ("isi" in ms),
    without the undefined ones.
    """
    trains = by_cell(table, window)
    values = {
        "rate": rates(trains),
        "cv": cvs(trains),
        "lv": lvs(trains),
        "correlation": correlations(trains),
        "isi": intervals(trains)[0],
    }
    return {name: v[np.isfinite(v)] for name, v in values.items()}


def _steps(width: float, dt: float) -> int:
    return max(1, round(width / dt))


def _binned(trains: Trains, width: float) -> tuple[int, Ints, Ints]:
    """Number of whole bins of `width` ms; bin and cell of each spike in them. Stamps 1 ... width/dt fall in
    the first bin.
    """
    per_bin = _steps(width, trains.dt)
    bins = trains.length // per_bin
    place = (trains.steps - 1) // per_bin
    return bins, place[place < bins], trains.owners[place < bins]


def _ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Floats:
    """above / below, nan where below is 0 or nan."""
    out = np.full(np.shape(below), NAN)
    np.divide(above, below, out=out, where=np.nan_to_num(below) != 0)
    return out


def mean_known(values: Floats) -> float:
    """Mean of the values that are numbers; nan if there are none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if kept.size else NAN
