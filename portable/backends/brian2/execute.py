"""Running the plan in this process: Brian2's compiled code objects, stepped in the order of its schedule."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt

from portable.activity import doing
from portable.backends.brian2.build import SCHEDULE, FrozenSource, array, neuron_group, settings, synapses
from portable.backends.brian2.learners import Learners
from portable.backends.brian2.links import couplings
from portable.backends.brian2.lower import drive_numbers, numbers, refractory_steps
from portable.backends.brian2.plan import Brian2Plan, Drive, Neurons, Source, mangled
from portable.backends.brian2.records import CHUNK_ENTRIES, check_finite, source_spikes
from portable.backends.brian2.sources import events as events_of
from portable.backends.contract import Facts, HeldConnections, Recorded, Session
from portable.backends.interrupts import held_interrupt
from portable.dynamics.synapse import WEIGHT
from portable.resolve.program import CellGroup, Ints, PerCell, PoissonGroup
from portable.resolve.trains import Trains
from portable.units import Floats


def open_session(plan: Brian2Plan) -> Session:
    """A built session."""
    target = usual_target() if plan.target == "auto" else plan.target
    if target == "cpp_standalone":
        from portable.backends.brian2.standalone import StandaloneSession

        return StandaloneSession(plan)
    return RuntimeSession(plan, target)


def usual_target() -> str:
    """Of a run that names none."""
    return "cython" if any(map(shutil.which, ("g++", "c++", "clang++"))) else "numpy"


class RuntimeSession:
    """Steps Brian2's own compiled code objects in the order of its schedule.

    Network.run is not called: it generates all code again on every call, which makes running in pieces slow.
    """

    def __init__(self, plan: Brian2Plan, target: str) -> None:
        self.plan, self.place, self.target, self.now = plan, plan.placement, target, 0
        self.rates: dict[str, Any] = {g.name: g.rate for g in plan.groups if isinstance(g, PoissonGroup)}
        self.parameters: dict[str, dict[str, Any]] = {c.name: dict(c.parameters) for c in plan.cells}
        self.trains = {g.name: Trains(g, plan.dt) for g in plan.groups if not isinstance(g, CellGroup)}
        self.groups: dict[str, Any] = {}
        with settings(target):
            self._build()
        self.random: Any = None
        self.spikes: dict[str, list[tuple[int, npt.NDArray[np.int32]]]] = {c.name: [] for c in plan.cells}
        self.samples: list[list[Floats]] = [[] for _ in plan.traces]
        self._sample()

    def _build(self) -> None:
        plan = self.plan
        self.clock = brian2.Clock(dt=plan.dt * brian2.ms, name="pt_clock")
        objects: list[Any] = []
        for cells in plan.cells:
            values = numbers(cells, cells.parameters, plan.dt) | drive_numbers(cells, self.rates, plan.dt)
            if (
                cells.code.events
            ):  # synapses refer to them: they cannot be made again when one value becomes many
                values = {n: np.broadcast_to(np.asarray(v), cells.size) for n, v in values.items()}
            group, runners = neuron_group(cells, values, self.clock)
            self.groups[cells.name] = group
            objects += [group, *runners]
        for source in plan.sources:
            self.groups[source.name] = FrozenSource(source.size, self.clock, source.name)
            objects.append(self.groups[source.name])
        self.joins = [
            synapses(
                s,
                self.groups[s.source],
                self.groups[s.target],
                plan.dt,
                self.clock,
                s.port in self._cells(s.target).code.events,
                order=s.order,
            )
            for s in plan.synapses
        ]
        made = self.groups | {s.name: x for s, x in zip(plan.synapses, self.joins, strict=True)}
        # numpy's code for many connections at once takes each of them once
        self.learners = Learners(plan, made, self.trains, array, repeats=self.target == "numpy")
        self.network = brian2.Network(*objects, *self.joins, name="pt_network")
        self.network.schedule = SCHEDULE
        self.network._clocks = {self.clock}
        doing("Brian2 writes its code and has it compiled, where it has not been before")
        self.network.before_run({})
        self._compiled()

    def _compiled(self) -> None:
        self.calls: list[Callable[[], object]] = [
            call
            for obj in self.network.sorted_objects
            if obj.active
            for call in self.learners.calls(obj.name, list(obj.code_objects), lambda: self.now)
        ]
        self.space = {c.name: array(self.groups[c.name], "_spikespace") for c in self.plan.cells}

    def _cells(self, name: str) -> Neurons:
        return next(c for c in self.plan.cells if c.name == name)

    def run(self, steps: int) -> None:
        width = sum(d.source.size for c in self.plan.cells for d in c.drives) + sum(
            s.size for s in self.plan.sources
        )
        chunk = max(1, min(2000, CHUNK_ENTRIES // max(1, width)))
        end = self.now + steps
        with np.errstate(all="ignore"), self._randomness(), held_interrupt() as asked:
            while self.now < end and not asked:
                self._chunk(min(chunk, end - self.now), asked)
            if asked:
                raise KeyboardInterrupt
        check_finite(self.plan, self.now, lambda c, s: array(self.groups[c], mangled("x", s)))

    @contextlib.contextmanager
    def _randomness(self) -> Iterator[None]:
        """Brian2 draws from one generator for the whole process: give each session its own stream, and put
        the process's back.
        """
        if "native" not in self.plan.inputs.values():
            yield
            return
        device = brian2.get_device()
        before = device.get_random_state()
        if self.random is None:
            device.seed(int(np.random.SeedSequence(self.plan.seed).generate_state(1)[0]))
        else:
            device.set_random_state(self.random)
        try:
            yield
        finally:
            self.random = device.get_random_state()
            device.set_random_state(before)

    def _chunk(self, steps: int, asked: list[int]) -> None:
        feeds = [self._feed(self._cells(c.name), d, steps) for c in self.plan.cells for d in c.drives]
        events = [self._events(s, steps) for s in self.plan.sources]
        changes = [f for c in self.plan.cells if c.currents for f in [self._changes(c)]]
        couple = couplings(self.plan, self.groups, self.parameters)
        traces = [
            (t.every, kept, *self._where(t.group, t.variable, t.ids))
            for t, kept in zip(self.plan.traces, self.samples, strict=True)
        ]
        recording = [
            (self.space[c.name], self.spikes[c.name]) for c in self.plan.cells if self.place.records(c.name)
        ]
        recent = [(self.space[name], name) for name in self.learners.recent]
        tell = self.learners.told(self.now + 1, steps)
        timestep, t, dt = (self.clock.variables[n].get_value() for n in ("timestep", "t", "dt"))
        calls = self.calls
        for row in range(steps):
            for change in changes:
                change(self.now)
            couple(self.now)
            for feed in feeds:
                feed(row)
            for call in calls:
                call()
            for emit in events:
                emit(row)
            tell(row)
            self.now += 1
            timestep[0] = self.now
            t[0] = self.now * dt[0]
            for space, kept in recording:
                if space[-1]:
                    kept.append((self.now, space[: space[-1]].copy()))
            for space, name in recent:
                if space[-1]:
                    self.learners.keep(name, self.now, space[: space[-1]].copy())
            for every, samples, values, ids in traces:
                if self.now % every == 0:
                    samples.append(values[ids])
            if asked:
                return

    def _feed(self, cells: Neurons, drive: Drive, steps: int) -> Callable[[int], None]:
        """Adds the arrivals of one row of counts to the buffer of the port."""
        counts = self.trains[drive.source.name].counts(self.now + 1 - drive.delay, steps)
        buffer = array(self.groups[cells.name], mangled("in", drive.port))[
            self.place[drive.target.name].cells
        ]
        weights, product = drive.weights, np.empty(drive.target.size)

        def feed(row: int) -> None:
            np.multiply(counts[row], weights, out=product)
            np.add(buffer, product, out=buffer)

        return feed

    def _events(self, source: Source, steps: int) -> Callable[[int], None]:
        """Puts the spikes stamped at the end of a row's step into the space that pathways read in the
        next.
        """
        ids, start = events_of(source, self.trains, self.now + 1, steps)
        most = int(np.diff(start).max(initial=0))
        pathways = list(self.learners.pathways(source.name))
        space = np.asarray(pathways[0].eventspace)
        if space.size < most + 1:
            grown = np.zeros(2 * most + 1, dtype=np.int32)
            grown[: space[-1]], grown[-1] = space[: space[-1]], space[-1]
            space = grown
            for p in pathways:
                p.eventspace = space

        def emit(row: int) -> None:
            low, high = start[row], start[row + 1]
            space[: high - low] = ids[low:high]
            space[-1] = high - low

        return emit

    def _changes(self, cells: Neurons) -> Callable[[int], None]:
        """Sets the injected currents at the steps where one of them changes."""
        due = set(np.concatenate([c.steps for c in cells.currents]).tolist())
        values = array(self.groups[cells.name], "i_ext")

        def change(step: int) -> None:
            if step in due:
                values[:] = 0.0
                for c in cells.currents:
                    j = int(np.searchsorted(c.steps, step, "right")) - 1
                    if j >= 0:
                        values[c.ids] += c.amplitude[:, j]

        return change

    def _where(self, group: str, variable: str, ids: Ints) -> tuple[npt.NDArray[Any], Ints]:
        values = array(self.groups[self.place[group].space], mangled("x", variable))
        return values, self.place.numbers(group, ids)

    def _sample(self) -> None:
        for t, kept in zip(self.plan.traces, self.samples, strict=True):
            values, ids = self._where(t.group, t.variable, t.ids)
            kept.append(values[ids])

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        if group in self.trains:
            self.trains[group].set_rate(values["rate"], self.now)
            self.rates[group] = values["rate"]
            for c in self.plan.cells:
                if any(d.source.name == group for x in c.layers for d in x.drives):
                    self._assign(c, drive_numbers(c, self.rates, self.plan.dt))
            return
        place = self.place[group]
        cells = self._cells(place.space)
        given = self.parameters[cells.name]
        for name, value in values.items():
            if place.size == cells.size:
                given[name] = value
            else:
                full = np.array(np.broadcast_to(np.asarray(given[name], dtype=np.float64), cells.size))
                full[place.cells] = value
                given[name] = full
        self._write(cells, given)

    def _write(self, cells: Neurons, parameters: Mapping[str, PerCell]) -> None:
        made: dict[str, Any] = dict(numbers(cells, parameters, self.plan.dt))
        if cells.code.refractory:
            made["steps_left"] = refractory_steps(cells.flat, parameters, self.plan.dt)
        self._assign(cells, made)

    def _assign(self, cells: Neurons, made: Mapping[str, Any]) -> None:
        """Give variables new values; one value for all cells can become one per cell, and the code that reads
        it is made again.
        """
        group = self.groups[cells.name]
        wider = [n for n, v in made.items() if np.ndim(v) and group.variables[n].scalar]
        for n in wider:
            dtype = group.variables[n].dtype
            del group.variables._variables[n], group.variables.indices[n]
            group.variables.add_array(n, size=cells.size, dtype=dtype)
        for n, v in made.items():
            array(group, n)[:] = v
        if wider:
            with settings(self.target):
                for obj in self.network.sorted_objects:
                    if obj.name in (f"{cells.name}_update", f"{cells.name}_after"):
                        obj.before_run({})
            self._compiled()

    def recorded(self) -> Recorded:
        out = Recorded()
        for c in self.plan.cells:
            kept = self.spikes[c.name]
            ids = (
                np.concatenate([i for _, i in kept]).astype(np.int64) if kept else np.zeros(0, dtype=np.int64)
            )
            steps = np.repeat(np.array([s for s, _ in kept], dtype=np.int64), [i.size for _, i in kept])
            out.spikes |= self.place.spikes(c.name, ids, steps)
        out.spikes |= source_spikes(self.plan, self.trains, self.now)
        for t, samples in zip(self.plan.traces, self.samples, strict=True):
            out.traces[t.group, t.variable] = (
                t.ids,
                np.arange(len(samples)) * t.every,
                np.array(samples).reshape(len(samples), t.ids.size),
            )
        return out

    def facts(self) -> Facts:
        """The runtime targets compute in one thread."""
        return Facts(1, self.plan.inputs)

    def connections(self) -> Iterator[HeldConnections]:
        """What Brian2's Synapses hold. Drives, which became part of the cells' code, are not in it."""
        from portable.backends.brian2.records import held_connections

        for plan, made in zip(self.plan.synapses, self.joins, strict=True):
            names = [p.connections.name for p in plan.parts] if plan.learning else []
            now = [self.synapses(n, WEIGHT) for n in names]
            yield from held_connections(plan, made, self.place, np.concatenate(now) if now else None)

    def synapses(self, name: str, variable: str) -> Floats:
        found = self.learners.named(name)
        return np.zeros(0) if found is None else found.read(name, variable, self.now)

    def set_synapses(self, name: str, values: Mapping[str, float | Floats]) -> None:
        if found := self.learners.named(name):
            found.set(name, values, self.now)

    def plastic(self, name: str, on: bool) -> None:
        if found := self.learners.named(name):
            found.plastic(name, on, self.now)

    def signal(self, name: str, spikes: int) -> None:
        if found := self.learners.named(name):
            found.parts[name].signals.add(self.now + 1, spikes)

    def close(self) -> None:
        self.groups.clear()
        self.joins.clear()
        self.calls.clear()
        self.network = None
