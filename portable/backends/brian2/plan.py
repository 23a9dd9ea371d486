"""The plan: what `execute` builds, as plain data. Every name in generated code is mangled, so that no name of
a model can meet one of Brian2's (t, dt, i, N, xi, units): x_ state, p_ parameter or constant, in_ summed
arrivals at a port, u_ input of links, n_ temporary. Of synapses that learn, none of whose names may be one of
their cells': s_ state, k_ parameter, rate_ and rest_ of a state that decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from portable.backends.placement import Placement
from portable.dynamics.ctext import statements
from portable.dynamics.flat import Flat
from portable.dynamics.methods import Method
from portable.resolve.program import (
    CellGroup,
    Connections,
    Coupling,
    Current,
    Ints,
    PerCell,
    PoissonGroup,
    Trace,
    TrainGroup,
)


def mangled(prefix: str, name: str) -> str:
    """A name of generated code: x_v. Brian2 takes names that end in _pre or _post for those of a synapse's
    two sides: xq_v_post_q, and no other name is like this."""
    return f"{prefix}q_{name}_q" if f"_{name}".endswith(("_pre", "_post")) else f"{prefix}_{name}"


def joined(values: list[tuple[PerCell, int]]) -> PerCell:
    """One value for all cells where it is the same in every part, else one array over all of them. Values
    come with their sizes.
    """
    parts = [np.asarray(v, dtype=np.float64) for v, _ in values]
    if all(p.ndim == 0 for p in parts) and len({float(p) for p in parts}) == 1:
        return float(parts[0])
    return np.concatenate([np.broadcast_to(p, n) for p, (_, n) in zip(parts, values, strict=True)])


@dataclass(frozen=True)
class Stepped:
    """A function of generated code.

    arguments: the step's locals, each with the abstract code that gives it; body: Python source that sets the
    results' locals from them.
    """

    name: str
    arguments: Mapping[str, str]
    body: str
    results: tuple[str, ...]

    def call(self, place: int) -> str:
        return f"{self.name}({', '.join([f'{float(place)!r}', *self.arguments.values()])})"

    def c(self, draw: str, factorial: str) -> str:
        """The function in C, `draw` and `factorial` being the names of functions that it may call."""
        body, assigned = statements(self.body, {"random_number": draw, "factorial": factorial})
        own = [n for n in assigned if n not in self.arguments]
        keep = "\n".join(f"    kept[{i}] = {n};" for i, n in enumerate(self.results, start=1))
        head = ", ".join(f"double {n}" for n in ("place", *self.arguments))
        return (
            f"static double {self.name}({head}) {{\n"
            f"    static thread_local double kept[{len(self.results) + 1}];\n"
            f"    if (place > 0.0) return kept[(int)place];\n"
            f"    double {', '.join(f'{n} = 0.0' for n in own)};\n{body}\n{keep}\n    return 0.0;\n}}"
        )

    def python(self) -> str:
        """`rows(columns, results, many)` in the language of machine/build.py: the step of so many cells,
        arguments and results one in a row.
        """
        lines = "\n".join(f"        {line}" for line in self.body.splitlines())
        takes = "\n".join(f"        {a} = taken[{i} * many + cell]" for i, a in enumerate(self.arguments))
        gives = "\n".join(f"        given[{i} * many + cell] = {r}" for i, r in enumerate(self.results))
        return (
            "def rows(columns, results, many):\n"
            "    taken = view(columns, (0,), float64)\n    given = view(results, (0,), float64)\n"
            f"    for cell in range(many):\n{takes}\n{lines}\n{gives}\n    return 0\n"
        )


@dataclass(frozen=True)
class Code:
    """Abstract code of one step of a NeuronGroup.

    `update` runs in slot "groups"; `after` in "before_thresholds", where ports with a general event update
    act between the two (empty otherwise). `values` are the parameters, constants and propagator entries read
    (and key_low, key_high, cell, for random()); `buffers` the ports whose arrivals are summed; `events` maps
    a general port to its on_pre statements.
    """

    update: tuple[str, ...]
    after: tuple[str, ...]
    values: tuple[str, ...]
    buffers: tuple[str, ...]
    events: Mapping[str, tuple[str, ...]]
    refractory: bool
    injected: bool
    linked: tuple[str, ...] = ()  # inputs that links feed: variables u_
    function: Stepped | None = None  # the step of a cell that is not linear


@dataclass(frozen=True)
class Member:
    """A population inside a NeuronGroup or source: its cells are offset .. offset + size - 1 there. `key` is
    its stream of random().
    """

    name: str
    offset: int
    size: int
    key: int = 0


@dataclass(frozen=True)
class Drive:
    """A Poisson population that drives each cell of a population one to one; `weights` one or per cell, delay
    in steps.
    """

    source: PoissonGroup
    target: Member
    port: str
    weights: PerCell
    delay: int


@dataclass(frozen=True)
class Layer:
    """Drives of one port that Brian2 draws itself, at most one for each cell, in one term of the group's
    code.
    """

    port: str
    drives: tuple[Drive, ...]


@dataclass(frozen=True)
class Neurons:
    """One NeuronGroup: every population with the same flat form and integrator, so that a network compiles
    and steps few objects.
    """

    name: str
    size: int
    flat: Flat
    method: Method
    members: tuple[Member, ...]
    parameters: Mapping[str, PerCell]
    initial: Mapping[str, PerCell]
    refractory: int | Ints
    code: Code
    currents: tuple[Current, ...]
    drives: tuple[Drive, ...]
    layers: tuple[Layer, ...] = ()

    def member(self, name: str) -> Member | None:
        return next((m for m in self.members if m.name == name), None)


@dataclass(frozen=True)
class Source:
    """Spike sources whose spikes are handed over: populations side by side, in steps of (population,
    position).
    """

    name: str
    size: int
    members: tuple[Member, ...]
    groups: tuple[PoissonGroup | TrainGroup, ...]


@dataclass(frozen=True)
class Part:
    """Connections by reference, and where their two populations lie in the objects they join."""

    connections: Connections
    pre: int
    post: int


@dataclass(frozen=True)
class Pathway:
    """What a Synapses object that learns does at a spike of one side, "pre" or "post", or of the third
    factor, "signal"; `name` is Brian2's.
    """

    name: str
    side: str
    code: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """How the connections of a Synapses object learn (see pathways.py): pathways in the order of an instant,
    `values` that their code reads and states at the `start` by their names there, one for all connections or
    one for each in the order of the parts, and the `dendritic` steps of each delay. general: arrivals act one
    by one.
    """

    pathways: tuple[Pathway, ...]
    values: Mapping[str, PerCell]
    start: Mapping[str, PerCell]
    dendritic: int | Ints
    general: bool


@dataclass(frozen=True)
class Synapse:
    """One Synapses object: every connection from one object to one port of another that does not learn, or by
    one rule. `delay` in steps, None where it varies; `weight` None where it varies. The object is given
    delay - 1 (see execute)."""

    name: str
    source: str
    target: str
    port: str
    on_pre: tuple[str, ...]
    parts: tuple[Part, ...]
    weight: float | None
    delay: int | None
    # place of its port among those of the target: ports whose arrivals act one by one are served port after
    # port
    order: int = 0
    learning: Learned | None = None

    @property
    def count(self) -> int:
        return sum(p.connections.count for p in self.parts)


@dataclass(frozen=True)
class Brian2Plan:
    """A whole network. `spikes` and `traces` are the program's recordings; `inputs` says for each source
    population whether its trains are "given", "frozen" or "native"."""

    name: str
    dt: float
    seed: int
    cells: tuple[Neurons, ...]
    sources: tuple[Source, ...]
    synapses: tuple[Synapse, ...]
    spikes: Mapping[str, Ints]
    traces: tuple[Trace, ...]
    placement: Placement
    inputs: Mapping[str, str]
    target: str
    threads: int
    groups: tuple[CellGroup | PoissonGroup | TrainGroup, ...] = ()
    links: tuple[Coupling, ...] = ()  # of NeuronGroups, by their names, with positions in them
