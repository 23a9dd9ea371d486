"""The NEST backend: what is lowered to what (no NEST needed), and that it runs as a hand-written PyNEST
script does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.nest import BACKEND, builtin, codegen, compiled, generated
from portable.backends.nest.nestml import Text
from portable.backends.nest.plan import Nestml, Plan, summary
from portable.dynamics.methods import choose
from portable.resolve.network import resolve
from portable.resolve.program import CellGroup, PoissonGroup, Program

needs_nest = pytest.mark.skipif(BACKEND.version() is None, reason="NEST is not installed")


def network(
    cell: pt.Cell, excitatory: float = 0.1, inhibitory: float = -0.2, n: int = 20, **initial: Any
) -> pt.Network:
    """Recurrent cells, one private Poisson source each, and a few shared ones; weights in nA or uS."""
    cells = pt.Population("cells", n, cell, initial=initial)
    noise = pt.Population("noise", n, pt.SpikeSourcePoisson(rate=2000.0))
    few = pt.Population("few", 3, pt.SpikeSourceArray([[1.0, 1.0, 5.0], [2.0], []]))
    return pt.Network(
        "net",
        [cells, noise, few],
        [
            pt.Projection(
                cells,
                cells,
                pt.FixedInDegree(4),
                pt.StaticSynapse(excitatory, pt.Uniform(0.5, 3.0)),
                "excitatory",
            ),
            pt.Projection(cells, cells, pt.FixedInDegree(2), pt.StaticSynapse(inhibitory, 1.5), "inhibitory"),
            pt.Projection(
                noise, cells, pt.OneToOne(), pt.StaticSynapse(abs(excitatory) / 2, 1.0), "excitatory"
            ),
            pt.Projection(few, cells, pt.AllToAll(), pt.StaticSynapse(abs(excitatory), 0.2), "excitatory"),
        ],
        recordings=[pt.Record(cells, "spikes"), pt.Record(cells[:4], "v", interval=0.3)],
    )


def program(net: pt.Network, seed: int = 3) -> Program:
    return resolve(net, seed, 0.1)


def plan(net: pt.Network, **config: Any) -> Plan:
    found: Plan = BACKEND.lower(program(net), RunConfig(**config)).plan
    return found


# -- lowering: no NEST


def test_lowering_imports_no_simulator() -> None:
    code = (
        "import sys, portable as pt\nfrom portable.resolve.network import resolve\nfrom "
        "portable.backends.nest import BACKEND\n"
        "from portable.backends.contract import RunConfig\n"
        "net = pt.Network('n', [pt.Population('c', 2, pt.HH_cond_exp())])\np = resolve(net, 1, 0.1)\n"
        "BACKEND.check(p, RunConfig()); BACKEND.lower(p, RunConfig()); BACKEND.version()\nprint([m for m in "
        "('nest', 'pynestml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_golden_plan() -> None:
    found = summary(plan(network(pt.IF_curr_exp(tau_refrac=2.0), v=-60.0), threads=2))
    golden = {
        "kernel": {"resolution": 0.1, "tics_per_ms": 1000, "local_num_threads": 2, "rng_seed": 4},
        "cells": [
            {
                "name": "cells",
                "n": 20,
                "model": "iaf_psc_exp",
                "set": {
                    "E_L": -65.0,
                    "C_m": 1000.0,
                    "V_th": -50.0,
                    "V_reset": -65.0,
                    "I_e": 0.0,
                    "tau_m": 20.0,
                    "t_ref": 2.0,
                    "tau_syn_ex": 5.0,
                    "tau_syn_in": 5.0,
                    "V_m": -60.0,
                },
                "ports": {"excitatory": [1.0, 0], "inhibitory": [1.0, 0]},
                "nestml": None,
            }
        ],
        "sources": [{"name": "noise", "n": 20, "how": "frozen"}, {"name": "few", "n": 3, "how": "trains"}],
        "currents": [],
        "placement": {"cells": [1, 20], "noise": [21, 20], "few": [41, 3]},
        "spikes": {"cells": 20},
        "traces": [{"group": "cells", "variable": "v", "n": 4, "every": 3}],
        "inputs": {"noise": "frozen", "few": "given"},
    }
    edges = found.pop("edges")
    assert json.loads(json.dumps(found)) == golden
    assert [(e["n"], e["factor"], e["receptor"]) for e in edges] == [
        (80, 1.0, 0),
        (40, 1.0, 0),
        (20, 1.0, 0),
        (60, 1.0, 0),
    ]


# Every built-in: a cell in PyNN's units, and what NEST must be told, in NEST's (mV, pF, nS, pA, ms).
UNITS = [
    (
        pt.IF_curr_exp(cm=0.25, tau_m=10.0, i_offset=0.5, tau_syn_E=2.0, tau_syn_I=3.0, v_thresh=-55.0),
        "iaf_psc_exp",
        {
            "C_m": 250.0,
            "tau_m": 10.0,
            "I_e": 500.0,
            "tau_syn_ex": 2.0,
            "tau_syn_in": 3.0,
            "V_th": -55.0,
            "E_L": -65.0,
            "V_reset": -65.0,
            "t_ref": 0.1,
        },
    ),
    (
        pt.IF_curr_alpha(cm=0.25, tau_syn_E=2.0),
        "iaf_psc_alpha",
        {"C_m": 250.0, "tau_syn_ex": 2.0, "tau_syn_in": 0.5},
    ),
    (
        pt.IF_curr_delta(cm=0.25, tau_m=10.0),
        "iaf_psc_delta",
        {"C_m": 250.0, "tau_m": 10.0, "refractory_input": False},
    ),
    (
        pt.IF_cond_exp(cm=0.2, tau_m=20.0, e_rev_E=5.0),
        "iaf_cond_exp",
        {"C_m": 200.0, "g_L": 10.0, "E_ex": 5.0, "E_in": -70.0, "tau_syn_ex": 5.0},
    ),
    (
        pt.IF_cond_alpha(cm=0.2, tau_m=20.0),
        "iaf_cond_alpha",
        {"C_m": 200.0, "g_L": 10.0, "tau_syn_ex": 0.3, "tau_syn_in": 0.5},
    ),
    (
        pt.EIF_cond_exp_isfa_ista(cm=0.3, tau_m=10.0),
        "aeif_cond_exp",
        {
            "C_m": 300.0,
            "g_L": 30.0,
            "a": 4.0,
            "b": 80.5,
            "Delta_T": 2.0,
            "tau_w": 144.0,
            "V_peak": -40.0,
            "V_th": -50.4,
            "E_in": -80.0,
            "gsl_error_tol": 1e-6,
        },
    ),
    (
        pt.Izhikevich(i_offset=0.004),
        "izhikevich",
        {
            "a": 0.02,
            "b": 0.2,
            "c": -65.0,
            "d": 8.0,
            "V_th": 30.0,
            "I_e": 4.0,
            "consistent_integration": True,
            "U_m": -13.0,
        },
    ),
]


@pytest.mark.parametrize(("cell", "model", "expected"), UNITS, ids=[m for _, m, _ in UNITS])
def test_units(cell: pt.Cell, model: str, expected: dict[str, Any]) -> None:
    made = plan(pt.Network("n", [pt.Population("c", 3, cell)])).cells[0]
    assert made.model == model
    assert {k: made.scalars[k] for k in expected} == pytest.approx(expected, rel=1e-15)


def model_of(net: pt.Network, **config: Any) -> str:
    cells = plan(net, **config).cells[0]
    return "nestml" if cells.nestml else cells.model


def test_a_weight_of_the_wrong_sign_takes_the_multisynapse_model() -> None:
    cell = pt.IF_curr_exp(tau_syn_I=9.0)
    assert model_of(network(cell)) == "iaf_psc_exp"
    made = plan(network(cell, inhibitory=0.2)).cells[0]
    assert made.model == "iaf_psc_exp_multisynapse"
    assert made.scalars["tau_syn"] == [5.0, 9.0]
    assert made.ports["inhibitory"].receptor == 2
    assert model_of(network(pt.IF_cond_exp(), 0.01, 0.01)) == "iaf_cond_exp"
    assert plan(network(pt.IF_cond_exp(), 0.01, 0.01)).cells[0].ports["inhibitory"].factor == -1.0
    assert model_of(network(pt.IF_cond_exp(), 0.01, -0.01)) == "nestml"  # a negative conductance


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("tau_syn_E", 0.3, 0.0001), ("tau_m", 5.0, 0.0003), ("v_reset", -70.0, -40.0)],
)
def test_values_set_later_that_the_built_in_cannot_take_are_refused(
    name: str, good: float, bad: float
) -> None:
    """NEST would overflow in silence where dt/tau is above 709, or refuse in words of its own."""
    cells = pt.Population("cells", 2, pt.IF_curr_exp(v_thresh=-50.0, v_reset=-65.0))
    with pt.open(pt.Network("net", [cells]), "nest") as sim:
        sim.set(cells, **{name: good})
        with pytest.raises(pt.ModelError, match=rf"'cells'.*iaf_psc_exp.*{name}.*nestml"):
            sim.set(cells, **{name: [good, bad]})
        sim.set(cells, **{name: good})
        sim.advance(2)


def test_what_the_built_in_cannot_do_is_generated() -> None:
    def one(cell: pt.Cell, record: str = "v", **initial: Any) -> pt.Network:
        population = pt.Population("c", 2, cell, initial=initial)
        return pt.Network("n", [population], recordings=[pt.Record(population, record)])

    assert model_of(one(pt.IF_cond_alpha(), "gsyn_exc")) == "iaf_cond_alpha"
    assert model_of(one(pt.IF_curr_alpha(), "jsyn_exc")) == "nestml"  # no recordable
    assert (
        model_of(one(pt.IF_curr_alpha(), "isyn_exc")) == "nestml"
    )  # a recordable, but it cannot be read at the end of a run
    assert model_of(one(pt.IF_curr_exp(), isyn_exc=0.1)) == "nestml"  # cannot be set
    assert model_of(one(pt.IF_cond_exp(), gsyn_exc=0.1)) == "iaf_cond_exp"
    assert model_of(one(pt.IF_curr_exp(v_reset=-40.0))) == "nestml"  # NEST refuses v_reset >= v_thresh
    assert model_of(one(pt.IF_cond_exp(receptors={"third": pt.CondExp(e_rev=0)}))) == "nestml"
    assert model_of(one(pt.IF_curr_exp(receptors={"third": pt.CurrExp()}))) == "iaf_psc_exp_multisynapse"
    assert model_of(one(pt.IF_curr_exp(receptors={"third": pt.CurrAlpha()}))) == "nestml"
    assert model_of(one(pt.IF_cond_exp()), integrator="rk4") == "nestml"
    assert model_of(one(pt.IF_cond_exp()), integrator="rkf45") == "iaf_cond_exp"
    assert model_of(one(pt.HH_cond_exp())) == "nestml"  # NEST's stamps the peak
    assert model_of(one(pt.Izhikevich()), options={"nestml": "always"}) == "nestml"


def test_recognition_is_by_meaning_not_by_name() -> None:
    ours = pt.IF_curr_delta().flat
    assert builtin.recognise(ours) is not None
    other = pt.cell_type(
        "IF_curr_delta",
        equations="dv/dt = (v_rest - 2*v)/tau_m : mV",
        parameters={"v_rest": "-65 mV", "tau_m": "20 ms"},
        threshold="v >= 0 mV",
        reset="v = v_rest",
    )
    assert builtin.recognise(other().flat) is None


def test_native_inputs_need_private_unrecorded_sources() -> None:
    net = network(pt.IF_curr_exp())
    low = BACKEND.lower(program(net), RunConfig(inputs="native"))
    assert low.plan.inputs == {"noise": "native", "few": "given"}
    noise = net.populations[1]
    both = replace(net, recordings=(*net.recordings, pt.Record(noise, "spikes")))
    low = BACKEND.lower(program(both), RunConfig(inputs="native"))
    assert low.plan.inputs["noise"] == "frozen"
    assert any("noise" in a.where for a in low.approximations)


def test_integrators_are_told() -> None:
    assert (
        BACKEND.lower(program(network(pt.IF_cond_exp(), 0.01, 0.01)), RunConfig())
        .integrators["cells"]
        .startswith("gsl rkf45 (abs 0.001)")
    )
    assert BACKEND.lower(program(network(pt.IF_curr_exp())), RunConfig()).integrators["cells"] == "exact"


def test_numbers_that_nestml_prints_wrongly_become_parameters() -> None:
    """Its printer writes nine digits and strips zeros of exponents: 1e-300 as 1e-3."""
    text = Text(pt.IF_curr_exp().flat, "exact")
    assert [text.number(x) for x in (0.0, 2.5, -0.125, 100.0)] == ["0.0", "2.5", "(-0.125)", "100.0"]
    assert [text.number(x) for x in (1e-300, 0.1 + 0.2, 1e10, 1e-300)] == ["n_0", "n_1", "n_2", "n_0"]
    assert text.numbers == {"n_0": 1e-300, "n_1": 0.1 + 0.2, "n_2": 1e10}


def test_draws_of_generated_code_are_replaced_or_refused(tmp_path: Any) -> None:
    from portable.backends.nest.codegen import drawn

    path = tmp_path / "m.cpp"
    path.write_text(
        '#include "a.h"\n#include <b>\nx = 2. * ((3.) + (1.) * nest::get_vp_specific_rng( get_thread() '
        ")->drand());\n"
    )
    drawn(path)
    text = path.read_text()
    assert (
        "x = 2. * portable_draw(P_.key_low, P_.key_high, P_.place, origin.get_steps() + lag + 1, 3);" in text
    )
    assert text.index("#include <b>") < text.index("double portable_draw(") < text.index("x = 2.")
    path.write_text("x = nest::get_vp_specific_rng(t)->drand();\n")
    with pytest.raises(SystemExit, match="random numbers in a way that is not known"):
        drawn(path)


def test_port_scaling_of_generated_code_is_removed_or_refused(tmp_path: Any) -> None:
    path = tmp_path / "portable_x_neuron.cpp"
    path.write_text("a = (0.001 * B_.spike_inputs_grid_sum_[P - M]);")
    codegen.unscaled(path)
    assert path.read_text() == "a = B_.spike_inputs_grid_sum_[P - M];"
    path.write_text("a = 0.001 * B_.something_new[P];")
    with pytest.raises(SystemExit, match="not known"):
        codegen.unscaled(path)


def test_nests_headers_are_read_once(tmp_path: Any) -> None:
    model, module = tmp_path / "portable_x_neuron.cpp", tmp_path / "m.cpp"
    model.write_text('#include "numerics.h"\n#include "nest_impl.h"\nint x;\n')
    module.write_text('#include "nest_extension_interface.h"\n}')
    codegen.together(module, [model])
    assert model.read_text() == '#include "numerics.h"\nint x;\n'
    assert module.read_text().splitlines() == [
        '#include "nest_extension_interface.h"',
        "}",
        '#include "portable_x_neuron.cpp"',
    ]


def test_missing_compiler_is_a_shortfall(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PORTABLE_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiled.missing.cache_clear()
    try:
        net = pt.Network("n", [pt.Population("c", 2, pt.HH_cond_exp())])
        found = BACKEND.check(program(net), RunConfig())
        assert [s.feature for s in found] == ["compiler"]
        assert "apt-get install g++ libgsl-dev libltdl-dev libboost-dev" in str(found[0])
        assert not BACKEND.check(program(network(pt.IF_curr_exp())), RunConfig())
    finally:
        compiled.missing.cache_clear()


def test_time_step_and_options_are_checked() -> None:
    p = replace(program(network(pt.IF_curr_exp())), dt=1e-7 / 3)
    assert {s.feature for s in BACKEND.check(p, RunConfig())} == {"dt"}
    [found] = pt.check(network(pt.IF_curr_exp()), "nest", options={"nestml": "perhaps"})
    assert str(found) == "options['nestml']: must be one of auto, always, got 'perhaps' [options]"


def test_generated_model_depends_on_the_equations_only() -> None:
    a, b = (generated.model((f := pt.HH_cond_exp(gbar_K=g).flat), choose(f, "rk4"))[0] for g in (6.0, 7.0))
    assert a == b
    flat = pt.HH_cond_exp().flat
    assert generated.model(flat, choose(flat, "euler"))[0].digest != a.digest


# -- execution


def run(p: Program, pieces: tuple[int, ...], **config: Any) -> Any:
    session = BACKEND.open(BACKEND.lower(p, RunConfig(**config)).plan)
    try:
        for steps in pieces:
            session.run(steps)
            session.recorded()
        return session.recorded()
    finally:
        session.close()


def spikes(recorded: Any, name: str = "cells") -> list[tuple[int, int]]:
    return sorted(zip(*(x.tolist() for x in recorded.spikes[name]), strict=True))


@needs_nest
def test_equals_a_script_written_by_hand() -> None:
    """The same network in plain PyNEST: the same spikes and, bit for bit, the same voltages."""
    import nest

    p = program(
        network(
            pt.IF_curr_exp(tau_refrac=2.0, tau_syn_I=8.0, i_offset=0.3), 0.3, -0.5, v=pt.Uniform(-65, -50)
        )
    )
    ours = run(p, (1000,), threads=2)
    group = p.group("cells")
    assert isinstance(group, CellGroup)
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=1)
    cells = nest.Create(
        "iaf_psc_exp",
        20,
        {
            "E_L": -65.0,
            "C_m": 1000.0,
            "tau_m": 20.0,
            "V_th": -50.0,
            "V_reset": -65.0,
            "t_ref": 2.0,
            "I_e": 300.0,
            "tau_syn_ex": 5.0,
            "tau_syn_in": 8.0,
        },
    )
    cells.V_m = np.asarray(group.initial["v"]).tolist()
    from portable.resolve import poisson

    for c in p.connections:
        if c.pre == "cells":
            pre = cells
        else:
            source = p.group(c.pre)
            pre = nest.Create("spike_generator", source.size)
            if isinstance(source, PoissonGroup):
                counts = poisson.counts(source, poisson.table(source, 0.1), 1, 1000)
                trains = [np.repeat(np.arange(1, 1001), counts[:, i]) * 0.1 for i in range(source.size)]
            else:
                trains = [
                    source.steps[a:b] * 0.1
                    for a, b in zip(source.indptr[:-1], source.indptr[1:], strict=True)
                ]  # type: ignore[union-attr]
            pre.set([{"spike_times": t} for t in trains])
        weights, delays = np.broadcast_to(c.weights, c.count), np.broadcast_to(c.delays, c.count)
        for s, t, w, d in zip(c.sources(), c.targets, weights, delays, strict=True):
            nest.Connect(
                pre[int(s)], cells[int(t)], "one_to_one", {"weight": float(w), "delay": float(d) * 0.1}
            )
    recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
    meter = nest.Create("multimeter", params={"interval": 0.3, "record_from": ["V_m"]})
    nest.Connect(cells, recorder)
    nest.Connect(meter, cells[:4])
    nest.Simulate(100.0)
    theirs = sorted(
        zip(
            (recorder.events["senders"] - cells[0].global_id).tolist(),
            recorder.events["times"].tolist(),
            strict=True,
        )
    )
    assert len(theirs) > 50
    assert spikes(ours) == theirs
    first = ours.traces["cells", "v"][2][1:, 0]
    by_hand = meter.events["V_m"][meter.events["senders"] == cells[0].global_id]
    np.testing.assert_array_equal(first[: by_hand.size], by_hand)


CASES = [
    (pt.IF_curr_exp, 0.3, -0.5),
    (pt.IF_curr_delta, 1.0, -2.0),
    (pt.IF_cond_exp, 0.006, 0.02),
    (pt.Izhikevich, 3.0, -3.0),
]


@needs_nest
@pytest.mark.parametrize(("cell", "excitatory", "inhibitory"), CASES, ids=[c.name for c, _, _ in CASES])
def test_pieces_equal_the_whole(cell: pt.CellType, excitatory: float, inhibitory: float) -> None:
    """Pieces of every length against NEST's slices of min_delay (here 2 and 5 steps); traces complete to the
    last sample.
    """
    offset = 0.005 if cell is pt.Izhikevich else 0.6
    p = program(network(cell(i_offset=offset), excitatory, inhibitory))
    whole, pieces = run(p, (600,)), run(p, (1, 4, 5, 100, 3, 7, 480), threads=2)
    assert len(spikes(whole)) > 20
    assert spikes(whole) == spikes(pieces)
    ids, steps, values = whole.traces["cells", "v"]
    np.testing.assert_array_equal(steps, np.arange(0, 601, 3))
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, pieces.traces["cells", "v"][2])
    np.testing.assert_array_equal(ids, np.arange(4))


@needs_nest
def test_the_last_slice_of_a_trace_is_complete_with_long_delays() -> None:
    cells = pt.Population("cells", 2, pt.IF_curr_exp(i_offset=0.5))
    net = pt.Network(
        "n",
        [cells],
        [pt.Projection(cells, cells, pt.AllToAll(), pt.StaticSynapse(0.1, 5.0))],
        recordings=[pt.Record(cells, "v")],
    )
    values = run(program(net), (73,)).traces["cells", "v"][2]
    exact = -65.0 + 10.0 * (1 - np.exp(-np.arange(74) * 0.1 / 20.0))  # no spike yet: R I = 20 MOhm * 0.5 nA
    # 74 steps of NEST's propagator, each rounded to 53 bits of 65 mV
    np.testing.assert_allclose(values[:, 0], exact, atol=1e-11)


@needs_nest
def test_recording_with_small_steps_keeps_slices_short() -> None:
    """What the last slice of a piece holds is read one sample at a time: ten steps of 1 us, not a millisecond
    of them, and the trace is whole.
    """
    cells = pt.Population("cells", 2, pt.IF_curr_exp(i_offset=0.5))
    net = pt.Network("n", [cells], recordings=[pt.Record(cells, "v", interval="1 us")])
    with pt.open(net, "nest", dt="1 us") as sim:
        for piece in ("137 us", "0.5 ms"):
            sim.run(piece)
        assert sim.session.min_delay == 10  # type: ignore[attr-defined]
        values = sim.results().traces["cells", "v"].values
    np.testing.assert_allclose(
        values[:, 0], -65.0 + 10.0 * (1 - np.exp(-np.arange(638) * 1e-3 / 20.0)), atol=1e-10
    )  # 638 roundings of 65 mV


@needs_nest
def test_frozen_counts_arrive_as_drawn() -> None:
    """A cell that only adds up (tau_m of 1e12 ms): v counts the spikes of the stamp one delay ago, in any
    chunking.
    """
    from portable.resolve import poisson

    cells = pt.Population("cells", 7, pt.IF_curr_delta(tau_m=1e12, v_thresh=1e9))
    noise = pt.Population("noise", 7, pt.SpikeSourcePoisson(rate=16000.0))
    links = [pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse(1.0, 0.4), "excitatory")]
    p = program(
        pt.Network("n", [cells, noise], links, recordings=[pt.Record(cells, "v"), pt.Record(noise, "spikes")])
    )
    source = p.group("noise")
    assert isinstance(source, PoissonGroup)
    counts = poisson.counts(source, poisson.table(source, 0.1), 1, 300)
    found = run(p, (11, 200, 89))
    v = found.traces["cells", "v"][2] + 65.0
    expected = np.zeros((301, 7))
    expected[5:] = np.cumsum(counts[:296], axis=0)
    np.testing.assert_allclose(v, expected, atol=1e-6)  # leak: 480 mV * 30 ms / 1e12 ms
    ids, steps = found.spikes["noise"]
    again = np.zeros((300, 7), dtype=int)
    np.add.at(again, (steps - 1, ids), 1)
    np.testing.assert_array_equal(again, counts)
    assert counts.max() > 3


@needs_nest
def test_native_poisson_has_the_rate_and_its_own_trains() -> None:
    cells = pt.Population("cells", 50, pt.IF_curr_delta(tau_m=1e12, v_thresh=1e9))
    noise = pt.Population("noise", 50, pt.SpikeSourcePoisson(rate=5000.0, start=10.0, duration=40.0))
    links = [pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse(1.0, 0.1), "excitatory")]
    p = program(pt.Network("n", [cells, noise], links, recordings=[pt.Record(cells, "v", interval=0.1)]))
    v = run(p, (1000,), inputs="native").traces["cells", "v"][2] + 65.0
    assert np.abs(v[101]).max() < 1e-6  # first possible stamp 10.1 ms arrives at 10.2 ms
    assert v[102].sum() > 5  # 25 spikes expected in this step
    np.testing.assert_allclose(v[501:] - v[501], 0.0, atol=1e-6)  # last stamp 50.0 ms arrives at 50.1 ms
    assert (v[501] - v[500]).sum() > 5
    total = v[-1]
    # 200 spikes expected a cell, 10000 in all: 5 standard deviations are 2.5 each and 5 %
    assert abs(total.mean() - 200.0) < 5 * np.sqrt(200.0 / 50)
    assert total.std() > 5.0


@needs_nest
def test_a_failure_names_its_element_and_leaves_nest_usable() -> None:
    p = program(network(pt.IF_curr_exp()))
    good = BACKEND.lower(p, RunConfig()).plan
    bad = replace(good, cells=(replace(good.cells[0], scalars={**good.cells[0].scalars, "tau_m": -1.0}),))
    with pytest.raises(pt.BackendFailed, match="population 'cells'") as caught:
        BACKEND.open(bad)
    assert caught.value.__cause__ is not None
    assert len(run(p, (100,)).traces) == 1


@needs_nest
def test_no_banner(tmp_path: Any) -> None:
    code = (
        "import portable as pt\npt.run(pt.Network('n', [pt.Population('c', 2, pt.IF_curr_exp())]), "
        "'nest', '1 ms')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == ""


@needs_nest
def test_a_generated_model_equals_the_built_in() -> None:
    """AdEx in our own rkf45 written as NESTML against NEST's aeif_cond_exp: the same spikes, w and v to the
    rounding of many substeps.
    """
    cells = pt.Population(
        "cells", 3, pt.EIF_cond_exp_isfa_ista(i_offset=pt.Uniform(0.7, 0.9), tau_refrac=1.0)
    )
    source = pt.Population("source", 1, pt.SpikeSourceArray(np.arange(3.0, 60.0, 7.0)))
    links = [
        pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(0.01, 1.0), port)
        for port in ("excitatory", "inhibitory")
    ]
    p = program(pt.Network("n", [cells, source], links, recordings=[pt.Record(cells, ["spikes", "v", "w"])]))
    ours, theirs = run(p, (800,), options={"nestml": "always"}), run(p, (800,))  # so for rehearsal.py
    assert len(spikes(theirs)) > 10
    assert spikes(ours) == spikes(theirs)
    for name in ("v", "w"):
        # pow() of the step control and the order of sums round differently; spikes amplify it (seen: 3e-8). A
        # wrong rule gives 1e-2.
        np.testing.assert_allclose(
            ours.traces["cells", name][2], theirs.traces["cells", name][2], atol=1e-5, rtol=0
        )


@needs_nest
def test_several_generated_models_in_one_network() -> None:
    """Two types of our own that excite each other, three receptors on one of them, against the reference
    backend.
    """
    a = pt.cell_type(
        "one",
        equations="dv/dt = (E - v)/tau + (x + y*v/(1 mV))/tau : mV\ndx/dt = -x/tau : mV\ndy/dt = -y/tau : mV",
        parameters={"E": "-60 mV", "tau": "10 ms"},
        threshold="v >= -50 mV",
        reset="v = E; x *= 0.5",
        events={"p": "x += weight", "q": "x += 2*weight; y += -0.001*weight", "r": "v += weight"},
        initial={"v": "E"},
        integrator="rk4",
    )
    b = pt.cell_type(
        "two",
        equations="dv/dt = (E - v)/tau + (3 mV)*sin(t/(5 ms))/tau : mV (held)",
        parameters={"E": "-51 mV", "tau": "5 ms", "hold": "1 ms"},
        threshold="v >= -50 mV",
        reset="v = -60 mV",
        refractory="hold",
        events={"p": "v += weight"},
        initial={"v": "E"},
        integrator="euler",
    )
    first, second = (
        pt.Population("first", 5, a(), initial={"v": pt.Uniform(-60, -50)}),
        pt.Population("second", 4, b()),
    )
    links = [
        pt.Projection(second, first, pt.AllToAll(), pt.StaticSynapse(w, 0.7), port)
        for port, w in (("p", 20.0), ("q", 8.0), ("r", 0.5))
    ]
    links.append(pt.Projection(first, second, pt.AllToAll(), pt.StaticSynapse(0.5, 1.1), "p"))
    recordings = [pt.Record([first, second], ["spikes", "v"])]
    net = pt.Network("two", [first, second], links, recordings=recordings)
    ours, truth = pt.run(net, "nest", "100 ms", seed=2), pt.run(net, "reference", "100 ms", seed=2)
    for name in ("first", "second"):
        assert len(truth.spikes[name]) > 10
        np.testing.assert_array_equal(ours.spikes[name].steps, truth.spikes[name].steps)
        np.testing.assert_array_equal(ours.spikes[name].ids, truth.spikes[name].ids)
        # the same operations in the same order; libm's sin may differ from numpy's by 1 ulp
        np.testing.assert_allclose(
            ours.traces[name, "v"].values, truth.traces[name, "v"].values, atol=1e-10, rtol=0
        )


@needs_nest
def test_a_refused_model_says_what_the_compiler_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PORTABLE_CACHE", str(tmp_path))
    good = generated.model((flat := pt.IF_curr_delta().flat), choose(flat, "rk4"))[0]
    with pytest.raises(pt.BackendFailed, match="code generator refused"):
        compiled.shared_objects([replace(good, text=good.text.replace("x_v real", "x_v nonsense"))])
    assert not list(tmp_path.rglob("*.so*"))


@needs_nest
def test_models_without_a_module_get_one_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One build for all that are missing; with one refused among them each is tried, so that the message is
    of that one and the others are kept.
    """
    built: list[list[str]] = []

    def build(models: Sequence[Nestml], place: Path, _module: str) -> Path:
        built.append([m.name for m in models])
        if any(m.name == "bad" for m in models):
            raise pt.BackendFailed(f"refused {', '.join(m.name for m in models)}")
        (place / "made").write_text(" ".join(m.name for m in models))
        return place / "made"

    monkeypatch.setenv("PORTABLE_CACHE", str(tmp_path))
    monkeypatch.setattr(compiled, "missing", lambda: "")
    monkeypatch.setattr(compiled, "_build", build)
    a, b, c, bad = (Nestml(name=n, digest=n, text=n) for n in ("a", "b", "c", "bad"))
    [first] = compiled.shared_objects([a, b, a])
    assert first.read_text() == "a b"
    both = compiled.shared_objects([b, c])  # b is in the first module and stays there
    assert [p.read_text() for p in both] == ["a b", "c"]
    assert built == [["a", "b"], ["c"]]
    d = replace(a, name="d", text="d")
    with pytest.raises(pt.BackendFailed, match=r"refused bad$"):
        compiled.shared_objects([d, bad])
    assert compiled.module_of(bad) is None
    assert [p.read_text() for p in compiled.shared_objects([d])] == ["d"]
    assert built[2:] == [["d", "bad"], ["d"], ["bad"]]
    first.unlink()  # what is lost is built again
    assert [p.read_text() for p in compiled.shared_objects([a])] == ["a"]


def test_two_models_that_draw_fit_into_one_module(tmp_path: Path) -> None:
    """Each brings the function that draws; what brings it twice does not compile."""
    for name in "ab":
        (tmp_path / f"{name}.cpp").write_text(
            "#include <cmath>\nx = ((0) + (1.0) * nest::get_vp_specific_rng( get_thread() )->drand());\n"
        )
        codegen.drawn(tmp_path / f"{name}.cpp")
    texts = [(tmp_path / f"{name}.cpp").read_text() for name in "ab"]
    for text in texts:
        guarded = text[text.index("#ifndef PORTABLE_DRAW") : text.index("#endif")]
        assert guarded.count("portable_draw(double") == text.count("portable_draw(double") == 1
