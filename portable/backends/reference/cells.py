"""One group of cells in time: its states, and what a step makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from portable.backends.reference import integrate
from portable.backends.reference.integrate import Bools, States
from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import Port
from portable.dynamics.linear import linear, linear_part, propagator
from portable.dynamics.methods import TRIES, Method, largest, own_rates
from portable.dynamics.random_calls import draws
from portable.dynamics.steps import HALF, MEAN, PIECES, WHOLE, quantities
from portable.resolve.program import CellGroup, Ints
from portable.resolve.random import draw_all
from portable.units import Floats


class GroupInTime:
    """State and arithmetic of one group of cells."""

    def __init__(self, group: CellGroup, method: Method, dt: float) -> None:
        self.group, self.flat, self.method, self.dt, self.n = group, group.flat, method, dt, group.size
        self.parameters: dict[str, Any] = dict(group.parameters)
        self.states: States = {
            s: np.array(np.broadcast_to(np.asarray(group.initial[s], dtype=np.float64), self.n))
            for s in self.flat.state_names
        }
        self.left = np.zeros(self.n, dtype=np.int64)  # refractory updates still to come
        self.h = np.full(self.n, dt)  # rkf45's own step size
        self.given: dict[str, Any] = {
            name: np.zeros(self.n) for name in self.flat.inputs
        }  # constant over a step
        # what random() is called for, by port and by condition
        self.drawn = {p.name: draws(a.expr for a in p.assignments) for p in self.flat.ports}
        self.drawn_by = [draws(a.expr for a in c.assignments) for c in self.flat.conditions]
        self.part = linear_part(self.flat) if method.name in ("rk4", "exponential_euler") else None
        self.rates = own_rates(self.flat)
        self.prepare()

    def prepare(self) -> None:
        """Everything that depends on parameters."""
        self.values: dict[str, Any] = dict(self.parameters)
        for d in self.flat.constants:
            self.values[d.name] = evaluate(d.expr, self.values)
        self.refractory = np.zeros(self.n, dtype=np.int64)
        if self.flat.refractory:
            self.refractory += np.rint(
                np.asarray(evaluate(self.flat.refractory.duration, self.values)) / self.dt
            ).astype(np.int64)
        self.numbers = quantities(self.flat, self.method, self.values, self.dt)
        if self.method.name == "exact":
            system = linear(self.flat)
            assert system is not None
            self.free = propagator(system, self.values, self.dt)
            self.stuck = propagator(system, self.values, self.dt, self.flat.held)

    def read(self, variable: str, i_ext: Floats, t: float) -> Floats:
        """A state, derived variable or constant of every cell, with the inputs as they are."""
        scope: dict[str, Any] = {**self.values, **self.given, **self.states, "i_ext": i_ext, "t": t}
        for d in self.flat.derived:
            scope[d.name] = evaluate(d.expr, scope)
        return np.broadcast_to(np.asarray(scope[variable], dtype=np.float64), self.n)

    def advance(
        self, step: int, i_ext: Floats, jumps: dict[str, Floats], events: list[tuple[Port, Ints, Floats]]
    ) -> Ints:
        """step -> step + 1; jumps are summed arrivals by state, events those of other ports. Returns the
        cells that spike.
        """
        self.stamp, self.arrived = step + 1, np.zeros(self.n, dtype=np.int64)
        held = self.left > 0
        spiked = np.zeros(self.n, dtype=bool)
        for state, amount in jumps.items():
            jumps[state] = np.where(held, 0.0, amount) if state in self.flat.held else amount
        if self.method.name == "exact":
            self._exact(held, i_ext)
        else:
            self._numerical(step, held, i_ext, jumps, spiked)
        if self.method.name != "euler":
            for state, amount in jumps.items():
                self.states[state] = self.states[state] + amount
        for port, cells, weights in events:
            self._general(port, cells, weights, {"i_ext": i_ext, "t": (step + 1) * self.dt}, held)
        # Decremented before the conditions: a spike stamped k+1 holds the updates k+1 .. k+R.
        self.left = self.left - (self.left > 0)
        self._conditions((step + 1) * self.dt, i_ext, held, spiked)
        return np.flatnonzero(spiked)

    def _exact(self, held: Bools, i_ext: Floats) -> None:
        x = np.stack([self.states[s] for s in self.free.states], axis=1)
        both = []
        for p in (self.free, self.stuck):
            both.append(
                (np.broadcast_to(p.P, (self.n, *p.P.shape[1:])) * x[:, None, :]).sum(axis=2)
                + p.Q * i_ext[:, None]
                + p.R
            )
        new = np.where(held[:, None], both[1], both[0])
        for i, s in enumerate(self.free.states):
            self.states[s] = new[:, i]

    def _numerical(
        self, step: int, held: Bools, i_ext: Floats, jumps: dict[str, Floats], spiked: Bools
    ) -> None:
        f = integrate.right_hand_side(self.flat, {**self.values, **self.given}, i_ext, held)
        t = step * self.dt
        for state in self.flat.states:
            x, known = self.states[state.name], self.part.states if self.part else ()
            if state.name in self.flat.derivatives and state.name not in known:
                self.states[state.name] = np.where(np.abs(x) <= largest(state), x, np.nan)
        if self.method.name == "rk4":
            self._pieces(t, i_ext, f)
        elif self.method.name == "exponential_euler":
            self._exponential(t, i_ext, f)
        elif self.method.name == "euler":  # arrivals join the increment: x + (h*f + jump)
            slope = f(self.states, t)
            for s in self.flat.state_names:
                increment = self.dt * slope[s] if s in slope else np.zeros(self.n)
                self.states[s] = self.states[s] + (increment + jumps[s] if s in jumps else increment)
        else:
            self._adaptive(t, i_ext, spiked)

    def _pieces(self, t: float, i_ext: Floats, f: integrate.Rhs) -> None:
        """rk4 in as many equal substeps as each cell needs, with the linear part propagated exactly."""
        assert self.method.tableau is not None
        many = self.numbers.get(PIECES, np.ones(1))
        h = self.dt / many
        for piece in range(int(np.max(many))):
            known = {
                node: integrate.known(self.part, self.numbers, kind, self.states, i_ext)
                for node, kind in ((Fraction(1, 2), HALF), (Fraction(1), WHOLE))
                if self.part
            }
            new = integrate.step(self.method.tableau, self.states, t + piece * h, h, f, known)
            active = piece < many
            self.states = {s: np.where(active, new[s], x) for s, x in self.states.items()}

    def _exponential(self, t: float, i_ext: Floats, f: integrate.Rhs) -> None:
        """x + h f exprel(h a), f = a x + b, with the linear part's means over the step in f and a."""
        means, ends = (
            integrate.known(self.part, self.numbers, kind, self.states, i_ext) if self.part else {}
            for kind in (MEAN, WHOLE)
        )
        middle = {**self.states, **means}
        slopes = f(middle, t)
        scope: dict[str, Any] = {**self.values, **self.given, **middle, "i_ext": i_ext, "t": t}
        for d in self.flat.derived:
            scope[d.name] = evaluate(d.expr, scope)
        for s, slope in slopes.items():
            share: Any = 1.0
            if s in self.rates:
                z = np.asarray(self.dt * evaluate(self.rates[s], scope))
                share = np.where(z == 0.0, 1.0, np.expm1(z) / np.where(z == 0.0, 1.0, z))
            self.states[s] = ends[s] if s in ends else self.states[s] + self.dt * slope * share

    def _adaptive(self, t: float, i_ext: Floats, spiked: Bools) -> None:
        """rkf45: each cell takes its own substeps; with `within_step` the condition is tested after each."""
        done, tries = np.zeros(self.n), 0
        while (active := done < self.dt).any():
            f = integrate.right_hand_side(self.flat, {**self.values, **self.given}, i_ext, self.left > 0)
            last = self.h > self.dt - done
            h = np.where(last, self.dt - done, self.h)
            new, ratio = integrate.embedded(self.method, self.states, t + done, h, f)
            suggested, repeat = integrate.next_size(h, ratio)
            smallest = repeat & ~((suggested < h) & (done + suggested != done))
            repeat, suggested = repeat & ~smallest, np.where(smallest, h, suggested)
            tries += 1
            if tries > TRIES:
                self.states = {
                    s: np.where(active & (s in self.flat.derivatives), np.inf, x)
                    for s, x in self.states.items()
                }
                self.h = np.where(active, self.dt, self.h)
                return
            keep = active & ~repeat
            self.states = {s: np.where(keep, new[s], x) for s, x in self.states.items()}
            self.h = np.where(active, suggested, self.h)
            done = np.where(keep, np.where(last, self.dt, done + h), done)  # `last`: cut to the end of dt
            if self.method.within_step:
                self._conditions(t, i_ext, (self.left > 0) | ~keep, spiked, extra=1)

    def _general(
        self, port: Port, cells: Ints, weights: Floats, more: Mapping[str, Any], held: Bools
    ) -> None:
        """A port with any update: one arrival after another in the order given, since each may change what
        the next one reads. Derived variables have their values from before the first assignment."""
        for rank in range(
            int(np.bincount(cells).max())
        ):  # the rank-th arrival of each cell, all cells at once
            nth = np.flatnonzero(_rank(cells) == rank)
            c = cells[nth]
            scope: dict[str, Any] = {
                k: (v[c] if np.ndim(v) else v)
                for k, v in {**self.values, **self.given, **more, **self.states}.items()
            }
            scope["weight"] = weights[nth]
            for d in self.flat.derived:
                scope[d.name] = evaluate(d.expr, scope)
            if found := self.drawn[port.name]:
                scope |= self._draws(found, c, self.arrived[c])
                self.arrived[c] += 1
            for a in port.assignments:
                value = evaluate(a.expr, scope)
                scope[a.variable] = (
                    np.where(held[c], scope[a.variable], value) if a.variable in self.flat.held else value
                )
                self.states[a.variable][c] = scope[a.variable]

    def _draws(self, names: list[tuple[int, str]], cells: Ints, arrivals: Ints) -> dict[str, Floats]:
        """The numbers that random() gives these cells in this step; `arrivals`: how many that drew came
        before.
        """
        key = np.uint64(self.group.key)
        return {name: draw_all(key, cells, self.stamp, arrivals, number) for number, name in names}

    def _conditions(self, t: float, i_ext: Floats, held: Bools, spiked: Bools, extra: int = 0) -> None:
        for c, found in zip(self.flat.conditions, self.drawn_by, strict=True):
            scope: dict[str, Any] = {**self.values, **self.given, **self.states, "i_ext": i_ext, "t": t}
            for d in self.flat.derived:
                scope[d.name] = evaluate(d.expr, scope)
            true = np.broadcast_to(np.asarray(evaluate(c.test, scope), dtype=bool), self.n)
            if c.spike:  # not tested in an update that was refractory
                true = true & ~held
                spiked |= true
                # inside an rkf45 step the end of the step still counts one down
                self.left = np.where(
                    true, np.where(self.refractory > 0, self.refractory + extra, 0), self.left
                )
            if not true.any():
                continue
            if found:
                scope |= self._draws(found, np.arange(self.n), np.zeros(self.n, dtype=np.int64))
            for a in c.assignments:
                scope[a.variable] = self.states[a.variable] = np.where(
                    true, evaluate(a.expr, scope), self.states[a.variable]
                )


def _rank(cells: Ints) -> Ints:
    """0 for the first occurrence of each value, 1 for the second, ..."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    first = np.searchsorted(ordered, ordered, "left")
    out = np.empty_like(order)
    out[order] = np.arange(cells.size) - first
    return out
