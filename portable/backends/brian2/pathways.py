"""Connections that learn, as Brian2's pathways. Pure text and numbers.

A synapse's clock runs b steps behind Brian2's: spikes of the source are seen when they arrive, d after their
stamp, those of the target 2b after theirs. So what is read is what arrives, and both spikes of one instant of
the synapse meet in one step. All states are kept for each connection, since delays make a trace of a cell
another number for each. `last` is the stamp of arrival at which a connection's states last decayed.
Spikes of a third factor enter no pathway by themselves: `signals.py` says which connections see them in which
step.
"""

from __future__ import annotations

import re

import numpy as np

from portable.backends.brian2.code import text
from portable.backends.brian2.plan import Learned, Part, Pathway, joined, mangled
from portable.dynamics.component import Assign
from portable.dynamics.evaluate import evaluate
from portable.dynamics.random_calls import draws
from portable.dynamics.synapse import CROSSING, ELAPSED, WEIGHT, Rule
from portable.resolve.program import PerCell, Plasticity

# Pathways in the order of an instant, by the handler that each runs; "pre" sends as well.
NAMES = {"on_post": "post", "on_pre": "pre", "after_post": "post_after", "after_pre": "pre_after"}
SIGNAL, SIGNAL_AFTER = "signal", "signal_after"


def learned(parts: tuple[Part, ...], arrives: tuple[str, ...], general: bool, dt: float) -> Learned:
    """What a Synapses object with these parts has besides weights and delays. arrives: statements of an
    arrival of `w`; general: they act one by one.
    """
    rule = learning(parts[0]).rule
    pathways = [
        Pathway(n, SIGNAL, _code(n, rule, a, dt, decayed=n != SIGNAL)) for n, a in _heard(rule).items()
    ]
    for handler, name in NAMES.items():
        side = name.split("_")[0]
        if rule.handler(handler) or name == "pre":
            decayed = handler.startswith("after_") and (side == "pre" or bool(rule.on_post))
            sends = arrives if name == "pre" else None
            code = _code(name, rule, rule.handler(handler), dt, decayed, sends, general)
            pathways.append(Pathway(name, side, code))
    found = [_numbers(rule, learning(p)) for p in parts]
    if rule.draws():
        counters: dict[str, PerCell] = {mangled(n, p.name): 0.0 for p in pathways for n in ("met", "again")}
        found = [
            (values | _streams(p), start | counters) for p, (values, start) in zip(parts, found, strict=True)
        ]
    sizes = [p.connections.count for p in parts]
    values, start = (
        {n: joined([(x[i][n], size) for x, size in zip(found, sizes, strict=True)]) for n in found[0][i]}
        for i in (0, 1)
    )
    back = joined([(np.asarray(learning(p).dendritic), size) for p, size in zip(parts, sizes, strict=True)])
    whole = int(back) if np.ndim(back) == 0 else np.asarray(back).astype(np.int64)
    return Learned(tuple(pathways), values, start, whole, general)


def learning(part: Part) -> Plasticity:
    """What a part learns by."""
    found = part.connections.learning
    assert found is not None
    return found


def _heard(rule: Rule) -> dict[str, tuple[Assign, ...]]:
    """Pathways of the third factor: it moves, by all its spikes, before the connections see it."""
    shared, every = {s.name for s in rule.signal}, rule.handler("on_signal")
    own = tuple(a for a in every if a.variable not in shared)
    if not rule.signal:
        return {}
    moves = {SIGNAL: tuple(a for a in every if a.variable in shared)}
    return {**moves, SIGNAL_AFTER: own} if own else moves


def _code(
    name: str,
    rule: Rule,
    handler: tuple[Assign, ...],
    dt: float,
    decayed: bool,
    arrives: tuple[str, ...] | None = None,
    general: bool = False,
) -> tuple[str, ...]:
    """Statements for one spike: drift and decay unless this instant's first pathway of the side has done so,
    the handler, what is sent if there are statements for its arrival. States are written last.
    """
    symbols = {p.name: mangled("k", p.name) for p in rule.parameters}
    own = {WEIGHT: "w", **{s.name: mangled("s", s.name) for s in rule.states}}
    now, lines = dict(own), list[str]()

    def put(stem: str, line: str) -> str:
        lines.append(f"{(new := mangled(f'n{len(lines)}', stem))} = {line}")
        return new

    moves = not decayed and bool(rule.decay or rule.drift)

    def assign(a: Assign) -> None:
        new = text(a.expr, {**symbols, **now})
        if a.variable == WEIGHT:
            new = f"pt_where(on > 0.5, {new}, {now[WEIGHT]})"
        now[a.variable] = put(a.variable.lstrip("*"), new)

    if moves:
        lines += ["stamp = 1.0*(t_in_timesteps + 1)", f"elapsed = (stamp - last)*{dt!r}"]
        symbols[ELAPSED.id] = "elapsed"
        for a in rule.drifted():
            assign(a)
        now.pop(CROSSING.id, None)
        for s, d in rule.decay.items():
            kept = f"pt_where(elapsed > 0.0, exp(-({mangled('rate', s)}*elapsed)), 1.0)"
            rest, x = mangled("rest", s), now[s]
            now[s] = put(s, f"{x}*{kept}" if d.rest is None else f"{rest} + ({x} - {rest})*{kept}")
    drawn = draws([*(a.expr for a in handler), *([rule.sends] if arrives is not None else [])])
    if drawn:
        lines += ["arrived = 1.0*(t_in_timesteps + 1)"]
        met, again = mangled("met", name), mangled("again", name)
        lines += [f"nth_spike = pt_where({met} == arrived, {again} + 1.0, 0.0)"]
        which = "65536.0*draw_nth + 256.0*nth_spike"
        for number, called in drawn:
            symbols[called] = (
                f"pt_draw(draw_low, draw_high, draw_from, draw_to, arrived - draw_back, {which} + {number}.0)"
            )
    for a in handler:
        assign(a)
    if arrives is not None:
        sent = text(rule.sends, {**symbols, **now})
        lines.append(f"sent = pt_where(held > 0.5, early, {sent})" if general else f"sent = {sent}")
        lines += [re.sub(r"\bw\b", "sent", line) for line in arrives]
    written = {own[s]: n for s, n in now.items() if n != own[s]}
    if moves:
        written["last"] = "stamp"
    if drawn:
        written |= {met: "arrived", again: "nth_spike"}
    guarded = general and arrives is not None  # an arrival that was sent before the weight was set
    for x, n in written.items():
        lines.append(f"{x} = pt_where(held > 0.5, {x}, {n})" if guarded else f"{x} = {n}")
    return tuple(lines)


def _streams(part: Part) -> dict[str, PerCell]:
    """What a draw is a function of besides the instant and the spike's number in it."""
    c, key = part.connections, learning(part).key
    each = {
        "from": c.sources(),
        "to": c.targets,
        "nth": c.nth(),
        "back": np.asarray(learning(part).dendritic),
    }
    return {
        "draw_low": float(key & 0xFFFFFFFF),
        "draw_high": float(key >> 32),
        **{f"draw_{n}": x.astype(np.float64) for n, x in each.items()},
    }


def _numbers(rule: Rule, c: Plasticity) -> tuple[dict[str, PerCell], dict[str, PerCell]]:
    """(parameters, rates and levels of decay, values of states at the start), by their names in code."""
    values: dict[str, PerCell] = {mangled("k", n): v for n, v in c.parameters.items()}
    with np.errstate(all="ignore"):  # a rate may be infinite: a time constant of 0
        for s, d in rule.decay.items():
            values[mangled("rate", s)] = evaluate(d.rate, c.parameters)
            if d.rest is not None:
                values[mangled("rest", s)] = evaluate(d.rest, c.parameters)
    return values, {mangled("s", n): v for n, v in c.start().items()}
