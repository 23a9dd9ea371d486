"""Counter-based random numbers: every draw is a function of (stream, counter), so order and threads do not
matter.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, doi:10.1145/2063384.2063405). A stream is a 64-bit key made
from the seed and the names of the element and purpose, so adding one projection changes no other, and two of
the same shape differ.

Logarithm and cosine are series of + - * / alone, which IEEE 754 rounds the same everywhere: a seed means the
same bits on every platform, which no C library's `log` promises, and the loops vectorise.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, njit, types, uint64
from numba.extending import intrinsic

from portable import numba_cache

numba_cache.share()  # every room that compiles imports this one

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
BLOCK = 256  # counters that `words_block` draws at once
_LN2 = math.log(2.0)
_ROOT_HALF = np.uint64(0x3FE6A09E667F3BCD)  # the bits of sqrt(1/2)
# 1/3, 1/5, ...: atanh; -1/3!, 1/5!, ...: sine. Both end below 1e-17 on their intervals.
_A3, _A5, _A7, _A9, _A11, _A13, _A15, _A17, _A19, _A21 = (1.0 / n for n in range(3, 23, 2))
_S3, _S5, _S7, _S9, _S11, _S13, _S15, _S17, _S19, _S21 = (
    (-1) ** (n // 2) / math.factorial(n) for n in range(3, 23, 2)
)


def stream(seed: int, *names: str) -> int:
    """The key of a named stream: stable over versions, platforms and processes."""
    text = "\x1f".join([str(int(seed)), *names])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@njit(inline="always", cache=True)
def philox4(key, c0, c1, c2, c3):  # type: ignore[no-untyped-def]
    """Four 32-bit random numbers (as uint64) of a 64-bit key at the counter (c0, c1, c2, c3) of 32-bit
    values, all as uint64.
    """
    k0, k1 = uint64(key) & LOW, uint64(key) >> _32
    x0, x1, x2, x3 = uint64(c0), uint64(c1), uint64(c2), uint64(c3)
    for _ in range(10):
        p0, p1 = M0 * x0, M1 * x2
        x0, x1, x2, x3 = (p1 >> _32) ^ x1 ^ k0, p1 & LOW, (p0 >> _32) ^ x3 ^ k1, p0 & LOW
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    return x0, x1, x2, x3


@njit(inline="always", cache=True)
def philox(key, c0, c1, c2):  # type: ignore[no-untyped-def]
    """Four 32-bit random numbers (as uint64) of a stream `key` (uint64) at the counter (c0, c1, c2) of 32-bit
    uint64 values.
    """
    return philox4(key, c0, c1, c2, uint64(0))


@njit(inline="always", cache=True)
def words(key, index, purpose):  # type: ignore[no-untyped-def]
    """Four 32-bit numbers for a 64-bit index and a small `purpose`."""
    i = uint64(index)
    return philox(key, i & LOW, i >> _32, uint64(purpose))


@njit(cache=True, nogil=True)
def words_block(key, first, w):  # type: ignore[no-untyped-def]
    """words(key, first + i, 0)[j] into w[j*BLOCK + i] (uint64, 4*BLOCK) for i < BLOCK."""
    for i in range(BLOCK):
        x = words(key, uint64(first + i), 0)
        w[i], w[BLOCK + i], w[2 * BLOCK + i], w[3 * BLOCK + i] = x[0], x[1], x[2], x[3]


@intrinsic
def _bits(context: Any, x: Any) -> Any:  # noqa: ARG001
    """The 64 bits of a float64."""
    return types.uint64(types.float64), lambda _, builder, signature, args: builder.bitcast(  # noqa: ARG005
        args[0], ir.IntType(64)
    )


@intrinsic
def _float(context: Any, x: Any) -> Any:  # noqa: ARG001
    """The float64 of 64 bits."""
    return types.float64(types.uint64), lambda _, builder, signature, args: builder.bitcast(  # noqa: ARG005
        args[0], ir.DoubleType()
    )


@njit(inline="always", cache=True, error_model="numpy")
def ln(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a normal float64 > 0, within 5e-16 relative: 2 atanh((m-1)/(m+1)) with m in
    [sqrt(1/2), sqrt(2)).
    """
    b = _bits(x)
    k = int64(b - _ROOT_HALF) >> int64(52)
    m = _float(b - (uint64(k) << uint64(52)))
    f = (m - 1.0) / (m + 1.0)
    s = f * f
    p = (
        (((((((_A21 * s + _A19) * s + _A17) * s + _A15) * s + _A13) * s + _A11) * s + _A9) * s + _A7) * s
        + _A5
    ) * s + _A3
    return float(k) * _LN2 + 2.0 * f * (1.0 + s * p)


@njit(inline="always", cache=True)
def _sine(x):  # type: ignore[no-untyped-def]
    """Sine for |x| <= pi/2."""
    s = x * x
    p = (
        (((((((_S21 * s + _S19) * s + _S17) * s + _S15) * s + _S13) * s + _S11) * s + _S9) * s + _S7) * s
        + _S5
    ) * s + _S3
    return x + x * s * p


@njit(inline="always", cache=True)
def uniform53(a, b):  # type: ignore[no-untyped-def]
    """A float64 in [0, 1) with 53 random bits from two 32-bit numbers."""
    return float(int64((uint64(a) >> uint64(5)) * uint64(67108864) + (uint64(b) >> uint64(6)))) * (
        1.0 / 9007199254740992.0
    )


@njit(inline="always", cache=True)
def draw(key, cell, stamp, arrival, number):  # type: ignore[no-untyped-def]
    """The uniform number in [0, 1) of one call of random() in a cell's assignments (dynamics.random_calls).

    key: the population's stream. stamp < 2^40: the step's end, 0 for initial values. arrival < 2^24: how many
    arrivals with draws the cell had before in this step; number: the call's.
    """
    k = uint64(stamp)
    x = philox4(key, uint64(cell), k & LOW, (k >> _32) | (uint64(arrival) << uint64(8)), uint64(number))
    return uniform53(x[0], x[1])


@njit(cache=True)
def draw_all(key, cells, stamp, arrivals, number):  # type: ignore[no-untyped-def]
    """draw() of each of `cells` with its number of arrivals (int64 arrays)."""
    out = np.empty(cells.size)
    for i in range(cells.size):
        out[i] = draw(key, cells[i], stamp, arrivals[i], number)
    return out


@njit(inline="always", cache=True)
def draw_synapse(key, source, target, clock, which, number):  # type: ignore[no-untyped-def]
    """The uniform number in [0, 1) of one call of random() in a synapse's rule.

    key: the connections' stream. source, target: the cells; clock < 2^32: the synapse's instant; which:
    256 * the connection's number among those of the pair + the spike's among those of the instant; number <
    256: the call's.
    """
    last = (uint64(which) << uint64(8)) | uint64(number)
    x = philox4(key, uint64(source), uint64(target), uint64(clock), last & LOW)
    return uniform53(x[0], x[1])


@njit(cache=True)
def draw_synapses(key, sources, targets, clock, which, number):  # type: ignore[no-untyped-def]
    """draw_synapse() of each (int64 arrays)."""
    out = np.empty(sources.size)
    for i in range(sources.size):
        out[i] = draw_synapse(key, sources[i], targets[i], clock, which[i], number)
    return out


@njit(inline="always", cache=True, error_model="numpy")
def normal(a, b):  # type: ignore[no-untyped-def]
    """A standard normal from two 32-bit numbers (Box & Muller 1958; the sine half is not used, so draws stay
    one to one).

    cos(2 pi v) = sin(2 pi (|v - 1/2| - 1/4)) keeps the sine's argument within pi/2.
    """
    u = (float(int64(a)) + 0.5) * (1.0 / 4294967296.0)
    c = _sine(6.283185307179586 * (abs(float(int64(b)) * (1.0 / 4294967296.0) - 0.5) - 0.25))
    return math.sqrt(-2.0 * ln(u)) * c
