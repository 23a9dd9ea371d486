"""Continuous coupling between cells: gap junctions, synapses with a state for each connection, on every
backend that has links.
"""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt

pytestmark = pytest.mark.needs("cells.heterogeneous", "cells.linear", "links", "record.states")


PASSIVE = pt.cell_type(
    "passive",
    equations="dv/dt = (g_leak*(E - v) + i_gap)/C : mV",
    parameters={"g_leak": "5 nS", "E": "-65 mV", "C": "100 pF"},
    inputs={"i_gap": "nA"},
    positive=("C",),
)
# One element for each side of a junction: the current into the cell where it is "post".
JUNCTION = pt.cell_type(
    "junction",
    equations="i = g*(v_pre - v_post) : nA",
    parameters={"g": "2 nS"},
    inputs={"v_pre": "mV", "v_post": "mV"},
)


def junctions(
    cells: pt.Population, a: np.ndarray, b: np.ndarray, g: object = "2 nS"
) -> tuple[pt.Population, list[pt.Link]]:
    """Gap junctions between cells a[i] and b[i]: an element for each direction."""
    pre, post = np.concatenate([a, b]), np.concatenate([b, a])
    edges = pt.Population("edges", pre.size, JUNCTION(g=g))
    return edges, [
        pt.Link(edges, "i", cells, "i_gap", post=post),
        pt.Link(cells, "v", edges, "v_pre", pre=pre),
        pt.Link(cells, "v", edges, "v_post", pre=post),
    ]


def two_cells(backend: str, dt: float, integrator: str) -> float:
    """Largest difference in mV from the closed form over 40 ms: the mean of v - E decays with tau, the
    difference with tau/(1 + 2 g/g_leak).
    """
    cells = pt.Population("cells", 2, PASSIVE(), initial={"v": [-45.0, -60.0]})
    edges, links = junctions(cells, np.array([0]), np.array([1]))
    net = pt.Network("gap", [cells, edges], recordings=[pt.Record(cells, "v")], links=links)
    trace = pt.run(net, backend, "40 ms", dt=dt, integrator=integrator).traces["cells", "v"]
    tau, t = 20.0, trace.times
    mean, half = 12.5 * np.exp(-t / tau), 7.5 * np.exp(-t * (1 + 2 * 2 / 5) / tau)
    exact = -65.0 + np.stack([mean + half, mean - half], axis=1)
    return float(np.abs(trace.values - exact).max())


@pytest.mark.parametrize("integrator", ["auto", "euler", "rkf45"])
@pytest.mark.needs("cells.nonlinear")
def test_a_gap_junction_against_the_closed_form(backend: str, integrator: str) -> None:
    """Inputs are constant over a step, so whatever the integrator of the cells the error is of order dt: it
    halves with dt.
    """
    coarse, fine = two_cells(backend, 0.2, integrator), two_cells(backend, 0.1, integrator)
    # first order: dt/2 times the largest |second derivative| of v over the time constant that it is felt for,
    # about dt/tau * 3 mV
    assert 0.001 < fine < 0.04
    assert coarse / fine == pytest.approx(2.0, abs=0.03)


@pytest.mark.needs("cells.conditions", "cells.nonlinear", "cells.time", "inputs.current")
def test_what_links_read_and_when(backend: str) -> None:
    """Links given in the wrong order, through two derived variables, which read the time, an injected current
    and inputs.

    q and the sum of x where x is above its threshold are summed up here step by step, x being constant over
    each.
    """
    wave = pt.cell_type(
        "wave",
        equations="w = A*sin(omega*t) + i_ext : nA",
        parameters={"A": "3 pA", "omega": "0.7 1/ms", "one": "1 pA"},
    )
    twice = pt.cell_type(
        "twice",
        equations="y = 2*x + one : nA\nconstant = 3*one : nA",
        parameters={"one": "1 pA"},
        inputs={"x": "nA"},
    )
    total = pt.cell_type(
        "total",
        equations="dq/dt = x/C : mV\ndevents/dt = 0 : nA",
        parameters={"C": "2 pF", "x_th": "6 pA"},
        inputs={"x": "nA", "never": "nA"},
        integrator="rk4",
        conditions=[("x > x_th", "events = events + x + never")],
    )
    a, b, c = (
        pt.Population("a", 2, wave()),
        pt.Population("b", 3, twice(one=[1.0, 2.0, 3.0])),
        pt.Population("c", 2, total()),
    )
    links = [
        pt.Link(b, "y", c, "x", pre=[0, 2, 1], post=[0, 0, 1]),
        pt.Link(b, "constant", c, "x", pre=[0], post=[1]),
        pt.Link(a, "w", b, "x", pre=[0, 1, 1], post=[0, 1, 2]),
    ]
    net = pt.Network(
        "order",
        [c, b, a],
        inputs=[pt.Injection(pt.StepCurrentSource([1.0, 3.0], ["1 pA", "-2 pA"]), a[:1])],
        recordings=[pt.Record(c, ["q", "events"])],
        links=links,
    )
    traces = pt.run(net, backend, "5 ms").traces
    t = 0.1 * np.arange(50)
    w = 3 * np.sin(0.7 * t)[:, None] + np.stack(
        [np.select([t < 0.99, t < 2.99], [0.0, 1.0], -2.0), 0 * t], axis=1
    )
    one = np.array([1.0, 2.0, 3.0])
    y = 2 * w[:, [0, 1, 1]] + one
    x = np.stack([y[:, 0] + y[:, 2], y[:, 1] + 3 * one[0]], axis=1)
    q = np.concatenate([np.zeros((1, 2)), np.cumsum(0.1 * x / 2, axis=0)])
    np.testing.assert_allclose(traces["c", "q"].values, q, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        traces["c", "events"].values[1:], np.cumsum(np.where(x > 6, x, 0), axis=0), rtol=1e-12
    )


# Tsodyks, Pawelzik & Markram (1998, doi:10.1162/089976698300017502), each connection with its own resources R
# and release u.
DEPRESSING = pt.cell_type(
    "tsodyks_markram",
    equations="""
        dR/dt = (1 - R)/tau_rec : 1
        du/dt = (U - u)/tau_fac : 1
        dg/dt = -g/tau_g : nS
        i = g*(E - v_post) : nA
    """,
    events={"in": "g = g + weight*u*R; R = R - u*R; u = u + U*(1 - u)"},
    weight_units={"in": "nS"},
    parameters={"tau_rec": "100 ms", "tau_fac": "50 ms", "U": 0.3, "tau_g": "5 ms", "E": "0 mV"},
    inputs={"v_post": "mV"},
    initial={"R": "1", "u": "U"},
    positive=("tau_rec", "tau_fac", "tau_g"),
)


@pytest.mark.needs("cells.nonlinear", "receptors.general", "sources.trains", "synapses.static")
def test_tsodyks_markram_for_each_connection(backend: str) -> None:
    """Six connections of three sources onto two cells; R, u and g of each from its own spikes, in closed form
    from event to event.
    """
    rng = np.random.default_rng(3)
    trains = [np.sort(rng.choice(np.arange(10, 1900), 30, replace=False)) for _ in range(3)]
    pre, post, delays, U = (
        np.array([0, 0, 1, 1, 2, 2]),
        np.array([0, 1, 0, 1, 0, 1]),
        np.array([5, 12, 1, 7, 30, 2]),
        np.array([0.1, 0.2, 0.3, 0.5, 0.7, 0.9]),
    )
    sources = pt.Population("sources", 3, pt.SpikeSourceArray([s * 0.1 for s in trains]))
    cells = pt.Population("cells", 2, PASSIVE(), initial={"v": -65.0})
    edges = pt.Population("edges", 6, DEPRESSING(U=U))
    arrive = pt.Projection(
        sources, edges, pt.Explicit(pre, np.arange(6)), pt.StaticSynapse("4 nS", delays * 0.1), "in"
    )
    links = [pt.Link(edges, "i", cells, "i_gap", post=post), pt.Link(cells, "v", edges, "v_post", pre=post)]
    net = pt.Network(
        "depression",
        [sources, cells, edges],
        [arrive],
        recordings=[pt.Record(edges, ["R", "u", "g"]), pt.Record(cells, "v")],
        links=links,
    )
    ours = pt.run(net, backend, "200 ms").traces
    for e in range(6):
        R, u, g = directly(trains[pre[e]] + delays[e], 2000, float(U[e]))
        for name, exact in (("R", R), ("u", u), ("g", g)):
            np.testing.assert_allclose(
                ours["edges", name].values[:, e], exact, rtol=1e-10, atol=1e-12
            )  # rounding of 2000 steps
    # the cell by forward sums of the same conductances: rk4 at dt/tau = 0.005 is exact to 1e-9 for a constant
    # current
    v, g = np.full(2, -65.0), ours["edges", "g"].values
    for k in range(2000):
        current = np.bincount(post, g[k] * (0.0 - v[post]), minlength=2)
        rest = -65.0 + current / 5.0
        v = rest + (v - rest) * np.exp(-0.1 / 20.0)
    np.testing.assert_allclose(ours["cells", "v"].values[-1], v, atol=1e-7)


def directly(arrivals: np.ndarray, steps: int, U: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R, u, g after each step: from the last event's values by their closed forms."""
    out = np.zeros((3, steps + 1))
    R, u, g, last = 1.0, U, 0.0, 0
    for at in [*arrivals, steps + 1]:
        t = 0.1 * (np.arange(last, at) - last)
        out[:, last:at] = 1 - (1 - R) * np.exp(-t / 100), U - (U - u) * np.exp(-t / 50), g * np.exp(-t / 5)
        t = 0.1 * (at - last)
        R, u, g = 1 - (1 - R) * np.exp(-t / 100), U - (U - u) * np.exp(-t / 50), g * np.exp(-t / 5)
        R, u, g, last = R - u * R, u + U * (1 - u), g + 4.0 * u * R, int(at)
    return out[0], out[1], out[2]


# All pairs, additive, with hard bounds; Song, Miller & Abbott (2000, doi:10.1038/78829).
PAIRS = pt.cell_type(
    "pair_stdp",
    equations="""
        dw/dt = 0 : 1
        dx_pre/dt = -x_pre/tau_plus : 1
        dx_post/dt = -x_post/tau_minus : 1
        dg/dt = -g/tau_g : nA
    """,
    events={
        "pre": "w = w - a_minus*x_post; w = w*H(w); g = g + weight*w*gbase; x_pre = x_pre + 1",
        "post": "w = w + a_plus*x_pre; w = w + (1 - w)*H(w - 1); x_post = x_post + 1",
    },
    weight_units={"pre": "1", "post": "1"},
    parameters={
        "tau_plus": "20 ms",
        "tau_minus": "30 ms",
        "tau_g": "3 ms",
        "a_plus": 0.09,
        "a_minus": 0.07,
        "gbase": "1 nA",
        "w_0": 0.5,
    },
    initial={"w": "w_0"},
)
DRIVEN = pt.cell_type(
    "driven",
    equations="dv/dt = (E - v)/tau + (i_in + i_ext)/C : mV",
    threshold="v >= -50 mV",
    reset="v = E",
    refractory="2 ms",
    parameters={"E": "-65 mV", "tau": "15 ms", "C": "200 pF"},
    inputs={"i_in": "nA"},
    initial={"v": "E"},
    integrator="euler",
)


@pytest.mark.needs(
    "cells.nonlinear",
    "cells.refractory",
    "inputs.current",
    "receptors.general",
    "record.spikes",
    "sources.trains",
    "synapses.static",
)
def test_pair_stdp_for_each_connection(backend: str) -> None:
    """Weights from the recorded spikes: every spike of the two cells of a connection moves w by the other's
    trace, from event to event.
    """
    rng = np.random.default_rng(5)
    n, m = 8, 4
    pre, post = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    sources = pt.Population(
        "sources",
        n,
        pt.SpikeSourceArray(
            [np.sort(rng.choice(np.arange(2, 2900), 40, replace=False)) * 0.1 for _ in range(n)]
        ),
    )
    cells = pt.Population("cells", m, DRIVEN())
    edges = pt.Population("edges", pre.size, PAIRS(w_0=rng.uniform(0.2, 0.8, pre.size)))
    forth, back = rng.integers(1, 40, pre.size), rng.integers(1, 20, pre.size)
    projections = [
        pt.Projection(
            sources, edges, pt.Explicit(pre, np.arange(pre.size)), pt.StaticSynapse(1.0, forth * 0.1), "pre"
        ),
        pt.Projection(
            cells, edges, pt.Explicit(post, np.arange(pre.size)), pt.StaticSynapse(1.0, back * 0.1), "post"
        ),
    ]
    net = pt.Network(
        "stdp",
        [sources, cells, edges],
        projections,
        [pt.Injection(pt.DCSource("0.17 nA"), cells)],
        [pt.Record([sources, cells], "spikes"), pt.Record(edges, ["w", "g"])],
        [pt.Link(edges, "g", cells, "i_in", post=post)],
    )
    results = pt.run(net, backend, "300 ms")
    fired = {
        name: [s.steps[s.ids == i] for i in range(count)]
        for name, s, count in (
            ("sources", results.spikes["sources"], n),
            ("cells", results.spikes["cells"], m),
        )
    }
    assert all(20 < train.size < 100 for train in fired["cells"])
    start, weights = results.traces["edges", "w"].values[0], results.traces["edges", "w"].values[-1]
    for e in range(pre.size):
        w = stdp(
            float(start[e]), fired["sources"][pre[e]] + forth[e], fired["cells"][post[e]] + back[e], 3000
        )
        assert weights[e] == pytest.approx(w, abs=1e-9)
    assert 0.0 in weights
    assert 1.0 in weights  # both bounds are met


def stdp(w: float, pre: np.ndarray, post: np.ndarray, end: int) -> float:
    """The last weight; `pre` before `post` where they arrive in one step, as the type's ports are ordered."""
    x_pre = x_post = 0.0
    last = 0
    for at, kind in sorted([*((int(t), 0) for t in pre), *((int(t), 1) for t in post)]):
        if at > end:
            break
        x_pre, x_post, last = (
            x_pre * np.exp(-0.1 * (at - last) / 20),
            x_post * np.exp(-0.1 * (at - last) / 30),
            at,
        )
        if kind == 0:
            w = w - 0.07 * x_post
            w, x_pre = w * np.heaviside(w, 0.5), x_pre + 1
        else:
            w = w + 0.09 * x_pre
            w, x_post = w + (1 - w) * np.heaviside(w - 1, 0.5), x_post + 1
    return float(w)


@pytest.mark.needs("cells.nonlinear", "session.pieces", "session.set")
def test_running_in_pieces_and_changing_parameters(backend: str) -> None:
    """Stronger junctions from 10 ms on: the same as the reference, to rounding of the integrators' sums;
    pieces make no difference.
    """
    out = []
    for name, pieces in ((backend, (3, 7, 10)), (backend, (10, 10)), ("reference", (10, 10))):
        cells = pt.Population("cells", 30, PASSIVE(), initial={"v": pt.Uniform(-70, -40)})
        edges, links = junctions(cells, np.arange(29), np.arange(1, 30), [*np.linspace(0.5, 3.0, 29)] * 2)
        net = pt.Network("pieces", [cells, edges], recordings=[pt.Record(cells, "v")], links=links)
        with pt.open(net, name, seed=3, needs=["session.pieces", "session.set"]) as sim:
            for piece in pieces:
                if sim.time == 10:
                    sim.set(edges, g="5 nS")
                sim.run(piece)
            out.append(sim.results().traces["cells", "v"].values)
    np.testing.assert_array_equal(out[0], out[1])
    np.testing.assert_allclose(out[0], out[2], atol=1e-11, rtol=0)


@pytest.mark.needs("receptors.general", "sources.trains", "synapses.static")
def test_an_event_reads_what_is_linked(backend: str) -> None:
    """Arrivals at k + 1 belong to the step k -> k+1: they see the source's state after step k, directly and
    through a derived variable.
    """
    ramp = pt.cell_type("ramp", equations="dv/dt = 1 mV/ms : mV", parameters={})
    keep = pt.cell_type(
        "keep",
        equations="dseen/dt = 0 : mV\ndtwice/dt = 0 : mV\ndouble = 2*x : mV",
        parameters={},
        inputs={"x": "mV"},
        events={"in": "seen = x; twice = double + weight*seen"},
        weight_units={"in": "1"},
    )
    a, b, source = (
        pt.Population("a", 2, ramp(), initial={"v": [0.0, 10.0]}),
        pt.Population("b", 2, keep()),
        pt.Population("source", 1, pt.SpikeSourceArray([1.0, 2.5])),
    )
    net = pt.Network(
        "event",
        [a, b, source],
        [pt.Projection(source, b, pt.AllToAll(), pt.StaticSynapse(1.0, 0.5), "in")],
        recordings=[pt.Record(b, ["seen", "twice"])],
        links=[pt.Link(a, "v", b, "x", post=[1, 0])],
    )
    traces = pt.run(net, backend, "5 ms").traces
    k = np.arange(51)
    # arrivals at steps 15 and 30 read v after steps 14 and 29
    seen = np.select([k < 15, k < 30], [np.nan, 1.4], 2.9)[:, None] + [10.0, 0.0]
    np.testing.assert_allclose(traces["b", "seen"].values, np.where(np.isnan(seen), 0.0, seen), rtol=1e-12)
    np.testing.assert_allclose(
        traces["b", "twice"].values, np.where(np.isnan(seen), 0.0, 3 * seen), rtol=1e-12
    )
