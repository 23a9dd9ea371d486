"""The step of semantics: integrate, deliver arrivals, test conditions, send spikes. One Python loop over
steps, none over cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.backends.contract import Facts, HeldConnections, Recorded
from portable.backends.interrupts import held_interrupt
from portable.backends.learning import Learning
from portable.backends.reference.cells import GroupInTime
from portable.backends.reference.lower import ReferencePlan
from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import Port
from portable.dynamics.linear import plain_jumps
from portable.dynamics.methods import exploded
from portable.errors import BackendFailed
from portable.resolve.program import CellGroup, Connections, Ints, PoissonGroup, Program
from portable.resolve.trains import Trains
from portable.units import Floats


@dataclass(frozen=True)
class _Due:
    """Arrivals through one of the program's connections, sent at one stamp: places in its arrays, their
    sources, spikes of each.
    """

    connections: Connections
    number: int
    sent: int
    index: Ints
    source: Ints
    many: Ints
    efficacy: Floats | None = None  # what each sends, where it is not the weight at the start

    def targets(self) -> Ints:
        return self.connections.targets[self.index].astype(np.int64)

    def weights(self) -> Floats:
        if self.efficacy is not None:
            return self.efficacy
        c = self.connections
        return np.broadcast_to(np.asarray(c.weights, dtype=np.float64), c.targets.shape)[self.index]


class ReferenceSession:
    """Runs a ReferencePlan."""

    def __init__(self, plan: ReferencePlan) -> None:
        self.program: Program = plan.program
        self.now = 0
        p = self.program
        self.cells = {g.name: GroupInTime(g, plan.methods[g.name], p.dt) for g in p.cells}
        self.trains = {g.name: Trains(g, p.dt) for g in p.groups if not isinstance(g, CellGroup)}
        self.ports = {(g.name, port.name): port for g in p.cells for port in g.flat.ports}
        self.jumps = {key: plain_jumps(port, self.cells[key[0]].flat) for key, port in self.ports.items()}
        self.number = {g.name: i for i, g in enumerate(p.groups)}
        self.learning = {i: Learning(c, p.dt) for i, c in enumerate(p.connections) if c.learning is not None}
        self.due: dict[int, list[_Due]] = {}  # by the stamp at which they arrive, in order of sending
        self.spikes: dict[str, list[tuple[Ints, Ints]]] = {name: [] for name in p.spikes}
        self.samples: list[list[Floats]] = [[] for _ in p.traces]
        self._sample()

    def run(self, steps: int) -> None:
        with held_interrupt() as asked:
            for _ in range(steps):
                self._step()
                if asked:
                    raise KeyboardInterrupt
        for name, group in self.cells.items():
            for s, x in group.states.items():
                if problem := exploded(group.flat, group.method, s, x, self.now * self.program.dt):
                    raise BackendFailed(f"population '{name}': {problem}")

    def _step(self) -> None:
        stamp = self.now + 1
        arrivals = self.due.pop(stamp, [])
        currents = {name: self._current(name, group.n) for name, group in self.cells.items()}
        self._couple(currents)
        fired: dict[str, Ints] = {}
        for name, group in self.cells.items():
            jumps, events = self._arrivals(name, group, [a for a in arrivals if a.connections.post == name])
            fired[name] = group.advance(self.now, currents[name], jumps, events)
        for name, trains in self.trains.items():
            fired[name] = trains.spikes(stamp, 1)[0]
        self.now = stamp
        for name, ids in fired.items():
            self._send(name, ids)
        for number, learning in self.learning.items():
            self._transmit(number, learning)
        self._sample()

    def _couple(self, currents: Mapping[str, Floats]) -> None:
        """Inputs of all cells from the states as they are, by the links in their order; constant over the
        step.
        """
        for group in self.cells.values():
            group.given = {name: np.zeros(group.n) for name in group.flat.inputs}
        for c in self.program.links:
            values = self.cells[c.source].read(c.variable, currents[c.source], self.now * self.program.dt)
            np.add.at(self.cells[c.target].given[c.input], c.post, values[c.pre])

    def _send(self, name: str, ids: Ints) -> None:
        if not ids.size:
            return
        if name in self.spikes:
            kept = ids[np.isin(ids, self.program.spikes[name])]
            self.spikes[name].append((kept, np.full(kept.size, self.now)))
        sources, times = np.unique(ids, return_counts=True)
        for number, c in enumerate(self.program.connections):
            if number in self.learning:
                if c.learning is not None and c.learning.signal == name:
                    self.learning[number].signal(int(times.sum()), self.now)
                if c.post == name:
                    self.learning[number].post(sources, times, self.now)
                if c.pre == name:
                    self.learning[number].pre(sources, times, self.now)
                continue
            if c.pre != name:
                continue
            length = c.indptr[sources + 1] - c.indptr[sources]
            index = np.repeat(c.indptr[sources + 1] - np.cumsum(length), length) + np.arange(length.sum())
            many, source = np.repeat(times, length), np.repeat(sources, length)
            delays = np.broadcast_to(
                np.asarray(c.delays)[..., index] if np.ndim(c.delays) else np.asarray(c.delays), index.shape
            )
            for d in np.unique(delays):
                chosen = delays == d
                self.due.setdefault(self.now + int(d), []).append(
                    _Due(c, number, self.now, index[chosen], source[chosen], many[chosen])
                )

    def _transmit(self, number: int, learning: Learning) -> None:
        """What connections that learn do at this instant of their clock, and send."""
        index, sent = learning.advance(self.now)
        c, both = learning.connections, learning.back[index] << 32 | learning.ahead[index]
        source = np.searchsorted(c.indptr, index, "right") - 1
        order = np.argsort(both, kind="stable")
        for mine in np.split(order, np.flatnonzero(np.diff(both[order])) + 1) if order.size else ():
            b, a = int(both[mine[0]]) >> 32, int(both[mine[0]]) & 0xFFFFFFFF
            one = np.ones(mine.size, dtype=np.int64)
            self.due.setdefault(self.now + b, []).append(
                _Due(c, number, self.now - a, index[mine], source[mine], one, sent[mine])
            )

    def _arrivals(
        self, name: str, group: GroupInTime, due: list[_Due]
    ) -> tuple[dict[str, Floats], list[tuple[Port, Ints, Floats]]]:
        jumps: dict[str, Floats] = {}
        at: dict[str, list[_Due]] = {}
        for a in due:
            at.setdefault(a.connections.port, []).append(a)
        alone = {port: found for port, found in at.items() if self.jumps[name, port] is None}
        for port, found in at.items():
            added = self.jumps[name, port]
            if added is None:
                continue
            cells = np.concatenate([a.targets() for a in found])
            weights = np.concatenate([a.weights() * a.many for a in found])
            total = np.bincount(cells, weights, minlength=group.n)
            for state, expr in added.items():
                jumps[state] = jumps.get(state, 0.0) + np.asarray(
                    evaluate(expr, {**group.values, "weight": total})
                )
        return jumps, [
            (port, *self._one_by_one(alone[port.name])) for port in group.flat.ports if port.name in alone
        ]

    def _one_by_one(self, due: list[_Due]) -> tuple[Ints, Floats]:
        """Cells and weights of the arrivals at a port, each spike for itself: the oldest first, then by
        population, cell and connection.
        """
        rows: list[tuple[Any, ...]] = []
        for a in due:
            again = np.arange(a.many.sum()) - np.repeat(
                np.cumsum(a.many) - a.many, a.many
            )  # 1 for the second spike of a source in a step
            base = np.ones_like(again)
            keys = (
                a.sent * base,
                self.number[a.connections.pre] * base,
                np.repeat(a.source, a.many),
                again,
                a.number * base,
            )
            rows.append((*keys, np.repeat(a.targets(), a.many), np.repeat(a.weights(), a.many)))
        *columns, cells, weights = (np.concatenate(column) for column in zip(*rows, strict=True))
        order = np.lexsort(columns[::-1])
        return cells[order], weights[order]

    def _current(self, name: str, n: int) -> Floats:
        total = np.zeros(n)
        for c in self.program.currents:
            if c.group == name:
                j = int(np.searchsorted(c.steps, self.now, "right")) - 1
                if j >= 0:
                    total[c.ids] += c.amplitude[:, j]
        return total

    def _sample(self) -> None:
        for t, kept in zip(self.program.traces, self.samples, strict=True):
            if self.now % t.every == 0:
                kept.append(self.cells[t.group].states[t.variable][t.ids])

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        if group in self.trains:
            self.trains[group].set_rate(values["rate"], self.now)
            return
        self.cells[group].parameters.update(values)
        self.cells[group].prepare()

    def recorded(self) -> Recorded:
        out = Recorded()
        for name, parts in self.spikes.items():
            ids, steps = (
                np.concatenate([p[i] for p in parts]) if parts else np.zeros(0, dtype=np.int64)
                for i in (0, 1)
            )
            out.spikes[name] = (ids, steps)
        for t, kept in zip(self.program.traces, self.samples, strict=True):
            out.traces[t.group, t.variable] = (
                t.ids,
                np.arange(len(kept)) * t.every,
                np.array(kept).reshape(len(kept), t.ids.size),
            )
        return out

    def _learning(self, name: str) -> Learning:
        return next(x for x in self.learning.values() if x.connections.name == name)

    def synapses(self, name: str, variable: str) -> Floats:
        return self._learning(name).read(variable)

    def set_synapses(self, name: str, values: Mapping[str, float | Floats]) -> None:
        self._learning(name).set(values)

    def plastic(self, name: str, on: bool) -> None:
        self._learning(name).switch(on)

    def signal(self, name: str, spikes: int) -> None:
        self._learning(name).inject(spikes)

    def facts(self) -> Facts:
        """One thread, and every train is the program's."""
        return Facts(
            1,
            {
                g.name: "frozen" if isinstance(g, PoissonGroup) else "given"
                for g in self.program.groups
                if not isinstance(g, CellGroup)
            },
        )

    def connections(self) -> Iterator[HeldConnections]:
        """The program's own arrays: the plan is the program."""
        for c in self.program.connections:
            weights = self.synapses(c.name, "weight") if c.learning else c.weights
            full = [np.broadcast_to(np.asarray(x), c.targets.shape) for x in (weights, c.delays)]
            yield HeldConnections(
                (c.name,),
                c.sources().astype(np.int64),
                c.targets.astype(np.int64),
                full[0].astype(np.float64),
                full[1].astype(np.int64),
            )

    def close(self) -> None:
        self.cells.clear()
