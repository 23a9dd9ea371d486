"""The Brian2 backend: its plans (golden, without Brian2), and what the conformance suite does not reach."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends.brian2 import BACKEND
from portable.backends.brian2.lower import lower
from portable.backends.brian2.plan import Brian2Plan
from portable.backends.contract import RunConfig
from portable.errors import BackendFailed, UnsupportedError
from portable.resolve import poisson, resolve

needs_brian2 = pytest.mark.skipif(BACKEND.version() is None, reason="Brian2 is not installed")
NUMPY = {
    "target": "numpy"
}  # compiles nothing, so that the tests of sessions take seconds; the conformance suite runs Cython
N = 40


def test_compiled_where_there_is_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    from portable.backends.brian2 import execute

    for found, target in (("/usr/bin/clang++", "cython"), (None, "numpy")):
        monkeypatch.setattr(
            execute.shutil, "which", lambda name, found=found: found if "clang" in name else None
        )
        assert execute.usual_target() == target


def network(cell: Any = None, weight: Any = 0.3, drive: Any = 1.5, noise: float = 400.0) -> pt.Network:
    """Two populations of one kind, recurrent with spread delays, driven one to one and by fan-out."""
    cell = cell or pt.IF_curr_exp(tau_refrac=2.0)
    a = pt.Population("a", N, cell, initial={"v": pt.Uniform(-65, -50)})
    b = pt.Population("b", N // 2, cell, initial={"v": pt.Uniform(-65, -50)})
    s = pt.Population("s", N, pt.SpikeSourcePoisson(rate=noise))
    return pt.Network(
        "two",
        [a, b, s],
        [
            pt.Projection(
                [a, b],
                a,
                pt.FixedProbability(0.2),
                pt.StaticSynapse(weight, pt.Uniform(0.1, 3.0)),
                "excitatory",
            ),
            pt.Projection(a, b, pt.FixedProbability(0.2), pt.StaticSynapse(weight, 1.5), "excitatory"),
            pt.Projection(s, a, pt.OneToOne(), pt.StaticSynapse(drive, 0.4), "excitatory"),
            pt.Projection(s, b, pt.FixedInDegree(2), pt.StaticSynapse(drive, 0.7), "excitatory"),
        ],
        recordings=[pt.Record([a, b, s], "spikes"), pt.Record(a[3:6], "v", interval="0.3 ms")],
    )


def same(x: pt.Results, y: pt.Results) -> None:
    for name in x.spikes:
        np.testing.assert_array_equal(x.spikes[name].steps, y.spikes[name].steps)
        np.testing.assert_array_equal(x.spikes[name].ids, y.spikes[name].ids)
    for key in x.traces:
        np.testing.assert_array_equal(x.traces[key].steps, y.traces[key].steps)
        np.testing.assert_allclose(
            x.traces[key].values, y.traces[key].values, atol=1e-10, rtol=0
        )  # order of sums only


def plan(net: pt.Network, **config: Any) -> Brian2Plan:
    made = lower(resolve(net, 1, 0.1), RunConfig(**config)).plan
    assert isinstance(made, Brian2Plan)
    return made


def test_plan_joins_populations_of_one_kind() -> None:
    p = plan(network())
    assert [(c.name, c.size, [(m.name, m.offset, m.size) for m in c.members]) for c in p.cells] == [
        ("pt_cells_0", 60, [("a", 0, 40), ("b", 40, 20)])
    ]
    assert [(s.source, s.target, s.port, len(s.parts), s.weight, s.delay) for s in p.synapses] == [
        ("pt_cells_0", "pt_cells_0", "excitatory", 3, 300.0, None),
        ("pt_source", "pt_cells_0", "excitatory", 1, 1500.0, 7),
    ]
    assert [(d.source.name, d.target.name, d.port, d.weights, d.delay) for d in p.cells[0].drives] == [
        ("s", "a", "excitatory", 1500.0, 4)
    ]
    assert p.inputs == {"s": "frozen"}


def test_golden_code_of_a_linear_cell() -> None:
    code = plan(network()).cells[0].code
    assert code.update == (
        "held = left > 0",
        "n1_v = pt_where(held, x_v, P_0_0*x_v + P_0_1*x_isyn_exc + P_0_2*x_isyn_inh + R_0)",
        "n2_isyn_exc = P_1_1*x_isyn_exc",
        "n3_isyn_inh = P_2_2*x_isyn_inh",
        "n4_isyn_exc = n2_isyn_exc + in_excitatory",
        "n5_left = left - int(left > 0)",
        "n6_true = ((n1_v >= p_v_thresh)) and not held",
        "n7_left = int(n6_true)*(steps_left) + int(not n6_true)*n5_left",
        "n8_v = pt_where(n6_true, p_v_reset, n1_v)",
        "x_v = n8_v",
        "x_isyn_exc = n4_isyn_exc",
        "x_isyn_inh = n3_isyn_inh",
        "left = n7_left",
        "fired = n6_true",
        "in_excitatory = 0.0",
    )
    assert code.after == ()
    assert dict(code.events) == {}


def test_golden_code_of_izhikevich() -> None:
    """Arrivals join the increment, and no copy is made before a write (Brian2's numpy target would alias
    it). A state that explodes becomes nan, which the session reports.
    """
    code = plan(network(pt.Izhikevich(), 1.0, 5.0)).cells[0].code
    assert code.update == (
        "n1_v = pt_where(pt_abs(x_v) <= 1000000.0, x_v, pt_divide(0.0, 0.0))",
        "n2_u = pt_where(pt_abs(x_u) <= 1e+18, x_u, pt_divide(0.0, 0.0))",
        "n3_d_v = ((((((((0.04 * n1_v) * n1_v) / 1.0) + (5.0 * n1_v)) + 140.0) - (n2_u * 1.0)) + "
        "((p_i_offset + 0.0) * (1.0 / 1.0))) / 1.0)",
        "n4_d_u = (p_a * ((p_b * n1_v) - n2_u))",
        "n5_v = n1_v + (0.1*n3_d_v + in_excitatory)",
        "n6_u = n2_u + (0.1*n4_d_u)",
        "n7_true = ((n5_v >= p_v_thresh))",
        "n8_v = pt_where(n7_true, p_c, n5_v)",
        "n9_u = pt_where(n7_true, (n6_u + p_d), n6_u)",
        "x_v = n8_v",
        "x_u = n9_u",
        "fired = n7_true",
        "in_excitatory = 0.0",
    )


def test_names_of_a_model_cannot_meet_brian2s() -> None:
    cell = pt.cell_type(
        "awkward",
        equations="dxi/dt = (N - xi)/clock : 1\ni = N*xi : 1\ndj/dt = (i - j)/clock : 1",
        parameters={"N": 3.0, "clock": "5 ms"},
        threshold="j >= 8",
        reset="xi = 0; j = 0",
        events={"lastspike": "j += weight"},
    )
    population = pt.Population("p", 2, cell())
    code = plan(pt.Network("awkward", [population], recordings=[pt.Record(population, "j")])).cells[0].code
    words = {w for line in code.update for w in re.findall(r"[A-Za-z_]\w*", line)}
    assert not words & {"xi", "N", "clock", "i", "j", "t", "dt"}


def test_lowering_needs_no_brian2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brian2", None)  # an import of it now fails
    assert lower(resolve(network(), 1, 0.1), RunConfig()).integrators == {"a": "exact", "b": "exact"}


def test_unknown_target_is_a_shortfall() -> None:
    with pytest.raises(
        UnsupportedError, match="must be one of auto, cython, numpy, cpp_standalone, got 'cuda'"
    ):
        pt.run(network(), "brian2", "1 ms", options={"target": "cuda"})


@needs_brian2
def test_against_an_independent_loop() -> None:
    """semantics.md written out for a current-based LIF, on a network of two cells that excite each other."""
    tau, tau_s, c, w, d, refractory, dt = 20.0, 5.0, 1.0, 2.0, 12, 20, 0.1
    cells = pt.Population(
        "p", 2, pt.IF_curr_exp(tau_m=tau, tau_syn_E=tau_s, cm=c, tau_refrac=2.0, i_offset=[0.9, 0.6])
    )
    net = pt.Network(
        "pair",
        [cells],
        [pt.Projection(cells, cells, pt.Explicit([0, 1], [1, 0]), pt.StaticSynapse(w, d * dt))],
        [],
        [pt.Record(cells, ["spikes", "v"])],
    )
    ours = pt.run(net, "brian2", "200 ms", options=NUMPY)
    v, s, left, due, spikes, trace = np.full(2, -65.0), np.zeros(2), [0, 0], {}, [], [np.full(2, -65.0)]
    pm, ps = np.exp(-dt / tau), np.exp(-dt / tau_s)
    cross = tau * tau_s / (tau_s - tau) / c * (ps - pm)
    for k in range(2000):
        was = s.copy()
        s = s * ps
        for target in due.pop(k + 1, []):
            s[target] += w
        for i in range(2):
            if left[i]:
                left[i] -= 1
                continue
            v[i] = -65.0 + (v[i] + 65.0) * pm + was[i] * cross + [0.9, 0.6][i] * tau / c * (1 - pm)
            if v[i] >= -50.0:
                v[i], left[i] = -65.0, refractory
                spikes.append((k + 1, i))
                due.setdefault(k + 1 + d, []).append(1 - i)
        trace.append(v.copy())
    assert len(spikes) > 10
    assert list(zip(ours.spikes["p"].steps, ours.spikes["p"].ids, strict=True)) == spikes
    np.testing.assert_allclose(
        ours.traces["p", "v"].values, trace, atol=1e-9
    )  # 2000 steps of rounding at 65 mV: 2000 * 1.4e-14 * a few


@needs_brian2
def test_pieces_sessions_and_the_process() -> None:
    """Two sessions stepped in turn give what one run gives; preferences, numpy's random state and the log are
    as before.
    """
    import brian2

    net = network()
    target, before = brian2.prefs["codegen.target"], np.random.get_state()[1].copy()
    whole, truth = (
        pt.run(net, "brian2", "100 ms", seed=2, options=NUMPY),
        pt.run(net, "reference", "100 ms", seed=2),
    )
    assert len(truth.spikes["a"]) > 20
    same(whole, truth)
    with (
        pt.open(net, "brian2", seed=2, options=NUMPY) as one,
        pt.open(net, "brian2", seed=2, options=NUMPY) as two,
    ):
        for piece in ("0.1 ms", "33.3 ms", "66.6 ms"):
            one.run(piece)
            two.run(piece)
        same(one.results(), whole)
        same(two.results(), whole)
    assert brian2.prefs["codegen.target"] == target
    assert np.array_equal(np.random.get_state()[1], before)


@needs_brian2
def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    pt.run(network(), "brian2", "5 ms", options=NUMPY)
    assert capfd.readouterr() == ("", "")


@needs_brian2
def test_frozen_trains_are_the_programs_counts() -> None:
    """With no leak and no threshold, v counts every spike of high-rate sources, one to one and by fan-out
    (several in one step).
    """
    cell = pt.IF_curr_delta(tau_m=1e12, v_rest=0.0, v_thresh=1e9)
    a = pt.Population("a", 6, cell, initial={"v": 0.0})
    s = pt.Population("s", 6, pt.SpikeSourcePoisson(rate=15000.0, start="2 ms"))
    for connector, sign in ((pt.OneToOne(), None), (pt.AllToAll(), 6)):
        net = pt.Network(
            "count",
            [a, s],
            [pt.Projection(s, a, connector, pt.StaticSynapse(1.0, 0.5), "excitatory")],
            [],
            [pt.Record(a, "v")],
        )
        group = next(g for g in resolve(net, 7, 0.1).groups if g.name == "s")
        counts = poisson.counts(group, poisson.table(group, 0.1), 1, 200).astype(int)
        assert counts.max() > 3
        total = np.cumsum(np.vstack([np.zeros((6, 6), dtype=int), counts]), axis=0)[:201]  # stamps k - 5
        v = pt.run(net, "brian2", "20 ms", seed=7, options=NUMPY).traces["a", "v"].values
        np.testing.assert_allclose(
            v, total if sign is None else total.sum(axis=1, keepdims=True) * np.ones(6), atol=1e-6
        )


@needs_brian2
def test_set_widens_and_changes_rates() -> None:
    """One value for all becomes one per cell during a run; a new rate holds for later stamps only."""

    def steered(backend: str, **more: Any) -> pt.Results:
        net = network()
        with pt.open(net, backend, seed=5, **more) as sim:
            sim.run("40 ms")
            sim.set(
                net.population("a"),
                v_thresh=np.linspace(-58, -50, N),
                tau_refrac=np.linspace(1, 5, N).round(1),
                tau_m=12.0,
            )
            sim.set(net.population("s"), rate=900.0)
            sim.run("60 ms")
            return sim.results()

    same(steered("brian2", options=NUMPY), steered("reference"))


@needs_brian2
@pytest.mark.parametrize("target", ["numpy", "cython"])
def test_arrivals_that_cannot_be_summed(target: str) -> None:
    """A saturating synapse: each arrival reads what the one before left, held states lose theirs."""
    cell = pt.cell_type(
        "saturating",
        equations="dv/dt = (E - v)/tau : mV (held)\ndg/dt = -g/tau : 1",
        parameters={"E": "-70 mV", "tau": "10 ms", "top": 1.0, "r": "3 ms"},
        threshold="v >= -55 mV",
        reset="v = E",
        refractory="r",
        initial={"v": "E"},
        events={"exc": "g += weight*(top - g); v += 20 mV*g*weight"},
    )
    a = pt.Population("a", 5, cell())
    s = pt.Population("s", 8, pt.SpikeSourcePoisson(rate=900.0))
    net = pt.Network(
        "sat",
        [a, s],
        [pt.Projection(s, a, pt.AllToAll(), pt.StaticSynapse(0.25, 0.3), "exc")],
        [],
        [pt.Record(a, ["spikes", "v", "g"])],
    )
    ours, truth = (
        pt.run(net, "brian2", "30 ms", seed=3, options={"target": target}),
        pt.run(net, "reference", "30 ms", seed=3),
    )
    assert len(truth.spikes["a"]) > 5
    same(ours, truth)


@needs_brian2
def test_native_inputs() -> None:
    """Brian2's own draws have the Poisson mean and variance; the results say so; a session has its own
    stream.
    """
    n = 400
    a = pt.Population("a", n, pt.IF_curr_delta(tau_m=1e12, v_rest=0.0, v_thresh=1e9), initial={"v": 0.0})
    s = pt.Population("s", n, pt.SpikeSourcePoisson(rate=16000.0, start="1 ms", duration="10 ms"))
    net = pt.Network(
        "native",
        [a, s],
        [pt.Projection(s, a, pt.OneToOne(), pt.StaticSynapse(1.0, 0.5), "excitatory")],
        [],
        [pt.Record(a, "v")],
    )
    first, again = (pt.run(net, "brian2", "20 ms", seed=1, inputs="native", options=NUMPY) for _ in range(2))
    assert first.provenance["inputs"] == "native"
    v = first.traces["a", "v"].values
    np.testing.assert_array_equal(v, again.traces["a", "v"].values)
    assert not v[14].any()  # stamps 11 .. 110 arrive 5 steps later: nothing up to step 15
    mean = 160.0
    assert abs(v[-1].mean() - mean) < 5 * np.sqrt(mean / n)  # 5 standard errors
    assert abs(v[-1].var() / mean - 1) < 5 * np.sqrt(2 / n)


@needs_brian2
def test_a_state_that_blows_up_is_named() -> None:
    cell = pt.cell_type(
        "runaway",
        equations="dv/dt = v*v/tau : 1",
        parameters={"tau": "1 ms"},
        initial={"v": "3"},
        integrator="euler",
    )
    population = pt.Population("p", 2, cell())
    with pytest.raises(BackendFailed, match=r"population 'p': v of cell 0 is (nan|inf|-inf) at"):
        pt.run(
            pt.Network("r", [population], recordings=[pt.Record(population, "v")]),
            "brian2",
            "20 ms",
            options=NUMPY,
        )


@needs_brian2
@pytest.mark.slow
def test_standalone() -> None:
    """The C++ program gives the same; it runs once, refuses what it cannot hold, and leaves nothing
    behind.
    """
    import brian2

    net = network()
    device = brian2.get_device()
    whole = pt.run(net, "brian2", "60 ms", seed=2, threads=2, options={"target": "cpp_standalone"})
    same(whole, pt.run(net, "reference", "60 ms", seed=2))
    assert brian2.get_device() is device
    with pt.open(net, "brian2", seed=2, options={"target": "cpp_standalone"}) as sim:
        with pytest.raises(UnsupportedError, match="GB of frozen input"):
            sim.run("300 s")
        with pytest.raises(UnsupportedError, match="nothing can change in a standalone program"):
            sim.set(net.population("a"), tau_m=5.0)
