"""Dimension checking of expressions."""

from __future__ import annotations

from collections.abc import Mapping

from portable.dynamics.emit import emit
from portable.dynamics.expressions import Bin, Call, Cmp, Expr, Logic, Name, Neg, Num, Where
from portable.errors import ModelError, suggestion
from portable.units import NONE, Dimension, describe

_SAME = frozenset({"abs", "min", "max", "random"})  # result has the dimension of the arguments


def dimension_of(expr: Expr, symbols: Mapping[str, Dimension]) -> Dimension:
    """The dimension of an expression.

    A literal zero has every dimension (as in LEMS). Raises ModelError (path empty) on an unknown name or on a
    sum, comparison, exponent or function argument whose dimensions do not fit.
    """
    found = inferred(expr, symbols)
    return NONE if found is None else found


def inferred(expr: Expr, symbols: Mapping[str, Dimension]) -> Dimension | None:
    """As dimension_of; None for zero and multiples of it, which have every dimension."""
    return _infer(expr, symbols)


def _infer(expr: Expr, symbols: Mapping[str, Dimension]) -> Dimension | None:
    match expr:
        case Num(value, dim):
            return None if value == 0.0 and dim == NONE else dim
        case Name(id):
            if id not in symbols:
                raise ModelError("", f"unknown name '{id}'", suggestion(id, symbols))
            return symbols[id]
        case Neg(x):
            return _infer(x, symbols)
        case Bin("*", a, b):
            return _product(_infer(a, symbols), _infer(b, symbols), +1)
        case Bin("/", a, b):
            return _product(_infer(a, symbols), _infer(b, symbols), -1)
        case Bin("^", a, b):
            return _power(a, b, symbols)
        case Bin(op, a, b) | Cmp(op, a, b):
            both = _alike(op, a, b, symbols)
            return NONE if isinstance(expr, Cmp) else both
        case Logic(_, args):
            for a in args:
                _infer(a, symbols)
            return NONE
        case Where(test, a, b):
            _infer(test, symbols)
            return _alike("where", a, b, symbols)
        case Call(fn, args) if fn in _SAME or fn == "H":
            dims = [_infer(a, symbols) for a in args]
            if len(args) == 2:
                dims = [_alike(fn, args[0], args[1], symbols)]
            return NONE if fn == "H" else dims[0]
        case Call("sqrt", args):
            inner = _infer(args[0], symbols)
            if inner is not None and any(e % 2 for e in inner):
                raise ModelError(
                    "",
                    f"sqrt of {describe(inner)} in '{emit(expr)}'",
                    "take the root of a square or of a dimensionless number",
                )
            return inner if inner is None else Dimension(*(e // 2 for e in inner))
        case Call(fn, args):
            inner = next((d for a in args if (d := _infer(a, symbols)) not in (None, NONE)), None)
            if inner not in (None, NONE):
                raise ModelError(
                    "",
                    f"the argument of {fn}() must be dimensionless, got {describe(inner or NONE)} in "
                    f"'{emit(expr)}'",
                    "divide it by a quantity of that dimension",
                )
            return NONE


def _product(a: Dimension | None, b: Dimension | None, sign: int) -> Dimension | None:
    if a is None:
        return None
    b = b or NONE
    return a.times(b) if sign > 0 else a.over(b)


def _alike(op: str, a: Expr, b: Expr, symbols: Mapping[str, Dimension]) -> Dimension | None:
    left, right = _infer(a, symbols), _infer(b, symbols)
    if left is None or right is None:
        return left if right is None else right
    if left != right:
        raise ModelError(
            "",
            f"'{emit(a)}' is {describe(left)} but '{emit(b)}' is {describe(right)} on the two sides of "
            f"'{op}'",
            "both must have the same dimension",
        )
    return left


def _power(a: Expr, b: Expr, symbols: Mapping[str, Dimension]) -> Dimension | None:
    base, exponent = _infer(a, symbols), _infer(b, symbols)
    if exponent not in (None, NONE):
        raise ModelError(
            "",
            f"the exponent '{emit(b)}' must be dimensionless, got {describe(exponent or NONE)}",
            "divide it by a quantity of that dimension",
        )
    if base in (None, NONE):
        return base
    value = (
        -b.x.value if isinstance(b, Neg) and isinstance(b.x, Num) else b.value if isinstance(b, Num) else None
    )
    if value is None or not float(value).is_integer() or abs(value) > 12:
        raise ModelError(
            "",
            f"'{emit(a)}' is {describe(base or NONE)} and can only be raised to a whole number up to 12, "
            f"got '{emit(b)}'",
            "divide it by a quantity of its dimension first",
        )
    return (base or NONE).power(int(value))
