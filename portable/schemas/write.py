"""Network -> plain data of a document (format version 1). Everything is said, also what has its default
value.
"""

from __future__ import annotations

from typing import Any

from portable.errors import ModelError
from portable.library.cells import CELLS
from portable.library.plasticity import SYNAPSES
from portable.library.receptors import RECEPTORS
from portable.model.cells import Cell, CellType, ReceptorType
from portable.model.links import Link
from portable.model.network import Network, Projection, Record
from portable.model.populations import All, Population, Side, View
from portable.model.synapses import PlasticSynapse, SynapseType
from portable.schemas import learning, nodes
from portable.schemas.nodes import Data, write_quantity, write_value
from portable.schemas.table import VERSION
from portable.units import coherent_unit


def network_data(network: Network) -> Data:
    """The document of a network. ModelError if a cell type has no text (made from a component by hand) or two
    types share a name.
    """
    types = _Types(network)
    out: Data = {"portable": VERSION, "name": network.name}
    out |= {
        k: [_type(t) for t in v.values()]
        for k, v in (("receptor_types", types.receptors), ("cell_types", types.cells))
        if v
    }
    if types.synapses:
        out["synapse_types"] = [learning.write_type(t) for t in types.synapses.values()]
    out["populations"] = [_population(p) for p in network.populations]
    if network.projections:
        out["projections"] = [_projection(p) for p in network.projections]
    if network.inputs:
        out["inputs"] = [
            {"component": nodes.write(x.source), "population": _side(x.target)} for x in network.inputs
        ]
    if network.recordings:
        out["recordings"] = [_recording(r) for r in network.recordings]
    if network.links:
        out["links"] = [_link(x) for x in network.links]
    return out


_KINDS: dict[type, str] = {CellType: "cell", ReceptorType: "receptor", SynapseType: "synapse"}


class _Types:
    """The user's own types that a network uses, in order of first use."""

    def __init__(self, network: Network) -> None:
        self.receptors: dict[str, ReceptorType] = {}
        self.cells: dict[str, CellType] = {}
        self.synapses: dict[str, SynapseType] = {}
        chosen: dict[str, CellType | ReceptorType | SynapseType] = {}
        for i, p in enumerate(network.populations):
            if not isinstance(p.cell, Cell):
                continue
            path = f"populations[{i}].component"
            for r in (*p.cell.type.receptors.values(), *p.cell.receptors.values()):
                if self._own(r, RECEPTORS.get(r.name), f"{path}.receptors", chosen):
                    self.receptors[r.name] = r
            if self._own(p.cell.type, CELLS.get(p.cell.type.name), path, chosen):
                self.cells[p.cell.type.name] = p.cell.type
        for i, q in enumerate(network.projections):
            if isinstance(q.synapse, PlasticSynapse):
                kind = q.synapse.type
                if self._own(kind, SYNAPSES.get(kind.name), f"projections[{i}].synapse", chosen):
                    self.synapses[kind.name] = kind

    @staticmethod
    def _own(
        t: CellType | ReceptorType | SynapseType,
        standard: CellType | ReceptorType | SynapseType | None,
        path: str,
        chosen: dict[str, Any],
    ) -> bool:
        kind = _KINDS[type(t)]
        if chosen.setdefault(f"{kind} {t.name}", t) != t:
            raise ModelError(path, f"two different {kind} types are called '{t.name}'", "rename one of them")
        if standard == t:
            return False
        if t.definition is None:
            raise ModelError(
                path,
                f"the {kind} type '{t.name}' has no text to write down",
                f"make it with pt.{kind}_type(...)",
            )
        return True


def _type(t: CellType | ReceptorType) -> Data:
    """A type's definition; texts and lists that are empty are left out."""
    assert t.definition is not None
    out: Data = {"name": t.name}
    for key, given in t.definition.items():
        plain = dict(given) if isinstance(given, dict) else list(given) if isinstance(given, tuple) else given
        if key == "conditions":
            plain = [{"test": test, "statements": statements} for test, statements in plain]
        if (plain or key in ("equations", "parameters")) and (key, plain) != ("compartments", 1):
            out[key] = plain
    return out


def _population(p: Population) -> Data:
    out: Data = {"id": p.name, "component": _component(p), "size": p.size}
    if p.initial:
        assert isinstance(p.cell, Cell)
        units = {s.name: coherent_unit(s.dimension) for s in p.cell.flat.states} | {
            s.name: s.unit for s in p.cell.type.component.states
        }
        out["initial"] = {k: write_value(v, units[k]) for k, v in p.initial.items()}
    return out


def _component(p: Population) -> Data:
    cell = p.cell
    if not isinstance(cell, Cell):
        return nodes.write(cell)
    units = {q.name: q.unit for q in cell.flat.parameters}
    extra = {k: r.name for k, r in cell.receptors.items() if k not in cell.type.receptors}
    out: Data = {
        "type": cell.type.name,
        "parameters": {k: write_value(v, units[k]) for k, v in cell.parameters.items()},
    }
    return {**out, "receptors": extra} if extra else out


def _side(views: Side) -> Any:
    items = [_view(v) for v in views]
    return items[0] if len(items) == 1 else items


def _view(v: View) -> Any:
    if isinstance(v.index, tuple):
        return {"population": v.population.name, "index": list(v.index)}
    if v.index == All:
        return v.population.name
    parts = {"start": v.index.start, "stop": v.index.stop, "step": v.index.step}
    return {"population": v.population.name, "slice": {k: n for k, n in parts.items() if n is not None}}


def _projection(p: Projection) -> Data:
    post = p.post[0].population.cell
    assert isinstance(post, Cell)
    port = post.flat.port(p.receptor)
    assert port is not None
    return {
        "id": p.name, "presynapticPopulation": _side(p.pre), "postsynapticPopulation": _side(p.post),
        "connector": nodes.write(p.connector),
        "synapse": learning.write(p.synapse) if isinstance(p.synapse, PlasticSynapse)
        else nodes.write(p.synapse, weight=port.weight_unit),
        "receptor": p.receptor, **_signal(p),
    }  # fmt: skip


def _signal(p: Projection) -> Data:
    """The third factor, of a rule that has one."""
    if p.signal_delay is None:
        return {}
    return {
        "signal": p.signal[0].population.name, "signal_delay": write_quantity(p.signal_delay, "ms")
    }  # fmt: skip


def _link(x: Link) -> Data:
    out: Data = {
        "id": x.name,
        "source": x.source.name,
        "variable": x.variable,
        "target": x.target.name,
        "input": x.input,
    }
    return out | {
        k: [int(i) for i in a.values] for k, a in (("pre", x.pre), ("post", x.post)) if a is not None
    }


def _recording(r: Record) -> Data:
    interval = {} if r.interval is None else {"interval": write_quantity(r.interval, "ms")}
    said = {"variables": list(r.variables), **interval}
    if r.synapses is None:
        return {"population": _side(r.target), **said}
    sides = {"pre": r.synapses.pre, "post": r.synapses.post}
    return {
        "projection": r.synapses.projection,
        **{k: _side(views) for k, views in sides.items() if views is not None},
        **said,
    }
