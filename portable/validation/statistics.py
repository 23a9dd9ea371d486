"""Statistics of recorded spikes, for tables and pictures. Vectorised over cells."""

from __future__ import annotations

import numpy as np

from portable.resolve.program import Ints
from portable.results import SpikeTable
from portable.units import Floats


def spike_counts(table: SpikeTable) -> Ints:
    """Spikes of each recorded cell, in the order of `recorded`."""
    order = np.sort(table.ids)
    return np.asarray(np.searchsorted(order, table.recorded, "right") - np.searchsorted(order, table.recorded, "left"))


def mean_cv(table: SpikeTable, least: int = 5) -> float:
    """Coefficient of variation of the interspike intervals, averaged over cells with at least `least` intervals; nan if none.

    The standard deviation is the population's (divided by n), as in elephant.statistics.cv.
    """
    order = np.lexsort((table.steps, table.ids))
    ids, steps = table.ids[order], table.steps[order]
    same = ids[1:] == ids[:-1]
    interval, owner = np.diff(steps)[same].astype(np.float64), ids[1:][same]
    if not owner.size:
        return float("nan")
    n = np.bincount(owner)
    kept = n >= least
    if not kept.any():
        return float("nan")
    mean = np.bincount(owner, interval)[kept] / n[kept]
    deviation = interval - (np.bincount(owner, interval) / np.maximum(n, 1))[owner]
    spread = np.sqrt(np.bincount(owner, deviation**2)[kept] / n[kept])
    return float(np.mean(spread / mean))


def rate_histogram(table: SpikeTable, duration: float, bin_ms: float) -> tuple[Floats, Floats]:
    """Population rate (Hz per recorded cell) in bins of about `bin_ms`, whole steps each: (edges in ms, rates)."""
    per_bin = max(1, round(bin_ms / table.dt))
    bins = max(1, int(np.ceil(round(duration / table.dt) / per_bin)))
    # stamps 1..per_bin fall in the first bin: a stamp is the end of its step
    counts = np.bincount(np.minimum((table.steps - 1) // per_bin, bins - 1), minlength=bins)[:bins] if len(table) else np.zeros(bins)
    edges = np.minimum(np.arange(bins + 1) * per_bin * table.dt, duration)
    widths = np.maximum(np.diff(edges), 1e-12)
    return edges, counts / widths * 1000.0 / max(1, table.recorded.size)
