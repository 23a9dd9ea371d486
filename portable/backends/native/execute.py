"""Runs a NativePlan: persistent threads, each in one compiled call for a stretch of many steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends.contract import Facts, HeldConnections, Recorded
from portable.backends.interrupts import held_interrupt
from portable.backends.native import plastic
from portable.backends.native.lower import NativePlan
from portable.backends.native.pace import Pace, placed
from portable.backends.native.parts import WITHIN_STEP, Parts
from portable.backends.native.plastic import Held
from portable.backends.native.tables import DONE, DRAIN, GROW, LEARN, OVERFLOW
from portable.errors import BackendFailed
from portable.resolve.program import CellGroup, Connections, TrainGroup
from portable.units import Floats


class NativeSession:
    """A built network."""

    def __init__(self, plan: NativePlan) -> None:
        self.plan, self.program, self.now = plan, plan.program, 0
        self._lock = threading.RLock()
        self._pool = (
            ThreadPoolExecutor(plan.threads, thread_name_prefix="portable") if plan.threads > 1 else None
        )
        self.parts = Parts(plan)

        self._chunks: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]] = []
        self._samples = [
            [self.parts.arena.read(self.parts.arena.cells[t.group], t.variable)[t.ids][None, :]]
            for t in self.program.traces
        ]
        self._pace = Pace(plan.threads)
        self._begin()

    def _begin(self) -> None:
        """Ready to run: the code is compiled or loaded; no step is run."""
        self.parts.room_for_traces(0, 0)
        self._call(0, 1)

    def run(self, steps: int) -> None:
        """Advance. Ctrl-C stops within a stretch of about 30 ms, between two steps; nothing is lost and `now`
        tells where.
        """
        with self._lock, held_interrupt() as asked:
            begin, end = self.now, self.now + int(steps)
            rooms = self.parts.room_for_traces(begin, int(steps))
            try:
                while self.now < end and not asked:
                    self._stretches(end)
            finally:
                self._fetch()
                for t, room, kept in zip(self.program.traces, rooms, self._samples, strict=True):
                    rows = self.now // t.every - begin // t.every
                    if rows:
                        kept.append(room[:rows])
            self.parts.arena.check(self.now)
        if asked:
            raise KeyboardInterrupt

    def _fetch(self) -> None:
        """Bring states and samples to the host, after steps: here they are."""

    def _stretches(self, end: int) -> None:
        """One compiled call, and what has to happen after it."""
        threads, steps = self._pace.next()
        steps = min(end - self.now, steps)
        began = time.perf_counter()
        status, done = self._call(steps, threads)
        spent = time.perf_counter() - began
        self.now += done
        self._drain()
        if status == DONE:
            self._pace.report(threads, done, spent)
        elif status == GROW:
            self.parts.grow()
        elif status == OVERFLOW:
            raise BackendFailed(
                f"more than {WITHIN_STEP} spikes of a cell within one step at "
                f"{self.now * self.program.dt:g} ms; use a smaller dt"
            )
        assert status in (DONE, DRAIN, GROW)

    def _call(self, steps: int, threads: int) -> tuple[int, int]:
        parts = self.parts
        numbers, addresses, shapes = parts.addressed()
        parts.sync[0], parts.sync[8], parts.sync[9] = 0, parts.arrays[0]["state"][0], parts.sync.ctypes.data
        rest = (
            self.now,
            steps,
            self.plan.interval,
            self.program.dt,
            numbers,
            addresses,
            shapes,
            parts.sync,
            parts.flags,
            addresses.ctypes.data,
            shapes.ctypes.data,
        )
        if threads == 1 or self._pool is None:
            status, done = parts.run(0, parts.count, 1, *rest)
            return int(status), int(done)
        each = parts.count // threads
        jobs = [
            self._pool.submit(placed, t, parts.run, t * each, (t + 1) * each, threads, *rest)
            for t in range(threads)
        ]
        results = [job.result() for job in jobs]
        return int(results[0][0]), int(results[0][1])

    def _drain(self) -> None:
        for a in self.parts.arrays:
            n = int(a["state"][2])
            if n:
                self._chunks.append((a["ids"][:n].copy(), a["stamps"][:n].copy()))
                a["state"][2] = 0

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        with self._lock:
            self.parts.set(group, values, self.now)

    def _settle(self) -> None:
        """Every synapse that learns as it is now."""
        parts = self.parts
        while parts.settle(0, parts.count, self.now, *parts.addressed()) == GROW:
            parts.grow()

    def _learning(self, name: str) -> Iterator[tuple[Mapping[str, Any], Held, Connections]]:
        for a, held in zip(self.parts.arrays, self.parts.held, strict=True):
            for h in held:
                c = self.program.connections[h.block.connections]
                if c.name == name:
                    yield a, h, c

    def synapses(self, name: str, variable: str) -> Floats:
        with self._lock:
            self._settle()
            c = next(c for c in self.program.connections if c.name == name)
            out = np.zeros(c.count)
            for a, held, _ in self._learning(name):
                out[held.index] = plastic.read(a, held, variable, self.now, self.program.dt)
            return out

    def set_synapses(self, name: str, values: Mapping[str, float | Floats]) -> None:
        with self._lock:
            self._settle()
            for a, held, c in self._learning(name):
                for variable, x in values.items():
                    new = np.broadcast_to(np.asarray(x, dtype=np.float64), c.count)[held.index]
                    plastic.write(a, held, variable, new, self.now, self.program.dt)

    def plastic(self, name: str, on: bool) -> None:
        with self._lock:
            self._settle()
            for a, held, _ in self._learning(name):
                plastic.bring(a, held, self.now, self.program.dt)
                a["learning"][held.row, LEARN.on] = int(on)

    def signal(self, name: str, spikes: int) -> None:
        with self._lock:
            self._settle()
            self.parts.hear(
                [h.row for h in self.parts.held[0] if self._named(h) == name], self.now + 1, spikes
            )

    def _named(self, held: Held) -> str:
        return self.program.connections[held.block.connections].name

    def recorded(self) -> Recorded:
        with self._lock:
            out = Recorded()
            ids = np.concatenate([*(c[0] for c in self._chunks), np.zeros(0, dtype=np.int32)])
            stamps = np.concatenate([*(c[1] for c in self._chunks), np.zeros(0, dtype=np.int64)])
            self._chunks = [(ids, stamps)]
            out.spikes = self.plan.placement.spikes("", ids, stamps)
            for t, kept in zip(self.program.traces, self._samples, strict=True):
                kept[:] = [np.concatenate(kept)]
                out.traces[t.group, t.variable] = (t.ids, np.arange(kept[0].shape[0]) * t.every, kept[0])
            return out

    def facts(self) -> Facts:
        """The threads that may work; Poisson trains are the program's own in any case."""
        groups = self.program.groups
        return Facts(
            self.plan.threads,
            {
                g.name: "given" if isinstance(g, TrainGroup) else "frozen"
                for g in groups
                if not isinstance(g, CellGroup)
            },
        )

    def connections(self) -> Iterator[HeldConnections]:
        from portable.backends.native.readback import held_connections

        with self._lock:
            if self.plan.plastic:
                self._settle()
            yield from held_connections(self.parts)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        del self.parts
