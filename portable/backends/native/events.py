"""Cells that are updated from event to event: only when something arrives, or as long as they may reach their
threshold without it.

Between arrivals a linear cell has a closed form: k steps are one product with the k-th power of its
propagator. A cell sleeps as soon as a bound of its potential at all later times lies below its threshold.
This gives the spikes of the clock, at its steps, as event-driven simulators do (EDLUT: Ros et al. 2006,
doi:10.1162/neco.2006.18.12.2959); it pays where few spikes arrive (benchmarks/event_driven.py). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from portable.backends.native.layout import Layout
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Cmp, Name, names
from portable.dynamics.flat import INJECTED
from portable.resolve.program import Ints, PerCell
from portable.units import Floats

LONGEST = 512  # steps of one product; a longer sleep takes several
SLACK = 1e-9  # of the threshold and of 1: more than rounding makes of a bound
HEAD = 1  # numbers before those of the states: the limit
SLOWEST = 1 - 1e-5  # eigenvalue of a step; 100,000 steps to fall to 1/e
# Numbers of a state: its fixed point, and the most and the least that a difference from it adds to the
# potential later.
EACH = 3


@dataclass(frozen=True)
class Watched:
    """What the condition of a type of cells watches: one state that has to reach a number."""

    state: str
    threshold: float


def watched(layout: Layout, values: Mapping[str, PerCell]) -> Watched | str:
    """Of a type whose cells can sleep; else why they cannot."""
    if layout.method.name != "exact":
        return "it is not integrated exactly"
    if layout.general:
        return "an arrival does more than add to states"
    if layout.injected:
        return "a current is injected"
    if len(layout.flat.conditions) != 1 or not layout.flat.conditions[0].spike:
        return "it has not just one condition, that of its spikes"
    test = layout.flat.inlined(layout.flat.conditions[0].test)
    if not (isinstance(test, Cmp) and test.op in (">", ">=") and isinstance(test.a, Name)):
        return "its threshold is not the one of a state"
    if test.a.id not in dict(layout.free) or names(test.b) & {"t", *layout.flat.state_names}:
        return "its threshold is not the one of a state"
    used = {c for _, row in layout.free for _, c in row if c} | names(test.b)
    if any(np.size(values[n]) > 1 for n in used if n in values):
        return "its cells have different time constants, currents or thresholds"
    if np.abs(np.linalg.eigvals(_step(layout, values)[0])).max(initial=0.0) >= SLOWEST:
        return "it does not come to rest"
    return Watched(test.a.id, float(np.asarray(evaluate(test.b, values)).reshape(-1)[0]))


def _step(layout: Layout, values: Mapping[str, PerCell]) -> tuple[Floats, Floats]:
    """The propagator of one step: (states, states), and what it adds (states,)."""
    index = {s: i for i, (s, _) in enumerate(layout.free)}
    p, r = np.zeros((len(index), len(index))), np.zeros(len(index))
    for s, row in layout.free:
        for what, coefficient in row:
            x = float(np.asarray(values[coefficient]).reshape(-1)[0]) if coefficient else 1.0
            assert what != INJECTED
            if what:
                p[index[s], index[what]] = x
            else:
                r[index[s]] = x
    return p, r


@dataclass(frozen=True)
class Powers:
    """Steps 1 .. LONGEST of a type at once: matrices (LONGEST, states, states) and what they add (LONGEST,
    states). numbers: what `visit` of codegen.py reads: the limit below which a cell may sleep, EACH numbers
    for each state, and for each power from 2 on the terms of the propagator's rows, in the order of
    `layout.free`.
    """

    states: tuple[str, ...]
    p: Floats
    r: Floats
    numbers: Floats

    def settle(self, states: Mapping[str, Floats], steps: Ints) -> dict[str, Floats]:
        """The states of cells after so many steps each (0 or more) without arrivals."""
        x = np.stack([states[s] for s in self.states])
        left = steps.copy()
        while left.any():
            for k in np.unique(np.minimum(left, LONGEST)):
                if k:
                    mine = np.minimum(left, LONGEST) == k
                    x[:, mine] = self.p[k - 1] @ x[:, mine] + self.r[k - 1][:, None]
            left = left - np.minimum(left, LONGEST)
        return dict(zip(self.states, x, strict=True))


def powers(layout: Layout, values: Mapping[str, PerCell], what: Watched) -> Powers:
    """Of the present parameters."""
    p, r = _step(layout, values)
    wide, more = p.astype(np.longdouble), r.astype(np.longdouble)
    every, added = [wide], [more]
    for _ in range(LONGEST - 1):
        every.append(wide @ every[-1])
        added.append(wide @ added[-1] + more)
    ps, rs = np.array(every, dtype=np.float64), np.array(added, dtype=np.float64)
    states = tuple(s for s, _ in layout.free)
    v, index = states.index(what.state), {s: i for i, s in enumerate(states)}
    limit = what.threshold - SLACK * max(1.0, abs(what.threshold))
    each = np.stack([np.linalg.solve(np.eye(len(p)) - p, r), *_extremes(ps, v)], axis=1)
    terms = [
        ps[1:, index[s], index[other]] if other else rs[1:, index[s]]
        for s, row in layout.free
        for other, _ in row
    ]
    return Powers(states, ps, rs, np.concatenate([[limit], each.ravel(), np.stack(terms, axis=1).ravel()]))


def _extremes(p: Floats, v: int) -> tuple[Floats, Floats]:
    """The most and the least (0 at the least and at the most) of each state's factor in state v after 1, 2,
    ... steps, for ever.
    """
    reach = p[:, v, :]
    most, least = reach.max(axis=0), reach.min(axis=0)
    while np.abs(reach).max() > SLACK * np.abs(p[0, v]).max():
        reach = reach @ p[-1]
        most, least = np.maximum(most, reach.max(axis=0)), np.minimum(least, reach.min(axis=0))
    return np.maximum(most, 0.0), np.minimum(least, 0.0)
