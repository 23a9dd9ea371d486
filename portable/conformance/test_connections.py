"""What connections carry means the same on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns

# Functions of the weight that float32 would round.
CURVED = pt.cell_type(
    "curved",
    equations="dx/dt = -x/tau : 1",
    events={"in": "x += weight*weight + exp(-weight)"},
    parameters={"tau": "10 ms"},
)


@pytest.mark.needs("cells.linear", "receptors.general", "record.states", "sources.trains", "synapses.static")
def test_drawn_weights_act_with_all_their_digits(
    backend: str, reference: ReferenceRuns, method: str, printed: float
) -> None:
    """Drawn weights are kept in float32, which holds them; what is worked out from them is not rounded to
    it. 1e-12: some tens of operations in float64; float32 would be off by 1e-7.
    """
    source = pt.Population("source", 8, pt.SpikeSourceArray([1.0, 2.5]))
    cells = pt.Population("cells", 8, CURVED())
    synapse = pt.StaticSynapse(pt.Uniform(0.1, 0.9), pt.Uniform(0.1, 1.0))
    net = pt.Network(
        "weights",
        [source, cells],
        [pt.Projection(source, cells, pt.OneToOne(), synapse, receptor="in")],
        recordings=[pt.Record(cells, "x")],
    )
    found = pt.run(net, backend, "4 ms", integrator=method).traces["cells", "x"].values
    expected = reference(net, "4 ms", integrator=method).traces["cells", "x"].values
    assert expected.max() > 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-12 + printed, atol=0)
