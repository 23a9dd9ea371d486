"""The Program: a resolved network, all arrays, the same for every backend.

Numbers are in coherent units (ms, mV, pA, pF, nS) and times in whole steps of dt. Cells of all populations
have a *portable id*: their position in their population. Only what the network's seed decides is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

import numpy as np
import numpy.typing as npt

from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import Flat
from portable.dynamics.synapse import Rule
from portable.model.origin import Origin
from portable.units import Floats

Ints = npt.NDArray[np.int64]
PerCell = Union[float, Floats]  # noqa: UP007  one number for all cells, or an array of one per cell


@dataclass(frozen=True)
class Approximation:
    """Something that was changed on the way, and by how much. Nothing is changed silently."""

    where: str
    asked: str
    got: str
    largest_error: str
    reason: str


@dataclass(frozen=True)
class CellGroup:
    """A population of cells. `parameters` and `initial` (every state) hold a float, or an array of length
    `size`.

    `refractory` is whole steps: one int, or an int64 array per cell. `key` is the stream of random() in its
    assignments.
    """

    name: str
    size: int
    flat: Flat
    parameters: Mapping[str, PerCell]
    initial: Mapping[str, PerCell]
    refractory: int | Ints = 0
    key: int = 0

    def values(self) -> dict[str, PerCell]:
        """Parameters and the constants derived from them."""
        out: dict[str, PerCell] = dict(self.parameters)
        for d in self.flat.constants:
            out[d.name] = evaluate(d.expr, out)
        return out


@dataclass(frozen=True)
class PoissonGroup:
    """Poisson sources: rate in 1/ms; active in steps start < k <= stop (stop None = for ever).

    The number of spikes of source i stamped k is a function of (key, i, k) alone: resolve.poisson.counts
    computes it (resolve.trains in any window), so every backend that asks gets the same ("frozen" inputs).
    """

    name: str
    size: int
    rate: PerCell
    start: int
    stop: int | None
    key: int


@dataclass(frozen=True)
class TrainGroup:
    """Sources with given spikes: source i fires at steps[indptr[i]:indptr[i+1]] (stamps >= 1, sorted, repeats
    allowed).
    """

    name: str
    size: int
    indptr: Ints
    steps: Ints


Group = Union[CellGroup, PoissonGroup, TrainGroup]  # noqa: UP007


@dataclass(frozen=True)
class Plasticity:
    """How connections learn. parameters, and initial of the connections' own states (not the weight): a
    float, or an array of one per connection, in their order. `dendritic` steps of each delay, 1 or more: one
    int, or an array. signal: the group whose spikes are the third factor, seen signal_delay steps after
    their stamps; "" if there is none. key: the stream of random() in the rule.
    """

    rule: Rule
    parameters: Mapping[str, PerCell]
    initial: Mapping[str, PerCell]
    dendritic: int | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    signal: str = ""
    signal_delay: int = 1
    key: int = 0

    def start(self) -> dict[str, PerCell]:
        """Every state but the weight before the first spike: traces are 0."""
        rule = self.rule
        return {s.name: 0.0 for s in (*rule.signal, *rule.pre, *rule.post)} | dict(self.initial)

    def varying(self) -> frozenset[str]:
        """Parameters that are not the same for all connections."""
        return frozenset(n for n, v in self.parameters.items() if not isinstance(v, float))


@dataclass(frozen=True)
class Connections:
    """Connections from one group to one group, compressed by source, each row sorted by (delay, target).

    Row i (a source) has targets[indptr[i]:indptr[i+1]] (uint16 where the target group allows, else uint32),
    weights in the port's coherent unit (drawn ones float32, which holds them without loss; a user's float64;
    one float if all are equal), delays in steps
    (uint8/uint16; one int if all are equal). `one_to_one` says that row i is exactly target i. Connections
    that learn have `learning`; weights are then those at the start.
    """

    name: str
    projection: str
    pre: str
    post: str
    port: str
    indptr: Ints
    targets: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    weights: float | npt.NDArray[np.float32] | Floats
    delays: int | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    one_to_one: bool = False
    learning: Plasticity | None = None

    @property
    def count(self) -> int:
        """Number of connections."""
        return int(self.targets.size)

    def sources(self) -> npt.NDArray[np.uint32]:
        """The source of every connection (length `count`)."""
        return np.repeat(np.arange(self.indptr.size - 1, dtype=np.uint32), np.diff(self.indptr))

    def axonal(self) -> Ints:
        """Axonal steps of each connection that learns, or of all (1,)."""
        assert self.learning is not None
        whole, back = (np.asarray(x, dtype=np.int64) for x in (self.delays, self.learning.dendritic))
        return np.atleast_1d(whole - back)

    def nth(self) -> Ints:
        """Of each connection, how many of its pair stand before it."""
        pair = self.sources().astype(np.int64) << 32 | self.targets
        order = np.argsort(pair, kind="stable")
        first = np.flatnonzero(np.diff(pair[order], prepend=-1))
        out = np.empty(self.count, dtype=np.int64)
        out[order] = np.arange(self.count) - np.repeat(first, np.diff(np.append(first, self.count)))
        return out

    def delay_range(self) -> tuple[int, int]:
        """Smallest and largest delay in steps; (0, 0) where there is no connection."""
        if not self.count:
            return 0, 0
        if isinstance(self.delays, (int, np.integer)):
            return int(self.delays), int(self.delays)
        return int(self.delays.min()), int(self.delays.max())


@dataclass(frozen=True)
class Current:
    """An injected current of some cells: takes amplitude[:, j] (pA) from step steps[j] on (in the update
    steps[j] -> steps[j]+1).

    ids (n,) each once, steps (m,) increasing, amplitude (n, m) or (1, m) where all cells get the same; 0
    before steps[0].
    """

    group: str
    ids: Ints
    steps: Ints
    amplitude: Floats


@dataclass(frozen=True)
class Coupling:
    """A link: before every update target.input[post[j]] += source.variable[pre[j]], in the order of j; the
    input is then constant over it.

    `variable` is a state, or a derived variable or constant of the flat form; the program's couplings are in
    order of evaluation.
    """

    source: str
    variable: str
    target: str
    input: str
    pre: Ints
    post: Ints


@dataclass(frozen=True)
class Trace:
    """A state variable to record: of `ids`, at steps 0, every, 2*every, ... (the state after that step; 0 =
    initial).

    In Program.shown any variable of the cell: a derived one has the value of the states after that step.
    """

    group: str
    variable: str
    ids: Ints
    every: int


@dataclass(frozen=True)
class Program:
    """A resolved network. `spikes` maps the groups whose spikes are recorded to the cells (positions) to
    keep.

    `traces` are what a backend records, states only; `shown` what results give, computed from them
    (resolve.derived).
    """

    name: str
    dt: float
    seed: int
    groups: tuple[Group, ...]
    connections: tuple[Connections, ...] = ()
    currents: tuple[Current, ...] = ()
    spikes: Mapping[str, Ints] = field(default_factory=dict)
    traces: tuple[Trace, ...] = ()
    approximations: tuple[Approximation, ...] = ()
    model_hash: str = ""
    origin: Origin | None = None  # of a network that was read from a file and not changed since
    shown: tuple[Trace, ...] = ()
    links: tuple[Coupling, ...] = ()  # in the order in which they are evaluated
    part: object = None  # the resolve.part.Part whose incoming connections these are; None: the whole
    synapses_total: int = 0  # connections of the whole network

    def group(self, name: str) -> Group:
        """The group of that name; KeyError if there is none."""
        for g in self.groups:
            if g.name == name:
                return g
        raise KeyError(name)

    @property
    def cells(self) -> tuple[CellGroup, ...]:
        return tuple(g for g in self.groups if isinstance(g, CellGroup))

    @property
    def synapses(self) -> int:
        """Number of connections that are here: of a part, those onto its cells."""
        return sum(c.count for c in self.connections)
