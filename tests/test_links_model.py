"""Links: one clear error for each mistake, the order of evaluation, documents and fingerprints, and the
native engine against the reference.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends import registry
from portable.backends.contract import RunConfig
from portable.cli import main
from portable.resolve import resolve

CELL = pt.cell_type(
    "cell",
    equations="dv/dt = (i_in - g*v)/C : mV\nshown = g*v : nA",
    parameters={"g": "5 nS", "C": "100 pF"},
    inputs={"i_in": "nA"},
)
# A pure relay of what it reads, and one with a state between.
RELAY = pt.cell_type("relay", equations="y = k*x : nA", parameters={"k": 0.5}, inputs={"x": "nA"})
SLOW = pt.cell_type(
    "slow", equations="dz/dt = (x - z)/tau : nA", parameters={"tau": "3 ms"}, inputs={"x": "nA"}
)
JUNCTION = pt.cell_type(
    "junction",
    equations="i = g*(v_pre - v_post) : nA",
    parameters={"g": "2 nS"},
    inputs={"v_pre": "mV", "v_post": "mV"},
)
A, B, R, S = (
    pt.Population("a", 3, CELL()),
    pt.Population("b", 2, CELL()),
    pt.Population("r", 2, RELAY()),
    pt.Population("s", 2, SLOW()),
)


@pytest.mark.parametrize(("arguments", "message"), [
    ((A, "w", B, "i_in"), r"link 'a.w->b.i_in'.variable: 'a' has no variable 'w'"),
    ((A, "shown", B, "i_ni"), r"input: 'b' has no input 'i_ni'; did you mean 'i_in'"),
    ((A, "v", B, "i_in", [0], [1]), r"input: is current \(pA\) but 'v' of 'a' is voltage \(mV\)"),
    ((A, "shown", B, "i_in"), r"link 'a.shown->b.i_in': pre and post must have one length, got 3 and 2"),
    ((A, "shown", B, "i_in", [0, 1], [1]), "must have one length, got 2 and 1"),
    ((A, "shown", B, "i_in", [0, 3], [0, 1]), r"pre: there is no cell 3; 'a' has cells 0 to 2"),
    ((A, "shown", B, "i_in", [0, 1], [0, -1]), r"post: there is no cell -1"),
    ((A, "shown", B, "i_in", [0.5, 1], [0, 1]), r"pre: must be a one-dimensional array of whole numbers"),
    ((A, "shown", B, "i_in", [[0], [1]], [0, 1]), r"pre: must be a one-dimensional array"),
    ((A[:2], "shown", B, "i_in"), r"Link.source: expected a population"),
    ((A, "shown", "b", "i_in"), r"Link.target: expected a population, got 'b'"),
    ((pt.Population("p", 2, pt.SpikeSourcePoisson()), "rate", B, "i_in"), r"variable: 'p' is a spike source"),
    ((A, "shown", pt.Population("q", 3, pt.IF_curr_exp()), "i_in"), r"input: 'q' has no input 'i_in'; give "
                                                                    r"its type inputs="),
    ((A, 1, B, "i_in"), r"Link.variable: must be text, got 1"),
])  # fmt: skip
def test_bad_links(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(pt.ModelError, match=message):
        pt.Link(*arguments)


def test_a_population_that_is_not_there() -> None:
    with pytest.raises(pt.ModelError, match=r"links\[0\].source: population 'a' is not in the network"):
        pt.Network("net", [B], links=[pt.Link(A, "shown", B, "i_in", [0, 1])])


def test_an_algebraic_loop_is_named_and_a_state_breaks_it() -> None:
    loop = [pt.Link(R, "y", R, "x", [0, 1], [1, 0])]
    with pytest.raises(
        pt.ModelError, match=r"links\[0\] \('r.y->r.x'\): algebraic loop: r.x -> r.x; link a state variable"
    ):
        pt.Network("net", [R], links=loop)
    other = pt.Population("other", 2, RELAY())
    with pytest.raises(
        pt.ModelError, match=r"algebraic loop: (r\.x -> other\.x -> r\.x|other\.x -> r\.x -> other\.x)"
    ):
        pt.Network(
            "net",
            [R, other, S],
            links=[pt.Link(S, "z", other, "x"), pt.Link(R, "y", other, "x"), pt.Link(other, "y", R, "x")],
        )
    pt.Network("net", [R, S], links=[pt.Link(R, "y", S, "x"), pt.Link(S, "z", R, "x")])


def test_links_are_evaluated_after_those_that_feed_them() -> None:
    more = [pt.Population(f"r{i}", 2, RELAY()) for i in range(4)]
    chain = [pt.Link(a, "y", b, "x", name=f"{i}") for i, (a, b) in enumerate(pairwise(more))]
    given = [chain[2], chain[0], pt.Link(S, "z", more[0], "x"), chain[1], pt.Link(more[3], "y", S, "x")]
    program = resolve(pt.Network("net", [*more, S], links=given), 0)
    assert [(c.source, c.target) for c in program.links] == [
        ("s", "r0"),
        ("r0", "r1"),
        ("r1", "r2"),
        ("r2", "r3"),
        ("r3", "s"),
    ]
    assert program.links[0].pre.tolist() == [0, 1]


def test_a_fingerprint_says_what_is_linked() -> None:
    def fingerprint(*links: pt.Link) -> str:
        return resolve(pt.Network("net", [A, B], links=links), 0).model_hash

    found = [
        fingerprint(),
        fingerprint(pt.Link(A, "shown", B, "i_in", [0, 1])),
        fingerprint(pt.Link(A, "shown", B, "i_in", [1, 0])),
        fingerprint(pt.Link(B, "shown", A, "i_in", None, [1, 0])),
    ]
    assert len(set(found)) == 4
    assert fingerprint(pt.Link(A, "shown", B, "i_in", [0, 1], name="x")) == found[1]
    # taken before there were links
    assert (
        resolve(pt.Network("one", [pt.Population("e", 2, pt.IF_curr_exp())]), 0).model_hash
        == "253842208b45bb7eb523e27342443518909122e1971007e47a62f24d716aa929"
    )


def test_documents_of_links() -> None:
    net = pt.Network(
        "net",
        [A, B, R],
        links=[pt.Link(A, "shown", B, "i_in", [2, 2], [0, 1], "named"), pt.Link(B, "shown", R, "x")],
    )
    written = pt.to_document(net)
    assert written["links"] == [
        {
            "id": "named",
            "source": "a",
            "variable": "shown",
            "target": "b",
            "input": "i_in",
            "pre": [2, 2],
            "post": [0, 1],
        },
        {"id": "b.shown->r.x", "source": "b", "variable": "shown", "target": "r", "input": "x"},
    ]
    assert pt.from_document(written) == net
    for key, value, message in (
        ("source", "c", r"links\[1\].source: no population 'c'"),
        ("variable", "w", r"links\[1\].variable: 'b' has no variable 'w'"),
        ("input", "y", r"links\[1\].input: 'r' has no input 'y'"),
        ("pre", [5], r"links\[1\].pre: there is no cell 5"),
        ("post", [0], r"links\[1\]: pre and post must have one length"),
    ):
        broken = {**written, "links": [written["links"][0], {**written["links"][1], "id": "any", key: value}]}
        with pytest.raises(pt.ModelError, match=message):
            pt.from_document(broken)


QUADRATIC = pt.cell_type(
    "quadratic",
    equations="dv/dt = (k*(v - v_r)*(v - v_t) - u + i_gap + i_ext)/C : mV\ndu/dt = a*(b*(v - v_r) - u) : pA",
    threshold="v >= 35 mV",
    reset="v = -50 mV; u += d",
    parameters={
        "k": "0.7 nS/mV",
        "v_r": "-60 mV",
        "v_t": "-40 mV",
        "C": "100 pF",
        "a": "0.03 1/ms",
        "b": "-2 nS",
        "d": "100 pA",
    },
    inputs={"i_gap": "nA"},
    initial={"v": "v_r"},
)


def graph(cells: int, junctions: int, record: int) -> pt.Network:
    """A random graph of gap junctions between cells that spike (Izhikevich 2007)."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, cells, junctions), rng.integers(0, cells, junctions)
    pre, post = np.concatenate([a, b]), np.concatenate([b, a])
    population = pt.Population("cells", cells, QUADRATIC(), initial={"v": pt.Uniform(-70, -45)})
    edges = pt.Population("edges", 2 * junctions, JUNCTION(g=rng.uniform(0.1, 3, 2 * junctions)))
    links = [
        pt.Link(edges, "i", population, "i_gap", post=post),
        pt.Link(population, "v", edges, "v_pre", pre=pre),
        pt.Link(population, "v", edges, "v_post", pre=post),
    ]
    drive = pt.Injection(pt.DCSource(pt.Uniform(0.05, 0.4)), population)
    return pt.Network(
        "graph",
        [population, edges],
        inputs=[drive],
        recordings=[pt.Record(population, "spikes"), pt.Record(population[-record:], ["v", "u"])],
        links=links,
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_a_thousand_junctions_on_native_to_the_last_bit(threads: int) -> None:
    """Forward Euler and the same sums in the same order: equal bits, spikes and all."""
    net = graph(200, 1000, 200)
    ours, truth = (
        pt.run(net, "native", "200 ms", integrator="euler", threads=threads),
        pt.run(net, "reference", "200 ms", integrator="euler"),
    )
    assert len(truth.spikes["cells"]) > 1000
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_array_equal(ours.spikes["cells"].ids, truth.spikes["cells"].ids)
    for state in ("v", "u"):
        np.testing.assert_array_equal(ours.traces["cells", state].values, truth.traces["cells", state].values)
    assert ours.provenance["threads"] == 1
    assert any(a.where == "threads" for a in ours.approximations) == (threads > 1)


def test_more_cells_than_16_bit_numbers_reach() -> None:
    """A part has at most 65536 cells otherwise; with links it has all of them."""
    net = graph(70_000, 2000, 3)
    ours, truth = (
        pt.run(net, "native", "2 ms", integrator="euler"),
        pt.run(net, "reference", "2 ms", integrator="euler"),
    )
    np.testing.assert_array_equal(ours.spikes["cells"].ids, truth.spikes["cells"].ids)
    np.testing.assert_array_equal(ours.traces["cells", "v"].values, truth.traces["cells", "v"].values)


ORDERED = pt.cell_type(
    "ordered",
    equations="dw/dt = 0 : 1",
    parameters={},
    events={"in": "w = 0.7*w*(1 + 0.01*w) + weight", "up": "w = w*1.1 - weight"},
    weight_units={"in": "1", "up": "1"},
)


def test_arrivals_whose_order_matters_on_native_to_the_last_bit() -> None:
    """Many projections with one weight and delay each, and with many: ports in order, the oldest first, then
    by population, cell, connection.
    """
    rng = np.random.default_rng(2)
    cells = pt.Population("cells", 5, ORDERED())
    given = [
        pt.Population(
            f"s{i}",
            6,
            pt.SpikeSourceArray(
                [
                    np.repeat(np.sort(rng.choice(np.arange(1, 60), 20, replace=False)), 1 + (i > 1)) * 0.1
                    for _ in range(6)
                ]
            ),
        )
        for i in range(3)
    ]
    noise = pt.Population("noise", 6, pt.SpikeSourcePoisson(500.0))
    for weights in ((0.3, 0.4, 0.5, 0.6), (0.3, 0.4, 0.5, pt.Uniform(0.1, 0.2))):
        projections = [
            pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(w, delay), port)
            for source, w in zip([noise, *given], weights, strict=True)
            for port, delay in (("up", 0.3), ("in", 0.1), ("in", 0.4), ("in", 0.1))
        ]
        net = pt.Network(
            "order",
            [given[2], cells, noise, given[0], given[1]],
            projections,
            recordings=[pt.Record(cells, "w")],
        )
        ours, truth = (
            pt.run(net, "native", "8 ms").traces["cells", "w"].values,
            pt.run(net, "reference", "8 ms").traces["cells", "w"].values,
        )
        assert abs(truth[-1]).max() > 0.1
        np.testing.assert_array_equal(ours, truth)


def test_backends_without_links_say_so() -> None:
    net = graph(4, 3, 1)
    (reason,) = {s.reason for s in pt.check(net, "nest") if s.feature == "links"}
    assert reason == "nest has no continuous coupling between cells"
    assert {s.where for s in pt.check(net, "nest") if s.feature == "links"} >= {
        "link 'edges.i->cells.i_gap'",
        "population 'cells'",
    }
    assert {s.feature for s in pt.check(net, "brian2", options={"target": "cpp_standalone"})} == {"links"}
    for backend in ("reference", "native", "brian2"):
        assert pt.check(net, backend) == []


def test_brian2_tells_of_another_order_of_arrivals() -> None:
    """Spikes of cells and of sources at one port whose update depends on their order."""
    cells, source = (
        pt.Population("cells", 2, ORDERED()),
        pt.Population("source", 2, pt.SpikeSourceArray([[1.0]])),
    )
    one = pt.StaticSynapse(1.0, 1.0)
    for projections, told in (
        (
            [
                pt.Projection(source, cells, pt.OneToOne(), one, "in"),
                pt.Projection(cells, cells, pt.OneToOne(), one, "in"),
            ],
            1,
        ),
        (
            [
                pt.Projection(source, cells, pt.OneToOne(), one, "in"),
                pt.Projection(cells, cells, pt.OneToOne(), one, "up"),
            ],
            0,
        ),
    ):
        lowered = registry.get("brian2").lower(
            resolve(pt.Network("net", [cells, source], projections), 0), RunConfig()
        )
        assert len([a for a in lowered.approximations if "receptor 'in'" in a.where]) == told


def test_show_lists_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pt.save(graph(4, 3, 1), tmp_path / "graph.json")
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "cells.v" in shown
    assert "edges.v_pre" in shown
    assert main(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["links"][0] == {
        "name": "edges.i->cells.i_gap",
        "source": "edges",
        "variable": "i",
        "target": "cells",
        "input": "i_gap",
        "couplings": 6,
    }
