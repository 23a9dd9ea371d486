"""Cells that NEST has no model of: which generated model they need and the values of its parameters."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.backends.nest import nestml
from portable.backends.nest.plan import Nestml, Nodes, PortMap
from portable.backends.nest.text import DRAWN
from portable.backends.nest.values import split
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import names
from portable.dynamics.flat import Flat
from portable.dynamics.linear import linear, propagator
from portable.dynamics.methods import Method
from portable.dynamics.steps import quantities
from portable.resolve.program import CellGroup, PerCell


@dataclass(frozen=True)
class Generated:
    """What a generated model's parameters are made from: the names it reads, numbers too long for its text,
    its method.
    """

    method: Method
    used: tuple[str, ...]
    numbers: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Key:
    """A flat cell and a method; compared by meaning, since Flat holds mappings."""

    flat: Flat
    method: Method

    def __hash__(self) -> int:
        return hash((self.flat.digest, self.method.described))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and (self.flat.digest, self.method) == (
            other.flat.digest,
            other.method,
        )


@functools.lru_cache(maxsize=256)
def _model(key: _Key) -> tuple[Nestml, Generated]:
    body, read = nestml.write(key.flat, key.method, "NAME")
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    name = f"portable_{digest}_neuron"
    return Nestml(name, digest, body.replace("model NAME:", f"model {name}:")), Generated(
        key.method, tuple(read.used), dict(read.numbers)
    )


def model(flat: Flat, method: Method) -> tuple[Nestml, Generated]:
    """The generated model of a flat cell integrated by `method`. The text does not depend on dt or on
    parameter values.
    """
    return _model(_Key(flat, method))


def cells(group: CellGroup, method: Method, dt: float) -> Nodes:
    """The plan of a population."""
    text, layout = model(group.flat, method)
    start: dict[str, Any] = {f"x_{s}": group.initial[s] for s in group.flat.state_names}
    if method.name == "rkf45":
        start["size"] = dt
    scalars, arrays = split({**parameters(layout, group, group.parameters, dt), **start}, group.size)
    shown = {s: f"x_{s}" for s in group.flat.state_names}
    first = 1 if len(group.flat.ports) > 1 else 0
    ports = {p.name: PortMap(1.0, i + first) for i, p in enumerate(group.flat.ports)}
    return Nodes(
        group, text.name, "generated", scalars, arrays, ports, shown, shown, "p_injected", text, layout
    )


def parameters(
    layout: Generated, group: CellGroup, values: Mapping[str, PerCell], dt: float
) -> dict[str, Any]:
    """Values of a generated model's parameters, floats or one per cell."""
    table: dict[str, Any] = dict(values)
    for d in group.flat.constants:
        table[d.name] = evaluate(d.expr, table)
    out: dict[str, Any] = {"step_h": dt, "refractory": group.refractory, **layout.numbers}
    out |= {n: table[n[2:]] for n in layout.used if n[:2] in ("p_", "c_") and n != "p_injected"}
    numbers = quantities(group.flat, layout.method, table, dt)
    out |= {f"q_{n[1:]}": v for n, v in numbers.items() if f"q_{n[1:]}" in layout.used}
    if layout.method.name == "exact":
        out |= _propagators(layout, group, table, dt)
    if "place" in layout.used:
        out |= dict(
            zip(
                DRAWN,
                (
                    float(group.key & 0xFFFFFFFF),
                    float(group.key >> 32),
                    np.arange(group.size, dtype=np.float64),
                ),
                strict=True,
            )
        )
    return {k: v if k == "refractory" else np.asarray(v, dtype=np.float64) for k, v in out.items()}


def _propagators(layout: Generated, group: CellGroup, table: Mapping[str, Any], dt: float) -> dict[str, Any]:
    system = linear(group.flat)
    assert system is not None
    out: dict[str, Any] = {}
    for kind, held in (("f", ()), ("h", group.flat.held)):
        step = propagator(system, table, dt, held)
        at = {s: i for i, s in enumerate(step.states)}
        for s in step.states:
            for name, value in [(f"Q{kind}_{s}", step.Q[:, at[s]]), (f"R{kind}_{s}", step.R[:, at[s]])] + [
                (f"P{kind}_{s}__{c}", step.P[:, at[s], at[c]]) for c in step.states
            ]:
                if name in layout.used:
                    out[name] = value[0] if value.size == 1 else value
    return out


def problem(flat: Flat, ports: set[str]) -> str:
    """Why no exact NESTML can be generated for the receptors that are used; "" if it can."""
    written = {a.variable for p in flat.ports for a in p.assignments}
    for port in flat.ports:
        jumps = port.jumps()
        if port.name not in ports:
            continue
        if jumps is None:
            return (
                f"receptor '{port.name}' does more than add to states; NESTML sees only the sum of the "
                "weights that arrive in a step"
            )
        for e in jumps.values():
            if names(flat.inlined(e)) & written:
                return f"what receptor '{port.name}' adds depends on a state that arrivals change"
    return ""
