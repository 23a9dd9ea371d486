"""A network's declaration -> what decides its cost on this engine, without making a connection.

The plan is the engine's own: `lower` is given a program of the real groups in which every projection has one
or two connections with its range of weights and delays. How many there will be stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from portable.backends.contract import RunConfig
from portable.backends.native.layout import Layout
from portable.backends.native.lower import RING, NativePlan, faster, lower
from portable.backends.native.threads import worthwhile
from portable.model.connectors import OneToOne
from portable.model.limits import MAX_DELAY
from portable.model.network import Network, Projection
from portable.model.values import Array, Clipped
from portable.resolve.cells import group
from portable.resolve.couplings import couplings
from portable.resolve.derived import sampled
from portable.resolve.distributions import LOGNORMAL, UNIFORM, Spec, spec
from portable.resolve.estimate import Estimate, estimate
from portable.resolve.injected import currents, recordings
from portable.resolve.program import CellGroup, Connections, Ints, PoissonGroup, Program, TrainGroup
from portable.units import Floats, Quantity


@dataclass(frozen=True)
class Joint:
    """What a projection makes from one population to one: how many connections, and their share at each of
    the delays first, first + 1, ... steps."""

    projection: Projection
    pre: str
    post: str
    count: float
    first: int
    shares: Floats


@dataclass(frozen=True)
class Outline:
    """joints[i] belongs to plan.program.connections[i]; layouts by group; parts that the engine makes."""

    network: Network
    sizes: Estimate
    plan: NativePlan
    joints: tuple[Joint, ...]
    layouts: Mapping[str, Layout]
    parts: int

    @property
    def program(self) -> Program:
        return self.plan.program

    @property
    def stored(self) -> list[tuple[Joint, int]]:
        """Those that the engine keeps as synapses, with the number of their kind."""
        return [(j, k) for j, k in zip(self.joints, self.plan.connections, strict=True) if k is not None]

    @property
    def senders(self) -> dict[str, int]:
        """Groups that send through synapses, and their sizes."""
        names = {j.pre for j, _ in self.stored}
        return {g.name: g.size for g in self.program.groups if g.name in names}

    @property
    def width(self) -> int:
        """Entries of the table of segments for each source."""
        return len(self.plan.kinds) * (1 if self.plan.delivery == RING else len(self.plan.delays)) + 1

    @property
    def synapses(self) -> float:
        return sum(j.count for j, _ in self.stored)

    def cells(self) -> int:
        return sum(g.size for g in self.program.cells)

    def segments(self, name: str) -> tuple[float, float]:
        """Synapses of one cell of the group, and the segments of one part that are expected to hold any."""
        size, kinds = self.senders[name], dict[int, Floats]()
        delays = max(self.plan.delays, default=0) + 1
        for j, k in self.stored:
            if j.pre == name:
                mine = kinds.setdefault(k, np.zeros(delays + j.shares.size))
                mine[j.first : j.first + j.shares.size] += j.count / size * j.shares
        many = sum(float(np.sum(x)) for x in kinds.values())
        if self.plan.delivery == RING:
            return many, float(len(kinds))
        return many, sum(float(np.sum(-np.expm1(-x / self.parts))) for x in kinds.values())


def outline(network: Network, dt: float, threads: int | None = None) -> Outline:
    """threads: None for the engine's own choice. ModelError as `resolve` has it of what is looked at."""
    from portable.backends.native.cells import arranged
    from portable.backends.native.parts import parts_for

    sizes = estimate(network, dt)
    program, joints = _program(network, sizes, dt)
    many = worthwhile(program) if threads is None else threads
    plan = lower(program, RunConfig(threads=many)).plan
    delivery = _delivery(plan, joints)
    if delivery != plan.delivery:
        plan = lower(program, RunConfig(threads=many, options={"delivery": delivery})).plan
    layouts = {g.name: arranged(plan, c, g)[0] for c, g in zip(plan.cells, plan.program.cells, strict=True)}
    return Outline(network, sizes, plan, joints, layouts, parts_for(plan))


def _delivery(plan: NativePlan, joints: tuple[Joint, ...]) -> str:
    """What `lower` would begin with, knowing the numbers of connections."""
    mine = [j for j, k in zip(joints, plan.connections, strict=True) if k is not None]
    sources = sum(plan.program.group(n).size for n in {j.pre for j in mine})
    return faster(sum(j.count for j in mine), sources, len(plan.delays), plan.threads)


def _program(network: Network, sizes: Estimate, dt: float) -> tuple[Program, tuple[Joint, ...]]:
    groups = tuple(group(p, 0, dt)[0] for p in network.populations)
    made = [x for q in network.projections for x in _joints(q, sizes.synapses[q.name], dt)]
    injected, (spikes, shown) = currents(network.inputs, 0, dt), recordings(network.recordings, dt)
    links = couplings(network.links)
    traces = sampled([g for g in groups if isinstance(g, CellGroup)], links, shown)
    program = Program(
        network.name, dt, 0, groups, tuple(c for c, _ in made), injected, spikes, traces, links=links
    )
    return program, tuple(j for _, j in made)


def _joints(q: Projection, count: int, dt: float) -> Iterator[tuple[Connections, Joint]]:
    first, shares = delays(q, count, dt)
    w = q.synapse.weight
    weights: Any = w.coherent() if isinstance(w, Quantity) else np.ones(1, np.float32)
    if isinstance(w, Array):
        weights = np.ones(1) if not len(w) else w.coherent()[:1]
    steps: Any = first if shares.size == 1 else np.array([first, first + shares.size - 1])
    for pre, a in _sides(q.pre).items():
        for post, b in _sides(q.post).items():
            many = count * a / sum(_sides(q.pre).values()) * b / sum(_sides(q.post).values())
            straight = isinstance(q.connector, OneToOne) and len(q.pre) == len(q.post) == 1
            straight = straight and a == b == count == q.pre[0].population.size == q.post[0].population.size
            ids = np.arange(a if straight else int(count > 0), dtype=np.uint32)
            indptr = np.arange(a + 1) if straight else np.array([0, ids.size])
            yield (
                Connections(q.name, q.name, pre, post, q.receptor, indptr, ids, weights, steps, straight),
                Joint(q, pre, post, many, first, shares),
            )


def _sides(views: Any) -> dict[str, int]:
    """Cells of each population of a side."""
    out: dict[str, int] = {}
    for v in views:
        out[v.population.name] = out.get(v.population.name, 0) + len(v)
    return out


def delays(q: Projection, count: int, dt: float) -> tuple[int, Floats]:
    """(first, shares): which part of the projection's connections has the delay of first, first + 1, ...
    steps; from the shortest to the longest that are expected among `count`.
    """
    match q.synapse.delay:
        case Quantity() as one:
            return max(1, round(one.coherent() / dt)), np.ones(1)
        case Array() as given:
            steps: Ints = np.maximum(1, np.rint(given.coherent() / dt)).astype(np.int64)
            if not steps.size:
                return 1, np.ones(1)
            return int(steps.min()), np.bincount(steps - steps.min()) / steps.size
        case distribution:
            found = spec(distribution, f"projection '{q.name}'.delay")
    most = min(MAX_DELAY, max(1, round(min(found.bound(), MAX_DELAY * dt) / dt)))
    edges: Floats = (np.arange(most + 1, dtype=np.float64) + 0.5) * dt
    edges[0], edges[-1] = -np.inf, np.inf  # shorter ones become one step
    shares = np.diff(_below(found, edges))
    # an end at which less than half a connection is expected
    low, high = np.cumsum(shares) * count, np.cumsum(shares[::-1])[::-1] * count
    there = np.flatnonzero((low >= 0.5) & (high >= 0.5))
    if not there.size:
        there = np.array([int(np.argmax(shares))])
    kept = shares[there[0] : there[-1] + 1]
    return int(there[0]) + 1, kept / kept.sum()


def _below(s: Spec, x: Floats) -> Floats:
    """The part of a distribution's draws that are below x."""

    def plain(at: Any) -> Any:
        if s.kind == UNIFORM:
            return np.clip((at - s.a) / s.b if s.b else at >= s.a, 0.0, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.where(at > 0, np.log(np.maximum(at, 0.0)), -np.inf) if s.kind == LOGNORMAL else at
            return ndtr((at - s.a) / s.b) if s.b else (at >= s.a) * 1.0

    low, high = float(plain(np.array(s.low))), float(plain(np.array(s.high)))
    inside = np.clip((plain(x) - low) / max(high - low, 1e-300), 0.0, 1.0)
    return np.asarray(np.where(x >= s.ceiling, 1.0, np.where(x <= s.floor, 0.0, inside)))


def drawn(v: Any) -> str:
    """What weights or delays are: "" (one number), "Array", or the distribution's name."""
    return "" if isinstance(v, Quantity) else type(v.of if isinstance(v, Clipped) else v).__name__


def spikes_per_step(g: PoissonGroup | TrainGroup, dt: float) -> float:
    """Mean number of spikes of all sources of a group in one step."""
    if isinstance(g, PoissonGroup):
        return float(np.mean(g.rate)) * g.size * dt
    return g.steps.size / max(1, int(g.steps.max(initial=1)))
