"""Known deviations, put into a resolved network: what a simulator does that gets one thing slightly wrong.

The five that any comparison of simulators should see: refractory periods one step too long, delays one step
late, weights 1 % too large, the threshold 0.1 mV too high, and forward Euler in place of the method that was
asked for. "start" is no deviation but a probe: a change of 1e-12 of the initial values shows how fast the
model itself amplifies rounding errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from portable.dynamics.expressions import Bin, Cmp, Expr, Name, Num
from portable.errors import ModelError, suggestion
from portable.resolve.program import CellGroup, Connections, PerCell, Program

PERTURBATION = 1e-12


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
    return _connections(program, lambda c: replace(c, delays=_later(c, round(size))))


def _later(c: Connections, steps: int) -> int | np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return (
        c.delays.astype(np.uint16) + np.uint16(steps)
        if isinstance(c.delays, np.ndarray)
        else int(c.delays) + steps
    )


def _weights(program: Program, size: float) -> Program | None:
    return _connections(program, lambda c: replace(c, weights=c.weights * (1.0 + 0.01 * size)))


def _connections(program: Program, change: Callable[[Connections], Connections]) -> Program | None:
    return (
        replace(program, connections=tuple(change(c) for c in program.connections))
        if program.synapses
        else None
    )


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
        Deviation("start", "initial values times 1 + 1e-12", "x 1e-12", _start),
    )
}
INJECTED = tuple(n for n in DEVIATIONS if n != "start")
