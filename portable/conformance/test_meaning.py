"""What a step means (closed form or by counting), on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns
from portable.model.connectors import Connector

pytestmark = pytest.mark.needs("cells.refractory", "record.states")


def one(
    cell: pt.Cell,
    inputs: list[pt.DCSource | pt.StepCurrentSource] | None = None,
    initial: dict[str, float] | None = None,
) -> pt.Network:
    population = pt.Population("cell", 1, cell, initial=initial)
    return pt.Network(
        "one",
        [population],
        inputs=[pt.Injection(i, population) for i in inputs or []],
        recordings=[pt.Record(population, ["spikes", "v"])],
    )


@pytest.mark.needs("cells.linear", "record.spikes")
def test_lif_dc_closed_form(backend: str) -> None:
    """v(t) = v_rest + R I (1 - exp(-t/tau)) until threshold; spike times by the logarithm, rounded up to the
    grid.
    """
    tau, c, i, t_ref, dt = 20.0, 1.0, 1.0, 2.0, 0.1
    cell = pt.IF_curr_exp(
        tau_m=tau, cm=c, v_rest=-65, v_reset=-65, v_thresh=-50, tau_refrac=t_ref, i_offset=i
    )
    results = pt.run(one(cell), backend, "200 ms")
    rise = -tau * np.log(1 - 15.0 / (tau / c * i))
    period = int(np.ceil(rise / dt)) + round(t_ref / dt)
    first = int(np.ceil(rise / dt))
    expected = np.arange(first, 2001, period)
    np.testing.assert_array_equal(results.spikes["cell"].steps, expected)
    trace = results.traces["cell", "v"]
    upto = trace.steps < first
    exact = -65 + 20.0 * (1 - np.exp(-trace.times[upto] / tau))
    np.testing.assert_allclose(
        trace.values[upto, 0], exact, atol=1e-11
    )  # 138 steps of rounding at 60 mV: 138 * 1.4e-14


@pytest.mark.needs("cells.linear", "receptors.jump", "sources.trains", "synapses.static")
def test_equal_time_constants(backend: str) -> None:
    """tau_m = tau_syn: the propagator's closed form is singular, the answer is not: v = w/C t exp(-t/tau)."""
    tau, c, w = 10.0, 0.5, 0.3
    cell = pt.Population(
        "cell",
        1,
        pt.IF_curr_exp(tau_m=tau, tau_syn_E=tau, cm=c, v_rest=0, v_reset=0, v_thresh=1000),
        initial={"v": 0.0},
    )
    source = pt.Population("source", 1, pt.SpikeSourceArray([1.0]))
    net = pt.Network(
        "equal",
        [cell, source],
        [pt.Projection(source, cell, pt.OneToOne(), pt.StaticSynapse(w, 1.5))],
        recordings=[pt.Record(cell, "v")],
    )
    trace = pt.run(net, backend, "50 ms").traces["cell", "v"]
    t = np.maximum(trace.times - 2.5, 0.0)
    np.testing.assert_allclose(trace.values[:, 0], w / c * t * np.exp(-t / tau), atol=1e-12)


@pytest.mark.parametrize(("delay", "arrival"), [(0.1, 11), (1.0, 20), (2.5, 35)])
@pytest.mark.needs("cells.linear", "receptors.jump", "sources.trains", "synapses.static")
def test_delay(backend: str, delay: float, arrival: int) -> None:
    """A voltage jump of a spike stamped k with delay d is in the state of step k + d and not before."""
    cell = pt.Population(
        "cell", 1, pt.IF_curr_delta(v_thresh=1000, v_rest=-65, tau_m=1e9), initial={"v": -65.0}
    )
    source = pt.Population("source", 1, pt.SpikeSourceArray([1.0]))
    net = pt.Network(
        "delay",
        [cell, source],
        [pt.Projection(source, cell, pt.OneToOne(), pt.StaticSynapse(5.0, delay))],
        recordings=[pt.Record(cell, "v")],
    )
    trace = pt.run(net, backend, "5 ms").traces["cell", "v"]
    jump = np.flatnonzero(np.diff(trace.values[:, 0]) > 1.0) + 1
    assert list(trace.steps[jump]) == [arrival]


@pytest.mark.needs("cells.linear", "receptors.jump", "record.spikes", "sources.trains", "synapses.static")
def test_jump_to_threshold_spikes_at_once(backend: str) -> None:
    """Step 3 comes before step 4: an arrival at k that reaches threshold gives a spike stamped k, recorded v
    is the reset.
    """
    cell = pt.Population(
        "cell",
        1,
        pt.IF_curr_delta(v_thresh=-50, v_rest=-65, v_reset=-60, tau_m=1e9, tau_refrac=1.0),
        initial={"v": -65.0},
    )
    source = pt.Population("source", 1, pt.SpikeSourceArray([1.0, 1.5, 2.5]))
    net = pt.Network(
        "jump",
        [cell, source],
        [pt.Projection(source, cell, pt.OneToOne(), pt.StaticSynapse(20.0, 1.0))],
        recordings=[pt.Record(cell, ["spikes", "v"])],
    )
    results = pt.run(net, backend, "5 ms")
    # arrivals at 20, 25, 35; refractory updates are 20->21 ... 29->30, so the arrival at 25 is lost
    assert list(results.spikes["cell"].steps) == [20, 35]
    assert results.traces["cell", "v"].values[20, 0] == pytest.approx(-60, abs=1e-6)


@pytest.mark.parametrize("t_ref", [0.1, 0.5, 2.0])
@pytest.mark.needs("cells.linear", "record.spikes")
def test_refractory_counts_whole_updates(backend: str, t_ref: float) -> None:
    """With a current that crosses in one step, the interval between spikes is 1 + R updates."""
    cell = pt.IF_curr_exp(i_offset=1e5, tau_refrac=t_ref)
    steps = pt.run(one(cell), backend, "20 ms").spikes["cell"].steps
    assert steps[0] == 1
    assert set(np.diff(steps)) == {1 + round(t_ref / 0.1)}


@pytest.mark.needs("cells.linear", "inputs.current", "record.spikes")
def test_step_current(backend: str) -> None:
    """An amplitude from t_on on acts in the update that starts at t_on."""
    cell = pt.IF_curr_exp(tau_m=1e9, cm=1.0, v_thresh=1000, v_rest=0, v_reset=0)
    net = one(cell, [pt.StepCurrentSource([1.0, 2.0, 3.0], [1.0, -0.5, 0.0])], initial={"v": 0.0})
    v = pt.run(net, backend, "4 ms").traces["cell", "v"].values[:, 0]
    expected = np.concatenate(
        [np.zeros(11), 0.1 * np.arange(1, 11), 1.0 - 0.05 * np.arange(1, 11), np.full(10, 0.5)]
    )
    np.testing.assert_allclose(v, expected, atol=1e-6)  # tau_m = 1e9 ms leaks 4e-9 relative


@pytest.mark.needs(
    "cells.linear", "cells.refractory", "inputs.current", "record.spikes", "cells.heterogeneous"
)
def test_a_cell_named_twice_gets_both_currents_and_is_recorded_once(backend: str) -> None:
    """As by two injections: cells 0, 1, 2 get 1 + 2, 0 + 2*0.5 and 4 + 0.5 nA for 1 ms at 1 nF."""
    cells = pt.Population(
        "cells", 3, pt.IF_curr_exp(tau_m=1e9, cm=1.0, v_thresh=1000, v_rest=0, v_reset=0), initial={"v": 0.0}
    )
    net = pt.Network(
        "twice",
        [cells],
        inputs=[
            pt.Injection(pt.DCSource([1.0, 4.0, 2.0], stop=1.0), cells[[0, 2, 0]]),
            pt.Injection(pt.StepCurrentSource([0.0, 1.0], [0.5, 0.0]), [cells[[1, 2, 1]]]),
        ],
        recordings=[pt.Record(cells[[2, 0, 2, 1]], ["spikes", "v"])],
    )
    results = pt.run(net, backend, "2 ms")
    trace = results.traces["cells", "v"]
    assert (list(trace.ids), list(results.spikes["cells"].recorded)) == ([0, 1, 2], [0, 1, 2])
    # tau_m = 1e9 ms leaks 4e-9 relative; what is printed in float32 has 1.2e-7 of 4.5 mV
    np.testing.assert_allclose(trace.values[-1], [3.0, 1.0, 4.5], atol=1e-6)


@pytest.mark.needs("cells.heterogeneous", "cells.linear", "record.spikes")
def test_heterogeneous_parameters(
    backend: str, method: str, printed: float, reference: ReferenceRuns
) -> None:
    """Each cell has its own v_reset, tau_refrac, v_thresh and initial v."""
    n = 5
    cells = pt.Population(
        "cells",
        n,
        pt.IF_curr_exp(
            i_offset=1.0,
            v_reset=np.linspace(-70, -60, n),
            tau_refrac=np.arange(1, n + 1) * 1.0,
            v_thresh=np.linspace(-55, -50, n),
        ),
        initial={"v": np.linspace(-65, -61, n)},
    )
    net = pt.Network("mixed", [cells], recordings=[pt.Record(cells, ["spikes", "v"])])
    ours = pt.run(net, backend, "200 ms", integrator=method)
    truth = reference(net, "200 ms", integrator=method)
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_allclose(
        ours.traces["cells", "v"].values,
        truth.traces["cells", "v"].values,
        atol=1e-9,
        rtol=max(1e-7, printed),
    )
    assert len({len(t) for t in truth.spikes["cells"].trains()}) > 1


@pytest.mark.needs("cells.heterogeneous", "cells.nonlinear", "record.spikes")
def test_adex_uses_each_cells_reset_and_b(backend: str, method: str, reference: ReferenceRuns) -> None:
    """v_reset, b, tau_refrac of cell 0 must not be used for all (PyNN's Brian2 backend does)."""
    cells = pt.Population(
        "cells",
        3,
        pt.EIF_cond_exp_isfa_ista(
            i_offset=1.0, v_reset=[-70, -65, -60], b=[0.0, 0.05, 0.2], tau_refrac=[0.5, 1.0, 3.0]
        ),
    )
    net = pt.Network("adex", [cells], recordings=[pt.Record(cells, ["spikes", "w"])])
    ours = pt.run(net, backend, "150 ms", integrator=method)
    truth = reference(net, "150 ms", integrator=method)
    counts = [len(t) for t in truth.spikes["cells"].trains()]
    assert counts[0] > counts[2] > 0
    assert [len(t) for t in ours.spikes["cells"].trains()] == counts


@pytest.mark.needs("cells.heterogeneous", "cells.linear", "record.spikes")
def test_recorded_interval_and_subset(backend: str) -> None:
    cells = pt.Population("cells", 6, pt.IF_curr_exp(i_offset=np.linspace(0.1, 0.6, 6)))
    net = pt.Network(
        "some",
        [cells],
        recordings=[pt.Record(cells[[1, 4]], "v", interval="0.5 ms"), pt.Record(cells[::3], "spikes")],
    )
    results = pt.run(net, backend, "10 ms")
    trace = results.traces["cells", "v"]
    assert list(trace.ids) == [1, 4]
    assert list(trace.steps) == list(range(0, 101, 5))
    assert list(results.spikes["cells"].recorded) == [0, 3]
    assert trace.values[0] == pytest.approx([-65, -65])


@pytest.mark.parametrize(
    "connector", [pt.FixedProbability(0.0), pt.FixedInDegree(0), pt.Explicit([], [])], ids=repr
)
@pytest.mark.needs(
    "cells.linear", "cells.refractory", "synapses.static", "sources.trains", "receptors.jump", "record.spikes"
)
def test_a_source_without_any_connection(backend: str, connector: Connector) -> None:
    """It fires all the same, and nothing hears it."""
    cells = pt.Population("cells", 2, pt.IF_curr_exp())
    source = pt.Population("source", 1, pt.SpikeSourceArray([1.0]))
    net = pt.Network(
        "alone",
        [cells, source],
        [pt.Projection(source, cells, connector, pt.StaticSynapse(weight=1.0))],
        recordings=[pt.Record([cells], ["spikes", "v"]), pt.Record(source, "spikes")],
    )
    results = pt.run(net, backend, "2 ms")
    assert results.spikes["source"].steps.tolist() == [10]
    np.testing.assert_allclose(results.traces["cells", "v"].values, -65.0, atol=1e-5)


@pytest.mark.needs(
    "cells.linear", "cells.refractory", "cells.heterogeneous", "record.spikes", "record.states"
)
def test_a_refractory_period_of_more_steps_than_32_bits_count(backend: str) -> None:
    """1e9 ms are 1e10 steps of 0.1 ms: one spike, and the cell with 1 ms goes on."""
    cells = pt.Population("cells", 2, pt.IF_curr_exp(i_offset=1e5, tau_refrac=[1.0, 1e9]))
    net = pt.Network("long", [cells], recordings=[pt.Record(cells, ["spikes", "v"])])
    spikes = pt.run(net, backend, "5 ms").spikes["cells"]
    assert spikes.steps[spikes.ids == 0].tolist() == [1, 12, 23, 34, 45]
    assert spikes.steps[spikes.ids == 1].tolist() == [1]
