"""Activity statistics against elephant and against closed forms of Poisson, renewal and regular trains."""

from itertools import pairwise

import neo
import numpy as np
import pytest
import quantities as pq

from portable.errors import ModelError
from portable.results import Results, SpikeTable, sorted_spikes
from portable.results.activity import (
    PAIR_CELLS,
    STATISTICS,
    Window,
    by_cell,
    correlations,
    cvs,
    distributions,
    fanos,
    intervals,
    lvs,
    peak,
    rates,
    spectrum,
    summary,
    synchrony,
)  # fmt: skip

DT = 0.1


pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # undefined statistics are nan, not warnings


def poisson(cells: int, steps: int, rate: float, seed: int, dt: float = DT) -> SpikeTable:
    """Independent Bernoulli trains on the grid, stamps 1..steps; rate in Hz."""
    rng = np.random.default_rng(seed)
    n = rng.binomial(cells * steps, rate * dt / 1000.0)
    at = rng.choice(cells * steps, n, replace=False)
    return sorted_spikes(at % cells, at // cells + 1, dt, np.arange(cells))


def table(trains: list[list[int]], dt: float = 1.0) -> SpikeTable:
    ids = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    return sorted_spikes(ids, np.concatenate([np.zeros(0), *trains]), dt, np.arange(len(trains)))


def mixed(steps: int) -> SpikeTable:
    """Random, regular, bursting, nearly silent and silent cells."""
    rng = np.random.default_rng(5)
    random = [np.sort(rng.choice(steps, n, replace=False)) + 1 for n in rng.integers(20, 400, 12)]
    regular = [np.arange(offset, steps + 1, period) for offset, period in ((3, 70), (50, 333))]
    bursts = [np.concatenate([s + np.arange(4) * 20 for s in range(500, steps - 100, 4000)])]
    return table([*random, *regular, *bursts, [17], [], [40, 90]], DT)


def neo_trains(spikes: SpikeTable, steps: int) -> list[neo.SpikeTrain]:
    return [neo.SpikeTrain(t * pq.ms, t_stop=steps * DT * pq.ms) for t in spikes.trains()]


STEPS = 100_000
MIXED = mixed(STEPS)
ALL = Window(0, STEPS)
# Elephant computes with times in ms, we with whole steps; both are rounded a few times, at 2e-16 each. 1e-12
# leaves room for sums over some hundred intervals.
SAME = {"rtol": 1e-12, "atol": 0.0, "equal_nan": True}


def test_rates_cv_and_lv_are_elephants():
    from elephant import statistics

    trains = by_cell(MIXED, ALL)
    spiked = [t.times.magnitude for t in neo_trains(MIXED, STEPS)]
    theirs = [
        1000.0 * statistics.mean_firing_rate(t, 0.0, STEPS * DT) if t.size else 0.0 for t in spiked
    ]  # elephant refuses silent cells
    np.testing.assert_allclose(rates(trains), theirs, **SAME)
    enough = [np.diff(t) if t.size > 5 else None for t in spiked]
    np.testing.assert_allclose(
        cvs(trains), [np.nan if i is None else statistics.cv(i) for i in enough], **SAME | {"atol": 1e-12}
    )  # the regular cells' 0
    np.testing.assert_allclose(
        lvs(trains), [np.nan if i is None else statistics.lv(i) for i in enough], **SAME | {"atol": 1e-12}
    )


def test_fano_factors_are_elephants():
    from elephant.statistics import fanofactor

    ours = fanos(by_cell(MIXED, ALL), 100.0)
    edges = np.arange(101) * 100.0
    for c, times in enumerate(MIXED.trains()):
        # Elephant's bins are closed below, ours above: a spike at 100 ms ends the first window. Half a step
        # moves it there.
        cut = [times[(times - DT / 2 >= a) & (times - DT / 2 < b)] for a, b in pairwise(edges)]
        np.testing.assert_allclose(ours[c], fanofactor(cut), **SAME)


def test_correlations_are_elephants():
    from elephant.conversion import BinnedSpikeTrain
    from elephant.spike_train_correlation import correlation_coefficient

    spiking = [t for t in MIXED.trains() if t.size]
    moved = [
        neo.SpikeTrain((t - DT / 2) * pq.ms, t_stop=STEPS * DT * pq.ms) for t in spiking
    ]  # bins closed above, as in the test before
    matrix = correlation_coefficient(BinnedSpikeTrain(moved, bin_size=2 * pq.ms, n_bins=5000))
    # atol: Elephant subtracts the product of the means in floating point, which costs it some 1e-16 of a
    # coefficient near 0.
    np.testing.assert_allclose(
        correlations(by_cell(MIXED, ALL)), matrix[np.triu_indices(len(spiking), 1)], rtol=1e-12, atol=1e-14
    )


def test_the_spectrum_is_elephants():
    from elephant.spectral import welch_psd

    counts = np.histogram(MIXED.steps, np.arange(0, STEPS + 1, 10) + 0.5)[0]
    activity = counts / 0.001 / MIXED.recorded.size
    frequencies, power = welch_psd(activity, len_segment=1000, fs=1000.0, return_onesided=False)
    ours = spectrum(by_cell(MIXED, ALL))
    np.testing.assert_array_equal(ours[0], frequencies[:500])
    np.testing.assert_allclose(ours[1], power[:500], rtol=1e-12)


def test_poisson_trains_have_the_closed_forms():
    cells, rate, seconds = 400, 20.0, 10.0
    spikes = poisson(cells, STEPS, rate, seed=11)
    found = summary(spikes, ALL)
    n = cells * rate * seconds  # spikes, 80,000
    p = rate * DT / 1000.0  # a Bernoulli train: variances are 1 - p = 0.998 of Poisson's
    # All margins: four standard errors, a chance of 6e-5 each, and the known bias of the estimator.
    assert found["rate"] == pytest.approx(rate, abs=4 * rate / np.sqrt(n))
    # CV of m intervals: variance 1/m over cells (exponential intervals), bias -1/m to first order, m = 199.
    assert found["cv"] == pytest.approx(1.0, abs=4 / np.sqrt(n) + 2 / (rate * seconds))
    # 3 d^2 with d uniform on -1..1: mean 1, variance 4/5; neighbouring terms share an interval, which at most
    # doubles the variance. On a grid the two intervals coincide more often: the mean falls by about p =
    # 0.002.
    assert found["lv"] == pytest.approx(1.0, abs=4 * np.sqrt(1.6 / n) + 2 * p)
    # The variance of W counts of mean m has the relative variance 2/W + 1/(W m); W = 100, m = 2; divided by
    # W: bias -1/W.
    assert found["fano"] == pytest.approx(
        (1 - p) * (1 - 1 / 100), abs=4 * np.sqrt((2 / 100 + 1 / 200) / cells)
    )
    # A coefficient over B bins has the variance 1/B; the mean of pairs of 200 cells is that of all pairs,
    # which are uncorrelated.
    pairs = PAIR_CELLS * (PAIR_CELLS - 1) / 2
    assert found["correlation"] == pytest.approx(0.0, abs=4 / np.sqrt(5000 * pairs))
    assert found["synchrony"] == pytest.approx(1 - p, abs=4 * np.sqrt(2 / 3333 + 1 / n))
    # 5 neighbouring frequencies of 19 half overlapping segments: the largest of some 100 independent values
    # of 1 +- 0.11.
    assert 1.0 < found["peak_power"] < 1.0 + 5 * 0.15
    assert set(found) == set(STATISTICS)


def test_the_spectrum_of_poisson_trains_is_flat_at_rate_over_cells():
    cells, rate = 100, 30.0
    _, power = spectrum(by_cell(poisson(cells, STEPS, rate, seed=3), ALL))
    level = rate / cells
    # A segment's power at one frequency has the relative SD 1. Segments of 1 s that overlap by half count as
    # 10 to 19 independent ones; frequencies two apart are independent. Four standard errors with 10 segments
    # and half of the frequencies.
    for part in np.array_split(power[2:], 4):
        assert part.mean() == pytest.approx(level, rel=4 / np.sqrt(10 * part.size / 2))
    assert (
        power[0] < 2 * level
    )  # the mean is taken away: it would be 2/3 rate^2 s, two thousand times the level


def test_an_oscillation_is_found_at_its_frequency():
    rng = np.random.default_rng(8)
    time = np.arange(STEPS) * DT
    chance = 0.002 * (1 + 0.8 * np.sin(2 * np.pi * 43.0 * time / 1000.0))
    spiked = [np.flatnonzero(rng.random(STEPS) < chance) + 1 for _ in range(100)]
    found = summary(table(spiked, DT), ALL)
    assert found["peak_frequency"] == pytest.approx(
        43.0, abs=3.0
    )  # the average over 5 Hz has a plateau of +-2 Hz, one bin more for noise
    # A sine of amplitude 0.8 r, 1 s segments, Hann: 0.8^2/4 r^2 T / 1.5 at the peak, times 1.5 Hz of width
    # shared over 5 bins, r = 20 Hz.
    expected = 1 + 0.8**2 / 4 * 20.0**2 / 5 / (20.0 / 100)
    assert found["peak_power"] == pytest.approx(expected, rel=0.15)  # rate and phase noise: a few per cent


def test_regular_trains_are_regular():
    period = 50
    spikes = table([list(range(offset, 20_001, period)) for offset in range(1, 41)])
    window = Window(0, 20_000)
    found = summary(spikes, window)
    assert found["rate"] == 20.0
    assert found["cv"] == 0.0
    assert found["lv"] == 0.0
    assert found["fano"] == 0.0  # two spikes in every window of 100 ms
    values = distributions(spikes, window)
    assert np.array_equal(values["isi"], np.full(40 * 399, 50.0))
    # Cells 1 and 2 share every bin of 2 ms; 3 never falls in theirs: p = 1/25 of the bins are full, so r =
    # -p/(1 - p).
    pair = correlations(by_cell(table([list(range(k, 20_001, period)) for k in (1, 2, 3)]), window))
    np.testing.assert_allclose(pair, [1.0, -1 / 24, -1 / 24], rtol=1e-14)


def test_gamma_intervals_have_the_cv_and_lv_of_their_shape():
    shape, rng = 4, np.random.default_rng(2)
    spiked = [np.cumsum(np.rint(rng.gamma(shape, 2000 / shape, 500))).astype(int) for _ in range(60)]
    trains = by_cell(table(spiked, 0.01), Window(0, 2_000_000))
    # CV = 1/sqrt(k), LV = 3/(2k + 1) (Shinomoto et al. 2003). About 60 * 500 intervals: SE of CV about
    # 0.5/sqrt(2n) = 0.002, of LV about 0.33 * sqrt(2/n) = 0.003; bias about 1/500. Four standard errors each.
    assert np.nanmean(cvs(trains)) == pytest.approx(1 / np.sqrt(shape), abs=0.010)
    assert np.nanmean(lvs(trains)) == pytest.approx(3 / (2 * shape + 1), abs=0.014)


def test_a_window_leaves_out_what_is_outside_and_counts_from_its_start():
    spikes = table([[100, 101, 150, 200, 201], [99, 300]])
    trains = by_cell(spikes, Window(100, 200))  # stamps 101..200: a stamp ends its step
    assert trains.steps.tolist() == [1, 50, 100]
    assert trains.counts.tolist() == [3, 0]
    assert rates(trains).tolist() == [30.0, 0.0]
    assert intervals(trains)[0].tolist() == [49.0, 50.0]
    shifted = SpikeTable(spikes.ids, spikes.steps + 1000, 1.0, spikes.recorded)
    assert summary(shifted, Window(1000, 1400)) == pytest.approx(
        summary(spikes, Window(0, 400)), rel=0, abs=0, nan_ok=True
    )


def test_windows_in_ms():
    run = Results("n", "native", DT, 5000, {"a": 1}, {}, {})
    assert Window.after(100.0, run) == Window(1000, 5000) == Window.between(100.0, 500.0, DT)
    assert Window(1000, 5000).steps == 4000
    for start, stop in ((5, 5), (-1, 5), (6, 5)):
        with pytest.raises(ModelError, match="window"):
            Window(start, stop)


def test_cells_recorded_in_any_order_keep_their_spikes():
    recorded = np.array([7, 2, 9])
    spikes = sorted_spikes(
        [9, 2, 2, 7, 9, 9, 4], [1, 2, 3, 4, 5, 6, 7], 1.0, recorded
    )  # cell 4 is not one of them
    trains = by_cell(spikes, Window(0, 10))
    assert trains.counts.tolist() == [1, 2, 3]
    assert trains.steps.tolist() == [4, 2, 3, 1, 5, 6]
    assert trains.owners.tolist() == [0, 1, 1, 2, 2, 2]


UNDEFINED = {"cv", "lv", "fano", "correlation", "synchrony", "peak_frequency", "peak_power"}


@pytest.mark.parametrize(
    ("trains", "undefined"),
    [
        ([], UNDEFINED | {"rate"}),
        ([[]], UNDEFINED),
        ([[], [], []], UNDEFINED),
        ([[500]], {"cv", "lv", "correlation"}),
        ([[500], []], {"cv", "lv", "correlation"}),
        ([[500, 500, 500, 500, 500, 500, 500]], {"cv", "lv", "correlation"}),  # only intervals of 0
        ([[500, 500, 500, 600, 600, 700, 700], [10]], set()),
    ],
)
def test_few_spikes_give_nan_and_never_a_warning(trains, undefined):
    spikes = table(trains)
    found = summary(spikes, Window(0, 1000))
    assert {name for name, value in found.items() if not np.isfinite(value)} == undefined
    assert all(np.isfinite(v).all() for v in distributions(spikes, Window(0, 1000)).values())


def test_a_window_of_one_step_is_too_short_for_variances():
    found = summary(table([[1], [1]]), Window(0, 1))
    assert {name for name, value in found.items() if np.isfinite(value)} == {"rate"}


def test_repeats_in_one_step_count_as_spikes():
    trains = by_cell(table([[10, 10, 20, 20, 30, 30, 30]]), Window(0, 100))
    assert intervals(trains)[0].tolist() == [0.0, 10.0, 0.0, 10.0, 0.0, 0.0]
    assert cvs(trains)[0] == pytest.approx(
        np.std([0, 10, 0, 10, 0, 0]) / np.mean([0, 10, 0, 10, 0, 0]), rel=1e-15
    )
    assert lvs(trains)[0] == 3.0  # every pair but the last is (0, 10) or (10, 0); the last has no ratio
    assert fanos(trains, 10.0)[0] == pytest.approx(np.var([2, 2, 3, *[0] * 7]) / 0.7, rel=1e-15)


def test_too_few_intervals_leave_a_cell_out():
    trains = by_cell(table([[1, 5, 7, 20, 30], [1, 5, 7, 20, 30, 50]]), Window(0, 100))
    assert np.isnan(cvs(trains)).tolist() == [True, False]
    assert np.isnan(lvs(trains)).tolist() == [True, False]
    assert np.isfinite(cvs(trains, least=4)).all()


def test_the_correlated_cells_are_few_even_and_stable():
    spikes = poisson(5000, 2000, 20.0, seed=4)
    spiking = np.unique(spikes.ids)
    assert correlations(by_cell(spikes, Window(0, 2000))).size == PAIR_CELLS * (PAIR_CELLS - 1) // 2
    # One cell more that spikes changes at most one of the chosen, so at most 199 of the 19,900 coefficients.
    silent = np.setdiff1d(np.arange(5000), spiking)
    for extra in silent[::200]:
        more = sorted_spikes(np.append(spikes.ids, extra), np.append(spikes.steps, 700), DT, spikes.recorded)
        before, after = (np.sort(correlations(by_cell(t, Window(0, 2000)))) for t in (spikes, more))
        kept = sum(
            min(np.count_nonzero(before == v), np.count_nonzero(after == v)) for v in np.unique(before)
        )
        assert kept >= before.size - (PAIR_CELLS - 1)


def test_synchrony_of_one_volley():
    trains = by_cell(table([[100]] * 50), Window(0, 300))
    assert synchrony(trains) == pytest.approx(
        50 * 0.99, rel=1e-14
    )  # 50 spikes in 1 of 100 bins: variance 50^2/100 - 0.5^2, mean 0.5


def test_only_whole_bins_count():
    assert (
        fanos(by_cell(table([[50, 250]]), Window(0, 299)), 100.0)[0] == 1 / 2
    )  # counts 1, 0; the spike at 250 is in a part of a bin
    assert np.isnan(fanos(by_cell(table([[50, 150]]), Window(0, 199)), 100.0)[0])


def test_the_peak_is_the_highest_average():
    frequencies = np.arange(0.0, 600.0)
    power = np.ones(600)
    power[300] = 20.0  # one high bin: 20 + 4 over 5 Hz
    power[98:103] = 6.0  # five of 6
    power[550] = 1e6  # outside the band
    assert peak(frequencies, power) == (100.0, 6.0)
    assert peak(frequencies, power, smoothing=0.0) == (300.0, 20.0)
    assert np.isnan(peak(frequencies, np.zeros(600))).all()
    assert np.isnan(peak(np.empty(0), np.empty(0))).all()
