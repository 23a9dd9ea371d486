"""Users' own equations are as first-class as the built-ins, on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns

# A leaky integrate-and-fire with a fast and a slow adaptation current: linear, so integrated exactly.
TWO_ADAPTATIONS = pt.cell_type(
    "lif_two_adaptations",
    equations="""
        dv/dt = (E - v)/tau + (i_syn + i_ext - w_fast - w_slow)/C : mV (held)
        dw_fast/dt = -w_fast/tau_fast : nA
        dw_slow/dt = (a*(v - E) - w_slow)/tau_slow : nA
    """,
    threshold="v >= theta",
    reset="v = E; w_fast += b_fast; w_slow += b_slow",
    refractory="t_ref",
    parameters={
        "E": "-70 mV",
        "tau": "15 ms",
        "C": "0.2 nF",
        "theta": "-52 mV",
        "t_ref": "2 ms",
        "tau_fast": "20 ms",
        "tau_slow": "200 ms",
        "a": "2 nS",
        "b_fast": "0.05 nA",
        "b_slow": "0.01 nA",
    },
    receptors={"exc": pt.CurrExp, "inh": pt.CurrExp},
    initial={"v": "E"},
)

# Quadratic integrate-and-fire with a conductance synapse, non-linear.
QUADRATIC = pt.cell_type(
    "quadratic",
    equations="""
        dv/dt = k*(v - v_r)*(v - v_t)/C + (g*(E_e - v) + i_ext)/C : mV
        dg/dt = -g/tau_g : nS
    """,
    threshold="v >= v_peak",
    reset="v = v_c",
    refractory="t_ref",
    events={"exc": "g += weight"},
    parameters={
        "C": "100 pF",
        "k": "0.7 nS/mV",
        "v_r": "-60 mV",
        "v_t": "-40 mV",
        "v_peak": "0 mV",
        "v_c": "-55 mV",
        "E_e": "0 mV",
        "tau_g": "4 ms",
        "t_ref": "1 ms",
    },
    initial={"v": "v_r"},
)


def network(cell: pt.CellType, weight: str, n: int = 60) -> pt.Network:
    cells = pt.Population("cells", n, cell(), initial={"v": pt.Uniform(-70, -55)})
    source = pt.Population("source", 100, pt.SpikeSourcePoisson(rate=60.0))
    synapse = pt.StaticSynapse(weight, pt.Uniform("0.1 ms", "3 ms"))
    return pt.Network(
        f"own_{cell.name}",
        [cells, source],
        [
            pt.Projection(source, cells, pt.FixedInDegree(40), synapse, "exc"),
            pt.Projection(cells, cells, pt.FixedInDegree(6), synapse, "exc"),
        ],
        [pt.Injection(pt.DCSource("60 pA"), cells)],
        [pt.Record(cells, "spikes"), pt.Record(cells[:5], cell().flat.state_names, interval=0.5)],
    )


@pytest.mark.parametrize(
    ("cell", "weight"),
    [
        pytest.param(TWO_ADAPTATIONS, "0.04 nA", marks=pytest.mark.needs("cells.linear")),
        pytest.param(QUADRATIC, "3 nS", marks=pytest.mark.needs("cells.nonlinear")),
    ],
    ids=["two_adaptations", "quadratic"],
)
@pytest.mark.needs(
    "cells.heterogeneous",
    "cells.refractory",
    "inputs.current",
    "receptors.jump",
    "record.spikes",
    "record.states",
    "sources.poisson.frozen",
    "synapses.static",
)
def test_own_equations(
    backend: str, cell: pt.CellType, weight: str, method: str, printed: float, reference: ReferenceRuns
) -> None:
    net = network(cell, weight)
    ours = pt.run(net, backend, "300 ms", seed=4, inputs="frozen", integrator=method)
    truth = reference(net, "300 ms", seed=4, inputs="frozen", integrator=method)
    assert len(truth.spikes["cells"]) > 100
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_array_equal(ours.spikes["cells"].ids, truth.spikes["cells"].ids)
    for state in cell().flat.state_names:
        a, b = ours.traces["cells", state].values, truth.traces["cells", state].values
        # rounding only: 1e-8 of each variable's range, amplified near the quadratic model's threshold
        np.testing.assert_allclose(a, b, atol=1e-8 * max(1.0, np.abs(b).max()), rtol=printed)


@pytest.mark.needs("cells.nonlinear", "cells.time", "record.states")
def test_time_in_equations(backend: str) -> None:
    """dv/dt = A sin(2 pi f t) has the closed form A (1 - cos(2 pi f t))/(2 pi f)."""
    cell = pt.cell_type(
        "driven",
        equations="dv/dt = A*sin(6.283185307179586*f*t) : mV",
        parameters={"A": "1 mV/ms", "f": "0.05 1/ms"},
        integrator="rk4",
    )
    population = pt.Population("cell", 2, cell())
    trace = pt.run(
        pt.Network("driven", [population], recordings=[pt.Record(population, "v")]), backend, "50 ms"
    ).traces["cell", "v"]
    omega = 2 * np.pi * 0.05
    exact = (1 - np.cos(omega * trace.times)) / omega
    np.testing.assert_allclose(
        trace.values[:, 0], exact, atol=2e-9
    )  # Simpson's rule: h^4 omega^4/2880 * amplitude 3.2 mV = 1e-9


@pytest.mark.needs(
    "cells.nonlinear", "receptors.general", "record.states", "sources.trains", "synapses.static"
)
def test_general_receptor(backend: str, reference: ReferenceRuns) -> None:
    """An event update that is not a plain jump: g moves a fraction of the way to its ceiling with each spike
    (saturation).
    """
    cell = pt.cell_type(
        "saturating",
        equations="""
            dv/dt = (g*(0 mV - v) + g_leak*(E - v))/C : mV
            dg/dt = -g/tau : nS
        """,
        events={"in": "g += weight*(1 - g/g_max)"},
        parameters={"C": "100 pF", "g_leak": "5 nS", "E": "-65 mV", "tau": "5 ms", "g_max": "10 nS"},
        initial={"v": "E"},
    )
    cells = pt.Population("cells", 4, cell())
    source = pt.Population(
        "source", 6, pt.SpikeSourceArray([[1.0, 3.0], [1.0, 2.0], [1.5], [2.0], [1.0], [4.0]])
    )
    net = pt.Network(
        "saturating",
        [cells, source],
        [pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse("4 nS", 1.0), "in")],
        recordings=[pt.Record(cells, ["g", "v"])],
    )
    ours, truth = pt.run(net, backend, "20 ms"), reference(net, "20 ms")
    g = ours.traces["cells", "g"].values
    assert g.max() < 10.0
    assert g[20, 0] == pytest.approx(
        10 * (1 - 0.6**3), rel=1e-12
    )  # three spikes at once: 1 - g/g_max falls by 0.6 each time
    np.testing.assert_allclose(g, truth.traces["cells", "g"].values, atol=1e-10)


@pytest.mark.needs("cells.linear", "cells.refractory", "record.spikes", "record.states")
def test_refractory_without_held_state(backend: str) -> None:
    """Nothing is held: v goes on, and the spike condition is not tested in the R updates after a spike."""
    cell = pt.cell_type(
        "clock",
        equations="dv/dt = 1 mV/ms : mV",
        threshold="v >= 1 mV",
        reset="v = v + 0 mV",
        refractory="t_ref",
        parameters={"t_ref": "1 ms"},
    )
    population = pt.Population("cell", 1, cell())
    results = pt.run(
        pt.Network("clock", [population], recordings=[pt.Record(population, ["spikes", "v"])]),
        backend,
        "5 ms",
    )
    first = results.spikes["cell"].steps[0]
    assert first in (10, 11)  # 10 * 0.1 may fall a rounding short of 1
    assert set(np.diff(results.spikes["cell"].steps)) == {11}
    np.testing.assert_allclose(results.traces["cell", "v"].values[:, 0], 0.1 * np.arange(51), atol=1e-12)


@pytest.mark.needs("cells.conditions", "cells.nonlinear", "cells.time", "record.spikes")
def test_edge_fires_once_a_crossing(backend: str) -> None:
    cell = pt.cell_type(
        "wave",
        equations="dv/dt = cos(6.283185307179586*t/(10 ms))*(1 mV/ms) : mV",
        threshold="v >= 1 mV",
        edge=True,
        parameters={},
        integrator="rk4",
    )
    population = pt.Population("cell", 1, cell())
    steps = (
        pt.run(
            pt.Network("wave", [population], recordings=[pt.Record(population, "spikes")]), backend, "50 ms"
        )
        .spikes["cell"]
        .steps
    )
    # v = 10/(2 pi) sin(2 pi t/10): the upward crossing of 1 mV is at 1.0808 ms of each period
    np.testing.assert_array_equal(steps, 11 + 100 * np.arange(5))


@pytest.mark.needs(
    "cells.linear",
    "cells.refractory",
    "receptors.jump",
    "record.spikes",
    "record.states",
    "sources.trains",
    "synapses.static",
)
def test_many_receptors(backend: str, method: str, printed: float, reference: ReferenceRuns) -> None:
    """Any number of receptor types on a standard cell."""
    cell = pt.IF_curr_exp(receptors={"slow": pt.CurrExp(tau_syn=50.0), "fast": pt.CurrExp(tau_syn=1.0)})
    cells = pt.Population("cells", 5, cell)
    source = pt.Population("source", 1, pt.SpikeSourceArray(np.arange(1.0, 100.0, 3.0).tolist()))
    links = [
        pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(w, 1.0), r)
        for r, w in (("slow", 0.05), ("fast", 0.8), ("excitatory", 0.2), ("inhibitory", -0.1))
    ]
    net = pt.Network(
        "many", [cells, source], links, recordings=[pt.Record(cells, ["spikes", "v", "isyn_slow"])]
    )
    ours = pt.run(net, backend, "150 ms", integrator=method)
    truth = reference(net, "150 ms", integrator=method)
    assert len(truth.spikes["cells"]) > 5
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_allclose(
        ours.traces["cells", "v"].values,
        truth.traces["cells", "v"].values,
        atol=1e-9,
        rtol=max(1e-7, printed),
    )


@pytest.mark.needs("cells.factorial", "cells.nonlinear", "record.states")
def test_factorials(backend: str) -> None:
    """x counts up by 1 in two forward Euler steps; 0! ... 5!, and their sum over the steps."""
    cell = pt.cell_type(
        "counting",
        equations="dx/dt = 1/(1 ms) : 1\n f = factorial(floor(x)) : 1\n dsum/dt = f/(1 ms) : 1",
        parameters={},
        integrator="euler",
    )
    cells = pt.Population("cells", 2, cell())
    net = pt.Network("factorials", [cells], recordings=[pt.Record(cells, ["f", "sum"])])
    r = pt.run(net, backend, "5 ms", dt="0.5 ms")
    f = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 6.0, 6.0, 24.0, 24.0, 120.0])
    np.testing.assert_array_equal(r.traces["cells", "f"].values[:, 1], f)
    np.testing.assert_array_equal(
        r.traces["cells", "sum"].values[:, 1], np.concatenate([[0.0], np.cumsum(f[:-1]) / 2])
    )
