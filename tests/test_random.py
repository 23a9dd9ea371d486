"""The random numbers themselves: published answers of Philox, elementary functions, and the statistics of
every distribution.

Statistical margins: the seed is fixed, so a test either always passes or always fails; margins are 5 standard
errors of the estimate, which a correct generator exceeds once in 1.7 million tries. Kolmogorov-Smirnov:
sqrt(n) D < 2.0 (p = 7e-4).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

import portable as pt
from portable.model.values import value
from portable.resolve import distributions, pairs, random, threads

N = 200_001  # odd: the last pair of slots is half used


@njit
def _philox4(key, c0, c1, c2, c3):
    return random.philox4(key, c0, c1, c2, c3)


@njit
def _words(key, index, purpose):
    return random.words(key, index, purpose)


@njit
def _ln(x, out):
    for i in range(x.size):
        out[i] = random.ln(x[i])


@njit
def _normal(a, b, out):
    for i in range(a.size):
        out[i] = random.normal(a[i], b[i])


@njit
def _uniform(a, b):
    return random.uniform53(a, b)


ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [  # Random123's kat_vectors, philox4x32 10 rounds
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, answer):
    got = _philox4(np.uint64(key[0] | key[1] << 32), *(np.uint64(c) for c in counter))
    assert tuple(int(x) for x in got) == answer


def test_words_in_blocks_are_the_words_one_by_one():
    w, key, first = np.empty(4 * random.BLOCK, dtype=np.uint64), np.uint64(987654321987), (1 << 32) - 100
    random.words_block(key, first, w)  # crosses the 32-bit boundary of the counter
    for i in (0, 1, 99, 100, 101, random.BLOCK - 1):
        assert [int(x) for x in w[i :: random.BLOCK]] == [
            int(x) for x in _words(key, np.uint64(first + i), 0)
        ]


def test_streams_are_named_for_ever():
    """These keys are what a seed means; if they change, every saved seed means another network."""
    assert random.stream(42, "exc", "v") == 0x325A163A885CF03A
    assert random.stream(42, "exc", "v") != random.stream(42, "exc v") != random.stream(43, "exc", "v")
    assert random.stream(42, "ab", "c") != random.stream(42, "a", "bc")


def test_logarithm_is_right_to_the_last_bits():
    """Against numpy's; within 5e-16 of relative error, two units in the last place, over the whole range that
    draws use.
    """
    x = np.concatenate(
        [2.0 ** -np.linspace(0, 33, 10001), 1 - 2.0 ** -np.arange(1, 33), np.linspace(0.5, 1.0, 10000)[:-1]]
    )
    x = x[x < 1]
    out = np.empty_like(x)
    _ln(x, out)
    assert np.max(np.abs(out / np.log(x) - 1)) < 5e-16


def test_normal_is_box_muller():
    """Against numpy's log and cos. |z| <= 6.8 and each factor is good to some 1e-16 of 6.8: 5e-15."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 1 << 32, (2, 10000), dtype=np.uint64)
    a[:2], b[:4] = [0, ONES], [0, ONES, 1 << 31, 1 << 30]
    out = np.empty(a.size)
    _normal(a, b, out)
    u, v = (a + 0.5) / 2**32, b / 2**32
    assert np.max(np.abs(out - np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v))) < 5e-15
    assert np.max(np.abs(out)) < distributions.MOST_Z


def test_uniform_is_below_one():
    assert _uniform(np.uint64(0), np.uint64(0)) == 0.0
    assert _uniform(np.uint64(ONES), np.uint64(ONES)) == 1.0 - 2.0**-53


def drawn(distribution, key: int = 1) -> np.ndarray:
    out = np.empty(N)
    distributions.fill(key, out, distributions.spec(value(distribution, "1", "x"), "x"))
    return out


CLOSED = {
    "uniform": (pt.Uniform(-65.0, -50.0), stats.uniform(-65, 15)),
    "normal": (pt.Normal(3.0, 2.0), stats.norm(3, 2)),
    "normal above": (pt.Normal(1.5, 0.75, low=0.1), stats.truncnorm(-1.4 / 0.75, np.inf, 1.5, 0.75)),
    "normal rare": (pt.Normal(0.0, 1.0, low=2.0), stats.truncnorm(2.0, np.inf)),
    "normal between": (pt.Normal(0.0, 1.0, low=-0.5, high=1.0), stats.truncnorm(-0.5, 1.0)),
    "lognormal": (
        pt.Lognormal(2.0, 1.0),
        stats.lognorm(math.sqrt(math.log(1.25)), scale=2 / math.sqrt(1.25)),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_draws_have_their_distribution(name):
    given, law = CLOSED[name]
    x = drawn(given)
    assert abs(x.mean() - law.mean()) < 5 * law.std() / math.sqrt(N)
    kurtosis = float(law.stats("k"))
    assert abs(x.std() / law.std() - 1) < 5 * math.sqrt((kurtosis + 2) / (4 * N))
    assert math.sqrt(N) * stats.kstest(x, law.cdf).statistic < 2.0


@pytest.mark.parametrize("name", CLOSED)
def test_neighbouring_draws_are_independent(name):
    """Lag correlations of an independent series have standard error 1/sqrt(N). Lag 1 pairs slots that share a
    Philox block.
    """
    x = stats.rankdata(drawn(CLOSED[name][0]))
    for lag in (1, 2, 3, 512):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 5 / math.sqrt(N)


def test_clipped_values_move_to_the_bound():
    """P(N(0,1) < -1) = 0.1587 of the values sit at the bound exactly."""
    for given in (pt.Normal(0.0, 1.0, low=-1.0, clip=True), pt.Clipped(pt.Normal(0.0, 1.0), low=-1.0)):
        x = drawn(given)
        p = stats.norm.cdf(-1)
        assert x.min() == -1.0
        assert abs((x == -1.0).mean() - p) < 5 * math.sqrt(p * (1 - p) / N)


def test_clipped_keeps_the_inner_bounds():
    """The inner bound draws again, the outer one moves: nothing is left at -0.5, P(x > 1 | x > -0.5) sits at
    1.
    """
    x = drawn(pt.Clipped(pt.Normal(0.0, 1.0, low=-0.5), high=1.0))
    p = stats.norm.sf(1.0) / stats.norm.sf(-0.5)
    assert x.min() > -0.5
    assert x.max() == 1.0
    assert abs((x == 1.0).mean() - p) < 5 * math.sqrt(p * (1 - p) / N)


def test_no_spread_is_a_constant():
    assert set(drawn(pt.Normal(2.5, 0.0, low=1.0))) == {2.5}


@pytest.mark.parametrize(
    "given",
    [
        pt.Normal(0.0, 1.0, low=3.2),
        pt.Normal(0.0, 0.0, low=1.0),
        pt.Lognormal(1.0, 0.1, high=0.0),
        pt.Normal(0.0, 1.0, low=1.0, high=1.0),
    ],
)
def test_bounds_that_leave_nothing_are_refused(given):
    with pytest.raises(pt.ModelError, match=r"exc\.v: .*inside its bounds.*clip=True"):
        distributions.spec(value(given, "1", "exc.v"), "exc.v")


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_draws_do_not_depend_on_threads(name, count):
    expected = drawn(CLOSED[name][0])
    with threads.using(count):
        assert len(threads.blocks(N, 2)) == count
        assert np.array_equal(drawn(CLOSED[name][0]), expected)


def test_bits_are_the_same_everywhere():
    """Drawn once on x86-64; + - * / and sqrt are rounded alike by every IEEE 754 machine."""
    x = drawn(pt.Normal(0.0, 1.0))
    assert [float(v).hex() for v in x[:3]] == GOLDEN


GOLDEN = ["0x1.8587c51f15b0dp-2", "-0x1.fe6e17edb3db8p-3", "0x1.40ff4f17f5959p-1"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_steps_are_the_nearest_of_the_same_draw(dtype):
    out, spec = (
        np.empty(N, dtype=dtype),
        distributions.spec(value(pt.Normal(1.5, 0.75, high=20.0), "ms", "x"), "x"),
    )
    indptr, targets, x = np.array([0, N]), np.arange(N, dtype=np.uint32), np.empty(N)
    pairs.fill(1, 0, 1, indptr, targets, out, pairs.Rounding(0.1, least=1.0), spec)
    pairs.fill(1, 0, 1, indptr, targets, x, pairs.NONE, spec)
    assert np.array_equal(out, np.maximum(1, np.floor(x / 0.1 + 0.5)))
    assert (out == 1).mean() > 0.02  # 2.6 % of the mass lies below 0.05 ms and moves to one step


def test_a_distribution_of_one_value_is_that_value_at_its_bound():
    """exp(log(mean)) may lie an ulp above a bound at the mean; nothing is drawn again for it."""
    for mean in np.geomspace(0.01, 100.0, 50).tolist():
        out = np.empty(4)
        for given in (pt.Lognormal(mean, 0.0, high=mean), pt.Lognormal(mean, 0.0, low=mean)):
            spec = distributions.spec(value(given, "1", "x"), "x")
            assert (spec.low, spec.high) == (-math.inf, math.inf)
            distributions.fill(1, out, spec)
            np.testing.assert_allclose(out, mean, rtol=1e-15)
