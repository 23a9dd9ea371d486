"""A flat cell as NESTML text, its integration written out in the `update` block.

NESTML's own solvers are not used: the step is then the same arithmetic, in the same order, as on the other
backends.
"""

from __future__ import annotations

from portable.backends.nest.integration import STEPS
from portable.backends.nest.text import Text, jump_states, test_conditions
from portable.dynamics.flat import Flat
from portable.dynamics.methods import Method, largest


def write(flat: Flat, method: Method, name: str) -> tuple[str, Text]:
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
    if flat.reads_time():
        head.append("        clock real = 0.0")
    if method.name == "rkf45":
        head += ["        size real = 0.1"]
    if method.name == "euler":
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
    if w.method.name != "exact":
        for state in w.flat.states:
            if state.name in w.flat.derivatives:
                w.line(f"if not (abs(x_{state.name}) <= {w.number(largest(state))}):")
                w.line(f"    x_{state.name} = {w.number(1e300)} * {w.number(1e300)} * 0.0")
    STEPS[w.method.name](w)
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
    if w.method.name == "euler":
        for s in w.flat.derivatives:
            w.line(
                f"x_{s} = x_{s} + (increment_{s} + jump_{s})"
                if s in jumping
                else f"x_{s} = x_{s} + increment_{s}"
            )
        jumping = [s for s in jumping if s not in w.flat.derivatives]
    for s in jumping:
        w.line(f"x_{s} = x_{s} + jump_{s}")
    if w.flat.reads_time():
        w.line("clock = clock + 1.0")
    w.line("if left > 0:")
    w.line("    left = left - 1")
    test_conditions(w, "e", "clock * step_h", "stuck == 0", "left = refractory")
    w.line("if fired > 0:")
    w.line("    emit_spike()")
