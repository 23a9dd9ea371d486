"""Connections that learn, between a session and its user: which of the program's connections a projection
is, in what order a user sees them, and what is recorded of them while a session runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import names
from portable.dynamics.synapse import WEIGHT, check_trace
from portable.errors import ModelError, suggestion
from portable.model.network import Network, Projection, Side
from portable.model.synapses import PlasticSynapse
from portable.model.values import Array, Value, value
from portable.resolve.grid import one_on_grid
from portable.resolve.learning import outside
from portable.resolve.program import Connections, Ints, Program
from portable.results.synapses import SynapseTable
from portable.units import Floats, Quantity, shift, unit

Read = Callable[[str, str], Floats]


@dataclass(frozen=True)
class Ordered:
    """A projection's connections as a user sees them: `of` are the program's, and connection i stands at
    place order[i] of all of theirs, one after the other; order None: at place i.
    """

    of: tuple[Connections, ...]
    order: Ints | None
    sources: Ints
    targets: Ints

    def read(self, variable: str, read: Read) -> Floats:
        """Coherent values (n,) in the user's order."""
        parts = [read(c.name, variable) for c in self.of]
        whole: Floats = np.concatenate([np.zeros(0), *parts])
        return whole if self.order is None else whole[self.order]

    def split(self, values: Floats) -> Iterator[tuple[Connections, Floats]]:
        """Values in the user's order, for each of the program's connections in its own."""
        whole = values
        if self.order is not None:
            whole = np.empty(self.sources.size)
            whole[self.order] = values
        low = 0
        for c in self.of:
            yield c, whole[low : low + c.count]
            low += c.count


def ordered(program: Program, p: Projection) -> Ordered:
    """The connections of a projection that learn: none in a program of cells out of the loop."""
    of = tuple(c for c in program.connections if c.projection == p.name and c.learning is not None)
    pre, post = _places(p.pre), _places(p.post)
    none = np.zeros(0, dtype=np.int64)
    sources = np.concatenate([none, *(pre[c.pre][c.sources()] for c in of)])
    targets = np.concatenate([none, *(post[c.post][c.targets] for c in of)])
    pair = sources << 32 | targets
    if not pair.size or bool(np.all(pair[1:] >= pair[:-1])):  # delays that are all alike
        return Ordered(of, None, sources, targets)
    order = np.argsort(pair, kind="stable")
    return Ordered(of, order, sources[order], targets[order])


def _places(side: Side) -> Mapping[str, Ints]:
    """Of each population, the place in the side of each cell (its first one)."""
    out: dict[str, Ints] = {}
    at = 0
    for view in side:
        places = out.setdefault(view.population.name, np.full(view.population.size, -1, dtype=np.int64))
        here = np.arange(at, at + len(view))
        ids, first = np.unique(view.ids, return_index=True)
        new = places[ids] < 0
        places[ids[new]] = here[first[new]]
        at += len(view)
    return out


def projection(network: Network, which: Projection | str, where: str) -> Projection:
    """A projection of the network that learns, by name or as the one that was put in."""
    name = which if isinstance(which, str) else getattr(which, "name", "")
    for p in network.projections:
        if p.name == name:
            if not isinstance(p.synapse, PlasticSynapse):
                raise ModelError(
                    where, f"projection '{name}' does not learn", "its weights are those that were resolved"
                )
            return p
    raise ModelError(
        where, f"no projection '{name}'", suggestion(name, [p.name for p in network.projections])
    )


def table(o: Ordered, p: Projection, variable: str, step: int, dt: float, read: Read) -> SynapseTable:
    """One sample of a variable of all connections."""
    assert isinstance(p.synapse, PlasticSynapse)
    own = p.synapse.rule.unit_of(variable)
    found = shift(o.read(variable, read), -unit(own).coherent_power)
    return SynapseTable(o.sources, o.targets, np.array([step]), dt, np.asarray(found)[None, :], own)


def given(o: Ordered, p: Projection, variable: str, new: Any) -> dict[str, float | Floats]:
    """What a user sets: for each of the program's connections, by name, a number or one for each in its
    order. ModelError where a rule's bounds or the number of connections say no.
    """
    assert isinstance(p.synapse, PlasticSynapse)
    rule, where = p.synapse.rule, f"projection '{p.name}'.{variable}"
    check_trace(rule, variable, where)
    if variable not in (WEIGHT, *(s.name for s in rule.own)):
        raise ModelError(
            where, "is a trace of a cell, which other connections share", "set states of connections"
        )
    if isinstance(new, SynapseTable):
        new = Array(np.asarray(new), new.unit)
    read: Value = value(new, rule.unit_of(variable), where)
    if isinstance(read, Array):
        if len(read) != o.sources.size:
            raise ModelError(
                where,
                f"has {len(read)} values for {o.sources.size} connections",
                "give one value, or one per connection in source-target order (sim.weights(...).sources)",
            )
        parts: dict[str, float | Floats] = {c.name: x for c, x in o.split(read.coherent())}
    elif isinstance(read, Quantity):
        parts = {c.name: read.coherent() for c in o.of}
    else:
        raise ModelError(
            where, f"cannot be set to {new!r}", f"draw it with numpy, not with {type(new).__name__}"
        )
    for c in o.of if variable == WEIGHT else ():
        assert c.learning is not None
        if apart := outside(rule, c.learning.parameters, parts[c.name]):
            raise ModelError(
                where,
                f"{apart[0]:g} {rule.weight_unit} is outside the bounds of '{rule.name}'",
                "give weights within them",
            )
    return parts


class Orders:
    """The projections' connections as a user sees them, each put in order once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.found: dict[str, Ordered] = {}

    def of(self, p: Projection) -> Ordered:
        """Those of a projection."""
        if p.name not in self.found:
            self.found[p.name] = ordered(self.program, p)
        return self.found[p.name]


class Recorder:
    """Samples what the network's recordings ask of connections that learn."""

    def __init__(self, network: Network, program: Program, orders: Orders) -> None:
        self.dt = program.dt
        self.wanted: dict[tuple[str, str], tuple[Ordered, Projection, int, Ints]] = {}
        self.samples: dict[tuple[str, str], SynapseTable] = {}
        for i, r in enumerate(network.recordings):
            if r.synapses is None:
                continue
            p = projection(network, r.synapses.projection, f"recordings[{i}]")
            every = (
                1
                if r.interval is None
                else one_on_grid(r.interval.coherent(), program.dt, f"recordings[{i}].interval", least=1)
            )
            o = orders.of(p)
            keep = _within(o.sources, p.pre, r.synapses.pre) & _within(o.targets, p.post, r.synapses.post)
            for variable in r.variables:
                self.wanted[p.name, variable] = o, p, every, np.flatnonzero(keep)

    def next(self, step: int) -> int | None:
        """The next step after `step` at which something is sampled; None if nothing ever is."""
        return min((step - step % e + e for _, _, e, _ in self.wanted.values()), default=None)

    def sample(self, step: int, read: Read) -> None:
        """Take what is due."""
        for key, (o, p, every, keep) in self.wanted.items():
            done = self.samples.get(key)
            if step % every or (done is not None and done.steps[-1] >= step):
                continue
            whole = table(o, p, key[1], step, self.dt, read)
            new = SynapseTable(
                whole.sources[keep],
                whole.targets[keep],
                whole.steps,
                self.dt,
                whole.values[:, keep],
                whole.unit,
            )
            self.samples[key] = new if done is None else done.joined(new)


def _within(places: Ints, whole: Side, part: Side | None) -> Any:
    """Which places in a side are cells of a part of it."""
    if part is None:
        return np.ones(places.size, dtype=bool)
    at = _places(whole)
    chosen = np.concatenate([at[v.population.name][v.ids] for v in part])
    return np.isin(places, chosen)


class Regular:
    """What rules do to all connections every so often (Rule.every)."""

    def __init__(self, network: Network, program: Program) -> None:
        self.program = program
        self.steps: dict[str, int] = {}
        self.off: set[str] = set()  # projections whose weights do not change now
        for p in network.projections:
            every = p.synapse.rule.every if isinstance(p.synapse, PlasticSynapse) else None
            if every is not None:
                where = f"projection '{p.name}'.every"
                self.steps[p.name] = one_on_grid(every.interval.coherent(), program.dt, where, least=1)

    def next(self, step: int) -> int | None:
        """The next step after `step` at which something is done; None if nothing ever is."""
        return min((step - step % e + e for e in self.steps.values()), default=None)

    def act(self, step: int, read: Read, write: Callable[[str, Mapping[str, Floats]], object]) -> None:
        """Do what is due."""
        for c in self.program.connections:
            due = c.projection in self.steps and not step % self.steps[c.projection]
            if c.learning is None or not due:
                continue
            every = c.learning.rule.every
            assert every is not None
            read_names = frozenset().union(*(names(a.expr) for a in every.assignments))
            known: dict[str, Any] = dict(c.learning.parameters)
            for s in (WEIGHT, *(s.name for s in c.learning.rule.own)):
                if s == WEIGHT or s in read_names or any(a.variable == s for a in every.assignments):
                    known[s] = read(c.name, s)
            for name, side in (("incoming", c.targets), ("outgoing", c.sources())):
                if name in read_names:
                    known[name] = np.bincount(side, known[WEIGHT])[side]
            kept = c.projection in self.off
            done = [a for a in every.assignments if not (kept and a.variable == WEIGHT)]
            for a in done:
                expr = c.learning.rule.clipped(a.expr) if a.variable == WEIGHT else a.expr
                with np.errstate(all="ignore"):
                    known[a.variable] = np.asarray(evaluate(expr, known), dtype=np.float64)
            write(c.name, {a.variable: known[a.variable] for a in done})


def needs(network: Network, asked: Iterable[str]) -> tuple[str, ...]:
    """What a session has to be able to do: what is asked of it, and for the network's recordings."""
    rules = [p.synapse.rule for p in network.projections if isinstance(p.synapse, PlasticSynapse)]
    more: tuple[str, ...] = ()
    if any(r.synapses is not None for r in network.recordings):
        more = ("session.synapses", "session.pieces")
    if any(r.every is not None for r in rules):
        more = ("session.synapses", "session.synapses.set", "session.pieces")
    return tuple(dict.fromkeys([*((asked,) if isinstance(asked, str) else asked), *more]))
