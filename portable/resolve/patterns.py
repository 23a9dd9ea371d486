"""Compiled loops of the connectors. Rows are sources unless a docstring says otherwise.

Cells are compared by identity through `pre_cell` and `post_cell`: one int64 for each position of a side,
equal for the same cell. Every draw is a function of (key, slot or row), so ranges of rows may run in any
order on any thread.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from portable.resolve.random import BLOCK, LOW, ln, uniform53, words, words_block

_32 = np.uint64(32)
_PAIRS = 16  # of gaps drawn at once
_AGAIN = 1 << 20  # attempts from here on replace draws that met the cell itself


@njit(inline="always", cache=True)
def lane(w, i):  # type: ignore[no-untyped-def]
    """Element i of a tuple of four numbers."""
    if i < 2:
        return w[0] if i == 0 else w[1]
    return w[2] if i == 2 else w[3]


@njit(cache=True, nogil=True)
def pick(key, slot, n, attempt):  # type: ignore[no-untyped-def]
    """A number in [0, n) without bias (Lemire 2019, doi:10.1145/3230636), from this attempt on."""
    unfair = (uint64(1) << _32) % uint64(n)
    while True:
        m = lane(words(key, uint64(slot >> 2), attempt), slot & 3) * uint64(n)
        if (m & LOW) >= unfair:
            return m >> _32
        attempt += 1


@njit(cache=True, nogil=True)
def _picks_block(key, first, n, w):  # type: ignore[no-untyped-def]
    """w[j*BLOCK + i] = a number in [0, n) for slot first + 4*i + j; `first` is a multiple of 4."""
    words_block(key, first >> 2, w)
    unfair = (uint64(1) << _32) % uint64(n)
    for i in range(4 * BLOCK):
        w[i] = w[i] * uint64(n)
    for i in range(4 * BLOCK):
        if (w[i] & LOW) < unfair:
            w[i] = pick(key, first + 4 * (i % BLOCK) + i // BLOCK, n, 1) << _32


@njit(cache=True, nogil=True)
def picks(key, first, out, n):  # type: ignore[no-untyped-def]
    """out[i] = a number in [0, n) for slot first + i."""
    w, line = np.empty(4 * BLOCK, dtype=np.uint64), np.empty(4 * BLOCK, dtype=out.dtype)
    for begin in range(first - (first & 3), first + out.size, 4 * BLOCK):
        _picks_block(key, begin, n, w)
        for i in range(BLOCK):
            for j in range(4):
                line[4 * i + j] = w[j * BLOCK + i] >> _32
        skip = max(0, first - begin)
        last = min(4 * BLOCK, first + out.size - begin)
        # a slice's assignment compiles the text of its error, which takes seconds
        for i in range(skip, last):
            out[begin + i - first] = line[i]


@njit(cache=True, nogil=True)
def picks_of_rows(key, lo, hi, indptr, whole, out, n):  # type: ignore[no-untyped-def]
    """picks() for the rows lo..hi-1, which start at slot whole[row] and lie at indptr[row] of `out`: for rows
    that are not one after another in the whole.
    """
    for row in range(lo, hi):
        for i in range(indptr[row + 1] - indptr[row]):
            out[indptr[row] + i] = pick(key, whole[row] + i, n, 0)


@njit(cache=True, nogil=True)
def histogram(key, lo, hi, weight, most, out):  # type: ignore[no-untyped-def]
    """Count draws lo..hi-1 of a row with probability proportional to weight[row] <= most. `lo` is a multiple
    of 4.
    """
    w = np.empty(4 * BLOCK, dtype=np.uint64)
    for begin in range(lo, hi, 4 * BLOCK):
        _picks_block(key, begin, out.size, w)
        for i in range(4 * BLOCK):
            slot = begin + 4 * (i % BLOCK) + i // BLOCK
            row = w[i] >> _32
            attempt = _AGAIN
            while weight[row] < most and pick(key, slot, most, attempt + 1) >= uint64(weight[row]):
                attempt += _AGAIN
                row = pick(key, slot, out.size, attempt)
            if slot < hi:
                out[row] += 1


@njit(cache=True, nogil=True)
def without_replacement(key, k, room, most, out):  # type: ignore[no-untyped-def]
    """Row counts of k distinct pairs where row r has room[r] <= most pairs: one pair after another, an
    occupied one is drawn again.
    """
    n = out.size
    slot = 0
    made = 0
    while made < k:
        row = pick(key, 2 * slot, n, 0)
        if pick(key, 2 * slot + 1, most, 0) < uint64(room[row] - out[row]):
            out[row] += 1
            made += 1
        slot += 1


@njit(cache=True, nogil=True)
def not_self(key, lo, hi, indptr, whole, targets, pre_cell, post_cell):  # type: ignore[no-untyped-def]
    """Draw again where a row met its own cell; whole[row]: its first slot in the whole."""
    for row in range(lo, hi):
        for slot in range(indptr[row], indptr[row + 1]):
            attempt = _AGAIN
            while post_cell[targets[slot]] == pre_cell[row]:
                targets[slot] = pick(key, whole[row] + slot - indptr[row], post_cell.size, attempt)
                attempt += _AGAIN


@njit(cache=True, nogil=True)
def distinct(key, lo, hi, indptr, targets, own_cell, other_cell, room, no_self):  # type: ignore[no-untyped-def]
    """Rows of distinct numbers in [0, n), sorted; with no_self not those whose cell is the row's own.
    room[row]: how many there are.
    """
    n = other_cell.size
    mark = np.full(n, -1, dtype=np.int64)
    for row in range(lo, hi):
        want = indptr[row + 1] - indptr[row]
        if want == 0:
            continue
        few = want if 2 * want <= room[row] else room[row] - want  # else draw the ones to leave out
        made = 0
        attempt = 0
        w = words(key, uint64(row), 0)
        while made < few:
            if attempt & 3 == 0:
                w = words(key, uint64(row), attempt >> 2)
            m = lane(w, attempt & 3) * uint64(n)
            attempt += 1
            if (m & LOW) < (uint64(1) << _32) % uint64(n):
                continue
            c = np.int64(m >> _32)
            if mark[c] != row and not (no_self and other_cell[c] == own_cell[row]):
                mark[c] = row
                made += 1
        chosen = few == want
        slot = indptr[row]
        for i in range(n):
            if (mark[i] == row) == chosen and not (no_self and other_cell[i] == own_cell[row]):
                if slot < indptr[row + 1]:
                    targets[slot] = i
                slot += 1


@njit(cache=True, nogil=True)
def every(lo, hi, indptr, targets, pre_cell, post_cell, no_self):  # type: ignore[no-untyped-def]
    """Rows of all targets in order."""
    for row in range(lo, hi):
        slot = indptr[row]
        for i in range(post_cell.size):
            if not (no_self and post_cell[i] == pre_cell[row]):
                targets[slot] = i
                slot += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _gaps(key, row, first, scale, out):  # type: ignore[no-untyped-def]
    """out[j], out[PAIRS + j] = geometric gaps number 2*(first + j) and the next of a row."""
    for j in range(_PAIRS):
        w = words(key, uint64(row), uint64(first + j))
        out[j], out[_PAIRS + j] = uniform53(w[0], w[1]), uniform53(w[2], w[3])
    for j in range(2 * _PAIRS):
        out[j] = 1.0 + math.floor(ln(1.0 - out[j]) * scale)


@njit(cache=True, nogil=True, error_model="numpy")
def probability(key, lo, hi, p, pre_cell, post_cell, no_self, counts, indptr, targets):  # type: ignore[no-untyped-def]
    """Each target with probability 0 < p < 1 by skipping geometric gaps. Counts rows if `targets` is empty,
    else fills them.
    """
    n = post_cell.size
    scale = 1.0 / math.log1p(-p)
    gaps = np.empty(2 * _PAIRS)
    for row in range(lo, hi):
        slot = indptr[row] if targets.size else 0
        at = -1.0
        pair = 0
        while at < n:
            _gaps(key, row, pair, scale, gaps)
            for draw in range(2 * _PAIRS):
                at += gaps[(draw >> 1) + _PAIRS * (draw & 1)]
                if at >= n:
                    break
                if no_self and post_cell[int(at)] == pre_cell[row]:
                    continue
                if targets.size:
                    targets[slot] = int(at)
                slot += 1
            pair += _PAIRS
        if not targets.size:
            counts[row] = slot


@njit(cache=True, nogil=True)
def count_columns(columns, out):  # type: ignore[no-untyped-def]
    """out[c] += how often c occurs."""
    for c in columns:
        out[c] += 1


@njit(cache=True, nogil=True)
def transpose(lo, hi, indptr, columns, at, targets):  # type: ignore[no-untyped-def]
    """Row r of `columns` becomes target r of each of its sources; at[c] is where the next one of source c
    goes.
    """
    for row in range(lo, hi):
        for slot in range(indptr[row], indptr[row + 1]):
            c = columns[slot]
            targets[at[c]] = row
            at[c] += 1


@njit(cache=True, nogil=True)
def by_row(rows, at, order):  # type: ignore[no-untyped-def]
    """The stable order by row; at[r] is where the next entry of row r goes."""
    for i in range(rows.size):
        r = rows[i]
        order[at[r]] = i
        at[r] += 1
