"""Drawing values: a distribution as numbers, and the compiled loops that fill arrays of cells with it.

The draw of slot i is a function of (key, i): pairs of slots share one Philox block, a value outside its
bounds is drawn again with the next `purpose`. So any chunking over threads gives the same bits. Draws of
connections are functions of who meets whom (resolve.pairs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, uint64

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
BITS = 24  # of a float32's significand
ATTEMPTS = 1_000_000  # (1 - LEAST_MASS)**ATTEMPTS = 1e-435: never reached


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
        return self._range()[1]

    def magnitude(self) -> float:
        """A number that no draw's size exceeds."""
        low, high = self._range()
        return max(abs(low), abs(high))

    def _range(self) -> tuple[float, float]:
        reach = 1.0 if self.kind == UNIFORM else MOST_Z
        ends = [self.a if self.kind == UNIFORM else self.a - self.b * reach, self.a + self.b * reach]
        if self.kind == LOGNORMAL:
            ends = [math.exp(min(x, 700.0)) for x in ends]
        inside = [min(max(x, self.low), self.high) for x in ends]
        low, high = (min(max(x, self.floor), self.ceiling) for x in inside)
        return low, high

    def grid(self) -> float:
        """The step of drawn weights: a power of two such that float32 holds every multiple up to the bound.

        2^(ceil(log2 bound) - 24): a rounding of at most bound * 2^-24, that is below 4.1e-7 of a normal's
        |mean| + sd. Sums of such weights in float64 are exact up to 2^29 bounds, so that they do not depend
        on the order in which a simulator delivers spikes: without it a last bit of a conductance differs
        between simulators, and non-linear cells make spikes of that. A lognormal's bound may be thousands of
        medians: there four medians count, and the few draws above them are rounded to float32's 24 bits
        (6e-8 of each), which are multiples of the same step.
        """
        top = self.magnitude()
        if self.kind == LOGNORMAL:
            top = min(top, 4.0 * math.exp(min(self.a, 700.0)))
        if not 0.0 < top < math.inf:
            return 0.0
        mantissa, exponent = math.frexp(top)  # mantissa in [1/2, 1)
        return math.ldexp(1.0, exponent - (mantissa == 0.5) - BITS)


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
    if not clip:
        _mass(made, _low(low), _high(high), given, path)
    if clip or made[2] == 0.0:  # one value, inside but for rounding: nothing can be drawn again
        return Spec(*made, -math.inf, math.inf, _low(low), _high(high))
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
def from_words(kind, a, b, w0, w1):  # type: ignore[no-untyped-def]
    """One draw, bounds apart, from two 32-bit numbers."""
    if kind == UNIFORM:
        return a + b * uniform53(w0, w1)
    z = a + b * normal(w0, w1)
    return math.exp(z) if kind == LOGNORMAL else z


@njit(cache=True, nogil=True, error_model="numpy")
def all_from_words(w, z, kind, a, b):  # type: ignore[no-untyped-def]
    """z[i], z[BLOCK + i] = the draws of w[i], w[BLOCK + i] and of w[2*BLOCK + i], w[3*BLOCK + i]. Plain
    loops, so that they vectorise.
    """
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


@njit(cache=True, nogil=True, error_model="numpy")
def _again(key, slot, kind, a, b, low, high):  # type: ignore[no-untyped-def]
    """The first draw of `slot` inside [low, high] after attempt 0."""
    odd = slot & 1
    for attempt in range(1, ATTEMPTS):
        w = words(key, uint64(slot >> 1), attempt)
        x = from_words(kind, a, b, w[2], w[3]) if odd else from_words(kind, a, b, w[0], w[1])
        if low <= x <= high:
            return x
    return min(max(a, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(key, first, out, kind, a, b, low, high, floor, ceiling):  # type: ignore[no-untyped-def]
    """out[i] = draw of slot first + i; `first` is even."""
    w, z = np.empty(4 * BLOCK, dtype=np.uint64), np.empty(2 * BLOCK)
    for begin in range(0, out.size, 2 * BLOCK):
        pair = (first + begin) >> 1
        words_block(key, pair, w)
        all_from_words(w, z, kind, a, b)
        if low > -np.inf or high < np.inf:
            for i in range(2 * BLOCK):
                if not low <= z[i] <= high:
                    odd = i >= BLOCK
                    z[i] = _again(key, 2 * (pair + i - BLOCK * odd) + odd, kind, a, b, low, high)
        for i in range(2 * BLOCK):
            z[i] = min(max(z[i], floor), ceiling)
        part = out[begin : begin + 2 * BLOCK]
        for i in range(part.size >> 1):
            part[2 * i], part[2 * i + 1] = z[i], z[BLOCK + i]
        if part.size & 1:
            part[part.size - 1] = z[part.size >> 1]


def fill(key: int, out: Floats, distribution: Spec) -> None:
    """Fill `out` (float64, length n) with draws of slots 0..n-1."""
    k, arguments = np.uint64(key), distribution.arguments()
    run(lambda lo, hi: _fill(k, lo, out[lo:hi], *arguments), blocks(out.size, 2))


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
