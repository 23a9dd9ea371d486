"""The windows of sources: together the whole, however they are cut and however they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from portable.resolve.program import PoissonGroup, TrainGroup
from portable.resolve.trains import Trains

STEPS = 400
POISSON = PoissonGroup("noise", 7, np.linspace(0.0, 30.0, 7), 20, 350, 12345)  # 1/ms; active in part of it
GIVEN = TrainGroup("given", 3, np.array([0, 4, 4, 6]), np.array([1, 5, 5, 400, 5, 401]))
EVENTS = [(1, 0), (5, 0), (5, 0), (5, 2), (400, 0)]  # of GIVEN up to STEPS: (stamp, source)


def made(group: PoissonGroup | TrainGroup) -> Trains:
    return Trains(group, 0.1)


def test_given_spikes_in_a_window() -> None:
    ids, stamps = made(GIVEN).spikes(1, STEPS)
    assert list(zip(stamps.tolist(), ids.tolist(), strict=True)) == EVENTS
    indptr, at, counts = made(GIVEN).by_source(1, STEPS)
    assert (indptr.tolist(), at.tolist(), counts.tolist()) == ([0, 3, 3, 4], [1, 5, 400, 5], [1, 2, 1, 1])
    assert made(GIVEN).counts(5, 1).tolist() == [[2, 0, 1]]


def test_poisson_sources_have_their_rate_and_their_window() -> None:
    """Mean counts within four standard errors (330 steps of 3 spikes at most: sqrt(990))."""
    counts = made(POISSON).counts(1, STEPS)
    assert not counts[:20].any()
    assert not counts[350:].any()
    expected = np.asarray(POISSON.rate) * 0.1 * 330
    assert np.all(np.abs(counts.sum(0) - expected) <= 4 * np.sqrt(expected))
    assert not made(POISSON).counts(-5, 6).any()  # stamps below 1


@pytest.mark.parametrize("group", [POISSON, GIVEN], ids=["poisson", "given"])
def test_every_way_of_asking_tells_the_same(
    group: PoissonGroup | TrainGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dense, as events, by source and as given spikes; in one window and in many, also of the chunks that are
    drawn at once.
    """
    trains = made(group)
    dense = trains.counts(1, STEPS).astype(np.int64)
    ids, stamps = trains.spikes(1, STEPS)
    again = np.zeros_like(dense)
    np.add.at(again, (stamps - 1, ids), 1)
    np.testing.assert_array_equal(again, dense)
    assert np.all(np.diff(stamps * group.size + ids) >= 0)
    indptr, at, counts = trains.by_source(1, STEPS)
    again[:] = 0
    again[at - 1, np.repeat(np.arange(group.size), np.diff(indptr))] = counts
    np.testing.assert_array_equal(again, dense)
    given = trains.given(STEPS)
    np.testing.assert_array_equal(made(given).counts(1, STEPS), dense)
    monkeypatch.setattr("portable.resolve.trains.AT_ONCE", 50)
    pieces = [made(group).spikes(first, 37) for first in range(1, STEPS + 1, 37)]
    joined = [np.concatenate(x) for x in zip(*pieces, strict=True)]
    inside = joined[1] <= STEPS
    np.testing.assert_array_equal(joined[0][inside], ids)
    np.testing.assert_array_equal(joined[1][inside], stamps)


def test_a_change_of_rate_is_one_of_later_stamps() -> None:
    trains = made(POISSON)
    before = trains.counts(1, STEPS)
    trains.set_rate(0.0, 100)
    trains.set_rate(POISSON.rate, 200)
    after = trains.counts(1, STEPS)
    np.testing.assert_array_equal(after[:100], before[:100])
    assert not after[100:200].any()
    np.testing.assert_array_equal(after[200:], before[200:])
