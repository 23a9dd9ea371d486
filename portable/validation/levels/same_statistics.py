"""Level 5: statistics of activity, paired over seeds where the input is the same, as ensembles where each
side draws its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from portable.results.activity import STATISTICS, Window, by_cell, distributions, spectrum, summary
from portable.results.tables import Results
from portable.units import Floats
from portable.validation.equivalence import (
    KS,
    WASSERSTEIN,
    PairedTest,
    ensemble_populations,
    paired_populations,
)
from portable.validation.evidence import Spectrum
from portable.validation.verdicts import (
    FAIL,
    NOT_COMPARABLE,
    NOT_RUN,
    PASS,
    UNDECIDED,
    EnsembleCheck,
    LevelVerdict,
    PairedCheck,
)
from portable.validation.verdicts import STATISTICS as LEVEL

# The frequency of the spectrum's peak is drawn and not tested: where the spectrum is flat it is anywhere.
TESTED = tuple(n for n in STATISTICS if n != "peak_frequency")
DISTRIBUTIONS = {"rate": "Hz", "cv": "", "lv": "", "correlation": "", "isi": "ms"}
DECIDING = ("rate", "cv", "correlation")  # of the ensembles, as in the INM-6 microcircuit's validation
DRAWN = 4000  # values of a distribution that are kept for its picture
_OWN = tuple(f.name for f in fields(PairedTest))


@dataclass(frozen=True)
class Measured:
    """Statistics and distributions of one run, by population."""

    backend: str
    seed: int
    summary: Mapping[str, Mapping[str, float]]
    distributions: Mapping[str, Mapping[str, Floats]]


def measured(results: Results, populations: Sequence[str], warmup: float) -> Measured:
    """Everything after the first `warmup` ms."""
    window = Window.after(warmup, results)
    tables = {n: results.spikes[n] for n in populations}
    seed = int(results.provenance.get("seed", 0))
    return Measured(
        results.backend,
        seed,
        {n: summary(t, window) for n, t in tables.items()},
        {n: distributions(t, window) for n, t in tables.items()},
    )


def paired_checks(
    reference: Mapping[int, Measured],
    other: Mapping[int, Measured],
    seeds: Sequence[int],
    margin: float | None,
) -> list[PairedCheck]:
    """One record for each population and statistic; margin: a share of the reference's mean, None for its
    seed-to-seed spread.

    A statistic that neither side has for a seed (the CV of cells that hardly spike) leaves that seed out; one
    that only one side has stays, and is undecided.
    """
    if not seeds:
        return []
    out = []
    backend = next(iter(other.values())).backend
    for statistic in TESTED:
        values: dict[str, tuple[Floats, Floats]] = {}
        kept: dict[str, tuple[int, ...]] = {}
        for name in reference[seeds[0]].summary:
            a, b = (
                np.array([side[s].summary[name][statistic] for s in seeds]) for side in (reference, other)
            )
            known = ~(np.isnan(a) & np.isnan(b))
            if known.any():
                values[name], kept[name] = (
                    (a[known], b[known]),
                    tuple(s for s, k in zip(seeds, known.tolist(), strict=True) if k),
                )
        margins = (
            None
            if margin is None
            else {n: margin * abs(float(np.nanmean(a))) for n, (a, _) in values.items()}
        )
        tests = paired_populations(
            {n: a for n, (a, _) in values.items()}, {n: b for n, (_, b) in values.items()}, margins
        )
        for name, test in tests.items():
            about = {f: getattr(test, f) for f in _OWN}
            if margin is not None:
                about["margin_from"] = f"{100 * margin:g} % of the reference's mean, as asked"
            out.append(
                PairedCheck(
                    backend=backend,
                    population=name,
                    statistic=statistic,
                    unit=STATISTICS[statistic].unit,
                    seeds=kept[name],
                    **about,
                )
            )
    return out


def ensemble_checks(reference: Mapping[int, Measured], other: Mapping[int, Measured]) -> list[EnsembleCheck]:
    """One record for each population, distribution and measure of distance. The seeds need not be the
    same.
    """
    if not reference or not other:
        return []
    out = []
    backend = next(iter(other.values())).backend
    populations = list(next(iter(reference.values())).distributions)
    for statistic, unit in DISTRIBUTIONS.items():
        left, right = (
            {n: [m.distributions[n][statistic] for m in side.values()] for n in populations}
            for side in (reference, other)
        )
        for (name, measure), t in ensemble_populations(left, right).items():
            out.append(
                EnsembleCheck(
                    backend,
                    name,
                    statistic,
                    measure,
                    unit if measure == WASSERSTEIN else "",
                    t.between,
                    t.within,
                    t.within_sd,
                    t.limit,
                    t.p_permutation,
                    t.verdict,
                )
            )
    return out


def decides(check: EnsembleCheck) -> bool:
    """Whether an ensemble's record is part of the verdict; the others are shown."""
    return check.measure == KS and check.statistic in DECIDING


def same_statistics(
    paired: Sequence[PairedCheck],
    ensembles: Sequence[EnsembleCheck],
    backend: str,
    mode: str,
    comparable: bool,
) -> LevelVerdict:
    """FAIL if one statistic is different, PASS if all are equivalent. mode: "paired", or "ensemble" (KS
    distances of rate, CV, correlation).
    """
    checks: list[PairedCheck | EnsembleCheck] = (
        list(paired) if mode == "paired" else [e for e in ensembles if decides(e)]
    )
    if not checks:
        return LevelVerdict(LEVEL, backend, NOT_RUN, "no seed in which both sides were alive")
    if (
        mode == "paired" and comparable and not any(d for c in paired for d in c.differences)
    ):  # also for a single seed: nothing is estimated
        return LevelVerdict(
            LEVEL, backend, PASS, f"all {len(checks)} statistics of populations are equal for every seed", 1.0
        )
    failed = [c for c in checks if c.verdict == FAIL]
    passed = [c for c in checks if c.verdict == PASS]
    seeds = f"{max(c.n for c in paired)} seeds, paired" if mode == "paired" else "ensembles over seeds"
    told = f"{len(passed)} of {len(checks)} statistics of populations equivalent ({seeds})"
    if failed:
        told += f"; different: {_first(failed)}"
    elif len(passed) < len(checks):
        open_ = [c for c in checks if c.verdict == UNDECIDED]
        told += f"; undecided: {_first(open_)}; more seeds or longer runs would tell"
    verdict = FAIL if failed else PASS if len(passed) == len(checks) else UNDECIDED
    if not comparable and verdict == PASS:  # never a pass
        verdict = NOT_COMPARABLE
    return LevelVerdict(LEVEL, backend, verdict, told, len(passed) / len(checks))


def _first(checks: Sequence[PairedCheck | EnsembleCheck], most: int = 4) -> str:
    """The first few of some checks, in words."""
    told = ", ".join(f"{c.statistic} of {c.population}" for c in checks[:most])
    return f"{told} and more" if len(checks) > most else told


def pooled(runs: Sequence[Measured], statistic: str, population: str) -> Floats:
    """Values of all seeds, evenly thinned to DRAWN, sorted."""
    values = np.sort(np.concatenate([np.zeros(0), *(m.distributions[population][statistic] for m in runs)]))
    return values if values.size <= DRAWN else values[np.linspace(0, values.size - 1, DRAWN).astype(np.int64)]


def mean_spectrum(results: Sequence[Results], population: str, warmup: float) -> Spectrum:
    """The spectrum of the population's activity, averaged over runs."""
    found = [spectrum(by_cell(r.spikes[population], Window.after(warmup, r))) for r in results]
    return Spectrum(found[0][0], np.mean([p for _, p in found], axis=0))
