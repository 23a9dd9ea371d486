"""Known deviations do what they say: to the program, and to a cell whose spikes have a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import balanced

import portable as pt
from portable.errors import ModelError
from portable.resolve import resolve
from portable.resolve.program import CellGroup, Program
from portable.validation.compare import run_program
from portable.validation.deviations import DEVIATIONS, INJECTED, PERTURBATION, deviate


def driven() -> pt.Network:
    """One leaky cell with 1 nA from the start: regular spikes."""
    cell = pt.Population(
        "cell",
        1,
        pt.IF_curr_exp(
            tau_m="20 ms", cm="1 nF", v_rest="-65 mV", v_reset="-65 mV", v_thresh="-50 mV", tau_refrac="2 ms"
        ),
        initial={"v": "-65 mV"},
    )
    return pt.Network(
        "driven",
        [cell],
        inputs=[pt.Injection(pt.DCSource("1 nA"), cell)],
        recordings=[pt.Record(cell, "spikes")],
    )


def intervals(program: Program, integrator: str = "auto") -> np.ndarray:
    found = run_program(driven(), program, "native", 2000, 1, integrator, None)
    return np.unique(np.diff(found.spikes["cell"].steps))


def test_regular_spikes_move_as_the_closed_form_says() -> None:
    """ISI = t_ref + tau ln(R I/(R I - theta)) with R I = 20 mV and theta = 15 mV: 2 + 20 ln 4 = 29.73 ms, 298
    steps on the grid.
    """
    program = resolve(driven(), 1, 0.1)
    steps = 20 + int(np.ceil(round(200 * np.log(20 / 5), 9)))
    assert intervals(program) == [steps]
    assert intervals(deviate(program, "refractory")) == [steps + 1]
    assert intervals(deviate(program, "refractory", 5.0)) == [steps + 5]
    raised = 20 + int(np.ceil(round(200 * np.log(20 / (20 - 15.1)), 9)))
    assert intervals(deviate(program, "threshold")) == [raised]
    # forward Euler: (1 - dt/tau)^n = 1/4
    assert intervals(deviate(program, "euler"), DEVIATIONS["euler"].integrator) == [
        20 + int(np.ceil(np.log(0.25) / np.log(1 - 0.1 / 20)))
    ]


def test_connections_and_start() -> None:
    program = resolve(balanced(), 1, 0.1)
    later, heavier, moved = (
        deviate(program, n, s) for n, s in (("delay", 2.0), ("weight", 3.0), ("start", 1.0))
    )
    for a, b, c in zip(program.connections, later.connections, heavier.connections, strict=True):
        assert np.array_equal(np.asarray(a.delays, dtype=np.int64) + 2, np.asarray(b.delays, dtype=np.int64))
        np.testing.assert_allclose(
            np.asarray(c.weights), 1.03 * np.asarray(a.weights), rtol=1e-15
        )  # the same product, in other order
    for a, b in zip(program.cells, moved.cells, strict=True):
        np.testing.assert_allclose(b.initial["v"], a.initial["v"] * (1 + PERTURBATION), rtol=0, atol=0)
    assert not np.array_equal(program.cells[0].initial["v"], moved.cells[0].initial["v"])


def test_delays_of_one_byte_do_not_overflow() -> None:
    a = pt.Population("a", 2, pt.IF_curr_exp())
    net = pt.Network(
        "far",
        [a],
        [pt.Projection(a, a, pt.AllToAll(), pt.StaticSynapse("1 pA", pt.Array([25.5] * 4, "ms")))],
        recordings=[pt.Record(a, "spikes")],
    )
    program = resolve(net, 1, 0.1)
    assert np.asarray(deviate(program, "delay", 1.0).connections[0].delays).max() == 256


def test_the_soft_threshold_of_exponential_cells_is_the_one_that_moves() -> None:
    cell = pt.Population("cell", 1, pt.EIF_cond_exp_isfa_ista())
    program = resolve(pt.Network("adex", [cell], recordings=[pt.Record(cell, "spikes")]), 1, 0.1)
    group, moved = program.cells[0], deviate(program, "threshold").cells[0]
    assert moved.parameters["v_thresh"] == pytest.approx(group.parameters["v_thresh"] + 0.1, abs=1e-12)
    assert moved.parameters["v_spike"] == group.parameters["v_spike"]


def test_a_threshold_that_is_no_parameter_moves_too() -> None:
    kind = pt.cell_type(
        "Plain",
        equations="dv/dt = (v_rest - v)/tau + i_ext/cm : mV",
        threshold="v >= -50 mV",
        reset="v = v_rest",
        parameters={"v_rest": "-65 mV", "tau": "20 ms", "cm": "1 nF"},
        initial={"v": "v_rest"},
    )
    cell = pt.Population("cell", 1, kind())
    net = pt.Network(
        "plain",
        [cell],
        inputs=[pt.Injection(pt.DCSource("1 nA"), cell)],
        recordings=[pt.Record(cell, "spikes")],
    )
    program = resolve(net, 1, 0.1)
    before, after = (
        run_program(net, p, "native", 2000, 1, "auto", None).spikes["cell"].steps[0]
        for p in (program, deviate(program, "threshold"))
    )
    assert (before, after) == (
        int(np.ceil(round(200 * np.log(4), 9))),
        int(np.ceil(round(200 * np.log(20 / 4.9), 9))),
    )


def test_nothing_to_deviate_in_is_told() -> None:
    cell = pt.Population("cell", 1, pt.Izhikevich())
    program = resolve(pt.Network("one", [cell], recordings=[pt.Record(cell, "spikes")]), 1, 0.1)
    assert isinstance(program.cells[0], CellGroup)
    for name in (
        "delay",
        "weight",
        "euler",
        "refractory",
    ):  # no connections, forward Euler already, no refractory period
        assert DEVIATIONS[name].apply(program, 1.0) is None
        with pytest.raises(ModelError, match="nothing that it could change"):
            deviate(program, name)
    with pytest.raises(ModelError, match="did you mean 'delay'"):
        deviate(program, "delays")
    assert "start" not in INJECTED
