"""Connections that learn while a session runs: their weights at any time, set, held. No Brian2 in here.

What Brian2 holds after T steps is what the synapse's clock had seen at T - b. What it sees from then to T is
known from spikes, and is replayed. When weights are set at T, the replayed states are written, and
the pathways are kept from doing those events again (`Gate`): what was sent in them arrives as the
replay has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends.brian2.pathways import learning
from portable.backends.brian2.plan import Pathway, Synapse, joined, mangled
from portable.backends.brian2.signals import Signals, Some
from portable.backends.learning import Learning
from portable.dynamics.synapse import WEIGHT
from portable.resolve.program import Connections, Ints
from portable.units import Floats

Sent = list[tuple[int, Ints, Floats]]  # (clock, connections, what each sends)
# Positions and stamps of a population's spikes with stamps first .. first + steps - 1.
Spikes = Callable[[str, int, int], tuple[Ints, Ints]]
Array = Callable[[str], npt.NDArray[Any]]


@dataclass
class _Part:
    """One of the program's connections, which are `rows` of the object's. gate: up to this instant of their
    clock all is done already.
    """

    connections: Connections
    rows: slice
    signals: Signals
    learning: Learning | None = None  # made when it is first needed
    on: bool = True
    gate: int = 0
    read: tuple[int, Learning, Sent] | None = None  # the last replay


@dataclass
class Gate:
    """Which events of a Synapses object are done already: those up to instant `until` of each connection's
    clock, which are the last seen before step `end`. early: what they send, by the step in which it arrives.
    """

    back: Ints
    until: Ints
    end: int = 0
    early: dict[int, list[tuple[Ints, Floats]]] = field(default_factory=dict)

    def shut(self, found: Ints | Some, step: int) -> npt.NDArray[np.bool_]:
        """Of connections with an event in a step, those that it is no event for."""
        return np.asarray(step + 1 - self.back[found] <= self.until[found])


class Plastic:
    """One Synapses object. `array` gives the memory behind its variables, `spikes` all that was in the last
    steps.
    """

    def __init__(self, plan: Synapse, dt: float, array: Array, spikes: Spikes) -> None:
        assert plan.learning is not None
        self.plan, self.learned, self.dt, self.array, self.spikes = plan, plan.learning, dt, array, spikes
        self.gate: Gate | None = None  # made when something is set
        ends = np.cumsum([p.connections.count for p in plan.parts])
        self.parts = {
            c.name: _Part(c, slice(int(end) - c.count, int(end)), Signals.of(c, int(end) - c.count))
            for c, end in zip((p.connections for p in plan.parts), ends, strict=True)
        }
        rule = learning(plan.parts[0]).rule
        self.names = {WEIGHT: "w", **{s.name: mangled("s", s.name) for s in rule.states}}

    def read(self, name: str, variable: str, now: int) -> Floats:
        """A state of each of the program's connections of that name, after `now` steps."""
        return self._replay(self.parts[name], now)[0].read(variable)

    def _replay(self, part: _Part, now: int) -> tuple[Learning, Sent]:
        """The connections after all that their clocks have seen up to now, and what they sent in the events
        that Brian2 has yet to come to.
        """
        if part.read is not None and part.read[0] == now:
            return part.read[1:]
        c, rows = part.connections, part.rows
        found = part.learning = part.learning or Learning(c, self.dt)
        done = np.maximum(now - found.back, part.gate)
        states = {s: self.array(n)[rows] for s, n in self.names.items()}
        last = np.rint(self.array("last")[rows]).astype(np.int64) - found.back
        found.resume(states, last, done, part.on)
        found.signals = dict(part.signals.waiting)
        first = max(1, int((done - np.maximum(found.ahead, found.back)).min()) + 1)
        for population, note in ((c.post, found.post), (c.pre, found.pre)):
            ids, stamps = self.spikes(population, first, now + 1 - first)
            for stamp in np.unique(stamps):
                note(*np.unique(ids[stamps == stamp], return_counts=True), int(stamp))
        sent: Sent = []
        for clock in range(found.clock + 1, now + 1):
            index, what = found.advance(clock)
            if index.size:
                sent.append((clock, index, what))
        found.clock = now
        part.read = now, found, sent
        return found, sent

    def hear(self, population: str, many: int, stamp: int) -> None:
        """Spikes of a population, which is the third factor of some."""
        for signals in (p.signals for p in self.parts.values()):
            if signals.population == population:
                signals.add(stamp + signals.delay, many)

    def due(self, step: int) -> list[tuple[Some, int]]:
        """(connections, spikes of their third factor that they see) in a step."""
        found = [x for p in self.parts.values() for x in p.signals.due(step)]
        if self.gate is None or step >= self.gate.end:
            return found
        return [(some[~self.gate.shut(some, step)], many) for some, many in found]

    def set(self, name: str, values: Mapping[str, float | Floats], now: int) -> None:
        """Give states another value from now on."""
        part = self.parts[name]
        found, sent = self._replay(part, now)
        gate = self.gate = self.gate or self._gate()
        for clock, index, what in sent:
            steps = clock + found.back[index] - 1
            for step in np.unique(steps):
                mine = steps == step
                arrivals = gate.early.setdefault(int(step), [])
                arrivals.append((index[mine] + part.rows.start, what[mine]))
        found.set(values)
        for s, n in self.names.items():
            self.array(n)[part.rows] = found.states[s]
        self.array("last")[part.rows] = now + found.back
        gate.until[part.rows] = part.gate = now
        gate.end = max(gate.end, now + int(found.back.max(initial=0)))
        part.read = None

    def _gate(self) -> Gate:
        back = np.asarray(self.learned.dendritic, dtype=np.int64)
        return Gate(np.broadcast_to(back, self.plan.count), np.zeros(self.plan.count, dtype=np.int64))

    def plastic(self, name: str, on: bool, now: int) -> None:
        """Whether weights change from now on."""
        self.set(name, {}, now)
        part = self.parts[name]
        part.on = on
        if len(self.parts) == 1:
            self.array("on")[:] = float(on)
        else:
            self.array("on")[part.rows] = float(on)


def initial(plan: Synapse) -> dict[str, npt.NDArray[Any]]:
    """The variables of a Synapses object that learns as they start."""
    assert plan.learning is not None
    weights = joined([(np.asarray(p.connections.weights), p.connections.count) for p in plan.parts])
    values = {"w": weights, "last": plan.learning.dendritic, **plan.learning.start}
    return {
        n: np.array(np.broadcast_to(np.asarray(v, dtype=np.float64), plan.count)) for n, v in values.items()
    }


class Shown:
    """Stands before Brian2's queue of spikes: shows only some of those that are due."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue
        self.some: npt.NDArray[np.int32] | None = None

    def peek(self) -> Any:
        """Brian2's name."""
        return self.queue.peek() if self.some is None else self.some

    def advance(self) -> None:
        """Brian2's name."""
        if self.some is None:
            self.queue.advance()


class Gated:
    """A pathway's code, kept from events that are done. `repeats`: the code does not see a connection twice,
    so that two spikes in one step take two calls.
    """

    def __init__(
        self, of: Plastic, pathway: Pathway, code: Callable[[], object], queue: Shown, repeats: bool
    ) -> None:
        self.of, self.pathway, self.code, self.queue, self.repeats = of, pathway, code, queue, repeats

    def step(self, now: int, arrive: Callable[[Ints, Floats], None]) -> None:
        """What is due in a step. `arrive` adds to what the port sums."""
        gate = self.of.gate
        if gate is not None and now >= gate.end:
            gate = None
        if gate is None and not self.repeats:
            self.code()
            return
        found = np.array(self.queue.queue.peek())
        shut = gate.shut(found, now) if gate else np.zeros(found.size, dtype=np.bool_)
        sends = self.pathway.name == "pre"
        early = gate.early.pop(now, []) if gate and sends else []
        if sends and self.of.learned.general:
            if shut.any() or np.unique(found).size < found.size:
                self._one_by_one(found, shut, early)
            elif found.size:
                self._call(found)
        else:
            self._ranks(found[~shut])
            for index, sent in early:
                arrive(index, sent)
        self.queue.some = None
        self.queue.advance()

    def _ranks(self, found: npt.NDArray[np.int32]) -> None:
        """First spikes of all connections, then second ones."""
        while found.size:
            first = np.unique(found, return_index=True)[1]
            rest = np.ones(found.size, dtype=bool)
            rest[first] = False
            self._call(found[~rest])
            found = found[rest]

    def _one_by_one(
        self, found: npt.NDArray[np.int32], shut: npt.NDArray[np.bool_], early: list[tuple[Ints, Floats]]
    ) -> None:
        """Every arrival at a port where their order counts, some of them sent before weights were set."""
        given: dict[int, list[float]] = {}
        for index, sent in early:
            for i, x in zip(index.tolist(), sent.tolist(), strict=True):
                given.setdefault(i, []).append(x)
        held, value = self.of.array("held"), self.of.array("early")
        for at, done in zip(found, shut, strict=True):
            held[:] = float(done)
            if done:
                value[:] = given[int(at)].pop(0)
            self._call(np.array([at], dtype=np.int32))
        held[:] = 0.0

    def _call(self, some: npt.NDArray[np.int32]) -> None:
        self.queue.some = np.ascontiguousarray(some, dtype=np.int32)
        self.code()
