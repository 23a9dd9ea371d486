"""The native engine's plans and generated code: pure, so nothing is compiled here."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND
from portable.backends.native.cells import Arena
from portable.backends.native.codegen import CellCode
from portable.backends.native.layout import arrange
from portable.backends.native.lower import DUE, RING, lower
from portable.library.cells import CELLS
from portable.resolve import resolve


def resolved(cell, *projections, seed=1, n=100):
    """A population of n cells that projects to itself: (receptor, weight, delay) each."""
    cells = pt.Population("cells", n, cell)
    made = [
        pt.Projection(cells, cells, pt.FixedInDegree(20), pt.StaticSynapse(weight=w, delay=d), receptor=r)
        for r, w, d in projections
    ]
    return resolve(pt.Network("net", [cells], made, recordings=[pt.Record(cells, "spikes")]), seed, 0.1)


def test_lowering_and_the_backend_load_no_compiled_code():
    code = """
import sys, portable.backends.native, portable.backends.native.codegen, portable.backends.native.tables
sys.exit(any(f"portable.backends.native.{m}" in sys.modules for m in ("kernels", "execute", "synapses", "code", "loop")))
"""  # noqa: E501
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ports_with_the_same_jump_share_a_channel():
    both = [("excitatory", 1.0, 1.0), ("inhibitory", -1.0, 1.0)]
    delta = lower(resolved(pt.IF_curr_delta, *both), RunConfig()).plan.cells[0]
    assert dict(delta.ports) == {"excitatory": 0, "inhibitory": 0}
    assert len(delta.channels) == 1
    exp = lower(resolved(pt.IF_curr_exp, *both), RunConfig()).plan.cells[0]
    assert dict(exp.ports) == {"excitatory": 0, "inhibitory": 1}


def test_a_port_that_nothing_uses_has_no_channel():
    plan = lower(resolved(pt.IF_curr_exp, ("excitatory", 1.0, 1.0)), RunConfig()).plan
    assert dict(plan.cells[0].ports) == {"excitatory": 0}


def test_a_jump_that_reads_a_state_is_handled_alone():
    cell = pt.cell_type(
        "saturating",
        equations="dx/dt = -x/tau : 1",
        parameters={"tau": "10 ms"},
        events={"in": "x += weight*(1 - x)", "twice": "x += 2*weight"},
    )
    plan = lower(resolved(cell, ("in", 0.1, 1.0), ("twice", 0.1, 2.0)), RunConfig()).plan
    assert dict(plan.cells[0].ports) == {"in": -1, "twice": 0}
    assert plan.delivery == DUE  # arrivals one by one need segments by delay
    assert plan.delays == (10, 20)


def test_a_jump_with_a_constant_part_is_handled_alone():
    cell = pt.cell_type(
        "counting",
        equations="dx/dt = -x/tau : 1",
        parameters={"tau": "10 ms", "a": 0.5},
        events={"in": "x += weight + a"},
    )
    assert lower(resolved(cell, ("in", 0.1, 1.0)), RunConfig()).plan.cells[0].ports["in"] == -1


def test_a_poisson_source_for_each_cell_becomes_a_drive():
    cells, noise = (
        pt.Population("cells", 70, pt.IF_curr_exp),
        pt.Population("noise", 70, pt.SpikeSourcePoisson(rate=100)),
    )
    for delay, drives in ((1.5, (0,)), (pt.Uniform(1, 2), ())):
        net = pt.Network(
            "net", [cells, noise], [pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse(1.0, delay))]
        )
        assert lower(resolve(net, 1, 0.1), RunConfig()).plan.drives == drives


def test_equal_weights_are_not_stored_and_compact_mode_says_what_it_rounds():
    one = lower(resolved(pt.IF_curr_exp, ("excitatory", 0.1, 1.0), ("inhibitory", -0.1, 1.0)), RunConfig())
    assert one.plan.weights == ""
    assert [k.weight for k in one.plan.kinds] == [100.0, -100.0]
    drawn = ("excitatory", pt.Uniform(0, 1), 1.0)
    for compact in (False, True):  # float32 holds drawn weights, and 0.5 nA, without loss
        lowered = lower(
            resolved(pt.IF_curr_exp, drawn, ("inhibitory", -0.5, 1.0)), RunConfig(compact=compact)
        )
        assert (lowered.plan.weights, lowered.approximations) == ("float32", ())
    program = resolved(pt.IF_curr_exp, drawn, ("inhibitory", "-0.1 pA", 1.0))
    assert lower(program, RunConfig()).plan.weights == "float64"
    assert not lower(program, RunConfig()).approximations
    small = lower(program, RunConfig(compact=True))
    assert small.plan.weights == "float32"
    (note,) = small.approximations
    assert (note.got, note.largest_error) == ("float32", "relative 1.5e-08")  # 0.1 in 24 bits


def test_short_segments_go_to_ring_buffers():
    many_delays = resolved(pt.IF_curr_exp, ("excitatory", 1.0, pt.Uniform(1, 9)))
    assert lower(many_delays, RunConfig()).plan.delivery == RING
    assert lower(resolved(pt.IF_curr_exp, ("excitatory", 1.0, 1.0)), RunConfig()).plan.delivery == DUE
    assert lower(many_delays, RunConfig(options={"delivery": DUE})).plan.delivery == DUE


def test_integrators_are_described():
    def described(cell, method="auto", **options):
        return lower(
            resolved(cell, ("excitatory", 0.1, 1.0)), RunConfig(integrator=method, options=options)
        ).integrators["cells"]

    assert described(pt.IF_curr_exp) == "exact"
    assert described(pt.IF_cond_exp) == "rk4"
    assert described(pt.Izhikevich) == "euler"
    assert (
        described(pt.EIF_cond_exp_isfa_ista)
        == "rkf45 (abs 1e-06, rel 1e-06 of h*dy/dt, spikes within the step)"
    )
    assert described(pt.HH_cond_exp) == "rkf45 (abs 1e-06)"
    assert described(pt.IF_cond_exp, "rkf45") == "rkf45 (abs 0.001)"
    assert described(pt.IF_cond_exp, "rkf45", rkf45_tolerance=1e-8) == "rkf45 (abs 1e-08)"


@pytest.mark.parametrize(
    ("options", "word"), [({"rkf45_tolerance": -1}, "rkf45_tolerance"), ({"delivery": "post"}, "delivery")]
)
def test_options_without_sense_are_shortfalls(options, word):
    (found,) = BACKEND.capabilities.shortfalls(resolved(pt.IF_curr_exp), RunConfig(options=options))
    assert word in str(found)


@pytest.mark.parametrize("name", CELLS)
def test_generated_code_is_python_and_names_no_cell(name):
    """Every library cell's code compiles as Python, and the text depends on the flat form alone."""
    program = resolved(CELLS[name], ("excitatory", 0.1, 1.0))
    plan = lower(program, RunConfig()).plan
    layout, _ = arrange(plan.cells[0], program.cells[0], program.dt, True)
    source = CellCode(layout).source()
    compile(source, name, "exec")
    assert name not in source


def test_equal_parameters_are_scalars_and_others_fields():
    n = 100
    program = resolved(
        pt.IF_curr_exp(
            tau_m=pt.Array(np.linspace(10, 20, n), "ms"), v_thresh=pt.Array(np.full(n, -50.0), "mV")
        ),
        ("excitatory", 0.1, 1.0),
    )
    layout, values = arrange(lower(program, RunConfig()).plan.cells[0], program.cells[0], 0.1, False)
    assert "v_thresh" in layout.scalars
    assert "*P_0_0" in layout.fields  # the decay of v differs from cell to cell
    assert "*P_1_1" in layout.scalars  # that of the synaptic current does not
    np.testing.assert_allclose(values["*P_0_0"], np.exp(-0.1 / np.linspace(10, 20, n)), rtol=1e-15)
    assert "own_P_0_0" in CellCode(layout).source()


def test_one_text_for_all_populations_of_a_type():
    """Parameters, constants, time step and size are arguments: what is compiled depends on none of them, but
    for groups that one vector holds.
    """

    def source(cell, n, dt):
        cells = pt.Population("cells", n, cell)
        one = pt.Projection(cells, cells, pt.OneToOne(), pt.StaticSynapse(weight=0.1, delay=1.0))
        program = resolve(pt.Network("net", [cells], [one]), 1, dt)
        return CellCode(
            arrange(lower(program, RunConfig()).plan.cells[0], program.cells[0], dt, False)[0]
        ).source()

    for cell, other in (
        (pt.IF_curr_exp(v_rest=0), pt.IF_curr_exp(tau_m=7, cm=3, tau_syn_E=2, v_thresh=-40, tau_refrac=5)),
        (pt.IF_cond_exp(), pt.IF_cond_exp(cm=3, e_rev_E=-1, v_reset=-70)),
    ):
        assert source(cell, 9, 0.1) == source(other, 200, 0.05)
        assert source(cell, 1, 0.1) == source(other, 8, 0.05) != source(cell, 9, 0.1)


@pytest.mark.parametrize(("size", "texts"), [(200, 1), (2000, 4)])
def test_small_populations_share_code_and_large_ones_have_only_what_they_use(size, texts):
    """Two receptors or one in use, with and without injected current."""
    cells = [pt.Population(f"p{i}", size, pt.IF_cond_exp()) for i in range(4)]
    used = [
        (p, r) for p in cells for r in ("excitatory", "inhibitory") if r == "excitatory" or p in cells[2:]
    ]
    projections = [
        pt.Projection(p, p, pt.OneToOne(), pt.StaticSynapse(0.1, 1.0), receptor=r) for p, r in used
    ]
    net = pt.Network(
        "net", cells, projections, inputs=[pt.Injection(pt.DCSource(0.1), p) for p in cells[::2]]
    )
    arena = Arena(lower(resolve(net, 1, 0.1), RunConfig()).plan, 1)
    assert len({CellCode(c.layout).source() for c in arena.cells.values()}) == texts
