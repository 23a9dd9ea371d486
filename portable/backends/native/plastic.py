"""Connections that learn -> the engine's arrays: for each part blocks of synapses, one for each projection
and axonal delay, in rows by source (tables.LEARN names what a block has).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portable.backends.native.lower import NativePlan
from portable.backends.native.plastic_form import Form
from portable.backends.native.tables import LEARN
from portable.dynamics.component import Assign
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Bin, Expr, Name, Num, transform
from portable.dynamics.synapse import ELAPSED, HANDLERS, WEIGHT, Rule
from portable.resolve.program import CellGroup, Connections, Ints, PerCell
from portable.units import Floats

LONGEST = 8192  # steps of a table of decays: 64 KiB; later ones are worked out
LEAST_ROOM = 64  # entries of a history
SIGNALS = 1024  # entries of a third factor's


def simplified(rule: Rule, values: Mapping[str, PerCell]) -> Rule:
    """The rule with x^mu as 1 or x where a parameter mu is 0 or 1 for all connections: the same numbers, and
    a power takes longer than all the rest.
    """

    def change(e: Expr) -> Expr:
        if isinstance(e, Bin) and e.op == "^" and isinstance(e.b, Name):
            exponent = values.get(e.b.id)
            if isinstance(exponent, float) and exponent in (0.0, 1.0):
                return e.a if exponent else Num(1.0)
        if isinstance(e, Bin) and e.op == "*" and Num(1.0) in (e.a, e.b):
            return e.a if e.b == Num(1.0) else e.b
        return e

    def all_of(given: tuple[Assign, ...]) -> tuple[Assign, ...]:
        return tuple(Assign(a.variable, transform(a.expr, change)) for a in given)

    changed: dict[str, Any] = {h: all_of(getattr(rule, h)) for h in HANDLERS}
    return replace(rule, sends=transform(rule.sends, change), **changed)


@dataclass(frozen=True)
class Block:
    """The synapses of `connections` (place in the program) whose axonal delay is so long."""

    connections: int
    axonal: int
    form: Form
    whole: bool  # they are all that the connections have


@dataclass(frozen=True)
class Held:
    """A block's synapses in one part: `index` are their places among the connections, or all of them."""

    block: Block
    row: int  # of the part's `learning`
    index: Ints | slice


def blocks(plan: NativePlan, short: bool) -> list[Block]:
    """Those of all connections that learn, in their order, the shortest axonal delay first."""
    out = []
    for i in plan.plastic:
        c = plan.program.connections[i]
        assert c.learning is not None
        rule = simplified(c.learning.rule.own_all(c.learning.varying()), c.learning.parameters)
        varying = tuple(p.name for p in rule.parameters if p.name in c.learning.varying())
        found = np.unique(c.axonal())
        out += [Block(i, int(a), Form(rule, varying, short), found.size == 1) for a in found]
    return out


class Store:
    """Grows an array piece by piece."""

    def __init__(self, dtype: Any) -> None:
        self.pieces: list[Any] = []
        self.used, self.dtype = 0, dtype

    def add(self, values: Any) -> int:
        """The place of the first of these values."""
        at = self.used
        self.pieces.append(np.atleast_1d(np.asarray(values)).astype(self.dtype, copy=False).reshape(-1))
        self.used += self.pieces[-1].size
        return at

    def array(self) -> Any:
        if not self.pieces:
            return np.zeros(1, dtype=self.dtype)
        return self.pieces[0] if len(self.pieces) == 1 else np.concatenate(self.pieces)


@dataclass(frozen=True)
class Where:
    """What a part has of the others' numbering. base: source number of a group's first cell; cell: place of
    its first cell in the part's buffers, cells: how many; slot: length of a channel."""

    base: Mapping[str, int]
    places: Mapping[str, tuple[Any, Any]]
    cell: Mapping[str, int]
    cells: Mapping[str, int]
    slot: int
    channel: Callable[[Connections], int]


def part(
    plan: NativePlan, all_blocks: list[Block], p: int, where: Where
) -> tuple[dict[str, Any], list[Held]]:
    """The arrays of part p, `learning` without the numbers of code, and where its synapses are."""
    targets = Store(np.uint16 if all(b.form.short for b in all_blocks) else np.uint32)
    ints, floats, lags = Store(np.int64), Store(np.float64), Store(np.uint16)
    rows: list[list[int]] = []
    held: list[Held] = []
    for block in all_blocks:
        c = plan.program.connections[block.connections]
        row, index = _block(plan, block, c, p, where, ints, floats, targets, lags)
        held.append(Held(block, len(rows), index))
        rows.append(row)
    arrays = {
        "learning": np.array(rows, dtype=np.int64).reshape(-1, len(LEARN)),
        "PI": ints.array(),
        "PF": floats.array(),
        "PT": targets.array(),
        "PL": lags.array(),
    }
    return arrays, held


def _block(
    plan: NativePlan,
    block: Block,
    c: Connections,
    p: int,
    where: Where,
    ints: Store,
    floats: Store,
    targets: Store,
    lags: Store,
) -> tuple[list[int], Ints | slice]:
    learning, form, dt = c.learning, block.form, plan.program.dt
    assert learning is not None
    parts, places = where.places[c.post]
    mine: Any = None if parts.max(initial=0) == 0 else parts[c.targets] == p
    if not block.whole:
        here = c.axonal() == block.axonal
        mine = here if mine is None else mine & here
    index: Ints | slice = slice(None) if mine is None else np.flatnonzero(mine)
    n = c.count if isinstance(index, slice) else index.size
    size = c.indptr.size - 1
    starts = c.indptr if isinstance(index, slice) else np.searchsorted(index, c.indptr)
    whole = c.delays[index] if isinstance(c.delays, np.ndarray) else np.asarray(c.delays)
    values = learning.parameters

    def each(x: PerCell | Any) -> Any:
        return np.asarray(x, dtype=np.float64)[index] if np.ndim(x) else np.full(n, x)

    row = dict.fromkeys(LEARN._fields, 0)
    row.update(
        slice=[g.name for g in plan.program.groups].index(c.post),
        base=where.base[c.pre],
        size=size,
        axonal=block.axonal,
        cell=where.cell[c.post],
        cells=where.cells[c.post],
        channel=where.channel(c) * where.slot,
        synapses=n,
        targets=targets.add(places[c.targets[index]]),
        rows=ints.add(starts),
        last=ints.add(np.full(size, -block.axonal)),
        scalars=floats.add([dt, *(values[s] for s in form.scalars)]),
        long=LONGEST if form.tabled else 0,
        back=int(whole.max(initial=1)) - block.axonal,
        on=1,
    )
    lags.add(np.broadcast_to(whole, n))
    assert lags.used == targets.used
    with np.errstate(all="ignore"):
        decays = [evaluate(form.rule.decay[s].rate, values) for s in form.tabled]
    row["tables"] = floats.add(np.concatenate([np.zeros(0), *(_table(r, dt) for r in decays)]))
    row["weights"] = floats.add(each(c.weights))
    row["own"] = floats.used
    start = learning.start()
    for s in form.own:
        floats.add(each(start[s]))
    for name in form.varying:
        floats.add(each(values[name]))
    row["pre"] = floats.add(np.zeros(size * len(form.pre)))
    if form.dated:
        row["ages"] = ints.add(np.zeros(n, dtype=np.int64))
    if form.answers:
        cells = row["cells"]
        row["room"] = _room(plan, c, row["back"])
        row["counts"], row["starts"] = (ints.add(np.zeros(cells, dtype=np.int64)) for _ in range(2))
        row["history"] = floats.add(np.zeros(cells * row["room"] * form.width))
    if form.rule.draws():
        post = plan.program.group(c.post)
        cut = int(np.searchsorted(parts, p)) if post.size else 0
        row.update(
            key0=learning.key & 0xFFFFFFFF, key1=learning.key >> 32, first=cut, nth=ints.add(c.nth()[index])
        )
    if form.signal:
        signal = plan.program.group(learning.signal)
        row.update(
            signal_base=where.base[learning.signal],
            signal_size=signal.size,
            signal_delay=learning.signal_delay,
            signal_room=SIGNALS,
            heard=floats.add(np.zeros(SIGNALS * form.heard)),
        )
    return list(row.values()), index


def _table(rate: Any, dt: float) -> Floats:
    """exp(-rate n dt) for n = 0, 1, ...: 1 at n = 0, also where a rate is infinite."""
    n = np.arange(LONGEST)
    with np.errstate(all="ignore"):
        return np.where(n > 0, np.exp(-float(rate) * (n * dt)), 1.0)


def _room(plan: NativePlan, c: Connections, back: int) -> int:
    """Entries of a history: twice those that can be needed while no synapse is behind, which are the spikes
    of a cell within the longest dendritic delay and an interval.
    """
    post = plan.program.group(c.post)
    assert isinstance(post, CellGroup)
    within = next(x.method.within_step for x in plan.cells if x.group == c.post)
    apart = 1 + int(np.min(post.refractory))
    needed = (-(-(back + plan.interval) // apart) + 1) * (8 if within else 1)
    return max(LEAST_ROOM, 1 << (2 * needed).bit_length())


def read(part_arrays: Mapping[str, Any], held: Held, variable: str, now: int, dt: float) -> Floats:
    """A state of the block's synapses at step `now`, to which they have been flushed."""
    row, form = part_arrays["learning"][held.row], held.block.form
    if variable in form.signal or (form.dated and variable in (WEIGHT, *form.aged)):
        return np.array(_brought(part_arrays, held, now, dt)[variable], dtype=np.float64)
    found: Floats = part_arrays["PF"][place(row, form, variable) :][: int(row[LEARN.synapses])]
    return found.copy()


def _brought(part_arrays: Mapping[str, Any], held: Held, now: int, dt: float) -> dict[str, Any]:
    """What moves between events, as it is at step `now`."""
    row, form, floats = part_arrays["learning"][held.row], held.block.form, part_arrays["PF"]
    n, rule = int(row[LEARN.synapses]), form.rule
    age = part_arrays["PI"][row[LEARN.ages] :][:n]
    known: dict[str, Any] = dict(zip(form.scalars, floats[row[LEARN.scalars] + 1 :], strict=False))
    known |= {s: floats[place(row, form, s) :][:n] for s in (WEIGHT, *form.own, *form.varying)}
    heard = _heard(row, form, floats, now)
    known |= dict(zip(form.signal, np.zeros(len(form.signal)) if heard is None else heard[2:], strict=True))
    last = 0 if heard is None else int(heard[0])
    with np.errstate(all="ignore"):
        for s in form.signal:  # it has not moved by itself since its last spike, which every synapse has seen
            known[s] = known[s] * np.exp(-evaluate(rule.decay[s].rate, known) * ((age - last) * dt))
        if rule.drift and row[LEARN.on]:
            known[ELAPSED.id] = (now - age) * dt
            for a in rule.drifted():
                known[a.variable] = evaluate(a.expr, known)
        for s in (*form.aged, *form.signal):
            if (d := rule.decay.get(s)) is not None:
                kept = np.where(now > age, np.exp(-evaluate(d.rate, known) * ((now - age) * dt)), 1.0)
                rest = 0.0 if d.rest is None else evaluate(d.rest, known)
                known[s] = rest + (known[s] - rest) * kept
    return known


def _heard(row: Any, form: Form, floats: Floats, now: int) -> Floats | None:
    """The third factor's last entry seen by `now`: what a session has just signalled is seen a step later."""
    if not form.signal:
        return None
    for m in range(row[LEARN.signals] - 1, max(-1, row[LEARN.signals] - 1 - row[LEARN.signal_room]), -1):
        at = row[LEARN.heard] + (m % row[LEARN.signal_room]) * form.heard
        if floats[at] <= now:
            return floats[at : at + form.heard]
    return None


def bring(part_arrays: Mapping[str, Any], held: Held, now: int, dt: float) -> None:
    """What moves between events is brought to step `now`."""
    row, form = part_arrays["learning"][held.row], held.block.form
    if not form.dated:
        return
    n, known = int(row[LEARN.synapses]), _brought(part_arrays, held, now, dt)
    for s in (*form.aged, *((WEIGHT,) if form.rule.drift else ())):
        part_arrays["PF"][place(row, form, s) :][:n] = known[s]
    part_arrays["PI"][row[LEARN.ages] :][:n] = now


def write(
    part_arrays: Mapping[str, Any], held: Held, variable: str, values: Any, now: int, dt: float
) -> None:
    """Give a state of the block's synapses another value."""
    bring(part_arrays, held, now, dt)
    row = part_arrays["learning"][held.row]
    n, at = int(row[LEARN.synapses]), place(row, held.block.form, variable)
    part_arrays["PF"][at : at + n] = values


def place(row: Any, form: Form, variable: str) -> int:
    """Where in PF a state or a parameter of a block's synapses begins."""
    if variable == WEIGHT:
        return int(row[LEARN.weights])
    return int(row[LEARN.own] + (*form.own, *form.varying).index(variable) * row[LEARN.synapses])
