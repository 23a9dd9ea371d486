"""Recorded variables that are no states: what must be sampled for them, and their values from what was
sampled.

A simulator records states; everything else at step k is a function of the states after step k, the
parameters, t = k*dt, and of what is constant over the update k -> k+1: the injected current and the inputs
that links feed. So no backend knows of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import names
from portable.dynamics.flat import INJECTED, Flat
from portable.resolve.program import CellGroup, Coupling, Ints, PerCell, Program, Trace
from portable.units import Dimension, Floats

BLOCK = 1 << 18  # numbers of one variable that are computed at once: 2 MiB
Sampled = Mapping[
    tuple[str, str], tuple[Ints, Ints, Floats]
]  # (group, variable) -> ids, steps, values (samples, cells)
Changes = Mapping[
    str, Sequence[tuple[int, Mapping[str, PerCell]]]
]  # group -> (step, all its parameters from that step on), in order


def dimension(flat: Flat, variable: str) -> Dimension:
    """The dimension of a variable that can be recorded."""
    table = {s.name: s.dimension for s in flat.states} | {
        d.name: d.dimension for d in (*flat.constants, *flat.derived)
    }
    return {**flat.inputs, **table}[variable]


def reads(flat: Flat, variable: str) -> tuple[frozenset[str], frozenset[str]]:
    """The states and the inputs that a variable is computed from."""
    expr = next((flat.inlined(d.expr) for d in flat.derived if d.name == variable), None)
    found = frozenset({variable}) if expr is None else names(expr)
    return found & frozenset(flat.state_names), found & flat.inputs.keys()


def upstream(flats: Mapping[str, Flat], links: Iterable[Coupling], t: Trace) -> Iterator[tuple[Trace, int]]:
    """The variable itself, and all that it reads over links, each with the number of values that meet there
    (cells or links).
    """
    couplings, todo = tuple(links), [(t, t.ids.size)]
    while todo:
        t, width = todo.pop()
        yield t, width
        inputs = reads(flats[t.group], t.variable)[1]
        for c in couplings:
            if c.target == t.group and c.input in inputs:
                pre = c.pre[np.isin(c.post, t.ids)]
                todo.append((Trace(c.source, c.variable, np.unique(pre), t.every), pre.size))


def sampled(
    groups: Iterable[CellGroup], links: Iterable[Coupling], shown: Iterable[Trace]
) -> tuple[Trace, ...]:
    """The states that backends have to record so that `shown` can be computed: each once, of all cells and at
    all steps that are needed.
    """
    flats, couplings = {g.name: g.flat for g in groups}, tuple(links)
    need: dict[tuple[str, str], Trace] = {}
    for asked in sorted(
        shown, key=lambda t: t.variable not in flats[t.group].state_names
    ):  # the sort is stable: states in the user's order
        for t, _ in upstream(flats, couplings, asked):
            for s in sorted(reads(flats[t.group], t.variable)[0]):
                old = need.get((t.group, s), replace(t, variable=s))
                need[t.group, s] = Trace(t.group, s, np.union1d(old.ids, t.ids), gcd(old.every, t.every))
    return tuple(need.values())


@dataclass(frozen=True)
class Samples:
    """What a run up to step `last` sampled, and the parameters that were changed on the way."""

    program: Program
    traces: Sampled
    changes: Changes
    last: int

    def read(self, t: Trace) -> tuple[Ints, Floats]:
        """Steps (samples,) and values (samples, cells) in coherent units of a state or of any other
        variable.
        """
        group = self.program.group(t.group)
        assert isinstance(group, CellGroup)
        whole = self.traces.get((t.group, t.variable))
        if (
            whole is not None
            and np.array_equal(whole[0], t.ids)
            and np.array_equal(whole[1], np.arange(whole[1].size) * t.every)
        ):
            return whole[1], whole[2]
        steps = np.arange(0, self._reached() + 1, t.every)
        out = np.empty((steps.size, t.ids.size))
        width = max(
            n for _, n in upstream({g.name: g.flat for g in self.program.cells}, self.program.links, t)
        )
        for low, high in self._blocks(steps, width):
            out[low:high] = _Block(self, steps[low:high]).variable(group, t.variable, t.ids)
        return steps, out

    def _reached(self) -> int:
        """The last step with every sample: a run that was interrupted may have fewer than `last`."""
        ends = [(self.traces[t.group, t.variable][1], t.every) for t in self.program.traces]
        return min([self.last, *(int(steps[-1]) + every - 1 if steps.size else -1 for steps, every in ends)])

    def _blocks(self, steps: Ints, width: int) -> Iterator[tuple[int, int]]:
        """Ranges of samples that are small, and in which no parameter changes."""
        changed = [k for course in self.changes.values() for k, _ in course]
        cuts = {
            *range(0, steps.size, max(1, BLOCK // max(1, width))),
            *np.searchsorted(steps, changed).tolist(),
            0,
            steps.size,
        }
        return pairwise(sorted(cuts))

    def parameters(self, group: CellGroup, step: int) -> dict[str, PerCell]:
        """Parameters and constants in the update step -> step + 1."""
        now = next(
            (given for k, given in reversed(self.changes.get(group.name, [])) if k <= step), group.parameters
        )
        return replace(group, parameters=now).values()


class _Block:
    """Variables of a few samples in a row, each computed once. Values are floats or arrays that broadcast to
    (samples, cells).
    """

    def __init__(self, samples: Samples, steps: Ints) -> None:
        self.samples, self.program, self.steps = samples, samples.program, steps
        self.scopes: dict[tuple[str, bytes], dict[str, Any]] = {}

    def variable(self, group: CellGroup, name: str, ids: Ints) -> Any:
        """Derived variables are computed in order, and only those that `name` reads."""
        scope = self._scope(group, ids)
        if name in scope:
            return scope[name]
        if name in group.flat.state_names:
            scope[name] = self._state(group.name, name, ids)
        elif name in group.flat.inputs:
            scope[name] = self._input(group.name, name, ids)
        elif name == INJECTED:
            scope[name] = self._injected(group.name, ids)
        else:
            expr = next(d.expr for d in group.flat.derived if d.name == name)
            for read in sorted(names(expr)):
                self.variable(group, read, ids)
            with np.errstate(all="ignore"):
                scope[name] = evaluate(expr, scope)
        return scope[name]

    def _scope(self, group: CellGroup, ids: Ints) -> dict[str, Any]:
        key = group.name, ids.tobytes()
        if key not in self.scopes:
            known = self.samples.parameters(group, int(self.steps[0]))
            self.scopes[key] = {n: (v[ids] if np.ndim(v) else v) for n, v in known.items()}  # type: ignore[index]
            self.scopes[key]["t"] = (self.steps * self.program.dt)[:, None]
        return self.scopes[key]

    def _state(self, group: str, name: str, ids: Ints) -> Floats:
        recorded, at, values = self.samples.traces[group, name]
        return np.asarray(
            values[np.searchsorted(at, self.steps)[:, None], np.searchsorted(recorded, ids)[None, :]]
        )

    def _input(self, group: str, name: str, ids: Ints) -> Floats:
        """The sum of what the links bring, in their order."""
        total = np.zeros((ids.size, self.steps.size))
        for c in self.program.links:
            if c.target != group or c.input != name:
                continue
            edges = np.flatnonzero(np.isin(c.post, ids))
            source = self.program.group(c.source)
            assert isinstance(source, CellGroup)
            cells, which = np.unique(c.pre[edges], return_inverse=True)
            values = np.broadcast_to(self.variable(source, c.variable, cells), (self.steps.size, cells.size))
            np.add.at(total, np.searchsorted(ids, c.post[edges]), values.T[which])
        return total.T

    def _injected(self, group: str, ids: Ints) -> Floats:
        """pA in the update k -> k+1 of each sample k."""
        total = np.zeros((self.steps.size, ids.size))
        for c in self.program.currents:
            if c.group == group:
                mine = np.flatnonzero(np.isin(c.ids, ids))
                amplitude = np.hstack(
                    [np.zeros((c.amplitude.shape[0], 1)), c.amplitude]
                )  # 0 before its first step
                rows = amplitude[:, np.searchsorted(c.steps, self.steps, "right")].T
                total[:, np.searchsorted(ids, c.ids[mine])] += rows[:, mine] if rows.shape[1] > 1 else rows
        return total
