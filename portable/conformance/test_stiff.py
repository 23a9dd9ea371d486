"""Time constants that are short against the step: right, or refused; never wrong in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import portable as pt
from portable.backends import registry

CASES = [
    (pt.IF_cond_exp, 0.35, 1.0),
    (pt.IF_cond_exp, 0.5, 1.0),
    (pt.IF_cond_exp, 0.04, 0.1),
    (pt.IF_cond_alpha, 0.04, 0.1),
    (pt.IF_cond_alpha, 0.3, 1.0),
]


CONDUCTANCE = pytest.mark.needs(
    "cells.nonlinear", "receptors.jump", "record.states", "sources.trains", "synapses.static"
)
ADEX = pytest.mark.needs("cells.nonlinear", "inputs.current", "record.spikes", "record.states")


def one_input(kind: pt.CellType, dt: float, weight: float, **parameters: Any) -> pt.Network:
    source = pt.Population("source", 1, pt.SpikeSourceArray([dt]))
    cell = pt.Population("cell", 1, kind(v_thresh=1e6, tau_refrac=0.0, **parameters))
    up = pt.Projection(source, cell, pt.AllToAll(), pt.StaticSynapse(weight=weight, delay=dt))
    return pt.Network("one input", [source, cell], [up], recordings=[pt.Record(cell, "v")])


def lacks(backend: str, method: str) -> bool:
    return method not in registry.get(backend).capabilities.integrators


@pytest.mark.parametrize(("kind", "tau", "dt"), CASES, ids=[f"{k.name}-{t}-{d}" for k, t, d in CASES])
@CONDUCTANCE
def test_short_conductances(backend: str, kind: pt.CellType, tau: float, dt: float) -> None:
    """The potential after one arrival, against solve_ivp at 1e-10."""
    weight = 0.01 * min(1.0, 1.0 / dt)
    trace = pt.run(one_input(kind, dt, weight, tau_syn_E=tau), backend, 20 * dt, dt=dt).traces["cell", "v"]
    alpha = kind is pt.IF_cond_alpha

    def slope(t: float, y: list[float]) -> list[float]:
        g = weight * (np.e * t / tau if alpha else 1.0) * np.exp(-t / tau)
        return [(-65.0 - y[0]) / 20.0 + g * (0.0 - y[0]) / 1.0]

    times = trace.times - 2 * dt  # sent at dt, a delay of dt
    later = times > 0
    exact = solve_ivp(slope, (0, times[-1]), [-65.0], t_eval=times[later], rtol=1e-10, atol=1e-12).y[0]
    # Simpson's rule in substeps of tau/2 at most: 2e-5 of the potential's jump for an exponential, ten times
    # that for an alpha function; NEST's own models integrate to 1e-3 mV.
    np.testing.assert_allclose(
        trace.values[later, 0], exact, atol=2e-4 * np.abs(exact + 65.0).max() + 5e-5, rtol=0
    )


@pytest.mark.parametrize("kind", [pt.IF_curr_exp, pt.IF_curr_alpha], ids=["exp", "alpha"])
@pytest.mark.parametrize("tau", [1.5e-4, 1.3e-4])
@pytest.mark.needs("cells.linear", "receptors.jump", "record.states", "sources.trains", "synapses.static")
def test_very_short_currents(backend: str, kind: pt.CellType, tau: float) -> None:
    """dt/tau of 700 and more, where exp(dt/tau) is no number: the charge arrives within a step."""
    trace = pt.run(one_input(kind, 0.1, 1.0, tau_syn_E=tau), backend, "5 ms").traces["cell", "v"]
    charge = tau * (np.e if kind is pt.IF_curr_alpha else 1.0)  # nA ms, and 1 nF
    later = trace.times > 0.25
    exact = -65.0 + charge * np.exp(-(trace.times[later] - 0.2) / 20.0)
    # what remains of tau against tau_m: 2 tau/tau_m = 1.5e-5; rounding of 65 mV: 1e-14
    np.testing.assert_allclose(trace.values[later, 0], exact, rtol=0, atol=3e-5 * charge + 1e-12)


def adex(delta_t: float, current: str) -> pt.Network:
    cell = pt.EIF_cond_exp_isfa_ista(
        cm="281 pF", tau_m=281 / 30, v_spike=0.0, v_reset=-60.0, v_rest=-70.6, a="4 nS", b="80.5 pA",
        delta_T=delta_t, tau_w=144.0, v_thresh=-50.4,
    )  # fmt: skip
    cells = pt.Population("cells", 1, cell)
    return pt.Network(
        "adex",
        [cells],
        inputs=[pt.Injection(pt.DCSource(current), cells)],
        recordings=[pt.Record(cells, ["spikes", "v", "w"])],
    )


def linear(current: float, times: np.ndarray) -> np.ndarray:
    """(v - v_rest, w) of the cell without its exponential, at `times` in ms; pA, pF, nS."""
    a = np.array([[-30 / 281, -1 / 281], [4 / 144, -1 / 144]])
    end = np.linalg.solve(a, [-current / 281, 0.0])
    return np.array([end - expm(a * t) @ end for t in times])


@ADEX
def test_adex_without_its_exponential(backend: str) -> None:
    """delta_T = 0 below the threshold is a linear cell."""
    traces = pt.run(adex(0.0, "500 pA"), backend, "50 ms").traces
    exact = linear(500.0, traces["cells", "v"].times)
    # the fifth order's own error in steps of 0.1 ms: (0.1/9.4)^6/720 a step
    np.testing.assert_allclose(traces["cells", "v"].values[:, 0], exact[:, 0] - 70.6, atol=1e-9)
    np.testing.assert_allclose(traces["cells", "w"].values[:, 0], exact[:, 1], atol=1e-9)


@pytest.mark.parametrize("delta_t", [0.05, 0.001])
@ADEX
def test_adex_with_a_steep_exponential(backend: str, delta_t: float) -> None:
    """The first spike comes when the cell without its exponential reaches the threshold, and v and w stay
    finite.
    """
    results = pt.run(adex(delta_t, "1000 pA"), backend, "40 ms")
    times = np.arange(0.0, 20.0, 0.01)
    crossing = times[np.argmax(linear(1000.0, times)[:, 0] >= 20.2)]
    # v rises by 1.1 mV/ms there: the exponential takes over ln(206) = 5.3 delta_T further at most, and adds a
    # little before; and spikes are on the grid of 0.1 ms
    first = results.spikes["cells"].times[0]
    assert crossing - 2 * delta_t - 0.11 <= first <= crossing + 6 * delta_t + 0.11
    assert len(results.spikes["cells"]) == 4
    v, w = (results.traces["cells", s].values for s in ("v", "w"))
    assert v.max() <= 0.0
    assert v.min() == -70.6
    assert 0.0 <= w.max() < 500.0


EXPLODES = pt.cell_type(
    "explodes",
    equations="dv/dt = -v*(300 + u)/(1 ms) : mV\ndu/dt = -u*u/(1 ms) : 1",
    parameters={},
    initial={"v": "1 mV", "u": "1"},
)


@pytest.mark.parametrize("method", ["rk4", "euler"])
@pytest.mark.needs("cells.nonlinear", "record.states")
def test_a_finite_explosion_is_told(backend: str, method: str) -> None:
    """At dt times the rate = 30 each step multiplies v; 1e17 mV is no result, though it is a number."""
    cells = pt.Population("cells", 3, EXPLODES())
    net = pt.Network("explodes", [cells], recordings=[pt.Record(cells, "v")])
    if registry.get(backend).capabilities.fidelity != "exact":
        pytest.skip("steps of its own may stay finite")
    with pytest.raises(pt.BackendFailed, match=r"'cells'.* v of cell 0 is .*use a smaller dt or integrator="):
        pt.run(net, backend, "1.2 ms", integrator=method)
    good = pt.run(net, "native", "1.2 ms", integrator="exponential_euler").traces["cells", "v"].values
    assert np.abs(good[1:]).max() < 1e-10  # exp(-30)


def test_too_many_substeps_are_refused(backend: str) -> None:
    net = one_input(pt.IF_cond_exp, 0.1, 0.01, tau_syn_E=1e-5)
    found = [s for s in pt.check(net, backend, integrator="rk4") if s.feature == "integrators.rk4"]
    assert len(found) == 1
    if not lacks(backend, "rk4"):
        assert "shortest time constant, 1e-05 ms" in found[0].reason
