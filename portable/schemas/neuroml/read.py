"""`pt.read_neuroml`: a NeuroML or LEMS file as a Network, with what its Simulation says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from portable.dynamics.expressions import parse
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import Cells, LemsNetwork, LemsSimulation
from portable.dynamics.lems.types import Assign, Dynamics, Where
from portable.errors import ModelError
from portable.model.network import Network
from portable.model.settings import RunSettings
from portable.resolve.digest import model_hash
from portable.schemas.neuroml.build import NetworkBuilder
from portable.schemas.neuroml.collect import Collector
from portable.schemas.neuroml.files import load
from portable.schemas.neuroml.problem import Problem
from portable.schemas.neuroml.quantities import paths, placed
from portable.schemas.neuroml.source import LemsSource
from portable.schemas.neuroml.tables import read_network, read_simulation
from portable.units import milliseconds

DEFAULT_DT = 0.1  # ms, where neither the caller nor the file says


def read_neuroml(path: str | os.PathLike[str], *, network: str = "", dt: Any = None, folder: str | os.PathLike[str] | None = None) -> Network:
    """Read NeuroML 2 (.nml, .net.nml, .net.nml.h5) or LEMS (.xml).

    network: id of the network to read, where the file has several and no Simulation chooses. dt: the step (ms) that delays and spike times are
    rounded up to; default the Simulation's, else 0.1 ms. folder: includes must lie inside it; default the folder of the file.

    The result runs like any network. Its `settings` hold duration and dt of the Simulation, so that `pt.run(net)` needs neither;
    its `recordings` what the Simulation records, and all spikes; `lems` the model as it was written, and notes on what was changed.

    Raises ModelError naming file, line and element.
    """
    source = Path(path)
    if not source.is_file():
        raise ModelError(str(path), "there is no such file", "check the path")
    return build(source, Path(folder) if folder is not None else source.parent, network, None if dt is None else milliseconds(dt, "dt"))


def problems(path: Path, folder: Path | None = None) -> list[Problem]:
    """Everything that keeps the file from being read: [] if nothing does. Every network in it is looked at."""
    catch = Collector(keep=True)
    with catch():
        model = load(path, folder or path.parent, catch)
        simulation = None
        for c in model.of_type("Simulation"):
            with catch():
                simulation = read_simulation(model, c)
        if not catch.errors:
            _networks(model, simulation, catch)
        expressions(model, catch)
    return catch.problems(path.name)


def _networks(model: Model, simulation: LemsSimulation | None, catch: Collector) -> None:
    for component in model.of_type("network"):
        before = len(catch.errors)
        tables = read_network(model, component, catch)
        if len(catch.errors) == before:
            own = simulation if simulation is not None and simulation.target == component.id else None
            builder = NetworkBuilder(model, tables, own.step * 1e3 if own else DEFAULT_DT, [c.quantity for c in own.columns] if own else [], None, catch)
            builder.build()
            if len(catch.errors) == before:
                with catch():
                    placed(builder, own)


def expressions(model: Model, catch: Collector) -> None:
    """The grammar of every expression in the file's own types, used or not."""
    for name in model.own_types:
        d = model.types[name].dynamics or Dynamics()
        pairs = [(a.value, a.where) for a in (*d.derivatives, *d.on_start) if isinstance(a, Assign)] + [(c.test, c.where) for c in d.conditions]
        blocks = [*(c.actions for c in d.conditions), *(e.actions for e in d.events)]
        pairs += [(a.value, a.where) for actions in blocks for a in actions if isinstance(a, Assign)]
        pairs += [(v.value, v.where) for v in d.derived if v.value] + [(x, v.where) for v in d.derived for c in v.cases for x in (c.condition, c.value) if x]
        for written, where in pairs:
            with catch():
                try:
                    parse(written, frozenset(), lems=True)
                except ModelError as error:
                    raise error.under(str(where)) from None


def build(path: Path, folder: Path, chosen: str, dt: float | None) -> Network:
    """The network of a file. dt in ms."""
    from portable.schemas.neuroml.annotation import kept_network

    model = load(path, folder)
    found = kept_network(model)
    if found is not None:
        return found
    simulation_component = _simulation(model)
    simulation = read_simulation(model, simulation_component) if simulation_component else None
    component, context = _target(model, simulation, chosen)
    tables = read_network(model, component) if model.extends(component.type, "network") else _alone(component)
    step = dt if dt is not None else simulation.step * 1e3 if simulation else DEFAULT_DT
    step = round(step, 12)
    recorded = [c.quantity for c in simulation.columns or simulation.displays] if simulation else []
    builder = NetworkBuilder(model, tables, step, recorded, context)
    builder.build()
    columns, selections, records = placed(builder, simulation)
    steps, cells = paths(builder)
    notes = [*((str(w), what) for w, what in model.ignored), *dict.fromkeys(builder.notes)]
    settings = RunSettings(f"{round(simulation.length * 1e3, 9)!r} ms" if simulation else None, f"{step!r} ms")
    made = Network(component.id, builder.made.values(), builder.projections, builder.injections, records, builder.links, settings=settings)
    source = LemsSource(
        model, tables, simulation, simulation_component, path, folder, tuple(columns), tuple(selections), tuple(notes), dict(builder.names), context, steps, cells, model_hash(made),
    )  # fmt: skip
    return replace(made, lems=source)


def _simulation(model: Model) -> Component | None:
    if model.target:
        found = model.components.get(model.target)
        if found is None:
            raise ModelError(model.main, f"the Target '{model.target}' does not exist", "name the id of a Simulation or network")
        if model.extends(found.type, "Simulation"):
            return found
    return next((c for c in model.of_type("Simulation")), None)


def _target(model: Model, simulation: LemsSimulation | None, chosen: str) -> tuple[Component, Component | None]:
    """The network, and the component around it if there is one."""
    id = chosen or (simulation.target if simulation else "")
    if id:
        found = model.component(id, model.main, "the network")
        if not model.extends(found.type, "network"):
            inner = next((c for c in found.children if model.extends(c.type, "network")), None)
            return (inner, found) if inner is not None else (found, None)
        return found, None
    networks = list(model.of_type("network"))
    if len(networks) == 1:
        return networks[0], None
    if networks:
        raise ModelError(model.main, f"has {len(networks)} networks: {', '.join(n.id for n in networks)[:200]}", "choose one with network=")
    cells = [c for c in model.components.values() if model.extends(c.type, "baseCell")]
    if len(cells) == 1:
        return cells[0], None
    raise ModelError(model.main, "has no network", f"it has {len(cells)} cells; put one into a <network>, or choose it with network=" if cells else "is it the right file?")


def _alone(component: Component) -> LemsNetwork:
    """A single component as a network of one."""
    return LemsNetwork(component.id, None, (Cells(component.id, component, 1, None, Where()),))
