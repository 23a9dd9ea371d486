"""A connection is who meets whom: its weight and delay are functions of (stream, source, target, which of
that pair's connections), and of nothing else.

Statistical margins: the seed is fixed; Kolmogorov-Smirnov tests use p > 1e-4, correlations 5 standard errors.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import portable as pt
from portable.model.values import value
from portable.resolve import distributions, pairs, resolve
from portable.resolve.random import normal, philox4, stream

A = pt.Population("a", 40, pt.IF_curr_exp())
B = pt.Population("b", 30, pt.IF_curr_exp())
WEIGHT, DELAY = pt.Normal("20 pA", "5 pA"), pt.Normal(1.5, 0.75, low=0.1)
CONNECTORS = {
    "AllToAll": pt.AllToAll(),
    "FixedProbability": pt.FixedProbability(0.3),
    "FixedInDegree": pt.FixedInDegree(40),
    "FixedInDegree once": pt.FixedInDegree(9, False),
    "FixedTotalNumber": pt.FixedTotalNumber(3000),
    "FixedTotalNumber once": pt.FixedTotalNumber(300, False),
    "Explicit": pt.Explicit(np.arange(900) % 40, np.arange(900) % 7),
}


def resolved(connector, weight=WEIGHT, delay=DELAY, dt=0.1, pre=A, post=B, populations=(A, B), **more):
    synapse = pt.StaticSynapse(weight, delay)
    net = pt.Network("n", populations, [pt.Projection(pre, post, connector, synapse, name="p")])
    return resolve(net, 7, dt, **more)


def carried(program, projection="p") -> dict[tuple[str, int, str, int], list[tuple[float, float]]]:
    """(source, target) -> (weight, delay in ms) of each of their connections, sorted by weight."""
    out = defaultdict(list)
    for c in program.connections:
        if c.projection == projection:
            weights, delays = (np.broadcast_to(np.asarray(x), c.targets.shape) for x in (c.weights, c.delays))
            for s, t, w, d in zip(c.sources(), c.targets, weights, delays * program.dt, strict=True):
                out[c.pre, int(s), c.post, int(t)].append((float(w), float(d)))
    return {pair: sorted(found) for pair, found in out.items()}


def weights_of(found):
    return {pair: [w for w, _ in x] for pair, x in found.items()}


@pytest.mark.parametrize("name", CONNECTORS)
def test_the_step_changes_nothing_but_the_rounding_of_delays(name):
    """Each connection has its weight at every dt, and one delay in ms (0.1 or more), rounded to each step:
    they differ by at most half of both steps (and a rounding error of 1e-12).
    """
    coarse, fine = (carried(resolved(CONNECTORS[name], dt=dt)) for dt in (0.1, 0.025))
    assert weights_of(coarse) == weights_of(fine)
    assert sum(map(len, coarse.values())) >= 270
    for pair in coarse:
        for (_, one), (_, two) in zip(coarse[pair], fine[pair], strict=True):
            assert abs(one - two) <= (0.1 + 0.025) / 2 + 1e-12


@pytest.mark.parametrize("name", CONNECTORS)
def test_the_rule_of_delays_changes_no_weight_and_the_rule_of_weights_no_delay(name):
    both = carried(resolved(CONNECTORS[name]))
    for delay in (1.5, pt.Uniform(1.0, 30.0)):
        assert weights_of(carried(resolved(CONNECTORS[name], delay=delay))) == weights_of(both)
    for weight in (1.0, pt.Uniform(1.0, 2.0)):
        other = carried(resolved(CONNECTORS[name], weight=weight))
        assert {k: sorted(d for _, d in x) for k, x in other.items()} == {
            k: sorted(d for _, d in x) for k, x in both.items()
        }


@pytest.mark.parametrize("name", CONNECTORS)
def test_threads_other_projections_and_the_order_of_populations_change_nothing(name):
    base = carried(resolved(CONNECTORS[name], threads=1))
    assert carried(resolved(CONNECTORS[name], threads=3)) == base
    C = pt.Population("c", 5, pt.IF_curr_exp())
    assert carried(resolved(CONNECTORS[name], populations=(C, B, A))) == base
    synapse = pt.StaticSynapse(WEIGHT, DELAY)
    more = pt.Network(
        "n",
        [A, B],
        [
            pt.Projection(A, B, pt.FixedTotalNumber(100), synapse, name="another"),
            pt.Projection(A, B, CONNECTORS[name], synapse, name="p"),
        ],
    )
    assert carried(resolve(more, 7, 0.1)) == base


def test_the_order_of_views_and_what_else_is_in_a_side_change_nothing():
    """A connection is known by its cells in their populations, not by places in the sides."""
    whole = carried(resolved(pt.AllToAll(), pre=[A, B], post=[A, B]))
    assert carried(resolved(pt.AllToAll(), pre=[B, A], post=[B[::-1], A])) == whole
    part = carried(resolved(pt.AllToAll(), pre=[A[5:9], B[::4]], post=B[[3, 20, 7]]))
    assert len(part) == (4 + 8) * 3
    assert part == {pair: whole[pair] for pair in part}


def test_a_cell_named_twice_makes_the_second_connection_of_the_pair():
    once, twice = (carried(resolved(pt.AllToAll(), pre=A[ids], post=B[:2])) for ids in ([4], [4, 9, 4]))
    assert {len(x) for pair, x in twice.items() if pair[1] == 4} == {2}
    for pair, found in once.items():
        assert found[0] in twice[pair]  # n = 0 is the same connection


def test_projections_and_populations_have_streams_of_their_own():
    """Of 1200 weights in a pair of projections, as many equal as the grid of 2^24 steps lets chance make."""
    first = weights_of(carried(resolved(pt.AllToAll(), pre=A, post=A)))
    second = weights_of(carried(resolved(pt.AllToAll(), pre=B, post=A)))
    same = [first["a", s, "a", t] == second["b", s, "a", t] for s in range(30) for t in range(40)]
    assert sum(same) <= 1


DISTRIBUTIONS = {
    "normal": (pt.Normal("20 pA", "5 pA"), stats.norm(20, 5)),
    "around zero": (pt.Normal("0 pA", "5 pA"), stats.norm(0, 5)),
    "inside": (pt.Normal("20 pA", "5 pA", low="15 pA"), stats.truncnorm(-1, np.inf, 20, 5)),
    "uniform": (pt.Uniform("-30 pA", "10 pA"), stats.uniform(-30, 40)),
    "lognormal": (
        pt.Lognormal("20 pA", "20 pA"),
        stats.lognorm(math.sqrt(math.log(2)), scale=20 / math.sqrt(2)),
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_drawn_weights_have_their_distribution_and_neighbours_are_independent(name):
    """300 x 300 pairs, 3 connections each: between the next target, the next source, the next connection of
    the pair, and the delay of the same connection.
    """
    weight, law = DISTRIBUTIONS[name]
    big = pt.Population("big", 300, pt.IF_curr_exp())
    i, j = (x.ravel() for x in np.indices((300, 300)))
    twice = pt.Explicit(np.tile(i, 3), np.tile(j, 3))
    (c,) = resolved(twice, weight, pt.Uniform(0.1, 20.0), 0.001, big, big, (big,)).connections
    found = np.empty((300, 300, 3))
    order = np.lexsort((c.targets, c.sources()))
    found[...] = c.weights[order].reshape(300, 300, 3)
    assert stats.kstest(found.ravel(), law.cdf).pvalue > 1e-4
    n = found[..., 0].size
    ranks = stats.rankdata(found).reshape(found.shape)
    times = c.delays[order].reshape(found.shape)
    # within a pair, connections are sorted by delay here, which is independent of weight
    assert abs(np.corrcoef(ranks.ravel(), times.ravel())[0, 1]) < 5 / math.sqrt(3 * n)
    for one, two in (
        (ranks[:, :-1], ranks[:, 1:]),
        (ranks[:-1], ranks[1:]),
        (ranks[..., 0], ranks[..., 1]),
        (ranks[..., 0], ranks[..., 0].T),
    ):
        off = ~np.eye(300, dtype=bool) if one.shape == (300, 300) else np.ones(one.shape, dtype=bool)
        r = np.corrcoef(one[off], two[off])[0, 1]
        assert abs(r) < 5 / math.sqrt(off.sum() / 2)  # a matrix and its transpose hold each pair twice


def test_the_counter_is_source_target_and_nth():
    """The contract of ARCHITECTURE, "Identity of a connection", worked out by hand, and its bits: + - * / and
    sqrt are rounded alike by every IEEE 754 machine.
    """
    (c,) = resolved(pt.Explicit([2, 1, 2], [3, 3, 3]), WEIGHT, 1.0).connections
    assert (c.sources().tolist(), c.targets.tolist()) == ([1, 2, 2], [3, 3, 3])
    key = np.uint64(stream(7, "p", "weight", "a", "b"))
    step = 2.0 ** (6 - 24)  # the bound is 20 + 6.77*5 = 53.85 <= 2^6
    expected = []
    for source, n in ((1, 0), (2, 0), (2, 1)):
        w = philox4(key, np.uint64(source), np.uint64(3), np.uint64(n), np.uint64(0))
        expected.append(math.floor((20.0 + 5.0 * normal(w[0], w[1])) / step + 0.5) * step)
    assert c.weights.tolist() == expected
    assert [x.hex() for x in expected] == GOLDEN


GOLDEN = ["0x1.8beafc0000000p+4", "0x1.54e61c0000000p+4", "0x1.744ae00000000p+4"]


# ---- the grid of weights

SIZES = st.floats(1e-3, 1e4)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["normal", "uniform", "lognormal"]),
    a=st.one_of(SIZES, SIZES.map(lambda x: -x), st.just(0.0)),
    b=st.one_of(SIZES, st.just(0.0)),
    bound=st.one_of(st.none(), st.floats(0.0, 1.0)),
    clip=st.booleans(),
)
def test_float32_holds_every_drawn_weight_and_rounding_is_small(kind, a, b, bound, clip):
    """Rounding is at most half a step of the grid, at most 4.1e-7 of |mean| + sd (|low| + width) and, of a
    lognormal, 2.4e-7 of the median or 6e-8 of the weight.
    """
    if kind == "uniform":
        given = pt.Uniform(a, a + b)
    elif kind == "normal":
        given = pt.Normal(a, b, low=None if bound is None else a - b * bound, clip=clip)
    else:
        mean = abs(a) + 1e-3
        given = pt.Lognormal(mean, min(b, 3 * mean), high=None if bound is None else mean * (1 + bound))
    spec = distributions.spec(value(given, "1", "x"), "x")
    step, n = spec.grid(), 2000
    rounded, exact = np.empty(n, dtype=np.float32), np.empty(n)
    indptr, targets = np.array([0, n]), np.arange(n, dtype=np.uint16)
    pairs.fill(3, 0, 1, indptr, targets, exact, pairs.NONE, spec)
    on_grid = np.empty(n)
    pairs.fill(3, 0, 1, indptr, targets, on_grid, pairs.Rounding(step, step), spec)
    pairs.fill(3, 0, 1, indptr, targets, rounded, pairs.Rounding(step, step), spec)
    size = abs(spec.a) + abs(spec.b) if kind != "lognormal" else math.exp(spec.a)
    assert np.all(np.abs(exact) <= spec.magnitude())
    if step:
        steps = rounded.astype(np.float64) / step
        assert np.array_equal(steps, np.round(steps))  # sums are exact, whatever the order
        assert math.frexp(step)[0] == 0.5
    if kind == "lognormal":
        assert np.all(np.abs(rounded - exact) <= np.maximum(2.4e-7 * size, 1.2e-7 * exact))
    else:
        assert np.array_equal(rounded.astype(np.float64), on_grid)
        assert np.max(np.abs(on_grid - exact)) <= max(step / 2, 2**-53 * size)
        assert step / 2 <= 4.1e-7 * size


def test_the_weights_of_a_user_are_kept_as_given():
    numbers = np.array([0.1, 1 / 3, 1e-9, 123456789.123])
    (c,) = resolved(pt.OneToOne(), pt.Array(numbers, "pA"), 1.0, pre=A[:4], post=B[:4]).connections
    assert np.array_equal(c.weights, numbers)
    (c,) = resolved(pt.OneToOne(), "0.1 pA", 1.0, pre=A[:4], post=B[:4]).connections
    assert c.weights == 0.1
