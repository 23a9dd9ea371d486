"""Frozen Poisson trains: probabilities against scipy, the same trains in any chunking. Margins: 5 standard
errors, seed fixed.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import portable as pt
from portable.resolve import resolve
from portable.resolve.poisson import MAX_MEAN, counts, table, thresholds
from portable.resolve.program import PoissonGroup
from portable.resolve.random import stream


@pytest.mark.parametrize("mean", [1e-6, 0.002, 0.1, 1.6, 12.0, 100.0, MAX_MEAN])
def test_thresholds_are_the_cumulative_distribution(mean):
    """floor(2^32 P(N <= m)); the sum's rounding can move it by one. Above the last the remaining probability
    is below 2^-31.
    """
    found = thresholds(mean).astype(np.int64)
    exact = np.floor(stats.poisson.cdf(np.arange(found.size), mean) * 2**32).astype(np.int64)
    assert np.abs(found - exact).max() <= 1
    assert stats.poisson.sf(found.size, mean) < 2**-31


def test_no_rate_is_no_spike():
    silent = PoissonGroup("noise", 5, 0.0, 0, None, 1)
    assert not counts(silent, table(silent, 0.1), 1, 1000).any()


@pytest.mark.parametrize("rate", [0.02, 1.0, 16.0, 200.0])
def test_counts_have_the_poisson_distribution(rate):
    """Mean and variance over cells and steps, and the frequency of each count, against Poisson(rate dt)."""
    size, steps, mean = 100, 4000, rate * 0.1
    group = PoissonGroup("noise", size, rate, 0, None, stream(1, "noise", "poisson"))
    x = counts(group, table(group, 0.1), 1, steps).astype(np.int64)
    n = x.size
    assert abs(x.mean() - mean) < 5 * math.sqrt(mean / n)
    assert abs(x.var() - mean) < 5 * math.sqrt((mean + 2 * mean**2) / n)
    for m in np.unique(x):
        p = stats.poisson.pmf(m, mean)
        assert abs((x == m).mean() - p) < 5 * math.sqrt(p / n) + 1e-5
    across, along = (
        np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1],
        np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1],
    )
    assert max(abs(across), abs(along)) < 5 / math.sqrt(n)


def test_each_cell_has_its_own_rate():
    rates = np.array([0.0, 0.5, 5.0, 0.5, 50.0])
    group = PoissonGroup("noise", 5, rates, 0, None, 7)
    got = counts(group, table(group, 0.1), 1, 20000).mean(axis=0)
    assert got[0] == 0
    assert np.all(np.abs(got - rates * 0.1) <= 5 * np.sqrt(rates * 0.1 / 20000))


def test_active_from_start_to_stop():
    """Steps start < k <= stop only."""
    group = PoissonGroup("noise", 50, 100.0, 10, 20, 3)
    x = counts(group, table(group, 0.1), 1, 40)
    stamps = 1 + np.flatnonzero(x.any(axis=1))
    assert (stamps[0], stamps[-1]) == (11, 20)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 299), unique=True).map(sorted),
    size=st.integers(1, 9),
    start=st.integers(0, 50),
    length=st.none() | st.integers(0, 200),
)
def test_any_chunking_gives_the_same_trains(cuts, size, start, length):
    group = PoissonGroup(
        "noise", size, np.linspace(0.5, 9.0, size), start, None if length is None else start + length, 11
    )
    tab, edges = table(group, 0.1), [1, *[c + 1 for c in cuts], 301]
    whole = counts(group, tab, 1, 300)
    assert np.array_equal(np.vstack([counts(group, tab, a, b - a) for a, b in pairwise(edges)]), whole)


def test_trains_of_a_network_belong_to_name_and_seed():
    def trains(seed, name, size=20, other=()):
        noise = pt.Population(name, size, pt.SpikeSourcePoisson(rate="500 Hz", start=1.0, duration=30.0))
        group = resolve(pt.Network("n", [*other, noise]), seed).group(name)
        assert isinstance(group, PoissonGroup)
        assert (group.rate, group.start, group.stop) == (0.5, 10, 310)
        return counts(group, table(group, 0.1), 1, 400)

    base = trains(1, "noise")
    assert np.array_equal(trains(1, "noise", other=[pt.Population("a", 3, pt.IF_curr_exp())]), base)
    assert np.array_equal(
        trains(1, "noise", size=30)[:, :20], base
    )  # a larger population keeps its first cells' trains
    for changed in (trains(2, "noise"), trains(1, "noise2")):
        n = base[10:310].size
        assert abs(np.corrcoef(changed[10:310].ravel(), base[10:310].ravel())[0, 1]) < 5 / math.sqrt(n)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            lambda: pt.SpikeSourcePoisson(rate=pt.Normal("1 Hz", "5 Hz")),
            r"SpikeSourcePoisson\.rate: must be 0 Hz or more.*low=0",
        ),
        (
            lambda: pt.SpikeSourcePoisson(rate="6 MHz"),
            r"population 'noise'\.rate: .*spikes a step, at most 500",
        ),
        (
            lambda: pt.SpikeSourcePoisson(rate=1, start=0.05),
            r"population 'noise'\.start: must be a whole number of steps of 0.1 ms, got 0.05 ms; use 0 or "
            r"0.1 ms",
        ),
        (
            lambda: pt.SpikeSourcePoisson(rate=1, duration=1.23),
            r"population 'noise'\.duration: must be a whole number",
        ),
        (
            lambda: pt.SpikeSourcePoisson(rate=1, start=-1),
            r"SpikeSourcePoisson: start and duration must be >= 0 ms",
        ),
    ],
)
def test_bad_sources_are_refused(source, message):
    with pytest.raises(pt.ModelError, match=message):
        resolve(pt.Network("n", [pt.Population("noise", 100, source())]), 1)
