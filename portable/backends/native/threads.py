"""How many threads a network is worth, where the user did not say."""

from __future__ import annotations

import os

from portable.resolve.program import Program

# Cells times steps between two exchanges of spikes: below it, a step takes about as long as waiting for each
# other.
THREADS_ABOVE = 16_000


def worthwhile(program: Program) -> int:
    """Every processor where the network is large enough, else one thread: the spikes are the same."""
    if program.links:
        return 1
    interval = min((c.delay_range()[0] for c in program.connections if c.count), default=100)
    large = sum(g.size for g in program.cells) * min(interval, 100) >= THREADS_ABOVE
    return processors() if large else 1


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
