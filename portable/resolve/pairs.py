"""Draws of connections: functions of who meets whom, and of nothing else.

The draw of a connection is a function of (key, source, target, n): the cells' positions in their populations,
and n = 0, 1, ... among the connections of that pair. The key is made from the seed, the projection's name,
what is drawn and the two populations' names. So neither the step, delays, other projections, the order of
populations and views, threads, nor which part of a network is made changes a draw. A value outside its bounds
is drawn again with the counter's last word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import int64, njit, uint64

from portable.resolve.distributions import ATTEMPTS, Spec, all_from_words, from_words
from portable.resolve.program import Ints
from portable.resolve.random import BLOCK, philox4

_TOGETHER = 2 * BLOCK  # connections drawn at once


@dataclass(frozen=True)
class Rounding:
    """x -> max(least, the nearest whole number of `step`s) * scale; step 0: x as it is."""

    step: float
    scale: float = 1.0
    least: float = -math.inf

    def arguments(self) -> tuple[float, float, float]:
        return self.step, self.scale, self.least


NONE = Rounding(0.0)


@njit(cache=True, nogil=True)
def _words(key, sources, targets, nth, first, second):  # type: ignore[no-untyped-def]
    """The first two numbers of each connection's block (arrays of BLOCK; the counters are uint32, so that the
    compiler knows a 32-bit product and vectorises).
    """
    for i in range(BLOCK):
        x = philox4(key, uint64(sources[i]), uint64(targets[i]), uint64(nth[i]), uint64(0))
        first[i], second[i] = x[0], x[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _again(key, source, target, nth, kind, a, b, low, high):  # type: ignore[no-untyped-def]
    """The first draw inside [low, high] after attempt 0."""
    for attempt in range(1, ATTEMPTS):
        x = philox4(key, source, target, nth, uint64(attempt))
        z = from_words(kind, a, b, x[0], x[1])
        if low <= z <= high:
            return z
    return min(max(a, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(  # type: ignore[no-untyped-def]
    key, sources, targets, nth, m, w, z, step, scale, least, kind, a, b, low, high, floor, ceiling
):
    """z[i] = the rounded draw of connection i < m <= 2*BLOCK. Whole blocks are worked out, so that the loops
    vectorise.
    """
    # where distributions.all_from_words reads them
    _words(key, sources[:BLOCK], targets[:BLOCK], nth[:BLOCK], w[:BLOCK], w[BLOCK : 2 * BLOCK])
    _words(key, sources[BLOCK:], targets[BLOCK:], nth[BLOCK:], w[2 * BLOCK : 3 * BLOCK], w[3 * BLOCK :])
    all_from_words(w, z, kind, a, b)
    if low > -np.inf or high < np.inf:
        for i in range(m):
            if not low <= z[i] <= high:
                z[i] = _again(
                    key, uint64(sources[i]), uint64(targets[i]), uint64(nth[i]), kind, a, b, low, high
                )
    for i in range(z.size):
        z[i] = min(max(z[i], floor), ceiling)
    if step > 0.0:
        for i in range(z.size):
            z[i] = max(least, math.floor(z[i] / step + 0.5)) * scale


@njit(cache=True, nogil=True)
def _fill(key, lo, hi, indptr, targets, out, step, scale, least, kind, a, b, low, high, floor, ceiling):  # type: ignore[no-untyped-def]
    sources, cells = np.zeros(_TOGETHER, dtype=np.uint32), np.zeros(_TOGETHER, dtype=np.uint32)
    nth, w, z = (
        np.zeros(_TOGETHER, dtype=np.uint32),
        np.empty(4 * BLOCK, dtype=np.uint64),
        np.empty(_TOGETHER),
    )
    row, end = lo, indptr[lo + 1]
    before, n = 0, 0
    begins = True
    for first in range(indptr[lo], indptr[hi], _TOGETHER):
        m = min(_TOGETHER, indptr[hi] - first)
        for i in range(m):
            while first + i >= end:
                row += 1
                end = indptr[row + 1]
                begins = True
            t = int64(targets[first + i])
            n = n + 1 if t == before and not begins else 0
            before, begins = t, False
            sources[i], cells[i], nth[i] = row, t, n
        _draw(key, sources, cells, nth, m, w, z, step, scale, least, kind, a, b, low, high, floor, ceiling)
        for i in range(m):
            out[first + i] = z[i]


def fill(
    key: int,
    lo: int,
    hi: int,
    indptr: Ints,
    targets: npt.NDArray[Any],
    out: npt.NDArray[Any],
    rounding: Rounding,
    distribution: Spec,
) -> None:
    """Draw for the connections of sources lo..hi-1 into `out` (any float or unsigned integer type).

    indptr, targets: rows by source, each sorted by target, so that the n-th of a pair is the n-th there.
    """
    if hi > lo:
        _fill(np.uint64(key), lo, hi, indptr, targets, out, *rounding.arguments(), *distribution.arguments())
