"""Sources of spikes and of current as the tables that kernels.py reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends.native.cells import Arena, bounds
from portable.backends.native.kernels import THRESHOLDS
from portable.backends.native.layout import BLOCK, CURRENT
from portable.backends.native.lower import NativePlan
from portable.resolve import poisson
from portable.resolve.program import Current, Ints, PoissonGroup, TrainGroup
from portable.units import Floats

FOREVER = 2**62
NEVER = np.uint32(0xFFFFFFFF)  # no 32-bit number is greater
Rates = Mapping[str, PoissonGroup]


class PoissonTables:
    """Thresholds of all groups. sources (n, 6) int64: key, start, stop, size, place in `table`, whether all
    rates are equal; table (m, 3): low and high in `thresholds` and the count that is certain. `most` is the
    largest count a source can have."""

    def __init__(self, groups: Rates, dt: float) -> None:
        sources: list[tuple[int, ...]] = []
        table: list[list[tuple[int, int, int]]] = []
        numbers: list[npt.NDArray[np.uint32]] = []
        self.row = {name: i for i, name in enumerate(groups)}
        self.most: dict[str, int] = {}
        used = 0
        for name, g in groups.items():
            tab = poisson.table(g, dt)
            # A rate of 0 has no thresholds, so that its offset is another rate's, too.
            low, which = np.unique(np.stack([tab.offset, tab.length], axis=1), axis=0, return_inverse=True)
            rows = []
            for at, length in low:
                part = tab.thresholds[at : at + length]
                certain = int(np.count_nonzero(part == 0))
                below = part[certain:] - np.uint32(1)  # u >= t is u > t - 1
                padded = np.full(-(-below.size // THRESHOLDS) * THRESHOLDS, NEVER, dtype=np.uint32)
                padded[: below.size] = below
                rows.append((used, used + padded.size, certain))
                numbers.append(padded)
                used += padded.size
            self.most[name] = int(tab.length.max())
            key = int(np.uint64(g.key).view(np.int64))
            sources.append(
                (
                    key,
                    g.start,
                    FOREVER if g.stop is None else g.stop,
                    g.size if len(low) > 1 else 1,
                    sum(len(t) for t in table),
                    int(len(low) == 1),
                )
            )
            table.append([rows[w] for w in which.reshape(-1)] if len(low) > 1 else rows)
        self.sources = np.array(sources or np.zeros((0, 6)), dtype=np.int64).reshape(-1, 6)
        self.table = np.array([r for t in table for r in t] or [(0, 0, 0)], dtype=np.int64)
        self.thresholds = np.concatenate([*numbers, np.zeros(0, dtype=np.uint32)]).astype(np.uint32)


def poisson_groups(plan: NativePlan) -> dict[str, PoissonGroup]:
    return {g.name: g for g in plan.program.groups if isinstance(g, PoissonGroup)}


def with_rate(group: PoissonGroup, rate: Any, now: int) -> tuple[PoissonGroup, PoissonGroup]:
    """The group as it was up to stamp `now`, whose spikes may still be under way, and as it is from the next
    stamp on.
    """
    stop = now if group.stop is None else min(now, group.stop)
    return replace(group, stop=stop), replace(group, rate=rate, start=max(now, group.start))


def drive_rows(
    plan: NativePlan,
    tables: PoissonTables,
    past: Sequence[str],
    arena: Arena,
    p: int,
    arrivals: Mapping[str, int],
    cells: int,
) -> tuple[Ints, Floats]:
    """Rows of kernels.drive for part p, and the weights they read. arrivals: place of each group's first cell
    in a buffer of `cells`; past: names in `tables` of groups as they were before their rate was changed."""
    rows, amounts, used = [], [], 0
    for i in plan.drives:
        c = plan.program.connections[i]
        target = arena.cells[c.post]
        low, high = int(target.cuts[p]), int(target.cuts[p + 1])
        if isinstance(c.weights, np.ndarray):
            each = c.weights.astype(np.float64)[
                np.minimum(np.arange(low * BLOCK, high * BLOCK), target.group.size - 1)
            ]
        else:
            each = np.array([c.weights], dtype=np.float64)
        single = not isinstance(c.weights, np.ndarray)
        place = target.plan.ports[c.port] * cells + arrivals[c.post]
        for name in (c.pre, *(n for n in past if n.split("@")[0] == c.pre)):
            rows.append(
                (
                    tables.row[name],
                    c.delay_range()[0],
                    place,
                    low * BLOCK,
                    high - low,
                    -1 - used if single else used,
                )
            )
        amounts.append(each)
        used += each.size
    return np.array(rows, dtype=np.int64).reshape(-1, 6), np.concatenate([*amounts, np.zeros(1)])


class PartTrains:
    """Given trains of one part: ids (int32, relative to its first source) and steps, sorted by (group, step,
    id).
    """

    def __init__(self, plan: NativePlan, parts: int, p: int) -> None:
        self.place: dict[str, tuple[int, int]] = {}
        self.most: dict[str, int] = {}
        ids, steps, used = [], [], 0
        for g in plan.program.groups:
            if isinstance(g, TrainGroup):
                cuts = np.minimum(bounds(g.size, parts) * BLOCK, g.size)
                first, last = int(cuts[p]), int(cuts[p + 1])
                s = g.steps[g.indptr[first] : g.indptr[last]]
                i = np.repeat(np.arange(last - first), np.diff(g.indptr[first : last + 1]))
                order = np.lexsort((i, s))
                ids.append(i[order])
                steps.append(s[order])
                self.place[g.name] = (used, used + s.size)
                self.most[g.name] = int(np.unique(s, return_counts=True)[1].max(initial=0))
                used += s.size
        self.ids = np.concatenate([*ids, np.zeros(0)]).astype(np.int32)
        self.steps = np.concatenate([*steps, np.zeros(0)]).astype(np.int64)


class Currents:
    """Injected currents of one part, as kernels.inject reads them."""

    def __init__(self, currents: tuple[Current, ...], arena: Arena, p: int) -> None:
        rows: list[tuple[int, ...]] = []
        times: list[Ints] = []
        amounts: list[Floats] = []
        places: list[Ints] = []
        columns: list[npt.NDArray[Any]] = []
        t = a = n = 0
        for number, name in enumerate(dict.fromkeys(c.group for c in currents)):
            for c in (c for c in currents if c.group == name):
                cells = arena.cells[name]
                if not cells.layout.injected:
                    continue
                part, at = cells.positions(np.asarray(c.ids, dtype=np.int64), CURRENT)
                mine = np.flatnonzero(part == p)
                shared = c.amplitude.shape[0] == 1
                rows.append(
                    (number, t, t + c.steps.size, a, 0 if shared else c.steps.size, n, n + mine.size, 0)
                )
                times.append(c.steps)
                amounts.append(c.amplitude.ravel())
                places.append(at[mine])
                columns.append(mine)
                t, a, n = t + c.steps.size, a + c.amplitude.size, n + mine.size
        self.rows = np.array(rows, dtype=np.int64).reshape(-1, 8)
        self.times = np.concatenate([*times, np.zeros(0)]).astype(np.int64)
        self.amplitudes = np.concatenate([*amounts, np.zeros(0)]).astype(np.float64)
        self.places = np.concatenate([*places, np.zeros(0)]).astype(np.int64)
        self.columns = np.concatenate([*columns, np.zeros(0)]).astype(np.int64)
