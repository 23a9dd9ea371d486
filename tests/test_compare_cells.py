"""Single cells with a fixed input: the closed forms, and the table that compares backends on them."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import portable as pt
from portable.backends import registry
from portable.validation.closed_form import lif_with_current, psp_alpha, psp_exponential
from portable.validation.single_cell import single_cell

CM, TAU, TAU_SYN = 200.0, 20.0, 5.0  # pF, ms, ms
LIF = {"rest": -65.0, "reset": -68.0, "threshold": -50.0, "tau": TAU, "capacitance": CM, "refractory": 20}
CELL = {
    "cm": "200 pF",
    "tau_m": 20.0,
    "v_rest": -65.0,
    "v_reset": -68.0,
    "v_thresh": -50.0,
    "tau_refrac": 2.0,
}


@pytest.mark.parametrize(
    ("psp", "current"),
    [
        (psp_exponential, lambda t: 100.0 * np.exp(-t / TAU_SYN)),
        (psp_alpha, lambda t: 100.0 * np.e * t / TAU_SYN * np.exp(-t / TAU_SYN)),
    ],
)
def test_the_closed_forms_solve_the_equation(psp, current):
    """Against scipy's integrator at a relative tolerance of 1e-10 (100 times looser here, for the steps'
    sum).
    """
    t = np.linspace(0.0, 100.0, 201)
    solved = solve_ivp(
        lambda t, v: -v / TAU + current(t) / CM, (0, 100), [0.0], t_eval=t, rtol=1e-10, atol=1e-12
    ).y[0]
    assert psp(t, 100.0, TAU_SYN, TAU, CM) == pytest.approx(solved, rel=1e-8, abs=1e-8)
    assert np.all(psp(np.array([-5.0, -0.1]), 100.0, TAU_SYN, TAU, CM) == 0.0)


def test_lif_with_current_by_hand():
    """250 pA over 200 pF and 20 ms lift v_inf to -40: from -65 the threshold is met after 20 ln(25/10) =
    18.326 ms, so stamped at 18.4; from -68, 2 ms later, after 20 ln(28/10) = 20.592 ms, so every 2.0 + 20.6
    ms from there."""
    v, spikes = lif_with_current(1000, 0.1, 100, 250.0, **LIF)
    assert list(spikes) == [100 + 184, 100 + 184 + 226, 100 + 184 + 2 * 226, 100 + 184 + 3 * 226]
    assert np.all(v[:101] == -65.0)
    assert np.all(v[284:305] == -68.0)  # the stamp and 20 steps
    assert v[305] > -68.0
    assert lif_with_current(500, 0.1, 0, 100.0, **LIF)[1].size == 0


def test_a_cell_meets_its_closed_form():
    """Reference: v to 1e-10 mV (rounding of 3000 steps at 65 mV is some 1e-12), spikes exactly."""
    found = single_cell(pt.IF_curr_exp(**CELL), ["reference"], current="250 pA", duration="300 ms").results[
        "reference"
    ]
    v, spikes = lif_with_current(3000, 0.1, 200, 250.0, **LIF)
    assert np.array_equal(found.spikes["cell"].steps, spikes)
    assert found.traces["cell", "v"].values[:, 0] == pytest.approx(v, abs=1e-10)


def test_each_backend_is_compared_with_the_first_and_failures_are_kept(monkeypatch):
    from test_compare import Other

    get = registry.get
    monkeypatch.setattr(
        registry, "get", lambda name: Other(name) if name in ("late", "absent") else get(name)
    )
    found = single_cell(
        pt.IF_curr_exp(**CELL), ["reference", "late", "absent"], current="250 pA", duration="100 ms"
    )
    assert list(found.results) == ["reference", "late"]
    assert found.pairs["late"].spike_time_difference == pytest.approx(0.1)
    assert "not installed" in found.failures["absent"]
    assert found.name == "IF_curr_exp"
