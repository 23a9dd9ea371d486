"""Paths of recorded quantities -> variables of the network that was built: "pop[0]/v",
"pop/0/cell/bio/.../q", "pop[0]/synapses:syn:0/g".
"""

from __future__ import annotations

import re

import numpy as np

from portable.dynamics.lems.flat_model import FlatModel
from portable.dynamics.lems.instance import Instance, find
from portable.dynamics.lems.network import Column, LemsSimulation, Selection
from portable.dynamics.lems.types import Where
from portable.errors import ModelError
from portable.model.cells import Cell
from portable.model.network import Population, Record
from portable.schemas.neuroml.build import NetworkBuilder
from portable.schemas.neuroml.paths import Place as Addresses
from portable.schemas.neuroml.source import Place
from portable.units import NONE, Dimension

_ATTACHED = re.compile(r"\w+:(\w+):(\d+)$")
MAX_PATHS = 100_000  # cells of a population whose paths are kept
Columns = list[tuple[Column, Place | None]]
Selections = list[tuple[Selection, tuple[str, int] | None]]


def placed(b: NetworkBuilder, simulation: LemsSimulation | None) -> tuple[Columns, Selections, list[Record]]:
    """Where every recorded quantity and event is, and the Records: those, and the spikes of all
    populations.
    """
    columns: Columns = []
    selections: Selections = []
    if simulation is not None:
        finder = _Finder(b)
        watched = simulation.columns or simulation.displays
        columns = [(c, finder.column(c)) for c in watched]
        selections = [(s, finder.selection(s)) for s in simulation.selections]
    by: dict[tuple[str, str], set[int]] = {}
    for _, place in columns:
        if place is not None:
            by.setdefault((place.population, place.variable), set()).add(place.cell)
    named = {p.name: p for p in b.made.values()}
    records = [Record(p, "spikes") for p in named.values() if _spikes(p)]
    records += [Record(_some(named[p], sorted(cells)), v) for (p, v), cells in by.items()]
    return columns, selections, records


def _some(p: Population, cells: list[int]) -> object:
    return p if len(cells) == p.size else p[cells]


def _spikes(p: Population) -> bool:
    return not isinstance(p.cell, Cell) or any(c.spike for c in p.cell.flat.conditions)


def paths(b: NetworkBuilder) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, ...]]]:
    """(population, variable) -> path below a cell; population -> paths of its cells, as jLEMS resolves
    them.
    """
    steps: dict[tuple[str, str], str] = {}
    cells: dict[str, tuple[str, ...]] = {}
    of: dict[str, list[str]] = {}
    for p in b.network.populations:
        own = (
            [f"{p.id}[{i}]" if p.locations is None else f"{p.id}/{i}/{p.component.id}" for i in range(p.size)]
            if p.size <= MAX_PATHS
            else []
        )
        of[p.id] = own
        if own and p.id in b.made:
            cells[b.names[p.id]] = tuple(own)
        site = b.sites.get(p.id)
        if site is not None and site.flat is not None:
            steps |= _steps(
                b.names[p.id], site.flat, {id(i): _below(i, site.cell) for i in site.cell.everything()}
            )
    for edge in b.edges:
        for instance, ids, post in zip(edge.instances, edge.cells, edge.posts, strict=True):
            if len(edge.instances) > 1 or not of[post]:
                continue
            seen: dict[int, int] = {}
            out = []
            for cell in ids.tolist():
                k = seen[cell] = seen.get(cell, -1) + 1
                out.append(f"{of[post][cell]}/synapses:{instance.component.id}:{k}")
            cells[edge.population] = tuple(out)
            steps |= _steps(
                edge.population, edge.flat, {id(i): _below(i, instance) for i in instance.everything()}
            )
    return steps, cells


def _steps(population: str, flat: FlatModel, known: dict[int, str]) -> dict[tuple[str, str], str]:
    return {
        (population, symbol): f"{known[i]}{variable}"
        for (i, variable), symbol in flat.symbols.items()
        if i in known
    }


def _below(i: Instance, top: Instance) -> str:
    """The path from the top to an instance, with a / at the end; attached synapses as jLEMS addresses
    them.
    """
    out = ""
    while i is not top:
        parent = i.parent
        assert parent is not None
        slot = next((s for s, many in parent.lists.items() if any(x is i for x in many)), "")
        attached = slot and parent.type.slots[slot].kind == "Attachments"
        step = f"{slot}:{i.component.id}:0" if attached else i.component.id or i.name
        out, i = f"{step}/{out}", parent
    return out


class _Finder:
    def __init__(self, b: NetworkBuilder) -> None:
        self.b = b
        ids = {}
        for p in b.network.populations:
            if p.locations is not None and p.component is not None:
                ids[p.id] = np.arange(p.size)
        self.addresses = Addresses({p.id: p.size for p in b.network.populations}, {})

    def selection(self, s: Selection) -> tuple[str, int] | None:
        population, position, _ = self._address(s.select, s.where)
        return (self.b.names[population], position) if population in self.b.made else None

    def column(self, c: Column) -> Place | None:
        """ModelError if the path leads nowhere; None if what it leads to is not simulated."""
        if self._about_context(c):
            return None
        population, position, rest = self._address(c.quantity, c.where)
        if population not in self.b.sites:
            self.b.notes.append(
                str(c.where), f"'{c.quantity}' is a variable of a source of spikes, which has none here"
            )
            return None
        parts = [p for p in rest.split("/") if p]
        if not parts:
            raise ModelError(
                str(c.where), f"'{c.quantity}' names a cell, not a variable", "add the variable, such as /v"
            )
        *steps, variable = parts
        s = self.b.sites[population]
        assert s.flat is not None
        if isinstance(kind := self.b.made[population].cell, Cell) and kind.flat.compartments > 1:
            return None
        found = self._attached(population, position, steps) if steps else None
        name, flat, instance, cell = found or (
            self.b.names[population],
            s.flat,
            self._inside(s.cell, steps, c),
            position,
        )
        symbol = flat.symbol(instance, instance.type.exposed(variable) or variable)
        if not symbol:
            why = flat.why(variable)
            raise ModelError(
                str(c.where),
                f"'{c.quantity}': there is no variable '{variable}' in {instance.component}",
                why or f"it has: {', '.join(instance.type.exposures)}",
            )
        if symbol in flat.parameters:
            self.b.notes.append(str(c.where), f"'{c.quantity}' is a constant and is not recorded")
            return None
        return Place(name, symbol, cell, self._dimension(flat, symbol))

    def _address(self, path: str, where: Where) -> tuple[str, int, str]:
        """(population, position, path below the cell)."""
        if self.b.network.alone:
            return self.b.network.id, 0, path
        return self.addresses.one(path, where)

    def _about_context(self, c: Column) -> bool:
        """A variable of the component around the network."""
        if self.b.context is not None and "/" not in c.quantity:
            self.b.notes.append(
                str(c.where), f"'{c.quantity}' belongs to what is around the network and is not recorded"
            )
            return True
        return False

    @staticmethod
    def _dimension(flat: FlatModel, symbol: str) -> Dimension:
        if symbol in flat.states:
            return flat.states[symbol]
        return flat.derived[symbol][1] if symbol in flat.derived else flat.inputs.get(symbol, NONE)

    @staticmethod
    def _inside(cell: Instance, steps: list[str], c: Column) -> Instance:
        found = find(cell, steps)
        if found is None:
            raise ModelError(
                str(c.where),
                f"'{c.quantity}': nothing is found at '{'/'.join(steps)}' in {cell.component}",
                "check the ids on the way",
            )
        return found

    def _attached(
        self, population: str, position: int, steps: list[str]
    ) -> tuple[str, FlatModel, Instance, int] | None:
        """A synapse or input on a cell: "synapses:id:k", or its id."""
        match = _ATTACHED.match(steps[0])
        id, k = (match[1], int(match[2])) if match else (steps[0], 0)
        s = self.b.sites[population]
        for i in s.everything_attached():
            if i.component.id == id and s.flat is not None:
                inner = find(i, steps[1:])
                return None if inner is None else (self.b.names[population], s.flat, inner, position)
        for edge in self.b.edges:
            for instance, cells, post in zip(edge.instances, edge.cells, edge.posts, strict=True):
                mine = np.flatnonzero(cells == position)
                if post == population and instance.component.id == id and mine.size:
                    inner = find(instance, steps[1:])
                    return (
                        None
                        if inner is None
                        else (edge.population, edge.flat, inner, int(mine[min(k, mine.size - 1)]))
                    )
        return None
