"""The files of a network that was read from NeuroML and not changed since: its L1 model as it was written, in
a tidy order.

All that the elements hold is kept: notes, annotations, attributes with a namespace. Pure NeuroML goes into
<id>.net.nml, everything of the user's own types into the LEMS file that includes it.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from lxml import etree

from portable.dynamics.lems.model import Component, Model
from portable.resolve.program import CellGroup, Program
from portable.schemas.neuroml.hdf5 import Hdf5Network
from portable.schemas.neuroml.source import LemsSource
from portable.schemas.neuroml.write_lems import LemsFiles
from portable.schemas.neuroml.write_simulation import Column, Recorded
from portable.schemas.neuroml.xml import name
from portable.schemas.neuroml.xsd import document_order
from portable.units import coherent_power

NAMESPACE = "http://www.neuroml.org/schema/neuroml2"
_NEUROML = (NAMESPACE, "http://www.neuroml.org/lems/0.7.6", "http://www.neuroml.org/schema/neuroml2")
CORE = ("Cells.xml", "Networks.xml", "Simulation.xml", "PyNN.xml")


def plain(element: Any) -> Any:
    """A copy of an element without NeuroML's and LEMS' namespaces; others stay."""
    made = copy.deepcopy(element)
    made.tail = None
    for e in made.iter():
        if isinstance(e.tag, str) and e.tag.startswith("{") and e.tag[1:].partition("}")[0] in _NEUROML:
            e.tag = e.tag.rpartition("}")[2]
    etree.cleanup_namespaces(made)
    return made


def shown(element: Any) -> str:
    """An element as text, indented by two."""
    made = plain(element)
    etree.indent(made, "  ", level=1)
    return "  " + str(etree.tostring(made, encoding="unicode"))


def pure(model: Model, component: Component) -> bool:
    """Whether a component and all in it are of core types."""
    return component.type not in model.own_types and all(pure(model, c) for c in component.children)


def declarations(model: Model) -> list[str]:
    """Dimensions, units, constants and component types of the user's files, in order."""
    wanted = ("Dimension", "Unit", "Constant", "ComponentType")
    return [shown(e) for root in model.files.values() for e in root if name(e) in wanted]


def remarks(model: Model) -> list[str]:
    """Notes and annotations of the files themselves."""
    return [
        shown(e)
        for root in model.files.values()
        if name(root) == "neuroml"
        for e in root
        if name(e) in ("notes", "annotation", "property")
    ]


def network_files(source: LemsSource) -> tuple[dict[str, str | bytes], str]:
    """The files but the simulation's, and what a LEMS file must hold to have them all."""
    model = source.model
    simulations = {c.id for c in model.of_type("Simulation")}
    tables = [c.element for c in model.components.values() if isinstance(c.element, Hdf5Network)]
    apart = {t.file for t in tables}  # HDF5 files go along as they are, with all that is in them
    components = [
        c for c in model.components.values() if c.id not in simulations and c.where.file not in apart
    ]
    place = {tag: n for n, tag in enumerate(document_order())}
    clean = sorted((c for c in components if pure(model, c)), key=lambda c: place.get(c.tag, len(place)))
    rest = [c for c in components if not pure(model, c)]
    main = f"{source.network.id}.net.nml"
    body = [*remarks(model), *(shown(c.element) for c in clean)]
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<neuroml xmlns="{NAMESPACE}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="{source.network.id}_file">'
    )
    files: dict[str, str | bytes] = {main: "\n".join([head, *body, "</neuroml>", ""])}
    own = [*declarations(model), *(shown(c.element) for c in rest)]
    includes = (
        [main, *(Path(t.file).name for t in tables)]
        if clean or not tables
        else [Path(t.file).name for t in tables]
    )
    files |= {Path(t.file).name: t.path.read_bytes() for t in tables}
    if main not in includes:
        del files[main]
    return files, "\n".join([*(f'  <Include file="{f}"/>' for f in includes), *own])


def lems(source: LemsSource, simulation: str, target: str) -> LemsFiles:
    """All files, with a Simulation element given as text."""
    files, body = network_files(source)
    main = f"LEMS_{source.network.id}.xml"
    head = ["<Lems>", f'  <Target component="{target}"/>', *(f'  <Include file="{f}"/>' for f in CORE)]
    files[main] = "\n".join([*head, body, simulation, "</Lems>", ""])
    return LemsFiles(files, main, source.network.id, Recorded(), {})


def as_written(source: LemsSource) -> LemsFiles:
    """The files with the Simulation of the original, if it has one."""
    c = source.simulation_component
    return network_only(source) if c is None else lems(source, shown(c.element), c.id)


def network_only(source: LemsSource) -> LemsFiles:
    """The files without a Simulation."""
    files, body = network_files(source)
    if "ComponentType" in body:
        files[f"{source.network.id}.lems.xml"] = "\n".join(
            ["<Lems>", *(f'  <Include file="{f}"/>' for f in CORE), body, "</Lems>", ""]
        )
    return LemsFiles(files, "", source.network.id, Recorded(), {})


def for_run(source: LemsSource, program: Program, steps: int) -> LemsFiles:
    """The files with a Simulation of `steps` steps that records what the program does."""
    lines, spikes, columns = [], dict[str, tuple[str, tuple[int, ...]]](), list[Column]()
    for n, t in enumerate(program.traces):
        group = program.group(t.group)
        assert isinstance(group, CellGroup)
        power = coherent_power(next(s.dimension for s in group.flat.states if s.name == t.variable))
        file = f"trace{n}.dat"
        lines.append(f'    <OutputFile id="trace{n}" fileName="{file}">')
        for k, cell in enumerate(t.ids.tolist()):
            lines.append(
                f'      <OutputColumn id="c{k}" quantity="{source.path_of(t.group, cell, t.variable)}"/>'
            )
            columns.append(Column(file, k + 1, t.group, t.variable, cell, power))
        lines.append("    </OutputFile>")
    for n, (group_name, ids) in enumerate(program.spikes.items()):
        paths = [source.path_of(group_name, int(i), "") for i in ids]
        if any(not p for p in paths):
            continue  # a source that stands for an input's own spikes has no cell in the file
        file = f"spikes{n}.spikes"
        spikes[file] = (group_name, tuple(int(i) for i in ids))
        lines.append(f'    <EventOutputFile id="events{n}" fileName="{file}" format="TIME_ID">')
        lines += [
            f'      <EventSelection id="{k}" select="{p}" eventPort="spike"/>' for k, p in enumerate(paths)
        ]
        lines.append("    </EventOutputFile>")
    target = source.context.id if source.context is not None else source.network.id
    network = ""
    if source.network.alone:  # jLEMS selects no events of a component by itself
        (cells,) = source.network.populations
        target = "portable_network"
        network = (
            f'  <network id="{target}"><population id="{cells.id}" component="{cells.component.id}" '
            'size="1"/></network>\n'
        )
    head = (
        f'  <Simulation id="portable_run" length="{steps * program.dt!r}ms" step="{program.dt!r}ms" '
        f'target="{target}"{_seed(source)}>'
    )
    made = lems(source, network + "\n".join([head, *lines, "  </Simulation>"]), "portable_run")
    return LemsFiles(made.files, made.main, made.network, Recorded(spikes, tuple(columns)), {})


def _seed(source: LemsSource) -> str:
    seed = source.simulation.seed if source.simulation else None
    return "" if seed is None else f' seed="{seed}"'
