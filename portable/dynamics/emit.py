"""Expressions as text in a target language, always fully parenthesised so that no target's precedence
matters.

A dialect is a table; a backend adds its own by `PYTHON.but(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from portable.dynamics.expressions import Bin, Call, Cmp, Expr, Logic, Name, Neg, Num, Where

INTEGER_POWERS = 4  # x^2, x^3, x^4 are written as products where the dialect asks for it


@dataclass(frozen=True)
class Dialect:
    """How one language writes an expression. `functions` maps our names to a format of the arguments."""

    functions: Mapping[str, str]
    power: str = "({a}**{b})"
    where: str = "({a} if {test} else {b})"
    logic: Mapping[str, str] = field(
        default_factory=lambda: {"and": "({a} and {b})", "or": "({a} or {b})", "not": "(not {a})"}
    )
    expand_powers: bool = True
    number: Callable[[Num], str] = lambda n: repr(n.value)
    name: Callable[[str], str] = str

    def but(self, **changes: Any) -> Dialect:
        return replace(self, **changes)


# `math` names, for numba and for scalar Python; the expression text then needs `from math import *` names in
# scope.
PYTHON = Dialect(
    functions={
        "exp": "exp({0})", "ln": "log({0})", "log10": "log10({0})", "sqrt": "sqrt({0})", "sin": "sin({0})",
        "cos": "cos({0})", "tan": "tan({0})", "sinh": "sinh({0})", "cosh": "cosh({0})", "tanh": "tanh({0})",
        "abs": "abs({0})", "ceil": "ceil({0})", "floor": "floor({0})", "expm1": "expm1({0})",
        "H": "(0.5 if {0} == 0.0 else (1.0 if {0} > 0.0 else 0.0))",
        "exprel": "(1.0 if {0} == 0.0 else expm1({0}) / {0})",
        "min": "min({0}, {1})", "max": "max({0}, {1})",
        "factorial": "factorial({0})", "random": "random({0})",
        "binomial": "binomial({0}, {1}, {2})",
    }
)  # fmt: skip


def emit(expr: Expr, dialect: Dialect = PYTHON) -> str:
    """The expression as text of the dialect."""
    match expr:
        case Num():
            return dialect.number(expr) if expr.value >= 0 else f"({dialect.number(expr)})"
        case Name(id):
            return dialect.name(id)
        case Neg(x):
            return f"(-{emit(x, dialect)})"
        case Bin("^", a, b):
            return _power(a, b, dialect)
        case Bin(op, a, b) | Cmp(op, a, b):
            return f"({emit(a, dialect)} {op} {emit(b, dialect)})"
        case Call(fn, args):
            return dialect.functions[fn].format(*(emit(a, dialect) for a in args))
        case Logic(op, args):
            texts = [emit(a, dialect) for a in args]
            return dialect.logic[op].format(a=texts[0], b=texts[-1])
        case Where(test, a, b):
            return dialect.where.format(test=emit(test, dialect), a=emit(a, dialect), b=emit(b, dialect))


def _power(a: Expr, b: Expr, dialect: Dialect) -> str:
    base = emit(a, dialect)
    if (
        dialect.expand_powers
        and isinstance(b, Num)
        and b.value.is_integer()
        and 1 <= b.value <= INTEGER_POWERS
    ):
        return "(" + " * ".join([base] * int(b.value)) + ")"
    return dialect.power.format(a=base, b=emit(b, dialect))
