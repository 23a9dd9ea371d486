"""What NEST holds: nest.GetConnections turned back into positions, weights and whole steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from portable.backends.contract import HeldConnections
from portable.backends.nest.plan import Edges, Plan

PIECE = 100_000  # connections asked for at a time


def held_connections(nest: Any, plan: Plan) -> Iterator[HeldConnections]:
    """The connections of each pair of populations, but for those that learn (`plastic`). NEST does not say
    through which port, so all of a pair come together.

    NEST is asked once for everything: with a filter it goes through all connections for each of many nodes.
    """
    native = {s.group.name for s in plan.sources if s.how == "native"}
    pairs: dict[tuple[str, str], list[Edges]] = {}
    for e in plan.edges:
        if e.connections.pre not in native and e.connections.count and isinstance(e, Edges):
            pairs.setdefault((e.connections.pre, e.connections.post), []).append(e)
    if not pairs:
        return
    only = {"synapse_model": "static_synapse"} if plan.learning else {}
    sources, targets, weights, delays = _columns(nest.GetConnections(**only))
    steps = plan.placement.steps(delays)
    for ends, edges in pairs.items():
        factors = {e.connections.name: e.port.factor for e in edges}
        yield plan.placement.connections(factors, ends, sources, targets, weights, steps)


def _columns(found: Any) -> list[Any]:
    """source, target, weight (NEST's), delay (ms) of every connection, in pieces: NEST makes a dictionary of
    a few kB for each.
    """
    names = ("source", "target", "weight", "delay")
    pieces = [np.zeros((len(names), 0))]
    for low in range(0, len(found), PIECE):
        told = found[low : low + PIECE].get(list(names))
        pieces.append(np.array([np.atleast_1d(np.asarray(told[n], dtype=np.float64)) for n in names]))
    return list(np.concatenate(pieces, axis=1))
