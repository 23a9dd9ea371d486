"""Statistics of recorded spikes, for tables and pictures. Vectorised over cells."""

from __future__ import annotations

import numpy as np

from portable.resolve.program import Ints
from portable.results.activity import Window, by_cell, cvs, mean_known
from portable.results.tables import SpikeTable
from portable.units import Floats


def spike_counts(table: SpikeTable) -> Ints:
    """Spikes of each recorded cell, in the order of `recorded`."""
    order = np.sort(table.ids)
    return np.asarray(
        np.searchsorted(order, table.recorded, "right") - np.searchsorted(order, table.recorded, "left")
    )


def mean_cv(table: SpikeTable, least: int = 5) -> float:
    """Coefficient of variation of the interspike intervals, averaged over cells with at least `least`
    intervals; nan if none.

    The standard deviation is the population's (divided by n), as in elephant.statistics.cv.
    """
    return (
        mean_known(cvs(by_cell(table, Window(0, int(table.steps[-1]))), least))
        if len(table)
        else float("nan")
    )


def rate_histogram(table: SpikeTable, duration: float, bin_ms: float) -> tuple[Floats, Floats]:
    """Population rate (Hz per recorded cell) in bins of about `bin_ms`, whole steps each: (edges in ms,
    rates).
    """
    per_bin = max(1, round(bin_ms / table.dt))
    bins = max(1, int(np.ceil(round(duration / table.dt) / per_bin)))
    # stamps 1..per_bin fall in the first bin: a stamp is the end of its step
    counts = (
        np.bincount(np.minimum((table.steps - 1) // per_bin, bins - 1), minlength=bins)[:bins]
        if len(table)
        else np.zeros(bins)
    )
    edges = np.minimum(np.arange(bins + 1) * per_bin * table.dt, duration)
    widths = np.maximum(np.diff(edges), 1e-12)
    return edges, counts / widths * 1000.0 / max(1, table.recorded.size)
