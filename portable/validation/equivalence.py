"""Whether two sets of runs agree in a statistic: equivalence with a stated margin, not the absence of a
significant difference.

    paired(reference, other)              one value a seed on both sides, the same network and input: two
    one-sided t-tests paired_populations(references, ...)   the same for many populations, Holm-corrected over
    them ensemble(reference, other, measure)   one distribution a run, each side with random numbers of its
    own: distances between runs detectable(n, sd, margin)             the smallest true difference that the
    paired design would call different

The yardstick is the reference's own spread from seed to seed. p-values of difference tests are shown and
never the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import optimize, stats

from portable.errors import ModelError
from portable.units import Floats
from portable.validation.verdicts import FAIL, PASS, UNDECIDED

LEVEL = 0.05  # of each one-sided test; the interval that goes with it holds 1 - 2 LEVEL
POWER = 0.8
SPREADS = 2.0  # margin in SD of the reference over seeds, and limit in SD of its distances
LEAST_PAIRS, LEAST_RUNS, LEAST_VALUES = 3, 3, 10
# runs of the reference for a failure: with three, whose spread is badly known, one set in seven of an equal
# model exceeds the limit
FAIL_RUNS = 5
RELABELLINGS, SEED = 2000, 20140101  # all of them if there are no more than that, else so many by this seed
KS, WASSERSTEIN = "KS", "Wasserstein"
NAN = float("nan")


@dataclass(frozen=True)
class PairedTest:
    """One statistic, differences (other - reference) paired over n seeds; the fields are those of
    `verdicts.PairedCheck`.

    reference, spread: mean and SD of the reference over seeds. p_holm equals p_equivalence until it is
    corrected over a family.
    """

    n: int
    reference: float
    spread: float
    difference: float
    interval: tuple[float, float]
    margin: float
    margin_from: str
    p_equivalence: float
    p_holm: float
    p_difference: float
    effect: float
    detectable: float
    verdict: str
    differences: tuple[float, ...]


@dataclass(frozen=True)
class EnsembleTest:
    """Distances between runs; the fields are those of `verdicts.EnsembleCheck`."""

    measure: str
    between: float
    within: float
    within_sd: float
    limit: float
    p_permutation: float
    verdict: str


def paired(
    reference: Floats, other: Floats, margin: float | None = None, spreads: float = SPREADS
) -> PairedTest:
    """Test values (seeds,) of two sides for equivalence within +-margin, by default `spreads` times the SD of
    the reference over seeds.

    p_equivalence is the larger p of the two one-sided paired t-tests (Schuirmann 1987,
    doi:10.1007/BF01068419), p_difference that of the two-sided one. PASS if the (corrected) p_equivalence is
    below 5 %; FAIL if the 90 % interval lies wholly outside the margin; else UNDECIDED, as with fewer than
    three pairs or a value that is no number. Equal values of every seed PASS, whatever the spread. Where the
    reference has no spread to take a margin from, unequal values FAIL. The 5 % are those of a given margin;
    one taken from the spread is itself an estimate, and they hold for the margin that it gives.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ModelError(
            "paired values",
            f"must be one for each seed on both sides, got shapes {a.shape} and {b.shape}",
            "run both sides with the same seeds",
        )
    if margin is not None and not (np.isfinite(margin) and margin >= 0):
        raise ModelError(
            "margin",
            f"must be a number of 0 or more, got {margin}",
            "give the half-width of what counts as equivalent",
        )
    gaps = b - a
    if a.size < LEAST_PAIRS or not np.isfinite(gaps).all():
        return _no_test(a, gaps, margin, spreads)
    spread = _sd(a)
    half = spreads * spread if margin is None else margin
    return _tested(
        a, gaps, spread, half, _margin_from(margin, spreads), certain=margin is None and spread == 0
    )


def _tested(
    a: Floats, gaps: Floats, spread: float, margin: float, margin_from: str, certain: bool
) -> PairedTest:
    """The tests on finite values; `certain`: there is no yardstick, so any difference is a failure."""
    n, mean, error = gaps.size, float(gaps.mean()), _sd(gaps) / np.sqrt(gaps.size)
    same = not gaps.any()
    reach = float(stats.t.ppf(1 - LEVEL, n - 1)) * error
    low, high = mean - reach, mean + reach
    p_equivalence = (
        0.0 if same else max(_above(mean + margin, error, n - 1), _above(margin - mean, error, n - 1))
    )
    p_difference = 1.0 if same else min(1.0, 2 * _above(abs(mean), error, n - 1))
    effect = 0.0 if mean == 0 else float(np.copysign(np.inf, mean)) if spread == 0 else mean / spread
    test = PairedTest(
        n,
        float(a.mean()),
        spread,
        mean,
        (low, high),
        margin,
        margin_from,
        p_equivalence,
        p_equivalence,
        p_difference,
        effect,
        detectable(n, _sd(gaps), margin),
        "",
        tuple(gaps.tolist()),
    )
    return replace(test, verdict=FAIL if certain and not same else _verdict(test))


def _no_test(a: Floats, gaps: Floats, margin: float | None, spreads: float) -> PairedTest:
    """UNDECIDED, with what can be said of so few values or of values that are no numbers."""
    spread = _sd(a) if a.size > 1 and np.isfinite(a).all() else NAN
    half = spreads * spread if margin is None else margin
    mean, difference = (float(v.mean()) if v.size else NAN for v in (a, gaps))
    return PairedTest(
        a.size,
        mean,
        spread,
        difference,
        (NAN, NAN),
        half,
        _margin_from(margin, spreads),
        NAN,
        NAN,
        NAN,
        NAN,
        NAN,
        UNDECIDED,
        tuple(gaps.tolist()),
    )


def _verdict(test: PairedTest) -> str:
    if test.p_holm < LEVEL:
        return PASS
    low, high = test.interval
    return FAIL if any(test.differences) and (low >= test.margin or high <= -test.margin) else UNDECIDED


def paired_populations(
    reference: Mapping[str, Floats],
    other: Mapping[str, Floats],
    margin: float | Mapping[str, float] | None = None,
    spreads: float = SPREADS,
) -> dict[str, PairedTest]:
    """`paired` for every population of `reference` (values (seeds,) by name), verdicts by p-values corrected
    over them (`holm`).

    margin: one for all, or by name; a population without one takes the default.
    """
    if set(reference) != set(other):
        raise ModelError(
            "populations", f"differ: {sorted(reference)} and {sorted(other)}", "compare the same populations"
        )
    margins = margin if isinstance(margin, Mapping) else dict.fromkeys(reference, margin)
    if unknown := set(margins) - set(reference):
        raise ModelError(
            "margins", f"name no population of the comparison: {sorted(unknown)}", f"use {sorted(reference)}"
        )
    tests = {
        name: paired(values, other[name], margins.get(name), spreads) for name, values in reference.items()
    }
    corrected = holm(np.array([t.p_equivalence for t in tests.values()]))
    out = {}
    for (name, test), p in zip(tests.items(), corrected.tolist(), strict=True):
        test = replace(test, p_holm=p)
        out[name] = replace(test, verdict=_verdict(test) if test.verdict == PASS else test.verdict)
    return out


def holm(p: Floats) -> Floats:
    """p-values corrected for their number by Holm's step-down rule (1979, Scand. J. Statist. 6:65-70); nan
    stays nan and is not counted.
    """
    p = np.asarray(p, dtype=np.float64)
    out = np.full(p.shape, NAN)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(known.size, 0, -1)))
    return out


def detectable(n: int, sd: float, margin: float, power: float = POWER) -> float:
    """The smallest true difference that n pairs, whose differences have this SD, call different (FAIL) with a
    chance of `power`.

    The call is made where the t statistic of (mean difference - margin) exceeds its 95 % point; with a true
    difference d it has the non-central t distribution with n - 1 degrees of freedom and non-centrality (d -
    margin) sqrt(n) / sd.
    """
    if n < 2 or not (np.isfinite(sd) and np.isfinite(margin)):
        return NAN
    if sd == 0:
        return margin
    return margin + _shift(n, power) * sd / float(np.sqrt(n))


@cache
def _shift(n: int, power: float) -> float:
    """The non-centrality at which the one-sided t-test of n values at LEVEL has this power."""
    point = float(stats.t.ppf(1 - LEVEL, n - 1))
    return float(optimize.brentq(lambda c: stats.nct.sf(point, n - 1, c) - power, 0.0, 10.0 * (point + 1.0)))


def ensemble(
    reference: Sequence[Floats], other: Sequence[Floats], measure: str = KS, spreads: float = SPREADS
) -> EnsembleTest:
    """Compare distributions (one array of values a run) by distance: PASS if the mean distance from the runs
    of `other` to those of `reference` is at most the mean plus `spreads` SD of the distances between two runs
    of the reference.

    measure: KS, the two-sample Kolmogorov-Smirnov D, or WASSERSTEIN, the first Wasserstein distance, in the
    unit of the values. UNDECIDED with fewer than three runs of the reference, none of the other, or fewer
    than ten values in a run (nan are left out), and above the limit with fewer than five runs of the
    reference.
    """
    runs = [
        np.sort(v[np.isfinite(v)]) for v in (np.asarray(r, dtype=np.float64) for r in (*reference, *other))
    ]
    count = len(reference)
    if count < LEAST_RUNS or not len(other) or min(r.size for r in runs) < LEAST_VALUES:
        return EnsembleTest(measure, NAN, NAN, NAN, NAN, NAN, UNDECIDED)
    matrix = distances(runs, measure)
    inside = matrix[:count, :count][np.triu_indices(count, 1)]
    within, sd, between = float(inside.mean()), _sd(inside), float(matrix[:count, count:].mean())
    limit = within + spreads * sd
    # The slack of 1e-12 is rounding: equal sets of runs have equal means, summed in another order.
    verdict = PASS if between <= limit * (1 + 1e-12) else FAIL if count >= FAIL_RUNS else UNDECIDED
    return EnsembleTest(measure, between, within, sd, limit, _relabelled(matrix, count), verdict)


def ensemble_populations(
    reference: Mapping[str, Sequence[Floats]],
    other: Mapping[str, Sequence[Floats]],
    measures: Sequence[str] = (KS, WASSERSTEIN),
    spreads: float = SPREADS,
) -> dict[tuple[str, str], EnsembleTest]:
    """`ensemble` for every population and measure, by (population, measure)."""
    if set(reference) != set(other):
        raise ModelError(
            "populations", f"differ: {sorted(reference)} and {sorted(other)}", "compare the same populations"
        )
    return {
        (name, m): ensemble(runs, other[name], m, spreads)
        for name, runs in reference.items()
        for m in measures
    }


def distances(runs: Sequence[Floats], measure: str = KS) -> Floats:
    """Distances (runs, runs) between the distributions of sorted, non-empty arrays, as scipy.stats' ks_2samp
    and wasserstein_distance.
    """
    if measure not in (KS, WASSERSTEIN):
        raise ModelError(
            "measure", f"must be '{KS}' or '{WASSERSTEIN}', got '{measure}'", "choose one of the two"
        )
    first = np.zeros(len(runs) + 1, dtype=np.int64)
    np.cumsum([r.size for r in runs], out=first[1:])
    ks, area = _distances(np.concatenate(runs), first)
    return np.asarray(ks if measure == KS else area)


@njit(cache=True, nogil=True)
def _distances(values, first):  # type: ignore[no-untyped-def]
    """Largest difference of the two distribution functions, and the area between them, for every pair of
    runs: one merge of each.
    """
    n = first.size - 1
    ks, area = np.zeros((n, n)), np.zeros((n, n))
    for a in range(n):
        for b in range(a):
            i, j, end_i, end_j = first[a], first[b], first[a + 1], first[b + 1]
            size_i, size_j = end_i - i, end_j - j
            at, gap = min(values[i], values[j]), 0.0
            while i < end_i or j < end_j:
                x = values[j] if i == end_i or (j < end_j and values[j] < values[i]) else values[i]
                area[a, b] += gap * (x - at)
                at = x
                while i < end_i and values[i] == x:
                    i += 1
                while j < end_j and values[j] == x:
                    j += 1
                gap = abs((i - first[a]) / size_i - (j - first[b]) / size_j)
                ks[a, b] = max(ks[a, b], gap)
            ks[b, a], area[b, a] = ks[a, b], area[a, b]
    return ks, area


def _relabelled(matrix: Floats, count: int) -> float:
    """Share of the ways to call `count` of the runs the reference in which the mean distance between the two
    sides is as large.
    """
    n = matrix.shape[0]
    if comb(n, count) <= RELABELLINGS:
        chosen = np.array(list(combinations(range(n), count)))
    else:
        # The labels as they are count as one of the relabellings, so p is never 0 (Phipson & Smyth 2010,
        # doi:10.2202/1544-6115.1585).
        drawn = np.argsort(np.random.default_rng(SEED).random((RELABELLINGS, n)), axis=1)[:, :count]
        chosen = np.concatenate([np.arange(count)[None], drawn])
    side = np.zeros((chosen.shape[0], n))
    np.put_along_axis(side, chosen, 1.0, axis=1)
    sums = ((side @ matrix) * (1.0 - side)).sum(axis=1)
    observed = float(matrix[:count, count:].sum())
    return float(
        np.mean(sums >= observed * (1 - 1e-12))
    )  # the slack is rounding: the same sum in another order


def _above(shift: float, error: float, df: int) -> float:
    """P(T >= shift/error) of Student's t; a difference without spread is certain."""
    if error == 0:
        return 0.0 if shift > 0 else 1.0
    return float(stats.t.sf(shift / error, df))


def _sd(values: npt.NDArray[np.float64]) -> float:
    """Standard deviation (n - 1); exactly 0 for equal values, where rounding of the mean would leave
    1e-17.
    """
    return float(values.std(ddof=1)) if np.ptp(values) > 0 else 0.0


def _margin_from(margin: float | None, spreads: float) -> str:
    return "given" if margin is not None else f"{spreads:g} SD of the reference over seeds"
