"""Connections -> the engine's arrays: for each part, rows by source, in them segments by (delay, kind), in
those local targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import int64, njit

from portable.backends.addresses import OPTIONS
from portable.backends.native.lower import RING, NativePlan
from portable.resolve.program import Connections, Ints

# The type of arrays that nothing is in: numba compiles the loop anew for each combination of types.
COMMON = "float32"


@dataclass
class Synapses:
    """One part's synapses. rows (sources + 1,) starts; segments (sources * width,) ends relative to the row's
    start (uint16 or uint32); targets local cells; weights per synapse, or none and `equal` has one per kind;
    lags the delay of each synapse (ring buffers only)."""

    rows: Ints
    segments: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    weights: npt.NDArray[Any]
    equal: npt.NDArray[np.float64]
    lags: npt.NDArray[Any]

    @property
    def nbytes(self) -> int:
        return sum(
            a.nbytes for a in (self.rows, self.segments, self.targets, self.weights, self.equal, self.lags)
        )


@njit(**OPTIONS)
def _count(indptr, targets, delays, varies, part, column, kinds, kind, base, width, first, last, ends):  # type: ignore[no-untyped-def]
    """ends[p, row of source + 1 + segment] += 1 for every synapse of the sources first .. last - 1."""
    for s in range(first, last):
        row = (base + s) * width + 1 + kind
        for j in range(indptr[s], indptr[s + 1]):
            d = int64(delays[j]) if varies else int64(delays[0])
            ends[part[targets[j]], row + column[d] * kinds] += 1


@njit(**OPTIONS)
def _cumulate(ends, width, first, last, totals):  # type: ignore[no-untyped-def]
    """Counts -> starts of segments, each at the place where its end is going to be."""
    for p in range(ends.shape[0]):
        for s in range(first, last):
            total = 0
            for c in range(s * width + 1, (s + 1) * width):
                here = int64(ends[p, c])
                ends[p, c] = total
                total += here
            totals[p, s + 1] = total


@njit(**OPTIONS)
def _fill(  # type: ignore[no-untyped-def]
    indptr,
    targets,
    delays,
    varies,
    weights,
    heavy,
    part,
    place,
    column,
    kinds,
    kind,
    base,
    width,
    first,
    last,
    ends,
    rows,
    p,
    out,
    out_weights,
    out_lags,
    storing,
    lagging,
):
    """Put part p's synapses into their segments; a cursor moves from a segment's start to its end."""
    for s in range(first, last):
        row = (base + s) * width + 1 + kind
        start = rows[p, base + s]
        for j in range(indptr[s], indptr[s + 1]):
            t = targets[j]
            if part[t] == p:
                d = int64(delays[j]) if varies else int64(delays[0])
                c = row + column[d] * kinds
                at = start + int64(ends[p, c])
                ends[p, c] += 1
                out[at] = place[t]
                if storing:
                    out_weights[at] = weights[j] if heavy else weights[0]
                if lagging:
                    out_lags[at] = d


def build(
    plan: NativePlan,
    bases: Mapping[str, int],
    sources: int,
    places: Mapping[str, tuple[Any, Any]],
    parts: int,
    threads: int,
) -> list[Synapses]:
    """All parts' synapses. bases: first source number of each sending group; places: (part, local cell) of
    each cell of a group.
    """
    chosen = [(plan.program.connections[i], k) for i, k in enumerate(plan.connections) if k is not None]
    ring, kinds = plan.delivery == RING, len(plan.kinds)
    delays = np.zeros(max(plan.delays, default=0) + 1, dtype=np.int64)
    if not ring:
        delays[list(plan.delays)] = np.arange(len(plan.delays))
    width = kinds * (1 if ring else len(plan.delays)) + 1
    ends = np.zeros((parts, sources * width + 1), dtype=np.uint32)
    rows = np.zeros((parts, sources + 1), dtype=np.int64)
    stored = plan.weights or COMMON
    arguments = [(_arrays(c, stored), places[c.post], k, bases[c.pre]) for c, k in chosen]

    def counting(first: int, last: int) -> None:
        for (a, (part, _), kind, base), (low, high) in _ranges(arguments, first, last):
            _count(
                a.indptr,
                a.targets,
                a.delays,
                a.varies,
                part,
                delays,
                kinds,
                kind,
                base,
                width,
                low,
                high,
                ends,
            )
        _cumulate(ends, width, first, last, rows)

    def filling(first: int, last: int) -> None:
        for (a, (part, place), kind, base), (low, high) in _ranges(arguments, first, last):
            for p in range(parts):
                _fill(
                    a.indptr,
                    a.targets,
                    a.delays,
                    a.varies,
                    a.weights,
                    a.heavy,
                    part,
                    place,
                    delays,
                    kinds,
                    kind,
                    base,
                    width,
                    low,
                    high,
                    ends,
                    rows,
                    p,
                    made[p].targets,
                    made[p].weights,
                    made[p].lags,
                    bool(plan.weights),
                    ring,
                )

    pieces = _pieces(arguments, sources, threads)
    _together(counting, pieces)
    np.cumsum(rows, axis=1, out=rows)
    largest = int(np.diff(rows, axis=1).max(initial=0))
    cells = max((int(p.max(initial=0)) for _, p in places.values()), default=0)
    made = [_empty(plan, rows[p], cells, ring) for p in range(parts)]
    _together(filling, pieces)
    for p in range(parts):
        made[p].segments = ends[p].astype(np.uint16 if largest < 65536 else np.uint32)
    return made


@dataclass(frozen=True)
class _Arrays:
    indptr: Ints
    targets: Any
    delays: Any
    varies: bool
    weights: Any
    heavy: bool


def _arrays(c: Connections, stored: str) -> _Arrays:
    """stored: the type of the engine's weights, which a projection's only weight gets."""
    varies, heavy = isinstance(c.delays, np.ndarray), isinstance(c.weights, np.ndarray)
    delays = c.delays if varies else np.array([c.delays], dtype=np.uint16)
    return _Arrays(
        c.indptr,
        c.targets,
        delays,
        varies,
        c.weights if heavy else np.array([c.weights], dtype=stored),
        heavy,
    )


def _empty(plan: NativePlan, rows: Ints, cells: int, ring: bool) -> Synapses:
    n, long = int(rows[-1]), ring and max(plan.delays, default=0) > 255
    return Synapses(
        rows,
        np.zeros(0, dtype=np.uint16),
        np.empty(n, dtype=np.uint16 if cells < 65536 else np.uint32),
        np.empty(n if plan.weights else 0, dtype=plan.weights or COMMON),
        np.array([0.0 if k.weight is None else k.weight for k in plan.kinds] or [0.0], dtype=np.float64),
        np.empty(n if ring else 0, dtype=np.uint16 if long else np.uint8),
    )


def _ranges(arguments: Sequence[Any], first: int, last: int) -> list[tuple[Any, tuple[int, int]]]:
    """The sources first .. last - 1 in each connection's own numbering."""
    out = []
    for a in arguments:
        base, n = a[3], a[0].indptr.size - 1
        low, high = max(first - base, 0), min(last - base, n)
        if low < high:
            out.append((a, (low, high)))
    return out


def _pieces(arguments: Sequence[Any], sources: int, parts: int) -> list[tuple[int, int]]:
    """Ranges of sources with about the same number of synapses, one for each thread."""
    load = np.ones(sources)
    for a, _, _, base in arguments:
        load[base : base + a.indptr.size - 1] += np.diff(a.indptr)
    total = np.concatenate([[0.0], np.cumsum(load)])
    cuts = np.searchsorted(total, np.linspace(0, total[-1], parts + 1))
    cuts[0], cuts[-1] = 0, sources
    return [(int(a), int(b)) for a, b in pairwise(cuts)]


def _together(work: Callable[[int, int], None], pieces: Sequence[tuple[int, int]]) -> None:
    if len(pieces) == 1:
        work(*pieces[0])
        return
    with ThreadPoolExecutor(len(pieces)) as pool:
        for done in [pool.submit(work, a, b) for a, b in pieces]:
            done.result()
