"""A NeuroML network as tables: populations, connections by arrays, inputs. Read from the XML
(schemas.neuroml.tables).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.dynamics.lems.model import Component
from portable.dynamics.lems.types import Where
from portable.units import Floats

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LemsPopulation:
    """A population: `size` instances of `component`; locations (size, 3) in um where it is a
    populationList.
    """

    id: str
    component: Component
    size: int
    locations: Floats | None = None
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class Events:
    """Event connections, one entry of the arrays each: spikes of pre's cells go through a new instance of
    `synapse` on post's cells (straight to the cell where synapse is None). Weights are numbers, delays
    seconds; None = 1 and 0. `destination` is the cell's Attachments that the synapse goes to; "" = those of
    its type."""

    id: str
    synapse: Component | None
    pre: str
    post: str
    pre_ids: Ints
    post_ids: Ints
    weights: Floats | None
    delays: Floats | None
    target_port: str = ""
    destination: str = ""
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class Continuous:
    """Continuous connections: an instance of `pre_component` on each pre cell and of `post_component` on each
    post cell, which see each other as `peer`. Electrical connections have the gap junction on both sides."""

    id: str
    pre_component: Component
    post_component: Component
    pre: str
    post: str
    pre_ids: Ints
    post_ids: Ints
    weights: Floats | None
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class Inputs:
    """An instance of `component` attached to each of the cells `ids` of a population (repeats allowed).
    weights None = 1. `destination` as in Events.
    """

    id: str
    component: Component
    population: str
    ids: Ints
    weights: Floats | None
    destination: str = ""
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class LemsNetwork:
    """A network in the order of its elements. temperature in K, None where not given. `alone`: it stands for
    a single component that is to be run, and paths begin inside that."""

    id: str
    temperature: float | None
    populations: tuple[LemsPopulation, ...]
    events: tuple[Events, ...] = ()
    continuous: tuple[Continuous, ...] = ()
    inputs: tuple[Inputs, ...] = ()
    ignored: tuple[str, ...] = ()
    order: tuple[tuple[str, Any], ...] = ()  # ("events", index) ... as the elements stand in the file
    alone: bool = False

    def population(self, id: str) -> LemsPopulation | None:
        return next((p for p in self.populations if p.id == id), None)


@dataclass(frozen=True)
class Column:
    """A recorded quantity: output file and column id, and the path as written."""

    file: str
    id: str
    quantity: str
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class Selection:
    """Recorded events of a cell: output file, format ("TIME_ID" or "ID_TIME"), id in the file, path of the
    cell, port.
    """

    file: str
    format: str
    id: str
    select: str
    port: str
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class LemsSimulation:
    """A Simulation component: what to run, how many steps of which length (s), what to record; `displays` are
    lines of plots. `length` (s) is what the file says.
    """

    id: str
    target: str
    length: float
    step: float
    seed: int | None
    columns: tuple[Column, ...]
    selections: tuple[Selection, ...]
    displays: tuple[Column, ...] = ()

    @property
    def steps(self) -> int:
        return whole_steps(self.length, self.step)


def whole_steps(length: float, step: float) -> int:
    """The steps that jLEMS takes for a length, which may be no multiple of the step: the nearest number, the
    larger of two, at least one.
    """
    return max(math.floor(length / step * (1 + 1e-12) + 0.5), 1)
