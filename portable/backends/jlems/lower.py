"""Program of a network read from NeuroML -> JlemsPlan: the file's own model laid out, and where what is
recorded stands in it. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.backends.contract import Lowered, RunConfig, Shortfall
from portable.backends.jlems.plan import Plan, Planner
from portable.backends.jlems.quantities import slot
from portable.errors import ModelError
from portable.resolve.derived import dimension
from portable.resolve.program import CellGroup, Program, Trace
from portable.schemas.neuroml.source import LemsSource, lems_source
from portable.units import coherent_power

DEFAULT_SEED = 1234  # of jLEMS, where the Simulation has none
ALIKE = 1e-9  # of dt: the Simulation's step in s, and the network's in ms


@dataclass(frozen=True, eq=False)
class JlemsPlan:
    """`traces` with the first of their `slots` and the power of ten that makes SI of coherent units;
    `recorders` are (group, cell) by number.
    """

    program: Program
    plan: Plan
    dt: float
    seed: int
    traces: tuple[tuple[Trace, int, int], ...]
    slots: Any
    every: Any
    recorders: tuple[tuple[str, Any], ...]


def shortfalls(program: Program, config: RunConfig) -> list[Shortfall]:
    """Everything that keeps a program that was read from NeuroML from being run as jLEMS would."""
    found, seen = list[Shortfall](), dict[tuple[str, str], Trace]()
    source = lems_source(program.origin)
    if source is None:
        return found
    if config.integrator not in ("auto", "euler"):
        reason = f"jLEMS has forward Euler only, and '{config.integrator}' was asked for"
        found.append(
            Shortfall(f"integrators.{config.integrator}", "integrator", reason, "use integrator='auto'")
        )
    for t in program.shown:
        where = f"recording of '{t.group}.{t.variable}'"
        if not all(_path(source, t, int(i)) for i in t.ids):
            found.append(
                Shortfall(
                    "origin",
                    where,
                    "no path of jLEMS leads there",
                    "record a variable that the file has",
                )
            )
        first = seen.setdefault((t.group, t.variable), t)
        if first.every != t.every or not np.array_equal(first.ids, t.ids):
            found.append(
                Shortfall(
                    "origin",
                    where,
                    "it is recorded twice, of other cells or at another interval",
                    "record it once",
                )
            )
    if not found:
        try:
            lower(program)
        except ModelError as error:
            found.append(Shortfall("origin", error.path, error.rule, error.remedy))
    return found


def _path(source: LemsSource, t: Trace, cell: int) -> str:
    """The path of a recorded variable: below its cell, or as the file's Simulation has it."""
    path = source.path_of(t.group, cell, t.variable)
    if path:
        return path
    return next(
        (
            c.quantity
            for c, p in source.columns
            if p is not None and (p.population, p.variable, p.cell) == (t.group, t.variable, cell)
        ),
        "",
    )


def lower(program: Program) -> Lowered:
    """See JlemsPlan. The seed of random numbers is the run's, and where that is 0 the file's, as jLEMS has
    it.
    """
    source = lems_source(program.origin)
    assert source is not None  # the capabilities ask for it
    planner = Planner(source.model, source.network, source.context)
    recorded, recorders = list[tuple[str | int, Any]](), list[tuple[str, Any]]()
    for name, ids in program.spikes.items():
        key = source.senders.get(name)
        if key is not None:
            recorded.append((key, ids))
            recorders.append((name, ids))
    plan = planner.plan([(key, ids, "") for key, ids in recorded])
    traces, slots, every = list[tuple[Trace, int, int]](), list[int](), list[int]()
    for t in program.shown:
        group = program.group(t.group)
        assert isinstance(group, CellGroup)
        traces.append((t, len(slots), coherent_power(dimension(group.flat, t.variable))))
        slots += [
            slot(plan, source.network, _path(source, t, int(i)), f"recording of '{t.group}.{t.variable}'")
            for i in t.ids
        ]
        every += [t.every] * t.ids.size
    simulation, dt = source.simulation, program.dt * 1e-3
    if simulation is not None and abs(simulation.step - dt) <= ALIKE * dt:
        dt = simulation.step
    own = simulation.seed if simulation is not None and simulation.seed is not None else DEFAULT_SEED
    made = JlemsPlan(
        program,
        plan,
        dt,
        program.seed or own,
        tuple(traces),
        np.array(slots, dtype=np.int64),
        np.array(every, dtype=np.int64),
        tuple(recorders),
    )
    return Lowered(made, (), {g.name: "jLEMS forward Euler" for g in program.cells})
