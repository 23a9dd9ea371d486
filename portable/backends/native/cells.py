"""The cells of a session: present parameters, layouts, and the parts' arenas of state. Parts own disjoint
blocks of every group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends.native import events
from portable.backends.native.events import Powers, Watched
from portable.backends.native.layout import BLOCK, CURRENT, LEFT, Layout, arrange
from portable.backends.native.lower import EVENTS, FEW_CELLS, CellPlan, NativePlan
from portable.dynamics.methods import exploded
from portable.dynamics.steps import SIZE
from portable.errors import BackendFailed
from portable.resolve.program import CellGroup, Ints, PerCell, Program
from portable.units import Floats

LINE = 64  # bytes of a cache line


def blocks(size: int) -> int:
    return -(-size // BLOCK)


def bounds(size: int, parts: int) -> Ints:
    """First block of each part, and the number of blocks at the end."""
    return np.array([blocks(size) * p // parts for p in range(parts + 1)], dtype=np.int64)


def aligned(size: int, dtype: Any = np.float64) -> npt.NDArray[Any]:
    """Zeros that begin at a cache line: 64 bytes that the processor takes at once are then in one line."""
    item = np.dtype(dtype).itemsize
    room = np.zeros(size * item + LINE, dtype=np.uint8)
    first = -room.ctypes.data % LINE
    return room[first : first + size * item].view(dtype)


@dataclass
class ArenaCells:
    """One group: `states` are full-length arrays, up to date only between `collect` and `pack`."""

    plan: CellPlan
    group: CellGroup
    layout: Layout
    values: dict[str, PerCell]
    states: dict[str, Floats]
    cuts: Ints
    offsets: list[int]  # in each part's arena
    scalars: int = 0  # place in the table of scalars
    powers: Powers | None = None  # where its cells sleep (events.py)

    def positions(self, ids: Ints, field: str) -> tuple[Ints, Ints]:
        """(part, place in that part's arena) of a field of cells."""
        block, lane = ids // BLOCK, ids % BLOCK
        part = np.searchsorted(self.cuts, block, "right") - 1
        width = len(self.layout.fields) * BLOCK
        start = np.array(self.offsets, dtype=np.int64)[part]
        return part, start + (block - self.cuts[part]) * width + self.layout.fields.index(
            field
        ) * BLOCK + lane


def arranged(
    plan: NativePlan, cell: CellPlan, group: CellGroup
) -> tuple[Layout, dict[str, PerCell], Watched | str]:
    """The layout of a group with its present parameters, its numbers, and what decides whether its cells may
    sleep; else why they are updated by the clock.
    """
    program = plan.program
    few = group.size <= FEW_CELLS and plan.delivery != EVENTS
    injected = few or any(c.group == group.name for c in program.currents)
    layout, values = arrange(cell, group, program.dt, injected, *_coupled(program, group))
    if plan.delivery != EVENTS:
        return layout, values, "so are all cells"
    if any(plan.program.connections[i].post == group.name for i in plan.plastic):
        return layout, values, "connections that learn reach it"
    if any(program.connections[i].post == group.name for i in plan.drives):
        return layout, values, "Poisson spikes may arrive at every step"
    if any(group.name in (c.source, c.target) for c in program.links):
        return layout, values, "links read or feed it"
    what = events.watched(layout, values)
    return layout if isinstance(what, str) else replace(layout, watched=what.state), values, what


def described(plan: NativePlan) -> dict[str, str]:
    """How each group of an event-driven plan is integrated, in words."""
    out = {}
    for cell, group in zip(plan.cells, plan.program.cells, strict=True):
        what = arranged(plan, cell, group)[2]
        more = f"by the clock: {what}" if isinstance(what, str) else "from event to event"
        out[group.name] = f"{cell.method.described}, {more}"
    return out


def _coupled(program: Program, group: CellGroup) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The inputs that links feed, in the order of the type, and the variables that they read and that are no
    states.
    """
    links, flat = program.links, group.flat
    fed = {c.input for c in links if c.target == group.name}
    read = dict.fromkeys(
        c.variable for c in links if c.source == group.name and c.variable not in flat.state_names
    )
    return tuple(n for n in flat.inputs if n in fed), tuple(read)


class Arena:
    """All cells of a session, in `parts` float64 arenas, and the scalars of all groups in one table."""

    def __init__(self, plan: NativePlan, parts: int) -> None:
        self.plan, self.program = plan, plan.program
        self.parts = parts
        self.cells: dict[str, ArenaCells] = {}
        for cell, group in zip(plan.cells, plan.program.cells, strict=True):
            layout, values, made = self._arranged(cell, group)
            states = {s: _full(group.initial[s], group.size) for s in group.flat.state_names}
            self.cells[group.name] = ArenaCells(
                cell, group, layout, values, states, bounds(group.size, parts), [], powers=made
            )
        self.pack()

    def _arranged(self, cell: CellPlan, group: CellGroup) -> tuple[Layout, dict[str, PerCell], Powers | None]:
        """The layout of a group, its numbers, and the powers of its step where its cells sleep."""
        layout, values, what = arranged(self.plan, cell, group)
        if isinstance(what, str):
            return layout, values, None
        return layout, values, events.powers(layout, values, what)

    def pack(self) -> None:
        """Lay out every group anew from its states and values."""
        sizes = [0] * self.parts
        scalars: list[float] = []
        for c in self.cells.values():
            c.offsets = list(sizes)
            c.scalars = len(scalars)
            scalars += [float(c.values[n]) for n in c.layout.scalars]
            for p in range(self.parts):
                sizes[p] += int(c.cuts[p + 1] - c.cuts[p]) * BLOCK * len(c.layout.fields)
        self.scalars = np.array(scalars or [0.0])
        self.fields = [aligned(n) for n in sizes]
        for c in self.cells.values():
            default = {LEFT: 0.0, SIZE: self.program.dt, CURRENT: 0.0}
            for name in c.layout.fields:
                value = c.states.get(name, c.values.get(name, default.get(name, 0.0)))
                self._write(c, name, _full(value, c.group.size))

    def _views(self, c: ArenaCells, p: int) -> Floats:
        n, width = int(c.cuts[p + 1] - c.cuts[p]), len(c.layout.fields)
        return self.fields[p][c.offsets[p] : c.offsets[p] + n * width * BLOCK].reshape(n, width, BLOCK)

    def _write(self, c: ArenaCells, field: str, value: Floats) -> None:
        for p in range(self.parts):
            ids = np.minimum(
                np.arange(c.cuts[p] * BLOCK, c.cuts[p + 1] * BLOCK), c.group.size - 1
            )  # the last cell fills its block
            self._views(c, p)[:, c.layout.fields.index(field), :] = value[ids].reshape(-1, BLOCK)

    def read(self, c: ArenaCells, field: str) -> Floats:
        """A field of all cells of a group."""
        j = c.layout.fields.index(field)
        return np.concatenate([self._views(c, p)[:, j, :].ravel() for p in range(self.parts)])[: c.group.size]

    def set(self, name: str, values: Mapping[str, PerCell]) -> bool:
        """Change parameters of a group. True if its layout changed, so that other code is needed."""
        c = self.cells[name]
        group = replace(c.group, parameters={**c.group.parameters, **values})
        layout, numbers, powers = self._arranged(c.plan, group)
        same = layout == c.layout
        for other in self.cells.values():
            other.states = {
                f: self.read(other, f)
                for f in other.layout.fields
                if f in other.group.flat.state_names or f in (LEFT, SIZE, CURRENT)
            }
        c.group, c.layout, c.values, c.powers = group, layout, numbers, powers
        self.pack()
        return not same

    def settle(self, name: str, p: int, steps: Ints) -> None:
        """Move a group's cells of part p, which sleep, on by so many steps each. Shape (blocks * BLOCK,)."""
        c = self.cells[name]
        assert c.powers is not None
        views = self._views(c, p)
        of = {s: views[:, c.layout.fields.index(s), :] for s in c.powers.states}
        for s, values in c.powers.settle({s: v.ravel() for s, v in of.items()}, steps).items():
            of[s][:] = values.reshape(-1, BLOCK)

    def check(self, step: int) -> None:
        """BackendFailed if any state has exploded."""
        finite = all(np.isfinite(f.sum()) for f in self.fields)
        for name, c in self.cells.items():
            method = c.plan.method
            for state in () if finite and method.name == "exact" else c.group.flat.state_names:
                values, t = self.read(c, state), step * self.program.dt
                if problem := exploded(c.group.flat, method, state, values, t):
                    raise BackendFailed(f"population '{name}': {problem}")


def _full(value: PerCell, size: int) -> Floats:
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), size))
