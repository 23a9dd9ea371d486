"""Level 1: what a simulator holds, read back from it, against the resolved network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from portable.backends.contract import HeldConnections
from portable.resolve.program import Connections, Ints, Program
from portable.units import Floats
from portable.validation.matching import unpaired

Columns = tuple[Ints, Ints, Floats, Ints]  # source, target, weight, delay (steps) of each connection


@dataclass(frozen=True)
class ReadBack:
    """connections: held by the simulator; missing: on one side only; errors: largest absolute difference of
    weight (simulator's unit) and delay (ms) of the others; absent: names of connections that the simulator
    does not hold as such (drives inside cells' code)."""

    connections: int
    missing: int
    weight_error: float
    delay_error: float
    absent: tuple[str, ...] = ()


def read_back(program: Program, connections: Iterable[HeldConnections]) -> ReadBack:
    """Compare every connection of a program with what a simulator holds (`Simulation.connections`)."""
    by_name = {c.name: c for c in program.connections}
    count = missing = 0
    weight_error = delay_error = 0.0
    seen: set[str] = set()
    for h in connections:
        seen |= set(h.names)
        more, weights, delays = difference(
            _expected([by_name[n] for n in h.names], h), (h.sources, h.targets, h.weights, h.delays)
        )
        count, missing = count + int(h.sources.size), missing + more
        weight_error, delay_error = max(weight_error, weights), max(delay_error, delays * program.dt)
    return ReadBack(
        count,
        missing,
        weight_error,
        delay_error,
        tuple(c.name for c in program.connections if c.count and c.name not in seen),
    )


def _expected(connections: list[Connections], h: HeldConnections) -> Columns:
    columns = []
    for c in connections:
        weights = np.broadcast_to(
            np.asarray(c.weights, dtype=np.float64) * h.factors.get(c.name, 1.0), c.targets.shape
        )
        delays = np.broadcast_to(np.asarray(c.delays, dtype=np.int64), c.targets.shape)
        columns.append((c.sources().astype(np.int64), c.targets.astype(np.int64), weights, delays))
    source, target, weight, delay = (np.concatenate(x) for x in zip(*columns, strict=True))
    return source, target, weight, delay


def difference(a: Columns, b: Columns) -> tuple[int, float, float]:
    """(connections on one side only, largest weight difference, largest delay difference in steps). Errors
    are of connections in the order (source, target, delay, weight), and infinite where the sides do not even
    join the same pairs."""
    keys = [x[0] * (1 << 32) + x[1] for x in (a, b)]
    orders = [np.lexsort((x[2], x[3], k)) for x, k in zip((a, b), keys, strict=True)]
    left, right = (k[o] for k, o in zip(keys, orders, strict=True))
    if not np.array_equal(left, right):
        return int(unpaired(left, right)[1].sum()), float("inf"), float("inf")
    if not left.size:
        return 0, 0.0, 0.0
    weights, delays = (np.abs(a[i][orders[0]] - b[i][orders[1]]) for i in (2, 3))
    return 0, float(weights.max()), float(delays.max())
