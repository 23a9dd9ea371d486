"""What generated code calls beside libm, and only where a model asks for it: numba compiles each of them once
for all models.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import cfunc, float64, uint64

from portable.backends.addresses import OPTIONS
from portable.resolve.random import draw


@functools.cache
def _random_number() -> Any:
    @cfunc(float64(*6 * (float64,)), **OPTIONS)
    def random_number(key0, key1, cell, stamp, arrival, number):  # type: ignore[no-untyped-def]
        """resolve.random.draw with all that cells keep as float64; key0 and key1 are the two halves of the
        key.
        """
        key = uint64(key0) | (uint64(key1) << uint64(32))
        return draw(key, uint64(cell), uint64(stamp), uint64(arrival), uint64(number))

    return random_number


@functools.cache
def _factorial() -> Any:
    @cfunc(float64(float64), **OPTIONS)
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

    return factorial


# name -> types of the arguments, and what gives its address: machine.library.load. The functions stay loaded.
EXTERN: Mapping[str, tuple[tuple[str, ...], Callable[[], int]]] = {
    "random_number": (6 * ("float64",), lambda: int(_random_number().address)),
    "factorial": (("float64",), lambda: int(_factorial().address)),
}
