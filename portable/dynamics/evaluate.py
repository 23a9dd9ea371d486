"""Expressions on numpy arrays, by walking the tree: the meaning every generated code is tested against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portable.dynamics.emit import INTEGER_POWERS
from portable.dynamics.expressions import Bin, Call, Cmp, Expr, Logic, Name, Neg, Num, Where


def _exprel(x: Any) -> Any:
    safe = np.where(x == 0.0, 1.0, x)
    return np.where(x == 0.0, 1.0, np.expm1(safe) / safe)


def _factorial(x: Any) -> Any:
    x = np.asarray(x, dtype=float)
    whole = (x == np.floor(x)) & (x >= 0.0)
    return np.where(whole, _FACTORIALS[np.where(whole, np.minimum(x, 171.0), 0.0).astype(int)], np.nan)


def _binomial(u: Any, n: Any, p: Any) -> Any:
    """How many of n trials succeed, each with probability p: the number whose distribution function first
    exceeds u, a number drawn from [0, 1).
    """
    u, n, p = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (u, n, p)))
    found, k = np.zeros(u.shape), 0
    with np.errstate(all="ignore"):
        term = (1.0 - p) ** n
        total, odds = term.copy(), p / (1.0 - p)
        while np.any(more := (u >= total) & (k < n)):
            term = np.where(more, term * ((n - k) / (k + 1.0)) * odds, term)
            total = np.where(more, total + term, total)
            found = np.where(more, k + 1.0, found)
            k += 1
    return np.where(p >= 1.0, n, np.where(p <= 0.0, 0.0, found))


_FACTORIALS = np.concatenate([[1.0], np.cumprod(np.arange(1.0, 171.0)), [np.inf]])
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "expm1": np.expm1,
    "exprel": _exprel,
    "H": lambda x: np.heaviside(x, 0.5),
    "min": np.minimum,
    "max": np.maximum,
    "factorial": _factorial,
    "binomial": _binomial,  # of rules of synapses, with a number drawn for it first
}
_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "<": np.less, "<=": np.less_equal,
    ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
    "and": np.logical_and, "or": np.logical_or, "not": np.logical_not,
}  # fmt: skip


def evaluate(expr: Expr, values: Mapping[str, Any]) -> Any:
    """The value of an expression; `values` holds floats or arrays that broadcast. KeyError on an unknown
    name.
    """
    match expr:
        case Num(value):
            return value
        case Name(id):
            return values[id]
        case Neg(x):
            return np.negative(evaluate(x, values))
        case Bin("^", a, b):
            return _power(a, b, values)
        case Bin(op, a, b) | Cmp(op, a, b):
            return _OPERATORS[op](evaluate(a, values), evaluate(b, values))
        case Call(fn, args):
            return _FUNCTIONS[fn](*(evaluate(a, values) for a in args))
        case Logic(op, args):
            return _OPERATORS[op](*(evaluate(a, values) for a in args))
        case Where(test, a, b):
            return np.where(evaluate(test, values), evaluate(a, values), evaluate(b, values))


def _power(a: Expr, b: Expr, values: Mapping[str, Any]) -> Any:
    base = evaluate(a, values)
    if (
        isinstance(b, Num) and b.value.is_integer() and 1 <= b.value <= INTEGER_POWERS
    ):  # as products, like the generated code
        result = base
        for _ in range(int(b.value) - 1):
            result = result * base
        return result
    return np.float_power(base, evaluate(b, values))
