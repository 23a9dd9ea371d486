"""L1 network -> pt.Network. Cells and what is attached to them are flattened; what a synapse keeps for each
connection, and continuous connections, become groups with links. Nothing here knows a cell, channel or
synapse type by name; spike trains, Poisson sources and current pulses are recognised (sources.py), since
every backend has its own, faster form of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from portable.dynamics.lems.flat_model import Attached, FlatModel
from portable.dynamics.lems.flatten import Flattener
from portable.dynamics.lems.instance import Builder, Instance
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.names import identifier, unused
from portable.dynamics.lems.network import Continuous, Events, Inputs, Ints, LemsNetwork, LemsPopulation
from portable.errors import ModelError
from portable.model.cells import Cell, CellType
from portable.model.connectors import Explicit, StaticSynapse
from portable.model.limits import MAX_DELAY
from portable.model.network import Injection, Link, Population, Projection, View
from portable.model.sources import DCSource, SpikeSourceArray
from portable.model.synapses import SynapseType
from portable.model.values import Array
from portable.schemas.neuroml import sources
from portable.schemas.neuroml.celltype import make
from portable.schemas.neuroml.collect import Collector
from portable.schemas.neuroml.notes import Notes
from portable.schemas.neuroml.plastic import stripped
from portable.schemas.neuroml.start import Start
from portable.schemas.neuroml.synapses import Attacher, Site, Synapse, first_port, site, symbol_of
from portable.units import Floats

PARTS = {  # what has no cells in it
    "network": "a network",
    "Simulation": "a Simulation",
    "basePointCurrent": "a synapse or an input",
    "basePointCurrentDL": "a synapse or an input",
    "baseIonChannel": "an ion channel",
}


@dataclasses.dataclass
class Edge:
    """A group with one element per connection: of which components, on which population's cells (by
    connection).
    """

    population: str
    instances: tuple[Instance, ...]
    flat: FlatModel
    cells: tuple[Ints, ...]  # the cell that each instance sits on
    posts: tuple[str, ...]  # and the population


class NetworkBuilder:
    """Collects populations, projections, injections and links."""

    def __init__(
        self,
        model: Model,
        network: LemsNetwork,
        dt: float,
        recorded: Iterable[str],
        context: Component | None,
        catch: Collector | None = None,
        rules: bool = True,
    ) -> None:
        self.catch = catch or Collector()
        self.model, self.network, self.dt = model, network, dt
        self.builder = Builder(model)
        self.temperature = network.temperature
        self.context = self._context(context)
        self.attach = Attacher(model, self.builder)
        self.rules = rules
        self.recorded = tuple(recorded)
        self.sizes = {p.id: p.size for p in network.populations}
        self.sites: dict[str, Site] = {}
        self.sources: dict[str, Any] = {}
        self.names: dict[str, str] = {}  # what the file calls it, or a group of ours -> its population
        self.senders: dict[str, str | int] = {}  # as in LemsSource
        self.taken = set[str]()
        self.kinds: dict[str, CellType] = {}
        self.made: dict[str, Population] = {}
        self.projections: list[Projection] = []
        self.injections: list[Injection] = []
        self.links: list[Link] = []
        self.edges: list[Edge] = []
        self.masks: dict[str, dict[str, Floats]] = {}
        self._later: list[tuple[DCSource, str, Ints]] = []
        self._weighted: dict[str, list[Instance]] = {}
        self.notes = Notes((network.id, x) for x in network.ignored)

    def _context(self, component: Component | None) -> Instance | None:
        if component is None:
            return None
        own = dataclasses.replace(
            component,
            children=tuple(c for c in component.children if not self.model.extends(c.type, "network")),
        )
        return self.builder.build(own)

    # -- the whole

    def build(self) -> None:
        before = len(self.catch.errors)
        for p in self.network.populations:
            with self.catch(p.where):
                self._start(p)
        failed = {
            p.id
            for p in self.network.populations
            if p.size and p.id not in self.made and p.id not in self.sites
        }
        events = list(self.network.events)
        for number, x in enumerate(self.network.inputs):
            if x.population in failed:
                continue
            with self.catch(x.where):
                events += self._input(number, x)
        for e in events:
            with self.catch(e.where):
                self._synapse(e)
        for c in self.network.continuous:
            with self.catch(c.where):
                self._linked(c)
        for p in self.network.populations:
            if p.id in self.sites:
                with self.catch(p.where):
                    self._cells(p)
        if len(self.catch.errors) > before:
            return  # what follows needs all of them
        for e in events:
            with self.catch(e.where):
                self._connect(e)
        for c in self.network.continuous:
            with self.catch(c.where):
                self._continuous(c)

    def _start(self, p: LemsPopulation) -> None:
        name = self._name(p.id)
        self.names[p.id] = name
        self.senders[name] = p.id
        if p.size == 0:
            self.notes.append(str(p.where), f"population '{p.id}' has no cells and is left out")
            return
        part = next((what for base, what in PARTS.items() if self.model.extends(p.component.type, base)), "")
        if part:
            raise ModelError(
                str(p.where),
                f"its component '{p.component.id}' is {part}, and a population holds cells or sources of "
                "spikes",
                "name a cell",
            )
        source = sources.spikes(
            self.builder,
            p.component,
            self.dt,
            any(f"{p.id}[" in r or f"{p.id}/" in r for r in self.recorded),
            self.notes,
        )
        if source is not None:
            self.made[p.id] = Population(name, p.size, source)
            return
        cell = self.builder.build(p.component, parent=self.context)
        self.sites[p.id] = site(cell, self.temperature, self.model.scope)

    def _name(self, id: str) -> str:
        name = unused(id, self.taken)
        self.taken.add(name)
        return name

    # -- inputs

    def _input(self, number: int, x: Inputs) -> list[Events]:
        """Attach an input; those that are spikes into a synapse become a source and a projection."""
        if x.population not in self.sites:
            raise ModelError(
                str(x.where),
                f"population '{x.population}' is a source of spikes and takes no input",
                "put the input on cells",
            )
        s = self.sites[x.population]
        slot = self.attach.slot(s, x.component, x.destination, x.where)
        watched = any(f"/{x.component.id}/" in r and x.population in r for r in self.recorded)
        pulse = (
            None
            if watched or s.attached.current != slot
            else sources.pulse(self.builder, x.component, self.dt)
        )
        if pulse is not None:
            self.injections += self._pulse(x, *pulse)
            return []
        train = (
            None
            if watched
            else sources.into_synapse(self.model, self.builder, x.component, self.dt, self.notes)
        )
        if train is not None:
            source, synapse = train
            name = self._name(f"{x.component.id}_{x.population}")
            id = f"{name} (input)"
            self.names[id] = name
            self.senders[name] = number
            self.made[id] = Population(name, int(x.ids.size), source)
            return [
                Events(
                    name,
                    synapse,
                    id,
                    x.population,
                    np.arange(x.ids.size),
                    x.ids,
                    x.weights,
                    None,
                    "",
                    x.destination,
                    x.where,
                )
            ]
        self._folded(x, s, slot)
        return []

    def _pulse(self, x: Inputs, amplitude: float, start: float, stop: float) -> list[Injection]:
        values = np.full(x.ids.size, amplitude) * (1.0 if x.weights is None else x.weights)
        same = bool(np.all(values == values[0]))
        source = DCSource(
            f"{float(values[0])!r} pA" if same else Array(values, "pA"), f"{start!r} ms", f"{stop!r} ms"
        )
        self._later.append((source, x.population, x.ids))
        return []

    def _folded(self, x: Inputs, s: Site, slot: str) -> None:
        rank = np.zeros(x.ids.size, dtype=np.int64)
        seen: dict[int, int] = {}
        for n, cell in enumerate(x.ids.tolist()):
            rank[n] = seen.get(cell, 0)
            seen[cell] = int(rank[n]) + 1
        before = sum(1 for i in s.everything_attached() if i.component is x.component)
        size = self.sizes[x.population]
        for r in range(int(rank.max(initial=-1)) + 1):
            made, mask = self.attach.input(s, x.component, slot, r + before)
            mine = rank == r
            on = np.zeros(size)
            on[x.ids[mine]] = 1.0
            values = self.masks.setdefault(x.population, {})
            values[mask] = on
            if x.weights is not None:
                if "weight" not in made.values:
                    raise ModelError(
                        str(x.where),
                        f"'{x.component.id}' has no weight to set",
                        "use input instead of inputW",
                    )
                weights = np.ones(size)
                weights[x.ids[mine]] = x.weights[mine]
                values[f"weight of {id(made)}"] = weights
        self._weighted.setdefault(x.population, []).extend(
            i for i in s.everything_attached() if i.component is x.component
        )

    # -- synapses and cells

    def _synapse(self, e: Events) -> None:
        if e.post in self.made and e.post not in self.sites:
            raise ModelError(
                str(e.where),
                f"population '{e.post}' is a source of spikes and takes no input",
                "connect from it, not to it",
            )
        if e.post not in self.sites or e.synapse is None:
            return
        watched = any(
            f"/{e.synapse.id}/" in r or f":{e.synapse.id}:" in r for r in self.recorded if e.post in r
        )
        several = watched and np.unique(e.post_ids).size < e.post_ids.size
        made = self.attach.synapse(
            self.sites[e.post],
            e.synapse,
            e.target_port,
            e.destination,
            e.where,
            alone=several,
            rules=self.rules and not watched,
        )
        if made.could:
            why = "is recorded, so each of its connections is a cell, slower than a rule of connections"
            self.notes.append(str(e.synapse), why)

    def _linked(self, c: Continuous) -> None:
        for component, population in ((c.pre_component, c.pre), (c.post_component, c.post)):
            if population in self.sites:
                s = self.sites[population]
                s.link(self.attach.slot(s, component, "", c.where))

    def _cells(self, p: LemsPopulation) -> None:
        s = self.sites[p.id]
        compartments = _compartments(s.cell, self.model)
        if compartments > 1:  # is kept, and not run by its equations: they stand for the first
            del s.cell.children["morphology"].lists["segments"][1:]
        s.flat = Flattener(self.model, [s.cell], attached=s.attached, complete=compartments == 1).flatten()
        self.notes.extend(s.flat.notes)
        for x in s.synapses.values():
            if x.rule is not None:
                stripped(s.flat, x.instance, x.port, x.rule.states)
        if compartments == 1:
            start = Start(s.flat, dict.fromkeys(s.flat.inputs, 0.0))  # nothing is linked yet
            start.check([*s.cell.everything(), *_above(s.cell)])
            s.start = start.values
        kind = self._kind(p.component.id, self.names[p.id], s.flat, compartments)
        parameters: dict[str, Any] = {}
        for key, values in self.masks.get(p.id, {}).items():
            name = key
            if key.startswith("weight of "):
                made = next(i for i in self._weighted[p.id] if key == f"weight of {id(i)}")
                name = s.flat.symbol(made, "weight")
            if name in s.flat.parameters:
                parameters[name] = float(values[0]) if bool(np.all(values == values[0])) else Array(values)
        self.made[p.id] = Population(self.names[p.id], p.size, kind(**parameters))
        self.injections += [
            Injection(source, self._view(p.id, ids))
            for source, population, ids in self._later
            if population == p.id
        ]

    def _kind(self, id: str, where: str, flat: FlatModel, compartments: int = 1) -> CellType:
        """The cell type of a component, named like it; where the same component is another type elsewhere,
        since other things are attached to it there, named like the population, too.
        """
        for name in (identifier(id), unused(f"{id}_{where}", self.kinds)):
            kind = make(name, flat, compartments)
            if self.kinds.setdefault(name, kind) == kind:
                break
        return kind

    def _view(self, id: str, ids: Ints) -> Population | View:
        p = self.made[id]
        return p if ids.size == p.size and bool(np.all(ids == np.arange(p.size))) else p[ids]

    # -- connections

    def _connect(self, e: Events) -> None:
        if e.pre not in self.made or e.post not in self.made:
            return
        pre, post = self.made[e.pre], self.made[e.post]
        weights = np.ones(e.pre_ids.size) if e.weights is None else e.weights
        delay = self._delays(e)
        if e.synapse is None:
            self._project(
                e,
                pre,
                post,
                e.pre_ids,
                e.post_ids,
                weights,
                delay,
                identifier(e.target_port or self._first_port(e)),
            )
            return
        s = self.sites[e.post]
        slot = self.attach.slot(s, e.synapse, e.destination, e.where)
        synapse = s.synapses[e.synapse.id, e.target_port, slot]
        if synapse.folded:
            kind = None
            if synapse.rule is not None:
                kind = synapse.rule.singly if _repeats(pre, self.dt) else synapse.rule.kind
            self._project(e, pre, post, e.pre_ids, e.post_ids, weights, delay, synapse.port, kind)
        else:
            self._separate(e, s, synapse, weights, delay)

    def _first_port(self, e: Events) -> str:
        flat = self.sites[e.post].flat
        assert flat is not None
        if not flat.events:
            raise ModelError(str(e.where), f"the cells of '{e.post}' take no events", "name a synapse=")
        return next(iter(flat.events))

    def _project(
        self,
        e: Events,
        pre: Population,
        post: Population,
        i: Ints,
        j: Ints,
        weights: Floats,
        delay: Any,
        port: str,
        rule: SynapseType | None = None,
    ) -> None:
        same = weights.size and bool(np.all(weights == weights[0]))
        synapse = (rule or StaticSynapse)(float(weights[0]) if same else Array(weights), delay)
        self.projections.append(
            Projection(pre, post, Explicit(i, j), synapse, port, f"{e.id}: {pre.name}->{post.name}/{port}")
        )

    def _delays(self, e: Events) -> Any:
        """Delays in ms, rounded up to whole steps, at least one: an event acts in the first step at or after
        its time, as in jLEMS.
        """
        given = np.zeros(e.pre_ids.size) if e.delays is None else e.delays * 1e3
        steps = np.maximum(np.ceil(given / self.dt - 1e-6), 1.0)
        if steps.max(initial=0.0) > MAX_DELAY:
            raise ModelError(
                str(e.where),
                f"delays must be at most {MAX_DELAY} steps of {self.dt:g} ms, got {given.max():g} ms",
                "is the unit right? Else use a larger dt=",
            )
        off = np.abs(steps * self.dt - given)
        if off.max(initial=0.0) > 1e-9:
            why = f"delays are whole steps of {self.dt:g} ms, at least one"
            self.notes.changed(str(e.where), why, float(off.max()))
        delays = np.round(steps * self.dt, 9)
        return (
            f"{float(delays[0])!r} ms"
            if delays.size and bool(np.all(delays == delays[0]))
            else Array(delays, "ms")
        )

    def _separate(self, e: Events, s: Site, synapse: Synapse, weights: Floats, delay: Any) -> None:
        """A group with one instance per connection."""
        flat = self.attach.alone(s, synapse.instance, synapse.slot)
        self.notes.extend(flat.notes)
        size, name = int(e.pre_ids.size), self._name(f"{e.id}_{e.synapse.id if e.synapse else ''}")
        kind = self._kind(synapse.component.id, name, flat)
        weight = flat.symbol(synapse.instance, "weight")
        parameters: dict[str, Any] = {weight: Array(weights)} if weight in flat.parameters else {}
        population = self._edge(
            name,
            Population(name, size, kind(**parameters)),
            (synapse.instance,),
            flat,
            (e.post_ids,),
            (e.post,),
            (synapse.slot,),
        )
        port = self._port(flat, synapse, e)
        self._project(e, self.made[e.pre], population, e.pre_ids, np.arange(size), weights, delay, port)
        for _, theirs, lag in synapse.back:
            back = dataclasses.replace(e, id=f"{e.id} (back)", delays=np.full(size, lag))
            self._project(
                back,
                self.made[e.post],
                population,
                e.post_ids,
                np.arange(size),
                np.ones(size),
                self._delays(back) if lag > 0 else f"{self.dt!r} ms",
                identifier(theirs),
            )
            if lag > 0:
                continue
            why = f"sees the spikes of its own cell one step of {self.dt:g} ms later"
            self.notes.append(str(synapse.component), why)

    @staticmethod
    def _port(flat: FlatModel, synapse: Synapse, e: Events) -> str:
        wanted = first_port(flat, e.target_port)
        if wanted not in flat.events:
            raise ModelError(
                str(synapse.component),
                f"a {synapse.component.type} does nothing when an event arrives at '{wanted}'",
                "choose a synapse with OnEvent",
            )
        return wanted

    def _edge(
        self,
        name: str,
        population: Population,
        instances: tuple[Instance, ...],
        flat: FlatModel,
        cells: tuple[Ints, ...],
        posts: tuple[str, ...],
        slots: tuple[str, ...],
    ) -> Population:
        """Register a group, link what it reads of cells, and what cells take of it."""
        self.names[f"{name} (group)"] = name
        self.made[f"{name} (group)"] = population
        self.edges.append(Edge(name, instances, flat, cells, posts))
        self._started(instances, flat, posts, slots)
        for instance, ids, post, slot in zip(instances, cells, posts, slots, strict=True):
            s = self.sites[post]
            assert s.flat is not None
            for read, (at, variable) in flat.outside.items():
                if at is instance.parent:
                    symbol = symbol_of(s.flat, s.cell, variable)
                    if not symbol:
                        raise ModelError(
                            str(instance.where),
                            f"reads '{variable}' of '{s.cell.component.id}', which cannot be worked out",
                            s.flat.why(variable),
                        )
                    self.links.append(Link(self.made[post], symbol, population, read, pre=ids))
            for variable, into in s.linked(slot).items():
                symbol = symbol_of(flat, instance, variable)
                if not _always_zero(flat, symbol):
                    self.links.append(Link(population, symbol, self.made[post], into, post=ids))
        return population

    def _started(
        self,
        instances: tuple[Instance, ...],
        flat: FlatModel,
        posts: tuple[str, ...],
        slots: tuple[str, ...],
    ) -> None:
        """ModelError if a group has no numbers to start with, on cells as they start."""
        given: dict[str, float] = {}
        shown: list[str] = []
        for instance, post, slot in zip(instances, posts, slots, strict=True):
            s = self.sites[post]
            assert s.flat is not None
            for read, (at, variable) in flat.outside.items():
                symbol = symbol_of(s.flat, s.cell, variable) if at is instance.parent else ""
                if symbol in s.start:
                    given[read] = s.start[symbol]
            shown += [symbol_of(flat, instance, v) for v in s.shown[slot]]
        Start(flat, given).check([x for i in instances for x in i.everything()], shown)

    def _continuous(self, c: Continuous) -> None:
        """Both ends of each connection in one group; each sees its own cell and the other end."""
        ends, slots, taken = [], [], []
        for component, population in ((c.pre_component, c.pre), (c.post_component, c.post)):
            if population not in self.sites:
                raise ModelError(
                    str(c.where),
                    f"population '{population}' is a source of spikes and has no membrane",
                    "connect cells",
                )
            s = self.sites[population]
            stand_in = dataclasses.replace(
                s.cell, outlets=[]
            )  # of its own, so that the two cells are told apart
            slot = self.attach.slot(s, component, "", c.where)
            made, _ = self.attach.instance(dataclasses.replace(s, cell=stand_in), component, slot)
            ends.append(made)
            slots.append(slot)
            taken += [(made, v) for v in s.shown[slot]]
        a, b = ends
        a.peer["peer"], b.peer["peer"] = b, a
        assert a.parent is not None
        assert b.parent is not None
        outside = {id(a.parent): "pre_", id(b.parent): "post_"}
        flat = Flattener(
            self.model,
            {"pre_": a, "post_": b},
            outside,
            Attached(temperature=self.temperature),
            spiking=False,
            taken=taken,
        ).flatten()
        self.notes.extend(flat.notes)
        flat.events.clear()
        size, name = int(c.pre_ids.size), self._name(c.id)
        parameters: dict[str, Any] = {}
        if c.weights is not None:
            parameters = {
                w: Array(c.weights) for i in (a, b) if (w := flat.symbol(i, "weight")) in flat.parameters
            }
        kind = self._kind(name, name, flat)
        self._edge(
            name,
            Population(name, size, kind(**parameters)),
            (a, b),
            flat,
            (c.pre_ids, c.post_ids),
            (c.pre, c.post),
            tuple(slots),
        )


def _repeats(p: Population, dt: float) -> bool:
    """Whether a source may have two spikes in one step; a cell has one."""
    if isinstance(p.cell, SpikeSourceArray):
        return any(bool(np.any(np.diff(t.values) < dt / 2)) for t in p.cell.spike_times)
    return not isinstance(p.cell, Cell)


def _above(i: Instance) -> list[Instance]:
    """What an instance is in, from the inside out."""
    return [i.parent, *_above(i.parent)] if i.parent is not None else []


def _compartments(cell: Instance, model: Model) -> int:
    """How many compartments a cell has: one for each segment of its morphology, if its equations are those
    of NeuroML's cells. A type with equations of its own is what they say, whatever it looks like.
    """
    defined = next((t for t in cell.type.lineage if model.types[t].dynamics is not None), "")
    morphology = cell.children.get("morphology")
    if defined in model.own_types or morphology is None:
        return 1
    return max(len(morphology.lists.get("segments", [])), 1)


def _always_zero(flat: FlatModel, symbol: str) -> bool:
    from portable.dynamics.expressions import Bin, Expr, Name, Num

    def zero(e: Expr) -> bool:
        return (isinstance(e, Num) and e.value == 0.0) or (
            isinstance(e, Bin) and e.op == "*" and (zero(e.a) or zero(e.b))
        )

    return zero(flat.inlined(Name(symbol)))
