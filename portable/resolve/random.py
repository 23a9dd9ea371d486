"""Counter-based random numbers: every draw is a function of (stream, counter), so order and threads do not matter.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, doi:10.1145/2063384.2063405). A stream is a 64-bit key made from the seed and the
names of the element and purpose, so adding one projection changes no other, and two of the same shape differ.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numba import njit, uint32, uint64

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def stream(seed: int, *names: str) -> int:
    """The key of a named stream: stable over versions, platforms and processes."""
    text = "\x1f".join([str(int(seed)), *names])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@njit(inline="always", cache=True)
def philox(key, c0, c1, c2):  # type: ignore[no-untyped-def]
    """Four 32-bit random numbers (as uint64) of a stream `key` (uint64) at the counter (c0, c1, c2) of 32-bit uint64 values."""
    k0, k1 = uint64(key) & LOW, uint64(key) >> _32
    x0, x1, x2, x3 = uint64(c0), uint64(c1), uint64(c2), uint64(0)
    for _ in range(10):
        p0, p1 = M0 * x0, M1 * x2
        x0, x1, x2, x3 = (p1 >> _32) ^ x1 ^ k0, p1 & LOW, (p0 >> _32) ^ x3 ^ k1, p0 & LOW
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    return x0, x1, x2, x3


@njit(inline="always", cache=True)
def words(key, index, purpose):  # type: ignore[no-untyped-def]
    """Four 32-bit numbers for a 64-bit index and a small `purpose`."""
    i = uint64(index)
    return philox(key, i & LOW, i >> _32, uint64(purpose))


@njit(inline="always", cache=True)
def uniform53(a, b):  # type: ignore[no-untyped-def]
    """A float64 in [0, 1) with 53 random bits from two 32-bit numbers."""
    return float((uint64(a) >> uint64(5)) * uint64(67108864) + (uint64(b) >> uint64(6))) * (1.0 / 9007199254740992.0)


@njit(inline="always", cache=True)
def normal(a, b):  # type: ignore[no-untyped-def]
    """A standard normal from two 32-bit numbers (Box & Muller 1958; the sine half is not used, so draws stay one to one)."""
    u = (float(uint32(a)) + 0.5) * (1.0 / 4294967296.0)
    return math.sqrt(-2.0 * math.log(u)) * math.cos((6.283185307179586 / 4294967296.0) * float(uint32(b)))
