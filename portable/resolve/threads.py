"""Blocks of work over threads. The compiled loops release the GIL; what they compute does not depend on the
blocks.

Plain threads rather than numba's parallel loops: they compile in a fraction of the time, leave no pool
behind, and are safe after a fork and when two Python threads resolve at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise

import numpy as np
import numpy.typing as npt

SMALL = 20_000  # items below which starting a thread costs more than the work
_THREADS: ContextVar[int] = ContextVar("threads", default=0)  # 0: as many as there are processors


@contextmanager
def using(threads: int | None) -> Iterator[None]:
    """Use this many threads inside (None: one for each processor that this process may use)."""
    token = _THREADS.set(threads or 0)
    try:
        yield
    finally:
        _THREADS.reset(token)


def threads_now() -> int:
    """How many threads work is shared among."""
    if _THREADS.get():
        return _THREADS.get()
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blocks(n: int, multiple: int = 1) -> list[tuple[int, int]]:
    """[0, n) in as many ranges as there are threads, each beginning at a multiple of `multiple`."""
    count = threads_now() if n >= SMALL else 1
    step = -(-n // (count * multiple)) * multiple
    return [(lo, min(lo + step, n)) for lo in range(0, n, step)] if n else []


def even(indptr: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of rows with about as many entries each."""
    cuts = [int(np.searchsorted(indptr, lo)) for lo, _ in blocks(int(indptr[-1]))]
    return [(lo, hi) for lo, hi in zip(cuts, [*cuts[1:], indptr.size - 1], strict=False) if hi > lo]


def portions(indptr: npt.NDArray[np.int64], lo: int, hi: int, entries: int) -> list[tuple[int, int]]:
    """Rows lo..hi-1 in ranges of about `entries` entries each, so that what one step writes is still in the
    cache for the next.
    """
    starts = np.arange(indptr[lo], indptr[hi], entries)
    cuts = np.unique(np.append(np.searchsorted(indptr[lo:hi], starts) + lo, hi)).tolist()
    return [(a, b) for a, b in pairwise(cuts) if indptr[b] > indptr[a]]


def run(work: Callable[[int, int], object], ranges: list[tuple[int, int]]) -> None:
    """Call work(lo, hi) for every range, in parallel; the first exception is raised."""
    if len(ranges) <= 1:
        for lo, hi in ranges:
            work(lo, hi)
        return
    with ThreadPoolExecutor(len(ranges)) as pool:
        for done in [pool.submit(work, lo, hi) for lo, hi in ranges]:
            done.result()
