"""Text -> an expression's tree.

The grammar is jLEMS's (`^` groups to the left, so 2^3^2 = 64; `-x^2` = -(x^2); `.gt.` `.and.` ...), which
also reads the spellings people know from Python and Brian2 (`**`, `>=`, `and`). A number followed by a known
unit name, or a bare unit name that the model does not use as a symbol, is a constant: "-70*mV", "1.5 ms".
LEMS files have a stricter grammar of their own, `lems_grammar`.
"""

from __future__ import annotations

import math
import re

from portable.dynamics.expressions import (
    FUNCTIONS,
    MAX_CHAIN,
    MAX_DEPTH,
    Bin,
    Call,
    Cmp,
    Expr,
    Logic,
    Name,
    Neg,
    Num,
    Where,
    children,
    short,
)
from portable.dynamics.lems_grammar import LemsParser
from portable.errors import ModelError, suggestion
from portable.units import UNIT_NAMES, shift, unit

_TWO_ARGUMENTS = frozenset({"min", "max", "binomial"})
MAX_LENGTH = 20_000
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
