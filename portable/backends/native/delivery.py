"""Delivery: the synapses of spikes that are due, added to the arrivals of cells. Compiled for the types of a
program's synapses, which code.delivery writes before this text; the loop, which knows none of them, calls the
functions at the end by address.

Integers are int64 (indices) or float64, as in kernels.py.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint64

from portable.backends.addresses import OPTIONS, invoke, view
from portable.backends.native.tables import AT, KIND
from portable.backends.native.waiting import prefetch

# code.delivery writes a program's own types here
SEGMENTS, TARGETS, WEIGHTS, LAGS = np.uint16, np.uint16, np.float32, np.uint8
AHEAD = 12  # how many segments ahead synapses are asked for
LONG = 256  # synapses of a segment that are asked for at most
FLOAT = 8  # bytes


@njit(**OPTIONS, forceinline=True)
def add_segment(buffer, targets, weights, low, high):  # type: ignore[no-untyped-def]
    for j in range(uint64(low), uint64(high)):  # unsigned: numba need not ask whether an index is negative
        buffer[targets[j]] += weights[j]


@njit(**OPTIONS, forceinline=True)
def add_equal(buffer, targets, weight, low, high):  # type: ignore[no-untyped-def]
    for j in range(uint64(low), uint64(high)):
        buffer[targets[j]] += weight


@njit(**OPTIONS, forceinline=True)
def ask(targets, weights, low, high):  # type: ignore[no-untyped-def]
    """Ask for the memory of a segment; of a long one for what comes first."""
    for j in range(low, min(high, low + LONG), 32):
        prefetch(targets, j)
    if weights.size > 0:
        for j in range(low, min(high, low + LONG), 16):
            prefetch(weights, j)


@njit(**OPTIONS)
def add_segments(edges, n, kinds, targets, weights, equal, A, cells):  # type: ignore[no-untyped-def]
    """Add the segments edges[:n] (begin, end, kind) to the arrivals of their channels, in that order."""
    for i in range(min(AHEAD, n)):
        ask(targets, weights, edges[i, 0], edges[i, 1])
    for i in range(n):
        if i + AHEAD < n:
            ask(targets, weights, edges[i + AHEAD, 0], edges[i + AHEAD, 1])
        a, b, kind = edges[i, 0], edges[i, 1], edges[i, 2]
        buffer = A[kinds[kind, 0] * cells : (kinds[kind, 0] + 1) * cells]
        if kinds[kind, 1] < 0:
            add_segment(buffer, targets, weights, a, b)
        else:
            add_equal(buffer, targets, equal[kinds[kind, 1]], a, b)


@njit(**OPTIONS)
def reach(edges, n, stamp, targets, mark, todo, many):  # type: ignore[no-untyped-def]
    """Put the targets of the segments edges[:n] that are not yet in todo[:many] there; the new length. mark:
    stamp at which a cell was put there last.
    """
    for i in range(n):
        for j in range(edges[i, 0], edges[i, 1]):
            t = int64(targets[j])
            if mark[t] != stamp:
                mark[t] = stamp
                todo[many] = t
                many += 1
    return many


@njit(**OPTIONS, forceinline=True)
def tables(here, sizes):  # type: ignore[no-untyped-def]
    """The addresses and the shapes of a part's arrays."""
    return view(here, (len(AT),), np.int64), view(sizes, (len(AT), 4), np.int64)


@njit(**OPTIONS, forceinline=True)
def history(at, of):  # type: ignore[no-untyped-def]
    """spikes, heads, tails."""
    return (
        view(at[AT.spikes], (of[AT.spikes, 0],), np.int32),
        view(at[AT.heads], (of[AT.heads, 0],), np.int64),
        view(at[AT.tails], (of[AT.tails, 0],), np.int64),
    )


@njit(**OPTIONS, forceinline=True)
def synapses(at, of):  # type: ignore[no-untyped-def]
    """kinds, rows, segments, targets, weights, equal."""
    return (
        view(at[AT.kinds], (of[AT.kinds, 0], of[AT.kinds, 1]), np.int64),
        view(at[AT.rows], (of[AT.rows, 0],), np.int64),
        view(at[AT.segments], (of[AT.segments, 0],), SEGMENTS),
        view(at[AT.targets], (of[AT.targets, 0],), TARGETS),
        view(at[AT.weights], (of[AT.weights, 0],), WEIGHTS),
        view(at[AT.equal], (of[AT.equal, 0],), np.float64),
    )


def as_due(here, sizes, stamp, arrivals, slot, cells, many):  # type: ignore[no-untyped-def]
    """Add to the arrivals of `stamp` every segment that is due: spikes stamped stamp - d, synapses of delay
    d, for each delay d.

    segments[(kinds * delays + 1) * source + column] are ends relative to rows[source]; kinds (n, 3): channel,
    row in `equal` or -1, place of scalars. Segments lie anywhere in memory, and many are empty: those that
    are not are collected in `edges`, whatever their delay, and while one is added those AHEAD of it are on
    their way. Where cells sleep (`mark` is not empty), those reached are put into `todo` behind `many`;
    the new number is the result. The arrivals of `stamp` are `slot` numbers at the address `arrivals`.
    """
    at, of = tables(here, sizes)
    spikes, heads, tails = history(at, of)
    kinds, rows, segments, targets, weights, equal = synapses(at, of)
    delays = view(at[AT.delays], (of[AT.delays, 0],), np.int64)
    edges = view(at[AT.edges], (of[AT.edges, 0], of[AT.edges, 1]), np.int64)
    mark = view(at[AT.mark], (of[AT.mark, 0],), np.int64)
    todo = view(at[AT.todo], (of[AT.todo, 0],), np.int32)
    A = view(arrivals, (slot,), np.float64)
    mask, window, count = spikes.size - 1, heads.size - 1, kinds.shape[0]
    width, room, n = count * delays.size + 1, edges.shape[0] - count, 0
    for column in range(delays.size):
        sent = stamp - delays[column]
        if sent < 1:
            break
        for q in range(heads[sent & window], tails[sent & window]):
            source = int64(spikes[q & mask])
            place = source * width + column * count
            base = rows[source]
            a = base + int64(segments[place])
            for kind in range(count):
                b = base + int64(segments[place + kind + 1])
                edges[n, 0], edges[n, 1], edges[n, 2] = a, b, kind
                n += int64(a < b) & int64(kinds[kind, 0] >= 0)
                a = b
            if n > room:
                add_segments(edges, n, kinds, targets, weights, equal, A, cells)
                if mark.size > 0:
                    many = reach(edges, n, stamp, targets, mark, todo, many)
                n = 0
    add_segments(edges, n, kinds, targets, weights, equal, A, cells)
    return reach(edges, n, stamp, targets, mark, todo, many) if mark.size > 0 else many


def ahead_of_time(here, sizes, stamp, steps, cells, channels):  # type: ignore[no-untyped-def]
    """Ring buffers: add every synapse of the spikes stamped stamp .. stamp + steps - 1 to the arrivals of its
    own time.
    """
    at, of = tables(here, sizes)
    spikes, heads, tails = history(at, of)
    kinds, rows, segments, targets, weights, equal = synapses(at, of)
    lags = view(at[AT.lags], (of[AT.lags, 0],), LAGS)
    A = view(at[AT.A], (of[AT.A, 0],), np.float64)
    mask, window, count = spikes.size - 1, heads.size - 1, kinds.shape[0]
    slot = channels * cells
    ring = A.size // slot - 1
    for sent in range(stamp, stamp + steps):
        for q in range(heads[sent & window], tails[sent & window]):
            source = int64(spikes[q & mask])
            base = rows[source]
            place = source * (count + 1)
            for kind in range(count):
                a, b = base + int64(segments[place + kind]), base + int64(segments[place + kind + 1])
                offset = kinds[kind, 0] * cells
                if kinds[kind, 1] < 0:
                    for j in range(a, b):
                        A[uint64(((sent + int64(lags[j])) & ring) * slot + offset + int64(targets[j]))] += (
                            weights[j]
                        )
                else:
                    w = equal[kinds[kind, 1]]
                    for j in range(a, b):
                        A[uint64(((sent + int64(lags[j])) & ring) * slot + offset + int64(targets[j]))] += w
    return 0


def one_by_one(here, sizes, stamp, dt):  # type: ignore[no-untyped-def]
    """Arrivals that are handled one by one. Port after port, the oldest spikes first: an update that reads
    the state may depend on the order.
    """
    at, of = tables(here, sizes)
    spikes, heads, tails = history(at, of)
    kinds, rows, segments, targets, weights, equal = synapses(at, of)
    delays = view(at[AT.delays], (of[AT.delays, 0],), np.int64)
    where = view(at[AT.where], (of[AT.where, 0],), np.int64)
    codes = view(at[AT.codes], (of[AT.codes, 0],), np.int64)
    t = stamp * dt
    mask, window, many = spikes.size - 1, heads.size - 1, kinds.shape[0]
    width = many * delays.size + 1
    for kind in range(many):
        if kinds[kind, KIND.channel] >= 0:
            continue
        code, one = codes[kinds[kind, KIND.handler]], kinds[kind, KIND.weight]
        mine = at[AT.C] + FLOAT * kinds[kind, KIND.scalars]
        for column in range(delays.size - 1, -1, -1):
            sent = stamp - delays[column]
            if sent < 1:
                continue
            for q in range(heads[sent & window], tails[sent & window]):
                source = int64(spikes[q & mask])
                place = source * width + column * many + kind
                begin, end = int64(segments[place]), int64(segments[place + 1])
                for j in range(rows[source] + begin, rows[source] + end):
                    w = np.float64(weights[j]) if one < 0 else equal[one]
                    invoke(code, (at[AT.F] + FLOAT * where[targets[j]], mine, w, t))
    return 0
