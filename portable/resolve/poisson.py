"""Frozen Poisson trains: the number of spikes of source i stamped k is a pure function of (key, i, k).

count = #{m : u >= threshold[m]} with u the 32-bit number at counter (i // 4, k) lane i % 4 and threshold[m] =
floor(2^32 P(N <= m)), inversion of the cumulative distribution. Probabilities are exact to 2^-32 (2.3e-10)
for each count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from portable.errors import ModelError
from portable.model.limits import MAX_MEAN
from portable.resolve.program import PoissonGroup
from portable.resolve.random import LOW, philox


@dataclass(frozen=True)
class PoissonTable:
    """Thresholds of each distinct rate, one after another: source i uses thresholds[offset[i]:offset[i] +
    length[i]] (uint32).

    offset and length are int32 arrays of the group's size. key is a numpy uint64.
    """

    key: np.uint64
    thresholds: npt.NDArray[np.uint32]
    offset: npt.NDArray[np.int32]
    length: npt.NDArray[np.int32]


def thresholds(mean: float) -> npt.NDArray[np.uint32]:
    """floor(2^32 * P(N <= m)) for m = 0, 1, ... while it is below 2^32 - 1 (uint32)."""
    out, total, term, m = [], 0.0, math.exp(-mean), 0
    while True:
        total += term
        value = int(total * 4294967296.0)
        if value >= 4294967295 or (m > mean and term < 1e-12):
            break
        out.append(value)
        m += 1
        term *= mean / m
    return np.array(out, dtype=np.uint32)


def table(group: PoissonGroup, dt: float) -> PoissonTable:
    """The thresholds of a group. ModelError if a rate is too high for one step."""
    rates = np.atleast_1d(np.asarray(group.rate, dtype=np.float64))
    distinct, inverse = np.unique(rates, return_inverse=True)
    if distinct[-1] * dt > MAX_MEAN:
        raise ModelError(
            f"population '{group.name}'.rate",
            f"{distinct[-1] * 1000:g} Hz is {distinct[-1] * dt:g} spikes a step, at most {MAX_MEAN:g} can "
            "be drawn",
            "use a smaller dt or split the drive over several sources",
        )
    parts = [thresholds(float(r * dt)) for r in distinct]
    lengths = np.array([p.size for p in parts], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32)
    which = np.broadcast_to(inverse.reshape(-1), group.size)
    return PoissonTable(
        np.uint64(group.key), np.concatenate(parts).astype(np.uint32), offsets[which], lengths[which]
    )


@njit(cache=True, nogil=True)
def _fill(key, thresholds, offset, length, first, out):  # type: ignore[no-untyped-def]
    n = out.shape[1]
    for row in range(out.shape[0]):
        k = uint64(first + row)
        for block in range((n + 3) // 4):
            draws = philox(key, uint64(block), k & LOW, k >> uint64(32))
            for lane in range(min(4, n - 4 * block)):
                i = 4 * block + lane
                u = draws[lane]
                c = 0
                while c < length[i] and u >= thresholds[offset[i] + c]:
                    c += 1
                out[row, i] = c


def counts(group: PoissonGroup, tab: PoissonTable, first: int, steps: int) -> npt.NDArray[np.uint16]:
    """Spikes of every source stamped first, first+1, ..., first+steps-1: shape (steps, size), uint16. `first`
    >= 1.
    """
    out = np.zeros((steps, group.size), dtype=np.uint16)
    low = max(first, group.start + 1)
    high = first + steps if group.stop is None else min(first + steps, group.stop + 1)
    if high > low:
        _fill(tab.key, tab.thresholds, tab.offset, tab.length, low, out[low - first : high - first])
    return out
