"""Runs a Plan: compiled code over its arrays, in pieces if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.backends.jlems.code import addresses, loop
from portable.backends.jlems.functions import RANDOM, seeded
from portable.backends.jlems.lower import DEFAULT_SEED
from portable.backends.jlems.plan import Plan, Planner
from portable.backends.jlems.quantities import address, slot
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import LemsNetwork, LemsSimulation
from portable.errors import BackendFailed
from portable.units import Floats

FAILED, RECORDED, MEMORY = 2, 2, 8 + 3 * 4096  # as in loop.py


class Run:
    """A network being run. Time 0 is step 0; `advance(n)` goes n steps on. `slots` are variables to sample,
    each at every `every`-th step.
    """

    def __init__(self, plan: Plan, dt: float, seed: int, slots: Any, every: Any) -> None:
        self.plan, self.dt = plan, dt
        self.code = loop()
        self.S, self.C, self.done = plan.values.copy(), np.zeros(MEMORY, dtype=np.int64), -1
        arrays = (self.S, plan.tables, self.C)
        self.F = np.array([*addresses(plan.kinds, plan.constants), *(x.ctypes.data for x in arrays)])
        self.C[RANDOM] = seeded(seed)
        pending, recorded = plan.room
        self.HT, self.HQ, self.EV = (
            np.zeros(pending),
            np.zeros((pending, 2), dtype=np.int64),
            np.zeros((recorded, 2), dtype=np.int64),
        )
        self.slots, self.every = np.asarray(slots, dtype=np.int64), np.asarray(every, dtype=np.int64)
        self.samples = np.zeros((self.slots.size, 0))

    def advance(self, steps: int) -> None:
        """Go on by whole steps; the first call also does step 0, which initialises. BackendFailed where a
        variable is no number.
        """
        last = self.done + 1 + steps + (self.done < 0)
        self._room_for(last)
        at = self.done + 1
        while at < last:
            reached = self.code(
                at,
                last,
                self.dt,
                self.plan.roots,
                self.S,
                self.plan.tables,
                self.C,
                self.F,
                self.HT,
                self.HQ,
                self.EV,
                self.slots,
                self.every,
                self.samples,
            )
            if self.S[FAILED]:
                raise BackendFailed(
                    "jlems: events without delay set each other off without end, as they would in jLEMS"
                )
            if reached < last:
                self._grow()
            at = reached
        self.done = last - 1
        bad = np.flatnonzero(~np.isfinite(self.S[self.slots]))
        if bad.size:
            raise BackendFailed(
                f"jlems: recorded variable {bad[0]} is no number any more at step {self.done}; jLEMS stops "
                "there, too"
            )

    def _room_for(self, steps: int) -> None:
        """Room for the samples of that many steps."""
        need = (steps - 1) // int(self.every.min(initial=steps)) + 1 if self.slots.size else 0
        have = self.samples.shape[1]
        if need > have:
            self.samples = np.concatenate(
                [self.samples, np.zeros((self.slots.size, max(need - have, have)))], axis=1
            )

    def _grow(self) -> None:
        """Twice the room for pending events and recorded spikes."""
        self.HT, self.HQ, self.EV = (
            np.concatenate([a, np.zeros_like(a)]) for a in (self.HT, self.HQ, self.EV)
        )

    def sampled(self, index: int) -> Floats:
        """Samples of one variable so far."""
        return np.asarray(self.samples[index, : self.done // int(self.every[index]) + 1])

    def events(self) -> tuple[Any, Any]:
        """(recorder, step) of every recorded event."""
        kept = self.EV[: int(self.C[RECORDED])].copy()
        return kept[:, 0], kept[:, 1]

    def times(self) -> Floats:
        """Time of every step in s, added up as jLEMS does."""
        return np.concatenate([[0.0], np.cumsum(np.full(self.done, self.dt))])


@dataclass(frozen=True)
class Traces:
    """What `run_jlems` gives: times (s) of the steps, a column by (file, id), times of events (s) by (file,
    id); all in SI units.
    """

    times: Floats
    columns: Mapping[tuple[str, str], Floats]
    events: Mapping[tuple[str, str], Floats]


def run_jlems(
    model: Model, network: LemsNetwork, simulation: LemsSimulation, context: Component | None = None
) -> Traces:
    """Run a Simulation as jLEMS would, and give what its output files would hold. `context`: a component
    around the network.

    ModelError where a path leads nowhere or something that is read is not there.
    """
    planner = Planner(model, network, context)
    recorded = list[tuple[str | int, Any, str]]()
    for s in simulation.selections:
        population, position, _ = address(network, s.select, str(s.where) or s.id)
        recorded.append((population, np.array([position]), s.port))
    plan = planner.plan(recorded)
    slots = [slot(plan, network, c.quantity, str(c.where) or c.id) for c in simulation.columns]
    run = Run(
        plan,
        simulation.step,
        DEFAULT_SEED if simulation.seed is None else simulation.seed,
        slots,
        np.ones(len(slots), dtype=np.int64),
    )
    run.advance(simulation.steps)
    who, when = run.events()
    times = run.times()
    return Traces(
        times, {(c.file, c.id): run.sampled(i) for i, c in enumerate(simulation.columns)},
        {(s.file, s.id): times[when[who == i]] for i, s in enumerate(simulation.selections)},
    )  # fmt: skip
