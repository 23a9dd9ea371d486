"""Comparing two spike lists: which spikes have a partner, and where the lists first part.

A list is a multiset of (id, step): a source that spikes twice in a step counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from portable.resolve.program import Ints
from portable.results import SpikeTable


@dataclass(frozen=True)
class Match:
    """Spikes of two lists that have a partner, one to one: at the same step (`equal`), or at most one step away (`near`).

    first is (step, id, times in a, times in b) of the first entry that differs, None where the lists are identical.
    """

    equal: int
    near: int
    first: tuple[int, int, int, int] | None


def match(a: SpikeTable, b: SpikeTable) -> Match:
    """Match the spikes of two tables of one population."""
    keys, (in_a, in_b) = _counted(a, b)
    differ = np.flatnonzero(in_a != in_b)
    first = None
    if differ.size:
        width = _width(a, b)
        steps, ids = keys[differ] % width, keys[differ] // width
        at = np.lexsort((ids, steps))[0]
        first = (int(steps[at]), int(ids[at]), int(in_a[differ[at]]), int(in_b[differ[at]]))
    equal = int(np.minimum(in_a, in_b).sum())
    near = equal if first is None else int(_partners(np.sort(_keys(a, b, a)), np.sort(_keys(a, b, b))))
    return Match(equal, near, first)


def _width(a: SpikeTable, b: SpikeTable) -> int:
    """Room for one id's steps in a key; two to spare, so that spikes of different ids are never one step apart."""
    last = [int(t.steps[-1]) for t in (a, b) if len(t)]
    return max(last, default=0) + 3


def _keys(a: SpikeTable, b: SpikeTable, of: SpikeTable) -> Ints:
    return np.asarray(of.ids * _width(a, b) + of.steps)


def _counted(a: SpikeTable, b: SpikeTable) -> tuple[Ints, tuple[Ints, Ints]]:
    """The distinct (id, step) of both, and how often each list has them."""
    both = np.concatenate([_keys(a, b, a), _keys(a, b, b)])
    keys, where = np.unique(both, return_inverse=True)
    n = keys.size
    counted = [np.bincount(part, minlength=n) for part in (where[: len(a)], where[len(a) :])]
    return keys, (counted[0], counted[1])


@njit(cache=True)
def _partners(a, b):  # type: ignore[no-untyped-def]
    """Largest one-to-one matching of two sorted lists of numbers at most 1 apart.

    Taking the earliest free partner is optimal, as all intervals have one length.
    """
    i, j, found = 0, 0, 0
    while i < a.size and j < b.size:
        if a[i] - b[j] > 1:
            j += 1
        elif b[j] - a[i] > 1:
            i += 1
        else:
            found, i, j = found + 1, i + 1, j + 1
    return found
