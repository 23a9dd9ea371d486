"""Level 6: what each backend took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from portable.validation.levels.ran import Ran, of
from portable.validation.verdicts import COST, NOT_RUN, PASS, Cost, LevelVerdict

PHASES = ("resolve", "lower", "build", "compile", "run", "collect")


def cost(runs: Sequence[Ran], backend: str) -> Cost | None:
    """Medians over the seeds that ran; None if none did."""
    mine = list(of(runs, backend).values())
    if not mine:
        return None
    spent = [r.results.provenance.get("seconds", {}) for r in mine]
    seconds = {
        p: float(np.median([s.get(p, 0.0) for s in spent])) for p in PHASES if any(p in s for s in spent)
    }
    duration = mine[0].results.duration / 1000.0
    return Cost(
        backend,
        seconds,
        seconds.get("run", float("nan")) / duration if duration else float("nan"),
        float(np.median([r.outcome.memory for r in mine])),
        len(mine),
    )


def same_cost(mine: Cost | None, reference: Cost | None, backend: str) -> LevelVerdict:
    """There is no wrong answer: times and memory, and how many times the reference's."""
    if mine is None or reference is None:
        return LevelVerdict(COST, backend, NOT_RUN, "there is nothing to compare")
    total, other = (sum(c.seconds.values()) for c in (mine, reference))
    told = (
        f"{total:.3g} s for each seed ({total / other if other else float('nan'):.2g} times "
        f"{reference.backend}), real-time factor {mine.real_time_factor:.3g}, "
    )
    return LevelVerdict(COST, backend, PASS, f"{told}peak memory {mine.peak_memory / 2**20:,.0f} MiB")
