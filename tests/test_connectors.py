"""Every connector: exact counts, who is allowed to meet whom, uniformity; and what cannot be met.

Statistical margins: the seed is fixed; chi-square tests use p > 1e-4 with the exact degrees of freedom,
single estimates 5 standard errors.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import portable as pt
from portable.resolve import resolve

A, B = pt.Population("a", 30, pt.IF_curr_exp()), pt.Population("b", 20, pt.IF_curr_exp())


def program(pre, post, connector, synapse=None, seed=1, populations=(A, B)):
    return resolve(pt.Network("n", populations, [pt.Projection(pre, post, connector, synapse)]), seed)


def edges(resolved) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """((group, source), (group, target)) of every connection."""
    return [
        ((c.pre, int(s)), (c.post, int(t)))
        for c in resolved.connections
        for s, t in zip(c.sources(), c.targets, strict=True)
    ]


def matrix(connections, shape=(30, 20)) -> np.ndarray:
    out = np.zeros(shape, dtype=int)
    np.add.at(out, (connections.sources(), connections.targets), 1)
    return out


def valid(c, n_pre, n_post) -> None:
    """What every Connections promises: pointers, bounds, types, rows sorted by (delay, target)."""
    assert c.indptr.shape == (n_pre + 1,)
    assert c.indptr[0] == 0
    assert c.indptr[-1] == c.count == c.targets.size
    assert c.targets.dtype == (np.uint16 if n_post <= 65536 else np.uint32)
    assert not c.count or c.targets.max() < n_post
    delays = np.broadcast_to(np.asarray(c.delays), c.count)
    order = np.lexsort((c.targets, delays, c.sources()))
    assert np.array_equal(c.targets[order], c.targets)
    assert np.array_equal(delays[order], delays)
    assert isinstance(c.weights, float) or c.weights.shape == (c.count,)


# ---- exact counts


def test_all_to_all():
    (c,) = program(A, B, pt.AllToAll()).connections
    assert np.array_equal(matrix(c), np.ones((30, 20)))
    (c,) = program(A, A, pt.AllToAll(allow_self_connections=False)).connections
    assert np.array_equal(matrix(c, (30, 30)), 1 - np.eye(30))


def test_one_to_one():
    (c,) = program(A[5:25], B, pt.OneToOne()).connections
    assert edges(program(A[5:25], B, pt.OneToOne())) == [(("a", 5 + i), ("b", i)) for i in range(20)]
    assert not c.one_to_one  # row i is not target i: the view starts at 5
    same = pt.Population("c", 30, pt.IF_curr_exp())
    (c,) = program(A, same, pt.OneToOne(), populations=[A, same]).connections
    assert c.one_to_one


def test_one_to_one_with_a_single_source_cell():
    """PyNN's NEST backend got this wrong: one source cell must give one connection."""
    one = pt.Population("one", 1, pt.IF_curr_exp())
    assert edges(program(one, B[[7]], pt.OneToOne(), populations=[one, B])) == [(("one", 0), ("b", 7))]
    assert edges(program(A[[3]], B[[7]], pt.OneToOne())) == [(("a", 3), ("b", 7))]


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("n", [0, 1, 7, 29])
def test_fixed_in_degree_gives_every_target_n(n, multapses):
    (c,) = program(A, B, pt.FixedInDegree(n, allow_multapses=multapses)).connections
    m = matrix(c)
    assert np.all(m.sum(axis=0) == n)
    assert multapses or m.max(initial=0) <= 1


def test_fixed_in_degree_counts_a_list_as_one_side():
    resolved = program([A, B], B, pt.FixedInDegree(40, allow_multapses=False))
    from_a, from_b = resolved.connections
    assert (from_a.pre, from_b.pre) == ("a", "b")
    assert np.all(matrix(from_a).sum(axis=0) + matrix(from_b, (20, 20)).sum(axis=0) == 40)
    assert max(matrix(from_a).max(), matrix(from_b, (20, 20)).max()) == 1


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("self_connections", [True, False])
@pytest.mark.parametrize("n", [0, 1, 99, 500, 869])
def test_fixed_total_number_keeps_all_its_arguments(n, self_connections, multapses):
    """PyNN's FixedTotalNumber ignored allow_self_connections and with_replacement."""
    (c,) = program(
        A, A, pt.FixedTotalNumber(n, allow_multapses=multapses, allow_self_connections=self_connections)
    ).connections
    m = matrix(c, (30, 30))
    assert m.sum() == n
    assert self_connections or not np.trace(m)
    assert multapses or m.max(initial=0) <= 1
    if n == 869 and multapses:
        assert m.max() > 1
    if n == 869 and self_connections:
        assert np.trace(m) > 0


def test_fixed_total_number_can_fill_every_pair():
    (c,) = program(
        A, A, pt.FixedTotalNumber(870, allow_multapses=False, allow_self_connections=False)
    ).connections
    assert np.array_equal(matrix(c, (30, 30)), 1 - np.eye(30))


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0), (1.0, 600)])
def test_fixed_probability_at_its_ends(p, expected):
    (c,) = program(A, B, pt.FixedProbability(p)).connections
    assert matrix(c).sum() == expected


def test_explicit_gives_each_connection_its_own_weight_and_delay():
    pre, post, weight, delay = (
        [3, 1, 3, 3, 1],
        [5, 6, 1, 5, 0],
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [0.4, 0.2, 0.4, 0.1, 0.3],
    )
    (c,) = program(A, B, pt.Explicit(pre, post), pt.StaticSynapse(weight, delay)).connections
    valid(c, 30, 20)
    got = sorted(
        zip(c.sources().tolist(), c.targets.tolist(), c.weights.tolist(), c.delays.tolist(), strict=True)
    )
    assert got == sorted(
        zip(pre, post, [1000.0 * w for w in weight], [round(d * 10) for d in delay], strict=True)
    )


def test_explicit_positions_count_along_the_side():
    """Position 2 of [a[[9, 4]], b[::5]] is the first of b."""
    resolved = program(
        [A[[9, 4]], B[::5]],
        [B[10:], A[[2]]],
        pt.Explicit([0, 1, 2, 5, 0], [0, 10, 1, 10, 3]),
        pt.StaticSynapse([1.0, 2.0, 3.0, 4.0, 5.0]),
    )
    got = {(s, t) for s, t in edges(resolved)}
    assert got == {
        (("a", 9), ("b", 10)),
        (("a", 4), ("a", 2)),
        (("b", 0), ("b", 11)),
        (("b", 15), ("a", 2)),
        (("a", 9), ("b", 13)),
    }
    weights = {
        (c.pre, int(s), c.post, int(t)): w
        for c in resolved.connections
        for s, t, w in zip(c.sources(), c.targets, c.weights, strict=True)
    }
    assert weights["a", 4, "a", 2] == 2000.0
    assert weights["b", 15, "a", 2] == 4000.0
    assert weights["a", 9, "b", 13] == 5000.0


@pytest.mark.parametrize("own", [True, False])
def test_arrays_follow_source_then_target(own):
    m = np.arange(900.0).reshape(30, 30)
    weights = m.ravel() if own else m[~np.eye(30, dtype=bool)]
    delays = 0.1 * (1 + (7 * np.arange(weights.size)) % 13)
    (c,) = program(A, A, pt.AllToAll(own), pt.StaticSynapse(weights, delays)).connections
    valid(c, 30, 30)
    assert np.array_equal(c.weights, 1000.0 * m[c.sources(), c.targets])
    made = np.full((30, 30), -1)
    made[np.ones((30, 30), dtype=bool) if own else ~np.eye(30, dtype=bool)] = (
        1 + (7 * np.arange(weights.size)) % 13
    )
    assert np.array_equal(c.delays, made[c.sources(), c.targets])


def test_a_cell_named_twice_sends_twice():
    """Rows of one cell are joined and stay sorted; the array's entries stay with their connections."""
    resolved = program(
        A[[4, 2, 4]],
        B[[1, 0]],
        pt.AllToAll(),
        pt.StaticSynapse(np.arange(6.0), 0.1 * np.array([3.0, 1, 1, 2, 2, 1])),
    )
    (c,) = resolved.connections
    valid(c, 30, 20)
    got = sorted(
        zip(c.sources().tolist(), c.targets.tolist(), c.weights.tolist(), c.delays.tolist(), strict=True)
    )
    assert got == sorted(
        [
            (4, 1, 0.0, 3),
            (4, 0, 1000.0, 1),
            (2, 1, 2000.0, 1),
            (2, 0, 3000.0, 2),
            (4, 1, 4000.0, 2),
            (4, 0, 5000.0, 1),
        ]
    )


# ---- self-connections are about the cell, not the position


@pytest.mark.parametrize(
    "connector",
    [
        pt.AllToAll(False),
        pt.FixedProbability(0.7, False),
        pt.FixedInDegree(9, True, False),
        pt.FixedInDegree(3, False, False),
        pt.FixedTotalNumber(500, True, False),
        pt.FixedTotalNumber(20, False, False),
    ],
)
@pytest.mark.parametrize(
    ("pre", "post"),
    [(A, A), (A[10:20], A[5:15]), (A[[3, 1, 2, 8]], A[::-1]), ([B, A[:9]], [A[4:12], B[::3]])],
)
def test_no_self_connections_in_views(connector, pre, post):
    found = edges(program(pre, post, connector))
    assert found
    assert all(s != t for s, t in found)


# ---- uniformity


def flat(counts: np.ndarray) -> None:
    """Equal expected counts, by chi-square."""
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4


def many(connector, pre=A, post=A, repeats=200):
    """The mean connection matrix of independent projections (each has its own stream)."""
    net = pt.Network("n", [A, B], [pt.Projection(pre, post, connector) for _ in range(repeats)])
    return sum(matrix(c, (30, 30)) for c in resolve(net, 5).connections)


def test_multapse_draws_are_uniform_over_pairs():
    flat(many(pt.FixedTotalNumber(900)))
    flat(many(pt.FixedInDegree(30)))


def test_draws_without_self_are_uniform_over_the_other_pairs():
    off = ~np.eye(30, dtype=bool)
    flat(many(pt.FixedTotalNumber(900, True, False))[off])
    flat(many(pt.FixedInDegree(30, True, False))[off])


@pytest.mark.parametrize("n", [90, 800])
def test_distinct_draws_are_uniform_over_pairs(n):
    """Each pair is in a draw of n of 870 with p = n/870; the number of draws it is in, of 200, is binomial:
    z-scores sum to a chi-square.
    """
    off, p = ~np.eye(30, dtype=bool), n / 870
    counts = many(pt.FixedTotalNumber(n, False, False))[off]
    z2 = ((counts - 200 * p) ** 2 / (200 * p * (1 - p))).sum()
    assert 1e-4 < stats.chi2.sf(z2, 869) < 1 - 1e-4


@pytest.mark.parametrize("n", [3, 25])
def test_distinct_in_degrees_are_uniform(n):
    p = n / 30
    counts = many(pt.FixedInDegree(n, False))
    z2 = ((counts - 200 * p) ** 2 / (200 * p * (1 - p))).sum()
    assert 1e-4 < stats.chi2.sf(z2, 899) < 1 - 1e-4


def test_fixed_probability_is_binomial_and_uniform():
    p = 0.1
    net = pt.Network("n", [A], [pt.Projection(A, A, pt.FixedProbability(p)) for _ in range(400)])
    made = resolve(net, 9).connections
    totals = np.array([c.count for c in made])
    assert abs(totals.mean() - 900 * p) < 5 * math.sqrt(900 * p * (1 - p) / 400)
    assert abs(totals.var() / (900 * p * (1 - p)) - 1) < 5 * math.sqrt(2 / 400)  # variance of a variance
    counts = sum(matrix(c, (30, 30)) for c in made)
    assert counts.max() < 400
    z2 = ((counts - 400 * p) ** 2 / (400 * p * (1 - p))).sum()
    assert 1e-4 < stats.chi2.sf(z2, 899) < 1 - 1e-4


def test_total_number_rows_are_multinomial():
    """Out-degrees of n draws with replacement have variance n/N (1 - 1/N); of distinct pairs, the smaller
    hypergeometric one.
    """
    big = pt.Population("big", 1000, pt.IF_curr_exp())
    for multapses, n, shrink in ((True, 200_000, 1.0), (False, 200_000, 1 - 0.2), (False, 800_000, 1 - 0.8)):
        (c,) = program(
            big, big, pt.FixedTotalNumber(n, allow_multapses=multapses), populations=[big]
        ).connections
        for degree in (np.diff(c.indptr), np.bincount(c.targets, minlength=1000)):
            assert abs(degree.var() / (n / 1000 * shrink) - 1) < 5 * math.sqrt(2 / 1000)


# ---- properties


SIDES = st.sampled_from(["whole", "slice", "reverse", "list", "both"])


def _side(kind: str, one, other):
    return {
        "whole": one,
        "slice": one[3:11],
        "reverse": one[::-2],
        "list": one[[7, 2, 9]],
        "both": [one[4:9], other[::3]],
    }[kind]


@settings(max_examples=60, deadline=None)
@given(pre=SIDES, post=SIDES, seed=st.integers(0, 2**40), kind=st.integers(0, 4), drawn=st.booleans())
def test_any_sides_keep_every_promise(pre, post, seed, kind, drawn):
    connector = [
        pt.AllToAll(),
        pt.FixedProbability(0.3),
        pt.FixedInDegree(3),
        pt.FixedTotalNumber(25),
        pt.FixedTotalNumber(8, allow_multapses=False),
    ][kind]
    synapse = (
        pt.StaticSynapse(pt.Normal(1.0, 0.5), pt.Uniform(0.1, 30.0)) if drawn else pt.StaticSynapse(1.0, 1.5)
    )
    sides = _side(pre, A, B), _side(post, B, A)
    resolved = program(*sides, connector, synapse, seed)
    allowed = [
        {
            (v.population.name, int(i))
            for v in (s if isinstance(s, list) else [s[:]] if isinstance(s, pt.Population) else [s])
            for i in v.ids
        }
        for s in sides
    ]
    found = edges(resolved)
    assert {s for s, _ in found} <= allowed[0]
    assert {t for _, t in found} <= allowed[1]
    want = [len(allowed[0]) * len(allowed[1]), None, 3 * len(allowed[1]), 25, 8][kind]
    assert want is None or len(found) == want
    sizes = {"a": 30, "b": 20}
    for c in resolved.connections:
        valid(c, sizes[c.pre], sizes[c.post])


@settings(max_examples=60, deadline=None)
@given(pre=SIDES, post=SIDES, data=st.data())
def test_explicit_connections_come_back_as_they_were_given(pre, post, data):
    """Every (source, target, weight, delay) exactly once, repeats included, wherever rows and blocks were
    moved.
    """
    sides = _side(pre, A, B), _side(post, B, A)
    places = [
        [
            (v.population.name, int(i))
            for v in (s if isinstance(s, list) else [s[:]] if isinstance(s, pt.Population) else [s])
            for i in v.ids
        ]
        for s in sides
    ]
    position = [st.integers(0, len(p) - 1) for p in places]
    rows = data.draw(
        st.lists(st.tuples(*position, st.integers(-50, 50), st.integers(1, 400)), min_size=1, max_size=60)
    )
    i, j, w, d = (np.array(x) for x in zip(*rows, strict=True))
    resolved = program(*sides, pt.Explicit(i, j), pt.StaticSynapse(w / 8, d * 0.1))
    got = []
    for c in resolved.connections:
        valid(c, {"a": 30, "b": 20}[c.pre], {"a": 30, "b": 20}[c.post])
        got += [
            ((c.pre, int(s)), (c.post, int(t)), x / 1000, int(k))
            for s, t, x, k in zip(c.sources(), c.targets, c.weights, c.delays, strict=True)
        ]
    assert sorted(got) == sorted((places[0][a], places[1][b], x / 8, k) for a, b, x, k in rows)


def test_wide_targets_and_long_rows():
    """More than 65536 targets need 32 bits; rows of more than 65536 entries sort as well."""
    wide = pt.Population("wide", 70_000, pt.IF_curr_exp())
    for synapse in (
        pt.StaticSynapse(1.0, pt.Uniform(0.1, 40.0)),
        pt.StaticSynapse(np.arange(70_000.0), 0.1 * (1 + np.arange(70_000) % 17)),
    ):
        (c,) = program(A[[3]], wide, pt.AllToAll(), synapse, populations=[A, wide]).connections
        valid(c, 30, 70_000)
        assert np.array_equal(np.sort(c.targets), np.arange(70_000))
    assert np.array_equal(c.weights, 1000.0 * c.targets)
    (c,) = program(A, wide[69_990:], pt.FixedProbability(0.5), populations=[A, wide]).connections
    valid(c, 30, 70_000)
    assert c.targets.min() >= 69_990


# ---- what cannot be met


@pytest.mark.parametrize(
    ("pre", "post", "connector", "message"),
    [
        (A, B, pt.OneToOne(), r"connector: OneToOne needs sides of one size, got 30 sources and 20 targets"),
        (
            A,
            B,
            pt.FixedInDegree(31, allow_multapses=False),
            r"connector: FixedInDegree\(31\) without multapses: target 0 has only 30 possible sources",
        ),
        (
            A,
            A,
            pt.FixedInDegree(30, False, False),
            r"FixedInDegree\(30\) without multapses: target 0 has only 29 possible sources",
        ),
        (
            A[[5]],
            A[4:6],
            pt.FixedInDegree(1, True, False),
            r"FixedInDegree\(1\): target 1 has only 0 possible sources",
        ),
        (
            A,
            B,
            pt.FixedTotalNumber(601, allow_multapses=False),
            r"FixedTotalNumber\(601\): there are only 600 possible pairs",
        ),
        (
            A[[5]],
            A[[5]],
            pt.FixedTotalNumber(1, True, False),
            r"FixedTotalNumber\(1\): there are only 0 possible pairs",
        ),
        (A[[5, 5]], B, pt.FixedTotalNumber(3, allow_multapses=False), r"pre: names a cell twice"),
        (A, B[[0, 1, 0]], pt.FixedTotalNumber(3, allow_multapses=False), r"post: names a cell twice"),
        (A[[5, 5]], B, pt.FixedInDegree(1, allow_multapses=False), r"pre: names a cell twice"),
        (
            A[:10],
            B,
            pt.Explicit([0, 3, 10], [0, 0, 0]),
            r"connector\.pre\[2\]: must be less than 10, the number of cells of this side, got 10",
        ),
        (A, B, pt.Explicit([0, 3], [20, 0]), r"connector\.post\[0\]: must be less than 20"),
    ],
)
def test_impossible_connectors_are_refused(pre, post, connector, message):
    with pytest.raises(
        pt.ModelError, match=rf"^projection '.*->.*'\.{message}" if message[0] in "cp" else message
    ):
        program(pre, post, connector)


@pytest.mark.parametrize(
    ("connector", "synapse", "message"),
    [
        (
            pt.AllToAll(),
            pt.StaticSynapse([1.0, 2.0]),
            r"weight: has 2 values for 600 connections; give one value, or one per connection",
        ),
        (pt.AllToAll(), pt.StaticSynapse(1.0, [1.0, 2.0]), r"delay: has 2 values for 600 connections"),
        (
            pt.FixedInDegree(2),
            pt.StaticSynapse(np.ones(40)),
            r"weight: an array of 40 values has no order to follow in a random connector",
        ),
        (
            pt.FixedProbability(1.0),
            pt.StaticSynapse(1.0, np.ones(600)),
            r"delay: an array of 600 values has no order",
        ),
    ],
)
def test_arrays_of_the_wrong_length_are_refused(connector, synapse, message):
    with pytest.raises(pt.ModelError, match=rf"^projection 'a->b/excitatory'\.{message}"):
        program(A, B, connector, synapse)


def test_every_connector_is_independent_of_the_others():
    """The same projection twice shares no edges beyond chance: 900 pairs, p = 0.1 each, 9 expected in common
    (sd 3).
    """
    net = pt.Network(
        "n", [A], [pt.Projection(A, A, pt.FixedTotalNumber(90, allow_multapses=False)) for _ in range(30)]
    )
    made = [
        frozenset(zip(c.sources().tolist(), c.targets.tolist(), strict=True))
        for c in resolve(net, 3).connections
    ]
    common = np.array([len(x & y) for x, y in itertools.combinations(made, 2)])
    assert abs(common.mean() - 9.0) < 5 * 3 / math.sqrt(common.size)
    assert common.max() < 30
