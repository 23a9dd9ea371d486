"""A backend of another distribution: linear cells, exactly, one step at a time in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from portable.backends.capabilities import Capabilities
from portable.backends.contract import Facts, Lowered, Recorded
from portable.backends.interrupts import held_interrupt
from portable.dynamics.evaluate import evaluate
from portable.dynamics.linear import linear, plain_jumps, propagator
from portable.errors import BackendFailed
from portable.resolve.program import CellGroup, Program


@dataclass(frozen=True)
class Plan:
    """What `open` gets: plain data. Here the program is enough."""

    program: Program


class Backend:
    """The four things that the core asks for, and what it must know to ask."""

    name = "mine"
    folder = Path(__file__).parent
    capabilities = Capabilities.load(folder)

    def default_threads(self, _program):
        return 1

    def check(self, _program, _config):
        return []  # the table says everything

    def lower(self, program, _config):
        return Lowered(Plan(program), (), {g.name: "exact" for g in program.cells})

    def open(self, plan):
        return Session(plan.program)

    def version(self):
        return self.capabilities.version()


class Cells:
    """The states of one group (n, states), and how they go on."""

    def __init__(self, group, dt):
        self.group, self.flat, n = group, group.flat, group.size
        self.values = group.values()
        system = linear(self.flat)
        self.free, self.stuck = (propagator(system, self.values, dt, held) for held in ((), self.flat.held))
        self.row = {s: i for i, s in enumerate(self.free.states)}
        self.x = np.stack([np.broadcast_to(group.initial[s], n) for s in self.free.states], axis=1).astype(
            float
        )
        self.left = np.zeros(n, dtype=int)  # refractory updates still to come
        self.jumps = {p.name: plain_jumps(p, self.flat) for p in self.flat.ports}

    def step(self, i_ext, arrived, t):
        """One step of ARCHITECTURE.md. arrived: port -> summed weights (n,). Returns the cells that spike."""
        held = self.left > 0
        new = [
            (np.broadcast_to(p.P, (len(held), *p.P.shape[1:])) * self.x[:, None, :]).sum(axis=2)
            + p.Q * i_ext[:, None]
            + p.R
            for p in (self.free, self.stuck)
        ]
        self.x = np.where(held[:, None], new[1], new[0])
        for port, weight in arrived.items():
            for state, jump in self.jumps[port].items():
                amount = evaluate(jump, {**self.values, "weight": weight})
                lost = held if state in self.flat.held else False
                self.x[:, self.row[state]] += np.where(lost, 0.0, amount)
        self.left = np.maximum(self.left - 1, 0)
        spiked = np.zeros(len(held), dtype=bool)
        for c in self.flat.conditions:
            scope = {**self.values, **{s: self.x[:, i] for s, i in self.row.items()}, "i_ext": i_ext, "t": t}
            for d in self.flat.derived:
                scope[d.name] = evaluate(d.expr, scope)
            true = np.broadcast_to(evaluate(c.test, scope), held.shape).astype(bool) & ~held
            spiked |= true
            self.left = np.where(true, self.group.refractory, self.left)
            for a in c.assignments:
                scope[a.variable] = np.where(true, evaluate(a.expr, scope), scope[a.variable])
                self.x[:, self.row[a.variable]] = scope[a.variable]
        return np.flatnonzero(spiked)


class Session:
    """A network that advances. `now` is the step reached, whatever happened."""

    def __init__(self, program):
        self.program, self.now = program, 0
        self.cells = {g.name: Cells(g, program.dt) for g in program.cells}
        self.trains = {g.name: g for g in program.groups if not isinstance(g, CellGroup)}
        self.due = {}  # step -> [(connections, places in its arrays)]
        self.spikes = {name: [] for name in program.spikes}
        self.samples = [[] for _ in program.traces]
        self._sample()

    def run(self, steps):
        with held_interrupt() as asked:
            for _ in range(steps):
                self._step()
                if asked:
                    raise KeyboardInterrupt
        for name, group in self.cells.items():
            if not np.isfinite(group.x).all():
                raise BackendFailed(f"population '{name}': a state is not finite; use a smaller dt")

    def _step(self):
        stamp, due, fired = self.now + 1, self.due.pop(self.now + 1, []), {}
        for name, group in self.cells.items():
            arrived = {}
            for c, index in due:
                if c.post == name:
                    total = arrived.setdefault(c.port, np.zeros(group.group.size))
                    np.add.at(total, c.targets[index], np.broadcast_to(c.weights, c.count)[index])
            fired[name] = group.step(self._current(group.group), arrived, stamp * self.program.dt)
        for name, g in self.trains.items():
            fired[name] = np.repeat(np.arange(g.size), np.diff(g.indptr))[g.steps == stamp]
        self.now = stamp
        for name, ids in fired.items():
            self._send(name, ids)
        self._sample()

    def _current(self, group):
        total = np.zeros(group.size)
        for c in self.program.currents:
            column = np.searchsorted(c.steps, self.now, "right") - 1
            if c.group == group.name and column >= 0:
                np.add.at(total, c.ids, np.broadcast_to(c.amplitude[:, column], c.ids.shape))
        return total

    def _send(self, name, ids):
        if name in self.spikes:
            kept = ids[np.isin(ids, self.program.spikes[name])]
            self.spikes[name].append((kept, np.full(kept.size, self.now)))
        for c in self.program.connections:
            if c.pre == name:
                rows = [np.arange(c.indptr[i], c.indptr[i + 1]) for i in ids]
                index = np.concatenate([*rows, np.zeros(0, dtype=int)]).astype(int)
                delays = np.broadcast_to(c.delays, c.count)[index]
                for d in np.unique(delays):
                    self.due.setdefault(self.now + int(d), []).append((c, index[delays == d]))

    def _sample(self):
        for t, kept in zip(self.program.traces, self.samples, strict=True):
            if self.now % t.every == 0:
                group = self.cells[t.group]
                kept.append(group.x[t.ids, group.row[t.variable]])

    def recorded(self):
        out = Recorded()
        for name, parts in self.spikes.items():
            out.spikes[name] = tuple(
                np.concatenate([*(p[i] for p in parts), np.zeros(0, dtype=int)]) for i in (0, 1)
            )
        for t, kept in zip(self.program.traces, self.samples, strict=True):
            steps = np.arange(len(kept)) * t.every
            out.traces[t.group, t.variable] = (t.ids, steps, np.array(kept).reshape(len(kept), t.ids.size))
        return out

    def facts(self):
        return Facts(threads=1, inputs=dict.fromkeys(self.trains, "given"))

    def close(self):
        self.cells.clear()


BACKEND = Backend()
