"""Expressions and statements of a flat cell as NESTML text: what `nestml` and `integration` write with.

Everything is `real` in coherent units. Names are prefixed so that none meets a keyword or a unit:
x_ state, p_ parameter, c_ constant, n_ number. Numbers that NESTML's printer would change become parameters:
it writes nine digits, and 1e-300 as 1e-3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from portable.dynamics.emit import Dialect, emit
from portable.dynamics.expressions import Expr, names
from portable.dynamics.flat import INJECTED, Flat
from portable.dynamics.methods import Method
from portable.dynamics.random_calls import number_of

DRAWN = (
    "key_low",
    "key_high",
    "place",
)  # parameters that random() is a function of: the population's key in two halves, the position in it
FUNCTIONS = {
    **{
        f: f + "({0})"
        for f in (
            "exp",
            "ln",
            "log10",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "abs",
            "ceil",
            "floor",
            "expm1",
        )
    },
    "sqrt": "({0}**0.5)",
    "H": "(({0}) == 0.0 ? 0.5 : (({0}) > 0.0 ? 1.0 : 0.0))",
    "exprel": "(({0}) == 0.0 ? 1.0 : expm1({0}) / ({0}))",
    "min": "min({0}, {1})",
    "max": "max({0}, {1})",
}


def literal(value: float, numbers: dict[str, float]) -> str:
    """A number as NESTML reads it: written out, or the name of a parameter that holds it where nine digits
    would not; it then joins `numbers`.
    """
    if value == 0.0 or (1e-3 <= abs(value) < 1e6 and float(f"{value:.8e}") == value):
        return repr(float(value)) if value >= 0 else f"({float(value)!r})"
    for name, known in numbers.items():
        if known == value:
            return name
    name = f"n_{len(numbers)}"
    numbers[name] = value
    return name


@dataclass
class Text:
    """The parts of a model being written."""

    flat: Flat
    method: Method
    lines: list[str] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)  # p_ and c_ names that the text reads, and DRAWN
    numbers: dict[str, float] = field(default_factory=dict)
    depth: int = 2

    def line(self, text: str) -> None:
        self.lines.append(("    " * self.depth + text).rstrip())

    def number(self, value: float) -> str:
        """A literal, or a parameter that holds it where nine digits would not."""
        return literal(value, self.numbers)

    def expr(self, e: Expr, states: Mapping[str, str], derived: str = "") -> str:
        """An expression with states read from the given variables and derived ones from locals called
        d<derived>_name.
        """
        local = {d.name for d in self.flat.derived}
        constants = {d.name for d in self.flat.constants}

        def name(id: str) -> str:
            if id in states:
                return states[id]
            if id in local:
                return f"d{derived}_{id}"
            if id == "t":
                return f"now{derived}"
            if (call := number_of(id)) is not None:
                self.used |= dict.fromkeys(DRAWN)
                return f"random_uniform({call}, 1.0)"  # codegen.py puts the counter-based draw in its place
            found = (
                "p_injected"
                if id == INJECTED
                else f"c_{id}"
                if id in constants
                else "arriving"
                if id == "weight"
                else f"p_{id}"
            )
            if found != "arriving":
                self.used[found] = None
            return found

        dialect = Dialect(
            functions=FUNCTIONS,
            where="({test} ? {a} : {b})",
            number=lambda n: self.number(n.value),
            name=name,
            power="({a}**{b})",
        )
        return emit(e, dialect)

    def quantity(self, name: str) -> str:
        """The parameter that holds a number of dynamics.steps."""
        self.used[f"q_{name[1:]}"] = None
        return f"q_{name[1:]}"

    def derive(self, wanted: Iterable[Expr], states: Mapping[str, str], mark: str, time: str) -> None:
        """Declare the derived variables that the expressions need, and the time."""
        exprs = list(wanted)
        derived = self.flat.needed(exprs)
        if any("t" in names(e) for e in (*exprs, *(d.expr for d in derived))):
            self.line(f"now{mark} real = {time}")
        for d in derived:
            self.line(f"d{mark}_{d.name} real = {self.expr(d.expr, states, mark)}")


def jump_states(flat: Flat) -> list[str]:
    """States that arrivals add to, in order of declaration."""
    targets = {s for p in flat.ports for s in (p.jumps() or {})}
    return [s for s in flat.state_names if s in targets]


def test_conditions(w: Text, mark: str, time: str, free: str, start: str) -> None:
    """Conditions in order, each with its derived variables worked out anew."""
    states = {s: f"x_{s}" for s in w.flat.state_names}
    for i, c in enumerate(w.flat.conditions):
        here = f"{mark}{i}"
        w.derive([c.test, *(a.expr for a in c.assignments)], states, here, time)
        test = w.expr(c.test, states, here)
        w.line(f"if ({free}) and {test}:" if c.spike else f"if {test}:")
        w.depth += 1
        if c.spike:
            w.line("fired = 1")
            w.line(start)
        for a in c.assignments:
            w.line(f"x_{a.variable} = {w.expr(a.expr, states, here)}")
        if not c.spike and not c.assignments:
            w.line("fired = fired")
        w.depth -= 1
