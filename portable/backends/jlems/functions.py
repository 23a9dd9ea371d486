"""What the functions of a model call beside libm, and only where it asks for it."""

from __future__ import annotations

import numpy as np
from numba import int64

from portable.backends.addresses import view
from portable.backends.machine.extern import extern

MULTIPLIER, ADDEND, MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1
RANDOM = 4  # place in C, as in loop.py


def seeded(seed: int) -> int:
    """State of java.util.Random(seed)."""
    return (seed ^ MULTIPLIER) & MASK


@extern("float64", "int64")
def random(x, address):  # type: ignore[no-untyped-def]
    """x times the next double of java.util.Random, whose 48-bit linear congruential generator is specified in
    the Java documentation; its state is in C, which is at the address.
    """
    state = view(address + 8 * RANDOM, (1,), int64)
    s = (state[0] * MULTIPLIER + ADDEND) & MASK
    high = s >> 22
    s = (s * MULTIPLIER + ADDEND) & MASK
    state[0] = s
    return x * (float((high << 27) + (s >> 21)) * 2.0**-53)


@extern("float64")
def factorial(x):  # type: ignore[no-untyped-def]
    """x! in 32-bit integers, as jLEMS has it; nan where x is no whole number >= 0."""
    if x < 0.0 or x != np.floor(x):
        return np.nan
    out = np.int32(1)
    for i in range(1, int(x) + 1):
        out = np.int32(out * i)
    return float(out)


EXTERN = {"random": random, "factorial": factorial}
