"""Runs a NativePlan: persistent threads, each in one compiled call for a whole piece of time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from portable.backends.contract import Recorded
from portable.backends.native import compiled, inputs, synapses
from portable.backends.native.cells import Arena, bounds
from portable.backends.native.driver import DONE, DRAIN, GROW, OVERFLOW, POISSON, TRAINS, program_source
from portable.backends.native.layout import BLOCK, Layout
from portable.backends.native.lower import RING, NativePlan
from portable.errors import BackendFailed
from portable.resolve.program import CellGroup, Ints, PoissonGroup
from portable.units import Floats

WITHIN_STEP = 8  # spikes of one cell in one step, at most; only rkf45 with spikes inside the step can have more than one


def power_of_two(n: int) -> int:
    return 1 << max(0, n - 1).bit_length()


class _Part:
    """One thread's own arrays; see driver.ARGUMENTS."""

    slices: Ints
    fields: Floats
    arrivals: Floats


class NativeSession:
    """A built network. `inputs` tells that Poisson trains are drawn inside the update, by the program's own function."""

    inputs = "frozen, drawn inside the update"

    def __init__(self, plan: NativePlan) -> None:
        self.plan, self.program = plan, plan.program
        self.now = 0
        self.arena = Arena(plan, plan.threads)
        self.rates = inputs.poisson_groups(plan)
        self._lock = threading.Lock()
        self._launcher = ThreadPoolExecutor(1, thread_name_prefix="portable")
        self._pool = ThreadPoolExecutor(plan.threads, thread_name_prefix="portable") if plan.threads > 1 else None
        self._numbering()
        self.parts = [_Part() for _ in range(plan.threads)]
        self._connect()
        self._exchange()
        self._records()
        self._prepare()

    # ---- building

    def _numbering(self) -> None:
        """First source number of each group that sends through connections, first record number of every group."""
        sending = {self.program.connections[i].pre for i, k in enumerate(self.plan.connections) if k is not None}
        self.bases: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        sources = total = 0
        for g in self.program.groups:
            self.numbers[g.name] = total
            total += g.size
            if g.name in sending:
                self.bases[g.name] = sources
                sources += g.size
        self.sources = sources

    def _connect(self) -> None:
        places = {}
        self.arrivals: list[dict[str, int]] = [{} for _ in self.parts]
        for name, c in self.arena.cells.items():
            ids = np.arange(c.group.size)
            part = np.searchsorted(c.cuts, ids // BLOCK, "right") - 1
            starts = np.zeros(len(self.parts), dtype=np.int64)
            for p in range(len(self.parts)):
                starts[p] = self.arrivals[p].get("", 0)
                self.arrivals[p][name] = int(starts[p])
                self.arrivals[p][""] = int(starts[p] + (c.cuts[p + 1] - c.cuts[p]) * BLOCK)
            places[name] = (part.astype(np.uint8), (starts[part] + ids - c.cuts[part] * BLOCK).astype(np.uint32))
        self.synapses = synapses.build(self.plan, self.bases, self.sources, places, len(self.parts))
        self.channels = max([1, *(len(c.plan.channels) for c in self.arena.cells.values())])
        self.reach = max(self.plan.delays, default=1)
        self.ring = power_of_two(self.reach + 1) - 1 if self.plan.delivery == RING else 0
        for p, part in enumerate(self.parts):
            part.cells = self.arrivals[p].get("", 0)  # type: ignore[attr-defined]
            part.arrivals = np.zeros(max(1, part.cells * self.channels * (self.ring + 1)))  # type: ignore[attr-defined]

    def _exchange(self) -> None:
        """Histories and outgoing lists; sized for the most that can happen, or grown between calls."""
        n, groups = len(self.parts), self.program.groups
        self.interval = self.plan.interval
        tables = inputs.PoissonTables(self.rates, self.program.dt)
        window = power_of_two(self.reach + self.interval + 2)
        most_out = most_kept = most_hits = 1
        for p, part in enumerate(self.parts):
            trains = inputs.Trains(self.plan, n, p)
            out = kept = hits = 0
            for g in groups:
                most = self._most(g, p, tables, trains)
                hits = max(hits, most)
                out += most if g.name in self.bases else 0
                kept += most if g.name in self.program.spikes else 0
            most_out, most_kept, most_hits = max(most_out, out), max(most_kept, kept), max(most_hits, hits)
            part.trains = trains  # type: ignore[attr-defined]
            part.state = np.zeros(8, dtype=np.int64)  # type: ignore[attr-defined]
            part.spikes = np.zeros(1 << 14, dtype=np.int32)  # type: ignore[attr-defined]
            part.position = np.zeros(8, dtype=np.int64)  # type: ignore[attr-defined]
            part.heads, part.tails = (np.zeros(window, dtype=np.int64) for _ in range(2))  # type: ignore[attr-defined]
            part.u, part.n = np.zeros(64, dtype=np.uint32), np.zeros(64, dtype=np.int32)  # type: ignore[attr-defined]
            part.cursor = np.zeros(len(groups), dtype=np.int64)  # type: ignore[attr-defined]
        self.hits = most_hits
        self.reserve = most_kept * self.interval
        self.out = np.zeros((n, 2, most_out * self.interval), dtype=np.int32)
        self.ends = np.zeros((n, 2, self.interval, max(1, len(groups))), dtype=np.int64)
        self.sends = np.array([g.name in self.bases for g in groups] or [False])
        self.sync, self.flags = np.zeros(16, dtype=np.int64), np.zeros((2, max(n, 8)), dtype=np.int64)

    def _most(self, g: Any, p: int, tables: inputs.PoissonTables, trains: inputs.Trains) -> int:
        """Spikes of a group's slice in one step, at most."""
        cuts = np.minimum(bounds(g.size, len(self.parts)) * BLOCK, g.size)
        size = int(cuts[p + 1] - cuts[p])
        if isinstance(g, CellGroup):
            return size * (WITHIN_STEP if self.arena.cells[g.name].layout.substeps else 1)
        return size * tables.most[g.name] if isinstance(g, PoissonGroup) else trains.most[g.name]

    def _records(self) -> None:
        n = len(self.parts)
        self.chunks: list[tuple[Any, Any]] = []
        self.samples: list[list[Floats]] = [[] for _ in self.program.traces]
        for part in self.parts:
            room = max(2 * self.reserve, 1 << 14) if self.program.spikes else 1
            part.ids, part.stamps = np.zeros(room, dtype=np.int32), np.zeros(room, dtype=np.int64)  # type: ignore[attr-defined]
        for t, kept in zip(self.program.traces, self.samples, strict=True):
            c = self.arena.cells[t.group]
            kept.append(self.arena.read(c, t.variable)[t.ids][None, :])
        for p in range(n):
            kept_parts, at = [], 0
            self.parts[p].kept_at = {}  # type: ignore[attr-defined]
            for g in self.program.groups:
                if g.name in self.program.spikes:
                    cuts = np.minimum(bounds(g.size, n) * BLOCK, g.size)
                    chosen = np.zeros(g.size, dtype=np.bool_)
                    chosen[self.program.spikes[g.name]] = True
                    kept_parts.append(chosen[cuts[p] : cuts[p + 1]])
                    self.parts[p].kept_at[g.name] = at  # type: ignore[attr-defined]
                    at += kept_parts[-1].size
            self.parts[p].kept = np.concatenate([*kept_parts, np.zeros(1, dtype=np.bool_)])  # type: ignore[attr-defined]

    def _prepare(self) -> None:
        """Everything that depends on layouts, values and rates; compiles (or loads) the code."""
        layouts: dict[str, int] = {}
        distinct: list[Layout] = []
        for c in self.arena.cells.values():
            if c.layout.key not in layouts:
                layouts[c.layout.key] = len(distinct)
                distinct.append(c.layout)
        handlers: dict[tuple[int, str], int] = {}
        kinds = []
        for i, kind in enumerate(self.plan.kinds):
            channel, scalars = kind.channel, 0
            if channel < 0:
                c = self.arena.cells[kind.group]
                channel = -1 - handlers.setdefault((layouts[c.layout.key], kind.port), len(handlers))
                scalars = c.scalars
            kinds.append((channel, -1 if self.plan.weights else i, scalars))
        self.kinds = np.array(kinds, dtype=np.int64).reshape(-1, 3)
        self.run_code = compiled.load(program_source(distinct, list(handlers), self.plan.delivery == RING))
        self.tables = inputs.PoissonTables(self.rates, self.program.dt)
        for p, part in enumerate(self.parts):
            part.fields = self.arena.fields[p]
            part.slices = self._slices(p, {n: layouts[c.layout.key] for n, c in self.arena.cells.items()})
            part.drives, part.amounts = inputs.drive_rows(self.plan, self.tables, self.arena, p, self.arrivals[p], part.cells)  # type: ignore[attr-defined]
            part.currents = inputs.Currents(self.program.currents, self.arena, p)  # type: ignore[attr-defined]
            part.where = self._where(p) if handlers else np.zeros(1, dtype=np.int64)  # type: ignore[attr-defined]
        self._traces(0, 0)
        self.run_code(*self._arguments(0, 0))  # compiles; runs no step

    def _slices(self, p: int, layouts: Mapping[str, int]) -> Ints:
        rows, part = [], self.parts[p]
        for g in self.program.groups:
            cuts = bounds(g.size, len(self.parts))
            first, count = int(cuts[p] * BLOCK), int(cuts[p + 1] - cuts[p])
            valid = max(0, min(g.size, int(cuts[p + 1] * BLOCK)) - first)
            if isinstance(g, CellGroup):
                c = self.arena.cells[g.name]
                what = (layouts[g.name], c.offsets[p], count, self.arrivals[p][g.name], c.scalars)
            elif isinstance(g, PoissonGroup):
                used = g.name in self.bases or g.name in self.program.spikes
                what = (POISSON, self.tables.row[g.name], 0, 0, 0)
                valid = valid if used else 0
            else:
                what = (TRAINS, *part.trains.place[g.name], 0, 0)  # type: ignore[attr-defined]
            rows.append((*what, first, self.bases.get(g.name, -1), part.kept_at.get(g.name, -1), self.numbers[g.name], valid))  # type: ignore[attr-defined]
        return np.array(rows, dtype=np.int64).reshape(-1, 10)

    def _where(self, p: int) -> Ints:
        """Place in the part's arena of the first field of each local cell."""
        out = np.zeros(max(1, self.parts[p].cells), dtype=np.int64)  # type: ignore[attr-defined]
        for name, c in self.arena.cells.items():
            n = int(c.cuts[p + 1] - c.cuts[p]) * BLOCK
            i = np.arange(n)
            at = self.arrivals[p][name]
            out[at : at + n] = c.offsets[p] + i // BLOCK * (BLOCK * len(c.layout.fields)) + i % BLOCK
        return out

    def _traces(self, begin: int, steps: int) -> None:
        """Room for the samples of begin + 1 .. begin + steps, and what each part writes into it."""
        n = len(self.parts)
        rows: list[list[tuple[int, ...]]] = [[] for _ in range(n)]
        places: list[list[Ints]] = [[] for _ in range(n)]
        columns: list[list[Ints]] = [[] for _ in range(n)]
        used, self.rooms = 0, []
        for t in self.program.traces:
            samples = (begin + steps) // t.every - begin // t.every
            part, at = self.arena.cells[t.group].positions(np.asarray(t.ids, dtype=np.int64), t.variable)
            for p in range(n):
                mine = np.flatnonzero(part == p)
                low = sum(x.size for x in columns[p])
                rows[p].append((t.every, low, low + mine.size, used, t.ids.size))
                places[p].append(at[mine])
                columns[p].append(mine)
            self.rooms.append((used, samples, t.ids.size))
            used += samples * t.ids.size
        self.values = np.zeros(max(1, used))
        for p, part_ in enumerate(self.parts):
            part_.traces = np.array(rows[p], dtype=np.int64).reshape(-1, 5)  # type: ignore[attr-defined]
            part_.trace_cells = np.concatenate([*places[p], np.zeros(0)]).astype(np.int64)  # type: ignore[attr-defined]
            part_.trace_columns = np.concatenate([*columns[p], np.zeros(0)]).astype(np.int64)  # type: ignore[attr-defined]

    def _arguments(self, p: int, steps: int) -> tuple[Any, ...]:
        x: Any = self.parts[p]
        s, c = self.synapses[p], x.currents
        if not hasattr(x, "hits"):
            x.hits = np.zeros(self.hits, dtype=np.int32)
        return (
            p, len(self.parts), self.now, steps, self.program.dt, self.interval, self.reach, self.ring, self.reserve, self.channels, x.cells,
            x.state, self.sync, self.flags, self.out, self.ends, self.sends, x.slices, x.fields, x.arrivals, self.arena.scalars, x.hits,
            x.spikes, x.position, x.heads, x.tails, np.array(self.plan.delays, dtype=np.int64), self.kinds, s.rows, s.segments, s.targets, s.weights,
            s.lags, x.where, x.drives, self.tables.sources, self.tables.thresholds, self.tables.table, x.amounts, x.u, x.n,
            x.trains.steps, x.trains.ids, x.cursor, x.kept, x.ids, x.stamps, x.traces, x.trace_cells, x.trace_columns, self.values,
            c.rows, c.times, c.amplitudes, c.places, c.columns,
        )  # fmt: skip

    # ---- running

    def run(self, steps: int) -> None:
        """Advance. Ctrl-C is answered when the piece is done, so that nothing is lost; `now` tells where it stands."""
        job = self._launcher.submit(self._advance, int(steps))
        try:
            job.result()
        except KeyboardInterrupt:
            job.result()
            raise

    def _advance(self, steps: int) -> None:
        with self._lock:
            begin, end = self.now, self.now + steps
            self._traces(begin, steps)
            for part in self.parts:
                part.state[3] = begin  # type: ignore[attr-defined]
            while self.now < end:
                status, done = self._together(end - self.now)
                self.now += done
                self._drain()
                if status == GROW:
                    self._grow()
                elif status == OVERFLOW:
                    raise BackendFailed(f"more than {WITHIN_STEP} spikes a cell within one step at {self.now * self.program.dt:g} ms; use a smaller dt")
                assert status in (DONE, DRAIN, GROW)
            for (at, rows, columns), kept in zip(self.rooms, self.samples, strict=True):
                if rows:
                    kept.append(self.values[at : at + rows * columns].reshape(rows, columns))
            self.arena.check(self.now)

    def _together(self, steps: int) -> tuple[int, int]:
        if self._pool is None:
            status, done = self.run_code(*self._arguments(0, steps))
            return int(status), int(done)
        arguments = [self._arguments(p, steps) for p in range(len(self.parts))]
        status, done = [job.result() for job in [self._pool.submit(self.run_code, *a) for a in arguments]][0]
        return int(status), int(done)

    def _drain(self) -> None:
        for x in self.parts:
            n = int(x.state[2])  # type: ignore[attr-defined]
            if n:
                self.chunks.append((x.ids[:n].copy(), x.stamps[:n].copy()))  # type: ignore[attr-defined]
                x.state[2] = 0  # type: ignore[attr-defined]

    def _grow(self) -> None:
        """Double the histories of spikes that are still under way."""
        for x in self.parts:
            old, end = x.spikes, int(x.position[0])  # type: ignore[attr-defined]
            x.spikes = np.zeros(2 * old.size, dtype=np.int32)  # type: ignore[attr-defined]
            i = np.arange(max(0, end - old.size), end)
            x.spikes[i % x.spikes.size] = old[i % old.size]  # type: ignore[attr-defined]

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        with self._lock:
            if group in self.rates:
                self.rates = {**self.rates, group: inputs.with_rate(self.rates[group], values["rate"])}
                self._exchange_limits()
            else:
                self.arena.set(group, values)
            self._prepare()

    def _exchange_limits(self) -> None:
        """A higher rate can need more room for a step's spikes; spikes under way are kept."""
        old = self.out, self.ends
        state = [(x.state, x.spikes, x.position, x.heads, x.tails, x.cursor) for x in self.parts]  # type: ignore[attr-defined]
        sync = self.sync, self.flags
        self._exchange()
        n = min(self.out.shape[2], old[0].shape[2])
        self.out[:, :, :n] = old[0][:, :, :n]
        self.ends, (self.sync, self.flags) = old[1], sync
        for x, (a, b, c, d, e, f) in zip(self.parts, state, strict=True):
            x.state, x.spikes, x.position, x.heads, x.tails, x.cursor = a, b, c, d, e, f  # type: ignore[attr-defined]
            x.hits = np.zeros(self.hits, dtype=np.int32)  # type: ignore[attr-defined]
            room = max(2 * self.reserve, x.ids.size)  # type: ignore[attr-defined]
            x.ids, x.stamps = np.zeros(room, dtype=np.int32), np.zeros(room, dtype=np.int64)  # type: ignore[attr-defined]

    def recorded(self) -> Recorded:
        with self._lock:
            out = Recorded()
            ids = np.concatenate([c[0] for c in self.chunks]) if self.chunks else np.zeros(0, dtype=np.int32)
            stamps = np.concatenate([c[1] for c in self.chunks]) if self.chunks else np.zeros(0, dtype=np.int64)
            self.chunks = [(ids, stamps)]
            for name in self.program.spikes:
                first = self.numbers[name]
                mine = (ids >= first) & (ids < first + self.program.group(name).size)
                out.spikes[name] = (ids[mine].astype(np.int64) - first, stamps[mine])
            for t, kept in zip(self.program.traces, self.samples, strict=True):
                kept[:] = [np.concatenate(kept)]
                out.traces[t.group, t.variable] = (t.ids, np.arange(kept[0].shape[0]) * t.every, kept[0])
            return out

    def close(self) -> None:
        self._launcher.shutdown()
        if self._pool is not None:
            self._pool.shutdown()
        self.parts, self.synapses, self.chunks = [], [], []
