"""One room chooses the method (portable.dynamics.methods): the same spikes on every backend that has it, and
errors that fall with dt as the method's order says.
"""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt

EIF = pytest.mark.needs(
    "cells.nonlinear", "cells.heterogeneous", "inputs.current", "record.spikes", "record.states"
)

# An exponential integrate-and-fire cell of one's own: v runs away within a step.
_EQUATIONS = """
    dv/dt = (-(v + 65 mV) + 2 mV*exp((min(v, 0 mV) + 50 mV)/(2 mV)) + r*(i_syn + i_ext) - z)/tau : mV{held}
    dz/dt = -z/(30 ms) : mV
"""


def eif(refractory: bool, integrator: str = "") -> pt.CellType:
    return pt.cell_type(
        f"eif_{'refractory' if refractory else 'free'}",
        equations=_EQUATIONS.format(held=" (held)" if refractory else ""),
        threshold="v >= -30 mV",
        reset="v = -65 mV; z += 1 mV",
        refractory="2 ms" if refractory else "",
        parameters={"tau": "10 ms", "r": "100 Mohm"},
        initial={"v": "-65 mV"},
        receptors={"excitatory": pt.CurrExp},
        integrator=integrator,
    )


REFRACTORY = [
    pytest.param(False, id="free"),
    pytest.param(True, id="refractory", marks=pytest.mark.needs("cells.refractory")),
]


def driven(cell: pt.CellType) -> pt.Network:
    cells = pt.Population("cells", 8, cell())
    return pt.Network(
        "driven",
        [cells],
        inputs=[pt.Injection(pt.DCSource(np.linspace(0.2, 0.9, 8)), cells)],
        recordings=[pt.Record(cells, "spikes"), pt.Record(cells, "v", interval=1.0)],
    )


@pytest.mark.parametrize("refractory", REFRACTORY)
@pytest.mark.parametrize("method", ["rkf45", "rk4", "exponential_euler"])
@EIF
def test_asked_for(backend: str, method: str, refractory: bool) -> None:
    net = driven(eif(refractory))
    ours, truth = (pt.run(net, b, "60 ms", integrator=method) for b in (backend, "reference"))
    assert len(truth.spikes["cells"]) > 30
    assert ours.provenance["integrators"] == truth.provenance["integrators"]
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_array_equal(ours.spikes["cells"].ids, truth.spikes["cells"].ids)


@pytest.mark.parametrize("refractory", REFRACTORY)
@EIF
def test_defined_by_rkf45(backend: str, refractory: bool) -> None:
    """A type of one's own that is defined by rkf45, tested within the step at the tighter tolerance."""
    net = driven(eif(refractory, "rkf45"))
    ours, truth = (pt.run(net, b, "60 ms") for b in (backend, "reference"))
    assert truth.provenance["integrators"] == {
        "cells": "rkf45 (abs 1e-06, rel 1e-06 of h*dy/dt, spikes within the step)"
    }
    assert ours.provenance["integrators"] == truth.provenance["integrators"]
    np.testing.assert_array_equal(ours.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_array_equal(ours.spikes["cells"].ids, truth.spikes["cells"].ids)


# Not linear, smooth; x is not affine in itself, y is, g obeys a linear equation by itself.
_SMOOTH = pt.cell_type(
    "smooth",
    equations="dx/dt = (g - x*x)/(1 ms) : 1\ndy/dt = -(x*y)/(1 ms) : 1\ndg/dt = -g/(1 ms) : 1",
    parameters={},
    initial={"x": "0.5", "y": "1", "g": "2"},
)
ORDERS = {"euler": 1, "exponential_euler": 1, "rk4": 4}


@pytest.mark.parametrize("method", [*ORDERS, "rkf45"])
@pytest.mark.needs("cells.nonlinear", "record.states")
def test_order_of_convergence(backend: str, method: str) -> None:
    """The error after 2 ms against steps of half the size: log2 of the ratio of two such differences is the
    order. By rkf45 the error does not depend on dt, it is below its tolerance.
    """
    cells = pt.Population("cells", 1, _SMOOTH())
    net = pt.Network("smooth", [cells], recordings=[pt.Record(cells, ["x", "y"], interval=0.4)])
    at = {}
    for dt in (0.1, 0.05, 0.025):
        traces = pt.run(net, backend, "2 ms", dt=dt, integrator=method).traces
        at[dt] = np.concatenate([traces["cells", s].values[-1] for s in ("x", "y")])
    coarse, fine = (np.abs(at[a] - at[b]).max() for a, b in ((0.1, 0.05), (0.05, 0.025)))
    if method == "rkf45":
        assert coarse < 5e-3  # 20 steps of dt or less, each far below its 1e-3
        return
    # within 0.25 of the order: the next term of the error is a tenth of the leading one at dt 0.1, or less
    assert np.log2(coarse / fine) == pytest.approx(ORDERS[method], abs=0.25)
