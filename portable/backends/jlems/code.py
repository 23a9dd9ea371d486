"""Kinds -> text in the language of machine/build.py: derived variables, steps and actions of every kind,
which the loop over steps (loop.py) calls by address.

An instance's variables are S[b], S[b+1], ...; its requirements are read from S[T[r]], S[T[r+1]], ...; path
variables from stretches of T, whose start and stop follow. Nothing of the model reaches the source but
numbers of variables and expressions written from their parsed form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from portable.backends import compiled
from portable.backends.jlems.functions import EXTERN
from portable.backends.jlems.kinds import Block, Kind
from portable.backends.jlems.tables import BEYOND, FUNCTIONS
from portable.backends.machine import library
from portable.dynamics.emit import PYTHON, emit
from portable.dynamics.expressions import Expr, Num, names, substitute
from portable.dynamics.grammar import parse
from portable.dynamics.lems.types import DerivedVariable, Where
from portable.errors import ModelError, suggestion

_DIALECT = PYTHON.but(
    functions={**PYTHON.functions, "random": "random({0}, C_)", "abs": "abs({0})"},
    power="pow({a}, {b})",
    expand_powers=False,
)


class _Writer:
    """Text of one kind."""

    def __init__(self, kind: Kind, constants: Mapping[str, float], first_block: int) -> None:
        self.kind, self.constants, self.first_block = kind, constants, first_block

    def text(self, expression: str, where: Where | str) -> str:
        """An expression over S."""
        try:
            tree = parse(expression, lems=True)
        except ModelError as error:
            raise error.under(str(where)) from None
        table: dict[str, Expr] = {}
        for n in names(tree):
            if n not in self.kind.slots:
                if n not in self.constants:
                    raise ModelError(
                        str(where),
                        f"{n!r} is nothing that a {self.kind.type.name} has",
                        suggestion(n, self.kind.slots),
                    )
                table[n] = Num(self.constants[n])
        slots = self.kind.slots
        return emit(substitute(tree, table), _DIALECT.but(name=lambda n: f"S[b+{slots[n]}]"))

    def var(self, name: str) -> str:
        return f"S[b+{self.kind.slots[name]}]"

    def derive(self) -> list[str]:
        """Path variables, then those of expressions, plain ones before conditional ones: each in the order of
        the file.
        """
        out, kind = list[str](), self.kind
        for n, v in enumerate(kind.paths):
            at = f"r+{len(kind.requirements) + 2 * n}"
            start, op = ("1.0", "*=") if v.reduce == "multiply" else ("0.0", "+=")
            out += [
                f"x = {start}",
                f"for j in range(T[{at}], T[{at}+1]):",
                f"    x {op} S[T[j]]",
                f"{self.var(v.name)} = x",
            ]
        rest = [v for v in kind.type.dynamics.derived if not v.select]
        for v in (*(v for v in rest if not v.cases), *(v for v in rest if v.cases)):
            out.append(f"{self.var(v.name)} = {self._value(v)}")
        return out

    def _value(self, v: DerivedVariable) -> str:
        if not v.cases:
            return self.text(v.value, v.where)
        text = "0.0"  # of jLEMS, where no case holds
        for c in reversed(v.cases):
            value = self.text(c.value, v.where)
            text = f"({value} if {self.text(c.condition, v.where)} else {text})" if c.condition else value
        return text

    def assigns(self, block: Block) -> list[str]:
        return [f"{self.var(a.variable)} = {self.text(a.value, a.where)}" for a in block.assigns]

    def rates(self) -> list[str]:
        """Rates together."""
        d = self.kind.type.dynamics.derivatives
        out = [f"y{i} = {self.text(a.value, a.where)}" for i, a in enumerate(d)]
        return out + [f"{self.var(a.variable)} += dt * y{i}" for i, a in enumerate(d)]

    def tests(self, conditions: Sequence[Any], blocks: Sequence[int]) -> list[str]:
        """Condition c: where it holds, its block's assignments, and the number of the block if more than
        these is to be done.
        """
        cases = []
        for c, (condition, number) in enumerate(zip(conditions, blocks, strict=True)):
            body = list[str]()
            if number >= 0:
                block = self.kind.blocks[number]
                more = bool(block.outs or block.transition)
                body = [*self.assigns(block), *([f"return {self.first_block + number}"] if more else [])]
            if body:
                body = [f"if {self.text(condition.test, condition.where)}:", *_indented(body)]
            cases.append((c, body))
        return [*_choice("c", cases), f"return -1 if c < {len(cases)} else {BEYOND}"]

    def test(self) -> list[str]:
        return self.tests(self.kind.type.dynamics.conditions, self.kind.conditions)

    def _regimes(self) -> list[Any]:
        of_name = {r.name: r for r in self.kind.type.dynamics.regimes}
        return [of_name[name] for name in self.kind.regimes]

    def regime_rates(self) -> list[str]:
        """One after the other."""
        return _choice(
            "a",
            [
                (i, [f"{self.var(d.variable)} += dt * {self.text(d.value, d.where)}" for d in r.derivatives])
                for i, r in enumerate(self._regimes())
            ],
        )

    def regime_test(self) -> list[str]:
        return _choice(
            "a",
            [
                (i, self.tests(r.conditions, self.kind.regime_conditions[r.name]))
                for i, r in enumerate(self._regimes())
            ],
        )

    def show(self) -> list[str]:
        return [f"S[b+{e}] = S[b+{v}]" for e, v in self.kind.shown]


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def _choice(variable: str, bodies: Iterable[tuple[int, list[str]]]) -> list[str]:
    """if k == 0: ... elif k == 1: ...; bodies that do nothing are left out."""
    out, word = list[str](), "if"
    for number, body in bodies:
        if body:
            out += [f"{word} {variable} == {number}:", *_indented(body)]
            word = "elif"
    return out


def _function(name: str, arguments: str, body: list[str], last: str = "return 0") -> str:
    """A function that the loop calls by address; S, T and C come as addresses."""
    arrays = [
        f"{x} = view({x}_, (0,), {'float64' if x == 'S' else 'int64'})"  # its length is not read
        for x in "STC"
        if f"{x}_" in arguments
    ]
    text = "\n".join(_indented([*arrays, *body, last]))
    return f"def {name}({arguments}):\n{text}\n\n\n"


def source(kinds: list[Kind], constants: Mapping[str, float]) -> str:
    """The module of a model's own functions, as loop.py calls them. ModelError where an expression cannot be
    read.
    """
    first, writers = 0, list[_Writer]()
    for k in kinds:
        writers.append(_Writer(k, constants, first))
        first += len(k.blocks)
    blocks = [(w.first_block + i, w.assigns(b)) for w in writers for i, b in enumerate(w.kind.blocks)]

    def each(body: Callable[[_Writer], list[str]]) -> list[str]:
        return _choice("k", [(i, body(w)) for i, w in enumerate(writers)])

    beyond = f"return {BEYOND}"
    return (
        _function("assign", "g, b, S_, C_", _choice("g", blocks))
        + _function("derive", "k, b, r, S_, T_, C_", each(_Writer.derive))
        + _function("show", "k, b, S_", each(_Writer.show))
        + _function("rates", "k, b, dt, S_, C_", each(_Writer.rates))
        + _function("test", "k, c, b, S_, C_", each(_Writer.test), beyond)
        + _function("regime_rates", "k, a, b, dt, S_, C_", each(_Writer.regime_rates))
        + _function("regime_test", "k, a, c, b, S_, C_", each(_Writer.regime_test), beyond)
    )


@functools.cache
def loop() -> Callable[..., Any]:
    """loop.run, compiled once for all models."""
    here, common = Path(__file__).parent, Path(__file__).parents[1] / "addresses.py"
    text = (here / "loop.py").read_text(encoding="utf-8")
    run: Callable[..., Any] = compiled.load(text, here / "kernels.py", here / "tables.py", common).run
    return run


def addresses(kinds: list[Kind], constants: Mapping[str, float]) -> list[int]:
    """Of the model's functions, in the order of FUNCTIONS."""
    found = library.load(compiled.cache_folder(), source(kinds, constants), EXTERN, ("dt",))
    return [found[name] for name in FUNCTIONS._fields]
