"""One step of a cell that is not linear, as a function that Brian2's generated code calls: the text of
`dynamics.steps`, which the native engine compiles too. Pure text.

Brian2's abstract code has no loops and its functions give one number, so the function is called once for each
result: place 0 takes the step and keeps the results, place i reads result i.
"""

from __future__ import annotations

from collections.abc import Mapping

from portable.backends.brian2.plan import Stepped, mangled
from portable.dynamics.expressions import Expr, names
from portable.dynamics.flat import INJECTED, Flat
from portable.dynamics.linear import linear_part
from portable.dynamics.methods import Method
from portable.dynamics.random_calls import draws
from portable.dynamics.steps import SIZE, TOLERANCE, CellStep, Code, Lines, local, quantity_names, text

FIRED, LEFT = "fired", "own_left"


def stepped(
    flat: Flat,
    method: Method,
    dt: float,
    given: Mapping[str, str],
    injected: bool,
) -> Stepped:
    """The step of a flat cell. `given` are the inputs of links in abstract code ("0.0" where there are
    none).
    """
    refractory = flat.refractory is not None
    code = Code()
    step = CellStep(
        flat, method, refractory, linear_part(flat) is not None, lambda lines: _within(step, lines)
    )
    arguments = {f"{s}_": mangled("x", s) for s in flat.state_names}
    read: set[str] = set()
    exprs: list[Expr] = [flat.derivatives[s] for s in step.moving]
    if method.within_step:
        exprs += [e for c in flat.conditions for e in (c.test, *(a.expr for a in c.assignments))]
    for e in (*exprs, *(d.expr for d in flat.needed(exprs))):
        read |= names(e)
    symbols = (*(p.name for p in flat.parameters), *(c.name for c in flat.constants))
    arguments |= {f"{n}_": mangled("p", n) for n in symbols if n in read}
    arguments |= {local(q): local(q) for q in quantity_names(flat, method) if q != TOLERANCE}
    if refractory:
        arguments |= {LEFT: "(1.0*left)"} | ({"own_period": "(1.0*steps_left)"} if method.within_step else {})
    if method.within_step and draws(a.expr for c in flat.conditions for a in c.assignments):
        arguments |= {"own_key0": "key_low", "own_key1": "key_high", "own_cell": "cell"}
    arguments["step"] = "(1.0*t_in_timesteps)"
    code.add(f"dt = {dt!r}", "start = step * dt", "t_ = start", f"{FIRED} = 0.0")
    code.add("held = own_left > 0.0" if refractory else "held = False")
    for n, value in {INJECTED: "i_ext" if injected else "0.0", **given}.items():
        if value == "0.0":
            code.add(f"{n}_ = 0.0")
        else:
            arguments[f"{n}_"] = value
    if method.name == "rkf45":
        arguments[local(SIZE)] = local(SIZE)
        code.add(f"own_tolerance = {method.tolerance!r}")
    step.write(code)
    results = [f"{s}_" for s in flat.state_names] + [local(SIZE)] * (method.name == "rkf45")
    if method.within_step:
        results += [FIRED] + [LEFT] * refractory
    return Stepped("pt_step", arguments, str(code), tuple(results))


def _within(step: CellStep, code: Lines) -> None:
    """The condition, tested after a substep: the end of the step still counts one refractory update down."""
    (condition,) = step.flat.conditions
    step.derived(code, [condition.test, *(a.expr for a in condition.assignments)])
    code.add(f"if {text(condition.test)}" + (" and own_left <= 0.0:" if step.refractory else ":"))
    for number, name in draws(a.expr for a in condition.assignments):
        code.add(f"{name}_ = random_number(own_key0, own_key1, own_cell, step + 1.0, {number})", deeper=1)
    code.add(*(f"{a.variable}_ = {text(a.expr)}" for a in condition.assignments), deeper=1)
    if condition.spike:
        code.add(f"{FIRED} = 1.0", deeper=1)
        if step.refractory:
            code.add("own_left = own_period + 1.0 if own_period > 0.0 else 0.0", deeper=1)
