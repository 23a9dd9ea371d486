"""The functions of generated code that Brian2 has not, in its three targets. Each takes and gives plain
numbers.

`pt_where` computes both branches and picks one without arithmetic, so that an overflow in the other branch is
harmless.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Function
from numba import njit, uint64

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Call, Name
from portable.resolve.draw_c import BODY
from portable.resolve.random import draw


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
}
_C_TYPE = {"boolean": "int", "float": "double"}


def _function(name: str, types: tuple[str, ...], body: str, fallback: Any) -> Function:
    made = Function(
        fallback, arg_units=[None if t == "boolean" else 1 for t in types], return_unit=1,
        arg_types=list(types), return_type="float", stateless=True, auto_vectorise=False,
    )  # fmt: skip
    arguments = ", ".join(f"{_C_TYPE[t]} {n}" for t, n in zip(types, "abcde", strict=False))
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


def namespace() -> dict[str, Function]:
    """All of them, for one group's namespace."""
    return {name: _function(name, *row) for name, row in _TABLE.items()}
