"""What a run recorded, in the positions of populations; shared by both kinds of session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from portable.backends.brian2.plan import Brian2Plan, Synapse
from portable.backends.contract import HeldConnections
from portable.backends.placement import Placement, Spikes
from portable.dynamics.methods import exploded
from portable.errors import BackendFailed
from portable.resolve.trains import Trains
from portable.units import Floats

CHUNK_ENTRIES = 4_000_000  # counts held at once of frozen inputs (8 MB of uint16)


def source_spikes(plan: Brian2Plan, trains: Mapping[str, Trains], now: int) -> Spikes:
    """Spikes of recorded sources up to step `now`: known without Brian2, for it was given them."""
    out: Spikes = {}
    for name in (n for n in plan.spikes if n in trains):
        ids, stamps = trains[name].spikes(1, now)
        mine = np.isin(ids, plan.spikes[name])
        out[name] = ids[mine], stamps[mine]
    return out


def check_finite(plan: Brian2Plan, now: int, state: Callable[[str, str], Floats]) -> None:
    """BackendFailed that names the first cell whose state has exploded; `state(cells, name)` gives the
    values.
    """
    for c in plan.cells:
        for s in c.flat.state_names:
            values = np.asarray(state(c.name, s), dtype=np.float64)
            for m in c.members:
                own = values[plan.placement[m.name].cells]
                if problem := exploded(c.flat, c.method, s, own, now * plan.dt):
                    raise BackendFailed(f"population '{m.name}': {problem}")


def held_connections(
    plan: Synapse, made: Any, place: Placement, now: Floats | None = None
) -> Iterator[HeldConnections]:
    """What a Synapses object holds, by pair of populations. Its delays are one step short (see build); the
    weights of connections that learn are those of `now`.
    """
    pre, post = (
        np.asarray(made.variables[n].get_value()).astype(np.int64)
        for n in ("_synaptic_pre", "_synaptic_post")
    )
    found = made.variables["w"].get_value() if now is None else now
    weights = np.broadcast_to(np.asarray(found, dtype=np.float64), pre.shape)
    delays = np.broadcast_to(
        place.steps(np.asarray(made.pre.variables["delay"].get_value()) * 1e3) + 1, pre.shape
    )
    pairs: dict[tuple[str, str], dict[str, float]] = {}
    for c in (p.connections for p in plan.parts):
        pairs.setdefault((c.pre, c.post), {})[c.name] = 1.0
    for ends, names in pairs.items():
        yield place.connections(names, ends, pre, post, weights, delays)
