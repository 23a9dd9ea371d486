"""What the engine holds: its rows, segments and lists of local targets, turned back into connections."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from portable.backends.contract import HeldConnections
from portable.backends.native.layout import BLOCK
from portable.backends.native.lower import RING
from portable.backends.native.parts import Parts
from portable.backends.native.plastic import Held
from portable.backends.native.tables import LEARN
from portable.resolve.program import Ints
from portable.units import Floats


def held_connections(parts: Parts) -> Iterator[HeldConnections]:
    """The connections of each pair of populations, from the arrays that the run loop reads; those that learn
    with their present weights, which must be up to date.
    """
    program = parts.program
    rows = [_rows(parts, p) for p in range(parts.count)]
    pairs: dict[tuple[str, str], list[str]] = {}
    for c, kind in zip(program.connections, parts.plan.connections, strict=True):
        if kind is not None:
            pairs.setdefault((c.pre, c.post), []).append(c.name)
    for (pre, post), names in pairs.items():
        base, size = parts.bases[pre], program.group(pre).size
        found = []
        for p, (sources, targets, weights, delays) in enumerate(rows):
            low, high = np.searchsorted(sources, [base, base + size])
            first = parts.arrivals[p][post]
            cuts = parts.arena.cells[post].cuts
            local = targets[low:high] - first
            mine = (local >= 0) & (local < int(cuts[p + 1] - cuts[p]) * BLOCK)
            found.append(
                (
                    sources[low:high][mine] - base,
                    local[mine] + int(cuts[p]) * BLOCK,
                    weights[low:high][mine],
                    delays[low:high][mine],
                )
            )
        sources, targets, weights, delays = (np.concatenate(x) for x in zip(*found, strict=True))
        yield HeldConnections(tuple(names), sources, targets, weights, delays)
    for i in parts.plan.plastic:
        found = [_learning(parts, p, held) for p in range(parts.count) for held in parts.held[p]
                 if held.block.connections == i]  # fmt: skip
        columns = (np.concatenate(x) for x in zip(*found, strict=True))
        yield HeldConnections((program.connections[i].name,), *columns)


def _learning(parts: Parts, p: int, held: Held) -> tuple[Ints, Ints, Floats, Ints]:
    """A block's (source, target, weight, delay), with positions in the populations."""
    a, c = parts.arrays[p], parts.program.connections[held.block.connections]
    row = a["learning"][held.row]
    n, at, size = (int(row[column]) for column in (LEARN.synapses, LEARN.targets, LEARN.size))
    sources = np.repeat(np.arange(size), np.diff(a["PI"][row[LEARN.rows] :][: size + 1]))
    first = int(parts.arena.cells[c.post].cuts[p]) * BLOCK - int(row[LEARN.cell])
    targets = a["PT"][at : at + n].astype(np.int64) + first
    weights = a["PF"][row[LEARN.weights] :][:n].copy()
    return sources, targets, weights, a["PL"][at : at + n].astype(np.int64)


def _rows(parts: Parts, p: int) -> tuple[Ints, Ints, Floats, Ints]:
    """One part: (source number, local target, weight, delay) of each synapse, sorted by source number."""
    plan, s = parts.plan, parts.synapses[p]
    kinds = len(plan.kinds)
    width = kinds * (1 if plan.delivery == RING else len(plan.delays)) + 1
    if not parts.sources or width == 1:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0), none
    ends = s.segments[: parts.sources * width].astype(np.int64).reshape(parts.sources, width)
    counts = np.diff(ends, axis=1)
    n = int(s.rows[-1])
    sources = np.repeat(np.arange(parts.sources), counts.sum(axis=1))
    segments = np.repeat(np.tile(np.arange(width - 1), parts.sources), counts.reshape(-1))
    delays = (
        s.lags[:n].astype(np.int64)
        if plan.delivery == RING
        else np.array(plan.delays, dtype=np.int64)[segments // kinds]
    )
    weights = s.weights[:n].astype(np.float64) if plan.weights else s.equal[segments % kinds]
    return sources, s.targets[:n].astype(np.int64), weights, delays
