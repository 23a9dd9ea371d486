"""What a run recorded, in the positions of populations; shared by both kinds of session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portable.backends.brian2.inputs import PoissonTrains, unfold
from portable.backends.brian2.plan import Brian2Plan, Cells, Synapse
from portable.backends.contract import Held
from portable.dynamics.methods import exploded
from portable.errors import BackendFailed
from portable.resolve.program import Ints, TrainGroup
from portable.units import Floats

CHUNK_ENTRIES = 4_000_000  # counts held at once of frozen inputs (8 MB of uint16)
Spikes = dict[str, tuple[Ints, Ints]]


def cell_spikes(plan: Brian2Plan, cells: Cells, ids: Ints, steps: Ints) -> Spikes:
    """Spikes of one NeuronGroup as those of its recorded populations."""
    out: Spikes = {}
    for m in cells.members:
        if m.name in plan.spikes:
            mine = (ids >= m.offset) & (ids < m.offset + m.size)
            out[m.name] = _kept(ids[mine] - m.offset, steps[mine], plan.spikes[m.name])
    return out


def source_spikes(plan: Brian2Plan, poissons: dict[str, PoissonTrains], now: int) -> Spikes:
    """Spikes of recorded sources up to step `now`: known without Brian2, for it was given them."""
    out: Spikes = {}
    for g in plan.groups:
        if g.name in poissons and g.name in plan.spikes:
            out[g.name] = _kept(*_drawn(poissons[g.name], now), plan.spikes[g.name])
        elif isinstance(g, TrainGroup) and g.name in plan.spikes:
            ids = np.repeat(np.arange(g.size), np.diff(g.indptr))
            out[g.name] = _kept(ids[g.steps <= now], g.steps[g.steps <= now], plan.spikes[g.name])
    return out


def _drawn(trains: PoissonTrains, now: int) -> tuple[Ints, Ints]:
    chunk = max(1, CHUNK_ENTRIES // trains.size)
    ids, steps = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for first in range(1, now + 1, chunk):
        row, column = unfold(trains.window(first, min(chunk, now + 1 - first)))
        ids.append(column)
        steps.append(row + first)
    return np.concatenate(ids), np.concatenate(steps)


def _kept(ids: Ints, steps: Ints, recorded: Ints) -> tuple[Ints, Ints]:
    mine = np.isin(ids, recorded)
    return ids[mine], steps[mine]


def check_finite(plan: Brian2Plan, now: int, state: Callable[[str, str], Floats]) -> None:
    """BackendFailed that names the first cell whose state has exploded; `state(cells, name)` gives the
    values.
    """
    for c in plan.cells:
        for s in c.flat.state_names:
            values = np.asarray(state(c.name, s), dtype=np.float64)
            for m in c.members:
                own = values[m.offset : m.offset + m.size]
                if problem := exploded(c.flat, c.method, s, own, now * plan.dt):
                    raise BackendFailed(f"population '{m.name}': {problem}")


def held(plan: Synapse, made: Any, dt: float) -> Iterator[Held]:
    """What a Synapses object holds, by pair of populations. Its delays are one step short (see build)."""
    pre, post = (
        np.asarray(made.variables[n].get_value()).astype(np.int64)
        for n in ("_synaptic_pre", "_synaptic_post")
    )
    weights = np.broadcast_to(np.asarray(made.variables["w"].get_value(), dtype=np.float64), pre.shape)
    delays = np.broadcast_to(
        np.rint(np.asarray(made.pre.variables["delay"].get_value()) / (dt * 1e-3)).astype(np.int64) + 1,
        pre.shape,
    )
    pairs: dict[tuple[int, int], list[Any]] = {}
    for p in plan.parts:
        pairs.setdefault((p.pre, p.post), []).append(p)
    for (low_pre, low_post), parts in pairs.items():
        c = parts[0].connections
        mine = (pre >= low_pre) & (pre < low_pre + c.indptr.size - 1)
        if (
            len({p.post for p in plan.parts}) > 1
        ):  # several targets side by side: the next one begins where this one ends
            following = min((p.post for p in plan.parts if p.post > low_post), default=np.iinfo(np.int64).max)
            mine &= (post >= low_post) & (post < following)
        yield Held(
            tuple(p.connections.name for p in parts),
            pre[mine] - low_pre,
            post[mine] - low_post,
            weights[mine],
            delays[mine],
        )
