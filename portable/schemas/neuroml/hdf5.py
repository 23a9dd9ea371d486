"""NeuroML's HDF5 files (.net.nml.h5): the network as tables of float32, everything else as XML text in an attribute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import Cells, Continuous, Events, Inputs, Ints, LemsNetwork
from portable.dynamics.lems.types import Where
from portable.errors import ModelError, suggestion
from portable.units import Floats

MAX_ROWS = 1 << 31
EXACT = 2**24  # whole numbers above it are not all float32 numbers


@dataclass(frozen=True)
class Hdf5Network:
    """Stands where a network's XML element would."""

    path: Path
    file: str

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute of the network, as of an XML element."""
        with _opened(self.path, self.file) as h5:
            return _text(h5["neuroml/network"].attrs.get(key), default)


def _opened(path: Path, file: str) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ModelError(file, f"is no HDF5 file that can be read: {str(error)[:120]}", "is the file complete?") from None


def _text(value: Any, default: Any = None) -> Any:
    if value is None:
        return default
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def contents(path: Path, file: str) -> tuple[bytes, Component]:
    """The XML text of the rest of the document (b"" if there is none), and the network as a component."""
    with _opened(path, file) as h5:
        try:
            network = h5["neuroml/network"]
        except KeyError:
            raise ModelError(file, "has no group neuroml/network", "is it a NeuroML network?") from None
        text = h5["neuroml"].attrs.get("neuroml_top_level", b"")
        id = _text(network.attrs.get("id"), "")
        kind = "networkWithTemperature" if _text(network.attrs.get("temperature"), "").strip() else "network"
    if not id.strip():
        raise ModelError(file, "its network has no id", "give it one")
    data = text if isinstance(text, bytes) else str(text).encode()
    return data, Component(kind, id, "network", {"id": id}, (), Where(file, 0, f"<network id={id!r}>"), Hdf5Network(path, file))


def read_network(model: Model, component: Component) -> LemsNetwork:
    """The tables of the network. ModelError naming the file and the group."""
    source: Hdf5Network = component.element
    with _opened(source.path, source.file) as h5:
        return _Reader(model, component, h5["neuroml/network"]).read()


class _Reader:
    def __init__(self, model: Model, component: Component, network: Any) -> None:
        self.model, self.component, self.network = model, component, network
        self.cells: dict[str, Cells] = {}
        self.notes: list[str] = []

    def place(self, group: Any) -> Where:
        return Where(self.component.where.file, 0, f"group {str(group.name).rpartition('/')[2]!r}")

    def text(self, group: Any, key: str) -> str:
        found = str(_text(group.attrs.get(key), "")).strip()
        if not found:
            raise ModelError(str(self.place(group)), f"has no attribute {key}", "write it with libNeuroML")
        return found

    def read(self) -> LemsNetwork:
        groups = list(self.network.values())
        for g in groups:
            if str(g.name).rpartition("/")[2].startswith("population_"):
                self._population(g)
        events: list[Events] = []
        continuous: list[Continuous] = []
        inputs: list[Inputs] = []
        order: list[tuple[str, Any]] = []
        for g in groups:
            name = str(g.name).rpartition("/")[2]
            if name.startswith("inputList_"):
                order.append(("inputs", len(inputs)))
                inputs += self._inputs(g)
            elif name.startswith("projection_"):
                kind = str(_text(g.attrs.get("type"), "projection"))
                order.append(("events", len(events)) if kind == "projection" else ("continuous", len(continuous)))
                if kind == "projection":
                    events += self._events(g)
                else:
                    continuous += self._continuous(g, kind)
            elif not name.startswith("population_"):
                self.notes.append(f"{self.place(g)} is not simulated")
        temperature = str(_text(self.network.attrs.get("temperature"), "")).strip()
        kelvin = self.model.scope.si(temperature, "temperature", self.component.where, "temperature") if temperature else None
        return LemsNetwork(self.component.id, kelvin, tuple(self.cells.values()), tuple(events), tuple(continuous), tuple(inputs), tuple(self.notes), tuple(order))

    def _population(self, g: Any) -> None:
        id, place = self.text(g, "id"), self.place(g)
        component = self.model.component(self.text(g, "component"), place, "the component")
        table = self._table(g, required=False)
        size = int(g.attrs.get("size", 0)) if table is None else next(iter(table.values())).size
        if not 0 <= size < 2**32:
            raise ModelError(str(place), f"size must be between 0 and 2**32, got {size}")
        locations = None if table is None else np.stack([table.get(k, np.zeros(size)) for k in "xyz"], axis=1)
        self.cells[id] = Cells(id, component, size, locations, place)

    def _table(self, g: Any, required: bool = True) -> dict[str, Floats] | None:
        """Columns by name. The data set is the group's only one."""
        found = [d for d in g.values() if hasattr(d, "shape")]
        if not found:
            if required:
                self.notes.append(f"{self.place(g)} has no connections")
            return None
        data = found[0]
        if len(data.shape) != 2 or data.dtype.kind not in "fiu" or data.shape[0] > MAX_ROWS:
            raise ModelError(str(self.place(g)), f"must hold a table of numbers, got shape {data.shape} of {data.dtype}")
        values = data[...].astype(np.float64)
        names = [str(_text(data.attrs.get(f"column_{k}"), "")) for k in range(data.shape[1])]
        out = {n: values[:, k] for k, n in enumerate(names) if n}
        for n, column in out.items():
            if not np.isfinite(column).all():
                raise ModelError(str(self.place(g)), f"row {int(np.flatnonzero(~np.isfinite(column))[0])} of column '{n}' is not finite")
        return out

    def _ids(self, g: Any, table: dict[str, Floats], column: str, population: str) -> Ints:
        place = self.place(g)
        if population not in self.cells:
            raise ModelError(str(place), f"there is no population '{population}'", suggestion(population, self.cells))
        if column not in table:
            raise ModelError(str(place), f"has no column '{column}'", f"it has: {', '.join(table)}")
        ids = table[column].astype(np.int64)
        bad = np.flatnonzero((ids < 0) | (ids >= self.cells[population].size) | (ids != table[column]))
        if bad.size:
            raise ModelError(str(place), f"row {bad[0]}: population '{population}' has no cell {table[column][bad[0]]:g}", f"it has {self.cells[population].size}, numbered from 0")
        if self.cells[population].size > EXACT:
            self.notes.append(f"{place}: positions above 2**24 are not exact in float32")
        return ids

    def _events(self, g: Any) -> list[Events]:
        table = self._table(g)
        if table is None:
            return []
        pre, post = self.text(g, "presynapticPopulation"), self.text(g, "postsynapticPopulation")
        synapse = self.model.component(self.text(g, "synapse"), self.place(g), "the synapse")
        i, j = self._ids(g, table, "pre_cell_id", pre), self._ids(g, table, "post_cell_id", post)
        delays = table["delay"] * 1e-3 if "delay" in table else None
        if delays is not None and delays.min(initial=0.0) < 0:
            raise ModelError(str(self.place(g)), f"row {int(np.argmin(delays))}: delay must be >= 0")
        return [Events(self.text(g, "id"), synapse, pre, post, i, j, table.get("weight"), delays, "", self.place(g))]

    def _continuous(self, g: Any, kind: str) -> list[Continuous]:
        table = self._table(g)
        if table is None:
            return []
        keys = ("synapse", "synapse") if kind == "electricalProjection" else ("preComponent", "postComponent")
        pre, post = self.text(g, "presynapticPopulation"), self.text(g, "postsynapticPopulation")
        a, b = (self.model.component(self.text(g, k), self.place(g), "the component") for k in keys)
        i, j = self._ids(g, table, "pre_cell_id", pre), self._ids(g, table, "post_cell_id", post)
        return [Continuous(self.text(g, "id"), a, b, pre, post, i, j, table.get("weight"), self.place(g))]

    def _inputs(self, g: Any) -> list[Inputs]:
        table = self._table(g)
        if table is None:
            return []
        population = self.text(g, "population")
        component = self.model.component(self.text(g, "component"), self.place(g), "the input")
        return [Inputs(self.text(g, "id"), component, population, self._ids(g, table, "target_cell_id", population), table.get("weight"), self.place(g))]
