"""The functions of generated code that Brian2 has not, in its three targets. Each takes and gives plain
numbers.

`pt_where` computes both branches and picks one without arithmetic, so that an overflow in the other branch is
harmless.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Function
from numba import njit, uint64

from portable import caches
from portable.backends.brian2.plan import Stepped
from portable.backends.machine import library
from portable.backends.machine.extern import NUMBERS, extern
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Call, Name
from portable.resolve.draw_c import BODY, SYNAPSE
from portable.resolve.random import draw, draw_synapse


@njit(cache=True)
def _draws(low, high, cells, stamp, number):  # type: ignore[no-untyped-def]
    out = np.empty(cells.size)
    for i in range(cells.size):
        out[i] = draw(uint64(low[i]) | (uint64(high[i]) << uint64(32)), cells[i], stamp, 0, number)
    return out


def _random(low: Any, high: Any, cells: Any, stamp: Any, number: Any) -> Any:
    low, high, cells = (np.array(x, dtype=np.float64) for x in np.broadcast_arrays(low, high, cells))
    return _draws(
        np.atleast_1d(low), np.atleast_1d(high), np.atleast_1d(cells), int(stamp), int(number)
    ).reshape(cells.shape)


@njit(cache=True)
def _draws_synapses(low, high, sources, targets, clocks, last):  # type: ignore[no-untyped-def]
    out = np.empty(sources.size)
    for i in range(sources.size):
        key, which = uint64(low[i]) | (uint64(high[i]) << uint64(32)), uint64(last[i])
        number = which & uint64(255)
        out[i] = draw_synapse(key, sources[i], targets[i], clocks[i], which >> uint64(8), number)
    return out


def _random_synapses(*given: Any) -> Any:
    each = [np.array(x, dtype=np.float64) for x in np.broadcast_arrays(*given)]
    return _draws_synapses(*map(np.atleast_1d, each)).reshape(each[0].shape)


@extern(*5 * ("float64",))
def _random_number(low, high, cell, stamp, number):  # type: ignore[no-untyped-def]
    key = uint64(low) | (uint64(high) << uint64(32))
    return draw(key, uint64(cell), uint64(stamp), uint64(0), uint64(number))


# dynamics.evaluate's, in C: a the drawn number, b trials, c their probability.
BINOMIAL = """{
    if (c >= 1.0) return b;
    if (c <= 0.0) return 0.0;
    double term = pow(1.0 - c, b), total = term, k = 0.0;
    const double odds = c / (1.0 - c);
    while (a >= total && k < b) {
        term = term * ((b - k) / (k + 1.0)) * odds; total += term; k += 1.0;
    }
    return k;
}"""
# What a step in machine code calls; there are no arrivals before a number that it draws.
_EXTERN = {**NUMBERS, "random_number": _random_number}
# name: (argument types, C expression of a, b, c, ... or a whole body; numpy function)
_TABLE: dict[str, tuple[tuple[str, ...], str, Any]] = {
    "pt_where": (("boolean", "float", "float"), "(a ? b : c)", np.where),
    "pt_divide": (("float", "float"), "(a / b)", np.divide),
    "pt_min": (("float", "float"), "(a < b ? a : b)", np.minimum),
    "pt_max": (("float", "float"), "(a > b ? a : b)", np.maximum),
    "pt_abs": (("float",), "fabs(a)", np.abs),
    "pt_ceil": (("float",), "ceil(a)", np.ceil),
    "pt_floor": (("float",), "floor(a)", np.floor),
    "pt_heaviside": (("float",), "(a == 0.0 ? 0.5 : (a > 0.0 ? 1.0 : 0.0))", lambda a: np.heaviside(a, 0.5)),
    "pt_exprel": (
        ("float",),
        "(a == 0.0 ? 1.0 : expm1(a) / a)",
        lambda a: np.where(a == 0.0, 1.0, np.expm1(a) / np.where(a == 0.0, 1.0, a)),
    ),
    "pt_factorial": (
        ("float",),
        "(!(a >= 0.0) || a != floor(a) ? NAN : a > 170.0 ? INFINITY : a <= 1.0 ? 1.0 : a * pt_factorial(a - "
        "1.0))",
        lambda a: evaluate(Call("factorial", (Name("a"),)), {"a": a}),
    ),
    "pt_power": (("float", "float"), "pow(a, b)", np.float_power),
    "pt_random": (("float",) * 5, BODY, _random),
    "pt_binomial": (
        ("float",) * 3,
        BINOMIAL,
        lambda *given: evaluate(
            Call("binomial", (Name("u"), Name("n"), Name("p"))), dict(zip("unp", given, strict=True))
        ),
    ),
    "pt_draw": (("float",) * 6, SYNAPSE, _random_synapses),
}
_C_TYPE = {"boolean": "int", "float": "double"}


def _function(name: str, types: tuple[str, ...], body: str, fallback: Any) -> Function:
    made = Function(
        fallback, arg_units=[None if t == "boolean" else 1 for t in types], return_unit=1,
        arg_types=list(types), return_type="float", stateless=True, auto_vectorise=False,
    )  # fmt: skip
    arguments = ", ".join(f"{_C_TYPE[t]} {n}" for t, n in zip(types, "abcdef", strict=False))
    c = (
        f"static inline double {name}({arguments}) "
        f"{body if body.startswith('{') else f'{{ return {body}; }}'}"
    )
    made.implementations.add_implementation("cpp", c, name=name)
    # Cython reads C from a verbatim block, which keeps the expression one and the same.
    cython = (
        f'cdef extern from *:\n    """\n    #include <math.h>\n    #include <stdint.h>\n    {c}\n    '
        f'"""\n    double {name}({arguments}) noexcept nogil\n'
    )
    made.implementations.add_implementation("cython", cython, name=name)
    made.implementations.add_implementation(
        "numpy", fallback
    )  # not add_numpy_implementation: it checks units on every call
    return made


def namespace(step: Stepped | None = None) -> dict[str, Function]:
    """All of them, for one group's namespace, and the step of its cells."""
    table = {name: _function(name, *row) for name, row in _TABLE.items()}
    return table | {step.name: _stepper(step)} if step else table


def _stepper(step: Stepped) -> Function:
    """The function of a step, with own copies of what it calls: in which order Brian2 writes functions is its
    own affair.
    """
    many, by_numpy = len(step.arguments) + 1, _kept(step)
    made = Function(
        by_numpy, arg_units=[1] * many, return_unit=1, arg_types=["float"] * many, return_type="float",
        stateless=True, auto_vectorise=False,
    )  # fmt: skip
    draw, factorial = f"{step.name}_draw", f"{step.name}_factorial"
    product = _TABLE["pt_factorial"][1].replace("pt_factorial", factorial)
    c = (
        f"static inline double {draw}(double a, double b, double c, double d, double e) {BODY}\n"
        f"static double {factorial}(double a) {{ return {product}; }}\n{step.c(draw, factorial)}"
    )
    made.implementations.add_implementation("cpp", c, name=step.name)
    cython = (
        f'cdef extern from *:\n    """\n#include <math.h>\n#include <stdint.h>\n{c}\n    """\n'
        f"    double {step.name}({', '.join(['double'] * many)}) noexcept nogil\n"
    )
    made.implementations.add_implementation("cython", cython, name=step.name)
    made.implementations.add_implementation("numpy", by_numpy)
    return made


def _kept(step: Stepped) -> Callable[..., Any]:
    """The step in numpy's target, as machine code: place 0 takes it, place i gives result i."""
    results = np.zeros((len(step.results), 0))
    compiled: list[Any] = []

    def take(place: float, *arguments: Any) -> Any:
        nonlocal results
        if place > 0.0:
            return results[int(place) - 1]
        if not compiled:
            code = library.load(caches.folder("brian2"), step.python(), _EXTERN)
            compiled.append(ctypes.CFUNCTYPE(ctypes.c_int64, *3 * (ctypes.c_int64,))(code["rows"]))
        columns = np.stack([np.atleast_1d(x) for x in np.broadcast_arrays(*arguments)]).astype(np.float64)
        results = np.empty((len(step.results), columns.shape[1]))
        compiled[0](columns.ctypes.data, results.ctypes.data, columns.shape[1])
        return np.zeros(columns.shape[1])

    return take
