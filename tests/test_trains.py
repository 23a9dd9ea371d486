"""Spike-train distances against closed forms, elephant and PySpike."""

import neo
import numpy as np
import pytest
import quantities as pq

from portable.errors import ModelError
from portable.results import SpikeTable, sorted_spikes
from portable.results.activity import Trains, Window, by_cell
from portable.validation.trains import mean_distances, spike_distance, van_rossum

LENGTH = 1000
WINDOW = Window(0, LENGTH)
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def table(trains: list[list[int]], dt: float = 1.0) -> SpikeTable:
    ids = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    return sorted_spikes(ids, np.concatenate([np.zeros(0), *trains]), dt, np.arange(len(trains)))


def sides(
    a: list[list[int]], b: list[list[int]], length: int = LENGTH, dt: float = 1.0
) -> tuple[Trains, Trains]:
    return by_cell(table(a, dt), Window(0, length)), by_cell(table(b, dt), Window(0, length))


def random_trains(cells: int, seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Trains of 0 to 40 spikes; the other side has some of them shifted, some lost and some of its own."""
    rng = np.random.default_rng(seed)
    a = [np.sort(rng.integers(1, LENGTH + 1, n)) for n in rng.integers(0, 40, cells)]
    b = [
        np.sort(
            np.clip(
                np.concatenate(
                    [t[rng.random(t.size) < 0.8] + rng.integers(-3, 4), rng.integers(1, LENGTH, 3)]
                ),
                1,
                LENGTH,
            )
        )
        for t in a
    ]
    return [t.tolist() for t in a], [t.tolist() for t in b]


def test_van_rossum_of_few_spikes():
    tau = 10.0
    a, b = sides([[100], [100], [100, 100], [], [100, 500]], [[], [105], [], [], [300, 700]], dt=0.5)
    # One spike: 1. One on each side, 2.5 ms apart: sqrt(2 - 2 exp(-2.5/tau)). Two at once: 2. Four, 100 ms
    # apart, the sides taking turns.
    near = np.sqrt(2 - 2 * np.exp(-2.5 / tau))
    d = np.exp(-np.array([100.0, 200.0, 300.0]) / tau)
    far = np.sqrt(
        4 + 2 * (-3 * d[0] + 2 * d[1] - d[2])
    )  # signs + - + -: neighbours -1, next but one +1, the ends -1
    np.testing.assert_allclose(
        van_rossum(a, b, tau), [1.0, near, 2.0, 0.0, far], rtol=1e-14
    )  # a few roundings


def test_van_rossum_limits_of_tau():
    a, b = sides([[10, 200, 400], [10]], [[300], [11]])
    np.testing.assert_allclose(
        van_rossum(a, b, 1e-3), np.sqrt([4.0, 2.0])
    )  # no two spikes are near: all count
    np.testing.assert_allclose(
        van_rossum(a, b, 1e9), [2.0, 0.0], atol=1e-4
    )  # all are: the difference of the counts, up to sqrt(390/1e9)


@pytest.mark.parametrize("tau", [1.0, 10.0, 200.0])
def test_van_rossum_is_elephants(tau):
    from elephant.spike_train_dissimilarity import van_rossum_distance

    first, second = random_trains(60, seed=3)
    ours = van_rossum(*sides(first, second), tau)
    spiking = [c for c in range(60) if first[c] and second[c]]
    assert len(spiking) > 40
    for c in spiking:
        pair = [neo.SpikeTrain(t * pq.ms, t_stop=(LENGTH + 1) * pq.ms) for t in (first[c], second[c])]
        # Elephant takes the difference of two sums of up to 1600 terms and then the root; 1e-9 is what is
        # left of 1e-13 relative to them.
        assert ours[c] == pytest.approx(van_rossum_distance(pair, tau * pq.ms)[0, 1], abs=1e-9)


def test_spike_distance_of_one_spike_each():
    # 40 and 60 in 0..100. Each is 20 from the other, so S = 20 everywhere. Intervals: a 40 then 60, b 60 then
    # 40. 0..40 and 60..100: 2 * 20 * (40 + 60) / 100^2 = 0.4; 40..60: 2 * 20 * (60 + 60) / 120^2 = 1/3. Mean:
    # (40 * 0.4 + 20 / 3 + 40 * 0.4) / 100.
    assert spike_distance(*sides([[40]], [[60]], 100))[0] == pytest.approx((32 + 20 / 3) / 100, rel=1e-14)


def test_spike_distance_of_two_spikes_each():
    # a = 20, 60 and b = 30, 80 in 0..100. Bounding spikes: a at -20 (20 - 40) and 100 (window and interval
    # alike); b at -20 and 130. Nearest: 20 -> 10, 60 -> 20, 30 -> 10, 80 -> 20. All intervals of a are 40, of
    # b 50: the value is 2 (50 Sa + 40 Sb) / 90^2. piece      middle  Sa                    Sb
    # 50 Sa + 40 Sb   times its length 0 .. 20    10      10                    10                  900
    # 18000 20 .. 30   25      10 + 10 * 5/40        10                  962.5            9625 30 .. 60   45
    # 10 + 10 * 25/40       10 + 10 * 15/50     1332.5          39975 60 .. 80   70      20
    # 10 + 10 * 40/50     1720            34400 80 .. 100  90      20                    20
    # 1800            36000 Sum 138000; times 2/8100, divided by 100: 46/135.
    assert spike_distance(*sides([[20, 60]], [[30, 80]], 100))[0] == pytest.approx(46 / 135, rel=1e-14)


def test_spike_distance_with_a_silent_train():
    # One spike in the middle of 0..100, against spikes at both edges: S = 50 (to either edge) for the one and
    # 0 for the other, whose bounding spikes meet; 2 * 50 * 100 / 150^2 = 4/9 all the time.
    assert spike_distance(*sides([[50], [], []], [[], [50], []], 100)) == pytest.approx(
        [4 / 9, 4 / 9, 0.0], rel=1e-14
    )


def train(number: int, spikes: int) -> list[int]:
    return np.unique(
        [(k * k * 37 + k * (11 + 14 * number)) % LENGTH + 1 for k in range(1, spikes + 1)]
    ).tolist()


# pyspike.spike_distance (PySpike 0.9.0) of SpikeTrain(train(number, spikes), [0, 1000]) for both sides:
# (number, spikes), (number, spikes).
PYSPIKE = [
    ((1, 7), (2, 9), 0.246334760535858),
    ((3, 1), (4, 6), 0.3338574558361735),
    ((5, 0), (6, 5), 0.341424604068006),
    ((7, 40), (8, 35), 0.2975985486289676),
    ((9, 1), (10, 1), 0.027728321831763623),
    ((11, 2), (12, 0), 0.39545408511172403),
    ((13, 200), (14, 3), 0.45087833163379387),
    ((15, 2), (16, 2), 0.05992242848233372),
]


def test_spike_distance_is_pyspikes():
    a, b = sides([train(*first) for first, _, _ in PYSPIKE], [train(*second) for _, second, _ in PYSPIKE])
    np.testing.assert_allclose(
        spike_distance(a, b), [value for _, _, value in PYSPIKE], rtol=1e-13
    )  # sums of at most 240 pieces


def test_spike_distance_is_the_mean_of_its_profile():
    """The definition, moment by moment: a sum over 200,000 moments of the window, each from the nearest
    spikes as found by brute force.
    """
    a, b = [90, 130, 480, 910], [100, 470, 520]
    time = (np.arange(200_000) + 0.5) * (LENGTH / 200_000)
    bounds = [np.array([min(0, 2 * s[0] - s[1]), *s, max(LENGTH, 2 * s[-1] - s[-2])], float) for s in (a, b)]

    def local(own, other):
        near = np.abs(own[:, None] - other).min(axis=1)
        near[[0, -1]] = near[[1, -2]]
        after = np.searchsorted(own, time)
        length = own[after] - own[after - 1]
        return np.interp(time, own, near), length

    (sa, xa), (sb, xb) = local(*bounds), local(*bounds[::-1])
    profile = (sa * xb + sb * xa) / (2 * ((xa + xb) / 2) ** 2)
    # The midpoint rule is exact on linear pieces; spikes fall between two moments.
    assert spike_distance(*sides([a], [b]))[0] == pytest.approx(profile.mean(), rel=1e-10)


@pytest.mark.parametrize("distance", [van_rossum, spike_distance])
def test_distances_are_symmetric_and_zero_for_equal_trains(distance):
    first, second = random_trains(300, seed=5)
    a, b = sides(first, second)
    assert not distance(a, a).any()
    forth, back = distance(a, b), distance(b, a)
    np.testing.assert_allclose(forth, back, rtol=1e-12, atol=1e-15)  # summed in the other order
    different = np.array([x != y for x, y in zip(first, second, strict=True)])
    assert (forth[different] > 0).all()
    if distance is spike_distance:
        assert forth.max() <= 1.0


@pytest.mark.parametrize("distance", [van_rossum, spike_distance])
def test_a_cells_distance_does_not_depend_on_the_others(distance):
    first, second = random_trains(20, seed=6)
    alone = [distance(*sides([x], [y]))[0] for x, y in zip(first, second, strict=True)]
    assert distance(*sides(first, second)).tolist() == alone


def test_growing_jitter_grows_the_distances():
    rng = np.random.default_rng(7)
    trains = [np.sort(rng.integers(50, 950, 12)) for _ in range(200)]
    noise = rng.standard_normal((200, 12))
    rows = [
        mean_distances(
            table(trains),
            table([np.sort(t + np.rint(s * e)).astype(int) for t, e in zip(trains, noise, strict=True)]),
            WINDOW,
        )
        for s in (1, 4, 16)
    ]
    for name in ("van_rossum", "spike"):
        values = [row[name] for row in rows]
        assert 0 < values[0] < values[1] < values[2]


def test_means_are_over_cells_that_spike_on_either_side():
    a, b = table([[100], [], [300], []]), table([[100], [200], [], []])
    found = mean_distances(a, b, WINDOW)
    left, right = by_cell(a, WINDOW), by_cell(b, WINDOW)
    assert found == {
        "van_rossum": pytest.approx((0 + 1 + 1) / 3),
        "spike": pytest.approx(spike_distance(left, right)[:3].mean()),
    }
    assert np.isnan(list(mean_distances(table([[], []]), table([[], []]), WINDOW).values())).all()
    assert np.isnan(list(mean_distances(table([]), table([]), WINDOW).values())).all()
    assert np.isnan(list(mean_distances(a, b, Window(400, LENGTH)).values())).all()  # nothing in the window


def test_spikes_at_the_edges_and_repeats():
    a, b = sides([[1, LENGTH], [LENGTH], [5, 5, 9], [LENGTH]], [[1, LENGTH], [1], [5, 9], []])
    values = spike_distance(a, b)
    assert np.isfinite(values).all()
    assert values[[0, 2]].tolist() == [0.0, 0.0]  # repeats are one spike for SPIKE
    assert van_rossum(a, b)[2] == pytest.approx(1.0)  # and one spike more for van Rossum


def test_what_cannot_be_compared_is_refused():
    one, two = table([[1]]), table([[1], [2]])
    with pytest.raises(ModelError, match="recorded cells"):
        mean_distances(one, two, WINDOW)
    with pytest.raises(ModelError, match="cells"):
        spike_distance(by_cell(one, WINDOW), by_cell(two, WINDOW))
    with pytest.raises(ModelError, match="steps in the window"):
        spike_distance(by_cell(one, WINDOW), by_cell(one, Window(0, 10)))
    with pytest.raises(ModelError, match="dt"):
        mean_distances(one, table([[1]], 0.1), WINDOW)
    for tau in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ModelError, match="tau"):
            van_rossum(by_cell(one, WINDOW), by_cell(one, WINDOW), tau)
