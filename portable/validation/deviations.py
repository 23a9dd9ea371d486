"""Known deviations, put into a resolved network: what a simulator does that gets one thing slightly wrong.

The five that any comparison of simulators should see: refractory periods one step too long, delays one step
late, weights 1 % too large, the threshold 0.1 mV too high, and forward Euler in place of the method that was
asked for. Where connections learn, three more: time constants of the rules 1 % too long, another dendritic
part of delays, and a trace that a spike of the same instant has moved already. "start" is no deviation but a
probe: a change of 1e-12 of the initial values shows how fast the model itself amplifies rounding errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from portable.dynamics.expressions import Bin, Cmp, Expr, Name, Num
from portable.dynamics.synapse import Rule
from portable.errors import ModelError, suggestion
from portable.frozen import Frozen
from portable.resolve.program import CellGroup, Connections, PerCell, Plasticity, Program

PERTURBATION = 1e-12
Delays = int | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Deviation:
    """`apply(program, size)` gives the network with `size` times the deviation; None where the model has
    nothing to deviate in.

    integrator: the method that the run is told to take instead, "" for none.
    """

    name: str
    what: str
    unit: str
    apply: Callable[[Program, float], Program | None]
    integrator: str = ""
    sizes: tuple[float, ...] = (1.0, 3.0, 10.0)


def deviate(program: Program, name: str, size: float = 1.0) -> Program:
    """The network with a deviation. ModelError if there is no such deviation or the model has nothing to
    deviate in.
    """
    if name not in DEVIATIONS:
        raise ModelError("deviation", f"there is no '{name}'", suggestion(name, DEVIATIONS))
    made = DEVIATIONS[name].apply(program, size)
    if made is None:
        raise ModelError(
            f"deviation '{name}'",
            f"network '{program.name}' has nothing that it could change",
            "leave it out",
        )
    return made


def _refractory(program: Program, size: float) -> Program | None:
    """The parameter that is the refractory period, or the cells' equation for it, `size` steps longer."""
    extra = round(size) * program.dt
    return _cells(
        program, lambda g: _longer(g, extra, round(size)) if g.flat.refractory is not None else None
    )


def _longer(g: CellGroup, extra: float, steps: int) -> CellGroup:
    assert g.flat.refractory is not None
    duration = g.flat.refractory.duration
    later = g.refractory + steps
    if isinstance(duration, Name) and duration.id in g.parameters:
        return replace(
            g,
            parameters={**g.parameters, duration.id: _plus(g.parameters[duration.id], extra)},
            refractory=later,
        )
    return replace(
        g,
        flat=replace(g.flat, refractory=replace(g.flat.refractory, duration=Bin("+", duration, Num(extra)))),
        refractory=later,
    )


def _threshold(program: Program, size: float) -> Program | None:
    """v_thresh where the cells have one (also where it is only the soft threshold of an exponential cell),
    else what spikes are compared with.
    """
    return _cells(program, lambda g: _raised(g, 0.1 * size))


def _raised(g: CellGroup, extra: float) -> CellGroup | None:
    if "v_thresh" in g.parameters:
        return replace(g, parameters={**g.parameters, "v_thresh": _plus(g.parameters["v_thresh"], extra)})
    conditions = tuple(replace(c, test=_above(c.test, extra)) if c.spike else c for c in g.flat.conditions)
    return (
        None if conditions == g.flat.conditions else replace(g, flat=replace(g.flat, conditions=conditions))
    )


def _above(test: Expr, extra: float) -> Expr:
    return (
        Cmp(test.op, test.a, Bin("+", test.b, Num(extra)))
        if isinstance(test, Cmp) and test.op in (">", ">=")
        else test
    )


def _cells(program: Program, change: Callable[[CellGroup], CellGroup | None]) -> Program | None:
    groups = [(g, change(g) if isinstance(g, CellGroup) else None) for g in program.groups]
    return (
        replace(program, groups=tuple(new or g for g, new in groups))
        if any(new is not None for _, new in groups)
        else None
    )


def _delays(program: Program, size: float) -> Program | None:
    """Of connections that learn the dendritic part."""
    more = round(size)
    return _connections(
        program,
        lambda c: replace(
            c,
            delays=_later(c.delays, more),
            learning=c.learning and replace(c.learning, dendritic=_later(c.learning.dendritic, more)),
        ),
    )


def _later(delays: Delays, steps: int) -> Delays:
    return delays.astype(np.uint16) + np.uint16(steps) if isinstance(delays, np.ndarray) else delays + steps


def _weights(program: Program, size: float) -> Program | None:
    return _connections(program, lambda c: replace(c, weights=c.weights * (1.0 + 0.01 * size)))


def _connections(program: Program, change: Callable[[Connections], Connections]) -> Program | None:
    return (
        replace(program, connections=tuple(change(c) for c in program.connections))
        if program.synapses
        else None
    )


def _memory(program: Program, size: float) -> Program | None:
    """Every time constant of the rules' states."""
    return _rules(program, lambda p: _slower(p, 1.0 + 0.01 * size))


def _slower(p: Plasticity, factor: float) -> Plasticity | None:
    if not p.rule.decay:
        return None
    r: Rule = p.rule
    decay = {s: replace(d, rate=Bin("/", d.rate, Num(factor))) for s, d in r.decay.items()}
    drift = tuple(replace(t, rate=Bin("/", t.rate, Num(factor))) for t in r.drift)
    return replace(p, rule=replace(r, decay=Frozen(decay), drift=drift))


def _coincidence(program: Program, _size: float) -> Program | None:
    """A trace of the target jumps before a spike of the source in the same instant is dealt with."""
    return _rules(program, lambda p: _jumping(p) if p.rule.post else None)


def _jumping(p: Plasticity) -> Plasticity | None:
    r: Rule = p.rule
    if not r.reads("on_pre", "sends") & {s.name for s in r.post}:
        return None  # nothing reads them there
    own = replace(r, post=(), own=(*r.own, *r.post), on_post=(*r.on_post, *r.after_post), after_post=())
    return replace(p, rule=own, initial={**p.initial, **{s.name: 0.0 for s in r.post}})


def _dendritic(program: Program, size: float) -> Program | None:
    """Spikes of targets are seen earlier, those of sources later; a delay of one step has no part to move."""
    return _rules(program, lambda p: _nearer(p, round(size)))


def _nearer(p: Plasticity, steps: int) -> Plasticity | None:
    if not np.max(p.dendritic, initial=0) > 1:
        return None
    if isinstance(p.dendritic, np.ndarray):
        left = np.maximum(p.dendritic.astype(np.int64) - steps, 1)
        return replace(p, dendritic=left.astype(np.uint16))
    return replace(p, dendritic=max(int(p.dendritic) - steps, 1))


def _rules(program: Program, change: Callable[[Plasticity], Plasticity | None]) -> Program | None:
    made = [(c, change(c.learning) if c.learning and c.count else None) for c in program.connections]
    if all(new is None for _, new in made):
        return None
    return replace(program, connections=tuple(replace(c, learning=new) if new else c for c, new in made))


def _euler(program: Program, _size: float) -> Program | None:
    return (
        program if any(g.flat.derivatives and g.flat.integrator != "euler" for g in program.cells) else None
    )


def _start(program: Program, size: float) -> Program | None:
    """Every initial value of every state times 1 + 1e-12."""
    return _cells(
        program,
        lambda g: replace(g, initial={s: _times(x, 1.0 + PERTURBATION * size) for s, x in g.initial.items()}),
    )


def _plus(value: PerCell, extra: float) -> PerCell:
    return value + extra


def _times(value: PerCell, factor: float) -> PerCell:
    return value * factor


DEVIATIONS: dict[str, Deviation] = {
    d.name: d
    for d in (
        Deviation("refractory", "refractory periods one step longer", "steps", _refractory),
        Deviation("delay", "delays one step later", "steps", _delays),
        Deviation("weight", "weights 1 % larger", "%", _weights),
        Deviation("threshold", "threshold 0.1 mV higher", "x 0.1 mV", _threshold),
        Deviation("euler", "forward Euler in place of the method asked for", "", _euler, "euler", (1.0,)),
        Deviation("memory", "time constants of rules of plasticity 1 % longer", "%", _memory),
        Deviation("dendritic", "one step more of each plastic delay axonal", "steps", _dendritic),
        Deviation(
            "coincidence", "spikes of one instant see each other's traces", "", _coincidence, sizes=(1.0,)
        ),
        Deviation("start", "initial values times 1 + 1e-12", "x 1e-12", _start),
    )
}
INJECTED = tuple(n for n in DEVIATIONS if n != "start")
