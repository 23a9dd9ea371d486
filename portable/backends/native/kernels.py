"""The compiled code that every program shares: exchange of spikes, delivery, Poisson drives,
sources, traces, currents.

Integers in this file are int64 (indices) or float64, never mixed 32-bit arithmetic: numba would promote it
inside inner loops.
"""

from __future__ import annotations

import numpy as np
from numba import int32, int64, njit, uint64

from portable.backends.addresses import OPTIONS
from portable.resolve.random import LOW, M0, M1, W0, W1

LANES = 64
THRESHOLDS = 8  # Poisson thresholds compared at once; tables are padded to a multiple of it
_32 = np.uint64(32)


@njit(**OPTIONS)
def collect(out, ends, sends, parity, steps, stamp, spikes, position, heads, tails, reach):  # type: ignore[no-untyped-def]
    """Copy the spikes of the last interval (`steps` steps, the first stamped `stamp`) from all parts into
    this part's own history, in the order (step, slice, id), which does not depend on the number of parts.
    False (and nothing done) if they do not fit.

    out (part, parity, place) source numbers; ends (part, parity, step, slice); spikes is circular, heads and
    tails by stamp, too; spikes older than `reach` steps (the longest delay) are not needed any more.
    """
    parts, slices, mask, window = out.shape[0], ends.shape[3], spikes.size - 1, heads.size - 1
    total = 0
    for p in range(parts):
        total += ends[p, parity, steps - 1, slices - 1]
    at = position[0]
    oldest = heads[(stamp - reach) & window] if stamp > reach else int64(0)
    if at + total - oldest > spikes.size:
        return False
    for j in range(steps):
        heads[(stamp + j) & window] = at
        for s in range(slices):
            if sends[s]:
                for p in range(parts):
                    low = (
                        ends[p, parity, j, s - 1]
                        if s > 0
                        else (ends[p, parity, j - 1, slices - 1] if j > 0 else int64(0))
                    )
                    for q in range(low, ends[p, parity, j, s]):
                        spikes[at & mask] = out[p, parity, q]
                        at += 1
        tails[(stamp + j) & window] = at
    position[0] = at
    return True


@njit(**OPTIONS)
def rise(awake, stamp, mark, todo):  # type: ignore[no-untyped-def]
    """todo = the cells that are awake, awake[1:1 + awake[0]], whose list is emptied; how many they are."""
    many = int64(awake[0])
    for i in range(many):
        todo[i] = awake[i + 1]
        mark[todo[i]] = stamp
    awake[0] = 0
    return many


@njit(**OPTIONS)
def order(hits, count):  # type: ignore[no-untyped-def]
    """Sort hits[:count] (Shell's method)."""
    gap = count // 2
    while gap > 0:
        for i in range(gap, count):
            x, j = hits[i], i
            while j >= gap and hits[j - gap] > x:
                hits[j] = hits[j - gap]
                j -= gap
            hits[j] = x
        gap //= 2


@njit(**OPTIONS, forceinline=True)
def draw(key, stamp, first, u):  # type: ignore[no-untyped-def]
    """64 numbers of resolve.random.philox at the counters (first, ..., first + 15; stamp), in the order of
    sources (uint32).
    """
    low, high = uint64(key) & LOW, uint64(key) >> _32
    c1, c2 = uint64(stamp) & LOW, uint64(stamp) >> _32
    for j in range(16):
        x0, x1, x2, x3 = uint64(first) + uint64(j), c1, c2, uint64(0)
        k0, k1 = low, high
        for _ in range(10):
            p0, p1 = M0 * x0, M1 * x2
            x0, x1, x2, x3 = (p1 >> _32) ^ x1 ^ k0, p1 & LOW, (p0 >> _32) ^ x3 ^ k1, p0 & LOW
            k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
        u[4 * j], u[4 * j + 1], u[4 * j + 2], u[4 * j + 3] = x0, x1, x2, x3


@njit(**OPTIONS, forceinline=True)
def count_equal(u, thresholds, low, high, base, n):  # type: ignore[no-untyped-def]
    """n[i] = base + #{m : u[i] > thresholds[m]} for 64 sources of one rate; thresholds are one less than
    resolve.poisson's, ascending, padded. Eight at a time, as long as one of the numbers may be above them.
    """
    top = u[0]
    for i in range(LANES):
        n[i] = int32(base)
        top = max(top, u[i])
    m = low
    while m < high and top > thresholds[m]:
        t0, t1, t2, t3 = thresholds[m], thresholds[m + 1], thresholds[m + 2], thresholds[m + 3]
        t4, t5, t6, t7 = thresholds[m + 4], thresholds[m + 5], thresholds[m + 6], thresholds[m + 7]
        for i in range(LANES):
            x = u[i]
            n[i] += (
                int32(x > t0)
                + int32(x > t1)
                + int32(x > t2)
                + int32(x > t3)
                + int32(x > t4)
                + int32(x > t5)
                + int32(x > t6)
                + int32(x > t7)
            )
        m += 8


@njit(**OPTIONS, forceinline=True)
def count_each(u, thresholds, table, first, size, n):  # type: ignore[no-untyped-def]
    """The same for sources of different rates: table (size, 3) holds low, high and base of each source."""
    for i in range(LANES):
        s = min(first + i, size - 1)
        c, m, high = table[s, 2], table[s, 0], table[s, 1]
        while m < high and u[i] > thresholds[m]:
            m += 1
            c += 1
        n[i] = int32(c)


@njit(**OPTIONS, forceinline=True)
def poisson_counts(row, stamp, first, thresholds, table, u, n):  # type: ignore[no-untyped-def]
    """Counts of the 64 sources from `first` on, stamped `stamp`. row: key, start, stop, size, place in table,
    equal rates.
    """
    draw(row[0], stamp, first // 4, u)
    mine = table[row[4] : row[4] + row[3]]
    if row[5]:
        count_equal(u, thresholds, mine[0, 0], mine[0, 1], mine[0, 2], n)
    else:
        count_each(u, thresholds, mine, first, row[3], n)


@njit(**OPTIONS)
def drive(rows, stamp, sources, thresholds, table, amounts, A, u, n):  # type: ignore[no-untyped-def]
    """Poisson sources of one target each. rows (n, 6): source, delay, place in A, first cell, blocks, place
    in amounts or -1 - place where one weight serves all; sources (n, 6) as in poisson_counts."""
    for d in range(rows.shape[0]):
        row = sources[rows[d, 0]]
        sent = stamp - rows[d, 1]
        if sent > row[1] and sent <= row[2] and sent > 0:
            for b in range(rows[d, 4]):
                poisson_counts(row, sent, rows[d, 3] + b * LANES, thresholds, table, u, n)
                at = rows[d, 2] + b * LANES
                buffer = A[at : at + LANES]
                if rows[d, 5] < 0:
                    w = amounts[-1 - rows[d, 5]]
                    for i in range(LANES):
                        buffer[i] += float(n[i]) * w
                else:
                    at = rows[d, 5] + b * LANES
                    each = amounts[at : at + LANES]
                    for i in range(LANES):
                        buffer[i] += float(n[i]) * each[i]


@njit(**OPTIONS)
def publish(hits, count, stamp, first, source, record, number, mine, at, kept, ids, stamps, kept_at):  # type: ignore[no-untyped-def]
    """Put `count` spikes of a slice into the part's outgoing list (if it has targets) and into the record.
    Returns the new lengths.
    """
    if source >= 0:
        for q in range(count):
            mine[at + q] = int32(source + first + hits[q])
        at += count
    if record >= 0:
        for q in range(count):
            if kept[record + hits[q]]:
                ids[kept_at] = int32(number + first + hits[q])
                stamps[kept_at] = stamp
                kept_at += 1
    return at, kept_at


@njit(**OPTIONS)
def fire_poisson(row, stamp, first, valid, thresholds, table, u, n, hits):  # type: ignore[no-untyped-def]
    """Spikes of a slice of Poisson sources, as often as they occur."""
    count = 0
    if stamp > row[1] and stamp <= row[2]:
        for b in range((valid + LANES - 1) // LANES):
            poisson_counts(row, stamp, first + b * LANES, thresholds, table, u, n)
            for i in range(min(LANES, valid - b * LANES)):
                for _ in range(n[i]):
                    hits[count] = int32(b * LANES + i)
                    count += 1
    return count


@njit(**OPTIONS)
def fire_trains(stamp, low, high, steps, ids, cursor, slot, hits):  # type: ignore[no-untyped-def]
    """Spikes of given trains: ids and steps [low:high] are sorted by step; cursor[slot] remembers the
    place.
    """
    at, count = max(low, cursor[slot]), 0
    while at < high and steps[at] <= stamp:
        if steps[at] == stamp:
            hits[count] = ids[at]
            count += 1
        at += 1
    cursor[slot] = at
    return count


@njit(**OPTIONS)
def sample(traces, cells, columns, stamp, first, F, values):  # type: ignore[no-untyped-def]
    """Record states. traces (n, 5): every, low, high (of cells and columns), offset in values, columns of the
    whole trace.
    """
    for r in range(traces.shape[0]):
        every = traces[r, 0]
        if stamp % every == 0:
            row = traces[r, 3] + (stamp // every - (first // every + 1)) * traces[r, 4]
            for j in range(traces[r, 1], traces[r, 2]):
                values[row + columns[j]] = F[cells[j]]


@njit(**OPTIONS)
def before(times, low, high, step):  # type: ignore[no-untyped-def]
    """Place behind the last of times[low:high], which are sorted, that is <= step."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] <= step:
            low = middle + 1
        else:
            high = middle
    return low


@njit(**OPTIONS)
def inject(step, currents, times, amplitudes, places, columns, F):  # type: ignore[no-untyped-def]
    """Set the injected currents of every slice in which one changes at `step`. currents (n, 8): slice, low
    and high of times, place of the amplitudes, distance between cells in them, low and high of places, 1 for
    the first current of its slice. Sums are formed anew in the order of currents, so that they are the same
    in one run or in pieces."""
    n = currents.shape[0]
    r = 0
    while r < n:
        last, changed = r, False
        while last < n and currents[last, 0] == currents[r, 0]:
            at = before(times, currents[last, 1], currents[last, 2], step)
            changed = changed or (at > currents[last, 1] and times[at - 1] == step)
            last += 1
        if changed:
            for c in range(r, last):
                for j in range(currents[c, 5], currents[c, 6]):
                    F[places[j]] = 0.0
            for c in range(r, last):
                m = before(times, currents[c, 1], currents[c, 2], step) - currents[c, 1] - 1
                if m >= 0:
                    for j in range(currents[c, 5], currents[c, 6]):
                        F[places[j]] += amplitudes[currents[c, 3] + columns[j] * currents[c, 4] + m]
        r = last
