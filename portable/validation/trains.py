"""Distances between two spike trains of one cell, for every cell of a population at once.

    van_rossum(a, b, tau)      the trains filtered with a decaying exponential: a difference of one spike is 1
    spike_distance(a, b)       SPIKE: differences of spike times relative to the local intervals, between 0
    and 1; no time scale to choose mean_distances(a, b, ...)  both, averaged over the cells that spike on
    either side

Both are 0 for equal trains (SPIKE takes repeats within a step for one spike), and each costs one pass over
the spikes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from portable.errors import ModelError
from portable.results.activity import Trains, Window, by_cell
from portable.results.tables import SpikeTable
from portable.units import Floats

TAU = 10.0  # ms, the membrane time constant of many network models


def van_rossum(a: Trains, b: Trains, tau: float = TAU) -> Floats:
    """Van Rossum's distance of the two trains of each cell, (cells,), with a time constant `tau` in ms.

    Each spike becomes exp(-t/tau) from its time on; the distance is sqrt(2/tau) times the L2 norm of the
    difference of the two sums, so that one spike is at distance 1 from none (van Rossum 2001,
    doi:10.1162/089976601300014321, without his factor 1/sqrt(2)). The square is the sum of s_i s_j exp(-|t_i
    - t_j|/tau) over all spikes of both trains, s = 1 in a and -1 in b. The sum over earlier spikes decays
    from one spike to the next (Houghton & Kreuz 2012, doi:10.3109/0954898X.2012.673048), which makes one pass
    of it.
    """
    _same_cells(a, b)
    if not (np.isfinite(tau) and tau > 0):
        raise ModelError(
            "tau",
            f"must be a positive number of ms, got {tau}",
            "give the time scale on which spikes count as equal",
        )
    return np.asarray(_van_rossum(a.first, a.steps, b.first, b.steps, a.dt / tau))


def spike_distance(a: Trains, b: Trains) -> Floats:
    """The SPIKE-distance of the two trains of each cell over the window, (cells,), from 0 to 1.

    At time t, train n has an interval x_n from the spike before to the spike after it, and S_n, the distance
    of these two spikes to their nearest in the other train, interpolated linearly over the interval. The
    distance is the mean over t of (S_1 x_2 + S_2 x_1) / (2 <x>^2), <x> = (x_1 + x_2)/2 (Kreuz et al. 2013,
    doi:10.1152/jn.01094.2012). Between spikes that is linear in t and so its value in the middle integrates
    it exactly. Beyond the first and the last spike the interval is taken to be the time to the window's edge
    or the neighbouring interval, the longer of the two, with S_n as at that spike (Kreuz, Mulansky & Bozanic
    2015, doi:10.1152/jn.00848.2014); a train without spikes counts as one with spikes at both edges.
    """
    _same_cells(a, b)
    return np.asarray(
        _spike(a.first, a.steps.astype(np.float64), b.first, b.steps.astype(np.float64), float(a.length))
    )


def mean_distances(a: SpikeTable, b: SpikeTable, window: Window, tau: float = TAU) -> dict[str, float]:
    """Means of "van_rossum" and "spike" over the cells that spike on either side in the window; nan if none
    does.
    """
    if not np.array_equal(a.recorded, b.recorded):
        raise ModelError("recorded cells", "differ on the two sides", "use the same recordings")
    left, right = by_cell(a, window), by_cell(b, window)
    active = (left.counts > 0) | (right.counts > 0)
    both = {"van_rossum": van_rossum(left, right, tau), "spike": spike_distance(left, right)}
    return {
        name: float(values[active].mean()) if active.any() else float("nan") for name, values in both.items()
    }


def _same_cells(a: Trains, b: Trains) -> None:
    for what, left, right in (
        ("cells", a.cells, b.cells),
        ("steps in the window", a.length, b.length),
        ("dt", a.dt, b.dt),
    ):
        if left != right:
            raise ModelError(
                what, f"differ: {left} and {right}", "compare trains of the same cells and window"
            )


@njit(cache=True, nogil=True)
def _van_rossum(first_a, a, first_b, b, decay):  # type: ignore[no-untyped-def]
    """One merge of both trains of each cell; spikes at one step are taken together, so what is equal cancels
    without rounding.
    """
    out = np.zeros(first_a.size - 1)
    for cell in range(out.size):
        i, j, last = first_a[cell], first_b[cell], np.int64(0)
        trace, square = 0.0, 0.0
        while i < first_a[cell + 1] or j < first_b[cell + 1]:
            step = b[j] if i == first_a[cell + 1] or (j < first_b[cell + 1] and b[j] < a[i]) else a[i]
            weight = 0.0
            while i < first_a[cell + 1] and a[i] == step:
                weight, i = weight + 1.0, i + 1
            while j < first_b[cell + 1] and b[j] == step:
                weight, j = weight - 1.0, j + 1
            trace *= np.exp((last - step) * decay)
            square += weight * (weight + 2.0 * trace)
            trace, last = trace + weight, step
        out[cell] = np.sqrt(max(square, 0.0))  # rounding may leave -1e-17
    return out


@njit(cache=True, nogil=True)
def _extended(spikes, end):  # type: ignore[no-untyped-def]
    """A train with the spikes that bound its first and last interval, without repeats; times in 0..end."""
    if spikes.size == 0:
        return np.array([0.0, end])
    times, n = np.empty(spikes.size + 2), 1
    for t in spikes:
        if n == 1 or t > times[n - 1]:
            times[n] = t
            n += 1
    times[0] = min(0.0, 2.0 * times[1] - times[2]) if n > 2 else 0.0
    times[n] = max(end, 2.0 * times[n - 1] - times[n - 2]) if n > 2 else end
    return times[: n + 1]


@njit(cache=True, nogil=True)
def _nearest(times, other, silent):  # type: ignore[no-untyped-def]
    """Distance of each time to the nearest in `other`; at the two bounding spikes that of the neighbouring
    spike, if there is one.
    """
    near, j = np.empty(times.size), 0
    for k in range(times.size):
        while j + 1 < other.size and abs(other[j + 1] - times[k]) <= abs(other[j] - times[k]):
            j += 1
        near[k] = abs(other[j] - times[k])
    if not silent:
        near[0], near[-1] = near[1], near[-2]
    return near


@njit(cache=True, nogil=True)
def _spike(first_a, a, first_b, b, end):  # type: ignore[no-untyped-def]
    """Times in steps from 0 to end; (S_1 x_2 + S_2 x_1) / (2 <x>^2) in the middle of each piece, times its
    length.
    """
    out = np.zeros(first_a.size - 1)
    for cell in range(out.size):
        mine, yours = a[first_a[cell] : first_a[cell + 1]], b[first_b[cell] : first_b[cell + 1]]
        ta, tb = _extended(mine, end), _extended(yours, end)
        near_a, near_b = _nearest(ta, tb, mine.size == 0), _nearest(tb, ta, yours.size == 0)
        i, j, start = 0, 0, 0.0
        while start < end:
            while ta[i + 1] <= start:
                i += 1
            while tb[j + 1] <= start:
                j += 1
            stop = min(ta[i + 1], tb[j + 1], end)
            middle = 0.5 * (start + stop)
            xa, xb = ta[i + 1] - ta[i], tb[j + 1] - tb[j]
            sa = (near_a[i] * (ta[i + 1] - middle) + near_a[i + 1] * (middle - ta[i])) / xa
            sb = (near_b[j] * (tb[j + 1] - middle) + near_b[j + 1] * (middle - tb[j])) / xb
            out[cell] += 2.0 * (sa * xb + sb * xa) / (xa + xb) ** 2 * (stop - start)
            start = stop
        out[cell] /= end
    return out
