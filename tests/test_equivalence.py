"""Equivalence tests against scipy, worked examples, and simulations of their error rates."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from portable.errors import ModelError
from portable.validation.equivalence import (
    FAIL_RUNS,
    KS,
    RELABELLINGS,
    WASSERSTEIN,
    PairedTest,
    detectable,
    distances,
    ensemble,
    ensemble_populations,
    holm,
    paired,
    paired_populations,
)
from portable.validation.verdicts import FAIL, PASS, UNDECIDED, PairedCheck

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SIDES = [
    np.random.default_rng(k).normal([[5.0], [5.0 + shift]], 0.4, (2, 10))
    for k, shift in enumerate((0.0, 0.3, 0.8, 3.0, -3.0))
]
# Both compute the same formulas in another order; p-values of 1e-9 lose some digits in the tail of t.
SAME = {"rel": 1e-9, "abs": 1e-15}


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("margin", [None, 0.5])
def test_paired_is_scipys_t_tests(sides, margin):
    a, b = sides
    found = paired(a, b, margin)
    half = 2.0 * a.std(ddof=1) if margin is None else margin
    theirs = stats.ttest_rel(b, a)
    assert found.margin == pytest.approx(half, **SAME)
    assert found.p_difference == pytest.approx(theirs.pvalue, **SAME)
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval(0.90)), **SAME)
    one_sided = (
        stats.ttest_1samp(b - a, -half, alternative="greater").pvalue,
        stats.ttest_1samp(b - a, half, alternative="less").pvalue,
    )
    assert found.p_equivalence == pytest.approx(max(one_sided), **SAME)
    assert found.effect == pytest.approx((b - a).mean() / a.std(ddof=1), **SAME)
    assert (found.n, found.reference, found.difference) == (10, a.mean(), (b - a).mean())
    assert found.differences == tuple(b - a)
    inside = -half < found.interval[0] and found.interval[1] < half
    outside = found.interval[0] >= half or found.interval[1] <= -half
    assert found.verdict == (
        PASS if inside else FAIL if outside else UNDECIDED
    )  # TOST at 5 % is the 90 % interval inside the margin


def test_all_three_verdicts_occur():
    assert {paired(a, b).verdict for a, b in SIDES} == {PASS, FAIL, UNDECIDED}


def test_a_worked_example():
    # Differences 1, 2, 3: mean 2, SD 1, SE 1/sqrt(3); t(0.95, 2) = 2.919986. Margin 5: t = (5 - 2) sqrt(3) =
    # 5.196152, and for two degrees of freedom P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)) = 1/2 - 5.196152 / (2
    # sqrt(29)) = 0.0175493.
    found = paired(np.array([10.0, 20.0, 30.0]), np.array([11.0, 22.0, 33.0]), margin=5.0)
    assert found.interval == pytest.approx(
        (2 - 2.919986 / np.sqrt(3), 2 + 2.919986 / np.sqrt(3)), abs=1e-6
    )  # the digits given
    assert found.p_equivalence == pytest.approx(0.0175493, abs=1e-7)
    assert found.p_equivalence == pytest.approx(0.5 - np.sqrt(27) / (2 * np.sqrt(29)), rel=1e-12)
    assert found.effect == pytest.approx(0.2)
    assert (found.spread, found.verdict, found.margin_from) == (pytest.approx(10.0), PASS, "given")


def test_equal_values_pass_and_need_no_spread():
    for values in (np.array([1.0, 2.0, 3.0]), np.full(3, 0.1), np.zeros(4)):
        found = paired(values, values.copy())
        assert (found.p_equivalence, found.p_difference, found.effect, found.verdict) == (0.0, 1.0, 0.0, PASS)
        assert found.detectable == found.margin
    assert paired(np.full(3, 0.1), np.full(3, 0.1)).spread == 0.0  # numpy's mean of three 0.1 is not 0.1


def test_without_a_spread_any_difference_fails():
    still = np.full(5, 2.0)
    other = still + np.array([0.0, 0.0, 0.0, 0.0, 1e-9])
    assert paired(still, other).verdict == FAIL
    assert paired(still, other).effect == np.inf
    assert paired(still, other, margin=0.1).verdict == PASS  # a margin of the user's is a yardstick
    assert paired(still, still - 1.0).verdict == FAIL
    assert paired_populations({"a": still}, {"a": other})["a"].verdict == FAIL


def test_constant_differences_are_certain():
    a = np.array([0.0, 1.0, 2.0])
    near, far = paired(a, a + 0.5, margin=1.0), paired(a, a + 2.0, margin=1.0)
    assert (near.p_equivalence, near.p_difference, near.verdict) == (0.0, 0.0, PASS)
    assert (far.p_equivalence, far.p_difference, far.verdict) == (1.0, 0.0, FAIL)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([], []),
        ([1.0], [1.0]),
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0, np.nan], [1.0, 2.0, 3.0]),
        ([np.nan] * 3, [np.nan] * 3),
        ([1.0, 2.0, 3.0], [1.0, 2.0, np.inf]),
    ],
)
def test_too_little_is_undecided(a, b):
    found = paired(np.array(a), np.array(b))
    assert found.verdict == UNDECIDED
    assert np.isnan([found.p_equivalence, found.p_difference, *found.interval]).all()


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ModelError, match="paired values"):
        paired(np.zeros(3), np.zeros(4))
    for margin in (-1.0, np.nan, np.inf):
        with pytest.raises(ModelError, match="margin"):
            paired(np.zeros(3), np.zeros(3), margin)
    with pytest.raises(ModelError, match="populations"):
        paired_populations({"a": np.zeros(3)}, {"b": np.zeros(3)})
    with pytest.raises(ModelError, match="margins"):
        paired_populations({"a": np.zeros(3)}, {"a": np.zeros(3)}, {"b": 1.0})


def test_holm_is_the_step_down_rule():
    # Four p in order: times 4, 3, 2, 1, then never below the one before: 0.02, 0.03 (0.01*3), 0.06 (0.03*2),
    # 0.06 (0.04*1 raised).
    np.testing.assert_allclose(
        holm(np.array([0.04, 0.01, 0.03, 0.005])), [0.06, 0.03, 0.06, 0.02], rtol=1e-15
    )
    np.testing.assert_allclose(holm(np.array([0.5, np.nan, 0.9])), [1.0, np.nan, 1.0])
    np.testing.assert_allclose(holm(np.array([np.nan, 0.02])), [np.nan, 0.02])
    assert holm(np.empty(0)).size == 0


def test_populations_are_corrected_together():
    rng = np.random.default_rng(4)
    a = rng.normal(0.0, 1.0, 10)
    gaps = rng.normal(0.0, 1.0, 10)
    gaps = (gaps - gaps.mean()) / gaps.std(ddof=1)
    # One population alone passes at p = 0.03; among three such, Holm makes it 0.09.
    margin = float(stats.t.isf(0.03, 9) / np.sqrt(10))
    alone = paired_populations({"x": a}, {"x": a + gaps}, margin)["x"]
    assert (alone.p_holm, alone.verdict) == (pytest.approx(0.03), PASS)
    three = paired_populations(dict.fromkeys("xyz", a), dict.fromkeys("xyz", a + gaps), margin)
    assert [t.p_holm for t in three.values()] == pytest.approx([0.09] * 3)
    assert [t.verdict for t in three.values()] == [UNDECIDED] * 3
    # An undefined population takes no part, one with a margin of its own keeps it.
    mixed = paired_populations(
        {"x": a, "y": a, "z": a * np.nan}, {"x": a + gaps, "y": a + 5, "z": a}, {"x": 9.0, "y": 1.0}
    )
    assert [(n, t.verdict) for n, t in mixed.items()] == [("x", PASS), ("y", FAIL), ("z", UNDECIDED)]
    assert mixed["x"].p_holm == 2 * mixed["x"].p_equivalence
    assert mixed["z"].margin_from == "2 SD of the reference over seeds"


def test_the_fields_are_those_of_the_record():
    named = {"backend": "b", "population": "p", "statistic": "rate", "unit": "Hz", "seeds": (1, 2, 3)}
    found = paired(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    assert PairedCheck(**named, **vars(found)).verdict == found.verdict


def simulated(n: int, shift: float, sd: float, margin: float, runs: int, seed: int) -> list[PairedTest]:
    rng = np.random.default_rng(seed)
    a = rng.normal(0.0, 1.0, (runs, n))
    return [paired(x, x + g, margin) for x, g in zip(a, rng.normal(shift, sd, (runs, n)), strict=True)]


def within(count: int, runs: int, chance: float) -> float:
    """How far a share of `runs` lies from `chance`, in standard errors."""
    return (count / runs - chance) / np.sqrt(chance * (1 - chance) / runs)


@pytest.mark.parametrize("n", [3, 10])
def test_a_difference_as_large_as_the_margin_is_called_equivalent_in_five_per_cent(n):
    # Margin 1, SD of the differences 0.2: the other one-sided test never matters, so the rate is 5 % exactly.
    # Three standard errors.
    runs = 2000
    called = [t.verdict for t in simulated(n, 1.0, 0.2, 1.0, runs, seed=n)]
    assert abs(within(called.count(PASS), runs, 0.05)) < 3
    assert abs(within(called.count(FAIL), runs, 0.05)) < 3  # and different just as rarely
    assert simulated(n, 1.5, 0.2, 1.0, 200, seed=1)[0].margin == 1.0


def test_equal_models_pass_and_far_ones_fail():
    called = [t.verdict for t in simulated(10, 0.0, 0.2, 1.0, 500, seed=5)]
    assert (
        called.count(PASS) == 500
    )  # the interval's half-width is about 0.12, eight standard errors of the mean from the margin
    called = [t.verdict for t in simulated(10, 2.0, 0.2, 1.0, 500, seed=6)]
    assert called.count(FAIL) == 500


@pytest.mark.parametrize(("n", "sd", "margin"), [(3, 0.5, 1.0), (10, 0.5, 1.0), (10, 1.0, 0.0)])
def test_the_detectable_difference_is_found_in_four_of_five(n, sd, margin):
    runs = 2000
    called = [t.verdict for t in simulated(n, detectable(n, sd, margin), sd, margin, runs, seed=7)]
    assert abs(within(called.count(FAIL), runs, 0.8)) < 3  # three standard errors


def test_detectable_without_noise_is_the_margin():
    assert detectable(10, 0.0, 0.7) == 0.7
    assert np.isnan(detectable(1, 0.5, 1.0))
    # Many pairs: the normal approximation (1.644854 + 0.841621) SD / sqrt(n); t with 9,999 degrees of freedom
    # is 1e-4 from it.
    assert detectable(10_000, 1.0, 0.0) == pytest.approx(2.486475 / 100, rel=3e-4)


def draws(
    rng: np.random.Generator, count: int, cells: int, scale: float = 1.0, seeds: float = 0.1
) -> list[np.ndarray]:
    """Runs of skewed rates whose mean varies by `seeds` from run to run."""
    return [rng.gamma(2.0, 1.5, cells) * scale * np.exp(seeds * rng.standard_normal()) for _ in range(count)]


def test_distances_are_scipys():
    rng = np.random.default_rng(9)
    runs = [
        rng.normal(0, 1, 50),
        rng.normal(1, 2, 80),
        rng.integers(0, 5, 30).astype(float),
        rng.integers(0, 5, 400).astype(float),
        np.zeros(10),
    ]
    ks, area = (distances([np.sort(r) for r in runs], m) for m in (KS, WASSERSTEIN))
    for i, j in combinations(range(len(runs)), 2):
        # Sums over at most 500 steps of 1e-16 each.
        assert ks[i, j] == ks[j, i] == pytest.approx(stats.ks_2samp(runs[i], runs[j]).statistic, rel=1e-12)
        assert (
            area[i, j] == area[j, i] == pytest.approx(stats.wasserstein_distance(runs[i], runs[j]), rel=1e-12)
        )
    assert not np.diagonal(ks).any()
    assert not np.diagonal(area).any()
    with pytest.raises(ModelError, match="measure"):
        distances(runs, "energy")


def test_the_limit_is_two_sd_above_the_distance_between_seeds():
    rng = np.random.default_rng(10)
    reference, other = draws(rng, 6, 100), draws(rng, 4, 120)
    found = ensemble(reference, other, WASSERSTEIN)
    inside = [stats.wasserstein_distance(a, b) for a, b in combinations(reference, 2)]
    outside = [stats.wasserstein_distance(a, b) for a in reference for b in other]
    assert found.within == pytest.approx(np.mean(inside), rel=1e-12)
    assert found.within_sd == pytest.approx(np.std(inside, ddof=1), rel=1e-12)
    assert found.between == pytest.approx(np.mean(outside), rel=1e-12)
    assert found.limit == pytest.approx(found.within + 2 * found.within_sd, rel=1e-12)


def test_all_relabellings_are_counted_if_few():
    rng = np.random.default_rng(12)
    runs = draws(rng, 7, 50)
    matrix = distances([np.sort(r) for r in runs])
    observed = matrix[:4, 4:].mean()
    means = [
        matrix[np.ix_(left, [k for k in range(7) if k not in left])].mean()
        for left in combinations(range(7), 4)
    ]
    assert ensemble(runs[:4], runs[4:]).p_permutation == np.mean(np.array(means) >= observed * (1 - 1e-12))
    far = ensemble(runs[:4], [r + 100 for r in runs[4:]])
    assert far.p_permutation == pytest.approx(1 / 35)  # the smallest there is


def test_many_relabellings_are_sampled_the_same_way_each_time():
    runs = draws(np.random.default_rng(13), 20, 50)
    first, again = (ensemble(runs[:10], runs[10:]) for _ in range(2))
    assert first == again
    far = ensemble(runs[:10], [r + 100 for r in runs[10:]])
    assert (
        1 / (RELABELLINGS + 1) <= far.p_permutation < 0.005
    )  # two of the 184,756 labellings are as extreme: one more in 2000 is likely at most


def test_few_runs_or_values_are_undecided():
    rng = np.random.default_rng(14)
    runs = draws(rng, 10, 50)
    far = [r + 100 for r in runs]
    assert ensemble(runs[:2], runs[2:]).verdict == UNDECIDED
    assert ensemble(runs, []).verdict == UNDECIDED
    assert ensemble(runs[:5], [*runs[5:], runs[0][:9]]).verdict == UNDECIDED
    assert ensemble(runs[:5], [*runs[5:], np.append(runs[0][:9], np.nan)]).verdict == UNDECIDED
    assert ensemble(runs[: FAIL_RUNS - 1], far).verdict == UNDECIDED
    assert ensemble(runs[:FAIL_RUNS], far).verdict == FAIL
    assert ensemble(runs[:3], runs[:3]).verdict == PASS


def test_populations_and_measures_are_answered_each():
    rng = np.random.default_rng(15)
    same, far = draws(rng, 10, 100), draws(rng, 10, 100, 3.0)
    found = ensemble_populations({"e": same[:5], "i": same[:5]}, {"e": same[5:], "i": far})
    assert {k: t.verdict for k, t in found.items()} == {
        ("e", KS): PASS,
        ("e", WASSERSTEIN): PASS,
        ("i", KS): FAIL,
        ("i", WASSERSTEIN): FAIL,
    }
    with pytest.raises(ModelError, match="populations"):
        ensemble_populations({"e": same}, {"i": same})


@pytest.mark.parametrize("measure", [KS, WASSERSTEIN])
@pytest.mark.parametrize(("count", "seeds"), [(10, 0.0), (10, 0.1), (5, 0.1)])
def test_equal_models_with_other_seeds_are_rarely_called_different(measure, count, seeds):
    """400 pairs of ensembles of 200 cells: at most 5 % called different, as the limit is 2 SD of one distance
    and not of their mean.
    """
    rng = np.random.default_rng(16)
    found = [
        ensemble(draws(rng, count, 200, seeds=seeds), draws(rng, count, 200, seeds=seeds), measure)
        for _ in range(400)
    ]
    assert np.mean([t.verdict == FAIL for t in found]) <= 0.05
    # The permutation test is exact: 5 % within three standard errors (1.1 % each).
    assert np.mean([t.p_permutation <= 0.05 for t in found]) <= 0.05 + 3 * 0.011


@pytest.mark.parametrize("measure", [KS, WASSERSTEIN])
def test_a_real_difference_is_found(measure):
    """Doubled rates in every one of 50; rates 1.7 times as high in nine of ten.

    The limit is wide where seeds differ, here by 10 %: in simulations KS misses about one in six of 1.5 times
    the rate.
    """
    rng = np.random.default_rng(17)
    found = {
        scale: [ensemble(draws(rng, 10, 200), draws(rng, 10, 200, scale), measure).verdict for _ in range(50)]
        for scale in (1.7, 2.0)
    }
    assert found[2.0].count(FAIL) == 50
    assert (
        found[1.7].count(FAIL) >= 45
    )  # 98 % of 300 other pairs were found; 45 or fewer of 50 then has a chance of 0.3 %
