"""The arrays of all parts: what tables.ARRAYS names, filled from the plan. A part is what one thread owns (or
several, one after another).

Every group's blocks of 64 cells are dealt to the parts in order, so that a part's cells fit 16-bit numbers
and the order of spikes (step, group, cell) does not depend on how many parts there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portable.backends.native import code, links, plastic, sources, synapses
from portable.backends.native.cells import Arena, aligned, bounds
from portable.backends.native.layout import BLOCK
from portable.backends.native.lower import CPU, RING, NativePlan
from portable.backends.native.tables import (
    ALONE,
    ARRAYS,
    CELLS,
    KIND,
    LEARN,
    PART,
    POISSON,
    ROOM,
    SLEEPING,
    SLICE,
    SYNAPSES,
    TRAINS,
    Part,
)
from portable.resolve.program import CellGroup, Ints, PoissonGroup
from portable.units import Floats

# spikes of one cell in one step, at most; only rkf45 with spikes inside the step can have more than one
WITHIN_STEP = 8
MOST_CELLS = 65536  # of a part, so that targets are 16-bit numbers
SMALL = 1 << 14  # first size of lists that grow

Arrays = dict[str, Any]


def power_of_two(n: int) -> int:
    return 1 << max(0, n - 1).bit_length()


def parts_for(plan: NativePlan) -> int:
    """A multiple of the number of threads; one where there are links, which reach any cell, and on a
    device."""
    if plan.program.links or plan.device != CPU:
        return 1
    cells = sum(-(-g.size // BLOCK) * BLOCK for g in plan.program.cells)
    return plan.threads * max(1, -(-cells // (MOST_CELLS * plan.threads)))


def _name(block: plastic.Block) -> str:
    """Of a block, among the names of groups of cells."""
    return f"{block.connections}/{block.axonal}"


class Parts:
    """`arrays[p]` by the names of tables.ARRAYS; `run` is the loop."""

    def __init__(self, plan: NativePlan) -> None:
        self.plan, self.program, self.count = plan, plan.program, parts_for(plan)
        self.arrays: list[Arrays] = [{} for _ in range(self.count)]
        self.arena = Arena(plan, self.count)
        self._addressed = (
            np.zeros((self.count, len(PART)), dtype=np.int64),
            np.zeros((self.count, len(ARRAYS)), dtype=np.int64),
            np.zeros((self.count, len(ARRAYS), 4), dtype=np.int64),
        )
        self._known: list[list[Any]] = [[None] * len(ARRAYS) for _ in self.arrays]
        self.rates = sources.poisson_groups(plan)
        self.past: dict[str, PoissonGroup] = {}  # "name@stamp": before a change of rate
        self._number()
        self._connect()
        self._exchange()
        self._record()
        self.prepare()

    def cuts(self, size: int) -> Ints:
        """First cell of each part, and the size at the end."""
        return np.minimum(bounds(size, self.count) * BLOCK, size)

    def _number(self) -> None:
        """First source number of each group that sends through connections."""
        sending = {
            c.pre
            for i, c in enumerate(self.program.connections)
            if self.plan.connections[i] is not None or i in self.plan.plastic
        }
        sending |= {c.learning.signal for c in self.program.connections if c.learning and c.learning.signal}
        self.bases: dict[str, int] = {}
        self.sources = 0
        for g in self.program.groups:
            if g.name in sending:
                self.bases[g.name] = self.sources
                self.sources += g.size

    def _connect(self) -> None:
        places: dict[str, tuple[Any, Any]] = {}
        starts = np.zeros(self.count, dtype=np.int64)
        self.arrivals: list[dict[str, int]] = [
            {} for _ in self.arrays
        ]  # place of a group's first cell among the part's
        for name, c in self.arena.cells.items():
            ids = np.arange(c.group.size)
            part = np.searchsorted(c.cuts, ids // BLOCK, "right") - 1
            places[name] = (
                part.astype(np.uint16),
                (starts[part] + ids - c.cuts[part] * BLOCK).astype(np.uint32),
            )
            for p in range(self.count):
                self.arrivals[p][name] = int(starts[p])
            starts += np.diff(c.cuts) * BLOCK
        self.places, self.cells = places, [int(n) for n in starts]
        self.synapses = synapses.build(
            self.plan, self.bases, self.sources, places, self.count, self.plan.threads
        )
        self.channels = max([1, *(len(c.plan.channels) for c in self.arena.cells.values())])
        self.reach = self.plan.reach
        ringing = self.plan.delivery == RING or bool(self.plan.plastic)
        self.ring = power_of_two(self.reach + 1) - 1 if ringing else 0
        short = max(self.cells, default=0) <= MOST_CELLS
        self.blocks = plastic.blocks(self.plan, short)
        self.held: list[list[plastic.Held]] = []
        for p, a in enumerate(self.arrays):
            s = self.synapses[p]
            a.update(
                rows=s.rows,
                segments=s.segments,
                targets=s.targets,
                weights=s.weights,
                equal=s.equal,
                lags=s.lags,
            )
            a.update(self._sleep(p, 0))
            learning, held = plastic.part(self.plan, self.blocks, p, self._where_learning(p))
            a.update(learning)
            self.held.append(held)
            a["A"] = aligned(self.cells[p] * self.channels * (self.ring + 1))
            a["delays"] = np.array(self.plan.delays, dtype=np.int64)

    def _where_learning(self, p: int) -> plastic.Where:
        cells = self.arena.cells
        return plastic.Where(
            self.bases,
            self.places,
            self.arrivals[p],
            {name: int(c.cuts[p + 1] - c.cuts[p]) * BLOCK for name, c in cells.items()},
            self.cells[p],
            lambda c: cells[c.post].plan.ports[c.port],
        )

    def _sleep(self, p: int, now: int) -> Arrays:
        """Who is awake, and for each cell the step at which it was up to date and whether it is kept awake:
        those whose states are recorded. All are awake, and up to date at step `now`.
        """
        sleepers = [name for name, c in self.arena.cells.items() if c.powers is not None]
        n = self.cells[p] if sleepers else 0
        since = np.zeros((n, 2), dtype=np.int64)
        since[:, 0] = now
        awake = np.zeros(n + 1, dtype=np.int32)
        for name in sleepers:
            mine = self._local(name, p)
            awake[awake[0] + 1 : awake[0] + 1 + mine.size] = mine
            awake[0] += mine.size
        for t in self.program.traces if n else ():
            part, place = self.places[t.group]
            since[place[t.ids][part[t.ids] == p], 1] = 1
        return {
            "awake": awake,
            "since": since,
            "todo": np.zeros(n, dtype=np.int32),
            "mark": np.zeros(n, dtype=np.int64),
        }

    def _local(self, name: str, p: int) -> Ints:
        """The numbers among part p's cells of a group's cells."""
        return (
            np.arange(int(np.diff(self.cuts(self.arena.cells[name].group.size))[p])) + self.arrivals[p][name]
        )

    def _settle(self, now: int) -> None:
        """Bring all cells to step `now`."""
        for name, c in self.arena.cells.items():
            for p in range(self.count if c.powers else 0):
                own = self._local(name, p)
                steps = np.zeros(int(c.cuts[p + 1] - c.cuts[p]) * BLOCK, dtype=np.int64)
                steps[: own.size] = now - self.arrays[p]["since"][own, 0]  # what fills the last block stays
                self.arena.settle(name, p, steps)

    def _exchange(self) -> None:
        """Histories of spikes under way and the lists that parts exchange."""
        self._tables()
        self.trains = [sources.PartTrains(self.plan, self.count, p) for p in range(self.count)]
        window = power_of_two(self.reach + self.plan.interval + 2)
        self.flags, self.sync = np.zeros((2, self.count), dtype=np.int64), np.zeros(16, dtype=np.int64)
        ends = np.zeros((self.count, 2, self.plan.interval, max(1, len(self.program.groups))), dtype=np.int64)
        sends = np.array([int(g.name in self.bases) for g in self.program.groups] or [0], dtype=np.int64)
        for p, a in enumerate(self.arrays):
            a.update(
                state=np.zeros(8, dtype=np.int64),
                position=np.zeros(8, dtype=np.int64),
                spikes=np.zeros(SMALL, dtype=np.int32),
                heads=np.zeros(window, dtype=np.int64),
                tails=np.zeros(window, dtype=np.int64),
                u=aligned(64, np.uint32),
                n=aligned(64, np.int32),
                flags=self.flags,
                ends=ends,
                sends=sends,
                train_steps=self.trains[p].steps,
                train_ids=self.trains[p].ids,
                cursor=np.zeros(len(self.program.groups) + 1, dtype=np.int64),
                ids=np.zeros(0, dtype=np.int32),
                stamps=np.zeros(0, dtype=np.int64),
                out=np.zeros((self.count, 2, 0), dtype=np.int32),
            )
        self._make_room()

    def _tables(self) -> None:
        self.tables = sources.PoissonTables({**self.rates, **self.past}, self.program.dt)

    def _make_room(self) -> None:
        """Lists of spikes long enough for the most that can happen between two exchanges."""
        out = kept = hits = 1
        for p in range(self.count):
            most = {g.name: self.most(g, p) for g in self.program.groups}
            hits = max(hits, *most.values(), 1)
            out = max(out, sum(most[n] for n in self.bases))
            kept = max(kept, sum(most[n] for n in self.program.spikes))
        self.most_recorded, self.reserve = kept, kept * self.plan.interval
        old = self.arrays[0]["out"]
        new = np.zeros((self.count, 2, max(out * self.plan.interval, old.shape[2])), dtype=np.int32)
        new[:, :, : old.shape[2]] = old
        room = max(2 * self.reserve, SMALL) if self.program.spikes else 1
        for a in self.arrays:
            a["out"], a["hits"] = new, np.zeros(hits, dtype=np.int32)
            if a["ids"].size < room:
                a["ids"], a["stamps"] = np.zeros(room, dtype=np.int32), np.zeros(room, dtype=np.int64)

    def most(self, g: Any, p: int) -> int:
        """Spikes of a group's slice in one step, at most."""
        size = int(np.diff(self.cuts(g.size))[p])
        if isinstance(g, CellGroup):
            return size * (WITHIN_STEP if self.arena.cells[g.name].layout.method.within_step else 1)
        return size * self.tables.most[g.name] if isinstance(g, PoissonGroup) else self.trains[p].most[g.name]

    def _record(self) -> None:
        self.kept_at: list[dict[str, int]] = []
        for p, a in enumerate(self.arrays):
            masks, at, used = [], {}, 0
            for g in self.program.groups:
                if g.name in self.program.spikes:
                    chosen = np.zeros(g.size, dtype=np.bool_)
                    chosen[self.program.spikes[g.name]] = True
                    cuts = self.cuts(g.size)
                    masks.append(chosen[cuts[p] : cuts[p + 1]])
                    at[g.name] = used
                    used += masks[-1].size
            self.kept_at.append(at)
            a["kept"] = np.concatenate([*masks, np.zeros(1, dtype=np.bool_)])

    def prepare(self) -> None:
        """What depends on layouts, values and rates; compiles or loads the code."""
        self._tabulate()
        if self.plan.device != CPU:
            return
        deliver = code.delivery({name: self.arrays[0][name].dtype.name for name in SYNAPSES}, self._ways())
        forms = {_name(b): b.form for b in self.blocks}
        layouts = {name: c.layout for name, c in self.arena.cells.items()}
        addresses = self.codes.addresses(layouts, deliver, forms)
        for a in self.arrays:
            a["codes"] = addresses
        loop = code.loop()
        self.run, self.settle, self.say = loop.run, loop.settle, loop.say

    def _ways(self) -> tuple[str, ...]:
        """The functions of delivery.py that the loop will call."""
        if not self.plan.kinds:
            return ()
        first = "ahead_of_time" if self.plan.delivery == RING else "as_due"
        return (first, "one_by_one") if any(k.channel < 0 for k in self.plan.kinds) else (first,)

    def _tabulate(self) -> None:
        """What depends on layouts, values and rates."""
        self.codes = code.Codes()
        rows = []
        for i, kind in enumerate(self.plan.kinds):
            alone = kind.channel < 0
            handler = self.codes.number(kind.group, f"arrive_{kind.port}") if alone else 0
            scalars = self.arena.cells[kind.group].scalars if alone else 0
            rows.append((kind.channel, -1 if self.plan.weights else i, scalars, handler))
        alone = any(kind.channel < 0 for kind in self.plan.kinds)
        sleeping = [c.powers.numbers for c in self.arena.cells.values() if c.powers is not None]
        powers = np.concatenate([*sleeping, np.zeros(0)])
        coupled = links.tables(self.program, self.arena, lambda g, v: self.codes.number(g, f"read_{v}"))
        for row, block in enumerate(self.blocks):
            for function in block.form.functions:
                number = self.codes.number(_name(block), function)
                for a in self.arrays:
                    a["learning"][row, getattr(LEARN, function)] = number
        for p, a in enumerate(self.arrays):
            currents = sources.Currents(self.program.currents, self.arena, p)
            a["drives"], a["amounts"] = sources.drive_rows(
                self.plan, self.tables, list(self.past), self.arena, p, self.arrivals[p], self.cells[p]
            )
            a.update(
                F=self.arena.fields[p],
                C=self.arena.scalars,
                edges=np.zeros((ROOM + len(rows), 3), dtype=np.int64),
                kinds=np.array(rows, dtype=np.int64).reshape(-1, len(KIND)),
                S=self._slices(p),
                sources=self.tables.sources,
                thresholds=self.tables.thresholds,
                table=self.tables.table,
                currents=currents.rows,
                times=currents.times,
                amplitudes=currents.amplitudes,
                places=currents.places,
                columns=currents.columns,
                powers=powers,
                where=self._where(p) if alone else np.zeros(0, dtype=np.int64),
                **coupled,
            )

    def _slices(self, p: int) -> Ints:
        rows = []
        used = 0  # numbers of groups whose cells sleep
        for g in self.program.groups:
            what: tuple[int, ...]
            calls = 0, 0, 0
            cuts = bounds(g.size, self.count)
            valid = int(np.diff(self.cuts(g.size))[p])
            if isinstance(g, CellGroup):
                c = self.arena.cells[g.name]
                second = "visit" if c.powers else "conditions" if c.layout.general else ""
                calls = (
                    self.codes.number(g.name, "update"),
                    self.codes.number(g.name, second) if second else 0,
                    used,
                )
                used += c.powers.numbers.size if c.powers else 0
                what = (
                    SLEEPING if c.powers else ALONE if c.layout.general else CELLS,
                    c.offsets[p],
                    int(cuts[p + 1] - cuts[p]),
                    self.arrivals[p][g.name],
                    c.scalars,
                )
            elif isinstance(g, PoissonGroup):
                what = (POISSON, self.tables.row[g.name], 0, 0, 0)
                valid *= (
                    g.name in self.bases or g.name in self.program.spikes
                )  # others are only drawn where they arrive
            else:
                what = (TRAINS, *self.trains[p].place[g.name], 0, 0)
            rows.append(
                (
                    *what,
                    int(cuts[p]) * BLOCK,
                    self.bases.get(g.name, -1),
                    self.kept_at[p].get(g.name, -1),
                    self.plan.placement[g.name].first,
                    valid,
                    *calls,
                )
            )
        return np.array(rows, dtype=np.int64).reshape(-1, len(SLICE))

    def _where(self, p: int) -> Ints:
        """Place in the part's arena of the first field of each of its cells."""
        out = np.zeros(max(1, self.cells[p]), dtype=np.int64)
        for name, c in self.arena.cells.items():
            i = np.arange(int(c.cuts[p + 1] - c.cuts[p]) * BLOCK)
            at = self.arrivals[p][name]
            out[at : at + i.size] = c.offsets[p] + i // BLOCK * (BLOCK * len(c.layout.fields)) + i % BLOCK
        return out

    def room_for_traces(self, begin: int, steps: int) -> list[Floats]:
        """Arrays (samples, cells) that the samples of begin + 1 .. begin + steps go to, one a trace."""
        rows: list[list[tuple[int, ...]]] = [[] for _ in self.arrays]
        places: list[list[Ints]] = [[] for _ in self.arrays]
        columns: list[list[Ints]] = [[] for _ in self.arrays]
        shapes, used = [], 0
        for t in self.program.traces:
            samples = (begin + steps) // t.every - begin // t.every
            part, at = self.arena.cells[t.group].positions(np.asarray(t.ids, dtype=np.int64), t.variable)
            for p in range(self.count):
                mine = np.flatnonzero(part == p)
                low = sum(x.size for x in columns[p])
                rows[p].append((t.every, low, low + mine.size, used, t.ids.size))
                places[p].append(at[mine])
                columns[p].append(mine)
            shapes.append((used, samples, t.ids.size))
            used += samples * t.ids.size
        values = np.zeros(max(1, used))
        for p, a in enumerate(self.arrays):
            a["traces"], a["values"] = np.array(rows[p], dtype=np.int64).reshape(-1, 5), values
            a["trace_cells"], a["trace_columns"] = (
                np.concatenate([*x[p], np.zeros(0)]).astype(np.int64) for x in (places, columns)
            )
            a["state"][3] = begin
        return [values[at : at + n * m].reshape(n, m) for at, n, m in shapes]

    def addressed(self) -> tuple[Ints, Ints, Ints]:
        """The parts' integers, and addresses and shapes of their arrays, in the order of ARRAYS. Only what is
        another array than at the last call is asked anew.
        """
        numbers, addresses, shapes = self._addressed
        for p, a in enumerate(self.arrays):
            ahead = int(self.plan.delivery == RING and bool(self.plan.kinds))
            numbers[p] = Part(self.reach, self.ring, self.reserve, self.channels, self.cells[p], ahead)
            known = self._known[p]
            for i, (name, (kind, dimensions)) in enumerate(ARRAYS.items()):
                x = a[name]
                if known[i] is x:
                    continue
                assert x.flags.c_contiguous
                assert x.ndim == dimensions and (not kind or x.dtype == np.dtype(kind.rstrip("_"))), name  # noqa: PT018
                known[i] = x
                addresses[p, i], shapes[p, i, :dimensions] = x.ctypes.data, x.shape
        return numbers, addresses, shapes

    def set(self, name: str, values: Mapping[str, Any], now: int) -> None:
        """Change parameters of cells, or the rate of Poisson sources, after step `now`; states and spikes
        under way stay.
        """
        if name in self.rates:
            longest = max((self.program.connections[i].delay_range()[1] for i in self.plan.drives), default=0)
            self.past = {n: g for n, g in self.past.items() if g.stop is not None and g.stop + longest > now}
            before, self.rates[name] = sources.with_rate(self.rates[name], values["rate"], now)
            self.past.setdefault(
                f"{name}@{now}", before
            )  # a second change at one step leaves nothing in between
            self._tables()
            self._make_room()
            self._tabulate()  # no function is another one, and none has another number
            return
        self._settle(now)
        self.arena.set(name, values)
        for p, a in enumerate(self.arrays):
            a.update(self._sleep(p, now))
        self.prepare()

    def hear(self, rows: list[int], clock: int, spikes: int) -> None:
        """Spikes of a third factor, in all parts, for these rows of `learning`."""
        _, addresses, _ = self.addressed()
        for p in range(self.count):
            self.say(addresses[p], np.array(rows, dtype=np.int64), clock, spikes)

    def grow(self) -> None:
        """Double the histories of spikes that are still under way."""
        for a in self.arrays:
            old, end = a["spikes"], int(a["position"][0])
            new = np.zeros(2 * old.size, dtype=np.int32)
            i = np.arange(max(0, end - old.size), end)
            new[i % new.size] = old[i % old.size]
            a["spikes"] = new
