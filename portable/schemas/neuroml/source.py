"""What a network that was read from NeuroML keeps of it: the L1 model, its tables, and where its quantities
are now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import Column, LemsNetwork, LemsSimulation, Selection
from portable.model.origin import Origin
from portable.units import Dimension

FORMAT = "NeuroML"


@dataclass(frozen=True)
class Place:
    """Where a recorded quantity of the file is: population, variable and cell of the network."""

    population: str
    variable: str
    cell: int
    dimension: Dimension


@dataclass(frozen=True, eq=False)
class LemsSource:
    """The origin of an imported network.

    columns: each recorded quantity of the Simulation and where it is now (None: it is not in the network).
    selections: the same for recorded events: (population, cell). notes: (where, what) that reading changed or
    chose. path: the file; folder: what includes may reach.
    senders: population of the network -> id of the file's population whose spikes it sends, or the number of
    the inputs of the file that they come from. context: a component around the network that gives it
    something (a temperature).
    steps: (population, variable) -> the path below a cell; cells: population -> the path of every cell.
    digest: of the network that was made; a changed network is not this file's any more.
    """

    model: Model
    network: LemsNetwork
    simulation: LemsSimulation | None
    simulation_component: Component | None
    path: Path
    folder: Path
    columns: tuple[tuple[Column, Place | None], ...] = ()
    selections: tuple[tuple[Selection, tuple[str, int] | None], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    senders: Mapping[str, str | int] = field(default_factory=dict)
    context: Component | None = None
    steps: Mapping[tuple[str, str], str] = field(default_factory=dict)
    cells: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    digest: str = ""
    format: str = FORMAT

    @property
    def part(self) -> str:
        """Which network of the file it is."""
        return self.network.id

    def path_of(self, population: str, cell: int, variable: str) -> str:
        """The path of a variable of a cell in the file, of the cell itself where `variable` is ""; "" if the
        file has none.
        """
        known = self.cells.get(population)
        if known is None:
            return ""
        if not variable:
            return known[cell] if ":" not in known[cell] else ""
        inner = self.steps.get((population, variable))
        return "" if inner is None else f"{known[cell].partition('|')[0]}/{inner}"


def lems_source(origin: Origin | None) -> LemsSource | None:
    """The origin of a network that was read from NeuroML; None of any other."""
    return origin if isinstance(origin, LemsSource) else None
