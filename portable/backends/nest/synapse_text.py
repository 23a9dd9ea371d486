"""A rule of plasticity as NESTML text: one synapse that keeps all its traces itself.

NEST looks at a synapse when a spike of its source is delivered: it then goes through the spikes of the
target that the synapse has seen since, and then to the source's. `update` stands between two of these
instants. Handlers must not see what a spike of the same instant does to traces, so the jumps are only counted
there, and done when the synapse's clock moves on.

Weights that are set, and learning that is switched, at a time T count after all that the synapse has seen up
to T, but NEST may deliver a spike stamped T or before only later. Each change is therefore a mark on the
synapse's clock, that it passes on its way: at step `set_k` the weight becomes `w_k`, states s_k_name, and
learning learn_k. There are two marks, since the last but one may not be passed yet where no spike has come
since (`changes` has the rest).

Names: w the weight, x_ states, p_ parameters, n_ numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portable.backends.nest.text import FUNCTIONS, literal
from portable.dynamics.component import Assign
from portable.dynamics.emit import Dialect, emit
from portable.dynamics.expressions import Expr
from portable.dynamics.synapse import WEIGHT, Rule

MARKS = (1, 2)  # in the order of their times
NEVER = -1.0  # of a mark
FIXED = {"step_h": 0.1, "factor": 1.0, "place": 0.0, "learn": 1.0}  # parameters beside the rule's own


@dataclass
class SynapseText:
    """The text being written. numbers: parameters that hold what cannot be written out."""

    rule: Rule
    lines: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    depth: int = 1

    def line(self, text: str = "") -> None:
        self.lines.append(("    " * self.depth + text).rstrip())

    def expr(self, e: Expr) -> str:
        states = {s.name for s in self.rule.states}

        def name(id: str) -> str:
            return "w" if id == WEIGHT else f"x_{id}" if id in states else f"p_{id}"

        dialect = Dialect(
            functions=FUNCTIONS,
            where="({test} ? {a} : {b})",
            number=lambda n: literal(n.value, self.numbers),
            name=name,
            power="({a}**{b})",
        )
        return emit(e, dialect)

    def assign(self, given: tuple[Assign, ...]) -> None:
        for a in given:
            if a.variable == WEIGHT:
                self.line("if learn > 0.5:")
                self.line(f"    w = {self.expr(a.expr)}")
            else:
                self.line(f"x_{a.variable} = {self.expr(a.expr)}")

    def decay(self, steps: str) -> None:
        """Every state that decays, over so many steps."""
        for s, d in self.rule.decay.items():
            kept = f"exp(-({self.expr(d.rate)}) * ({steps} * step_h))"
            if d.rest is None:
                self.line(f"x_{s} = x_{s} * {kept}")
            else:
                self.line(f"level_{s} = {self.expr(d.rest)}")
                self.line(f"x_{s} = level_{s} + (x_{s} - level_{s}) * {kept}")


def write(rule: Rule, name: str) -> tuple[str, Mapping[str, float]]:
    """The model's text, and the numbers of its parameters n_."""
    w = SynapseText(rule)
    _update(w)
    for port, handler in (("post", "on_post"), ("pre", "on_pre")):
        w.depth = 1
        w.line(f"onReceive({port}_spikes):")
        w.depth = 2
        w.assign(rule.handler(handler))
        if port == "pre":
            w.line(f"emit_spike(factor * ({w.expr(rule.sends)}))")
        w.line(f"jumps_{port} = jumps_{port} + 1")
        w.line()
    states = ["w real = 1.0", *(f"x_{s.name} real = 0.0" for s in rule.states), "clock real = 0.0"]
    states += [f"learn real = {FIXED['learn']}", "jumps_pre integer = 0", "jumps_post integer = 0"]
    fixed = [f"{n} real = {v}" for n, v in FIXED.items() if n != "learn"]
    for mark in MARKS:
        fixed += [f"set_{mark} real = ({NEVER})", f"learn_{mark} real = 1.0", f"w_{mark} real = 0.0"]
        fixed += [f"s_{mark}_{s.name} real = 0.0" for s in rule.own]
    fixed += [f"p_{p.name} real = 0.0" for p in rule.parameters] + [f"{n} real = 0.0" for n in w.numbers]
    head = [
        f"model {name}:",
        "    state:",
        *(f"        {s}" for s in states),
        "",
        "    parameters:",
        *(f"        {p}" for p in fixed),
        "",
        "    input:",
        "        pre_spikes <- spike",
        "        post_spikes <- spike",
        "",
        "    output:",
        "        spike",
        "",
    ]
    return "\n".join([*head, *w.lines]).rstrip() + "\n", w.numbers


def _update(w: SynapseText) -> None:
    """From one instant of the synapse's clock to the next: the jumps, then marks on the way, and decay."""
    w.line("update:")
    w.depth = 2
    w.line("steps real = floor(timestep() / resolution() + 0.5)")
    for s, d in w.rule.decay.items():
        if d.rest is not None:
            w.line(f"level_{s} real = 0.0")
    w.line("if steps > 0.5:")
    w.depth = 3
    for side in ("post", "pre"):
        if given := w.rule.handler(f"after_{side}"):
            w.line(f"while jumps_{side} > 0:")
            w.depth = 4
            w.assign(given)
            w.line(f"jumps_{side} = jumps_{side} - 1")
            w.depth = 3
        else:
            w.line(f"jumps_{side} = 0")
    for mark in MARKS:
        w.line(f"if (set_{mark} >= clock) and (set_{mark} < clock + steps):")
        w.depth = 4
        w.decay(f"(set_{mark} - clock)")
        w.line(f"steps = steps - (set_{mark} - clock)")
        w.line(f"clock = set_{mark}")
        w.line(f"learn = learn_{mark}")
        w.line(f"w = w_{mark}")
        for own in w.rule.own:
            w.line(f"x_{own.name} = s_{mark}_{own.name}")
        w.depth = 3
    w.decay("steps")
    w.line("clock = clock + steps")
    w.depth = 1
    w.line()
