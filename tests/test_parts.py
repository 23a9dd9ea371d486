"""Parts of a network: put together they are the whole, for every connector and kind of synapse, in memory
that goes with the part.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import portable as pt
from portable.model import connectors
from portable.resolve import Chosen, RoundRobin, estimate, resolve, sides
from portable.resolve.connectors import RULES
from portable.resolve.program import Program

A, B = pt.Population("a", 37, pt.IF_curr_exp()), pt.Population("b", 23, pt.IF_curr_exp())
PAIRS = np.random.default_rng(1).integers(0, 23, (2, 700))
CONNECTORS = {
    "AllToAll": pt.AllToAll(),
    "AllToAll others": pt.AllToAll(False),
    "OneToOne": pt.OneToOne(),
    "FixedProbability": pt.FixedProbability(0.3),
    "FixedProbability others": pt.FixedProbability(0.3, False),
    "FixedProbability certain": pt.FixedProbability(1.0, False),
    "FixedProbability none": pt.FixedProbability(0.0),
    "FixedInDegree": pt.FixedInDegree(50),
    "FixedInDegree others": pt.FixedInDegree(50, True, False),
    "FixedInDegree once": pt.FixedInDegree(7, False, False),
    "FixedTotalNumber": pt.FixedTotalNumber(2000),
    "FixedTotalNumber others": pt.FixedTotalNumber(2000, True, False),
    "FixedTotalNumber once": pt.FixedTotalNumber(60, False, False),
    "Explicit": pt.Explicit(*PAIRS),
}
PARTS = {
    "round robin": [RoundRobin(i, 3) for i in range(3)],
    "halves": [Chosen(lambda _, i: i < 10), Chosen(lambda _, i: i >= 10)],
    "populations": [Chosen(lambda name, _, p=p: name == p) for p in "ab"],
}


def network(connector, pre=A, post=A, synapse=None) -> pt.Network:
    synapse = synapse or pt.StaticSynapse(pt.Normal("20 pA", "5 pA"), pt.Normal(1.5, 0.75, low=0.1))
    return pt.Network("n", [A, B], [pt.Projection(pre, post, connector, synapse, name="p")])


def rows(program: Program) -> list[tuple]:
    """(connections, source, target, weight, delay) of all, in the program's order."""
    out = []
    for c in program.connections:
        weights, delays = (np.broadcast_to(np.asarray(x), c.targets.shape) for x in (c.weights, c.delays))
        out += list(
            zip([c.name] * c.count, c.sources(), c.targets, weights.tolist(), delays.tolist(), strict=True)
        )
    return out


def put_together(net: pt.Network, parts, **how) -> None:
    """Each part has the whole's connections onto its cells, in the same order; together they are all."""
    whole = resolve(net, 3, **how)
    everything, seen = rows(whole), []
    posts = {c.name: c.post for c in whole.connections}
    sizes = {p.name: p.size for p in net.populations}
    for part in parts:
        made = resolve(net, 3, part=part, **how)
        assert made.part is part
        assert made.synapses_total == whole.synapses_total == whole.synapses == len(everything)
        local = {n: part.local(n, k) for n, k in sizes.items()}
        assert rows(made) == [r for r in everything if local[posts[r[0]]][r[2]]]
        assert [g.size for g in made.groups] == [g.size for g in whole.groups]
        for c, w in zip(made.connections, whole.connections, strict=True):
            assert (c.targets.dtype, c.indptr.size) == (w.targets.dtype, w.indptr.size)
        seen += rows(made)
    assert sorted(seen) == sorted(everything)


@pytest.mark.parametrize("division", PARTS)
@pytest.mark.parametrize("name", CONNECTORS)
def test_parts_are_the_whole(name, division):
    put_together(network(CONNECTORS[name]), PARTS[division])


def test_every_connector_stands_in_the_table():
    assert {type(c) for c in CONNECTORS.values()} == set(RULES) == set(connectors.CONNECTORS)


@pytest.mark.parametrize("name", ["FixedTotalNumber others", "FixedProbability", "AllToAll", "FixedInDegree"])
def test_ranges_of_rows_change_nothing(name, monkeypatch):
    """Drawn in ranges of 100 connections, on three threads."""
    monkeypatch.setattr(sides, "BAND", 100)
    put_together(network(CONNECTORS[name]), PARTS["round robin"], threads=3)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(set(CONNECTORS) - {"OneToOne", "Explicit"})),
    pre=st.sampled_from(["whole", "list", "both"]),
    post=st.sampled_from(["whole", "reverse", "list", "both"]),
    chosen=st.sets(st.integers(0, 36)),
)
def test_any_part_of_any_sides(name, pre, post, chosen):
    """Views, lists and several populations; a part may be empty."""
    choice = {
        "whole": A,
        "reverse": A[::-2],
        "list": A[[7, 2, 9, 30, 31, 1, 4, 5, 6]],
        "both": [A[4:20], B[::3]],
    }
    part = Chosen(lambda _, i: np.isin(i, list(chosen)))
    rest = Chosen(lambda _, i: ~np.isin(i, list(chosen)))
    put_together(network(CONNECTORS[name], choice[pre], choice[post]), [part, rest])


@pytest.mark.parametrize("name", ["AllToAll others", "OneToOne", "Explicit"])
def test_arrays_of_a_user_stay_with_their_connections(name):
    n = resolve(network(CONNECTORS[name], post=A), 1).synapses
    synapse = pt.StaticSynapse(np.arange(n) / 8, 0.1 * (1 + np.arange(n) % 300))
    put_together(network(CONNECTORS[name], synapse=synapse), PARTS["round robin"])
    short = pt.StaticSynapse(np.ones(n - 1))
    with pytest.raises(pt.ModelError, match=f"has {n - 1} values for {n} connections"):
        resolve(network(CONNECTORS[name], synapse=short), 1, part=RoundRobin(0, 3))


@pytest.mark.parametrize("name", CONNECTORS)
def test_the_estimate_goes_with_the_part(name):
    """Exact where the number is; else within 5 standard deviations of a binomial."""
    net = network(CONNECTORS[name])
    for part in PARTS["round robin"]:
        found, made = estimate(net, 0.1, part=part), resolve(net, 3, part=part).synapses
        drawn = name.startswith(("FixedProbability", "FixedTotalNumber"))
        assert abs(found.total_synapses - made) <= (5 * np.sqrt(made) + 1 if drawn else 0)


@pytest.mark.parametrize(
    "connector", [pt.FixedTotalNumber(4_000_000), pt.FixedProbability(0.25), pt.FixedInDegree(1000)]
)
def test_memory_goes_with_the_part(connector, monkeypatch):
    """A fortieth of 4 million synapses of 7 bytes: less than a quarter of what the whole takes at its peak,
    with the rows' tables (8 bytes a cell, and a few copies) and two ranges of 65536 connections.
    """
    monkeypatch.setattr(sides, "BAND", 1 << 16)
    big = pt.Population("big", 4000, pt.IF_curr_exp())
    synapse = pt.StaticSynapse(pt.Normal("20 pA", "5 pA"), pt.Normal(1.5, 0.75, low=0.1))
    net = pt.Network("n", [big], [pt.Projection(big, big, connector, synapse)])

    def peak(part) -> int:
        tracemalloc.start()
        resolve(net, 1, part=part, threads=2)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(RoundRobin(0, 400))  # compiled
    assert peak(RoundRobin(0, 40)) < peak(None) / 4


def test_parts_are_checked():
    with pytest.raises(pt.ModelError, match="RoundRobin: needs 0 <= rank < size, got rank 3 of 3"):
        RoundRobin(3, 3)

    class Wrong:
        def local(self, population, size):  # noqa: ARG002
            return np.ones(size + 1, dtype=bool)

    with pytest.raises(pt.ModelError, match=r"part: local\('a', 37\) gave shape \(38,\); give one bool"):
        resolve(network(pt.AllToAll()), 1, part=Wrong())
