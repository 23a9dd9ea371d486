"""Connections that learn, spike by spike: the rule itself on arrays, one entry for each connection.

Short and right: the reference backend runs by it, and where a simulator's weights are older than the time at
which they are asked for, its spikes are replayed here. Only connections whose source or target spikes are
looked at in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.random_calls import draws
from portable.dynamics.synapse import ELAPSED, HANDLERS, WEIGHT, Rule
from portable.resolve.program import Connections, Ints
from portable.resolve.random import draw_synapses
from portable.units import Floats

Events = list[tuple[Ints, Ints]]  # (connections, spikes of each)


class Learning:
    """The states of one of the program's connections that learn. `weights` may start elsewhere than theirs.

    `pre` and `post` say who spiked, in order of stamps; `advance(clock)` then does what is seen at that
    instant of the synapses' clock and gives (connections, what each sends), an entry for each spike: it is
    called for every step in order. `clock` is the last.
    """

    def __init__(self, c: Connections, dt: float) -> None:
        assert c.learning is not None
        self.connections, self.dt, self.clock, self.on = c, dt, 0, True
        self.rule: Rule = c.learning.rule
        n = c.count
        self.back: Ints = np.broadcast_to(np.asarray(c.learning.dendritic, dtype=np.int64), n)
        self.ahead: Ints = np.broadcast_to(c.axonal(), n)
        self.values = dict(c.learning.parameters)
        start: Mapping[str, Any] = {**c.learning.start(), WEIGHT: c.weights}
        with np.errstate(all="ignore"):
            self.rates = {s: evaluate(d.rate, self.values) for s, d in self.rule.decay.items()}
            self.rests = {
                s: evaluate(d.rest, self.values) for s, d in self.rule.decay.items() if d.rest is not None
            }
        self.states: dict[str, Floats] = {
            s: np.array(np.broadcast_to(np.asarray(x, dtype=np.float64), n)) for s, x in start.items()
        }
        self.last: Ints = np.zeros(n, dtype=np.int64)
        self.order = np.argsort(c.targets, kind="stable")  # connections by target
        self.ends = np.searchsorted(c.targets[self.order], np.arange(self._targets() + 1))
        self.due: dict[int, tuple[Events, Events]] = {}
        self.handlers = {h: self.rule.handler(h) for h in HANDLERS}
        self._draws()
        self.signals: dict[int, int] = {}  # spikes of the third factor, by the instant at which they are seen
        self.done: Ints | None = None

    def resume(self, states: Mapping[str, Floats], last: Ints, done: Ints, on: bool) -> None:
        """Stand where a simulator does: each connection's states after all that its clock has seen up to
        `done`, decaying ones as they were at `last`. Spikes that it has seen may be given again: they are
        passed over. `advance` is to go on from the earliest.
        """
        self.states = {s: np.array(x, dtype=np.float64) for s, x in states.items()}
        self.last, self.done, self.on = np.array(last, dtype=np.int64), done, on
        self.due = {}
        self.clock = int(done.min()) if done.size else 0

    def _draws(self) -> None:
        """What is needed where the rule draws numbers."""
        c = self.connections
        assert c.learning is not None
        self.key, self.again = c.learning.key, 0  # again: the spike's number among those of the instant
        self.drawing = bool(self.rule.draws())
        if self.drawing:
            self.nth, self.sources, self.targets = (
                c.nth(),
                c.sources().astype(np.int64),
                c.targets.astype(np.int64),
            )

    def _targets(self) -> int:
        return int(self.connections.targets.max()) + 1 if self.connections.count else 0

    def pre(self, sources: Ints, many: Ints, stamp: int) -> None:
        """Sources (each once) spiked, so many times each."""
        c = self.connections
        length = c.indptr[sources + 1] - c.indptr[sources]
        index = np.repeat(c.indptr[sources + 1] - np.cumsum(length), length) + np.arange(length.sum())
        self._note(0, index, np.repeat(many, length), stamp + self.ahead[index])

    def post(self, targets: Ints, many: Ints, stamp: int) -> None:
        """Targets (each once) spiked."""
        here = targets < self.ends.size - 1
        targets, many = targets[here], many[here]
        length = self.ends[targets + 1] - self.ends[targets]
        places = np.repeat(self.ends[targets + 1] - np.cumsum(length), length) + np.arange(length.sum())
        index = self.order[places]
        self._note(1, index, np.repeat(many, length), stamp + self.back[index])

    def inject(self, many: int) -> None:
        """So many spikes of the third factor from outside, seen at the next instant."""
        self.signals[self.clock + 1] = self.signals.get(self.clock + 1, 0) + many

    def signal(self, many: int, stamp: int) -> None:
        """The population of the third factor had so many spikes."""
        assert self.connections.learning is not None
        clock = stamp + self.connections.learning.signal_delay
        self.signals[clock] = self.signals.get(clock, 0) + many

    def _note(self, side: int, index: Ints, many: Ints, clocks: Ints) -> None:
        if self.done is not None:
            new = clocks > self.done[index]
            index, many, clocks = index[new], many[new], clocks[new]
        for clock in np.unique(clocks):
            mine = clocks == clock
            self.due.setdefault(int(clock), ([], []))[side].append((index[mine], many[mine]))

    def advance(self, clock: int) -> tuple[Ints, Floats]:
        """See the class."""
        self.clock = clock
        none = np.zeros(0, dtype=np.int64)
        if clock in self.signals:
            everyone = np.arange(self.connections.count)
            if self.done is not None:
                everyone = everyone[self.done < clock]
            self._decay(everyone, clock)
            self._signal(everyone, self.signals.pop(clock))
        if clock not in self.due:
            return none, np.zeros(0)
        pre, post = (self._joined(events) for events in self.due.pop(clock))
        self._decay(np.union1d(pre[0], post[0]), clock)
        self._handle("on_post", *post)
        sent: list[tuple[Ints, Floats]] = []
        for self.again in range(int(pre[1].max(initial=0))):
            index = pre[0][pre[1] > self.again]
            self._assign("on_pre", index)
            sent.append((index, self._evaluate(self.rule.sends, index)))
        self._handle("after_post", *post)
        self._handle("after_pre", *pre)
        index = np.concatenate([none, *(i for i, _ in sent)])
        return index, np.concatenate([np.zeros(0), *(x for _, x in sent)])

    @staticmethod
    def _joined(events: Events) -> tuple[Ints, Ints]:
        none = np.zeros(0, dtype=np.int64)
        index = np.concatenate([none, *(i for i, _ in events)])
        many = np.concatenate([none, *(m for _, m in events)])
        order = np.argsort(index, kind="stable")
        return index[order], many[order]

    def _signal(self, everyone: Ints, many: int) -> None:
        """Spikes of the third factor: first it moves, by all of them, and then the connections see it."""
        shared = {s.name for s in self.rule.signal}
        for chosen in (shared.__contains__, lambda variable: variable not in shared):
            for self.again in range(many):
                self._assign("on_signal", everyone, chosen)

    def _handle(self, handler: str, index: Ints, many: Ints) -> None:
        for self.again in range(int(many.max(initial=0))):
            self._assign(handler, index[many > self.again])

    def _assign(self, handler: str, index: Ints, those: Callable[[str], bool] = lambda _: True) -> None:
        for a in self.handlers[handler]:
            if not those(a.variable) or (a.variable == WEIGHT and not self.on):
                continue
            self.states[a.variable][index] = self._evaluate(a.expr, index)

    def _known(self, index: Ints) -> dict[str, Any]:
        """Parameters and states of some connections."""
        known: dict[str, Any] = {n: v if isinstance(v, float) else v[index] for n, v in self.values.items()}
        return known | {s: x[index] for s, x in self.states.items()}

    def _evaluate(self, expr: Any, index: Ints) -> Floats:
        known = self._known(index)
        for number, name in draws([expr]) if self.drawing else ():
            which = 256 * self.nth[index] + self.again
            key = np.uint64(self.key)
            known[name] = draw_synapses(
                key, self.sources[index], self.targets[index], self.clock, which, number
            )
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(evaluate(expr, known), dtype=np.float64), index.shape)

    def _decay(self, index: Ints, clock: int) -> None:
        steps = clock - self.last[index]
        for s, x in self._decayed(index, steps).items():
            self.states[s][index] = x
        self.last[index] = clock

    def _decayed(self, index: Ints, steps: Ints) -> dict[str, Floats]:
        out = {}
        if self.rule.drift:
            out[WEIGHT] = self._drifted(index, steps * self.dt)
        for s, rate in self.rates.items():
            r = rate if np.ndim(rate) == 0 else rate[index]
            with np.errstate(all="ignore"):  # a rate may be infinite: a time constant of 0
                kept = np.where(steps > 0, np.exp(-r * (steps * self.dt)), 1.0)
            x = self.states[s][index]
            rest = self.rests.get(s)
            if rest is None:
                out[s] = x * kept
            else:
                level = rest if np.ndim(rest) == 0 else rest[index]
                out[s] = level + (x - level) * kept
        return out

    def _drifted(self, index: Ints, elapsed: Any) -> Floats:
        """The weights after a time without events."""
        known = self._known(index)
        if self.on:
            known[ELAPSED.id] = elapsed
            with np.errstate(all="ignore"):
                for a in self.rule.drifted():
                    known[a.variable] = evaluate(a.expr, known)
        return np.asarray(known[WEIGHT], dtype=np.float64)

    def read(self, variable: str) -> Floats:
        """A state of every connection at the clock."""
        if variable in self.rates or (variable == WEIGHT and self.rule.drift):
            everyone = np.arange(self.connections.count)
            return self._decayed(everyone, self.clock - self.last)[variable]
        return self.states[variable].copy()

    def switch(self, on: bool) -> None:
        """Whether weights change from now on."""
        if self.rule.drift:
            self._decay(np.arange(self.connections.count), self.clock)
        self.on = on

    def set(self, values: Mapping[str, float | Floats]) -> None:
        """Give states another value from now on."""
        everyone = np.arange(self.connections.count)
        self._decay(everyone, self.clock)
        for s, x in values.items():
            self.states[s][:] = x
