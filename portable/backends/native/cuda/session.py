"""Runs a NativePlan on a CUDA device: the arrays of its only part, uploaded once, and one kernel for many
steps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numba import cuda

from portable.backends import compiled
from portable.backends.native.cuda import simulated
from portable.backends.native.cuda.code import ARRAYS, source
from portable.backends.native.execute import NativeSession
from portable.backends.native.layout import Layout
from portable.backends.native.lower import NativePlan
from portable.backends.native.parts import power_of_two
from portable.backends.native.tables import DONE
from portable.resolve.program import CellGroup, Ints, PoissonGroup, TrainGroup
from portable.units import Floats

THREADS = 64  # of a block
BLOCKS_EACH = 8  # on each multiprocessor, at most: all of the grid must be there at once
FEW = 8  # threads of the simulator, which has one of Python's for each
HERE = Path(__file__).parent
# One module: in the simulator a function of another would not know which thread it runs in.
TEXT = (HERE / "deliver.py").read_text(encoding="utf-8")
ROOM = 1 << 24  # recorded spikes of one call, unless one step may have more
STRETCH = 0.05  # seconds of a call, between two of which Ctrl-C is seen
FIRST, MOST = 64, 1 << 16  # steps of the first call, and of any


class CudaSession(NativeSession):
    """A network on a device. Where the CPU's session has lists of threads, this has spikes by stamp: shape
    (window, most spikes of a step), whose they are, and how many."""

    def __init__(self, plan: NativePlan) -> None:
        self.cuda: Any = cuda
        super().__init__(plan)

    def _begin(self) -> None:
        parts = self.parts
        self._steps = FIRST
        self._host: dict[str, Any] = {}
        self._there: dict[str, Any] = {}
        sending = [parts.most(g, 0) for g in self.program.groups if g.name in parts.bases]
        window = power_of_two(parts.reach + 2)
        self._spikes = self.cuda.to_device(np.zeros((window, max(1, sum(sending))), dtype=np.int32))
        self._counts = self.cuda.to_device(np.zeros(window, dtype=np.int32))
        parts.room_for_traces(0, 0)
        self._prepare()

    # ---- between host and device

    def _upload(self) -> None:
        """What the host has anew."""
        now = dict(self.parts.arrays[0])
        now["drives"] = self._drives()
        for name in ARRAYS:
            if self._host.get(name) is not now[name]:
                self._host[name] = now[name]
                self._there[name] = self.cuda.to_device(now[name])

    def _prepare(self) -> None:
        """What depends on layouts and values: the kernel, and the arrays."""
        slices: list[Layout | str] = []
        for g in self.program.groups:
            if isinstance(g, CellGroup):
                slices.append(self.parts.arena.cells[g.name].layout)
            else:
                slices.append("poisson" if isinstance(g, PoissonGroup) else "trains")
        text = source(slices, frozenset(self._drives()[:, 6].tolist()))
        self._kernel: Any = compiled.load(TEXT + text).run
        self._grid: int | None = None  # blocks, when the kernel is compiled
        self._upload()

    def _drives(self) -> Ints:
        """The rows of drives, and the slice of each."""
        past = [n.split("@")[0] for n in self.parts.past]
        number = {g.name: s for s, g in enumerate(self.program.groups)}
        of = []
        for i in self.plan.drives:
            c = self.program.connections[i]
            of += [number[c.post]] * (1 + past.count(c.pre))  # a changed rate has a row of its own
        rows = self.parts.arrays[0]["drives"]
        return np.hstack([rows, np.array(of, dtype=np.int64).reshape(-1, 1)])

    def _fetch(self) -> None:
        """States and samples, to where the host keeps them."""
        a = self.parts.arrays[0]
        self._there["F"].copy_to_host(a["F"])
        if a["values"] is self._host["values"]:
            self._there["values"].copy_to_host(a["values"])

    # ---- steps

    def _stretches(self, end: int) -> None:
        a, reserve = self.parts.arrays[0], max(1, self.parts.most_recorded)
        if a["values"] is not self._host["values"]:
            self._upload()
        steps = min(end - self.now, self._steps, max(1, ROOM // reserve))
        began = time.perf_counter()
        status, done = self._call(steps, 1)
        assert status == DONE
        self.now += done
        if time.perf_counter() - began < STRETCH:
            self._steps = min(2 * self._steps, MOST)

    def _call(self, steps: int, threads: int) -> tuple[int, int]:  # noqa: ARG002
        room = max(1, self.parts.most_recorded) * steps
        ids, stamps = (self.cuda.device_array(room, dtype=t) for t in (np.int32, np.int64))
        many = self.cuda.to_device(np.zeros(1, dtype=np.int64))
        own = (self._spikes, self._counts, self.cuda.to_device(self._train_at(steps)), ids, stamps, many)
        begin = int(self.parts.arrays[0]["state"][3])
        present = (*(self._there[n] for n in ARRAYS), *own)
        cells, dt = self.parts.cells[0], self.program.dt
        self._launch(*present, self.now, steps, begin, cells, dt)
        n = int(many.copy_to_host()[0])
        if n:
            found = ids[:n].copy_to_host(), stamps[:n].copy_to_host()
            order = np.lexsort(found)
            self._chunks.append((found[0][order], found[1][order]))
        return DONE, steps

    def _launch(self, *arguments: Any) -> None:
        if simulated():  # which has cooperative grids of one block
            self._kernel[1, FEW](*arguments)
            return
        if self._grid is None:
            self._kernel = self._kernel.specialize(*arguments)
            (made,) = self._kernel.overloads.values()
            processors = int(self.cuda.get_current_device().MULTIPROCESSOR_COUNT)
            self._grid = min(int(made.max_cooperative_grid_blocks(THREADS)), BLOCKS_EACH * processors)
        self._kernel[self._grid, THREADS](*arguments)

    def _train_at(self, steps: int) -> Ints:
        """Shape (slices, steps + 1): where the spikes of each step begin among the given ones."""
        groups = self.program.groups
        out = np.zeros((max(1, len(groups)), steps + 1), dtype=np.int64)
        for s, g in enumerate(groups):
            if isinstance(g, TrainGroup):
                low, high = self.parts.trains[0].place[g.name]
                stamps = self.parts.arrays[0]["train_steps"][low:high]
                out[s] = low + np.searchsorted(stamps, self.now + 1 + np.arange(steps + 1))
        return out

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        with self._lock:
            self._fetch()
            super().set(group, values)
            self._prepare()
