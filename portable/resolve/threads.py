"""Blocks of work over threads. The compiled loops release the GIL; what they compute does not depend on the blocks.

Plain threads rather than numba's parallel loops: they compile in a fraction of the time, are safe after a fork and when two
Python threads resolve at once, and numba.set_num_threads governs them too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

SMALL = 20_000  # items below which starting a thread costs more than the work


def blocks(n: int, multiple: int = 1) -> list[tuple[int, int]]:
    """[0, n) in as many ranges as there are threads, each beginning at a multiple of `multiple`."""
    count = numba.get_num_threads() if n >= SMALL else 1
    step = -(-n // (count * multiple)) * multiple
    return [(lo, min(lo + step, n)) for lo in range(0, n, step)] if n else []


def even(indptr: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of rows with about as many entries each."""
    cuts = [np.searchsorted(indptr, lo) for lo, _ in blocks(int(indptr[-1]))]
    ends = [*cuts[1:], indptr.size - 1]
    return [(int(lo), int(hi)) for lo, hi in zip(cuts, ends) if hi > lo]


def run(work: Callable[[int, int], object], ranges: list[tuple[int, int]]) -> None:
    """Call work(lo, hi) for every range, in parallel; the first exception is raised."""
    if len(ranges) <= 1:
        for lo, hi in ranges:
            work(lo, hi)
        return
    with ThreadPoolExecutor(len(ranges)) as pool:
        for done in [pool.submit(work, lo, hi) for lo, hi in ranges]:
            done.result()
