"""Cells, trains, currents and recordings of a Program; times on the grid; every bad value."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import portable as pt
from portable.resolve import resolve
from portable.resolve.grid import on_grid
from portable.resolve.program import TrainGroup


def one(cell, size=4, dt=0.1, seed=1, initial=None, **more):
    p = pt.Population("a", size, cell, initial)
    return resolve(pt.Network("n", [p], **{k: v(p) for k, v in more.items()}), seed, dt)


def test_constants_stay_numbers_and_are_coherent():
    g = one(pt.IF_curr_exp(cm=0.25, tau_m="20 ms", i_offset="0.1 nA", tau_refrac=2.0)).group("a")
    assert (g.parameters["cm"], g.parameters["tau_m"], g.parameters["i_offset"], g.refractory) == (
        250.0,
        20.0,
        100.0,
        20,
    )
    assert all(isinstance(v, float) for v in [*g.parameters.values(), *g.initial.values()])


def test_arrays_and_distributions_give_one_value_a_cell():
    g = one(
        pt.IF_curr_exp(cm=[0.1, 0.2, 0.3, 0.4], tau_m=pt.Uniform(10, 20)), initial={"v": pt.Uniform(-65, -50)}
    ).group("a")
    assert np.array_equal(g.parameters["cm"], [100.0, 200.0, 300.0, 400.0])
    assert g.parameters["tau_m"].shape == (4,)
    assert np.all((g.initial["v"] >= -65) & (g.initial["v"] < -50))


def test_states_begin_where_the_cell_type_says():
    assert one(pt.IF_curr_exp(v_rest=-70)).group("a").initial == {
        "v": -70.0,
        "isyn_exc": 0.0,
        "isyn_inh": 0.0,
    }
    g = one(pt.Izhikevich(b=0.25, c=[-65.0, -60.0, -55.0, -50.0])).group("a")
    assert np.array_equal(g.initial["v"], [-65.0, -60.0, -55.0, -50.0])
    assert np.array_equal(g.initial["u"], 0.25 * g.initial["v"])
    assert one(pt.Izhikevich(), initial={"u": -14.0}).group("a").initial == {"v": -65.0, "u": -14.0}


def test_refractory_periods_of_arrays_and_expressions():
    assert np.array_equal(
        one(pt.IF_curr_exp(tau_refrac=[0.0, 0.1, 2.0, 0.3])).group("a").refractory, [0, 1, 20, 3]
    )
    own = pt.cell_type(
        "own",
        equations="dv/dt = -v/tau : mV (held)",
        threshold="v > 1 mV",
        reset="v = 0 mV",
        refractory="2*pause + 1 ms",
        parameters={"tau": "10 ms", "pause": "0.2 ms"},
    )
    assert one(own()).group("a").refractory == 14


def test_drawn_refractory_periods_are_rounded_and_reported():
    program = one(pt.IF_curr_exp(tau_refrac=pt.Uniform(1.0, 3.0)), size=500)
    g = program.group("a")
    assert np.array_equal(g.refractory, np.floor(g.parameters["tau_refrac"] / 0.1 + 0.5))
    (note,) = program.approximations
    assert (note.where, note.largest_error) == ("population 'a'.tau_refrac", "0.05 ms")


def test_drawn_delays_are_rounded_at_least_one_step_and_reported():
    connect = {
        "projections": lambda p: [
            pt.Projection(p, p, pt.AllToAll(), pt.StaticSynapse(1.0, pt.Normal(0.3, 0.5)))
        ]
    }
    program = one(pt.IF_curr_exp(), size=60, **connect)
    assert program.connections[0].delay_range()[0] == 1
    (note,) = program.approximations
    assert (note.where, note.largest_error) == ("projection 'a->a/excitatory'.delay", "0.05 ms")
    assert "at least 1" in note.got


def test_nothing_is_reported_where_nothing_is_rounded():
    connect = {
        "projections": lambda p: [pt.Projection(p, p, pt.AllToAll(), pt.StaticSynapse(pt.Uniform(0, 1), 1.5))]
    }
    program = one(pt.IF_curr_exp(tau_m=pt.Uniform(1, 2)), **connect)
    assert program.approximations == ()
    assert program.connections[0].delays == 15


@pytest.mark.parametrize(("longest", "dtype"), [(25.5, np.uint8), (25.6, np.uint16)])
def test_delays_take_one_byte_where_they_fit(longest, dtype):
    for delay in (pt.Uniform(0.1, longest), np.array([0.1, longest, 1.0, 2.0])):
        (c,) = one(
            pt.IF_curr_exp(),
            projections=lambda p, d=delay: [pt.Projection(p, p, pt.OneToOne(), pt.StaticSynapse(1.0, d))],
        ).connections
        assert c.delays.dtype == dtype


@pytest.mark.parametrize(
    "connector",
    [
        pt.FixedProbability(0.0),
        pt.FixedInDegree(0),
        pt.FixedTotalNumber(0),
        pt.FixedTotalNumber(0, False, False),
        pt.Explicit([], []),
        pt.AllToAll(False),
    ],
)
@pytest.mark.parametrize("drawn", [True, False])
def test_no_connections_are_a_network_too(connector, drawn):
    synapse = pt.StaticSynapse(pt.Uniform(0, 1), pt.Uniform(1, 2)) if drawn else pt.StaticSynapse(1.0, 1.5)
    (c,) = one(
        pt.IF_curr_exp(), size=1, projections=lambda p: [pt.Projection(p, p, connector, synapse)]
    ).connections
    assert (c.count, c.indptr.tolist(), c.delay_range()) == (0, [0, 0], (0, 0))


# ---- the grid


@given(k=st.integers(1, 10**9), dt=st.sampled_from([0.1, 0.05, 0.025, 0.01, 1.0, 0.125, 1 / 3]))
def test_whole_steps_are_found_again(k, dt):
    """k*dt, rounded as users print it (12 digits), is k steps."""
    assert on_grid(np.array([k * dt]), dt, "x")[0] == k
    assert on_grid(np.array([float(f"{k * dt:.12g}")]), dt, "x")[0] == k


@given(k=st.integers(0, 10**5), off=st.floats(0.01, 0.99))
def test_times_between_steps_are_refused(k, off):
    with pytest.raises(pt.ModelError, match="must be a whole number of steps"):
        on_grid(np.array([(k + off) * 0.1]), 0.1, "x")


def test_times_added_up_are_on_the_grid():
    """A million additions of 0.1 ms are off by 1.3e-6 ms: that is the user's rounding error, not another
    time.
    """
    times = np.cumsum(np.full(1_000_000, 0.1))
    assert np.array_equal(on_grid(times, 0.1, "x"), np.arange(1, 1_000_001))


# ---- sources, currents, recordings


def test_spike_trains_are_sorted_steps():
    g = one(pt.SpikeSourceArray([[3.0, 0.1, 3.0], [], [1.5], [2.0]])).group("a")
    assert isinstance(g, TrainGroup)
    assert g.indptr.tolist() == [0, 3, 3, 4, 5]
    assert g.steps.tolist() == [1, 30, 30, 15, 20]


def test_one_train_is_shared_by_all_cells():
    g = one(pt.SpikeSourceArray([1.0, 2.0]), size=3).group("a")
    assert g.indptr.tolist() == [0, 2, 4, 6]
    assert g.steps.tolist() == [10, 20] * 3


def test_constant_currents():
    program = one(
        pt.IF_curr_exp(),
        inputs=lambda p: [
            pt.Injection(pt.DCSource("50 pA", start=1.0, stop=3.0), [p[2:], p[[0]]]),
            pt.Injection(pt.DCSource([0.1, 0.2]), p[:2]),
        ],
    )
    first, second, third = program.currents
    assert (first.ids.tolist(), first.steps.tolist(), first.amplitude.tolist()) == (
        [2, 3],
        [10, 30],
        [[50.0, 0.0]],
    )
    assert (second.ids.tolist(), second.amplitude.tolist()) == ([0], [[50.0, 0.0]])
    assert (third.ids.tolist(), third.steps.tolist(), third.amplitude.tolist()) == (
        [0, 1],
        [0],
        [[100.0], [200.0]],
    )


def test_drawn_currents_have_one_value_a_cell():
    program = one(
        pt.IF_curr_exp(),
        size=1000,
        inputs=lambda p: [pt.Injection(pt.DCSource(pt.Normal("0.1 nA", "0.01 nA")), [p[:400], p[400:]])],
    )
    a, b = (c.amplitude for c in program.currents)
    assert (a.shape, b.shape) == ((400, 1), (600, 1))
    both = np.concatenate([a, b])
    assert abs(both.mean() - 100) < 5 * 10 / np.sqrt(1000)
    assert np.unique(both).size == 1000


def test_step_currents():
    (c,) = one(
        pt.IF_curr_exp(),
        inputs=lambda p: [pt.Injection(pt.StepCurrentSource([0.0, 1.0, 2.5], [0.1, -0.2, 0.0]), p)],
    ).currents
    assert c.steps.tolist() == [0, 10, 25]
    assert c.amplitude.tolist() == [[100.0, -200.0, 0.0]]


def test_a_cell_that_an_injection_names_twice_gets_the_sum():
    """Each cell once in a Current; cells named once keep their order, and one amplitude stays one row."""
    (a, b) = one(
        pt.IF_curr_exp(),
        inputs=lambda p: [
            pt.Injection(pt.DCSource([0.1, 0.2, 0.4], stop=2.0), p[[3, 1, 3]]),
            pt.Injection(pt.DCSource("50 pA"), p[[3, 1]]),
        ],
    ).currents
    assert (a.ids.tolist(), a.amplitude.tolist()) == ([1, 3], [[200.0, 0.0], [500.0, 0.0]])
    assert (b.ids.tolist(), b.amplitude.tolist()) == ([3, 1], [[50.0]])


@pytest.mark.parametrize(
    ("delay", "remedy"), [(0.05, "use 0.1 ms,"), (0.15, "use 0.1 or 0.2 ms,"), (0.01, "use 0.1 ms,")]
)
def test_the_remedy_of_a_delay_off_the_grid_is_accepted(delay, remedy):
    with pytest.raises(pt.ModelError, match=re.escape(remedy)):
        one(pt.IF_curr_exp(), **connected(pt.StaticSynapse(1.0, delay)))
    least = float(remedy.split()[1])
    assert one(pt.IF_curr_exp(), **connected(pt.StaticSynapse(1.0, least))).connections[0].delays == 1


def test_no_connections_may_have_arrays_of_none():
    """Empty lists are what a script has that found no pair."""
    synapse = pt.StaticSynapse([], [])
    more = {"projections": lambda p: [pt.Projection(p, p, pt.Explicit([], []), synapse)]}
    assert one(pt.IF_curr_exp(), **more).synapses == 0
    with pytest.raises(pt.ModelError, match=r"tau_m: has 0 values for 4 cells"):
        one(pt.IF_curr_exp(tau_m=[]))


@pytest.mark.parametrize("attribute", ["weight", "delay"])
def test_a_matrix_is_told_how_to_become_a_list(attribute):
    """What the message says works: rows by source for AllToAll, what is not 0 for Explicit."""
    m = np.array([[0.5, 0.0], [1.5, 2.5]])
    with pytest.raises(pt.ModelError, match=r"got shape \(2, 2\).*m\.ravel\(\) with AllToAll"):
        one(pt.IF_curr_exp(), 2, **connected(pt.StaticSynapse(**{attribute: m})))
    for connector, numbers in ((pt.AllToAll(), m.ravel()), (pt.Explicit(*m.nonzero()), m[m != 0])):
        synapse = pt.StaticSynapse(numbers)
        more = {"projections": lambda p, c=connector, s=synapse: [pt.Projection(p, p, c, s)]}
        (made,) = one(pt.IF_curr_exp(), 2, **more).connections
        found = np.zeros((2, 2))
        found[made.sources(), made.targets] = made.weights
        assert np.array_equal(found, 1000.0 * m)


def test_records_of_one_variable_are_joined():
    program = one(
        pt.IF_curr_exp(),
        size=10,
        recordings=lambda p: [
            pt.Record(p[:3]),
            pt.Record([p[2:5], p[[9]]]),
            pt.Record(p[[5, 1]], ["v", "isyn_exc"], interval=0.5),
            pt.Record(p[:2], "v", interval=0.5),
        ],
    )
    assert {k: v.tolist() for k, v in program.spikes.items()} == {"a": [0, 1, 2, 3, 4, 9]}
    assert [(t.variable, t.ids.tolist(), t.every) for t in program.traces] == [
        ("v", [0, 1, 5], 5),
        ("isyn_exc", [1, 5], 5),
    ]


# ---- bad values, one clear error each


def connected(synapse):
    return {"projections": lambda p: [pt.Projection(p, p, pt.OneToOne(), synapse)]}


@pytest.mark.parametrize(
    ("cell", "more", "message"),
    [
        (
            lambda: pt.IF_curr_exp(tau_refrac=0.15),
            {},
            r"^population 'a'\.tau_refrac: must be a whole number of steps of 0.1 ms, got 0.15 ms; use 0.1 "
            r"or 0.2 ms, or another dt$",
        ),
        (
            lambda: pt.IF_curr_exp(tau_refrac=[0.1, 0.2, 0.25, 0.3]),
            {},
            r"^population 'a'\.tau_refrac\[2\]: must be a whole number",
        ),
        (
            lambda: pt.IF_curr_exp(tau_m=pt.Normal(1.0, 5.0)),
            {},
            r"^population 'a'\.tau_m\[\d+\]: must be > 0 ms, drew -[\d.]+ for cell \d+; give the "
            r"distribution a bound low=",
        ),
        (
            lambda: pt.IF_curr_exp(v_rest=pt.Normal(-65.0, 1.0, low=-50)),
            {},
            r"^population 'a'\.v_rest: .*inside its bounds",
        ),
        (
            lambda: pt.SpikeSourceArray([0.1, 0.25]),
            {},
            r"^population 'a'\.spike_times\[1\]: must be a whole number of steps of 0.1 ms, got 0.25 ms; "
            r"use 0.2 or 0.3 ms",
        ),
        (
            lambda: pt.SpikeSourceArray([[0.1], [0.2], [0.3], [0.4, 0.41]]),
            {},
            r"^population 'a'\.spike_times\[3\]\[1\]: must be a whole number",
        ),
        (
            pt.IF_curr_exp,
            connected(pt.StaticSynapse(1.0, 0.05)),
            r"^projection 'a->a/excitatory'\.delay: must be a whole number of steps",
        ),
        (
            pt.IF_curr_exp,
            connected(pt.StaticSynapse(1.0, 1e-9)),
            r"^projection 'a->a/excitatory'\.delay: must be at least 0.1 ms \(1 step\), got 1e-09 ms",
        ),
        (
            pt.IF_curr_exp,
            connected(pt.StaticSynapse(1.0, [0.1, 0.2, 0.33, 0.1])),
            r"^projection 'a->a/excitatory'\.delay\[2\]: must be a whole number",
        ),
        (
            pt.IF_curr_exp,
            connected(pt.StaticSynapse(1.0, 7000.0)),
            r"^projection 'a->a/excitatory'\.delay: must be at most 65535 steps of 0.1 ms, got 70000 steps",
        ),
        (
            pt.IF_curr_exp,
            connected(pt.StaticSynapse(1.0, pt.Lognormal(1.0, 500.0))),
            r"^projection 'a->a/excitatory'\.delay: .*more than 65535 steps.*high=",
        ),
        (
            pt.IF_curr_exp,
            connected(pt.StaticSynapse(pt.Normal(1.0, 0.1, low=3.0), 1.0)),
            r"^projection 'a->a/excitatory'\.weight: .*inside its bounds",
        ),
        (
            pt.IF_curr_exp,
            {"inputs": lambda p: [pt.Injection(pt.DCSource(0.1, start=0.01), p)]},
            r"^inputs\[0\]\.source\.start: must be a whole number",
        ),
        (
            pt.IF_curr_exp,
            {"inputs": lambda p: [pt.Injection(pt.DCSource(0.1, stop=0.17), p)]},
            r"^inputs\[0\]\.source\.stop: must be a whole number",
        ),
        (
            pt.IF_curr_exp,
            {"inputs": lambda p: [pt.Injection(pt.StepCurrentSource([0.1, 0.22], [1, 2]), p)]},
            r"^inputs\[0\]\.source\.times\[1\]: must be a whole number",
        ),
        (
            pt.IF_curr_exp,
            {"recordings": lambda p: [pt.Record(p, "v", interval=0.25)]},
            r"^recordings\[0\]\.interval: must be a whole number",
        ),
        (
            pt.IF_curr_exp,
            {"recordings": lambda p: [pt.Record(p, "v", interval=0.2), pt.Record(p[:2], "v")]},
            r"^recordings\[1\]\.interval: 'a'\.v is already recorded every 0.2 ms, got 0.1 ms; use one "
            r"interval",
        ),
    ],
)
def test_bad_values_are_refused(cell, more, message):
    with pytest.raises(pt.ModelError, match=message):
        one(cell(), **more)


def test_drawn_time_constants_must_be_positive():
    """Bounds that leave room for 0 are seen only in the draw: the error names the cell."""
    cell = pt.cell_type(
        "own",
        equations="dv/dt = x*v/ms : mV",
        threshold="v > 1 mV",
        reset="v = 0 mV",
        parameters={"x": 1.0},
        initial={"v": "sqrt(x)*mV"},
    )
    with (
        pytest.raises(
            pt.ModelError, match=r"^population 'a'\.initial\['v'\]: is nan for cell \d+; check the parameters"
        ),
        np.errstate(invalid="ignore"),
    ):
        one(cell(x=pt.Normal(0.0, 1.0)), size=50)


@pytest.mark.parametrize(
    "weight",
    [pt.Normal("0.3 nS", "0.05 nS"), pt.Uniform("1e-9 uS", "3e-9 uS"), pt.Lognormal("12 nS", "4 nS")],
)
def test_sums_of_drawn_weights_do_not_depend_on_their_order(weight):
    """Drawn weights lie on a dyadic grid, so that every order of arrivals at a cell gives the same bits;
    nothing else of them changes.
    """
    cells = pt.Population("cells", 100, pt.IF_cond_exp())
    net = pt.Network(
        "grid", [cells], [pt.Projection(cells, cells, pt.AllToAll(), pt.StaticSynapse(weight, 1.0))]
    )
    drawn = resolve(net, 1).connections[0].weights
    assert drawn.dtype == np.float32
    w = drawn.astype(np.float64)
    assert len(np.unique(w)) > 9000
    rng = np.random.default_rng(0)
    sums = {float(np.add.accumulate(w[rng.permutation(w.size)])[-1]) for _ in range(50)}
    assert len(sums) == 1
    smallest = min(abs(w[w != 0]))
    scale = 2.0 ** (32 if smallest > 2**-8 else 60)
    np.testing.assert_array_equal(w * scale, np.round(w * scale))
