"""Projections, injections, recordings, and the Network that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from portable.dynamics.synapse import WEIGHT, check_trace
from portable.errors import ModelError, suggestion
from portable.model.cells import Cell
from portable.model.connectors import CONNECTORS, Connector, StaticSynapse
from portable.model.links import Link, ordered
from portable.model.origin import Origin
from portable.model.populations import All, Node, Population, Side, View, side
from portable.model.settings import RunSettings
from portable.model.sources import CURRENT_SOURCES, DCSource, StepCurrentSource
from portable.model.synapses import PlasticSynapse, SynapseType
from portable.model.values import Array, extremes, value
from portable.units import Quantity, quantity


@dataclass(frozen=True, init=False)
class Projection:
    """Connections from `pre` to `post` (populations, views, or lists of them, which count as one side).

    `receptor` names the receptor of the target cells. `name` makes the random streams: it defaults to
    "pre->post/receptor" with a number where two would be equal. `synapse` is a StaticSynapse or one that
    learns (pt.STDP(...), a call of a pt.synapse_type). `signal` is the population whose spikes are the third
    factor of a rule that has one, seen after `signal_delay`.
    """

    pre: Side
    post: Side
    connector: Connector
    synapse: StaticSynapse | PlasticSynapse
    receptor: str
    name: str
    signal: Side
    signal_delay: Quantity | None

    def __init__(
        self,
        pre: Any,
        post: Any,
        connector: Connector,
        synapse: StaticSynapse | PlasticSynapse | None = None,
        receptor: str = "excitatory",
        name: str = "",
        signal: Any = None,
        signal_delay: Any = None,
    ) -> None:
        if not isinstance(name, str) or not isinstance(receptor, str):
            raise ModelError(
                "Projection",
                f"name and receptor must be text, got {name!r} and {receptor!r}",
                'for example receptor="excitatory"',
            )
        if synapse is not None and not isinstance(synapse, (StaticSynapse, PlasticSynapse)):
            raise ModelError(
                "Projection.synapse",
                f"expected a synapse, got {synapse!r}",
                f"call it: {synapse.name}(weight=...)"
                if isinstance(synapse, SynapseType)
                else "for example pt.StaticSynapse(weight='20 pA', delay='1.5 ms')",
            )
        label = name or "Projection"
        object.__setattr__(self, "pre", side(pre, f"{label}.pre"))
        object.__setattr__(self, "post", side(post, f"{label}.post"))
        shown = name or f"{_shown(self.pre)}->{_shown(self.post)}/{receptor}"
        if not isinstance(connector, CONNECTORS):
            raise ModelError(
                f"projection '{shown}'.connector",
                f"expected a connector, got {connector!r}",
                "for example pt.FixedInDegree(100)",
            )
        object.__setattr__(self, "connector", connector)
        object.__setattr__(self, "receptor", receptor)
        object.__setattr__(self, "name", shown)
        self._third_factor(signal, signal_delay, f"projection '{shown}'")
        object.__setattr__(
            self,
            "synapse",
            _typed(
                synapse or StaticSynapse(), self.post, receptor, f"projection '{shown}'", bool(self.signal)
            ),
        )

    def _third_factor(self, signal: Any, delay: Any, path: str) -> None:
        signal = None if isinstance(signal, tuple) and not signal else signal  # as the field has it
        object.__setattr__(self, "signal", () if signal is None else side(signal, f"{path}.signal"))
        read = quantity("1 ms" if delay is None else delay, "ms", f"{path}.signal_delay")
        object.__setattr__(self, "signal_delay", None if signal is None else read)
        if len(self.signal) > 1 or any(v.index != All for v in self.signal):
            raise ModelError(f"{path}.signal", "must be one whole population", "make a population of its own")
        if delay is not None and signal is None:
            raise ModelError(f"{path}.signal_delay", "there is no signal", "give signal=POPULATION")
        if signal is not None and read.value <= 0:
            raise ModelError(
                f"{path}.signal_delay", f"must be > 0 ms, got {read}", "give at least one time step"
            )

    def between(self, pre: Any = None, post: Any = None) -> Synapses:
        """Those of its connections that are from `pre` to `post`, to record them; None: the whole side."""
        where = f"projection '{self.name}'.between"
        return Synapses(
            self.name, _part(pre, self.pre, f"{where}.pre"), _part(post, self.post, f"{where}.post"), self
        )

    def __repr__(self) -> str:
        return f"Projection({self.name!r}, {self.connector!r}, {self.synapse!r})"


@dataclass(frozen=True)
class Synapses:
    """Connections of a projection, all or those between some cells of its sides."""

    projection: str
    pre: Side | None = None
    post: Side | None = None
    given: Projection | None = field(default=None, compare=False, repr=False)


def _part(given: Any, whole: Side, path: str) -> Side | None:
    """Cells of a side; None: all of it."""
    if given is None:
        return None
    part, known = side(given, path), {v.population.name for v in whole}
    for view in part:
        if view.population.name not in known:
            name = view.population.name
            raise ModelError(path, f"'{name}' is not on this side", suggestion(name, known))
    return part


def _shown(views: Side) -> str:
    return "+".join(v.population.name if v.index == All else repr(v) for v in views)


def _typed(
    synapse: StaticSynapse | PlasticSynapse, post: Side, receptor: str, path: str, signalled: bool
) -> StaticSynapse | PlasticSynapse:
    """Weight and delay with units; checks that every target has the receptor."""
    units = set()
    for view in post:
        cell = view.population.cell
        if not isinstance(cell, Cell):
            raise ModelError(
                f"{path}.post",
                f"'{view.population.name}' is a spike source and takes no input",
                "connect from it, not to it",
            )
        port = cell.flat.port(receptor)
        if port is None:
            raise ModelError(
                f"{path}.receptor",
                f"'{view.population.name}' has no receptor '{receptor}'",
                suggestion(receptor, [p.name for p in cell.flat.ports]),
            )
        units.add(port.weight_unit)
    if len(units) > 1:
        raise ModelError(
            f"{path}.post",
            f"the targets' weights have different units: {', '.join(sorted(units))}",
            "make one projection for each kind of cell",
        )
    own = units.pop()
    weight = value(synapse.weight, own, f"{path}.weight")
    delay = value(synapse.delay, "ms", f"{path}.delay")
    low, high = extremes(delay)
    if (low if isinstance(delay, (Quantity, Array)) else high) <= 0:
        raise ModelError(
            f"{path}.delay",
            f"must be > 0 ms, got {delay if not isinstance(delay, Array) else low}",
            "give at least one time step",
        )
    if signalled and not isinstance(synapse, PlasticSynapse):
        raise ModelError(f"{path}.signal", "a static synapse has no third factor", "leave signal out")
    if isinstance(synapse, PlasticSynapse):
        needed = bool(synapse.type.rule().signal)
        if needed != signalled:
            raise ModelError(
                f"{path}.signal",
                f"'{synapse.type.name}' has {'a' if needed else 'no'} third factor",
                "give signal=POPULATION, whose spikes it is" if needed else "leave signal out",
            )
        return synapse.typed(weight, delay, own, path)
    return StaticSynapse(weight, delay)


@dataclass(frozen=True, init=False)
class Injection:
    """A current source into cells (a population, a view, or a list of them)."""

    source: DCSource | StepCurrentSource
    target: Side

    def __init__(self, source: DCSource | StepCurrentSource, target: Any) -> None:
        if not isinstance(source, CURRENT_SOURCES):
            raise ModelError(
                "Injection.source",
                f"expected a current source, got {source!r}",
                "for example pt.DCSource(0.5)",
            )
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "target", side(target, "Injection.target"))
        for view in self.target:
            cell = view.population.cell
            if not isinstance(cell, Cell) or not cell.flat.reads_injected():
                raise ModelError(
                    "Injection.target",
                    f"'{view.population.name}' takes no current",
                    "its equations must read i_ext",
                )
        n = sum(len(v) for v in self.target)
        if (
            isinstance(source, DCSource)
            and isinstance(source.amplitude, Array)
            and len(source.amplitude) != n
        ):
            raise ModelError(
                "Injection.source.amplitude",
                f"has {len(source.amplitude)} values for {n} cells",
                "give one value, or one per target cell",
            )


@dataclass(frozen=True, init=False)
class Record:
    """What to keep: "spikes", or variables of the cell's equations, of a population or view; of a projection
    that learns "weight" or other states of its connections; `interval` (ms) between samples (default every
    step).

    A derived variable (i_syn), a constant or an input has at time t the value of the states at t, and of the
    injected current from t on.
    """

    target: Side
    variables: tuple[str, ...]
    interval: Quantity | None
    synapses: Synapses | None

    def __init__(self, target: Any, variables: str | Iterable[str] = "", interval: Any = None) -> None:
        learning = target.between() if isinstance(target, Projection) else target
        of_synapses = isinstance(learning, Synapses)
        object.__setattr__(self, "target", () if of_synapses else side(target, "Record.target"))
        object.__setattr__(self, "synapses", learning if of_synapses else None)
        if variables == "":
            variables = WEIGHT if of_synapses else "spikes"
        chosen = tuple(dict.fromkeys((variables,) if isinstance(variables, str) else variables))
        if not chosen:
            raise ModelError(
                "Record.variables", "is an empty list", 'say what to record, for example "spikes" or ["v"]'
            )
        object.__setattr__(self, "variables", chosen)
        object.__setattr__(
            self, "interval", None if interval is None else quantity(interval, "ms", "Record.interval")
        )
        if self.interval is not None and self.interval.value <= 0:
            raise ModelError(
                "Record.interval", f"must be > 0 ms, got {self.interval}", "leave it out to record every step"
            )
        if self.synapses is not None and self.synapses.given is not None:
            p = self.synapses.given
            if not isinstance(p.synapse, PlasticSynapse):
                raise ModelError(
                    "Record.target", f"projection '{p.name}' does not learn", "its weights stay as resolved"
                )
            for v in chosen:
                check_trace(p.synapse.rule, v, f"Record of projection '{p.name}'")
        for view in self.target:
            cell = view.population.cell
            known = {"spikes", *(cell.flat.recordable if isinstance(cell, Cell) else ())}
            for v in chosen:
                if v not in known:
                    raise ModelError(
                        "Record.variables",
                        f"'{view.population.name}' has no '{v}' to record",
                        suggestion(v, known),
                    )


@dataclass(frozen=True, init=False)
class Network:
    """A whole model: what it is, not how it is run. Immutable; prints, compares, hashes and saves."""

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = field(default=())
    inputs: tuple[Injection, ...] = field(default=())
    recordings: tuple[Record, ...] = field(default=())
    links: tuple[Link, ...] = field(default=())
    settings: RunSettings | None = field(default=None, compare=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def __init__(
        self,
        name: str,
        populations: Iterable[Population],
        projections: Iterable[Projection] = (),
        inputs: Iterable[Injection] = (),
        recordings: Iterable[Record] = (),
        links: Iterable[Link] = (),
        settings: RunSettings | None = None,
        origin: Origin | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ModelError("Network.name", f"must be a line of text, got {name!r}", 'for example "brunel"')
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "origin", origin)
        for attribute, kind, given in (
            ("populations", Population, populations), ("projections", Projection, projections),
            ("inputs", Injection, inputs), ("recordings", Record, recordings), ("links", Link, links),
        ):  # fmt: skip
            items = tuple(given)
            for i, item in enumerate(items):
                if not isinstance(item, kind):
                    raise ModelError(
                        f"{attribute}[{i}]",
                        f"expected a {kind.__name__}, got {item!r}",
                        f"make one with pt.{kind.__name__}(...)",
                    )
            object.__setattr__(self, attribute, items)
        self._names()
        named = numbered(self.projections)
        object.__setattr__(
            self, "recordings", tuple(_renumbered(r, self.projections, named) for r in self.recordings)
        )
        object.__setattr__(self, "projections", named)
        self._members()
        ordered(self.links)  # a loop shows now

    def _names(self) -> None:
        seen: dict[str, int] = {}
        for i, p in enumerate(self.populations):
            if p.name in seen:
                raise ModelError(
                    f"populations[{i}].name",
                    f"'{p.name}' is already populations[{seen[p.name]}]",
                    "give each population its own name",
                )
            seen[p.name] = i

    def _members(self) -> None:
        known = {p.name: p for p in self.populations}
        groups = [
            (f"projections[{i}].{s}", getattr(p, s))
            for i, p in enumerate(self.projections)
            for s in ("pre", "post", "signal")
        ]
        groups += [(f"inputs[{i}].target", x.target) for i, x in enumerate(self.inputs)]
        groups += [(f"recordings[{i}].target", x.target) for i, x in enumerate(self.recordings)]
        for i, x in enumerate(self.recordings):
            if x.synapses is not None:
                groups += [(f"recordings[{i}].{s}", getattr(x.synapses, s) or ()) for s in ("pre", "post")]
                self._learns(x.synapses, f"recordings[{i}]")
        used = [(path, view.population) for path, views in groups for view in views]
        used += [
            (f"links[{i}].{s}", getattr(x, s)) for i, x in enumerate(self.links) for s in ("source", "target")
        ]
        for path, population in used:
            if known.get(population.name) is not population and known.get(population.name) != population:
                raise ModelError(
                    path,
                    f"population '{population.name}' is not in the network",
                    "add it to populations=[...]",
                )

    def _learns(self, s: Synapses, path: str) -> None:
        known = {p.name: p for p in self.projections}
        p = known.get(s.projection)
        if p is None:
            raise ModelError(path, f"no projection '{s.projection}'", suggestion(s.projection, known))
        if not isinstance(p.synapse, PlasticSynapse):
            raise ModelError(path, f"projection '{p.name}' does not learn", "its weights stay as resolved")

    def population(self, name: str) -> Population:
        """The population of that name; ModelError with a suggestion if there is none."""
        for p in self.populations:
            if p.name == name:
                return p
        raise ModelError("", f"no population '{name}'", suggestion(name, [p.name for p in self.populations]))

    def __repr__(self) -> str:
        cells = sum(p.size for p in self.populations)
        return (
            f"Network({self.name!r}: {cells} cells in {len(self.populations)} populations, "
            f"{len(self.projections)} projections{f', {len(self.links)} links' if self.links else ''})"
        )


def numbered(projections: Iterable[Projection]) -> tuple[Projection, ...]:
    """Make names unique: the second "a->b/x" becomes "a->b/x#2", so that its random streams are its own."""
    projections = tuple(projections)
    count: dict[str, int] = {}
    taken = {p.name for p in projections}
    out = []
    for p in projections:
        n = count[p.name] = count.get(p.name, 0) + 1
        name = p.name
        while n > 1 and name in taken:
            name, n = f"{p.name}#{n}", n + 1
        taken.add(name)
        out.append(p if name == p.name else _renamed(p, name))
    return tuple(out)


def _renumbered(r: Record, before: tuple[Projection, ...], after: tuple[Projection, ...]) -> Record:
    """The record of a projection under the name that it has in the network."""
    if r.synapses is None or r.synapses.given is None:
        return r
    new = next((b for a, b in zip(before, after, strict=True) if a is r.synapses.given), None)
    if new is None:
        return r
    copy = object.__new__(Record)
    for attribute in ("target", "variables", "interval"):
        object.__setattr__(copy, attribute, getattr(r, attribute))
    object.__setattr__(copy, "synapses", replace(r.synapses, projection=new.name, given=None))
    return copy


def _renamed(p: Projection, name: str) -> Projection:
    copy = object.__new__(Projection)
    for attribute in ("pre", "post", "connector", "synapse", "receptor", "signal", "signal_delay"):
        object.__setattr__(copy, attribute, getattr(p, attribute))
    object.__setattr__(copy, "name", name)
    return copy


__all__ = [
    "All",
    "Injection",
    "Link",
    "Network",
    "Node",
    "Population",
    "Projection",
    "Record",
    "Side",
    "Synapses",
    "View",
    "numbered",
    "replace",
    "side",
]
