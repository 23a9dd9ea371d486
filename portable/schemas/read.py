"""Plain data of a document -> Network (format version 1). Every error names its place in the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from portable.errors import ModelError, suggestion
from portable.library.cells import CELLS
from portable.library.plasticity import SYNAPSES
from portable.library.receptors import RECEPTORS
from portable.model.cells import CellType, ReceptorType
from portable.model.connectors import CONNECTORS, StaticSynapse
from portable.model.fields import declared
from portable.model.links import Link
from portable.model.network import Injection, Network, Projection, Record, numbered
from portable.model.populations import Node, Population, View
from portable.model.sources import CURRENT_SOURCES, SPIKE_SOURCES
from portable.model.synapses import PlasticSynapse, SynapseType
from portable.model.types import cell_type, receptor_type
from portable.schemas import learning, nodes
from portable.schemas.nodes import read_value
from portable.schemas.shape import joined, shown
from portable.schemas.table import DOCUMENT, VERSION

Data = Mapping[str, Any]
_SOURCES: Mapping[str, type] = {k.__name__: k for k in (*SPIKE_SOURCES, *CURRENT_SOURCES)}
_CONNECTORS: Mapping[str, type] = {k.__name__: k for k in CONNECTORS}


def network(data: Any) -> Network:
    """The network of a document. ModelError with the path in the document, the rule, the value and the
    remedy.
    """
    _version(data)
    DOCUMENT.check(data, "")
    types = _types(data)
    populations = [_population(p, f"populations[{i}]", types) for i, p in enumerate(data["populations"])]
    _distinct([p.name for p in populations], "populations", "id")
    known = {p.name: p for p in populations}
    projections = numbered(
        _projection(p, f"projections[{i}]", known, types) for i, p in enumerate(data.get("projections", ()))
    )
    named = {p.name: p for p in projections}
    inputs = [_input(x, f"inputs[{i}]", known) for i, x in enumerate(data.get("inputs", ()))]
    recordings = [
        _recording(r, f"recordings[{i}]", known, named) for i, r in enumerate(data.get("recordings", ()))
    ]
    links = [_link(x, f"links[{i}]", known) for i, x in enumerate(data.get("links", ()))]
    with _placed({"Network": "", "Network.name": "name"}):
        return Network(data["name"], populations, projections, inputs, recordings, links)


def _version(data: Any) -> None:
    if not isinstance(data, dict):
        raise ModelError(
            "",
            f"a document must be an object, got {shown(data)}",
            'begin with {"portable": "1", "name": ...}',
        )
    if "portable" not in data:
        raise ModelError(
            "portable", "is missing, so this is no network of portable", 'begin with "portable": "1"'
        )
    found = data["portable"]
    if isinstance(found, bool) or found not in (VERSION, int(VERSION)):
        raise ModelError(
            "portable",
            f"this portable reads version {VERSION}, got {shown(found)}",
            "install the version of portable that wrote it, or write it again",
        )


@contextmanager
def _placed(places: Mapping[str, str]) -> Iterator[None]:
    """Errors of the model's own constructors, at their place in the document: the longest of `places` that
    begins the path is replaced.
    """
    try:
        yield
    except ModelError as error:
        for own in sorted(places, key=len, reverse=True):
            if error.path.startswith(own):
                rest = error.path[len(own) :]
                place = places[own]
                raise ModelError(
                    f"{place}{rest}" if place or not rest.startswith(".") else rest[1:],
                    error.rule,
                    error.remedy,
                ) from None
        raise


def _distinct(names: list[str], group: str, key: str) -> None:
    seen: dict[str, int] = {}
    for i, n in enumerate(names):
        if n in seen:
            raise ModelError(
                f"{group}[{i}].{key}", f"'{n}' is already {group}[{seen[n]}]", "give each its own"
            )
        seen[n] = i


class _Types:
    """Types by name, of cells, receptors and synapses: the document's own before the standard ones."""

    def __init__(self) -> None:
        self.cells: dict[str, CellType] = dict(CELLS)
        self.receptors: dict[str, ReceptorType] = dict(RECEPTORS)
        self.synapses: dict[str, SynapseType] = dict(SYNAPSES)

    def cell(self, name: str, path: str) -> CellType:
        if name not in self.cells:
            raise ModelError(path, f"no cell type '{name}'", suggestion(name, [*self.cells, *_SOURCES]))
        return self.cells[name]

    def receptor(self, name: str, path: str) -> ReceptorType:
        if name not in self.receptors:
            raise ModelError(path, f"no receptor type '{name}'", suggestion(name, self.receptors))
        return self.receptors[name]

    def synapse(self, name: str, path: str) -> SynapseType:
        if name not in self.synapses:
            known = [StaticSynapse.__name__, *self.synapses]
            raise ModelError(path, f"no synapse type '{name}'", suggestion(name, known))
        return self.synapses[name]


def _types(data: Data) -> _Types:
    out = _Types()
    for group in ("receptor_types", "cell_types", "synapse_types"):
        _distinct([t["name"] for t in data.get(group, ())], group, "name")
    for i, t in enumerate(data.get("receptor_types", ())):
        place = f"receptor_types[{i}]"
        with _placed({f"receptor_type '{t['name']}'": place}):
            out.receptors[t["name"]] = receptor_type(**_tuples(t))
    for i, t in enumerate(data.get("cell_types", ())):
        place = f"cell_types[{i}]"
        kinds = {k: out.receptor(n, f"{place}.receptors.{k}") for k, n in t.get("receptors", {}).items()}
        with _placed({f"cell_type '{t['name']}'": place, f"{t['name']}.": f"{place}."}):
            conditions = tuple((c["test"], c["statements"]) for c in t.get("conditions", ()))
            out.cells[t["name"]] = cell_type(**{**_tuples(t), "receptors": kinds, "conditions": conditions})
    for i, t in enumerate(data.get("synapse_types", ())):
        with _placed({f"synapse_type '{t['name']}'": f"synapse_types[{i}]"}):
            out.synapses[t["name"]] = learning.read_type(t)
    return out


def _tuples(t: Data) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in t.items()}


def _population(data: Data, path: str, types: _Types) -> Population:
    cell, size, name = (
        _component(data["component"], f"{path}.component", types),
        int(data["size"]),
        data["id"],
    )
    initial = {k: read_value(v) for k, v in data.get("initial", {}).items()}
    own = f"Population '{name}'"
    places = {own: path, f"{own}.initial": f"{path}.initial", "Population.name": f"{path}.id"}
    if not isinstance(cell, SPIKE_SOURCES):
        places |= {f"{own}.{p}": f"{path}.component.parameters.{p}" for p in cell.parameters}
    else:
        places |= {f"{own}.{p}": f"{path}.component.{p}" for p in declared(type(cell))}
    with _placed(places):
        return Population(name, size, cell, initial)


def _component(data: Data, path: str, types: _Types) -> Node:
    if data["type"] in _SOURCES:
        node: Node = _source(data, path)
        return node
    kind = types.cell(data["type"], f"{path}.type")
    extra = {}
    for port, name in data.get("receptors", {}).items():
        if port in kind.receptors:
            raise ModelError(
                f"{path}.receptors.{port}", "is already a receptor of this type", "give it another name"
            )
        extra[port] = types.receptor(name, f"{path}.receptors.{port}")
    parameters = {k: read_value(v) for k, v in data.get("parameters", {}).items()}
    with _placed({f"{kind.name}.receptors": f"{path}.receptors", kind.name: path}):
        return kind.make({**kind.receptors, **extra}, parameters, f"{path}.parameters")


def _source(data: Data, path: str) -> Any:
    with _placed({data["type"]: path}):
        return nodes.read(_SOURCES[data["type"]], data)


def _side(data: Any, path: str, known: Mapping[str, Population]) -> list[Population | View]:
    if isinstance(data, list):
        return [_one(d, f"{path}[{i}]", known) for i, d in enumerate(data)]
    return [_one(data, path, known)]


def _one(data: Any, path: str, known: Mapping[str, Population]) -> Population | View:
    name = data if isinstance(data, str) else data["population"]
    if name not in known:
        raise ModelError(path, f"no population '{name}'", suggestion(name, known))
    population = known[name]
    if isinstance(data, str):
        return population
    with _placed({f"{name}[...]": f"{path}.{'slice' if 'slice' in data else 'index'}"}):
        if "slice" in data:
            view = population[
                slice(
                    *(
                        None if data["slice"].get(k) is None else int(data["slice"][k])
                        for k in ("start", "stop", "step")
                    )
                )
            ]
        else:
            view = population[[int(i) for i in data["index"]]]
    if not len(view):
        raise ModelError(path, f"the view {view} is empty", f"'{name}' has cells 0 to {population.size - 1}")
    return view


def _connector(data: Data, path: str) -> Any:
    with _placed({data["type"]: path}):
        return nodes.read(_CONNECTORS[data["type"]], data)


def _synapse(data: Data, path: str, types: _Types) -> StaticSynapse | PlasticSynapse:
    if data["type"] == StaticSynapse.__name__:
        static: StaticSynapse = nodes.read(StaticSynapse, data)
        return static
    kind = types.synapse(data["type"], f"{path}.type")
    with _placed({kind.name: path}):
        return learning.read(kind, data)


def _projection(data: Data, path: str, known: Mapping[str, Population], types: _Types) -> Projection:
    pre = _side(data["presynapticPopulation"], f"{path}.presynapticPopulation", known)
    post = _side(data["postsynapticPopulation"], f"{path}.postsynapticPopulation", known)
    connector = _connector(data["connector"], f"{path}.connector")
    synapse = _synapse(data["synapse"], f"{path}.synapse", types)
    signal = _one(data["signal"], f"{path}.signal", known) if "signal" in data else None
    values = ["weight", "delay"]
    if isinstance(synapse, PlasticSynapse):
        values += [*synapse.type.parameters, "initial"]
    try:
        return Projection(
            pre, post, connector, synapse, data.get("receptor", "excitatory"), data.get("id", ""),
            signal, data.get("signal_delay"),
        )  # fmt: skip
    except ModelError as error:  # "projection 'a->b/exc'.weight", a name that may hold dots and quotes
        tail = error.path.rpartition(".")[2]
        inner = next(
            (
                error.path[error.path.rindex(f"'.{k}") + 2 :]
                for k in sorted(values, key=len, reverse=True)  # tau_plus before tau
                if f"'.{k}" in error.path
            ),
            "",
        )
        place = (
            joined("synapse", inner)
            if inner
            else {"post": "postsynapticPopulation", "pre": "presynapticPopulation"}.get(tail, tail)
        )
        raise ModelError(f"{path}.{place}", error.rule, error.remedy) from None


def _input(data: Data, path: str, known: Mapping[str, Population]) -> Injection:
    source = _source(data["component"], f"{path}.component")
    with _placed({"Injection.source": f"{path}.component", "Injection.target": f"{path}.population"}):
        return Injection(source, _side(data["population"], f"{path}.population", known))


def _link(data: Data, path: str, known: Mapping[str, Population]) -> Link:
    sides = {}
    for key in ("source", "target"):
        if data[key] not in known:
            raise ModelError(f"{path}.{key}", f"no population '{data[key]}'", suggestion(data[key], known))
        sides[key] = known[data[key]]
    name = data.get("id", "") or f"{data['source']}.{data['variable']}->{data['target']}.{data['input']}"
    with _placed({f"link '{name}'": path}):
        return Link(
            sides["source"],
            data["variable"],
            sides["target"],
            data["input"],
            data.get("pre"),
            data.get("post"),
            name,
        )


def _recording(
    data: Data, path: str, known: Mapping[str, Population], projections: Mapping[str, Projection]
) -> Record:
    if "projection" not in data:
        with _placed({"Record.target": f"{path}.population", "Record": path}):
            target = _side(data["population"], f"{path}.population", known)
            return Record(target, data["variables"], data.get("interval"))
    name, place = data["projection"], f"{path}.projection"
    if name not in projections:
        raise ModelError(place, f"no projection '{name}'", suggestion(name, projections))
    sides = {k: _side(data[k], f"{path}.{k}", known) if k in data else None for k in ("pre", "post")}
    own = f"projection '{name}'.between"
    places = {"Record.target": place, f"Record of projection '{name}'": f"{path}.variables", "Record": path}
    with _placed({**places, own: path}):
        return Record(projections[name].between(**sides), data["variables"], data.get("interval"))
