"""Network -> plain data of a document (format version 1). Everything is said, also what has its default
value.
"""

from __future__ import annotations

from typing import Any

from portable.errors import ModelError
from portable.library.cells import CELLS
from portable.library.receptors import RECEPTORS
from portable.model.cells import Cell, CellType, ReceptorType
from portable.model.connectors import Connector, Explicit
from portable.model.links import Link
from portable.model.network import Injection, Network, Projection, Record
from portable.model.populations import All, Population, Side, View
from portable.model.sources import DCSource, SpikeSourceArray, SpikeSourcePoisson, StepCurrentSource
from portable.model.values import Array, Clipped, Lognormal, Normal, Uniform, Value
from portable.schemas.table import VERSION
from portable.units import Quantity, coherent_unit

Data = dict[str, Any]


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
    out["populations"] = [_population(p) for p in network.populations]
    if network.projections:
        out["projections"] = [_projection(p) for p in network.projections]
    if network.inputs:
        out["inputs"] = [{"component": _current(x), "population": _side(x.target)} for x in network.inputs]
    if network.recordings:
        out["recordings"] = [_recording(r) for r in network.recordings]
    if network.links:
        out["links"] = [_link(x) for x in network.links]
    return out


class _Types:
    """The user's own types that a network uses, in order of first use."""

    def __init__(self, network: Network) -> None:
        self.receptors: dict[str, ReceptorType] = {}
        self.cells: dict[str, CellType] = {}
        chosen: dict[str, CellType | ReceptorType] = {}
        for i, p in enumerate(network.populations):
            if not isinstance(p.cell, Cell):
                continue
            path = f"populations[{i}].component"
            for r in (*p.cell.type.receptors.values(), *p.cell.receptors.values()):
                if self._own(r, RECEPTORS.get(r.name), f"{path}.receptors", chosen):
                    self.receptors[r.name] = r
            if self._own(p.cell.type, CELLS.get(p.cell.type.name), path, chosen):
                self.cells[p.cell.type.name] = p.cell.type

    @staticmethod
    def _own(
        t: CellType | ReceptorType,
        standard: CellType | ReceptorType | None,
        path: str,
        chosen: dict[str, Any],
    ) -> bool:
        kind = "receptor" if isinstance(t, ReceptorType) else "cell"
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


def quantity_data(q: Quantity, default_unit: str) -> Any:
    """ "20.0 ms"; a plain number where both units are 1."""
    if q.unit == "1":
        return q.value if default_unit == "1" else f"{q.value!r} 1"
    return str(q)


def value_data(v: Value, unit: str) -> Any:
    """A quantity, array or distribution; `unit` is what a plain number would mean there."""
    match v:
        case Quantity():
            return quantity_data(v, unit)
        case Array():
            return {"type": "Array", "unit": v.unit, "values": v.values.tolist()}
        case Uniform():
            return {"type": "Uniform", "low": quantity_data(v.low, unit), "high": quantity_data(v.high, unit)}
        case Normal() | Lognormal():
            base = {
                "type": type(v).__name__,
                "mean": quantity_data(v.mean, unit),
                "sd": quantity_data(v.sd, unit),
            }
            return {**base, **_bounds(v, unit), **({"clip": True} if v.clip else {})}
        case Clipped():
            return {"type": "Clipped", "of": value_data(v.of, unit), **_bounds(v, unit)}


def _bounds(v: Normal | Lognormal | Clipped, unit: str) -> Data:
    return {k: quantity_data(b, unit) for k, b in (("low", v.low), ("high", v.high)) if b is not None}


def _population(p: Population) -> Data:
    out: Data = {"id": p.name, "component": _component(p), "size": p.size}
    if p.initial:
        assert isinstance(p.cell, Cell)
        units = {s.name: coherent_unit(s.dimension) for s in p.cell.flat.states} | {
            s.name: s.unit for s in p.cell.type.component.states
        }
        out["initial"] = {k: value_data(v, units[k]) for k, v in p.initial.items()}
    return out


def _component(p: Population) -> Data:
    cell = p.cell
    if isinstance(cell, SpikeSourceArray):
        return {"type": "SpikeSourceArray", "spike_times": [value_data(t, "ms") for t in cell.spike_times]}
    if isinstance(cell, SpikeSourcePoisson):
        duration = {} if cell.duration is None else {"duration": quantity_data(cell.duration, "ms")}
        return {
            "type": "SpikeSourcePoisson",
            "rate": value_data(cell.rate, "Hz"),
            "start": quantity_data(cell.start, "ms"),
            **duration,
        }
    units = {q.name: q.unit for q in cell.flat.parameters}
    extra = {k: r.name for k, r in cell.receptors.items() if k not in cell.type.receptors}
    out: Data = {
        "type": cell.type.name,
        "parameters": {k: value_data(v, units[k]) for k, v in cell.parameters.items()},
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


def _connector(c: Connector) -> Data:
    if isinstance(c, Explicit):
        return {
            "type": "Explicit",
            "pre": [int(i) for i in c.pre.values],
            "post": [int(i) for i in c.post.values],
        }
    plain = {
        k: v.item() if hasattr(v, "item") else v for k, v in vars(c).items()
    }  # numpy's scalars as Python's
    return {"type": type(c).__name__, **plain}


def _projection(p: Projection) -> Data:
    post = p.post[0].population.cell
    assert isinstance(post, Cell)
    port = post.flat.port(p.receptor)
    assert port is not None
    synapse = {
        "type": "StaticSynapse",
        "weight": value_data(p.synapse.weight, port.weight_unit),
        "delay": value_data(p.synapse.delay, "ms"),
    }
    return {
        "id": p.name, "presynapticPopulation": _side(p.pre), "postsynapticPopulation": _side(p.post),
        "connector": _connector(p.connector), "synapse": synapse, "receptor": p.receptor,
    }  # fmt: skip


def _current(x: Injection) -> Data:
    if isinstance(x.source, StepCurrentSource):
        return {
            "type": "StepCurrentSource",
            "times": value_data(x.source.times, "ms"),
            "amplitudes": value_data(x.source.amplitudes, "nA"),
        }
    assert isinstance(x.source, DCSource)
    stop = {} if x.source.stop is None else {"stop": quantity_data(x.source.stop, "ms")}
    return {
        "type": "DCSource",
        "amplitude": value_data(x.source.amplitude, "nA"),
        "start": quantity_data(x.source.start, "ms"),
        **stop,
    }


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
    interval = {} if r.interval is None else {"interval": quantity_data(r.interval, "ms")}
    return {"population": _side(r.target), "variables": list(r.variables), **interval}
