"""Rows in order: by target group and target, as they are drawn for, then by delay. Compiled.

Each row is sorted by a radix sort of its keys' bytes, which keeps the order of equal ones.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint32, uint64

_BYTE = np.uint64(255)
_SHORT = 24  # entries up to which a row is sorted by insertion


@njit(cache=True, nogil=True)
def _radix(keys, order, spare_keys, spare_order, n, bits, with_order):  # type: ignore[no-untyped-def]
    """Sort keys[:n] (and order[:n] with them), stable. True if the result lies in the spare arrays."""
    count = np.empty(256, dtype=np.int64)
    swapped = False
    a, b, ia, ib = keys, spare_keys, order, spare_order
    for shift in range(0, bits, 8):
        s = uint64(shift)
        count[:] = 0
        for i in range(n):
            count[(uint64(a[i]) >> s) & _BYTE] += 1
        at = 0
        for d in range(256):
            c = count[d]
            count[d] = at
            at += c
        for i in range(n):
            d = (uint64(a[i]) >> s) & _BYTE
            j = count[d]
            b[j] = a[i]
            if with_order:
                ib[j] = ia[i]
            count[d] = j + 1
        a, b, ia, ib = b, a, ib, ia
        swapped = not swapped
    return swapped


@njit(cache=True, nogil=True)
def _insertion(keys, order, n, with_order):  # type: ignore[no-untyped-def]
    for i in range(1, n):
        k, o = keys[i], order[i] if with_order else uint32(0)
        j = i - 1
        while j >= 0 and keys[j] > k:
            keys[j + 1] = keys[j]
            if with_order:
                order[j + 1] = order[j]
            j -= 1
        keys[j + 1] = k
        if with_order:
            order[j + 1] = o


@njit(cache=True, nogil=True)
def longest(lo, hi, indptr):  # type: ignore[no-untyped-def]
    """Entries of the longest row."""
    most = 0
    for row in range(lo, hi):
        most = max(most, indptr[row + 1] - indptr[row])
    return most


@njit(cache=True, nogil=True)
def count_groups(lo, hi, indptr, targets, group, counts):  # type: ignore[no-untyped-def]
    """counts[row, g] = targets of the row in group g."""
    for row in range(lo, hi):
        for slot in range(indptr[row], indptr[row + 1]):
            counts[row, group[targets[slot]]] += 1


@njit(cache=True, nogil=True)
def by_target(  # type: ignore[no-untyped-def]
    lo, hi, indptr, targets, group, position, start, target_bits, bits, out_targets, order, template
):
    """Sort rows lo..hi-1 by target group and target, equal ones as they stand, into the outputs.

    targets: positions in the side; group, position: where those are. start (rows, groups): first output slot.
    order: output slot -> input slot, or empty. `template`: an empty array of the keys' type. The outputs may
    be the inputs where there is one group.
    """
    n_max = longest(lo, hi, indptr)
    with_order = order.size > 0
    keys, spare = np.empty(n_max, dtype=template.dtype), np.empty(n_max, dtype=template.dtype)
    m = n_max if with_order else 1
    own, spare_own = np.empty(m, dtype=np.uint32), np.empty(m, dtype=np.uint32)
    shift = uint64(target_bits)
    mask = (uint64(1) << shift) - uint64(1)
    at = np.empty(start.shape[1], dtype=np.int64)
    for row in range(lo, hi):
        first = indptr[row]
        n = indptr[row + 1] - first
        sorted_already = True
        before = uint64(0)
        for i in range(n):
            t = targets[first + i]
            k = (uint64(group[t]) << shift) | uint64(position[t])
            sorted_already = sorted_already and k >= before
            before = k
            keys[i] = k
            if with_order:
                own[i] = i
        swapped = False
        if not sorted_already:
            if n <= _SHORT:
                _insertion(keys, own, n, with_order)
            else:
                swapped = _radix(keys, own, spare, spare_own, n, bits, with_order)
        result, result_order = (spare, spare_own) if swapped else (keys, own)
        for g in range(at.size):  # slices set to arrays compile the text of an error, which takes seconds
            at[g] = start[row, g]
        for i in range(n):
            k = uint64(result[i])
            g = k >> shift
            slot = at[g]
            at[g] = slot + 1
            out_targets[slot] = k & mask
            if with_order:
                order[slot] = first + result_order[i]


@njit(cache=True, nogil=True)
def by_delay(lo, hi, indptr, targets, delays, weights, bits):  # type: ignore[no-untyped-def]
    """Sort rows lo..hi-1 by delay (of `bits` bits), equal ones as they stand; weights (or none) go with
    them.
    """
    n_max = longest(lo, hi, indptr)
    heavy = weights.size > 0
    keys, spare = np.empty(n_max, dtype=delays.dtype), np.empty(n_max, dtype=delays.dtype)
    own, spare_own = np.empty(n_max, dtype=np.uint32), np.empty(n_max, dtype=np.uint32)
    old_targets = np.empty(n_max, dtype=targets.dtype)
    old_weights = np.empty(n_max if heavy else 1, dtype=weights.dtype)
    for row in range(lo, hi):
        first = indptr[row]
        n = indptr[row + 1] - first
        sorted_already = True
        for i in range(n):
            d = delays[first + i]
            keys[i], own[i] = d, i
            old_targets[i] = targets[first + i]
            if i > 0 and d < keys[i - 1]:
                sorted_already = False
        if sorted_already:
            continue
        if heavy:
            for i in range(n):
                old_weights[i] = weights[first + i]
        swapped = False
        if n <= _SHORT:
            _insertion(keys, own, n, True)
        else:
            swapped = _radix(keys, own, spare, spare_own, n, bits, True)
        result, order = (spare, spare_own) if swapped else (keys, own)
        for i in range(n):
            delays[first + i] = result[i]
            targets[first + i] = old_targets[order[i]]
            if heavy:
                weights[first + i] = old_weights[order[i]]
