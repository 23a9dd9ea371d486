"""The comparison itself, on made-up results whose differences are known by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

import portable as pt
from portable.results import Results, TraceTable, sorted_spikes
from portable.validation.differences import compare_results
from portable.validation.matching import match
from portable.validation.single_cell import spike_time_difference

DT = 0.1


def spikes(pairs, cells=10):
    """A SpikeTable from (id, step) pairs."""
    ids, steps = zip(*pairs, strict=True) if pairs else ((), ())
    return sorted_spikes(ids, steps, DT, np.arange(cells))


def results(backend="a", exc=(), inh=None, traces=None, **changes):
    tables = {"exc": spikes(exc)} | ({} if inh is None else {"inh": spikes(inh)})
    made = Results("net", backend, DT, 1000, dict.fromkeys(tables, 10), tables, traces or {}, {"seed": 7})
    return replace(made, **changes)


def trace(values, every=10):
    values = np.asarray(values, dtype=float)
    return {
        ("exc", "v"): TraceTable(
            np.arange(values.shape[1]), np.arange(values.shape[0]) * every, DT, values, "mV"
        )
    }


def test_equal_lists_are_identical():
    a = [(0, 5), (3, 5), (3, 8)]
    pair = compare_results(results(exc=a), results("b", exc=a[::-1]))
    assert pair.identical
    assert pair.divergence is None
    assert (pair.equal, pair.within_one_step, pair.spikes) == (1.0, 1.0, (3, 3))


def test_fractions_and_first_divergence_counted_by_hand():
    # equal: (0,5) (1,7). One step off: (2,20)-(2,21). Two off: (3,30)-(3,32). Only in b: (4,40).
    a = [(0, 5), (1, 7), (2, 20), (3, 30)]
    b = [(0, 5), (1, 7), (2, 21), (3, 32), (4, 40)]
    pair = compare_results(results(exc=a), results("b", exc=b))
    assert not pair.identical
    assert pair.equal == 2 / 5  # of the longer list
    assert pair.within_one_step == 3 / 5
    d = pair.divergence
    assert (d.time, d.step, d.population, d.neuron, d.spikes) == (2.0, 20, "exc", 2, (1, 0))
    population = pair.populations[0]
    assert (population.spikes, population.equal, population.near) == ((4, 5), 2, 3)
    assert population.rates == pytest.approx((4.0, 5.0))  # 10 cells in 0.1 s: one Hz a spike


def test_a_spike_has_one_partner_only():
    """Two spikes of b are within a step of the one of a: one pair, not two."""
    pair = compare_results(results(exc=[(0, 10)]), results("b", exc=[(0, 9), (0, 11)]))
    assert pair.equal == 0.0
    assert pair.within_one_step == 1 / 2


def test_neighbouring_ids_are_not_taken_for_neighbouring_steps():
    """The last step of one id and the first of the next are far apart, whatever the key."""
    pair = compare_results(results(exc=[(0, 1000)]), results("b", exc=[(1, 1)]))
    assert pair.within_one_step == 0.0


def test_two_spikes_in_a_step_count_twice():
    assert not compare_results(results(exc=[(0, 5), (0, 5)]), results("b", exc=[(0, 5)])).identical
    pair = compare_results(results(exc=[(0, 5), (0, 5)]), results("b", exc=[(0, 5), (0, 6)]))
    assert pair.divergence.spikes == (2, 1)
    assert (pair.equal, pair.within_one_step) == (1 / 2, 1.0)


def test_first_divergence_is_by_time_then_by_population_then_by_neuron():
    a = results(exc=[(5, 50), (2, 40)], inh=[(1, 40)])
    b = results("b", exc=[(5, 50), (4, 40)], inh=[(9, 39)])
    assert (compare_results(a, b).divergence.population, compare_results(a, b).divergence.step) == ("inh", 39)
    c = results("c", exc=[(5, 50), (4, 40)], inh=[])
    assert (compare_results(a, c).divergence.population, compare_results(a, c).divergence.neuron) == (
        "exc",
        2,
    )


def test_both_silent_are_equal():
    pair = compare_results(results(), results("b"))
    assert pair.identical
    assert pair.equal == pair.within_one_step == 1.0


trains = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=25)


@given(trains, trains)
@settings(deadline=None, max_examples=200)
def test_matching_is_the_largest_possible(a, b):
    """Against scipy's maximum bipartite matching, written out spike by spike."""
    left, right = spikes(a), spikes(b)
    found = match(left, right)
    same = [
        [i == j and abs(s - t) <= 1 for j, t in zip(right.ids, right.steps, strict=True)]
        for i, s in zip(left.ids, left.steps, strict=True)
    ]
    best = (
        0
        if not a or not b
        else int(
            (maximum_bipartite_matching(csr_matrix(np.array(same, dtype=int)), perm_type="column") >= 0).sum()
        )
    )
    assert found.near == best
    assert found.equal == sum(min(a.count(x), b.count(x)) for x in set(a))
    assert (found.first is None) == (sorted(a) == sorted(b))
    if found.first is not None:
        step, neuron, in_a, in_b = found.first
        differ = [(s, i) for i, s in {*a, *b} if a.count((i, s)) != b.count((i, s))]
        assert (step, neuron) == min(differ)
        assert (in_a, in_b) == (a.count((neuron, step)), b.count((neuron, step)))


def test_traces_give_the_largest_difference_and_where():
    a, b = np.zeros((5, 2)), np.zeros((5, 2))
    b[1, 0], b[3, 1] = 1e-9, -4.0
    pair = compare_results(
        results(exc=[(0, 25)], traces=trace(a)), results("b", exc=[(0, 26)], traces=trace(b))
    )
    t = pair.traces[0]
    assert (t.largest, t.time, t.neuron, t.values) == (4.0, 3.0, 1, (0.0, -4.0))
    assert t.before == 1e-9  # the samples at steps 0, 10, 20; the spikes part at step 25
    assert t.unit == "mV"


def test_a_number_against_nan_is_an_infinite_difference_and_nan_against_nan_none():
    a, b = np.array([[np.nan, np.nan]]), np.array([[np.nan, 1.0]])
    assert compare_results(results(traces=trace(a)), results("b", traces=trace(a))).traces[0].largest == 0.0
    assert (
        compare_results(results(traces=trace(a)), results("b", traces=trace(b))).traces[0].largest == np.inf
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"dt": 0.05}, "dt"),
        ({"steps": 900}, "duration"),
        ({"network": "other"}, "network"),
        ({"provenance": {"seed": 8}}, "seed"),
        ({"spikes": {}}, "populations"),
    ],
)
def test_runs_that_are_not_comparable_are_refused(change, named):
    with pytest.raises(pt.ModelError, match=named):
        compare_results(results(exc=[(0, 5)]), results("b", exc=[(0, 5)], **change))


def test_different_recordings_are_refused():
    other = {"exc": sorted_spikes([0], [5], DT, np.arange(5))}
    with pytest.raises(pt.ModelError, match="different cells"):
        compare_results(results(exc=[(0, 5)]), results("b", spikes=other))
    with pytest.raises(pt.ModelError, match="sample times"):
        compare_results(
            results(traces=trace(np.zeros((4, 1)))), results("b", traces=trace(np.zeros((4, 1)), every=5))
        )


def test_spike_time_difference_pairs_the_nth_spikes():
    assert spike_time_difference(
        spikes([(0, 5), (0, 9), (1, 3)]), spikes([(0, 6), (0, 6), (1, 3)])
    ) == pytest.approx(0.3)
    assert spike_time_difference(spikes([]), spikes([])) == 0.0
    assert np.isnan(spike_time_difference(spikes([(0, 5)]), spikes([(1, 5)])))
