"""random(x) in assignments and initial values: the same numbers on every backend that can draw them, the
others say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns

pytestmark = pytest.mark.needs("cells.heterogeneous", "cells.linear", "cells.random")
NETWORK = pytest.mark.needs(
    "inputs.current",
    "receptors.general",
    "receptors.random",
    "record.spikes",
    "record.states",
    "sources.poisson.frozen",
    "synapses.static",
    "cells.conditions",
    "cells.refractory",
)  # of `network`


# Draws in a reset, in a condition without a spike, in two ports and in initial values. Currents jump by a
# drawn part of the weight.
DRAWING = pt.cell_type(
    "drawing",
    equations="""
        dv/dt = (E - v)/tau + (i + i_ext)/C : mV (held)
        di/dt = -i/tau_i : nA
        dlow/dt = 0/tau : mV
        dlast/dt = 0/tau : 1
        dother/dt = 0/tau : 1
    """,
    parameters={
        "E": "-70 mV",
        "tau": "10 ms",
        "tau_i": "3 ms",
        "C": "0.2 nF",
        "theta": "-55 mV",
        "t_ref": "1 ms",
    },
    threshold="v >= theta",
    reset="v = E - random(10 mV); low = low + random(2 mV) + random(1 mV)",
    refractory="t_ref",
    events={
        "exc": "i = i + weight*random(2); last = random(1)",
        "inh": "i = i - weight*random(1); other = other + random(1)",
    },
    conditions=[("v < -72 mV", "v = v + random(1 mV)")],
    initial={"v": "E + random(10 mV)", "last": "random(1) + random(1)"},
)


def network() -> pt.Network:
    """Many arrivals in a step at a cell, in both ports, from several projections with several delays."""
    cells = pt.Population("cells", 70, DRAWING())
    noise = pt.Population("noise", 30, pt.SpikeSourcePoisson(rate=150.0))
    delays = pt.Uniform(0.1, 2.0)
    return pt.Network(
        "drawing",
        [cells, noise],
        [
            pt.Projection(
                noise, cells, pt.FixedInDegree(20), pt.StaticSynapse(pt.Normal(0.2, 0.05), delays), "exc"
            ),
            pt.Projection(noise, cells, pt.FixedInDegree(5), pt.StaticSynapse(0.1, 1.0), "inh"),
            pt.Projection(cells, cells, pt.FixedInDegree(5), pt.StaticSynapse(0.1, delays), "exc"),
        ],
        [pt.Injection(pt.DCSource(0.1), cells)],
        [pt.Record(cells, ["spikes", "low", "last", "other", "v", "i"])],
    )


def same(a: pt.Results, b: pt.Results) -> None:
    np.testing.assert_array_equal(a.spikes["cells"].steps, b.spikes["cells"].steps)
    np.testing.assert_array_equal(a.spikes["cells"].ids, b.spikes["cells"].ids)
    for variable in ("low", "last", "other"):  # sums and multiples of draws alone: to the last bit
        np.testing.assert_array_equal(a.traces["cells", variable].values, b.traces["cells", variable].values)
    for variable in ("v", "i"):
        np.testing.assert_allclose(
            a.traces["cells", variable].values, b.traces["cells", variable].values, rtol=0, atol=1e-9
        )


@pytest.fixture
def truth(reference: ReferenceRuns) -> pt.Results:
    return reference(network(), "40 ms", seed=3, inputs="frozen")


@NETWORK
def test_same_numbers_as_the_reference(backend: str, truth: pt.Results) -> None:
    assert len(truth.spikes["cells"]) > 100
    same(pt.run(network(), backend, "40 ms", seed=3, inputs="frozen"), truth)


@NETWORK
@pytest.mark.needs("session.pieces")
def test_in_pieces_the_same(backend: str, truth: pt.Results) -> None:
    with pt.open(network(), backend, seed=3, inputs="frozen", needs=["session.pieces"]) as sim:
        for piece in (0.1, 0.1, 7.3, 32.5):
            sim.run(piece)
        same(sim.results(), truth)


@NETWORK
def test_two_threads_the_same(backend: str, truth: pt.Results) -> None:
    same(pt.run(network(), backend, "40 ms", seed=3, inputs="frozen", threads=2), truth)


# Every step, u is drawn anew; w has two numbers of its own.
COIN = pt.cell_type(
    "coin",
    equations="du/dt = 0/(1 ms) : 1\n dw/dt = 0/(1 ms) : ms\n dz/dt = 0/(1 ms) : 1",
    parameters={"top": "4 ms"},
    conditions=[("u >= 0", "u = random(2); w = random(top); z = random(1)")],
    initial={"z": "random(1)"},
)


@pytest.mark.needs("cells.conditions", "record.states")
def test_draws_are_uniform_and_independent(backend: str) -> None:
    """100 000 numbers of each call: mean and variance within 4.5 standard errors, Kolmogorov-Smirnov below
    1.95/sqrt(n) (p = 0.001), correlations between calls, steps and cells below 4.5/sqrt(n). The seed is
    fixed, so the test never fails by chance."""
    cells = pt.Population("coins", 200, COIN())
    net = pt.Network("coins", [cells], recordings=[pt.Record(cells, ["u", "w", "z"])])
    r = pt.run(net, backend, "50 ms", seed=7)
    u, w, z = (r.traces["coins", x].values[1:] / top for x, top in (("u", 2.0), ("w", 4.0), ("z", 1.0)))
    n = u.size
    assert n == 100_000
    for x in (u, w, z):
        assert x.min() >= 0.0
        assert x.max() < 1.0
        assert abs(x.mean() - 0.5) < 4.5 / np.sqrt(12 * n)
        assert abs(x.var() - 1 / 12) < 4.5 / np.sqrt(180 * n)
        ordered, grid = np.sort(x.ravel()), np.arange(n + 1) / n
        assert max(np.abs(ordered - grid[:-1]).max(), np.abs(ordered - grid[1:]).max()) < 1.95 / np.sqrt(n)
    pairs: list[tuple[Any, Any]] = [(u, w), (u, z), (u[1:], u[:-1]), (u[:, 1:], u[:, :-1]), (u[1:], w[:-1])]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.5 / np.sqrt(a.size)


@pytest.mark.needs("cells.time", "record.spikes")
def test_a_poisson_source_in_equations(backend: str) -> None:
    """Intervals -log(random(1))/rate, kept as times: rate and coefficient of variation within 4 standard
    errors (both 1/sqrt(n)); rounding of spikes to the grid adds less than (dt rate)^2/6 = 2e-5 to the CV."""
    source = pt.cell_type(
        "exponential",
        equations="dnext/dt = 0/(1 ms) : ms",
        parameters={"rate": "100 Hz"},
        threshold="t >= next",
        reset="next = next - log(random(1))/rate",
        initial={"next": "-log(random(1))/rate"},
    )
    cells = pt.Population("sources", 100, source())
    net = pt.Network("sources", [cells], recordings=[pt.Record(cells, "spikes")])
    r = pt.run(net, backend, "2 s", seed=5)
    n = len(r.spikes["sources"])
    intervals = np.concatenate([np.diff(t) for t in r.spikes["sources"].trains()])
    assert abs(n / 20_000 - 1) < 4 / np.sqrt(20_000)
    assert abs(intervals.std() / intervals.mean() - 1) < 4 / np.sqrt(n) + 2e-5


@pytest.mark.needs("cells.conditions", "record.spikes", "record.states")
def test_draws_in_conditions_are_those_of_the_reference(backend: str) -> None:
    """Two populations of one kind, with their own streams, and resets of cells that spike one by one: to the
    last bit.
    """
    tossed = pt.cell_type(
        "tossed",
        equations="dv/dt = 1 mV/tau : mV\n du/dt = 0/tau : 1",
        parameters={"tau": "1 ms"},
        threshold="v > 3 mV",
        reset="v = random(2 mV) - random(1 mV)",
        conditions=[("v > 2.5 mV", "u = u + random(1)")],
        initial={"v": "random(3 mV)"},
    )
    a, b = pt.Population("a", 7, tossed()), pt.Population("b", 3, tossed())
    net = pt.Network("tossed", [a, b], recordings=[pt.Record([a, b], ["spikes", "u", "v"])])
    found, want = (pt.run(net, x, "30 ms", seed=2, integrator="euler") for x in (backend, "reference"))
    for name in ("a", "b"):
        assert len(want.spikes[name]) > 10
        np.testing.assert_array_equal(found.spikes[name].steps, want.spikes[name].steps)
        for variable in ("u", "v"):
            np.testing.assert_array_equal(
                found.traces[name, variable].values, want.traces[name, variable].values
            )
