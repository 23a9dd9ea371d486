"""NeuroML's HDF5 files (.net.nml.h5): the network as tables of float32, everything else as XML text in an
attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from portable.dynamics.lems.model import Component, Follows, Model
from portable.dynamics.lems.network import Continuous, Events, Inputs, Ints, LemsNetwork, LemsPopulation
from portable.dynamics.lems.types import Where
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml.collect import Collector
from portable.units import Floats

MAX_ROWS = 1 << 31
MAX_COLUMNS = 64
MAX_RATIO = 200  # bytes of a table to bytes in the file: tables of connections compress to a tenth or so
MAX_CELLS = 10**8  # in a population; no computer steps through more
EXACT = 2**24  # whole numbers above it are not all float32 numbers


@dataclass(frozen=True)
class Hdf5Network:
    """Stands where a network's XML element would."""

    path: Path
    file: str

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute of the network, as of an XML element."""
        with _opened(self.path, self.file) as h5, _guarded(self.file):
            return _text(_child(_child(h5, "neuroml"), "network").attrs.get(key), default)


def _opened(path: Path, file: str) -> Any:
    import h5py

    with _guarded(file):
        return h5py.File(path, "r")


@contextmanager
def _guarded(place: object) -> Iterator[None]:
    """Around every call of h5py: broken files make it raise almost anything."""
    try:
        yield
    except ModelError as error:
        raise error if error.path else error.under(str(place)) from None
    except MemoryError:
        raise ModelError(str(place), "needs more memory than there is", "split the file") from None
    except Exception as error:
        raise ModelError(
            str(place),
            f"is no HDF5 file that can be read: {type(error).__name__}: {str(error)[:120]}",
            "is the file complete?",
        ) from None


def _child(group: Any, name: str) -> Any:
    """What is in a group of this very file: links lead to other files. KeyError where there is nothing."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ModelError("", f"'{name[:60]}' is a link", "put the data itself into the file")
    return group[name]


def bloated(data: Any) -> bool:
    """Whether a data set says that it has more than its file can hold."""
    return bool(data.size * data.dtype.itemsize > MAX_RATIO * data.id.get_storage_size() + 4096)


def _names(group: Any) -> list[str]:
    """What is in a group. A name that is no UTF-8 comes as bytes."""
    names: list[Any] = list(group)
    for n in names:
        if not isinstance(n, str):
            raise ModelError("", f"the name {n[:60]!r} is no text", "is the file complete?")
    return names


def _text(value: Any, default: Any = None) -> Any:
    if value is None:
        return default
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def contents(path: Path, file: str) -> tuple[bytes, Component]:
    """The XML text of the rest of the document (b"" if there is none), and the network as a component."""
    with _opened(path, file) as h5, _guarded(file):
        if "neuroml" not in h5 or "network" not in h5["neuroml"]:
            raise ModelError(file, "has no group neuroml/network", "is it a NeuroML network?")
        top = _child(h5, "neuroml")
        network = _child(top, "network")
        text = top.attrs.get("neuroml_top_level", b"")
        id = _text(network.attrs.get("id"), "")
        kind = "networkWithTemperature" if _text(network.attrs.get("temperature"), "").strip() else "network"
    if not id.strip():
        raise ModelError(file, "its network has no id", "give it one")
    data = text if isinstance(text, bytes) else str(_text(text)).encode("utf-8", "replace")
    return data, Component(
        kind, id, "network", {"id": id}, (), Where(file, 0, f"<network id={id!r}>"), Hdf5Network(path, file)
    )


def read_network(model: Model, component: Component, catch: Collector | None = None) -> LemsNetwork:
    """The tables of the network. ModelError naming the file and the group; with a collector that keeps them,
    reading goes on.
    """
    source: Hdf5Network = component.element
    with _opened(source.path, source.file) as h5:
        with _guarded(source.file):
            network = _child(_child(h5, "neuroml"), "network")
            names = _names(network)
        return _Reader(model, component, network, catch or Collector()).read(names)


@dataclass(frozen=True)
class _Group:
    """A group as it stands: attributes as text, the columns of its one data set by name, None where it has
    none.
    """

    name: str
    place: Where
    attributes: dict[str, str]
    rows: int
    table: dict[str, Floats] | None

    def text(self, key: str) -> str:
        found = self.attributes.get(key, "").strip()
        if not found:
            raise ModelError(str(self.place), f"has no attribute {key}", "write it with libNeuroML")
        return found


class _Reader:
    def __init__(self, model: Model, component: Component, network: Any, catch: Collector) -> None:
        self.model, self.component, self.network, self.catch = model, component, network, catch
        self.cells: dict[str, LemsPopulation] = {}
        self.named = set[str]()  # populations that there are, those too that could not be read
        self.notes: list[str] = []
        self.events: list[Events] = []
        self.continuous: list[Continuous] = []
        self.inputs: list[Inputs] = []
        self.order: list[tuple[str, Any]] = []

    def read(self, names: list[str]) -> LemsNetwork:
        populations = [n for n in names if n.startswith("population_")]
        for n in populations:
            with self.catch(self._place(n)):
                self._population(self._group(n))
        for n in names:
            if n not in populations:
                with self.catch(self._place(n)):
                    self._attached(n)
        temperature = str(_text(self.component.element.get("temperature"), "")).strip()
        kelvin = (
            self.model.scope.si(temperature, "temperature", self.component.where, "temperature")
            if temperature
            else None
        )
        return LemsNetwork(
            self.component.id,
            kelvin,
            tuple(self.cells.values()),
            tuple(self.events),
            tuple(self.continuous),
            tuple(self.inputs),
            tuple(self.notes),
            tuple(self.order),
        )

    def _attached(self, name: str) -> None:
        if name.startswith("inputList_"):
            self.order.append(("inputs", len(self.inputs)))
            self.inputs += self._inputs(self._group(name))
        elif name.startswith("projection_"):
            g = self._group(name)
            kind = g.attributes.get("type", "projection")
            self.order.append(
                ("events", len(self.events)) if kind == "projection" else ("continuous", len(self.continuous))
            )
            if kind == "projection":
                self.events += self._events(g)
            else:
                self.continuous += self._continuous(g, kind)
        else:
            self.notes.append(f"{self._place(name)} is not simulated")

    def _place(self, name: str) -> Where:
        return Where(self.component.where.file, 0, f"group {name[:80]!r}")

    def _group(self, name: str) -> _Group:
        place = self._place(name)
        with _guarded(place):
            group = _child(self.network, name)
            attributes = {str(k): str(_text(v)) for k, v in group.attrs.items()}
            found = [d for d in (_child(group, n) for n in _names(group)) if hasattr(d, "shape")]
            rows, table = self._table(found[0], place) if found else (0, None)
        return _Group(name, place, attributes, rows, table)

    @staticmethod
    def _table(data: Any, place: Where) -> tuple[int, dict[str, Floats]]:
        """Columns by name."""
        if (
            len(data.shape) != 2
            or data.dtype.kind not in "fiu"
            or data.shape[0] > MAX_ROWS
            or data.shape[1] > MAX_COLUMNS
        ):
            raise ModelError(
                str(place),
                f"must hold a table of numbers, got shape {data.shape} of {data.dtype}",
                "write it with libNeuroML",
            )
        if data.external or data.is_virtual:
            raise ModelError(str(place), "has its data in another file", "put them into this one")
        if bloated(data):
            raise ModelError(
                str(place),
                f"says that it has {data.shape[0]} rows, and the file does not hold them",
                "is the file complete?",
            )
        values = data[...].astype(np.float64)
        names = [str(_text(data.attrs.get(f"column_{k}"), "")) for k in range(data.shape[1])]
        out = {n: values[:, k] for k, n in enumerate(names) if n}
        for n, column in out.items():
            if not np.isfinite(column).all():
                row = int(np.flatnonzero(~np.isfinite(column))[0])
                raise ModelError(
                    str(place), f"row {row} of column '{n}' is {column[row]}", "every value must be a number"
                )
        return values.shape[0], out

    def _population(self, g: _Group) -> None:
        id = g.text("id")
        if id in self.named:
            raise ModelError(
                str(g.place), f"the id '{id[:60]}' is taken by another population", "give it another id"
            )
        self.named.add(id)
        component = self.model.component(g.text("component"), g.place, "the component")
        size = g.attributes.get("size", "0") if g.table is None else str(g.rows)
        if not re.fullmatch(r"\d{1,10}", size, re.A) or int(size) > MAX_CELLS:
            raise ModelError(
                str(g.place),
                f"size must be a whole number from 0 to {MAX_CELLS}, got {size[:40]}",
                "is the file complete?",
            )
        locations = (
            None if g.table is None else np.stack([g.table.get(k, np.zeros(g.rows)) for k in "xyz"], axis=1)
        )
        self.cells[id] = LemsPopulation(id, component, int(size), locations, g.place)

    def _rows(self, g: _Group) -> dict[str, Floats] | None:
        if not g.rows:
            self.notes.append(f"{g.place} has no connections")
        return g.table if g.rows else None

    def _ids(self, g: _Group, table: dict[str, Floats], column: str, population: str) -> Ints:
        place = g.place
        if population not in self.cells:
            raise (Follows if population in self.named else ModelError)(
                str(place), f"there is no population '{population}'", suggestion(population, self.cells)
            )
        if column not in table:
            raise ModelError(str(place), f"has no column '{column}'", f"it has: {', '.join(table)[:200]}")
        with np.errstate(invalid="ignore"):
            ids = table[column].astype(np.int64)
        bad = np.flatnonzero((ids < 0) | (ids >= self.cells[population].size) | (ids != table[column]))
        if bad.size:
            raise ModelError(
                str(place),
                f"row {bad[0]}: population '{population}' has no cell {table[column][bad[0]]:g}",
                f"it has {self.cells[population].size}, numbered from 0",
            )
        if self.cells[population].size > EXACT:
            self.notes.append(f"{place}: positions above 2**24 are not exact in float32")
        return ids

    def _events(self, g: _Group) -> list[Events]:
        table = self._rows(g)
        if table is None:
            return []
        pre, post = g.text("presynapticPopulation"), g.text("postsynapticPopulation")
        synapse = self.model.component(g.text("synapse"), g.place, "the synapse")
        i, j = self._ids(g, table, "pre_cell_id", pre), self._ids(g, table, "post_cell_id", post)
        delays = table["delay"] * 1e-3 if "delay" in table else None
        if delays is not None and delays.min(initial=0.0) < 0:
            raise ModelError(
                str(g.place),
                f"row {int(np.argmin(delays))}: delay must be >= 0 ms, got {table['delay'].min():g}",
                "an event cannot arrive before it is sent",
            )
        return [Events(g.text("id"), synapse, pre, post, i, j, table.get("weight"), delays, where=g.place)]

    def _continuous(self, g: _Group, kind: str) -> list[Continuous]:
        table = self._rows(g)
        if table is None:
            return []
        keys = ("synapse", "synapse") if kind == "electricalProjection" else ("preComponent", "postComponent")
        pre, post = g.text("presynapticPopulation"), g.text("postsynapticPopulation")
        a, b = (self.model.component(g.text(k), g.place, "the component") for k in keys)
        i, j = self._ids(g, table, "pre_cell_id", pre), self._ids(g, table, "post_cell_id", post)
        return [Continuous(g.text("id"), a, b, pre, post, i, j, table.get("weight"), g.place)]

    def _inputs(self, g: _Group) -> list[Inputs]:
        table = self._rows(g)
        if table is None:
            return []
        population = g.text("population")
        component = self.model.component(g.text("component"), g.place, "the input")
        return [
            Inputs(
                g.text("id"),
                component,
                population,
                self._ids(g, table, "target_cell_id", population),
                table.get("weight"),
                where=g.place,
            )
        ]
