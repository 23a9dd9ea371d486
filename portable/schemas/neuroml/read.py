"""`pt.read_neuroml`: a NeuroML or LEMS file as a Network, with what its Simulation says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from portable.dynamics.lems.instance import Builder
from portable.dynamics.lems.model import Component, Follows, Model
from portable.dynamics.lems.network import LemsNetwork, LemsPopulation, LemsSimulation
from portable.dynamics.lems.types import Where
from portable.errors import ModelError
from portable.model.network import Network
from portable.model.settings import RunSettings
from portable.resolve.digest import model_hash
from portable.schemas.neuroml.annotation import kept_network
from portable.schemas.neuroml.build import NetworkBuilder
from portable.schemas.neuroml.collect import TOO_DEEP, TOO_LARGE, Collector
from portable.schemas.neuroml.files import load
from portable.schemas.neuroml.problem import Problem
from portable.schemas.neuroml.quantities import paths, placed
from portable.schemas.neuroml.source import LemsSource
from portable.schemas.neuroml.tables import read_network, read_simulation
from portable.schemas.neuroml.typecheck import check_types
from portable.units import milliseconds

SYNAPSES = ("rules", "cells")
DEFAULT_DT = 0.1  # ms, where neither the caller nor the file says


def read_neuroml(
    path: str | os.PathLike[str],
    *,
    network: str = "",
    dt: Any = None,
    folder: str | os.PathLike[str] | None = None,
    synapses: str = "rules",
) -> Network:
    """Read NeuroML 2 (.nml, .net.nml, .net.nml.h5) or LEMS (.xml).

    network: id of the network to read, where the file has several and no Simulation chooses. dt: the step
    (ms) that delays and spike times are rounded up to; default the Simulation's, else 0.1 ms. folder:
    includes must lie inside it; default the folder of the file. synapses: "rules" makes of a synapse whose
    own states presynaptic spikes alone move (short-term plasticity) a receptor and connections that learn;
    "cells" a cell for each connection, as of other synapses with states.

    The result runs like any network. Its `settings` hold duration and dt of the Simulation, so that
    `pt.run(net)` needs neither; its `recordings` what the Simulation records, and all spikes; `origin` the
    model as it was written, and notes on what was changed.

    Raises ModelError naming file, line and element.
    """
    if synapses not in SYNAPSES:
        raise ModelError("synapses", f"unknown word {synapses!r}", f"one of {', '.join(SYNAPSES)}")
    source = Path(path)
    try:
        there = source.is_file()
    except OSError as error:  # too long, or not allowed
        raise ModelError(
            str(path)[:200], f"cannot be looked for: {error.strerror or error}", "check the path"
        ) from None
    if not there:
        raise ModelError(str(path), "there is no such file", "check the path")
    try:
        return build(
            source,
            Path(folder) if folder is not None else source.parent,
            network,
            None if dt is None else milliseconds(dt, "dt"),
            synapses == "rules",
        )
    except RecursionError:
        raise ModelError(source.name, *TOO_DEEP) from None
    except MemoryError:
        raise ModelError(source.name, *TOO_LARGE) from None


def problems(path: Path, folder: Path | None = None) -> list[Problem]:
    """Everything that is wrong in a file and what it includes, [] if nothing is: what keeps it from being
    read, every network in it, and types and components that nothing uses. What only follows from another
    mistake is left out."""
    catch = Collector(keep=True)
    with catch(Where(path.name)):
        model = load(path, folder or path.parent, catch)
        check_types(model, catch)
        _components(model, catch)
        simulation = None
        for c in model.of_type("Simulation"):
            with catch(c.where):
                simulation = read_simulation(model, c)
                model.component(simulation.target, c.where, "the target")
        with catch(model.target_where):
            _simulation(model)
        with catch():
            if kept_network(model) is not None and not catch.errors:
                return []  # is read from what was kept of it; of its own elements the types may be elsewhere
        target = simulation.target if simulation else ""
        for component in model.components.values():
            if component.id == target or model.extends(component.type, "network"):
                _network(model, component, simulation, catch)
    return catch.problems(path.name)


def _components(model: Model, catch: Collector) -> None:
    """Values of components and of what is inside them, used or not."""
    builder = Builder(model)
    for c in model.components.values():
        if not model.extends(c.type, "network") and not model.extends(c.type, "Simulation"):
            with catch(c.where):
                for i in builder.build(c).everything():
                    for name, what in i.missing.items():
                        with catch(i.where):
                            raise ModelError(str(i.where), what, f'write {name}="..."')


def _network(model: Model, component: Component, simulation: LemsSimulation | None, catch: Collector) -> None:
    before = len(catch.errors)
    with catch(component.where):
        own = simulation if simulation is not None and simulation.target == component.id else None
        found, context = _target(model, own, "", component.where) if own else (component, None)
        tables = read_network(model, found, catch) if model.extends(found.type, "network") else _alone(found)
        builder = NetworkBuilder(
            model,
            tables,
            own.step * 1e3 if own else DEFAULT_DT,
            [c.quantity for c in own.columns] if own else [],
            context,
            catch,
        )
        builder.build()
        if len(catch.errors) == before:
            placed(builder, own)


def build(path: Path, folder: Path, chosen: str, dt: float | None, rules: bool = True) -> Network:
    """The network of a file. dt in ms."""
    model = load(path, folder)
    found = kept_network(model)
    if found is not None:
        return found
    simulation_component = _simulation(model)
    simulation = read_simulation(model, simulation_component) if simulation_component else None
    at: Where | str = simulation_component.where if simulation_component and not chosen else model.main
    component, context = _target(model, simulation, chosen, at)
    tables = read_network(model, component) if model.extends(component.type, "network") else _alone(component)
    step = dt if dt is not None else simulation.step * 1e3 if simulation else DEFAULT_DT
    step = round(step, 12)
    recorded = [c.quantity for c in simulation.columns or simulation.displays] if simulation else []
    builder = NetworkBuilder(model, tables, step, recorded, context, rules=rules)
    builder.build()
    columns, selections, records = placed(builder, simulation)
    steps, cells = paths(builder)
    notes = [*((str(w), what) for w, what in model.ignored), *builder.notes.told()]
    duration = None
    if simulation is not None:
        duration = round(simulation.steps * round(simulation.step * 1e3, 12), 9)
        if abs(duration - simulation.length * 1e3) > 1e-9 * duration:
            said = f"its length is no multiple of its step: {duration:g} ms are run, as by jLEMS"
            notes.append((str(at), said))
    settings = RunSettings(None if duration is None else f"{duration!r} ms", f"{step!r} ms")
    made = Network(
        component.id,
        builder.made.values(),
        builder.projections,
        builder.injections,
        records,
        builder.links,
        settings=settings,
    )
    source = LemsSource(
        model,
        tables,
        simulation,
        simulation_component,
        path,
        folder,
        tuple(columns),
        tuple(selections),
        tuple(notes),
        builder.senders,
        context,
        steps,
        cells,
        model_hash(made),
    )
    return replace(made, origin=source)


def _simulation(model: Model) -> Component | None:
    if model.target:
        found = model.components.get(model.target)
        if found is None:
            raise (Follows if model.target in model.broken or not model.whole else ModelError)(
                str(model.target_where),
                f"the Target '{model.target[:60]}' does not exist",
                "name the id of a Simulation or network",
            )
        if model.extends(found.type, "Simulation"):
            return found
    return next((c for c in model.of_type("Simulation")), None)


def _target(
    model: Model, simulation: LemsSimulation | None, chosen: str, at: Where | str
) -> tuple[Component, Component | None]:
    """The network, and the component around it if there is one. `at`: what names it."""
    id = chosen or (simulation.target if simulation else "")
    if id:
        found = model.component(id, at, "the network")
        if not model.extends(found.type, "network"):
            inner = next((c for c in found.children if model.extends(c.type, "network")), None)
            return (inner, found) if inner is not None else (found, None)
        return found, None
    networks = list(model.of_type("network"))
    if len(networks) == 1:
        return networks[0], None
    if networks:
        raise ModelError(
            model.main,
            f"has {len(networks)} networks: {', '.join(n.id for n in networks)[:200]}",
            "choose one with network=",
        )
    cells = [c for c in model.components.values() if model.extends(c.type, "baseCell")]
    if len(cells) == 1:
        return cells[0], None
    raise ModelError(
        model.main,
        "has no network",
        f"it has {len(cells)} cells; put one into a <network>, or choose it with network="
        if cells
        else "is it the right file?",
    )


def _alone(component: Component) -> LemsNetwork:
    """A single component as a network of one."""
    return LemsNetwork(
        component.id, None, (LemsPopulation(component.id, component, 1, None, component.where),), alone=True
    )
