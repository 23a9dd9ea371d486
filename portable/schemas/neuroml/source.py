"""What a network that was read from NeuroML keeps of it: the L1 model, its tables, and where its quantities are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import Column, LemsNetwork, LemsSimulation, Selection
from portable.units import Dimension


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

    columns: each recorded quantity of the Simulation and where it is now (None: it is not in the network). selections: the same for
    recorded events: (population, cell). notes: (where, what) that reading changed or chose. path: the file; folder: what includes may reach.
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
    populations: Mapping[str, str] = field(default_factory=dict)  # NeuroML id -> name in the network
    context: Component | None = None  # a component around the network that gives it something (a temperature)
