"""Running in pieces, changing parameters, two sessions at once, reading at any time."""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns

pytestmark = pytest.mark.needs("cells.linear", "cells.refractory")
NETWORK = pytest.mark.needs(
    "cells.heterogeneous",
    "receptors.jump",
    "record.spikes",
    "record.states",
    "sources.poisson.frozen",
    "synapses.static",
)  # of `network`


def network(rate: float = 3000.0) -> tuple[pt.Network, pt.Population, pt.Population]:
    cells = pt.Population("cells", 40, pt.IF_curr_exp(i_offset=0.5), initial={"v": pt.Uniform(-65, -50)})
    noise = pt.Population("noise", 40, pt.SpikeSourcePoisson(rate=rate))
    few = pt.Population("few", 20, pt.SpikeSourcePoisson(rate=40.0))
    net = pt.Network(
        "pieces",
        [cells, noise, few],
        [
            pt.Projection(
                cells,
                cells,
                pt.FixedInDegree(8),
                pt.StaticSynapse(pt.Normal(0.1, 0.02), pt.Uniform(0.1, 3.0)),
            ),
            pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse(0.05, 1.0)),
            pt.Projection(
                few,
                cells,
                pt.FixedProbability(0.2),
                pt.StaticSynapse(pt.Normal(0.1, 0.02), pt.Uniform(0.1, 3.0)),
            ),
        ],
        recordings=[pt.Record([cells, few], "spikes"), pt.Record(cells[:3], "v", interval=1.0)],
    )
    return net, cells, noise


def same(a: pt.Results, b: pt.Results, printed: float = 0.0) -> None:
    for name in b.spikes:
        np.testing.assert_array_equal(a.spikes[name].steps, b.spikes[name].steps)
        np.testing.assert_array_equal(a.spikes[name].ids, b.spikes[name].ids)
    np.testing.assert_allclose(
        a.traces["cells", "v"].values, b.traces["cells", "v"].values, atol=1e-9, rtol=printed
    )


@NETWORK
def test_frozen_network_equals_reference(
    backend: str, method: str, printed: float, reference: ReferenceRuns
) -> None:
    """Recurrent connections, heterogeneous weights and delays, high-rate and fan-out Poisson sources:
    identical spikes.
    """
    net, _, _ = network()
    truth = reference(net, "200 ms", seed=11, integrator=method)
    assert len(truth.spikes["cells"]) > 200
    same(pt.run(net, backend, "200 ms", seed=11, inputs="frozen", integrator=method), truth, printed)


@NETWORK
@pytest.mark.needs("session.pieces")
def test_pieces_equal_whole(backend: str) -> None:
    net, _, _ = network()
    whole = pt.run(net, backend, "100 ms", seed=5, inputs="frozen")
    with pt.open(net, backend, seed=5, inputs="frozen", needs=["session.pieces"]) as sim:
        for piece in (0.1, 9.9, 40.0, 50.0):
            sim.run(piece)
            assert sim.results().steps == sim.steps
        same(sim.results(), whole)


@NETWORK
@pytest.mark.needs("session.pieces", "session.set")
def test_set_changes_from_now_on(backend: str) -> None:
    """The same change on the reference gives the same spikes, before and after."""
    out = []
    for name in (backend, "reference"):
        net, cells, _ = network()
        with pt.open(net, name, seed=2, inputs="frozen", needs=["session.pieces", "session.set"]) as sim:
            sim.run("40 ms")
            sim.set(cells, tau_m="10 ms", i_offset=0.9)
            sim.run("30 ms")
            sim.set(cells[:10], v_thresh=-55.0)
            sim.run("30 ms")
            out.append(sim.results())
    same(out[0], out[1])


@NETWORK
@pytest.mark.needs("session.pieces", "session.set")
def test_set_rate_of_poisson(backend: str) -> None:
    out = []
    for name in (backend, "reference"):
        net, _, noise = network()
        with pt.open(net, name, seed=2, inputs="frozen", needs=["session.pieces", "session.set"]) as sim:
            sim.run("30 ms")
            sim.set(noise, rate=0.0)
            sim.run("70 ms")
            out.append(sim.results())
    same(out[0], out[1])


@NETWORK
@pytest.mark.needs("session.pieces")
def test_two_sessions_do_not_disturb_each_other(backend: str) -> None:
    net, _, _ = network()
    whole = pt.run(net, backend, "60 ms", seed=7, inputs="frozen")
    with (
        pt.open(net, backend, seed=7, inputs="frozen", needs=["session.pieces"]) as a,
        pt.open(net, backend, seed=8, inputs="frozen", needs=["session.pieces"]) as b,
    ):
        a.run(30)
        b.run(30)
        a.run(30)
        same(a.results(), whole)


@NETWORK
def test_results_survive_the_next_run(backend: str) -> None:
    """A second run does not corrupt earlier data (PyNN's does)."""
    net, _, _ = network()
    first = pt.run(net, backend, "50 ms", seed=1, inputs="frozen")
    kept = first.spikes["cells"].steps.copy()
    pt.run(net, backend, "50 ms", seed=2, inputs="frozen")
    np.testing.assert_array_equal(first.spikes["cells"].steps, kept)


def test_nothing_recorded_and_no_connections(backend: str) -> None:
    results = pt.run(pt.Network("bare", [pt.Population("cells", 3, pt.IF_curr_exp())]), backend, "5 ms")
    assert not results.spikes
    assert not results.traces
