"""Running the plan as one C++ program: written, compiled, run and removed in a temporary folder, for a length
known beforehand. Connections that learn are read back when it has run.

Nothing of this process can reach the program, so frozen inputs are handed over whole: spikes as
SpikeGeneratorGroups (one for each multiplicity, which fires at most once a bin; one of all for connections
that learn), drives and currents as TimedArrays.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import brian2
import numpy as np
import numpy.typing as npt

from portable.backends.brian2.build import SCHEDULE, array, neuron_group, settings, synapses
from portable.backends.brian2.lower import drive_numbers, numbers
from portable.backends.brian2.plan import Brian2Plan, Neurons, Source, mangled
from portable.backends.brian2.plastic import Plastic, initial
from portable.backends.brian2.records import check_finite, source_spikes
from portable.backends.brian2.sources import events as events_of
from portable.backends.contract import Facts, Recorded, Shortfall
from portable.errors import UnsupportedError
from portable.resolve.program import CellGroup, Ints, PoissonGroup
from portable.resolve.trains import Trains
from portable.units import Floats

LARGEST_INPUT = 1 << 28  # bytes of one TimedArray: it is written to a file and read by the program


class StandaloneSession:
    """One run, then results."""

    def __init__(self, plan: Brian2Plan) -> None:
        self.plan, self.now = plan, 0
        self.trains = {g.name: Trains(g, plan.dt) for g in plan.groups if not isinstance(g, CellGroup)}
        self.result = Recorded()
        self.seconds: dict[str, float] = {}
        self.learning = {s.name: s for s in plan.synapses if s.learning}
        self.memory = {n: initial(s) for n, s in self.learning.items()}
        none = np.zeros(0, dtype=np.int64)
        self.fired = {c.name: (none, none) for c in plan.cells}  # numbers and stamps, where they are needed
        self.learners = {
            n: Plastic(s, plan.dt, partial(self._memory, n), self._spikes) for n, s in self.learning.items()
        }

    def run(self, steps: int) -> None:
        self._afford(steps)
        from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
        from brian2.devices.device import reset_device

        device = CPPStandaloneDevice()  # not the process's own: nothing of another user's build is in it
        before = brian2.prefs["devices.cpp_standalone.openmp_threads"]
        with (
            settings("cpp_standalone"),
            tempfile.TemporaryDirectory(prefix="portable-brian2-", ignore_cleanup_errors=True) as folder,
        ):
            brian2.set_device(device, build_on_run=False)
            try:
                brian2.prefs["devices.cpp_standalone.openmp_threads"] = (
                    self.plan.threads if self.plan.threads > 1 else 0
                )
                began = time.perf_counter()
                self._build(steps)
                self.network.run(steps * self.plan.dt * brian2.ms, namespace={})
                device.build(directory=folder, compile=True, run=True, with_output=False)
                # what the program says of its own loop; the rest is writing, compiling, and setting up
                self.seconds = {
                    "run": float(device._last_run_time),
                    "compile": time.perf_counter() - began - float(device._last_run_time),
                }
                self.now = steps
                self._collect()
            finally:
                brian2.prefs["devices.cpp_standalone.openmp_threads"] = before
                reset_device()

    def _build(self, steps: int) -> None:
        plan = self.plan
        clock = brian2.Clock(dt=plan.dt * brian2.ms, name="pt_clock")
        rates: dict[str, Any] = {g.name: g.rate for g in plan.groups if isinstance(g, PoissonGroup)}
        if "native" in plan.inputs.values():
            brian2.seed(int(np.random.SeedSequence(plan.seed).generate_state(1)[0]))
        self.groups: dict[str, Any] = {}
        objects: list[Any] = []
        for cells in plan.cells:
            values = numbers(cells, cells.parameters, plan.dt) | drive_numbers(cells, rates, plan.dt)
            group, runners = neuron_group(cells, values, clock)
            self.groups[cells.name] = group
            objects += [group, *runners, *self._given(cells, group, steps, clock)]
        levels = {s.name: self._generators(s, steps, clock) for s in plan.sources}
        objects += [g for many in levels.values() for g in many]
        taught = {s.source for s in self.learning.values()} & levels.keys()
        whole = {s.name: self._all(s, steps, clock) for s in plan.sources if s.name in taught}
        objects += whole.values()
        self.made: dict[str, Any] = {}
        for s in plan.synapses:
            general = s.port in next(c for c in plan.cells if c.name == s.target).code.events
            drawn = [whole[s.source]] if s.learning and s.source in whole else levels.get(s.source)
            for source in drawn or [self.groups[s.source]]:
                self.made[s.name] = synapses(
                    s,
                    source,
                    self.groups[s.target],
                    plan.dt,
                    clock,
                    general,
                    source.name if s.source in levels else "",
                    s.order,
                )
                objects.append(self.made[s.name])
        self.spikes = {
            c.name: brian2.SpikeMonitor(self.groups[c.name], name=f"{c.name}_spikes")
            for c in plan.cells
            if plan.placement.records(c.name)
            or any(c.name in (s.source, s.target) for s in self.learning.values())
        }
        self.traces = [self._monitor(i) for i in range(len(plan.traces))]
        self.network = brian2.Network(*objects, *self.spikes.values(), *self.traces, name="pt_network")
        self.network.schedule = SCHEDULE

    def _afford(self, steps: int) -> None:
        problems = []
        for c in self.plan.cells:
            given = {
                port: (steps, [d.source.name for d in c.drives if d.port == port])
                for port in {d.port for d in c.drives}
            }
            if c.currents:
                given["i_ext"] = (
                    max(int(x.steps[-1]) for x in c.currents) + 1,
                    sorted({x.group for x in c.currents}),
                )
            for rows, names in given.values():
                size = rows * c.size * 8
                if size > LARGEST_INPUT:
                    reason = (
                        f"{rows} steps of {c.size} cells are {size / 1e9:.2f} GB of frozen input, at "
                        f"most {LARGEST_INPUT / 1e9:.2f} GB goes into a standalone program"
                    )
                    where = f"populations {', '.join(repr(n) for n in names)}"
                    problems.append(
                        Shortfall(
                            "sources.poisson.frozen",
                            where,
                            reason,
                            "use inputs='native', a shorter run, or options={'target': 'cython'}",
                        )
                    )
        if problems:
            raise UnsupportedError("brian2", problems)

    def _given(self, cells: Neurons, group: Any, steps: int, clock: Any) -> list[Any]:
        """Objects that add drives to the buffers of ports and set injected currents."""
        made = []
        dt = self.plan.dt * brian2.ms
        for port in dict.fromkeys(d.port for d in cells.drives):
            table = np.zeros((steps, cells.size))
            for d in (d for d in cells.drives if d.port == port):
                table[:, self.plan.placement[d.target.name].cells] += (
                    self.trains[d.source.name].counts(1 - d.delay, steps) * d.weights
                )
            group.namespace[f"pt_drive_{port}"] = brian2.TimedArray(
                table, dt=dt, name=f"{cells.name}_drive_{port}"
            )
            buffer = mangled("in", port)
            made.append(
                group.run_regularly(
                    f"{buffer} = {buffer} + pt_drive_{port}(t, i)",
                    when="synapses",
                    name=f"{cells.name}_feed_{port}",
                    clock=clock,
                )
            )
        if cells.currents:
            table = np.zeros((max(int(c.steps[-1]) for c in cells.currents) + 1, cells.size))
            for c in cells.currents:
                for at, following, amplitude in zip(
                    c.steps, [*c.steps[1:], None], c.amplitude.T, strict=True
                ):
                    table[at:following, c.ids] += amplitude
            group.namespace["pt_current"] = brian2.TimedArray(table, dt=dt, name=f"{cells.name}_current")
            made.append(
                group.run_regularly(
                    "i_ext = pt_current(t, i)", when="before_groups", name=f"{cells.name}_inject", clock=clock
                )
            )
        return made

    def _generators(self, source: Source, steps: int, clock: Any) -> list[Any]:
        """Group m holds the spikes of every source and bin beyond the first m."""
        ids, start = events_of(source, self.trains, 1, steps)
        rows = np.repeat(np.arange(steps), np.diff(start))
        key = rows * source.size + ids
        rank = np.arange(key.size) - np.searchsorted(key, key)
        many = int(rank.max(initial=0)) + 1
        return [
            brian2.SpikeGeneratorGroup(
                source.size,
                ids[rank == m],
                rows[rank == m] * self.plan.dt * brian2.ms,
                clock=clock,
                name=f"{source.name}_{m}",
                sorted=True,
            )
            for m in range(many)
        ]

    def _all(self, source: Source, steps: int, clock: Any) -> Any:
        """All spikes of a source in one group, since connections that learn have their states in one object.
        Brian2 refuses a cell that spikes twice in a bin if nothing is between: a cell does that nothing
        connects. The group is as large as its fullest bin.
        """
        ids, start = events_of(source, self.trains, 1, steps)
        rows = np.repeat(np.arange(steps), np.diff(start))
        again = 1 + np.flatnonzero((np.diff(rows) == 0) & (np.diff(ids) == 0))
        ids, rows = np.insert(ids, again, source.size), np.insert(rows, again, rows[again])
        return brian2.SpikeGeneratorGroup(
            max(source.size + 1, int(np.bincount(rows).max(initial=0))),
            ids,
            rows * self.plan.dt * brian2.ms,
            clock=clock,
            name=f"{source.name}_all",
            sorted=True,
        )

    def _monitor(self, index: int) -> Any:
        t = self.plan.traces[index]
        place = self.plan.placement
        every = t.every * self.plan.dt * brian2.ms
        return brian2.StateMonitor(
            self.groups[place[t.group].space],
            mangled("x", t.variable),
            record=place.numbers(t.group, t.ids),
            dt=every,
            when="start",
            name=f"pt_trace_{index}",
        )

    def _collect(self) -> None:
        plan, place = self.plan, self.plan.placement
        for name, found in self.spikes.items():
            stamps = place.steps(np.asarray(found.t_) * 1e3) + 1
            self.result.spikes |= place.spikes(name, np.asarray(found.i), stamps)
            self.fired[name] = np.asarray(found.i).astype(np.int64), stamps
        for name, s in self.learning.items():
            first = self.memory[name]
            self.memory[name] = {n: np.array(array(self.made[s.name], n)) for n in first}
        self.result.spikes |= source_spikes(plan, self.trains, self.now)
        last = {
            (c.name, s): array(self.groups[c.name], mangled("x", s))
            for c in plan.cells
            for s in c.flat.state_names
        }
        check_finite(plan, self.now, lambda c, s: last[c, s])
        for t, monitor in zip(plan.traces, self.traces, strict=True):
            values = np.array(getattr(monitor, mangled("x", t.variable))).T
            if (
                self.now % t.every == 0
            ):  # the monitor sees the start of steps; the state after the last one is the final one
                final = last[place[t.group].space, t.variable][place.numbers(t.group, t.ids)]
                values = np.vstack([values, final])
            self.result.traces[t.group, t.variable] = (t.ids, np.arange(values.shape[0]) * t.every, values)
        self.network, self.groups, self.made, self.spikes, self.traces = None, {}, {}, {}, []

    def _memory(self, synapses: str, variable: str) -> npt.NDArray[Any]:
        return self.memory[synapses][variable]

    def _spikes(self, population: str, first: int, steps: int) -> tuple[Ints, Ints]:
        if population in self.trains:
            return self.trains[population].spikes(first, steps)
        place = self.plan.placement[population]
        ids, stamps = self.fired[place.space]
        mine = place.has(ids) & (stamps >= first) & (stamps < first + steps)
        return self.plan.placement.positions(population, ids[mine]), stamps[mine]

    def synapses(self, name: str, variable: str) -> Floats:
        found = next((p for p in self.learners.values() if name in p.parts), None)
        return np.zeros(0) if found is None else found.read(name, variable, self.now)

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:  # the table refuses it
        raise AssertionError(f"{group}: {', '.join(values)} cannot change in a standalone program")

    def facts(self) -> Facts:
        """OpenMP's threads, and the phases that the program and its compiler took."""
        return Facts(self.plan.threads, self.plan.inputs, self.seconds)

    def recorded(self) -> Recorded:
        if self.now:
            return self.result
        empty = np.zeros(0, dtype=np.int64)
        first = {}
        for t in self.plan.traces:
            place = self.plan.placement
            c = next(c for c in self.plan.cells if c.name == place[t.group].space)
            start = np.broadcast_to(np.asarray(c.initial[t.variable], dtype=np.float64), c.size)
            values = start[place.numbers(t.group, t.ids)]
            first[t.group, t.variable] = (t.ids, np.zeros(1, dtype=np.int64), values[None, :])
        return Recorded(dict.fromkeys(self.plan.spikes, (empty, empty)), first)

    def close(self) -> None:
        self.result = Recorded()
