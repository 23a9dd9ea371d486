"""Functions that generated code calls beside libm: written in Python, compiled by numba when a model asks for
them, once for all models.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import uint64

from portable.backends.addresses import OPTIONS
from portable.resolve.random import draw, draw_synapse


@dataclass(frozen=True)
class Extern:
    """Gives a float64. types: of its arguments, "float64" or "int64"."""

    types: tuple[str, ...]
    function: Callable[..., Any]

    @property
    def symbol(self) -> str:
        """Its name for the linker, which knows all functions of the process."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def address(self) -> int:
        """Where it is, with C's calling convention; it stays there."""
        return int(_compiled(self).address)


@functools.cache
def _compiled(made: Extern) -> Any:
    signature = numba.float64(*(getattr(numba, t) for t in made.types))
    return numba.cfunc(signature, **OPTIONS)(made.function)


def extern(*types: str) -> Callable[[Callable[..., Any]], Extern]:
    """Makes an Extern of a function with arguments of these types."""
    return functools.partial(Extern, types)


@extern(*6 * ("float64",))
def random_number(key0, key1, cell, stamp, arrival, number):  # type: ignore[no-untyped-def]
    """resolve.random.draw with all that cells keep as float64; key0 and key1 are the halves of the key."""
    key = uint64(key0) | (uint64(key1) << uint64(32))
    return draw(key, uint64(cell), uint64(stamp), uint64(arrival), uint64(number))


@extern(*7 * ("int64",))
def random_synapse(key0, key1, source, target, clock, which, number):  # type: ignore[no-untyped-def]
    """resolve.random.draw_synapse; key0 and key1 are the halves of the key."""
    return draw_synapse(uint64(key0) | (uint64(key1) << uint64(32)), source, target, clock, which, number)


@extern("float64")
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


@extern(*3 * ("float64",))
def binomial(u, n, p):  # type: ignore[no-untyped-def]
    """As dynamics.evaluate has it."""
    if p >= 1.0:
        return n
    if p <= 0.0:
        return 0.0
    term = (1.0 - p) ** n
    total, odds, k = term, p / (1.0 - p), 0.0
    while u >= total and k < n:
        term = term * ((n - k) / (k + 1.0)) * odds
        total += term
        k += 1.0
    return k


NUMBERS = {"random_number": random_number, "factorial": factorial}  # of cells: dynamics/steps.py's texts
RULES = {"random_synapse": random_synapse, "binomial": binomial}  # of synapses that learn
