"""Kinds -> Python source for numba: derived variables, steps and actions of every kind, and the loop over
steps around them.

An instance's variables are S[b], S[b+1], ...; its requirements are read from S[T[r]], S[T[r+1]], ...; path
variables from stretches of T, whose start and stop follow. Nothing of the model reaches the source but
numbers of variables and expressions written from their parsed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from portable.backends.jlems.kinds import Block, Kind
from portable.backends.jlems.tables import SECTIONS
from portable.dynamics.emit import PYTHON, emit
from portable.dynamics.expressions import Expr, Num, names, substitute
from portable.dynamics.grammar import parse
from portable.dynamics.lems.types import DerivedVariable, Where
from portable.errors import ModelError, suggestion

OFFSETS = "".join(f"{name.upper()} = {i}\n" for i, name in enumerate(SECTIONS))
_HERE = Path(__file__).parent
_DIALECT = PYTHON.but(
    functions={**PYTHON.functions, "random": "random({0}, C)", "abs": "abs({0})", "ceil": "float(ceil({0}))"},
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

    def run(self, number: int) -> list[str]:
        """Run a block within a step."""
        block = self.kind.blocks[number]
        out = self.assigns(block)
        if block.outs or block.transition:
            out.append(f"finish({self.first_block + number}, n, S, T, C, HT, HQ, EV)")
        return out or ["pass"]

    def advance(self) -> list[str]:
        """Rates together, then conditions in order."""
        d, out = self.kind.type.dynamics, list[str]()
        out += [f"y{i} = {self.text(a.value, a.where)}" for i, a in enumerate(d.derivatives)]
        out += [f"{self.var(a.variable)} += dt * y{i}" for i, a in enumerate(d.derivatives)]
        for c, number in zip(d.conditions, self.kind.conditions, strict=True):
            if number >= 0:
                out += [f"if {self.text(c.test, c.where)}:", *_indented(self.run(number))]
        return out

    def regime(self) -> list[str]:
        """The active regime's own step: rates one after the other, then its conditions, all of them even
        after a transition.
        """
        out = [f"a = int(S[b+{self.kind.regime_slot}])"]
        of_name = {r.name: r for r in self.kind.type.dynamics.regimes}
        for number, name in enumerate(self.kind.regimes):
            body, r = list[str](), of_name[name]
            body += [f"{self.var(a.variable)} += dt * {self.text(a.value, a.where)}" for a in r.derivatives]
            for c, block in zip(r.conditions, self.kind.regime_conditions[name], strict=True):
                if block >= 0:
                    body += [f"if {self.text(c.test, c.where)}:", *_indented(self.run(block))]
            out += [f"{'el' * (number > 0)}if a == {number}:", *_indented(body or ["pass"])]
        return out

    def show(self) -> list[str]:
        return [f"S[b+{e}] = S[b+{v}]" for e, v in self.kind.shown]


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def _choice(variable: str, bodies: list[tuple[int, list[str]]]) -> str:
    """if k == 0: ... elif k == 1: ...; bodies that do nothing are left out."""
    out, word = list[str](), "if"
    for number, body in bodies:
        if body:
            out += [f"    {word} {variable} == {number}:", *_indented(_indented(body))]
            word = "elif"
    return "\n".join(out) or "    pass"


def _function(name: str, arguments: str, body: str) -> str:
    return f"@njit\ndef {name}({arguments}):\n{body}\n\n\n"


def source(kinds: list[Kind], constants: Mapping[str, float]) -> str:
    """The module of a model: its own functions, then the shared loop. ModelError where an expression cannot
    be read.
    """
    first, writers = 0, list[_Writer]()
    for k in kinds:
        writers.append(_Writer(k, constants, first))
        first += len(k.blocks)
    blocks = [(w.first_block + i, w.assigns(b)) for w in writers for i, b in enumerate(w.kind.blocks)]
    numbered = list(enumerate(writers))
    shared = (_HERE / "loop.py.txt").read_text(encoding="utf-8")
    return (
        '"""Generated by portable."""\n'
        + shared.partition("# ---- functions of the model ----\n")[0].replace(
            "# ---- offsets ----\n", OFFSETS
        )
        + _function("assign", "g, S, b, C", _choice("g", blocks))
        + _function("derive", "k, S, b, r, T, C", _choice("k", [(i, w.derive()) for i, w in numbered]))
        + _function("show", "k, S, b", _choice("k", [(i, w.show()) for i, w in numbered]))
        + shared.partition("# ---- functions of the model ----\n")[2].partition("# ---- step ----\n")[0]
        + _function(
            "rates", "k, n, S, b, dt, T, C, HT, HQ, EV", _choice("k", [(i, w.advance()) for i, w in numbered])
        )
        + _function(
            "regime",
            "k, n, S, b, dt, T, C, HT, HQ, EV",
            _choice("k", [(i, w.regime()) for i, w in numbered if w.kind.regimes]),
        )
        + shared.partition("# ---- step ----\n")[2]
    )
