"""Weights of connections that learn at any time, from the spikes of both their ends.

NEST works a synapse out when a spike of its source is delivered, so a weight that it is asked for is that of
the last such spike. All of it is a function of the spikes: they are replayed here by the rule itself
(`backends.learning`), up to the time that is asked for. What NEST holds must be what the replay had at the
same spike, and that is looked at whenever weights are read (`held`).
"""

from __future__ import annotations

import numpy as np

from portable.backends.learning import Learning
from portable.resolve.program import Connections, Ints
from portable.units import Floats

Spikes = tuple[Ints, Ints]  # positions and stamps


class Replay:
    """One of the program's connections that learn. `held`: the weight of each after the last spike of its
    source that NEST has delivered.
    """

    def __init__(self, c: Connections, dt: float) -> None:
        self.learning = Learning(c, dt)
        self.held = self.learning.states["weight"].copy()
        self.waiting: list[tuple[int, Ints, Floats]] = []  # what `held` becomes once NEST delivers

    def advance(self, now: int, delivered: int, pre: Spikes, post: Spikes) -> None:
        """To step `now`; spikes since the last call, in any order. NEST has delivered what synapses see up to
        step `delivered`.
        """
        while self.waiting and self.waiting[0][0] <= delivered:
            _, index, weights = self.waiting.pop(0)
            self.held[index] = weights
        first = self.learning.clock + 1
        sides = [(*_steps(x, first, now), x) for x in (_sorted(pre), _sorted(post))]
        for k in range(first, now + 1):
            for notes, (low, high, (ids, _)) in zip(
                (self.learning.pre, self.learning.post), sides, strict=True
            ):
                a, b = low[k - first], high[k - first]
                if a < b:
                    notes(*np.unique(ids[a:b], return_counts=True), k)
            index, _ = self.learning.advance(k)
            if not index.size:
                continue
            weights = self.learning.states["weight"][index]
            if k <= delivered:
                self.held[index] = weights
            else:
                self.waiting.append((k, index, weights))


def _sorted(spikes: Spikes) -> Spikes:
    order = np.argsort(spikes[1], kind="stable")
    return spikes[0][order], spikes[1][order]


def _steps(spikes: Spikes, first: int, last: int) -> tuple[list[int], list[int]]:
    """Where the spikes of each step begin and end."""
    steps = np.arange(first, last + 2)
    ends = np.searchsorted(spikes[1], steps, "left").tolist()
    return ends[:-1], ends[1:]
