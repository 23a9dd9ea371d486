"""A projection -> Connections, one for each pair of source and target group.

Rows are drawn over the two sides (connect), delays of drawn slots are added, rows are sorted into blocks of
(source group, target group), and weights are drawn in the final order: they are independent of target and
delay, so no permutation is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.model.network import Projection, Side
from portable.model.values import Array
from portable.resolve import draws, rows
from portable.resolve.connect import Pattern, Sides, Targets, connect, narrow
from portable.resolve.grid import nearest, on_grid, one_on_grid, rounded
from portable.resolve.program import Approximation, Connections, Ints
from portable.resolve.random import stream
from portable.resolve.threads import blocks, even, run
from portable.units import Quantity

LONGEST = 65535  # steps of delay
Delays = int | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Weights = float | npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """A side by groups: names and sizes of its groups, and of each position its group (uint8 or uint16) and
    cell there (uint32).
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    group: npt.NDArray[np.uint16]
    position: npt.NDArray[np.uint32]


def layout(side: Side) -> Layout:
    """The groups of a side in order of first appearance."""
    sizes = {v.population.name: v.population.size for v in side}
    names = tuple(sizes)
    group = np.concatenate([np.full(len(v), names.index(v.population.name), dtype=np.uint16) for v in side])
    return Layout(
        names, tuple(sizes.values()), group, np.concatenate([v.ids for v in side]).astype(np.uint32)
    )


def cells(side: Side, offset: Mapping[str, int]) -> Ints:
    """One number for each position of a side, its cell's place in the network."""
    return np.concatenate([offset[v.population.name] + v.ids for v in side])


def connections(
    p: Projection, offset: Mapping[str, int], seed: int, dt: float, weights32: bool
) -> tuple[list[Connections], list[Approximation]]:
    """Everything of one projection. `offset`: first cell of each population in the network."""
    path = f"projection '{p.name}'"
    pattern = connect(
        p.connector, Sides(cells(p.pre, offset), cells(p.post, offset), path), stream(seed, p.name, "connect")
    )
    delays, notes = _delays(p, pattern, path, stream(seed, p.name, "delay"), dt)
    pre, post = layout(p.pre), layout(p.post)
    r = _canonical(pattern, delays, pre)
    given = p.synapse.weight
    values = _array(given, r.pattern, f"{path}.weight") if isinstance(given, Array) else None
    start = _starts(r, (len(pre.names), len(post.names)), post)
    targets, delays, order = _sorted(r, start, post, values is not None)
    weights = _weights(p, values, order, path, stream(seed, p.name, "weight"), targets.size, weights32)
    return _split(p, pre, post, r, start, targets, weights, delays), notes


def _delays(
    p: Projection, pattern: Pattern, path: str, key: int, dt: float
) -> tuple[Delays, list[Approximation]]:
    """Delays of the slots of a pattern, in whole steps."""
    given, where = p.synapse.delay, f"{path}.delay"
    if isinstance(given, Quantity):
        return _short(one_on_grid(given.coherent(), dt, where, least=1), where, dt), []
    if isinstance(given, Array):
        steps = on_grid(_array(given, pattern, where), dt, where, least=1)
        most = _short(int(steps.max()) if steps.size else 1, where, dt)
        return steps.astype(_steps_type(most)), []
    distribution = draws.spec(given, where)
    top = distribution.bound()
    most = max(1, int(nearest(np.array([min(top, (LONGEST + 1) * dt)]), dt)[0]))
    if most > LONGEST:
        raise ModelError(
            where,
            f"{given} can reach {top:g} ms, more than {LONGEST} steps of {dt:g} ms",
            "give it a bound high=",
        )
    out = np.empty(pattern.targets.size, dtype=_steps_type(most))
    draws.fill_steps(key, out, dt, distribution)
    return out, [rounded(where, given, dt, 1)]


def _steps_type(most: int) -> type[Any]:
    return np.uint8 if most <= 255 else np.uint16


def _short(steps: int, where: str, dt: float) -> int:
    if steps > LONGEST:
        raise ModelError(
            where,
            f"must be at most {LONGEST} steps of {dt:g} ms, got {steps} steps",
            "use a larger dt or a shorter delay",
        )
    return steps


def _array(given: Array, pattern: Pattern, where: str) -> npt.NDArray[np.float64]:
    """A user's array in the order of the slots."""
    if not pattern.ordered:
        raise ModelError(
            where,
            f"an array of {len(given)} values has no order to follow in a random connector",
            "use AllToAll, OneToOne or Explicit, or a distribution",
        )
    if len(given) != pattern.targets.size:
        raise ModelError(
            where,
            f"has {len(given)} values for {pattern.targets.size} connections",
            "give one value, or one per connection",
        )
    data = given.coherent()
    return data if pattern.given is None else data[pattern.given]


@dataclass(frozen=True)
class Rows:
    """A pattern whose rows are the distinct cells of the source side, in order of (group, cell)."""

    pattern: Pattern
    delays: Delays
    group: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int64]


def _canonical(pattern: Pattern, delays: Delays, pre: Layout) -> Rows:
    """Reorder rows so that each source group's connections are one block; a cell named twice gets one row."""
    rank = (pre.group.astype(np.int64) << 32) | pre.position
    indptr, targets, given = pattern.indptr, pattern.targets, pattern.given
    if np.any(np.diff(rank) < 0):
        order = np.argsort(rank, kind="stable")
        counts, rank = np.diff(indptr)[order], rank[order]
        old, indptr = indptr[:-1][order], np.concatenate([[0], np.cumsum(counts)])
        slots = np.repeat(old - indptr[:-1], counts) + np.arange(indptr[-1])
        given = slots if given is None else given[slots]
        targets, delays = targets[slots], delays if isinstance(delays, int) else delays[slots]
    distinct, first = np.unique(rank, return_index=True)
    indptr = np.append(indptr[first], indptr[-1])
    return Rows(
        Pattern(indptr, targets, given, pattern.ordered), delays, distinct >> 32, distinct & 0xFFFFFFFF
    )


def _starts(r: Rows, groups: tuple[int, int], post: Layout) -> Ints:
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


def _sorted(r: Rows, start: Ints, post: Layout, carried: bool) -> tuple[Targets, Delays, Ints]:
    """Targets and delays in their final order, and where each came from (final slot -> slot of the pattern)
    if `carried`.
    """
    pattern, total = r.pattern, r.pattern.targets.size
    dtype = narrow(max(post.sizes))
    same = start.shape[1] == 1 and pattern.targets.dtype == dtype
    targets: Targets = pattern.targets if same else np.empty(total, dtype=dtype)
    constant = isinstance(r.delays, int)
    delays_in = np.zeros(0, dtype=np.uint8) if isinstance(r.delays, int) else r.delays
    delays = delays_in if same else np.empty_like(delays_in)
    order = np.empty(total if carried else 0, dtype=np.int64)
    target_bits = int(max(post.sizes) - 1).bit_length()
    delay_bits = 0 if constant or not total else int(delays_in.max()).bit_length()
    bits = target_bits + delay_bits + (start.shape[1] - 1).bit_length()
    template = np.empty(0, dtype=np.uint32 if bits <= 32 else np.uint64)
    run(
        lambda lo, hi: rows.sort_rows(
            lo, hi, pattern.indptr, pattern.targets, delays_in, post.group, post.position, start,
            target_bits, delay_bits, bits, targets, delays, order, template,
        ),
        even(pattern.indptr),
    )  # fmt: skip
    return targets, r.delays if isinstance(r.delays, int) else delays, order


def _weights(
    p: Projection,
    values: npt.NDArray[np.float64] | None,
    order: Ints,
    path: str,
    key: int,
    total: int,
    weights32: bool,
) -> Weights:
    """Weights in the final order. `values`: the user's array in the order of the pattern's slots."""
    given = p.synapse.weight
    if isinstance(given, Quantity):
        return given.coherent()
    dtype: type[Any] = np.float32 if weights32 else np.float64
    if values is not None:
        return values[order].astype(dtype)
    out = np.empty(total, dtype=dtype)
    made = draws.spec(given, f"{path}.weight")
    draws.fill(key, out, made, made.grid())
    return out


def _split(
    p: Projection,
    pre: Layout,
    post: Layout,
    r: Rows,
    start: Ints,
    targets: Targets,
    weights: Weights,
    delays: Delays,
) -> list[Connections]:
    """Cut the blocks apart; the arrays are views of the projection's."""
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
            w = weights if isinstance(weights, float) else weights[cut]
            d = delays if isinstance(delays, int) else delays[cut]
            out.append(Connections(name, p.name, source, target, p.receptor, indptr, small, w, d, straight))
    return out


def _block_end(start: Ints, group: Ints, a: int, b: int, total: int) -> int:
    """Where the block (a, b) ends: where the next one starts."""
    if b + 1 < start.shape[1]:
        return int(start[np.flatnonzero(group == a)[0], b + 1])
    later = np.flatnonzero(group == a + 1)
    return int(start[later[0], 0]) if later.size else total
