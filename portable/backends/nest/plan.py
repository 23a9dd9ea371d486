"""The plan: what NEST is told, as plain data. Golden tests print it; `execute` hands it over.

Nodes are named by group and position; `placement` says which of NEST's node ids these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from portable.backends.placement import Placement
from portable.resolve.program import (
    CellGroup,
    Connections,
    Current,
    Ints,
    PoissonGroup,
    Program,
    Trace,
    TrainGroup,
)
from portable.units import Floats


@dataclass(frozen=True)
class Nestml:
    """A generated NESTML model. `digest` names it ("portable_<digest>_neuron", or "..._synapse") and keys the
    cache of compiled modules.
    """

    name: str
    digest: str
    text: str


@dataclass(frozen=True)
class PortMap:
    """How a receptor of ours is reached: weight in NEST = factor * weight, receptor type (0 = the default
    one).
    """

    factor: float = 1.0
    receptor: int = 0


@dataclass(frozen=True)
class Nodes:
    """A population. `model` is NEST's; `scalars` go into a copy of the model, `arrays` (n, ...) are set for
    each node.

    states: our state -> NEST's name for its initial value and recordable, "" where it has none. `injected` is
    the NEST parameter that carries injected current (pA); `mapping` says which table made the parameters, so
    that `set` can make them again.
    """

    group: CellGroup
    model: str
    mapping: str
    scalars: Mapping[str, Any]
    arrays: Mapping[str, Floats]
    ports: Mapping[str, PortMap]
    initial_names: Mapping[str, str]
    recordables: Mapping[str, str]
    injected: str = ""
    nestml: Nestml | None = None
    choice: Any = None  # the table's row (built-in) or the layout (generated) that parameters are made from


@dataclass(frozen=True)
class Source:
    """A group of spike sources. how: "trains" or "frozen" (a generator per source, spikes handed over in
    chunks), "native" (a poisson_generator for each distinct rate), "silent" (nothing listens, so it has no
    node)."""

    group: PoissonGroup | TrainGroup
    how: str


@dataclass(frozen=True)
class Learned:
    """What connections that learn have besides weight and delay: their model, and its parameters and states,
    one value for all (scalars) or one for each (arrays, in their order). axonal: steps of the delay that pass
    before a spike of the source is seen (n,) or (); None: none. A relay node stands there then. exchange:
    steps between NEST's exchanges of spikes, 0 for as many as the smallest delay allows: changes at any step
    need one every step.
    """

    nestml: Nestml
    scalars: Mapping[str, Any]
    arrays: Mapping[str, Floats]
    axonal: Ints | None = None
    exchange: int = 0


@dataclass(frozen=True)
class Edges:
    """One set of connections; NEST gets arrays."""

    connections: Connections
    port: PortMap
    learned: ClassVar[None] = None


@dataclass(frozen=True)
class LearningEdges:
    """One set of connections that learn."""

    connections: Connections
    port: PortMap
    learned: Learned


@dataclass(frozen=True)
class Plan:
    """Everything NEST is told. `inputs` says for each group of sources whether its trains are "frozen",
    "native" or "given".
    """

    dt: float
    tics_per_ms: int
    threads: int
    seed: int
    cells: tuple[Nodes, ...]
    sources: tuple[Source, ...]
    edges: tuple[Edges | LearningEdges, ...]
    currents: tuple[Current, ...]
    spikes: Mapping[str, Ints]
    traces: tuple[Trace, ...]
    placement: Placement
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def learning(self) -> dict[str, LearningEdges]:
        """Connections that learn, by name."""
        return {e.connections.name: e for e in self.edges if isinstance(e, LearningEdges)}

    @property
    def taught(self) -> set[str]:
        """Populations whose spikes connections learn from, as their sources or targets."""
        return {n for e in self.learning.values() for n in (e.connections.pre, e.connections.post)}

    @property
    def exchange(self) -> int:
        """Steps between exchanges of spikes, 0 for as many as the smallest delay allows."""
        return max((e.learned.exchange for e in self.learning.values()), default=0)

    @property
    def models(self) -> dict[str, Nestml]:
        """The generated models, by digest."""
        found = [c.nestml for c in self.cells] + [e.learned.nestml for e in self.learning.values()]
        return {m.digest: m for m in found if m is not None}

    @property
    def longest(self) -> int:
        """The longest delay in steps."""
        return max((e.connections.delay_range()[1] for e in self.edges), default=1)


def summary(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-able data, arrays shortened to shape and first values: what golden tests compare and
    people read.
    """
    return {
        "kernel": {
            "resolution": plan.dt,
            "tics_per_ms": plan.tics_per_ms,
            "local_num_threads": plan.threads,
            "rng_seed": plan.seed,
            **({"exchange": plan.exchange} if plan.exchange else {}),
        },
        "cells": [
            {
                "name": c.group.name,
                "n": c.group.size,
                "model": c.model,
                "set": {k: _short(v) for k, v in {**c.scalars, **c.arrays}.items()},
                "ports": {k: [p.factor, p.receptor] for k, p in c.ports.items()},
                "nestml": c.nestml.digest if c.nestml else None,
            }
            for c in plan.cells
        ],
        "sources": [{"name": s.group.name, "n": s.group.size, "how": s.how} for s in plan.sources],
        "edges": [
            {
                "name": e.connections.name,
                "n": e.connections.count,
                "factor": e.port.factor,
                "receptor": e.port.receptor,
                **(_learned(e.learned) if e.learned else {}),
            }
            for e in plan.edges
        ],
        "currents": [
            {"group": c.group, "n": int(c.ids.size), "steps": c.steps.tolist()[:5]} for c in plan.currents
        ],
        "placement": {n: [p.first, p.size] for n, p in plan.placement.places.items()},
        "spikes": {k: int(v.size) for k, v in plan.spikes.items()},
        "traces": [
            {"group": t.group, "variable": t.variable, "n": int(t.ids.size), "every": t.every}
            for t in plan.traces
        ],
        "inputs": dict(plan.inputs),
    }


def _learned(x: Learned) -> dict[str, Any]:
    return {
        "nestml": x.nestml.digest,
        "set": {k: _short(v) for k, v in {**x.scalars, **x.arrays}.items()},
        "axonal": _short(x.axonal),
    }


def _short(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "first": value.reshape(-1)[:3].tolist()}
    return value


def where(program: Program, name: str) -> str:
    """How a message names a group."""
    return f"population '{name}' of '{program.name}'"
