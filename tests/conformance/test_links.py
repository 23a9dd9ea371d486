"""Continuous coupling between cells: gap junctions, synapses with a state for each connection, on every backend that has links."""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt

PASSIVE = pt.cell_type(
    "passive", equations="dv/dt = (g_leak*(E - v) + i_gap)/C : mV", parameters={"g_leak": "5 nS", "E": "-65 mV", "C": "100 pF"}, inputs={"i_gap": "nA"}, positive=("C",)
)
# One element for each side of a junction: the current into the cell where it is "post".
JUNCTION = pt.cell_type("junction", equations="i = g*(v_pre - v_post) : nA", parameters={"g": "2 nS"}, inputs={"v_pre": "mV", "v_post": "mV"})


def junctions(cells: pt.Population, a: np.ndarray, b: np.ndarray, g: object = "2 nS") -> tuple[pt.Population, list[pt.Link]]:
    """Gap junctions between cells a[i] and b[i]: an element for each direction."""
    pre, post = np.concatenate([a, b]), np.concatenate([b, a])
    edges = pt.Population("edges", pre.size, JUNCTION(g=g))
    return edges, [pt.Link(edges, "i", cells, "i_gap", post=post), pt.Link(cells, "v", edges, "v_pre", pre=pre), pt.Link(cells, "v", edges, "v_post", pre=post)]


def two_cells(backend: str, dt: float, integrator: str) -> float:
    """Largest difference in mV from the closed form over 40 ms: the mean of v - E decays with tau, the difference with tau/(1 + 2 g/g_leak)."""
    cells = pt.Population("cells", 2, PASSIVE(), initial={"v": [-45.0, -60.0]})
    edges, links = junctions(cells, np.array([0]), np.array([1]))
    net = pt.Network("gap", [cells, edges], recordings=[pt.Record(cells, "v")], links=links)
    trace = pt.run(net, backend, "40 ms", dt=dt, integrator=integrator).traces["cells", "v"]
    tau, t = 20.0, trace.times
    mean, half = 12.5 * np.exp(-t / tau), 7.5 * np.exp(-t * (1 + 2 * 2 / 5) / tau)
    exact = -65.0 + np.stack([mean + half, mean - half], axis=1)
    return float(np.abs(trace.values - exact).max())


@pytest.mark.parametrize("integrator", ["auto", "euler", "rkf45"])
def test_a_gap_junction_against_the_closed_form(backend: str, integrator: str) -> None:
    """Inputs are constant over a step, so whatever the integrator of the cells the error is of order dt: it halves with dt."""
    coarse, fine = two_cells(backend, 0.2, integrator), two_cells(backend, 0.1, integrator)
    # first order: dt/2 times the largest |second derivative| of v over the time constant that it is felt for, about dt/tau * 3 mV
    assert 0.001 < fine < 0.04
    assert coarse / fine == pytest.approx(2.0, abs=0.03)
