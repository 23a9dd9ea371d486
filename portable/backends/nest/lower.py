"""Program -> Plan. Pure: no NEST is imported, nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from portable.backends.contract import Lowered, RunConfig
from portable.backends.nest import builtin, generated, synapses
from portable.backends.nest.plan import Edges, LearningEdges, Nodes, Plan, PortMap, Source, where
from portable.backends.nest.values import split
from portable.backends.placement import Place, Placement, side_by_side
from portable.dynamics.methods import choose
from portable.resolve.program import (
    Approximation,
    CellGroup,
    Connections,
    PerCell,
    PoissonGroup,
    Program,
    TrainGroup,
)

TICS_PER_MS = (1000, 10000, 100000, 1000000)
MAX_SEED = 2**32 - 1
# What a session may do at any step, several times between two exchanges of spikes: they are then exchanged
# every step
CHANGES = {"session.synapses.set", "session.plastic"}


def tics(dt: float) -> int | None:
    """Ticks a millisecond so that dt is a whole number of them; None if there is none down to 1 ns."""
    return next((t for t in TICS_PER_MS if abs(dt * t - round(dt * t)) < 1e-6 and round(dt * t) >= 1), None)


def lower(program: Program, config: RunConfig) -> Lowered:
    """The plan, what it changes, and the integrator of each population."""
    cells, integrators, changed = [], {}, list[Approximation]()
    for group in program.cells:
        choice = builtin.choose(group, program, config)
        if choice is not None:
            cells.append(_built_in(choice, group, program.dt))
            integrators[group.name] = choice.row.integrator
        else:
            method = choose(group.flat, config.integrator)
            cells.append(generated.cells(group, method, program.dt))
            integrators[group.name] = method.described
    ports = {c.group.name: c.ports for c in cells}
    exchange = int(bool(CHANGES & set(config.needs)))
    edges = tuple(
        _edges(c, ports[c.post][c.port], program.dt, exchange) for c in program.connections if c.count
    )
    sources = tuple(_source(g, program, config) for g in program.groups if not isinstance(g, CellGroup))
    inputs = {
        s.group.name: "given"
        if isinstance(s.group, TrainGroup)
        else "native"
        if s.how == "native"
        else "frozen"
        for s in sources
    }
    changed += _input_changes(inputs, config, program)
    plan = Plan(
        program.dt,
        tics(program.dt) or TICS_PER_MS[0],
        config.threads,
        program.seed % MAX_SEED + 1,
        tuple(cells),
        sources,
        edges,
        program.currents,
        program.spikes,
        program.traces,
        Placement(_places(cells, sources), program.dt, program.spikes),
        inputs,
    )
    return Lowered(plan, tuple(changed), integrators)


def _edges(c: Connections, port: PortMap, dt: float, exchange: int) -> Edges | LearningEdges:
    if c.learning is None:
        return Edges(c, port)
    return LearningEdges(c, port, synapses.learned(c, c.learning, port.factor, dt, exchange))


def _places(cells: Iterable[Nodes], sources: Iterable[Source]) -> dict[str, Place]:
    """NEST numbers nodes from 1 in the order of their making: the cells, then the sources that are handed
    their spikes.
    """
    made = [c.group for c in cells] + [s.group for s in sources if s.how in ("trains", "frozen")]
    return side_by_side(((g.name, g.size) for g in made), first=1)


def _built_in(choice: builtin.Choice, group: CellGroup, dt: float) -> Nodes:
    scalars, arrays = split(parameters_of("builtin", choice, group, group.parameters, dt), group.size)
    start, start_arrays = split(
        {nest: group.initial[s] for s, nest in choice.initial.items() if nest and s in group.initial},
        group.size,
    )
    return Nodes(
        group,
        choice.model,
        "builtin",
        {**scalars, **start},
        {**arrays, **start_arrays},
        choice.ports,
        choice.initial,
        choice.recordables,
        "I_e",
        choice=choice,
    )


def parameters_of(
    mapping: str, choice: Any, group: CellGroup, values: Mapping[str, PerCell], dt: float
) -> dict[str, Any]:
    """NEST's parameters of a population with these values of ours."""
    if mapping == "builtin":
        return builtin.parameters(choice, group, values, dt)
    return generated.parameters(choice, group, values, dt)


def _source(group: PoissonGroup | TrainGroup, program: Program, config: RunConfig) -> Source:
    fans = [c for c in program.connections if c.pre == group.name and c.count]
    if not fans:
        return Source(group, "silent")
    teaches = any(c.learning for c in fans)
    if isinstance(group, TrainGroup):
        return Source(group, "trains")
    private = len(fans) == 1 and fans[0].one_to_one and group.name not in program.spikes and not teaches
    return Source(group, "native" if config.inputs == "native" and private else "frozen")


def _input_changes(inputs: Mapping[str, str], config: RunConfig, program: Program) -> list[Approximation]:
    if config.inputs != "native":
        return []
    out = [
        Approximation(
            where(program, name),
            "trains drawn by the simulator",
            "the program's frozen trains",
            "none",
            "its spikes are recorded, reach several cells or connections that learn, and NEST's "
            "poisson_generator gives every target its own train",
        )
        for name, how in inputs.items()
        if how == "frozen" and any(c.pre == name for c in program.connections)
    ]
    for name, how in inputs.items():
        source = program.group(name)
        if how == "native" and isinstance(source, PoissonGroup) and source.start == 0:
            out.append(
                Approximation(
                    where(program, name),
                    "spikes from the first step on",
                    "from the second",
                    "one step",
                    "NEST's poisson_generator cannot start earlier",
                )
            )
    return out


__all__ = ["PortMap", "lower", "parameters_of", "split", "tics"]
