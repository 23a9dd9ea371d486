"""What this design would have seen: known deviations in the native engine, and the level that catches
each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from portable.validation.deviations import DEVIATIONS
from portable.validation.differences import compare_results
from portable.validation.levels.ran import Ran, lives
from portable.validation.levels.same_spikes import only_cells
from portable.validation.levels.same_weights import weight_checks
from portable.validation.verdicts import (
    CELLS,
    FAIL,
    NETWORK,
    SPIKES,
    STATISTICS,
    WEIGHTS,
    CellCheck,
    DeviationCheck,
    EnsembleCheck,
    PairedCheck,
    Power,
)


def deviation_check(
    name: str,
    size: float,
    baseline: Mapping[int, Ran],
    deviated: Mapping[int, Ran],
    cells: Sequence[CellCheck],
    found: Sequence[PairedCheck | EnsembleCheck],
) -> DeviationCheck:
    """The record of one deviation. Level 0 is left out: a simulator that deviates does not say so."""
    failed = []
    held = [r.outcome.read_back for r in deviated.values() if r.outcome.read_back is not None]
    if any(h.missing or h.weight_error or h.delay_error for h in held):
        failed.append(NETWORK)
    if any(c.verdict == FAIL for c in cells):
        failed.append(CELLS)
    pairs = [
        compare_results(only_cells(baseline[s].results), only_cells(r.results))
        for s, r in deviated.items()
        if s in baseline
    ]
    times = [p.divergence.time for p in pairs if p.divergence is not None]
    if times:
        failed.append(SPIKES)
    both = [
        *(_as(r, "reference") for r in baseline.values()),
        *(_as(r, "deviated") for r in deviated.values()),
    ]
    if any(c.verdict == FAIL for c in weight_checks(both, "reference", "deviated")):
        failed.append(WEIGHTS)
    called = different(found) or _silenced(baseline, deviated)
    if called:
        failed.append(STATISTICS)
    time = min(times, default=float("nan"))
    equal = float(np.mean([p.equal for p in pairs])) if pairs else float("nan")
    effects = [abs(c.effect) for c in found if isinstance(c, PairedCheck) and np.isfinite(c.effect)]
    return DeviationCheck(
        name,
        DEVIATIONS[name].what,
        min(failed, default=None),
        tuple(failed),
        time,
        equal,
        called,
        max(effects, default=float("nan")),
        size,
    )


def _as(r: Ran, side: str) -> Ran:
    """A run as a main one of a backend of that name."""
    return replace(r, job=replace(r.job, backend=side, deviation=""))


def _silenced(baseline: Mapping[int, Ran], deviated: Mapping[int, Ran]) -> tuple[str, ...]:
    """A network that lives for every seed, and with the deviation for none: level 5 has nothing left to
    compare, and needs nothing.
    """
    both = [s for s in deviated if s in baseline]
    dead = both and all(lives(baseline[s].results) and not lives(deviated[s].results) for s in both)
    return ("silence of the network",) if dead else ()


def different(found: Sequence[PairedCheck | EnsembleCheck]) -> tuple[str, ...]:
    """ "statistic of population" for each that was called different."""
    return tuple(dict.fromkeys(f"{c.statistic} of {c.population}" for c in found if c.verdict == FAIL))


def powers(checks: Sequence[DeviationCheck]) -> tuple[Power, ...]:
    """For each deviation, the sizes that were tried and whether the statistics alone called them
    different.
    """
    out = []
    for name in dict.fromkeys(c.name for c in checks):
        tried = sorted((c.size, STATISTICS in c.failed) for c in checks if c.name == name)
        out.append(Power(name, DEVIATIONS[name].unit, tuple(s for s, _ in tried), tuple(d for _, d in tried)))
    return tuple(out)
