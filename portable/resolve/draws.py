"""Drawing values: a distribution as six numbers, and the compiled loops that fill arrays with it.

The draw of slot i is a function of (key, i): pairs of slots share one Philox block, a value outside its
bounds is drawn again with the next `purpose`. So any chunking over threads gives the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import int64, njit, uint64

from portable.errors import ModelError
from portable.model.values import Array, Clipped, Lognormal, Normal, Uniform, Value
from portable.resolve.random import BLOCK, normal, uniform53, words, words_block
from portable.resolve.threads import blocks, run
from portable.units import Floats, Quantity

UNIFORM, NORMAL, LOGNORMAL = 0, 1, 2
LEAST_MASS = (
    1e-3  # of a distribution inside its bounds; below it, drawing again and again would take too long
)
MOST_Z = 6.77  # |normal()| never exceeds sqrt(-2 ln 2^-33)
GRID = 32  # drawn weights are multiples of 2^-GRID coherent units (finer where all are small)
_ATTEMPTS = 1_000_000  # (1 - LEAST_MASS)**_ATTEMPTS = 1e-435: never reached


@dataclass(frozen=True)
class Spec:
    """A distribution in coherent units: kind, (low, width) or (mu, sigma), bounds inside which values are
    drawn again (`low`, `high`), and bounds to which they are moved (`floor`, `ceiling`)."""

    kind: int
    a: float
    b: float
    low: float = -math.inf
    high: float = math.inf
    floor: float = -math.inf
    ceiling: float = math.inf

    def arguments(self) -> tuple[int, float, float, float, float, float, float]:
        return self.kind, self.a, self.b, self.low, self.high, self.floor, self.ceiling

    def bound(self) -> float:
        """A value that no draw exceeds."""
        top = self.a + self.b * (1.0 if self.kind == UNIFORM else MOST_Z)
        return min(math.exp(min(top, 700.0)) if self.kind == LOGNORMAL else top, self.high, self.ceiling)

    def grid(self) -> float:
        """2^k such that values on the grid 2^-k are within 2^-24 of their typical size, and k is at least
        GRID.

        Sums of such values up to 2^(53 - k) are exact, so that they do not depend on the order in which a
        simulator delivers spikes: without it a last bit of a conductance differs between simulators, and
        non-linear cells make spikes of that.
        """
        size = math.exp(min(self.a, 700.0)) if self.kind == LOGNORMAL else abs(self.a) + abs(self.b)
        return 2.0 ** max(GRID, 24 - math.floor(math.log2(size))) if size > 0 else 2.0**GRID


def spec(given: Uniform | Normal | Lognormal | Clipped, path: str) -> Spec:
    """A distribution as numbers. ModelError if its bounds leave (almost) nothing of it."""
    match given:
        case Uniform(low, high):
            return Spec(UNIFORM, low.coherent(), high.coherent() - low.coherent())
        case Clipped(of, low, high):
            inner = spec(of, path)
            floor, ceiling = max(inner.floor, _low(low)), _high(high)
            return Spec(*inner.arguments()[:5], floor, min(max(inner.ceiling, floor), ceiling))
        case Normal(mean, sd, low, high, clip):
            made = (NORMAL, mean.coherent(), sd.coherent())
        case Lognormal(mean, sd, low, high, clip):
            s2 = math.log1p((sd.coherent() / mean.coherent()) ** 2)
            made = (LOGNORMAL, math.log(mean.coherent()) - s2 / 2, math.sqrt(s2))
    if clip:
        return Spec(*made, -math.inf, math.inf, _low(low), _high(high))
    _mass(made, _low(low), _high(high), given, path)
    return Spec(*made, _low(low), _high(high))


def _low(q: Quantity | None) -> float:
    return -math.inf if q is None else q.coherent()


def _high(q: Quantity | None) -> float:
    return math.inf if q is None else q.coherent()


def _mass(made: tuple[int, float, float], low: float, high: float, given: Value, path: str) -> None:
    kind, mu, sigma = made
    if kind == LOGNORMAL:
        low = math.log(low) if low > 0 else -math.inf
        high = math.log(high) if high > 0 else -math.inf
    root = sigma * math.sqrt(2.0)
    inside = (
        0.5 * (math.erf((high - mu) / root) - math.erf((low - mu) / root))
        if root
        else float(low <= mu <= high)
    )
    if inside < LEAST_MASS:
        raise ModelError(
            path,
            f"{given} has {inside:.1e} of its mass inside its bounds, at least {LEAST_MASS:g} is needed",
            "widen the bounds, or use clip=True",
        )


@njit(inline="always", cache=True, error_model="numpy")
def _from_words(kind, a, b, w0, w1):  # type: ignore[no-untyped-def]
    if kind == UNIFORM:
        return a + b * uniform53(w0, w1)
    z = a + b * normal(w0, w1)
    return math.exp(z) if kind == LOGNORMAL else z


@njit(cache=True, nogil=True, error_model="numpy")
def _again(key, slot, kind, a, b, low, high):  # type: ignore[no-untyped-def]
    """The first draw of `slot` inside [low, high] after attempt 0."""
    odd = slot & 1
    for attempt in range(1, _ATTEMPTS):
        w = words(key, uint64(slot >> 1), attempt)
        x = _from_words(kind, a, b, w[2], w[3]) if odd else _from_words(kind, a, b, w[0], w[1])
        if low <= x <= high:
            return x
    return min(max(a, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def _block(key, pair, w, z, kind, a, b, low, high, floor, ceiling):  # type: ignore[no-untyped-def]
    """z[i], z[BLOCK + i] = draws of the even and odd slot of pair + i. Plain loops, so that they
    vectorise.
    """
    words_block(key, pair, w)
    if kind == UNIFORM:
        for i in range(BLOCK):
            z[i] = a + b * uniform53(w[i], w[BLOCK + i])
        for i in range(BLOCK):
            z[BLOCK + i] = a + b * uniform53(w[2 * BLOCK + i], w[3 * BLOCK + i])
    else:
        for i in range(BLOCK):
            z[i] = a + b * normal(w[i], w[BLOCK + i])
        for i in range(BLOCK):
            z[BLOCK + i] = a + b * normal(w[2 * BLOCK + i], w[3 * BLOCK + i])
    if kind == LOGNORMAL:
        for i in range(2 * BLOCK):
            z[i] = math.exp(z[i])
    if low > -np.inf or high < np.inf:
        for i in range(2 * BLOCK):
            if not low <= z[i] <= high:
                odd = i >= BLOCK
                z[i] = _again(key, 2 * (pair + i - BLOCK * odd) + odd, kind, a, b, low, high)
    for i in range(2 * BLOCK):
        z[i] = min(max(z[i], floor), ceiling)


@njit(cache=True, nogil=True)
def _fill(key, first, out, grid, kind, a, b, low, high, floor, ceiling):  # type: ignore[no-untyped-def]
    """out[i] = draw of slot first + i, rounded to a multiple of 1/grid (0: not rounded); `first` is even."""
    w, z = np.empty(4 * BLOCK, dtype=np.uint64), np.empty(2 * BLOCK)
    for begin in range(0, out.size, 2 * BLOCK):
        _block(key, (first + begin) >> 1, w, z, kind, a, b, low, high, floor, ceiling)
        if grid > 0.0:
            for i in range(2 * BLOCK):
                z[i] = math.floor(z[i] * grid + 0.5) / grid
        part = out[begin : begin + 2 * BLOCK]
        for i in range(part.size >> 1):
            part[2 * i], part[2 * i + 1] = z[i], z[BLOCK + i]
        if part.size & 1:
            part[part.size - 1] = z[part.size >> 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_steps(key, first, out, dt, kind, a, b, low, high, floor, ceiling):  # type: ignore[no-untyped-def]
    w, z = np.empty(4 * BLOCK, dtype=np.uint64), np.empty(2 * BLOCK)
    for begin in range(0, out.size, 2 * BLOCK):
        _block(key, (first + begin) >> 1, w, z, kind, a, b, low, high, floor, ceiling)
        for i in range(2 * BLOCK):
            z[i] = max(1.0, math.floor(z[i] / dt + 0.5))
        part = out[begin : begin + 2 * BLOCK]
        for i in range(part.size >> 1):
            part[2 * i], part[2 * i + 1] = int64(z[i]), int64(z[BLOCK + i])
        if part.size & 1:
            part[part.size - 1] = int64(z[part.size >> 1])


def fill(key: int, out: npt.NDArray[np.floating], distribution: Spec, grid: float = 0.0) -> None:
    """Fill `out` (float64 or float32, length n) with draws of slots 0..n-1, rounded to multiples of 1/grid if
    grid > 0.
    """
    k, arguments = np.uint64(key), distribution.arguments()
    run(lambda lo, hi: _fill(k, lo, out[lo:hi], grid, *arguments), blocks(out.size, 2))


def fill_steps(key: int, out: npt.NDArray[np.unsignedinteger], dt: float, distribution: Spec) -> None:
    """Fill `out` (uint8 or uint16) with draws in whole steps of dt: the nearest, at least 1."""
    k, arguments = np.uint64(key), distribution.arguments()
    run(lambda lo, hi: _fill_steps(k, lo, out[lo:hi], dt, *arguments), blocks(out.size, 2))


def values(given: Value, size: int, key: int, path: str) -> float | Floats:
    """Numbers in coherent units: a float for a constant, else an array of `size`."""
    match given:
        case Quantity():
            return given.coherent()
        case Array():
            if len(given) != size:
                raise ModelError(
                    path, f"has {len(given)} values for {size} cells", "give one value, or one per cell"
                )
            return given.coherent()
    out = np.empty(size)
    fill(key, out, spec(given, path))
    return out
