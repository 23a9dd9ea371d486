"""The names of what a backend may be able to do, and which of them a program and the way to run it need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from portable.backends.contract import RunConfig
from portable.dynamics.expressions import Call, walk
from portable.dynamics.linear import linear, plain_jumps
from portable.dynamics.random_calls import draws
from portable.errors import ModelError, suggestion
from portable.resolve.program import CellGroup, Connections, PoissonGroup, Program, TrainGroup

FEATURES: Mapping[str, str] = {
    "cells.linear": "cells whose equations are linear",
    "cells.nonlinear": "cells whose equations are not linear",
    "cells.time": "equations that read the time t",
    "cells.conditions": "several conditions, or one that does not spike",
    "cells.random": "equations that draw random numbers",
    "cells.factorial": "factorials in equations",
    "cells.heterogeneous": "parameters and initial values that differ between cells",
    "cells.refractory": "refractory periods",
    "cells.compartments": "cells with several compartments",
    "receptors.jump": "receptors that add a multiple of the weight to states",
    "receptors.general": "receptors with any other event update",
    "receptors.random": "receptors that draw random numbers when spikes arrive",
    "synapses.static": "connections with fixed weights and delays",
    "synapses.plastic": "connections that learn from spikes",
    "synapses.axonal": "connections that learn, part of whose delay is axonal",
    "synapses.states": "rules with states of each connection besides the weight",
    "synapses.signal": "rules with a third factor",
    "synapses.drift": "rules whose weights move between spikes",
    "synapses.random": "rules that draw random numbers",
    "synapses.heterogeneous": "rules whose parameters differ between connections",
    "sources.trains": "spike sources with given times",
    "sources.poisson.frozen": "Poisson sources with the trains that every backend gets",
    "sources.poisson.native": "Poisson sources drawn by the simulator",
    "links": "continuous coupling between cells",
    "inputs.current": "injected currents, constant or in steps",
    "record.spikes": "recorded spikes",
    "record.states": "recorded state variables",
    "session.pieces": "running in pieces",
    "session.set": "changing parameters between pieces",
    "session.connections": "reading back the connections that the simulator holds",
    "session.synapses": "reading weights and states of connections that learn",
    "session.synapses.set": "setting weights of connections that learn",
    "session.plastic": "switching learning on and off",
    "session.signal": "a third factor from the session",
    "session.threads": "several threads, with the same spikes",
    "weights.float32": "compact mode: float32 for a user's weights too",
}
SESSION = tuple(f for f in FEATURES if f.startswith("session."))


def check_needs(needs: tuple[str, ...]) -> None:
    """ModelError on a name that is no feature of a session."""
    for need in needs:
        if need not in SESSION:
            raise ModelError("needs", f"unknown feature {need!r}", suggestion(str(need), SESSION))


def requirements(program: Program, config: RunConfig) -> Iterator[tuple[str, str]]:
    """(feature, where) for everything the program uses, and the run is to do."""
    used = {(c.post, c.port) for c in program.connections}
    for g in program.groups:
        where = f"population '{g.name}'"
        if isinstance(g, PoissonGroup):
            yield "sources.poisson." + ("native" if config.inputs == "native" else "frozen"), where
        elif isinstance(g, TrainGroup):
            yield "sources.trains", where
        else:
            yield from (
                (feature, where)
                for feature in _cell_needs(g, {port for post, port in used if post == g.name})
            )
    for c in program.connections:
        yield from ((feature, f"projection '{c.projection}'") for feature in _synapse_needs(c))
    for link in program.links:
        yield "links", f"link '{link.source}.{link.variable}->{link.target}.{link.input}'"
    for current in program.currents:
        yield "inputs.current", f"population '{current.group}'"
    if program.spikes:
        yield "record.spikes", "recordings"
    for t in program.traces:
        yield "record.states", f"recording of '{t.group}.{t.variable}'"
    if config.compact:
        yield "weights.float32", "compact"
    if config.threads > 1:
        yield "session.threads", "threads"
    for need in config.needs:
        yield need, "the session"


def _synapse_needs(c: Connections) -> Iterator[str]:
    if c.learning is None:
        yield "synapses.static"
        return
    yield "synapses.plastic"
    if np.any(c.axonal()):
        yield "synapses.axonal"
    if c.learning.rule.draws():
        yield "synapses.random"
    if c.learning.rule.signal:
        yield "synapses.signal"
    if c.learning.rule.drift:
        yield "synapses.drift"
    if c.learning.rule.own:
        yield "synapses.states"
    if c.learning.varying():
        yield "synapses.heterogeneous"


def _cell_needs(g: CellGroup, ports: set[str]) -> Iterator[str]:
    flat = g.flat
    yield "cells.linear" if linear(flat) is not None else "cells.nonlinear"
    if flat.reads_time():
        yield "cells.time"
    if len(flat.conditions) > 1 or any(not c.spike for c in flat.conditions):
        yield "cells.conditions"
    if any(not isinstance(v, float) for v in (*g.parameters.values(), *g.initial.values())):
        yield "cells.heterogeneous"
    if draws(flat.expressions()):
        yield "cells.random"
    if any(isinstance(x, Call) and x.fn == "factorial" for e in flat.expressions() for x in walk(e)):
        yield "cells.factorial"
    if flat.inputs:
        yield "links"
    if flat.refractory:
        yield "cells.refractory"
    if flat.compartments > 1:
        yield "cells.compartments"
    for port in flat.ports:
        if port.name in ports:
            yield "receptors.jump" if plain_jumps(port, flat) is not None else "receptors.general"
            if draws(a.expr for a in port.assignments):
                yield "receptors.random"
