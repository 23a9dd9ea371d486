"""Every standard cell on every backend: the same input, the same spikes and traces as the reference
backend.
"""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns

pytestmark = pytest.mark.needs(
    "cells.heterogeneous",
    "inputs.current",
    "receptors.jump",
    "record.spikes",
    "record.states",
    "sources.trains",
    "synapses.static",
)


JUMP = ("IF_curr_delta", "Izhikevich")
WEIGHT = {
    "IF_curr_exp": 0.4,
    "IF_curr_alpha": 0.4,
    "IF_curr_delta": 2.0,
    "Izhikevich": 2.0,
}  # others: conductances, uS
DRIVE = {"Izhikevich": 0.006, "HH_cond_exp": 0.4, "EIF_cond_exp_isfa_ista": 0.6}  # nA; others 0.8
# the reference takes its time for cells that are not linear; others 200 ms
DURATION = {"HH_cond_exp": "50 ms", "EIF_cond_exp_isfa_ista": "100 ms"}
NAMES = (
    "IF_curr_exp",
    "IF_curr_alpha",
    "IF_curr_delta",
    "IF_cond_exp",
    "IF_cond_alpha",
    "EIF_cond_exp_isfa_ista",
    "Izhikevich",
    "HH_cond_exp",
)


def network(name: str) -> pt.Network:
    """Ten cells of different initial v with a step current, excitatory and inhibitory spikes of several
    weights and delays.
    """
    cell = getattr(pt, name)()
    cells = pt.Population("cells", 10, cell, initial={"v": np.linspace(-70, -60, 10)})
    times = np.arange(1, 40) * 5.0
    source = pt.Population("source", 3, pt.SpikeSourceArray([times, times[::2] + 0.3, times[1::3] + 1.1]))
    w = WEIGHT.get(name, 0.02)
    sign = -1.0 if name in WEIGHT else 1.0
    synapse = pt.StaticSynapse(weight=np.linspace(0.5 * w, w, 30), delay=np.tile([0.1, 1.0, 2.5], 10))
    return pt.Network(
        f"single_{name}",
        [cells, source],
        [
            pt.Projection(source, cells, pt.AllToAll(), synapse, "excitatory"),
            pt.Projection(
                source[:1], cells, pt.AllToAll(), pt.StaticSynapse(sign * w * 0.6, 0.7), "inhibitory"
            ),
        ],
        [pt.Injection(pt.DCSource(DRIVE.get(name, 0.8), start=20.0, stop=180.0), cells)],
        [pt.Record([cells], ["spikes", "v"])],
    )


LINEAR = ("IF_curr_exp", "IF_curr_alpha", "IF_curr_delta")


def features(name: str) -> list[str]:
    """What a cell has besides what the whole network has."""
    found = ["cells.linear" if name in LINEAR else "cells.nonlinear"]
    found += ["cells.conditions"] if name == "HH_cond_exp" else []
    return found if name in ("HH_cond_exp", "Izhikevich") else [*found, "cells.refractory"]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.needs(*features(n))) for n in NAMES])
def test_cell(backend: str, name: str, method: str, printed: float, reference: ReferenceRuns) -> None:
    net = network(name)
    duration = DURATION.get(name, "200 ms")
    ours = pt.run(net, backend, duration, seed=3, integrator=method)
    truth = reference(net, duration, seed=3, integrator=method)
    assert len(truth.spikes["cells"]) > 10
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_array_equal(ours.spikes["cells"].ids, truth.spikes["cells"].ids)
    a, b = ours.traces["cells", "v"], truth.traces["cells", "v"]
    np.testing.assert_array_equal(a.steps, b.steps)
    # The same method in the same order of operations leaves rounding: 1e-9 mV is 1e6 ulp of 60 mV. Where a
    # backend has only its own adaptive method, the two differ by their tolerances; spikes still agree in this
    # short test.
    np.testing.assert_allclose(
        a.values, b.values, atol=1e-9 if method == "euler" or _same_method(ours, truth) else 0.5, rtol=printed
    )


def _same_method(a: pt.Results, b: pt.Results) -> bool:
    exact = {"exact", "euler", "rk4"}
    mine, other = set(a.provenance["integrators"].values()), set(b.provenance["integrators"].values())
    return mine == other and mine <= exact
