"""Recorded variables that are no states: the same function of the recorded states on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.resolve import resolve

pytestmark = pytest.mark.needs("cells.heterogeneous", "cells.nonlinear", "record.states")


# A leaky cell that shows what a derived variable can read: states, parameters, a constant, the time, the
# injected current.
SHOWING = pt.cell_type(
    "showing",
    equations="""
        dv/dt = (E - v)/tau + i_total/C : mV
        g_leak = C/tau : nS
        i_leak = g_leak*(E - v) : nA
        i_wave = i_0*sin(t/T) : nA
        i_total = i_ext + i_wave : nA
        drive = i_total + i_leak : nA
    """,
    parameters={"E": "-70 mV", "tau": "10 ms", "C": "0.2 nF", "i_0": "0.05 nA", "T": "3 ms"},
    initial={"v": "E"},
)


def conductances() -> tuple[pt.Network, pt.Population]:
    cells = pt.Population(
        "cells", 6, pt.IF_cond_exp(i_offset=0.3, e_rev_I=-80.0), initial={"v": pt.Uniform(-65, -55)}
    )
    noise = pt.Population("noise", 6, pt.SpikeSourcePoisson(rate=300.0))
    synapse = pt.StaticSynapse(pt.Uniform(0.002, 0.01), 1.0)
    return pt.Network(
        "conductances",
        [cells, noise],
        [
            pt.Projection(noise, cells, pt.AllToAll(), synapse),
            pt.Projection(noise, cells, pt.OneToOne(), synapse, "inhibitory"),
        ],
        recordings=[pt.Record(cells, ["i_syn", "v", "gsyn_exc", "gsyn_inh", "spikes"])],
    ), cells


@pytest.mark.needs(
    "cells.refractory", "receptors.jump", "record.spikes", "sources.poisson.frozen", "synapses.static"
)
def test_synaptic_current_is_conductance_times_driving_force(backend: str) -> None:
    """To the last bit: the same operations on the recorded states."""
    r = pt.run(conductances()[0], backend, "60 ms", seed=3, inputs="frozen")
    v, g_e, g_i = (r.traces["cells", x].values for x in ("v", "gsyn_exc", "gsyn_inh"))
    assert r.traces["cells", "i_syn"].unit == "pA"
    assert np.abs(r.traces["cells", "i_syn"].values).max() > 100.0
    np.testing.assert_array_equal(r.traces["cells", "i_syn"].values, g_e * (0.0 - v) + g_i * (-80.0 - v))


@pytest.mark.needs(
    "cells.refractory", "receptors.jump", "record.spikes", "sources.poisson.frozen", "synapses.static"
)
def test_only_what_was_asked_for_is_shown(backend: str) -> None:
    """i_syn of two cells every 0.4 ms and v of all every 1 ms need v every 0.2 ms; results show neither that
    nor the conductances.
    """
    net, cells = conductances()
    whole = pt.run(net, backend, "20 ms", seed=3, inputs="frozen")
    some = pt.Network(
        net.name,
        net.populations,
        net.projections,
        recordings=[pt.Record(cells[2:4], "i_syn", interval=0.4), pt.Record(cells, "v", interval=1.0)],
    )
    r = pt.run(some, backend, "20 ms", seed=3, inputs="frozen")
    assert list(r.traces) == [("cells", "i_syn"), ("cells", "v")]
    i, v = r.traces["cells", "i_syn"], r.traces["cells", "v"]
    assert i.ids.tolist() == [2, 3]
    assert i.steps.tolist() == list(range(0, 201, 4))
    assert v.steps.tolist() == list(range(0, 201, 10))
    np.testing.assert_array_equal(i.values, whole.traces["cells", "i_syn"].values[::4, 2:4])
    np.testing.assert_array_equal(v.values, whole.traces["cells", "v"].values[::10])


@pytest.mark.needs("cells.time", "inputs.current")
def test_time_injected_current_and_constants(backend: str) -> None:
    """At k*dt, i_ext is what holds from then on; sin of numpy and of the closed form below are the same
    function.
    """
    cells = pt.Population("cells", 3, SHOWING(tau=[5.0, 10.0, 20.0]))
    step = pt.Injection(pt.StepCurrentSource([2.0, 5.0], [0.1, -0.1]), cells[1:])
    net = pt.Network(
        "showing", [cells], inputs=[step], recordings=[pt.Record(cells, ["drive", "i_wave", "g_leak", "v"])]
    )
    r = pt.run(net, backend, "8 ms")
    t = np.arange(81)[:, None] * 0.1
    wave = 50.0 * np.sin(t / 3.0)
    leak = np.array([40.0, 20.0, 10.0])
    injected = np.where(t < 1.95, 0.0, np.where(t < 4.95, 100.0, -100.0)) * np.array([0.0, 1.0, 1.0])
    np.testing.assert_array_equal(r.traces["cells", "g_leak"].values, np.broadcast_to(leak, (81, 3)))
    np.testing.assert_allclose(r.traces["cells", "i_wave"].values, np.broadcast_to(wave, (81, 3)), rtol=1e-14)
    expected = (injected + wave) + leak * (-70.0 - r.traces["cells", "v"].values)
    np.testing.assert_allclose(
        r.traces["cells", "drive"].values, expected, rtol=1e-13, atol=1e-11
    )  # last bits of t


@pytest.mark.needs(
    "cells.refractory",
    "receptors.jump",
    "record.spikes",
    "session.pieces",
    "session.set",
    "sources.poisson.frozen",
    "synapses.static",
)
def test_parameters_changed_between_pieces(backend: str) -> None:
    """From the step of the change on, the new parameter; before it, the old one."""
    net, cells = conductances()
    needs = ["session.pieces", "session.set"]
    with pt.open(net, backend, seed=3, inputs="frozen", needs=needs) as sim:
        sim.run(20.0)
        sim.set(cells[1:], e_rev_E="-10 mV")
        sim.run(20.0)
        sim.set(cells, e_rev_I="-90 mV")
        sim.run(5.0)
        r = sim.results()
    v, g_e, g_i = (r.traces["cells", x].values for x in ("v", "gsyn_exc", "gsyn_inh"))
    e, i = np.zeros((451, 6)), np.full((451, 1), -80.0)
    e[200:, 1:], i[400:] = -10.0, -90.0
    np.testing.assert_array_equal(r.traces["cells", "i_syn"].values, g_e * (e - v) + g_i * (i - v))


@pytest.mark.needs("cells.linear", "links")
def test_over_links(backend: str) -> None:
    """Currents of gap junctions from recorded voltages, and the sum that a cell gets: to the last bit. By
    forward Euler that sum, at step k, must be what moved the cell from k to k + 1."""
    passive = pt.cell_type(
        "passive",
        equations="dv/dt = (g_leak*(E - v) + i_gap)/C : mV",
        parameters={"g_leak": "5 nS", "E": "-65 mV", "C": "100 pF"},
        inputs={"i_gap": "nA"},
        integrator="euler",
    )
    junction = pt.cell_type(
        "junction",
        equations="i = g*(v_pre - v_post) : nA",
        parameters={"g": "2 nS"},
        inputs={"v_pre": "mV", "v_post": "mV"},
    )
    rng = np.random.default_rng(2)
    pre, post = rng.integers(0, 20, 60), rng.integers(0, 20, 60)
    cells, edges = (
        pt.Population("cells", 20, passive(), initial={"v": pt.Uniform(-80, -40)}),
        pt.Population("edges", 60, junction(g=pt.Uniform(1.0, 3.0))),
    )
    links = [
        pt.Link(edges, "i", cells, "i_gap", post=post),
        pt.Link(cells, "v", edges, "v_pre", pre=pre),
        pt.Link(cells, "v", edges, "v_post", pre=post),
    ]
    asked = [pt.Record(cells, "v"), pt.Record(edges, "i"), pt.Record(cells[3:8], "i_gap")]
    net = pt.Network("gap", [cells, edges], recordings=asked, links=links)
    r = pt.run(net, backend, "20 ms", seed=2)
    v, i = r.traces["cells", "v"].values, r.traces["edges", "i"].values
    g = resolve(net, 2).group("edges").parameters["g"]  # type: ignore[union-attr]
    np.testing.assert_array_equal(i, g * (v[:, pre] - v[:, post]))
    total = np.zeros((201, 20))
    for j in range(60):
        total[:, post[j]] += i[:, j]
    np.testing.assert_array_equal(r.traces["cells", "i_gap"].values, total[:, 3:8])
    moved = np.diff(v, axis=0) * 100.0 / 0.1 - 5.0 * (-65.0 - v[:-1])
    np.testing.assert_allclose(moved, total[:-1], rtol=0, atol=1e-9)  # pA; v is kept to 1e-14 mV, times C/dt
    only = pt.Network(
        "gap", [cells, edges], recordings=[pt.Record(cells[3:8], "i_gap", interval=0.5)], links=links
    )
    few = pt.run(only, backend, "20 ms", seed=2).traces
    assert list(few) == [("cells", "i_gap")]
    np.testing.assert_array_equal(few["cells", "i_gap"].values, total[::5, 3:8])


def test_unknown_variables_are_named() -> None:
    cells = pt.Population("cells", 3, SHOWING())
    with pytest.raises(
        pt.ModelError, match=r"Record\.variables: 'cells' has no 'i_leek' to record; did you mean 'i_leak'"
    ):
        pt.Record(cells, ["v", "i_leek"])
    with pytest.raises(pt.ModelError, match="has no 'tau' to record"):
        pt.Record(cells, "tau")
