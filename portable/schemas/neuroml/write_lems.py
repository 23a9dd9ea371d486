"""A resolved network as NeuroML and LEMS files: a pure function from the Program to texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from portable.errors import ModelError
from portable.model.network import Network
from portable.resolve.program import (
    Approximation,
    CellGroup,
    Connections,
    Group,
    PoissonGroup,
    Program,
    TrainGroup,
)
from portable.resolve.trains import Trains
from portable.schemas.neuroml import write_attachments, write_core, write_sources
from portable.schemas.neuroml.seal import sealed
from portable.schemas.neuroml.write_annotation import annotation
from portable.schemas.neuroml.write_attachments import Shown
from portable.schemas.neuroml.write_cells import NAME, CustomType, custom_type
from portable.schemas.neuroml.write_network import (
    InputList,
    Placed,
    Projection,
    Pulses,
    input_lists,
    placed,
    projection_text,
    projections,
)
from portable.schemas.neuroml.write_notes import notes
from portable.schemas.neuroml.write_simulation import Column, Recorded, simulation
from portable.schemas.neuroml.write_synapses import NAME as RULE
from portable.schemas.neuroml.write_synapses import RuleOptions, refuse, rule_notes, subset, write_rule
from portable.schemas.neuroml.write_units import Units

NAMESPACE = "http://www.neuroml.org/schema/neuroml2"
ORDER = (  # of elements in a <neuroml>, by its XML Schema
    "pulseGenerator",
    "spikeArray",
    "IF_curr_alpha",
    "IF_curr_exp",
    "IF_cond_alpha",
    "IF_cond_exp",
    "EIF_cond_exp_isfa_ista",
    "expCondSynapse",
    "alphaCondSynapse",
    "expCurrSynapse",
    "alphaCurrSynapse",
    "SpikeSourcePoisson",
)
# populations that one of ours is split into, at most, where its cells differ; above it its cells get a type
# of our own
SPLIT = 64
EARLY = 0.01  # steps: times are written that much early, because jLEMS adds up its clock and rounds


@dataclass(frozen=True)
class LemsFiles:
    """Files by name, the one to run ("" if there is no simulation), what its output files hold, what was
    changed.

    cells: for each group, path of every cell in the network ("exc[3]" or, where a population was split,
    "exc_2[0]").
    """

    files: Mapping[str, str | bytes]
    main: str
    network: str
    recorded: Recorded
    placed: Mapping[str, Placed]
    approximations: tuple[Approximation, ...] = ()

    def path(self, group: str, cell: int) -> str:
        """The path of a cell in the network."""
        return self.placed[group].path(cell)


@dataclass
class _Parts:
    """What is collected for the files."""

    units: Units = field(default_factory=Units)
    types: dict[str, list[str]] = field(default_factory=dict)  # name -> element
    own: list[str] = field(default_factory=list)  # components of our own types
    components: list[str] = field(default_factory=list)  # of NeuroML's
    populations: list[tuple[str, str, int]] = field(default_factory=list)
    lists: list[InputList] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)
    notes: list[Approximation] = field(default_factory=list)
    customs: dict[tuple[str, ...], str] = field(default_factory=dict)
    cells: dict[str, tuple[str, CustomType]] = field(default_factory=dict)  # group -> its own type, and that


@dataclass(frozen=True)
class _Options:
    types: str
    timing: str
    inputs: str
    split: int
    dt: float
    steps: int | None
    names: tuple[str, ...]  # of the groups

    def prefix(self, name: str) -> str:
        """What the ids made for a group begin with: "exc_", longer where a group "exc_x" could have the same
        ids.
        """
        found = name + "_"
        while any(other != name and (other + "_").startswith(found) for other in self.names):
            found += "_"
        return found

    @property
    def exact(self) -> bool:
        return self.timing == "steps"


def write_lems(
    program: Program,
    *,
    steps: int | None = None,
    network: Network | None = None,
    types: str = "auto",
    timing: str = "steps",
    inputs: str = "frozen",
    split: int = SPLIT,
    hdf5_above: int | None = None,
) -> LemsFiles:
    """The files of a resolved network.

    steps: length of the simulation; None writes no simulation file (and Poisson sources as NeuroML's, drawn
    by the simulator).
    network: kept whole in an annotation, from which `network_from_annotation` restores it.
    types: "auto" (NeuroML's own cells where they do the same), "core" (also where they are only nearly the
    same), "custom" (own types only).
    timing: "steps" writes delays, refractory periods and times so that jLEMS at this dt acts in the same
    steps as we do; "nominal" writes the model's numbers, which jLEMS takes up to one step differently.
    inputs: "frozen" or "native" Poisson trains.
    hdf5_above: networks with more connections are also written as HDF5.

    Raises ModelError for what LEMS cannot say.
    """
    _known("types", types, ("auto", "core", "custom"))
    _known("timing", timing, ("steps", "nominal"))
    _known("inputs", inputs, ("frozen", "native"))
    _refuse(program)
    options = _Options(
        types,
        timing,
        inputs if steps is not None else "native",
        split,
        program.dt,
        steps,
        tuple(g.name for g in program.groups),
    )
    parts = _Parts(notes=list(program.approximations))
    for g in program.groups:
        parts.placed[g.name] = _group(g, program, options, parts)
    _currents(program, options, parts)
    core = [g.name for g in program.cells if parts.placed[g.name].weight != 1.0]
    parts.notes += notes(program, core, EARLY if options.exact else 0.0)
    name = identifier(program.name)
    files, net = _network_files(name, program, network, options, parts, hdf5_above)
    main, recorded = "", Recorded()
    if steps is not None:
        main = f"LEMS_{name}.xml"
        files[main], recorded = simulation(
            name, program, steps, parts.placed, [f for f in (f"{name}.types.xml", net) if f in files]
        )
    if network is not None:
        files = sealed(files, net)
    return LemsFiles(files, main, net, recorded, parts.placed, tuple(parts.notes))


def _known(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ModelError(name, f"unknown word {word!r}", f"one of {', '.join(words)}")


def _refuse(program: Program) -> None:
    if getattr(program, "links", ()):
        raise ModelError(
            f"network '{program.name}'.links",
            "continuous coupling between cells is not written as NeuroML",
            "leave the links out",
        )
    for c in program.connections:
        if c.learning is not None:
            refuse(c)
    for g in program.cells:
        if getattr(g.flat, "inputs", None):
            raise ModelError(
                f"population '{g.name}'",
                "its cells have inputs that links feed, which are not written as NeuroML",
                "use cells without inputs",
            )


def identifier(text: str) -> str:
    """A name that NeuroML takes: letters, digits and _, no digit first."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if re.match(r"[A-Za-z_]", name) else f"n_{name}"


# -- groups


def _group(g: Group, program: Program, o: _Options, parts: _Parts) -> Placed:
    if isinstance(g, CellGroup):
        recorded = frozenset(t.variable for t in program.traces if t.group == g.name)
        core = None
        learns = any(c.learning is not None and c.post == g.name for c in program.connections)
        if (
            o.types != "custom" and not learns
        ):  # synapses with a rule show themselves to cells of our own type
            core = write_core.core_cells(
                g,
                recorded,
                o.dt,
                0.5 if o.exact else 0.0,
                o.types == "core",
                g.size if o.types == "core" else o.split,
            )
        where = _core(g, core, o, parts) if core is not None else _custom(g, o, parts)
    else:
        where = _sources(g, o, parts)
    parts.populations += where.populations
    return where


def _core(g: CellGroup, core: write_core.CoreCells, o: _Options, parts: _Parts) -> Placed:
    populations, synapses, counts = [], [], np.bincount(core.part, minlength=len(core.sets))
    made: dict[tuple[str, str], str] = {}
    for n, attributes in enumerate(core.sets):
        name, prefix = (
            (g.name, o.prefix(g.name))
            if len(core.sets) == 1
            else (f"{o.prefix(g.name)}{n}", f"{o.prefix(g.name)}{n}_")
        )
        parts.components.append(f'  <{core.type} id="{prefix}cell" {_attributes(attributes)}/>\n')
        ports = {}
        for port, (kind, numbers) in core.synapses[n].items():
            key = (port, _attributes(numbers))
            if key not in made:
                made[key] = f"{prefix}{port}"
                parts.components.append(f'  <{kind} id="{made[key]}" {key[1]}/>\n')
            ports[port] = made[key]
        populations.append((name, f"{prefix}cell", int(counts[n])))
        synapses.append(ports)
    one = len(core.sets) == 1
    late = 1.0 if o.exact else 0.0
    return Placed(
        tuple(populations),
        None if one else core.part,
        None if one else placed(core.part),
        tuple(synapses),
        write_core.WEIGHT,
        late,
        shown_late=1,
    )


def _attributes(numbers: Mapping[str, str]) -> str:
    return " ".join(f'{k}="{v}"' for k, v in numbers.items())


def _custom(g: CellGroup, o: _Options, parts: _Parts) -> Placed:
    made = custom_type(g, parts.units, o.dt)
    if made.lines not in parts.customs:
        name = parts.customs[made.lines] = _unused(f"{identifier(g.flat.base)}_cell", parts.types)
        parts.types[name] = [line.replace(NAME, name) for line in made.lines]
    kind = parts.customs[made.lines]
    parts.cells[g.name] = kind, made
    numbers = {n: parts.units.number(v, d) for n, (d, v) in made.values.same.items()}
    prefix = o.prefix(g.name)
    parts.own.append(f'<{kind} id="{prefix}cell" {_attributes(numbers)}/>')
    ports = {port: f"{prefix}to_{port}" for port in made.ports}
    parts.own += [
        f'<{kind}_to_{port} id="{ports[port]}" unit="{parts.units.number(1.0, d)}"/>'
        for port, d in made.ports.items()
    ]
    where = Placed(((g.name, f"{prefix}cell", g.size),), synapses=(ports,), pulse=f"{kind}_pulse")
    for name, (d, values) in made.values.varying.items():
        identity = f"{prefix}with_{name}"
        parts.own.append(f'<{kind}_with_{name} id="{identity}" unit="{parts.units.number(1.0, d)}"/>')
        parts.lists += input_lists(identity + "_list", identity, where, np.arange(g.size), np.asarray(values))
    for port in made.approximate_ports:
        parts.notes.append(
            Approximation(
                f"population '{g.name}'.{port}",
                "each arriving spike changes the states that the next one reads",
                "arrivals of one step count as one with the summed weight",
                "none where at most one spike arrives in a step",
                "LEMS hands a cell the sum over its synapses",
            )
        )
    return where


def _unused(name: str, taken: Mapping[str, object]) -> str:
    n, found = 1, name
    while found in taken:
        n += 1
        found = f"{name}_{n}"
    return found


def _sources(g: PoissonGroup | TrainGroup, o: _Options, parts: _Parts) -> Placed:
    early = EARLY if o.exact else 0.0
    if isinstance(g, PoissonGroup) and o.inputs == "native":
        made = write_sources.native(g, o.prefix(g.name), o.dt)
        parts.notes.append(
            Approximation(
                f"population '{g.name}'",
                "the Poisson trains of this seed",
                "a SpikeSourcePoisson, drawn by the simulator",
                "other spikes of the same statistics",
                "trains are written out only with the length of a simulation",
            )
        )
    else:
        endless = o.steps is None
        train = g if isinstance(g, TrainGroup) and endless else Trains(g, o.dt).given(o.steps or 0)
        most = {"auto": o.split, "core": g.size, "custom": 0}[o.types]
        made = write_sources.trains(train, o.prefix(g.name), o.dt, early, most)
    if made.own:
        parts.types[write_attachments.SPIKE], parts.types[write_attachments.SOURCE] = (
            write_attachments.source_types()
        )
    parts.components += made.components
    parts.own += made.own
    parts.lists += made.lists
    return made.placed


def _currents(program: Program, o: _Options, parts: _Parts) -> None:
    pulses = Pulses()
    for n, c in enumerate(program.currents):
        last = int(1e9 / o.dt) if o.steps is None else o.steps + 2
        pulses.add(
            c,
            f"{o.prefix(c.group)}current_{n}",
            parts.placed[c.group],
            o.dt,
            0.5 if o.exact else 0.0,
            max(last, int(c.steps[-1]) + 1 if c.steps.size else 0),
        )
    parts.components += pulses.components
    parts.own += pulses.own
    parts.lists += pulses.lists


# -- connections


def _projections(
    c: Connections, n: int, program: Program, o: _Options, parts: _Parts, early: float
) -> Iterator[Projection]:
    pre, post, name = parts.placed[c.pre], parts.placed[c.post], f"projection_{n}"
    if c.learning is None:
        yield from projections(c, pre, post, o.dt, early, name)
        return
    if not c.count:
        return
    kind, cells = parts.cells[c.post]
    repeats = _repeats(program.group(c.pre), o)
    how = RuleOptions(o.dt, o.exact, early, o.split, repeats)
    shown = Shown(kind, cells.shown.names)
    made = write_rule(c, shown, cells.arrived[c.port], cells.counts.get(c.port, ""), parts.units, how)
    parts.notes += rule_notes(c, how)
    if made.lines not in parts.customs:
        type_name = _unused(f"{kind}_to_{c.port}_by_{identifier(c.learning.rule.name)}", parts.types)
        parts.customs[made.lines] = type_name
        parts.types[type_name] = [line.replace(RULE, type_name) for line in made.lines]
    for k, group in enumerate(made.groups):
        id = f"{o.prefix(c.post)}learning_{n}" + (f"_{k}" if len(made.groups) > 1 else "")
        parts.own.append(f'<{parts.customs[made.lines]} id="{id}" {_attributes(group.attributes)}/>')
        there = replace(post, synapses=({c.port: id},))
        own = name if len(made.groups) == 1 else f"{name}_{k}"
        yield from projections(subset(c, group.chosen), pre, there, o.dt, early, own)


def _repeats(g: Group, o: _Options) -> int:
    """The most spikes that one of the sources has in a step of the simulation."""
    if isinstance(g, CellGroup) or (
        isinstance(g, PoissonGroup) and (o.inputs == "native" or o.steps is None)
    ):
        return 1
    train = g if isinstance(g, TrainGroup) else Trains(g, o.dt).given(o.steps or 0)
    if not train.steps.size:
        return 1
    source = np.repeat(np.arange(g.size), np.diff(train.indptr))
    first = np.flatnonzero((np.diff(source, prepend=-1) != 0) | (np.diff(train.steps, prepend=-1) != 0))
    return int(np.diff(np.append(first, source.size)).max())


# -- files


def _network_files(
    name: str, program: Program, network: Network | None, o: _Options, parts: _Parts, hdf5_above: int | None
) -> tuple[dict[str, str | bytes], str]:
    files: dict[str, str | bytes] = {}
    early = EARLY if o.exact else 0.0
    blocks = [
        p
        for n, c in enumerate(program.connections)
        for p in _projections(c, n, program, o, parts, early)
        if p.size
    ]
    if parts.types:
        files[f"{name}.types.xml"] = _types_text(parts)
    head = f'<neuroml xmlns="{NAMESPACE}" id="{name}">\n'
    top = [head, annotation(network) if network is not None else "", *sorted(parts.components, key=_place)]
    if hdf5_above is not None and sum(p.size for p in blocks) > hdf5_above:
        from portable.schemas.neuroml.write_hdf5 import hdf5, losses

        parts.notes += losses(blocks, parts.lists, o.dt)
        parts.placed = {n: replace(p, listed=True) for n, p in parts.placed.items()}
        rest = "".join([*top, "</neuroml>\n"])  # without declaration, which libNeuroML does not take there
        files[f"{name}.net.nml.h5"] = hdf5(name, parts.populations, blocks, parts.lists, rest)
        return files, f"{name}.net.nml.h5"
    files[f"{name}.net.nml"] = "".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            *top,
            *_network_text(name, parts, blocks),
            "</neuroml>\n",
        ]
    )
    return files, f"{name}.net.nml"


def _place(component: str) -> int:
    return ORDER.index(component.split(None, 1)[0].lstrip("<").rstrip(">"))


def _network_text(name: str, parts: _Parts, blocks: list[Projection]) -> Iterator[str]:
    yield f'  <network id="{name}_net">\n'
    for identity, component, size in parts.populations:
        yield f'    <population id="{identity}" component="{component}" size="{size}"/>\n'
    yield from (projection_text(p) for p in blocks)
    yield from (x.text() for x in parts.lists)
    yield "  </network>\n"


def _types_text(parts: _Parts) -> str:
    lines = [f"  {line}" for element in parts.types.values() for line in element]
    declared = [f"  {line}" for line in parts.units.elements()]
    includes = [f'  <Include file="{f}"/>' for f in ("Cells.xml", "Synapses.xml", "Inputs.xml")]
    return "\n".join(["<Lems>", *includes, *declared, *lines, *(f"  {c}" for c in parts.own), "</Lems>", ""])


__all__ = ["Column", "LemsFiles", "identifier", "replace", "write_lems"]
