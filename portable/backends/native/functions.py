"""What generated code calls beside the kernels, and only where a model asks for it."""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from portable.backends.native.calls import OPTIONS
from portable.resolve.random import draw


@njit(**OPTIONS)
def random_number(key0, key1, cell, stamp, arrival, number):  # type: ignore[no-untyped-def]
    """resolve.random.draw with all that cells keep as float64; key0 and key1 are the two halves of the
    key.
    """
    return draw(
        uint64(key0) | (uint64(key1) << uint64(32)), uint64(cell), uint64(stamp), uint64(arrival), number
    )


@njit(**OPTIONS)
def factorial(x):  # type: ignore[no-untyped-def]
    """x! as a product from 1 up; nan where x is no whole number >= 0."""
    if not x >= 0.0 or x != np.floor(x):
        return np.nan
    if x > 170.0:
        return np.inf
    product = 1.0
    for i in range(2, int(x) + 1):
        product *= i
    return product
