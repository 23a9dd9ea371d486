"""A flat cell as NESTML text, its integration written out in the `update` block.

NESTML's own solvers are not used: the step is then the same arithmetic, in the same order, as on the other
backends. Everything is `real` in coherent units. Names are prefixed so that none meets a keyword or a unit:
x_ state, p_ parameter, c_ constant, n_ number. Numbers that NESTML's printer would change become parameters:
it writes nine digits, and 1e-300 as 1e-3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from portable.dynamics.draws import number_of
from portable.dynamics.emit import Dialect, emit
from portable.dynamics.expressions import Expr, Num, names
from portable.dynamics.flat import INJECTED, Flat
from portable.dynamics.linear import linear

# Fehlberg 1969 (NASA TR R-315), table III: the 4(5) pair.
_A = (
    (1 / 4,),
    (3 / 32, 9 / 32),
    (1932 / 2197, -7200 / 2197, 7296 / 2197),
    (439 / 216, -8.0, 3680 / 513, -845 / 4104),
    (-8 / 27, 2.0, -3544 / 2565, 1859 / 4104, -11 / 40),
)
_C = (1 / 4, 3 / 8, 12 / 13, 1.0, 1 / 2)
_B5 = (16 / 135, 0.0, 6656 / 12825, 28561 / 56430, -9 / 50, 2 / 55)
_B4 = (25 / 216, 0.0, 1408 / 2565, 2197 / 4104, -1 / 5, 0.0)
OWN_TOLERANCE, ASKED_TOLERANCE = (
    1e-6,
    1e-3,
)  # absolute, in coherent units; of models defined by rkf45, and of others run with it

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


@dataclass
class Text:
    """The parts of a model being written."""

    flat: Flat
    method: str
    lines: list[str] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)  # p_ and c_ names that the text reads, and DRAWN
    numbers: dict[str, float] = field(default_factory=dict)
    depth: int = 2

    def line(self, text: str) -> None:
        self.lines.append(("    " * self.depth + text).rstrip())

    def number(self, value: float) -> str:
        """A literal, or a parameter that holds it where nine digits would not."""
        if value == 0.0 or (1e-3 <= abs(value) < 1e6 and float(f"{value:.8e}") == value):
            return repr(float(value)) if value >= 0 else f"({float(value)!r})"
        for name, known in self.numbers.items():
            if known == value:
                return name
        name = f"n_{len(self.numbers)}"
        self.numbers[name] = value
        return name

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

    def derive(self, wanted: Iterable[Expr], states: Mapping[str, str], mark: str, time: str) -> None:
        """Declare the derived variables that the expressions need, and the time."""
        need: set[str] = set().union(*(names(e) for e in wanted))
        chosen = []
        for d in reversed(self.flat.derived):
            if d.name in need:
                chosen.append(d)
                need |= names(d.expr)
        if "t" in need:
            self.line(f"now{mark} real = {time}")
        for d in reversed(chosen):
            self.line(f"d{mark}_{d.name} real = {self.expr(d.expr, states, mark)}")


def tolerance(flat: Flat) -> float:
    """The error of an rkf45 substep."""
    return OWN_TOLERANCE if flat.integrator == "rkf45" else ASKED_TOLERANCE


def within_step(flat: Flat) -> bool:
    """Whether rkf45 tests the condition after every substep: a model defined by that method, whose one
    condition resets what it tests.
    """
    if flat.integrator != "rkf45" or len(flat.conditions) != 1:
        return False
    condition = flat.conditions[0]
    return bool(names(flat.inlined(condition.test)) & {a.variable for a in condition.assignments})


def described(flat: Flat, method: str) -> str:
    """The integrator, as results report it."""
    if method != "rkf45":
        return method
    level = tolerance(flat)
    return f"rkf45 (abs {level:g}{f', rel {level:g} of h*dy/dt, spikes within the step' * within_step(flat)})"


def reads_time(flat: Flat) -> bool:
    """Whether an expression reads t."""
    every = [*flat.derivatives.values(), *(d.expr for d in flat.derived), *(c.test for c in flat.conditions)]
    every += [a.expr for c in flat.conditions for a in c.assignments] + [
        a.expr for p in flat.ports for a in p.assignments
    ]
    return any("t" in names(e) for e in every)


def jump_states(flat: Flat) -> list[str]:
    """States that arrivals add to, in order of declaration."""
    targets = {s for p in flat.ports for s in (p.jumps() or {})}
    return [s for s in flat.state_names if s in targets]


@dataclass(frozen=True)
class Structure:
    """Which entries of the propagator can be other than zero: pairs (row, column), rows that i_ext and
    constants reach.
    """

    pairs: tuple[tuple[str, str], ...]
    driven: frozenset[str]
    constant: frozenset[str]


def structure(flat: Flat, held: tuple[str, ...] = ()) -> Structure:
    """What the matrix exponential reaches: the transitive closure of A."""
    system = linear(flat)
    assert system is not None
    reach = {s: {s} for s in system.states}
    direct = {s: ({c for r, c in system.a if r == s} if s not in held else set()) for s in system.states}
    for _ in system.states:
        for s in system.states:
            for other in tuple(reach[s]):
                reach[s] |= direct[other]
    zero = Num(0.0)
    driven, constant = (
        {s for s, e in row.items() if s not in held and e != zero} for row in (system.b, system.c)
    )
    return Structure(
        tuple((r, c) for r in system.states for c in system.states if c in reach[r]),
        frozenset(s for s in system.states if reach[s] & driven),
        frozenset(s for s in system.states if reach[s] & constant),
    )


def write(flat: Flat, method: str, name: str) -> tuple[str, Text]:
    """The model's text, and what it reads."""
    text = Text(flat, method)
    text.depth = 1
    _update(text)
    _arrivals(text)
    _conditions(text)
    head = [f"model {name}:", "    state:"]
    head += [f"        x_{s} real = 0.0" for s in flat.state_names]
    head += [f"        {n} integer = 0" for n in ("left", "stuck", "fired")]
    head += [f"        jump_{s} real = 0.0" for s in jump_states(flat)]
    if reads_time(flat):
        head.append("        clock real = 0.0")
    if method == "rkf45":
        head += ["        size real = 0.1"]
    if method == "euler":
        head += [f"        increment_{s} real = 0.0" for s in flat.derivatives]
    head += [
        "",
        "    parameters:",
        "        step_h real = 0.1",
        "        refractory integer = 0",
        "        p_injected real = 0.0",
    ]
    head += [f"        {n} real = 0.0" for n in [*text.used, *text.numbers] if n != "p_injected"]
    if flat.ports:
        head += ["", "    input:", *(f"        port_{i} <- spike" for i in range(len(flat.ports)))]
    head += ["", "    output:", "        spike", ""]
    return "\n".join([*head, *text.lines, ""]), text


def _update(w: Text) -> None:
    from portable.backends.nest import integration

    w.line("update:")
    w.depth = 2
    w.line("stuck = 0")
    w.line("fired = 0")
    w.line("if left > 0:")
    w.depth = 3
    w.line("stuck = 1")
    w.depth = 2
    for s in jump_states(w.flat):
        w.line(f"jump_{s} = 0.0")
    integration.STEPS[w.method](w)
    w.depth = 1
    w.line("")


def _arrivals(w: Text) -> None:
    """What spikes do: `port` is the sum of the weights that arrive, so additive updates are exact."""
    states = {s: f"x_{s}" for s in w.flat.state_names}
    for i, port in enumerate(w.flat.ports):
        jumps = port.jumps() or {}
        w.depth = 1
        w.line(f"onReceive(port_{i}):")
        w.depth = 2
        w.line(f"arriving real = port_{i}")
        exprs = {s: w.flat.inlined(e) for s, e in jumps.items()}
        w.derive(exprs.values(), states, "a", "(clock + 1.0) * step_h")
        for s, e in exprs.items():
            if s in w.flat.held:
                w.line("if stuck == 0:")
                w.depth = 3
            w.line(f"jump_{s} = jump_{s} + {w.expr(e, states, 'a')}")
            w.depth = 2
        w.line("")


def _conditions(w: Text) -> None:
    """The end of the step: arrivals join, the refractory count goes down, conditions in order."""
    w.depth = 1
    w.line("onCondition(true):")
    w.depth = 2
    jumping = jump_states(w.flat)
    if w.method == "euler":
        for s in w.flat.derivatives:
            w.line(
                f"x_{s} = x_{s} + (increment_{s} + jump_{s})"
                if s in jumping
                else f"x_{s} = x_{s} + increment_{s}"
            )
        jumping = [s for s in jumping if s not in w.flat.derivatives]
    for s in jumping:
        w.line(f"x_{s} = x_{s} + jump_{s}")
    if reads_time(w.flat):
        w.line("clock = clock + 1.0")
    w.line("if left > 0:")
    w.line("    left = left - 1")
    test_conditions(w, "e", "clock * step_h", "stuck == 0", "left = refractory")
    w.line("if fired > 0:")
    w.line("    emit_spike()")


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
