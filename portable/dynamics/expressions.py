"""The expression language: an abstract syntax tree and its parser. Nothing here is ever executed as Python.

The grammar is jLEMS's (`^` groups to the left, so 2^3^2 = 64; `-x^2` = -(x^2); `.gt.` `.and.` ...), which
also reads the spellings people know from Python and Brian2 (`**`, `>=`, `and`). A number followed by a known
unit name, or a bare unit name that the model does not use as a symbol, is a constant: "-70*mV", "1.5 ms".

Only the operators and functions named here exist; a code generator can meet nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Union

from portable.errors import ModelError, suggestion
from portable.units import NONE, UNIT_NAMES, Dimension, shift, unit

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
    }
)
_TWO_ARGUMENTS = frozenset({"min", "max"})
MAX_LENGTH = 20_000
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

_TOKEN = re.compile(
    r"\s*(?:(?P<num>(?:\d+\.?(?!(?:gt|lt|geq|leq|eq|neq|and|or|not)\.)\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<word>\.(?:gt|lt|geq|leq|eq|neq|and|or|not)\.)"
    r"|(?P<id>[A-Za-z_µμ][A-Za-z0-9_µμ]*)|(?P<op>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^()<>,!?:]))",
    re.A,
)
_WORDS = {
    ".gt.": ">", ".lt.": "<", ".geq.": ">=", ".leq.": "<=", ".eq.": "==", ".neq.": "!=", ".and.": "and",
    ".or.": "or", ".not.": "not", "&&": "and", "||": "or", "!": "not", "**": "^",
}  # fmt: skip


def _tokens(text: str) -> list[tuple[str, str, str]]:
    """(kind, word, spelling): `.lt.` and `<` are the word `<` in two spellings."""
    out: list[tuple[str, str, str]] = []
    pos, end = 0, len(text.rstrip())
    while pos < end:
        match = _TOKEN.match(text, pos)
        if not match:
            raise ModelError(
                "",
                f"unexpected character {text[pos:].strip()[:1]!r} in expression '{short(text)}'",
                "use numbers, names, + - * / ^ ( ) and functions",
            )
        kind, spelling = match.lastgroup or "", match[match.lastgroup or 0]
        word = _WORDS.get(spelling, spelling)
        if kind == "id" and word in ("and", "or", "not"):
            kind = "op"
        out.append(("op" if kind == "word" else kind, word, spelling))
        pos = match.end()
    out.append(("end", "", ""))
    return out


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


class _Parser:
    """Recursive descent; `symbols` are the names that hide a unit of the same name ("m", "h", "s")."""

    def __init__(self, text: str, symbols: frozenset[str]) -> None:
        self.text, self.symbols = text, symbols
        self.tokens, self.at, self.depth = _tokens(text), 0, 0

    def fail(self, what: str) -> ModelError:
        return ModelError(
            "", f"{what} in expression '{short(self.text)}'", "write it like '(v_rest - v)/tau_m'"
        )

    def take(self, *words: str) -> str:
        kind, word, _ = self.tokens[self.at]
        if kind in ("op",) and word in words:
            self.at += 1
            return word
        return ""

    def need(self, word: str) -> None:
        if not self.take(word):
            found = self.tokens[self.at][1] or "the end"
            raise self.fail(f"expected '{word}', found '{found}'")

    def expression(self) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ModelError(
                "",
                f"more than {MAX_DEPTH} levels of nesting in expression '{short(self.text)}'",
                "split it into derived variables",
            )
        test = self.either()
        if self.take("?"):
            a = self.expression()
            self.need(":")
            test = Where(test, a, self.expression())
        self.depth -= 1
        return test

    def either(self) -> Expr:
        x = self.both()
        while self.take("or"):
            x = Logic("or", (x, self.both()))
        return x

    def both(self) -> Expr:
        x = self.negation()
        while self.take("and"):
            x = Logic("and", (x, self.negation()))
        return x

    def negation(self) -> Expr:
        count = 0
        while self.take("not"):
            count += 1
        x = self.comparison()
        return Logic("not", (x,)) if count % 2 else x

    def comparison(self) -> Expr:
        x = self.sum()
        if op := self.take("<", "<=", ">", ">=", "==", "!="):
            x = Cmp(op, x, self.sum())
        return x

    def sum(self) -> Expr:
        x = self.product()
        while op := self.take("+", "-"):
            x = Bin(op, x, self.product())
        return x

    def product(self) -> Expr:
        x = self.sign()
        while op := self.take("*", "/"):
            x = Bin(op, x, self.sign())
        return x

    def sign(self) -> Expr:
        negative = False
        while op := self.take("-", "+"):
            negative ^= op == "-"
        x = self.power()
        return Neg(x) if negative else x

    def power(self) -> Expr:
        x = self.atom()
        while self.take("^"):
            negative = bool(self.take("-"))
            y = self.atom()
            x = Bin("^", x, Neg(y) if negative else y)
        return x

    def atom(self) -> Expr:
        kind, word, _ = self.tokens[self.at]
        if kind == "num":
            self.at += 1
            return self.with_unit(float(word))
        if kind == "id":
            self.at += 1
            if self.take("("):
                return self.call(word)
            if word not in self.symbols and word in UNIT_NAMES:
                return self.unit_constant(1.0, word)
            return Name(word)
        if self.take("("):
            x = self.expression()
            self.need(")")
            return x
        raise self.fail(f"unexpected '{word}'" if word else "something is missing at the end")

    def with_unit(self, value: float) -> Num:
        kind, word, _ = self.tokens[self.at]
        if kind == "id" and word in UNIT_NAMES and self.tokens[self.at + 1][1] != "(":
            self.at += 1
            return self.unit_constant(value, word)
        if not math.isfinite(value):
            raise self.fail("a number too large")
        return Num(value)

    def unit_constant(self, value: float, name: str) -> Num:
        found = unit(name)
        number = float(shift(value, found.coherent_power))
        if not math.isfinite(number):
            raise self.fail("a number too large")
        return Num(number, found.dimension)

    def call(self, fn: str) -> Expr:
        if fn not in FUNCTIONS and fn != "where":
            raise ModelError(
                "",
                f"unknown function '{fn}' in expression '{short(self.text)}'",
                suggestion(fn, FUNCTIONS | {"where"}),
            )
        args = [self.expression()]
        while self.take(","):
            args.append(self.expression())
        self.need(")")
        want = 3 if fn == "where" else 2 if fn in _TWO_ARGUMENTS else 1
        if len(args) != want:
            raise self.fail(f"{fn}() takes {want} argument{'s' * (want > 1)}, got {len(args)}")
        if fn == "where":
            return Where(*args)
        return Call("ln" if fn == "log" else fn, tuple(args))  # jLEMS: log is the natural logarithm


def parse(text: str, symbols: frozenset[str] = frozenset(), lems: bool = False) -> Expr:
    """Parse an expression. `symbols` lists the names the model defines; they win over unit names.

    With `lems`, by the stricter grammar of LEMS files (`lems_grammar`), where units do not exist.
    Raises ModelError (path empty) that quotes the expression.
    """
    if not isinstance(text, str):
        raise ModelError("", f"an expression must be text, got {text!r}", "put it in quotes")
    if len(text) > MAX_LENGTH:
        raise ModelError(
            "",
            f"an expression of {len(text)} characters; at most {MAX_LENGTH} are read",
            "split it into derived variables",
        )
    from portable.dynamics.lems_grammar import LemsParser  # it is built on this module's tree

    parser = LemsParser(text, _tokens(text)) if lems else _Parser(text, symbols)
    result = parser.expression()
    if parser.tokens[parser.at][0] != "end":
        raise parser.fail(f"unexpected '{parser.tokens[parser.at][1]}'")
    _check_depth(result, text)
    return result


def _check_depth(expr: Expr, text: str) -> None:
    level, depth = [expr], 0
    while level:
        depth += 1
        if depth > MAX_CHAIN:
            raise ModelError(
                "",
                f"more than {MAX_CHAIN} chained operations in '{short(text)}'",
                "split it into derived variables",
            )
        level = [c for e in level for c in children(e)]


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
