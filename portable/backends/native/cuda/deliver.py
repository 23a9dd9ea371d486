"""Device functions that every network shares. `me` of `total` threads; functions that all threads call leave
out what is another's. Integers are int64, numbers float64.

Nothing here depends on the order of threads: a weight's sums are exact where all weights lie on one grid
(resolve/grid.py), each cell and each source belongs to one thread, and spikes are sorted when they are read.
"""

from __future__ import annotations

from typing import Any

from numba import cuda, float64, int64, uint64

from portable.backends.native import kernels
from portable.backends.native.cuda import simulated
from portable.backends.native.tables import SLICE
from portable.resolve import random

HALF = 0xFFFFFFFF
device: Any = cuda.jit(device=True)


if simulated():

    @device
    def product(a, b):  # type: ignore[no-untyped-def]
        return float64(a) * float64(b)

else:
    from numba.cuda import libdevice

    @device
    def product(a, b):  # type: ignore[no-untyped-def]
        """a * b that is rounded: the device's compiler would fuse it with a sum that follows."""
        return libdevice.dmul_rn(float64(a), float64(b))


philox4, before = device(random.philox4.py_func), device(kernels.before.py_func)


@device
def number(key, stamp, source):  # type: ignore[no-untyped-def]
    """resolve.random.philox of a source at a stamp: 32 bits. key: its 64 bits as int64."""
    shift, when = uint64(32), uint64(stamp)
    bits = uint64(key & HALF) | (uint64((key >> 32) & HALF) << shift)
    x0, x1, x2, x3 = philox4(bits, uint64(source // 4), when & uint64(HALF), when >> shift, uint64(0))
    which = source % 4
    return x0 if which == 0 else x1 if which == 1 else x2 if which == 2 else x3


@device
def poisson(row, stamp, source, thresholds, table):  # type: ignore[no-untyped-def]
    """Spikes of a Poisson source at a stamp; row as in kernels.poisson_counts."""
    if stamp <= row[1] or stamp > row[2] or stamp < 1:
        return int64(0)
    s = row[4] + (0 if row[5] else min(source, row[3] - 1))
    m, high, count = table[s, 0], table[s, 1], table[s, 2]
    u = number(row[0], stamp, source)
    while m < high and u > uint64(thresholds[m]):
        m += 1
        count += 1
    return count


@device
def drive(s, source, stamp, drives, sources, thresholds, table, amounts, A):  # type: ignore[no-untyped-def]
    """kernels.drive for one cell of slice `s`, the column of drives that code.py adds."""
    for d in range(drives.shape[0]):
        if drives[d, 6] == s:
            n = poisson(sources[drives[d, 0]], stamp - drives[d, 1], source, thresholds, table)
            if n > 0:
                at = drives[d, 5]
                w = amounts[-1 - at] if at < 0 else amounts[at + source]
                A[drives[d, 2] + source] += product(n, w)


@device
def deliver(stamp, spikes, counts, delays, kinds, rows, segments, targets, weights, equal, A, cells):  # type: ignore[no-untyped-def]
    """Add every synapse that is due at `stamp`: a block of threads for each spike."""
    window, many = counts.size - 1, kinds.shape[0]
    width = many * delays.size + 1
    for column in range(delays.size):
        sent = stamp - delays[column]
        if sent < 1:
            break
        place = sent & window
        for q in range(cuda.blockIdx.x, counts[place], cuda.gridDim.x):
            source = int64(spikes[place, q])
            at, base = source * width + column * many, rows[source]
            a = base + int64(segments[at])
            for kind in range(many):
                b = base + int64(segments[at + kind + 1])
                first, one = kinds[kind, 0] * cells, kinds[kind, 1]
                for j in range(a + cuda.threadIdx.x, b, cuda.blockDim.x):
                    w = float64(weights[j]) if one < 0 else equal[one]
                    cuda.atomic.add(A, first + int64(targets[j]), w)
                a = b


@device
def fire(row, cell, stamp, spikes, counts, kept, record):  # type: ignore[no-untyped-def]
    """A spike of a cell of a slice: for its targets, and for whoever reads it. record: ids, stamps, how
    many.
    """
    if row[SLICE.source] >= 0:
        place = stamp & (counts.size - 1)
        spikes[place, cuda.atomic.add(counts, place, 1)] = row[SLICE.source] + cell
    if row[SLICE.record] >= 0 and kept[row[SLICE.record] + cell]:
        q = cuda.atomic.add(record[2], 0, 1)
        record[0][q] = row[SLICE.number] + cell
        record[1][q] = stamp


@device
def inject(step, currents, times, amplitudes, places, columns, F, me, total):  # type: ignore[no-untyped-def]
    """kernels.inject; a cell's sum is formed by one thread, in the order of currents."""
    n, r = currents.shape[0], 0
    while r < n:
        last, changed = r, False
        while last < n and currents[last, 0] == currents[r, 0]:
            at = before(times, currents[last, 1], currents[last, 2], step)
            changed = changed or (at > currents[last, 1] and times[at - 1] == step)
            last += 1
        if changed:
            for fresh in range(2):
                for c in range(r, last):
                    m = before(times, currents[c, 1], currents[c, 2], step) - currents[c, 1] - 1
                    for j in range(currents[c, 5], currents[c, 6]):
                        if places[j] % total != me:
                            continue
                        if fresh == 0:
                            F[places[j]] = 0.0
                        elif m >= 0:
                            F[places[j]] += amplitudes[currents[c, 3] + columns[j] * currents[c, 4] + m]
        r = last


@device
def sample(traces, cells, columns, stamp, first, F, values, me, total):  # type: ignore[no-untyped-def]
    """kernels.sample."""
    for r in range(traces.shape[0]):
        every = traces[r, 0]
        if stamp % every == 0:
            row = traces[r, 3] + (stamp // every - (first // every + 1)) * traces[r, 4]
            for j in range(traces[r, 1] + me, traces[r, 2], total):
                values[row + columns[j]] = F[cells[j]]
