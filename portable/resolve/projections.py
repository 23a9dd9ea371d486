"""A projection -> Connections, one for each pair of source and target group.

Rows are drawn over the two sides (connect), and sorted by target into blocks of (source group, target group).
There each connection is known by who meets whom, and its weight and delay are drawn (attributes); last, rows
are sorted by delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.model.network import Projection, Side
from portable.model.synapses import PlasticSynapse
from portable.resolve import attributes, learning, rows
from portable.resolve.attributes import Attribute
from portable.resolve.connectors import connect
from portable.resolve.part import Part, places
from portable.resolve.program import Approximation, Connections, Ints
from portable.resolve.random import stream
from portable.resolve.sides import Pattern, Sides, Targets, narrow
from portable.resolve.threads import blocks, even, portions, run

_TOGETHER = 1 << 16  # connections that one thread draws and sorts at a time


@dataclass(frozen=True)
class SideGroups:
    """A side by groups: names and sizes of its groups, and of each position its group (uint8 or uint16) and
    cell there (uint32).
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    group: npt.NDArray[np.uint16]
    position: npt.NDArray[np.uint32]


def side_groups(side: Side) -> SideGroups:
    """The groups of a side in order of first appearance."""
    sizes = {v.population.name: v.population.size for v in side}
    names = tuple(sizes)
    group = np.concatenate([np.full(len(v), names.index(v.population.name), dtype=np.uint16) for v in side])
    return SideGroups(
        names, tuple(sizes.values()), group, np.concatenate([v.ids for v in side]).astype(np.uint32)
    )


def cells(side: Side, offset: Mapping[str, int]) -> Ints:
    """One number for each position of a side, its cell's place in the network."""
    return np.concatenate([offset[v.population.name] + v.ids for v in side])


def sides(p: Projection, offset: Mapping[str, int], part: Part | None = None) -> Sides:
    """What the connector works on."""
    return Sides(cells(p.pre, offset), cells(p.post, offset), f"projection '{p.name}'", places(part, p.post))


def connections(
    p: Projection, offset: Mapping[str, int], seed: int, dt: float, weights32: bool, part: Part | None = None
) -> tuple[list[Connections], int, list[Approximation]]:
    """Everything of one projection, or of it what is onto a part, and the number of connections of the whole.
    `offset`: first cell of each population in the network.
    """
    path, owner = f"projection '{p.name}'", (seed, p.name)
    pattern = connect(p.connector, sides(p, offset, part), stream(seed, p.name, "connect"))
    pre, post = side_groups(p.pre), side_groups(p.post)
    r = _canonical(pattern, pre)
    weights, notes = attributes.weight(p.synapse.weight, r.pattern, path, owner, weights32)
    delays, more = attributes.delay(p.synapse.delay, r.pattern, path, owner, dt)
    carried: dict[str, Attribute] = {}
    if isinstance(p.synapse, PlasticSynapse):
        carried = learning.carried(p.synapse, r.pattern, path, owner)
    start = _starts(r, (len(pre.names), len(post.names)), post)
    ordered = any(a.ordered for a in (weights, delays, *carried.values()))
    targets, order = _sorted(r, start, post, ordered)
    made = _split(p, pre, post, r, start, targets, order, {**carried, "weight": weights, "delay": delays})
    if isinstance(p.synapse, PlasticSynapse):
        for i, (c, values) in enumerate(made):
            rule, notes_here = learning.plasticity(p.synapse, values, c.weights, c.delays, path, dt)
            key = stream(seed, p.name, "random", c.pre, c.post)
            rule = learning.signalled(rule, p, key, path, dt)
            made[i] = replace(c, learning=rule), values
            more = [*more, *(n for n in notes_here if n not in more)]
    return [c for c, _ in made], pattern.total, [*notes, *more]


@dataclass(frozen=True)
class Rows:
    """A pattern whose rows are the distinct cells of the source side, in order of (group, cell)."""

    pattern: Pattern
    group: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int64]


def _canonical(pattern: Pattern, pre: SideGroups) -> Rows:
    """Reorder rows so that each source group's connections are one block; a cell named twice gets one row."""
    rank = (pre.group.astype(np.int64) << 32) | pre.position
    indptr, targets, given = pattern.indptr, pattern.targets, pattern.given
    if np.any(np.diff(rank) < 0):
        order = np.argsort(rank, kind="stable")
        counts, rank = np.diff(indptr)[order], rank[order]
        old, indptr = indptr[:-1][order], np.concatenate([[0], np.cumsum(counts)])
        slots = np.repeat(old - indptr[:-1], counts) + np.arange(indptr[-1])
        given = slots if given is None else given[slots]
        targets = targets[slots]
    distinct, first = np.unique(rank, return_index=True)
    indptr = np.append(indptr[first], indptr[-1])
    return Rows(
        Pattern(indptr, targets, pattern.total, given, pattern.ordered), distinct >> 32, distinct & 0xFFFFFFFF
    )


def _starts(r: Rows, groups: tuple[int, int], post: SideGroups) -> Ints:
    """First final slot of each (row, target group): blocks in order of (source group, target group), rows
    inside.
    """
    pattern, n = r.pattern, r.group.size
    counts = np.zeros((n, groups[1]), dtype=np.int64)
    if groups[1] == 1:
        counts[:, 0] = np.diff(pattern.indptr)
    else:
        run(
            lambda lo, hi: rows.count_groups(lo, hi, pattern.indptr, pattern.targets, post.group, counts),
            blocks(n),
        )
    start, base = np.empty_like(counts), 0
    for a in range(groups[0]):
        mine = np.flatnonzero(r.group == a)
        for b in range(groups[1]):
            c = counts[mine, b]
            ends = np.cumsum(c)
            start[mine, b] = base + ends - c
            base += int(ends[-1])
    return start


def _sorted(r: Rows, start: Ints, post: SideGroups, carried: bool) -> tuple[Targets, Ints]:
    """Targets of all blocks, each row sorted, and where each came from (slot -> slot of the pattern) if
    `carried`.
    """
    pattern, total = r.pattern, r.pattern.targets.size
    dtype = narrow(max(post.sizes))
    same = start.shape[1] == 1 and pattern.targets.dtype == dtype
    targets: Targets = pattern.targets if same else np.empty(total, dtype=dtype)
    order = np.empty(total if carried else 0, dtype=np.int64)
    target_bits = int(max(post.sizes) - 1).bit_length()
    bits = target_bits + (start.shape[1] - 1).bit_length()
    template = np.empty(0, dtype=np.uint32 if bits <= 32 else np.uint64)
    run(
        lambda lo, hi: rows.by_target(
            lo, hi, pattern.indptr, pattern.targets, post.group, post.position, start,
            target_bits, bits, targets, order, template,
        ),
        even(pattern.indptr),
    )  # fmt: skip
    return targets, order


def _split(
    p: Projection,
    pre: SideGroups,
    post: SideGroups,
    r: Rows,
    start: Ints,
    targets: Targets,
    order: Ints,
    carried: Mapping[str, Attribute],
) -> list[tuple[Connections, dict[str, Any]]]:
    """Cut the blocks apart and give each connection what it carries: its weight and delay, and the numbers of
    a rule by name, beside it.
    """
    out, low = [], 0
    for a, source in enumerate(pre.names):
        mine = r.group == a
        for b, target in enumerate(post.names):
            ends = np.append(start[mine, b], _block_end(start, r.group, a, b, targets.size))
            counts = np.zeros(pre.sizes[a], dtype=np.int64)
            counts[r.cell[mine]] = np.diff(ends)
            indptr = np.concatenate([[0], np.cumsum(counts)])
            cut = slice(low, low + int(indptr[-1]))
            low = cut.stop
            name = p.name if len(pre.names) * len(post.names) == 1 else f"{p.name}[{source}->{target}]"
            small = targets[cut].astype(narrow(post.sizes[b]), copy=False)
            straight = (
                indptr.size - 1 == small.size == post.sizes[b]
                and bool(np.all(counts == 1))
                and bool(np.all(small == np.arange(small.size)))
            )
            keys = {n: a.key(source, target) for n, a in carried.items()}
            numbers: dict[str, Any] = {n: a.start(order[cut], small.size) for n, a in carried.items()}
            _carry(indptr, small, keys, carried, numbers)
            w, d = numbers.pop("weight"), numbers.pop("delay")
            made = Connections(name, p.name, source, target, p.receptor, indptr, small, w, d, straight)
            out.append((made, numbers))
    return out


def _carry(
    indptr: Ints,
    targets: Targets,
    keys: Mapping[str, int],
    carried: Mapping[str, Attribute],
    numbers: dict[str, Any],
) -> None:
    """Draw what the connections of a block carry into `numbers`, and sort its rows by delay."""
    arrays = {n: x for n, x in numbers.items() if isinstance(x, np.ndarray)}
    d = arrays.get("delay")
    heavy = [n for n in arrays if n != "delay"]
    # one array goes along while rows are sorted; several follow a list of places, in the guise of weights,
    # so that nothing is compiled for it
    places = np.arange(targets.size if len(heavy) > 1 and d is not None else 0, dtype=np.uint64)
    load = arrays[heavy[0]] if len(heavy) == 1 else places.view(np.float64)
    if not heavy:
        load = np.empty(0, dtype=np.float32)

    def work(first: int, last: int) -> None:
        for lo, hi in portions(indptr, first, last, _TOGETHER):
            for n, x in arrays.items():
                carried[n].draw(keys[n], lo, hi, indptr, targets, x)
            if d is not None:
                rows.by_delay(lo, hi, indptr, targets, d, load, carried["delay"].most.bit_length())

    run(work, even(indptr))
    if d is not None and len(heavy) > 1:
        numbers.update({n: arrays[n][places] for n in heavy})


def _block_end(start: Ints, group: Ints, a: int, b: int, total: int) -> int:
    """Where the block (a, b) ends: where the next one starts."""
    if b + 1 < start.shape[1]:
        return int(start[np.flatnonzero(group == a)[0], b + 1])
    later = np.flatnonzero(group == a + 1)
    return int(start[later[0], 0]) if later.size else total
