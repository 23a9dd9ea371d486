"""Comparing two spike lists: which spikes have a partner, and where the lists first part.

A list is a multiset of (id, step): a source that spikes twice in a step counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from portable.resolve.program import Ints
from portable.results.tables import SpikeTable


@dataclass(frozen=True)
class Match:
    """Spikes of two lists that have a partner, one to one: at the same step (`equal`), or at most one step
    away (`near`).

    first is (step, id, times in a, times in b) of the first entry that differs, None where the lists are
    identical.
    """

    equal: int
    near: int
    first: tuple[int, int, int, int] | None


def match(a: SpikeTable, b: SpikeTable) -> Match:
    """Match the spikes of two tables of one population (sorted by step, then id, as every SpikeTable is)."""
    if np.array_equal(a.steps, b.steps) and np.array_equal(a.ids, b.ids):
        return Match(len(a), len(a), None)
    equal = int(_equal(a.steps, a.ids, b.steps, b.ids))
    width = (
        max([int(t.steps[-1]) for t in (a, b) if len(t)]) + 3
    )  # two to spare: spikes of different ids are never one step apart
    near = int(_partners(np.sort(a.ids * width + a.steps), np.sort(b.ids * width + b.steps)))
    return Match(equal, near, _first(a, b))


def _first(a: SpikeTable, b: SpikeTable) -> tuple[int, int, int, int]:
    """The first (step, id) that one list has more often: where the sorted lists part, the smaller of the two
    entries.
    """
    n = min(len(a), len(b))
    parted = np.flatnonzero((a.steps[:n] != b.steps[:n]) | (a.ids[:n] != b.ids[:n]))
    at = int(parted[0]) if parted.size else n
    step, neuron = min((int(t.steps[at]), int(t.ids[at])) for t in (a, b) if at < len(t))
    return step, neuron, _times(a, step, neuron), _times(b, step, neuron)


def _times(t: SpikeTable, step: int, neuron: int) -> int:
    low, high = np.searchsorted(t.steps, [step, step + 1])
    return int(np.count_nonzero(t.ids[low:high] == neuron))


def unpaired(a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """(keys, how many times more often on one side) of two multisets of whole numbers in any order; keys
    sorted, 0 where both have as many.
    """
    keys, where = np.unique(np.concatenate([a, b]), return_inverse=True)
    n = np.bincount(where[: a.size], minlength=keys.size) - np.bincount(where[a.size :], minlength=keys.size)
    return keys, np.abs(n)


@njit(cache=True)
def _equal(steps_a, ids_a, steps_b, ids_b):  # type: ignore[no-untyped-def]
    """Number of entries that two lists sorted by (step, id) share, with repeats."""
    i, j, found = 0, 0, 0
    while i < steps_a.size and j < steps_b.size:
        if steps_a[i] == steps_b[j] and ids_a[i] == ids_b[j]:
            found, i, j = found + 1, i + 1, j + 1
        elif steps_a[i] < steps_b[j] or (steps_a[i] == steps_b[j] and ids_a[i] < ids_b[j]):
            i += 1
        else:
            j += 1
    return found


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
