"""The grammar of expressions in LEMS files, as jLEMS 0.14 reads them.

It is stricter than the language of `expressions`, and three of its rules differ:

* no units: `ms` is a name like any other, and a number is never followed by a name;
* a minus directly after another operator takes what follows it before any power does: `2*-x^2` is 2*((-x)^2),
  while `-x^2` at the start of the expression or of a bracket is 0 - x^2;
* every operator has a level of its own, from tight to loose: minus sign, ^, /, *, -, +, comparison, and last
  `.and.` with `.or.`, both on one level: `a .or. b .and. c` is `(a .or. b) .and. c`. All of them group to the
  left.

Only the spellings of LEMS are read (`.lt.`, not `<`; `^`, not `**`; no `?:`). `.not.` and comparisons by
`.eq.` on the right of an `.and.`, which jLEMS refuses although their meaning is clear, are read.
"""

from __future__ import annotations

from portable.dynamics.expressions import (
    FUNCTIONS,
    MAX_DEPTH,
    Bin,
    Call,
    Cmp,
    Expr,
    Logic,
    Name,
    Neg,
    Num,
    short,
)
from portable.errors import ModelError, suggestion

LEMS_FUNCTIONS = frozenset(
    {
        "exp",
        "ln",
        "log",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "abs",
        "ceil",
        "factorial",
        "random",
        "H",
    }
)
_FOREIGN = frozenset(
    {"&&", "||", "!", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "?", ":", ","}
)
_LEVELS = (("+",), ("-",), ("*",), ("/",), ("^",))  # loose to tight
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class LemsParser:
    """`tokens` are (kind, word, spelling), the last one of kind "end"; symbolic operators come as their
    word's meaning.
    """

    def __init__(self, text: str, tokens: list[tuple[str, str, str]]) -> None:
        self.text, self.tokens, self.at, self.depth = text, tokens, 0, 0
        for kind, _, spelling in tokens:
            if kind == "op" and spelling in _FOREIGN:
                raise ModelError(
                    "",
                    f"'{spelling}' is not written in LEMS, in expression '{short(text)}'",
                    "LEMS has + - * / ^ and .gt. .lt. .geq. .leq. .eq. .neq. .and. .or. .not.",
                )

    def fail(self, what: str) -> ModelError:
        return ModelError(
            "",
            f"{what} in expression '{short(self.text)}'",
            "write it like '(v_rest - v)/tau_m'; LEMS expressions have no units",
        )

    def take(self, *words: str) -> str:
        kind, word, _ = self.tokens[self.at]
        if kind == "op" and word in words:
            self.at += 1
            return word
        return ""

    def opens(self) -> bool:
        """Whether the next token is the first of the expression or of a bracket."""
        return self.at == 0 or self.tokens[self.at - 1][:2] == ("op", "(")

    def expression(self) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ModelError(
                "",
                f"more than {MAX_DEPTH} levels of nesting in expression '{short(self.text)}'",
                "split it into derived variables",
            )
        x = self.negation()
        while op := self.take("and", "or"):
            x = Logic(op, (x, self.negation()))
        self.depth -= 1
        return x

    def negation(self) -> Expr:
        count = 0
        while self.take("not"):
            count += 1
        x = self.arithmetic(0)
        if op := self.take(*_COMPARISONS):
            x = Cmp(op, x, self.arithmetic(0))
        return Logic("not", (x,)) if count % 2 else x

    def arithmetic(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self.signed()
        ops = _LEVELS[level]
        leading = self.take(*ops) if level < 2 and self.opens() else ""  # -x is 0 - x, +x is 0 + x
        x = self.arithmetic(level + 1)
        if leading == "-":
            x = Neg(x)
        while op := self.take(*ops):
            x = Bin(op, x, self.arithmetic(level + 1))
        return x

    def signed(self) -> Expr:
        """An atom with at most one minus, which here always follows another operator."""
        return Neg(self.atom()) if self.take("-") else self.atom()

    def atom(self) -> Expr:
        kind, word, _ = self.tokens[self.at]
        if kind in ("num", "id"):
            self.at += 1
            if kind == "num":
                return self.number(word)
            return self.call(word) if self.take("(") else Name(word)
        if self.take("("):
            return self.closed(self.expression())
        raise self.fail(f"unexpected '{word}'" if word else "something is missing at the end")

    def closed(self, x: Expr) -> Expr:
        if not self.take(")"):
            raise self.fail(f"expected ')', found '{self.tokens[self.at][1] or 'the end'}'")
        return x

    def number(self, word: str) -> Num:
        kind, after, _ = self.tokens[self.at]
        if kind in ("id", "num"):
            raise self.fail(f"the number {word} is followed by '{after}'")
        if float(word) == float("inf"):
            raise self.fail("a number too large")
        return Num(float(word))

    def call(self, fn: str) -> Call:
        if fn not in LEMS_FUNCTIONS:
            remedy = f"'{fn}' is no function of LEMS" if fn in FUNCTIONS else suggestion(fn, LEMS_FUNCTIONS)
            raise ModelError("", f"unknown function '{fn}' in expression '{short(self.text)}'", remedy)
        return Call("ln" if fn == "log" else fn, (self.closed(self.expression()),))
