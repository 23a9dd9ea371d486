"""The expression language: an abstract syntax tree. Text becomes one in `grammar`; nothing here is ever
executed as Python.

Only the operators and functions named here exist; a code generator can meet nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Union

from portable.units import NONE, Dimension

FUNCTIONS = frozenset(
    {
        "exp",
        "ln",
        "log",
        "log10",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "abs",
        "ceil",
        "floor",
        "H",
        "expm1",
        "exprel",
        "min",
        "max",
        "factorial",
        "random",
        "binomial",
    }
)
MAX_DEPTH = (
    40  # brackets in brackets; each takes ten Python frames, of the thousand that the interpreter allows
)
MAX_CHAIN = 200  # depth of the tree: a sum of that many terms, or derived variables inlined into each other


@dataclass(frozen=True)
class Num:
    """A literal in coherent units, with its dimension."""

    value: float
    dimension: Dimension = NONE


@dataclass(frozen=True)
class Name:
    """A symbol: parameter, state, derived variable or requirement."""

    id: str


@dataclass(frozen=True)
class Neg:
    x: Expr


@dataclass(frozen=True)
class Bin:
    """op is one of + - * / ^"""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True)
class Call:
    fn: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Cmp:
    """op is one of < <= > >= == !="""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True)
class Logic:
    """op is one of and, or, not (one operand)."""

    op: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Where:
    """test ? a : b; LEMS' ConditionalDerivedVariable."""

    test: Expr
    a: Expr
    b: Expr


Expr = Union[Num, Name, Neg, Bin, Call, Cmp, Logic, Where]  # noqa: UP007  (recursive alias, Python 3.11)


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def children(expr: Expr) -> tuple[Expr, ...]:
    """Direct operands."""
    match expr:
        case Num() | Name():
            return ()
        case Neg(x):
            return (x,)
        case Bin(_, a, b) | Cmp(_, a, b):
            return (a, b)
        case Call(_, args) | Logic(_, args):
            return args
        case Where(test, a, b):
            return (test, a, b)


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node, the root first."""
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(children(node))


def names(expr: Expr) -> frozenset[str]:
    """The symbols an expression reads."""
    return frozenset(e.id for e in walk(expr) if isinstance(e, Name))


def transform(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """A copy with `change` applied to every node, operands first."""
    match expr:
        case Num() | Name():
            return change(expr)
        case Neg(x):
            return change(Neg(transform(x, change)))
        case Bin(op, a, b):
            return change(Bin(op, transform(a, change), transform(b, change)))
        case Cmp(op, a, b):
            return change(Cmp(op, transform(a, change), transform(b, change)))
        case Call(fn, args):
            return change(Call(fn, tuple(transform(a, change) for a in args)))
        case Logic(op, args):
            return change(Logic(op, tuple(transform(a, change) for a in args)))
        case Where(test, a, b):
            return change(Where(transform(test, change), transform(a, change), transform(b, change)))


def rebuild(expr: Expr, leaf: Callable[[Expr], Expr]) -> Expr:
    """A copy with `leaf` applied to every Num and Name."""
    return transform(expr, lambda e: leaf(e) if isinstance(e, (Num, Name)) else e)


def substitute(expr: Expr, table: dict[str, Expr]) -> Expr:
    """Replace names by expressions."""
    return rebuild(expr, lambda e: table.get(e.id, e) if isinstance(e, Name) else e)
