"""The native engine against closed forms, an independent loop, the reference backend, and itself with other
threads and pieces.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND
from portable.backends.native.tables import ROOM
from portable.backends.reference import BACKEND as REFERENCE
from portable.conformance.test_readback import network as conformance_network
from portable.errors import BackendFailed
from portable.resolve import poisson, resolve
from portable.validation.readback import read_back


def session(program, **config):
    """All threads work at every step, however short the steps are."""
    sim = BACKEND.open(BACKEND.lower(program, RunConfig(**config)).plan)
    sim._pace.together, sim._pace.left = config.get("threads", 1) > 1, math.inf
    return sim


def spikes(recorded):
    """{group: (steps, ids)} sorted."""
    out = {}
    for name, (ids, steps) in recorded.spikes.items():
        order = np.lexsort((ids, steps))
        out[name] = np.stack([steps[order], ids[order]])
    return out


def ran(program, steps, **config):
    sim = session(program, **config)
    sim.run(steps)
    out = sim.recorded()
    sim.close()
    return out


def same_spikes(a, b):
    a, b = spikes(a), spikes(b)
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].shape[1] > 0
        np.testing.assert_array_equal(a[name], b[name])


def network():
    """Everything at once: different delays and weights, drive by Poisson sources one to one and shared,
    trains, a current, recordings.
    """
    exc = pt.Population(
        "exc",
        200,
        pt.IF_curr_exp(tau_m=pt.Uniform(9, 11), cm=0.25, tau_refrac=2, tau_syn_E=0.5, tau_syn_I=0.5),
        initial={"v": pt.Uniform(-65, -50)},
    )
    inh = pt.Population(
        "inh", 70, pt.IF_curr_exp(tau_m=10, cm=0.25, tau_refrac=2), initial={"v": pt.Uniform(-65, -50)}
    )
    noise, shared = (
        pt.Population("noise", 200, pt.SpikeSourcePoisson(rate=9000, start=5)),
        pt.Population("shared", 30, pt.SpikeSourcePoisson(rate=pt.Uniform(50, 900))),
    )
    trains = pt.Population("trains", 2, pt.SpikeSourceArray([[1.0, 3.0, 3.0, 17.5], [2.0]]))
    delay = pt.Normal(1.5, 0.75, low=0.1)
    return pt.Network(
        "all",
        [exc, inh, noise, shared, trains],
        [
            pt.Projection(
                exc, [exc, inh], pt.FixedInDegree(30), pt.StaticSynapse(pt.Normal(0.1, 0.01, low=0), delay)
            ),
            pt.Projection(
                inh,
                [exc, inh],
                pt.FixedInDegree(10),
                pt.StaticSynapse(-0.5, pt.Normal(0.8, 0.4, low=0.1)),
                receptor="inhibitory",
            ),
            pt.Projection(noise, exc, pt.OneToOne(), pt.StaticSynapse(0.12, 1.0)),
            pt.Projection(shared, inh, pt.FixedInDegree(15), pt.StaticSynapse(0.05, 0.7)),
            pt.Projection(trains, exc, pt.AllToAll(), pt.StaticSynapse(0.5, 2.0)),
        ],
        inputs=[
            pt.Injection(pt.StepCurrentSource([3, 10], [0.1, -0.1]), inh[::2]),
            pt.Injection(pt.DCSource(0.05, start=4, stop=12), inh),
        ],
        recordings=[
            pt.Record([exc, inh, shared, trains], "spikes"),
            pt.Record(exc[3:150:7], ["v", "isyn_exc"]),
            pt.Record(inh[:5], "v", interval=0.5),
        ],
    )


@pytest.fixture(scope="module")
def program():
    return resolve(network(), 7, 0.1)


@pytest.fixture(scope="module")
def reference(program):
    sim = REFERENCE.open(REFERENCE.lower(program, RunConfig()).plan)
    sim.run(400)
    return sim.recorded()


@pytest.mark.parametrize("delivery", ["due", "ring"])
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_same_as_the_reference_with_any_threads_and_delivery(program, reference, threads, delivery):
    """Linear cells do not amplify rounding, so spikes are equal and traces agree to rounding: |v| of 65 mV
    over 400 steps.
    """
    found = ran(program, 400, threads=threads, options={"delivery": delivery})
    same_spikes(found, reference)
    for key, (ids, steps, values) in reference.traces.items():
        np.testing.assert_array_equal(found.traces[key][0], ids)
        np.testing.assert_array_equal(found.traces[key][1], steps)
        np.testing.assert_allclose(found.traces[key][2], values, rtol=1e-12, atol=1e-10)


def test_threads_change_no_bit(program):
    one = ran(program, 300, threads=1)
    for threads in (2, 4):
        other = ran(program, 300, threads=threads)
        for key, (_, _, values) in one.traces.items():
            np.testing.assert_array_equal(other.traces[key][2], values)


def test_pieces_give_the_whole(program):
    whole, sim = ran(program, 300, threads=2), session(program, threads=2)
    for steps in (1, 2, 0, 50, 17, 130, 100):
        sim.run(steps)
        sim.recorded()  # reading must not disturb
    assert sim.now == 300
    same_spikes(sim.recorded(), whole)
    for key, (_, steps, values) in whole.traces.items():
        np.testing.assert_array_equal(sim.recorded().traces[key][1], steps)
        np.testing.assert_array_equal(sim.recorded().traces[key][2], values)


@pytest.mark.parametrize("stored", [True, False], ids=["a weight each", "one weight"])
@pytest.mark.parametrize("size", [1, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM])
def test_any_number_of_segments_due_at_once(size, stored):
    """All of `size` sources spike at one step and reach three cells, which add up what arrives: the sum of
    the whole numbers up to `size`, or `size`.
    """
    weights = np.arange(1.0, size + 1) if stored else np.ones(size)
    sources = pt.Population("sources", size, pt.SpikeSourceArray([1.0]))
    sums = pt.cell_type(
        "sums", equations="dx/dt = 0/tau : 1", parameters={"tau": "1 ms"}, events={"in": "x = x + weight"}
    )
    cells = pt.Population("cells", 3, sums())
    pre, post = np.repeat(np.arange(size), 3), np.tile(np.arange(3), size)
    weight = pt.Array(np.repeat(weights, 3), "1") if stored else 1.0
    how = pt.Projection(sources, cells, pt.Explicit(pre, post), pt.StaticSynapse(weight, 1.0), "in")
    net = pt.Network("many", [sources, cells], [how], recordings=[pt.Record(cells, "x")])
    x = ran(resolve(net, 1, 0.1), 25, options={"delivery": "due"}).traces["cells", "x"][2]
    np.testing.assert_array_equal(x[[19, 20, 25]], np.outer([0.0, weights.sum(), weights.sum()], np.ones(3)))


def test_lists_that_fill_up_lose_nothing(program):
    """A history and a record that are far too small are emptied and grown between calls."""
    whole, sim = ran(program, 200), session(program, threads=2)
    for a in sim.parts.arrays:
        a["spikes"] = np.zeros(2, dtype=np.int32)
        a["ids"], a["stamps"] = (
            a["ids"][: sim.parts.reserve + 3].copy(),
            a["stamps"][: sim.parts.reserve + 3].copy(),
        )
    sim.run(200)
    assert sim.parts.arrays[0]["spikes"].size > 2
    same_spikes(sim.recorded(), whole)


def test_recorded_sources_are_those_of_resolve(program):
    found = ran(program, 300).spikes
    group = program.group("shared")
    counts = poisson.counts(group, poisson.table(group, 0.1), 1, 300)
    ids, steps = found["shared"]
    again = np.zeros_like(counts, dtype=np.int64)
    np.add.at(again, (steps - 1, ids), 1)
    np.testing.assert_array_equal(again, counts)
    assert sorted(zip(*map(list, found["trains"]), strict=True)) == [
        (0, 10),
        (0, 30),
        (0, 30),
        (0, 175),
        (1, 20),
    ]


def test_parameters_changed_between_pieces_act_from_then_on(program):
    """Against the reference: constants, propagators, a refractory period, a parameter that becomes one per
    cell, a rate.
    """
    native, reference = (
        session(program, threads=2),
        REFERENCE.open(REFERENCE.lower(program, RunConfig()).plan),
    )
    changes = [
        ("exc", {"v_thresh": -52.0, "tau_refrac": 4.0}),
        ("inh", {"tau_m": np.linspace(8.0, 12.0, 70)}),
        ("shared", {"rate": 0.3}),
        ("inh", {"tau_m": 9.0}),
    ]
    for group, values in changes:
        for sim in (native, reference):
            sim.run(75)
            sim.set(group, values)
    for sim in (native, reference):
        sim.run(75)
    same_spikes(native.recorded(), reference.recorded())


def test_potential_of_a_current_pulse_is_the_closed_form():
    """One arrival of weight w at t0: v - v_rest = w tau_s tau_m/(cm (tau_m - tau_s)) (exp(-(t-t0)/tau_m) -
    exp(-(t-t0)/tau_s)), at every step.
    Margin: the propagator is applied 500 times, each with a relative rounding of 2^-53 of 65 mV."""
    cell = pt.IF_curr_exp(tau_m=20, cm=0.5, tau_syn_E=4, v_rest=-65, v_thresh=0)
    cells, source = pt.Population("cells", 3, cell), pt.Population("source", 1, pt.SpikeSourceArray([2.0]))
    net = pt.Network(
        "psp",
        [cells, source],
        [pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(0.3, 1.5))],
        recordings=[pt.Record(cells, "v")],
    )
    _, steps, values = ran(resolve(net, 1, 0.1), 500).traces["cells", "v"]
    t = np.maximum(steps * 0.1 - 3.5, 0.0)
    psp = 300.0 * 4 * 20 / (500.0 * 16) * (np.exp(-t / 20) - np.exp(-t / 4))
    np.testing.assert_allclose(
        values, np.repeat(-65 + psp[:, None], 3, axis=1), atol=500 * 65 * 2.0**-53 * 4, rtol=0
    )


def test_interspike_interval_of_a_constant_current_is_the_closed_form():
    """tau_m ln(RI/(RI - theta)), rounded up to the grid, plus the refractory period in whole steps."""
    cell = pt.IF_curr_exp(
        tau_m=10,
        cm=1,
        v_rest=-65,
        v_reset=-65,
        v_thresh=-50,
        tau_refrac=2,
        i_offset=pt.Array([1.6, 2.0, 3.0], "nA"),
    )
    cells = pt.Population("cells", 3, cell)
    ids, steps = ran(
        resolve(pt.Network("rate", [cells], recordings=[pt.Record(cells, "spikes")]), 1, 0.1), 2000
    ).spikes["cells"]
    for i, drive in enumerate((16.0, 20.0, 30.0)):
        passage = math.ceil(10 * math.log(drive / (drive - 15)) / 0.1)
        found = np.sort(steps[ids == i])
        assert found[0] == passage
        assert set(np.diff(found)) == {passage + 20}


def test_spikes_of_an_independent_loop():
    """A recurrent network of delta synapses, written out again in a dozen lines of numpy."""
    n, steps, dt = 150, 600, 0.1
    cells = pt.Population(
        "cells",
        n,
        pt.IF_curr_delta(tau_m=10, cm=0.25, tau_refrac=0.5, i_offset=pt.Uniform(0.3, 0.5)),
        initial={"v": pt.Uniform(-65, -50)},
    )
    net = pt.Network(
        "delta",
        [cells],
        [
            pt.Projection(
                cells,
                cells,
                pt.FixedInDegree(12),
                pt.StaticSynapse(pt.Uniform(-0.5, 0.7), pt.Uniform(0.1, 3)),
            )
        ],
        recordings=[pt.Record(cells, "spikes")],
    )
    program = resolve(net, 4, dt)
    (c,), (g,) = program.connections, program.cells
    v, left, due, expected = g.initial["v"].copy(), np.zeros(n, dtype=int), np.zeros((steps + 40, n)), []
    decay = math.exp(-dt / 10)
    for k in range(steps):
        rest = -65 + g.parameters["i_offset"] * 10 / 250
        v = np.where(left > 0, v, rest + (v - rest) * decay + due[k + 1])
        left = np.maximum(left - 1, 0)
        fired = np.flatnonzero(v >= -50)
        v[fired], left[fired] = -65, 5
        expected += [(k + 1, i) for i in fired]
        for i in fired:
            row = slice(c.indptr[i], c.indptr[i + 1])
            np.add.at(due, (k + 1 + c.delays[row].astype(int), c.targets[row]), c.weights[row])
    assert len(expected) > 200
    np.testing.assert_array_equal(spikes(ran(program, steps, threads=2))["cells"].T, expected)


@pytest.mark.parametrize(
    "events", [{}, {"in": "x = x*weight"}], ids=["with the update", "after arrivals one by one"]
)
def test_the_time_at_the_end_of_step_k_is_the_product_of_k_plus_1_and_dt(events):
    """2.1 ms are 105 steps of 0.02 ms: whether t > last + 2.1 ms holds after 105 or 106 of them is a matter
    of rounding, and k dt + dt is another number than (k+1) dt in 482 of the first 2000 steps."""
    dt, wait, last, expected = 0.02, 2.1, 0.0, []
    for k in range(1, 2001):
        if k * dt > last + wait:
            expected.append(k)
            last = k * dt
    clock = pt.cell_type(
        "clock", equations="dlast/dt = 0/wait : ms\n dx/dt = 0/wait : 1", parameters={"wait": "2.1 ms"},
        conditions=[("t > last + wait", "spike; last = t")], events=events,
    )  # fmt: skip
    cells, source = pt.Population("cells", 3, clock()), pt.Population("source", 1, pt.SpikeSourceArray([1.0]))
    arrivals = (
        [pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(1.0, 0.1), "in")] if events else []
    )
    r = pt.run(
        pt.Network("clocks", [cells, source], arrivals, recordings=[pt.Record(cells, "spikes")]),
        "native",
        "40 ms",
        dt=dt,
        integrator="euler",
    )
    assert 105 in np.diff(expected)
    assert 106 in np.diff(expected)
    np.testing.assert_array_equal(r.spikes["cells"].steps[r.spikes["cells"].ids == 1], expected)


def test_arrivals_handled_one_by_one():
    """Own equations: a port that saturates, one that multiplies, one that adds; two conditions; an equation
    that reads t.
    """
    cell = pt.cell_type(
        "own",
        equations="""
            drive = i0*(1 + 0.5*sin(t/(7 ms))) : mV
            dv/dt = (v_rest - v + drive + g*(20 mV))/tau : mV (held)
            dg/dt = -g/tau_g : 1
            dw/dt = -w/tau : 1
        """,
        parameters={"v_rest": "-60 mV", "tau": "10 ms", "tau_g": "5 ms", "i0": "12 mV", "tau_refrac": "1 ms"},
        threshold="v >= -50 mV",
        reset="v = -60 mV; w += 1",
        refractory="tau_refrac",
        events={
            "saturating": "g += weight*(1 - g)",
            "scaling": "g *= 1 - weight; v -= w*(1 mV)",
            "plain": "g += 0.5*weight",
        },
    )
    cells, source = (
        pt.Population("cells", 90, cell, initial={"v": pt.Uniform(-60, -50)}),
        pt.Population("source", 40, pt.SpikeSourcePoisson(rate=100)),
    )
    made = [
        pt.Projection(
            source,
            cells,
            pt.FixedInDegree(8),
            pt.StaticSynapse(pt.Uniform(0, 0.5), pt.Uniform(0.1, 1)),
            receptor=r,
        )
        for r in ("saturating", "plain")
    ]
    made.append(
        pt.Projection(cells, cells, pt.FixedInDegree(5), pt.StaticSynapse(0.2, 0.3), receptor="scaling")
    )
    program = resolve(
        pt.Network(
            "own",
            [cells, source],
            made,
            recordings=[pt.Record(cells, "spikes"), pt.Record(cells, ["v", "g", "w"])],
        ),
        2,
        0.1,
    )
    sim = REFERENCE.open(REFERENCE.lower(program, RunConfig()).plan)
    sim.run(300)
    expected = sim.recorded()
    for threads in (1, 2):
        found = ran(program, 300, threads=threads)
        same_spikes(found, expected)
        for key, (_, _, values) in expected.traces.items():
            np.testing.assert_allclose(found.traces[key][2], values, rtol=1e-9, atol=1e-9)


def test_a_state_that_is_not_finite_is_named():
    cell = pt.cell_type(
        "explosive", equations="dx/dt = x*x/tau : 1", parameters={"tau": "1 ms"}, initial={"x": "0"}
    )
    cells = pt.Population("boom", 70, cell, initial={"x": pt.Array([0.0] * 65 + [3.0] + [0.0] * 4, "1")})
    sim = session(resolve(pt.Network("net", [cells]), 1, 0.1), threads=2)
    with pytest.raises(BackendFailed, match=r"'boom': x of cell 65 is (inf|nan) at 20 ms"):
        sim.run(200)
    sim.close()


def test_compact_mode_uses_float32_weights():
    """Same network with weights rounded to float32: they are on a dyadic grid, so nothing changes at all."""
    cells = pt.Population("cells", 100, pt.IF_curr_exp(i_offset=1.0), initial={"v": pt.Uniform(-65, -50)})
    weights = pt.Array(np.arange(2000) % 64 / 4.0, "pA")
    i = np.arange(2000)
    net = pt.Network(
        "compact",
        [cells],
        [pt.Projection(cells, cells, pt.Explicit(i % 100, (i * 7) % 100), pt.StaticSynapse(weights, 1.0))],
        recordings=[pt.Record(cells, "spikes")],
    )
    program = resolve(net, 1, 0.1)
    sim = session(program, compact=True)
    assert sim.parts.synapses[0].weights.dtype == np.float32
    sim.run(500)
    same_spikes(sim.recorded(), ran(program, 500))


@pytest.mark.parametrize("delivery", ["due", "ring"])
@pytest.mark.parametrize("threads", [1, 2])
def test_native_in_every_layout(delivery: str, threads: int) -> None:
    net = conformance_network()
    program = resolve(net, 3, 0.1)
    with pt.open(
        net, "native", dt=0.1, seed=3, program=program, threads=threads, options={"delivery": delivery}
    ) as sim:
        found = read_back(program, sim.connections())
    assert (found.connections, found.missing, found.weight_error, found.delay_error) == (
        program.synapses,
        0,
        0.0,
        0.0,
    )


def test_rates_of_sources_are_set_without_any_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """New rates change tables alone: no function is made or loaded again, the spikes are the reference's, and
    an array is a list of its numbers. Connections that learn keep their functions' numbers."""
    rates = np.linspace(0.0, 400.0, 10)
    cells = pt.Population("cells", 5, pt.IF_curr_exp(i_offset=0.6))
    noise = pt.Population("noise", 10, pt.SpikeSourcePoisson(rate=20.0))
    learning = pt.Projection(noise, cells, pt.AllToAll(), pt.STDP(weight=0.1, w_max=0.2), name="learning")
    net = pt.Network("rates", [cells, noise], [learning], recordings=[pt.Record([cells, noise], "spikes")])
    found = []
    for backend, kind in (("native", np.array), ("native", list), ("reference", np.array)):
        with pt.open(net, backend, seed=3) as sim, monkeypatch.context() as patch:
            sim.run("50 ms")
            patch.setattr("portable.backends.machine.library.load", None)
            sim.set(noise, rate=kind(rates))
            sim.run("50 ms")
            sim.set(noise[4:7], rate=kind(rates[:3]))
            sim.run("50 ms")
            found.append((sim.results(), np.asarray(sim.weights(learning))))
    for results, weights in found[1:]:
        for population in ("cells", "noise"):
            a, b = found[0][0].spikes[population], results.spikes[population]
            assert len(a) > 10
            np.testing.assert_array_equal(a.times, b.times)
            np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_allclose(weights, found[0][1], rtol=1e-12)
