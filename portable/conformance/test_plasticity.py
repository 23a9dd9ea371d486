"""Connections that learn: the same spikes and the same weights as the reference, rule by rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.conformance.reference import ReferenceRuns

pytestmark = pytest.mark.needs(
    "cells.linear",
    "cells.refractory",
    "receptors.jump",
    "record.spikes",
    "sources.poisson.frozen",
    "synapses.static",
    "synapses.plastic",
)
READ = pytest.mark.needs("session.synapses", "session.pieces")
OWN = pytest.mark.needs("synapses.states")
# Weights differ by rounding alone: sums of some hundred changes of 1e-2 of the range, each to 1e-16, decayed
# from tables or by exp.
CLOSE = 1e-12
WEIGHT = pt.Uniform("20 pA", "180 pA")
RANGE = {"w_max": "200 pA"}
RULES: dict[str, tuple[Any, dict[str, Any]]] = {
    "additive": (pt.STDP, RANGE),
    "multiplicative": (pt.STDP, {**RANGE, "mu_plus": 1.0, "mu_minus": 1.0}),
    "guetig": (pt.STDP, {**RANGE, "mu_plus": 0.4, "mu_minus": 0.4, "tau_minus": "34 ms", "w_min": "10 pA"}),
    "nearest": (pt.STDP_nearest, RANGE),
    "centered": (pt.STDP_presynaptic_centered, RANGE),
    "restricted": (pt.STDP_restricted, RANGE),
    "power": (pt.STDP_power, {"w_ref": "1 pA"}),
    "triplet": (pt.Triplet, RANGE),
    "vogels": (pt.VogelsSprekeler, {**RANGE, "rho0": "8 Hz"}),
    "depressing": (pt.TsodyksMarkram, {"U": 0.45, "tau_rec": "130 ms"}),
    "facilitating": (pt.TsodyksMarkram, {"U": 0.15, "tau_rec": "40 ms", "tau_facil": "300 ms"}),
}
STATES = {"centered", "restricted", "depressing", "facilitating"}
EACH = [pytest.param(n, marks=[OWN] if n in STATES else []) for n in RULES]


def network(
    synapse: Any, *, recurrent: bool = True, every: Any = "50 ms"
) -> tuple[pt.Network, pt.Projection]:
    """Cells that fire at some 20 Hz, with plastic connections from sources (multapses) and among themselves
    (autapses); drawn delays.
    """
    cells = pt.Population(
        "cells", 20, pt.IF_curr_exp(i_offset=0.4, tau_refrac=2.0), initial={"v": pt.Uniform(-65, -50)}
    )
    noise = pt.Population("noise", 20, pt.SpikeSourcePoisson(rate=900.0))
    few = pt.Population("few", 15, pt.SpikeSourcePoisson(rate=40.0))
    forward = pt.Projection(few, cells, pt.FixedInDegree(12), synapse, name="forward")
    back = pt.Projection(cells, cells, pt.FixedProbability(0.4), synapse, name="back")
    net = pt.Network(
        "plastic",
        [cells, noise, few],
        [
            pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse("150 pA", 1.0)),
            *([forward, back] if recurrent else [forward]),
        ],
        recordings=[
            pt.Record([cells, few], "spikes"),
            *([pt.Record(forward, "weight", every), pt.Record(back, "weight", every)] if recurrent else []),
        ],
    )
    return net, forward


def rule(name: str, **more: Any) -> Any:
    kind, parameters = RULES[name]
    return kind(WEIGHT, pt.Uniform("0.3 ms", "4 ms"), **{**parameters, **more})


def same(a: pt.Results, b: pt.Results) -> None:
    """Identical spikes, weights that differ by rounding."""
    for name in b.spikes:
        np.testing.assert_array_equal(a.spikes[name].steps, b.spikes[name].steps)
        np.testing.assert_array_equal(a.spikes[name].ids, b.spikes[name].ids)
    assert b.synapses.keys() == a.synapses.keys()
    for key, truth in b.synapses.items():
        got = a.synapses[key]
        for what in ("sources", "targets", "steps"):
            np.testing.assert_array_equal(getattr(got, what), getattr(truth, what))
        scale = max(np.abs(truth.values).max(), 1e-300)
        np.testing.assert_allclose(got.values / scale, truth.values / scale, rtol=0, atol=CLOSE)


@READ
@pytest.mark.parametrize("name", EACH)
def test_rule(backend: str, name: str, reference: ReferenceRuns) -> None:
    """Every rule of the library in a recurrent network."""
    net, _ = network(rule(name))
    truth = reference(net, "400 ms", seed=3)
    assert len(truth.spikes["cells"]) > 80
    weights = truth.weights["forward"].values
    still = name in ("depressing", "facilitating")  # these change what is sent, not the weight
    assert np.all(weights[0] == weights[-1]) == still
    same(pt.run(net, backend, "400 ms", seed=3, inputs="frozen"), truth)


@READ
@pytest.mark.needs("synapses.heterogeneous")
def test_parameters_for_each_connection(backend: str, reference: ReferenceRuns) -> None:
    """Time constants and amplitudes drawn for each connection: traces are no cell's any more."""
    drawn = {"tau_plus": pt.Uniform("10 ms", "30 ms"), "tau_minus": pt.Uniform("15 ms", "40 ms")}
    net, _ = network(rule("additive", **drawn, a_plus=pt.Uniform(0.005, 0.02)))
    same(pt.run(net, backend, "300 ms", seed=8, inputs="frozen"), reference(net, "300 ms", seed=8))


@READ
@pytest.mark.needs("synapses.axonal")
@pytest.mark.parametrize("fraction", [0.2, 0.6])
def test_axonal_part_of_the_delay(backend: str, fraction: float, reference: ReferenceRuns) -> None:
    """Spikes of the source are seen later, those of the target earlier."""
    net, _ = network(rule("guetig", dendritic_delay_fraction=fraction))
    same(pt.run(net, backend, "300 ms", seed=4, inputs="frozen"), reference(net, "300 ms", seed=4))


@READ
def test_an_own_rule(backend: str, reference: ReferenceRuns) -> None:
    """A user's text is as good as the library's: here two traces of the target, and one of the source."""
    kind = pt.synapse_type(
        "Mine",
        parameters={"tau": "15 ms", "slow": "60 ms", "eta": 0.02, "w_max": "weight", "target": 1.5},
        pre_traces="dp/dt = -p/tau : 1",
        post_traces="dq/dt = -q/tau : 1\ndz/dt = -z/slow : 1",
        on_post="weight += eta*w_max*p*exp(-z/target)",
        on_pre="weight -= eta*weight*(q - 0.3*z^2)",
        after_pre="p = 0.5*p + 1",
        after_post="q += 1; z += 1 - 0.1*z",
        bounds=("0", "w_max"),
        positive=("tau", "slow"),
    )
    net, _ = network(kind(WEIGHT, pt.Uniform("0.3 ms", "4 ms"), w_max="250 pA"))
    same(pt.run(net, backend, "300 ms", seed=5, inputs="frozen"), reference(net, "300 ms", seed=5))


@READ
@pytest.mark.needs("synapses.states")
def test_states_of_connections(backend: str) -> None:
    """u and r of short-term plasticity, read at any time."""
    net, forward = network(rule("facilitating"))
    found = {}
    for name in ("reference", backend):
        with pt.open(net, name, seed=2, inputs="frozen", needs=["session.synapses", "session.pieces"]) as sim:
            sim.run("123.4 ms")
            sim.run("61 ms")
            found[name] = [np.asarray(sim.synapses(forward, v)) for v in ("u", "r")]
    for a, b in zip(found[backend], found["reference"], strict=True):
        assert np.ptp(b) > 0.1
        np.testing.assert_allclose(a, b, rtol=0, atol=CLOSE)


@READ
@pytest.mark.needs("session.synapses.set", "session.plastic")
def test_set_scale_and_hold(backend: str) -> None:
    """Weights set and scaled, learning switched off and on: what has been sent keeps its weight."""
    net, forward = network(rule("guetig"), every="10 ms")
    back = net.projections[2]
    runs = []
    for name in ("reference", backend):
        needs = ["session.synapses", "session.pieces", "session.synapses.set", "session.plastic"]
        with pt.open(net, name, seed=6, inputs="frozen", needs=needs) as sim:
            sim.run("70.3 ms")
            sim.set(forward, weight="150 pA")
            sim.run("40 ms")
            held = sim.weights(back)
            sim.plastic(back, False)
            sim.run("50.1 ms")
            np.testing.assert_array_equal(np.asarray(sim.weights(back)), np.asarray(held))
            sim.set(back, weight=0.8 * np.asarray(sim.weights(back)) + 0.002)
            sim.plastic(back, True)
            sim.run("60 ms")
            runs.append(sim.results())
    same(runs[1], runs[0])
    assert len(runs[0].spikes["cells"]) > 40


@READ
def test_pieces_equal_one_run(backend: str) -> None:
    """Weights and spikes do not depend on when one looks."""
    net, _ = network(rule("additive"))
    whole = pt.run(net, backend, "200 ms", seed=9, inputs="frozen")
    with pt.open(net, backend, seed=9, inputs="frozen", needs=["session.synapses", "session.pieces"]) as sim:
        for piece in (0.1, 33.3, 66.6, 100.0):
            sim.run(piece)
        found = sim.results()
    for key, table in whole.synapses.items():
        np.testing.assert_array_equal(found.synapses[key].values, table.values)
    same(found, whole)


@READ
@pytest.mark.parametrize("threads", [2, 4])
def test_threads_give_the_same_bits(backend: str, threads: int) -> None:
    net, _ = network(rule("triplet"))
    one = pt.run(net, backend, "200 ms", seed=1, inputs="frozen", threads=1)
    many = pt.run(net, backend, "200 ms", seed=1, inputs="frozen", threads=threads)
    for key, table in one.synapses.items():
        np.testing.assert_array_equal(many.synapses[key].values, table.values)
    same(many, one)


@READ
@pytest.mark.needs("cells.heterogeneous")
def test_two_time_constants_on_one_population(backend: str, reference: ReferenceRuns) -> None:
    """Traces belong to the projection, not to the cell."""
    net, _ = network(rule("additive"))
    first, forward, back = net.projections
    other = pt.Projection(
        forward.pre, forward.post, pt.FixedProbability(0.5), rule("additive", tau_minus="55 ms"), name="other"
    )
    both = pt.Network(
        "both", net.populations, [first, forward, other, back],
        recordings=[*net.recordings, pt.Record(other, "weight", "50 ms")],
    )  # fmt: skip
    same(pt.run(both, backend, "200 ms", seed=1, inputs="frozen"), reference(both, "200 ms", seed=1))


@READ
def test_negative_weights(backend: str, reference: ReferenceRuns) -> None:
    """Inhibition by current: w_max is below w_min, and weights lie between."""
    net, _ = network(pt.STDP(pt.Uniform("-120 pA", "-10 pA"), pt.Uniform("0.3 ms", "4 ms"), w_max="-150 pA"))
    same(pt.run(net, backend, "200 ms", seed=1, inputs="frozen"), reference(net, "200 ms", seed=1))


def rewarded(**parameters: Any) -> pt.Network:
    """The network with dopamine: the spikes of three sources, 7 ms later."""
    net, _ = network(rule("additive"))
    synapse = pt.DopamineSTDP(
        WEIGHT,
        pt.Uniform("0.3 ms", "4 ms"),
        **{"w_max": "200 pA", "tau_c": "150 ms", "tau_n": "60 ms", **parameters},
    )
    dopamine = pt.Population("dopamine", 3, pt.SpikeSourcePoisson(rate=15.0))
    first, forward, back = net.projections
    made = [
        pt.Projection(p.pre, p.post, p.connector, synapse, name=p.name, signal=dopamine, signal_delay="7 ms")
        for p in (forward, back)
    ]
    records = [r for r in net.recordings if r.synapses is None] + [
        pt.Record(p, "weight", "50 ms") for p in made
    ]
    return pt.Network("rewarded", [*net.populations, dopamine], [first, *made], recordings=records)


@READ
@pytest.mark.needs("synapses.signal", "synapses.drift", "synapses.states")
@pytest.mark.parametrize("amount", [0.001, 0.5])
def test_a_third_factor(backend: str, amount: float, reference: ReferenceRuns) -> None:
    """Weights drift with eligibility and dopamine; with the larger amount they reach their bounds, where the
    drift changes its sign in between.
    """
    net = rewarded(a_plus=amount, a_minus=1.2 * amount, b="30 Hz")
    truth = reference(net, "300 ms", seed=2)
    ends = truth.weights["forward"].values[-1]
    assert (np.any(ends == 0.0) or np.any(ends == 0.2)) == (amount == 0.5)
    same(pt.run(net, backend, "300 ms", seed=2, inputs="frozen"), truth)


@READ
@pytest.mark.needs("synapses.signal", "synapses.states")
def test_a_rule_that_learns_at_the_signal(backend: str, reference: ReferenceRuns) -> None:
    """Three factors without drift: what is eligible is learnt when the signal comes."""
    kind = pt.synapse_type(
        "ThreeFactors",
        parameters={"tau": "20 ms", "tau_e": "80 ms", "eta": 0.3, "w_max": "weight"},
        pre_traces="dx/dt = -x/tau : 1",
        signal_traces="ds/dt = -s/tau_e : 1",
        equations="de/dt = -e/tau_e : 1",
        on_post="e += x",
        on_signal="s += 1; weight += eta*w_max*e*s*0.02; e = 0.5*e",
        on_pre="weight -= 0.002*w_max",
        after_pre="x += 1",
        bounds=("0", "w_max"),
    )
    plain = rewarded()
    first, *learning = plain.projections
    made = [
        pt.Projection(
            p.pre, p.post, p.connector, kind(WEIGHT, pt.Uniform("0.3 ms", "4 ms"), w_max="200 pA"),
            name=p.name, signal=p.signal[0].population, signal_delay="2 ms",
        )
        for p in learning
    ]  # fmt: skip
    records = [pt.Record(plain.populations[0]), *(pt.Record(p, ["weight", "e"], "50 ms") for p in made)]
    net = pt.Network("three", plain.populations, [first, *made], recordings=records)
    same(pt.run(net, backend, "300 ms", seed=2, inputs="frozen"), reference(net, "300 ms", seed=2))


@READ
@pytest.mark.needs("synapses.signal", "synapses.drift", "synapses.states", "session.signal")
def test_a_reward_from_the_session(backend: str) -> None:
    """Dopamine that is given between two pieces, twice the second time."""
    net = rewarded()
    runs = []
    for name in ("reference", backend):
        with pt.open(net, name, seed=6, inputs="frozen", needs=["session.signal", "session.pieces"]) as sim:
            sim.run("100.3 ms")
            sim.signal("back")
            sim.run("50 ms")
            sim.signal("back", 2)
            sim.signal("forward", 5)
            sim.run("50 ms")
            runs.append(sim.results())
            n = np.asarray(sim.synapses("back", "n"))
            assert np.ptp(n) < 1e-15
    same(runs[1], runs[0])


@READ
@pytest.mark.needs("synapses.signal", "synapses.drift", "synapses.states", "session.signal")
@pytest.mark.needs("session.synapses.set", "session.plastic")
def test_weights_set_and_held_at_a_reward(backend: str) -> None:
    """What is set, held or read at the moment of a reward: the connections see it a step later."""
    net = rewarded(a_plus=0.2, a_minus=0.24, b="5 Hz")
    _, forward, back = net.projections
    needs = ["session.signal", "session.pieces", "session.synapses.set", "session.plastic"]
    runs = []
    for name in ("reference", backend):
        with pt.open(net, name, seed=6, inputs="frozen", needs=needs) as sim:
            sim.run("60.3 ms")
            sim.signal(back, 3)
            sim.run("1 ms")
            sim.plastic(back, False)
            sim.run("40 ms")
            sim.plastic(back, True)
            sim.signal(forward, 2)
            found = [np.asarray(sim.synapses(forward, s)) for s in ("weight", "c", "n")]
            sim.set(forward, weight=pt.Array(0.5 * found[0] + 0.01, "nA"))
            sim.run("1.3 ms")
            sim.set(back, c="0.001 nA")
            sim.signal(back)
            sim.run("80 ms")
            found += [np.asarray(sim.synapses(p, s)) for p in (forward, back) for s in ("weight", "c", "n")]
            runs.append((sim.results(), found))
    same(runs[1][0], runs[0][0])
    for got, truth in zip(runs[1][1], runs[0][1], strict=True):
        np.testing.assert_allclose(got, truth, rtol=0, atol=CLOSE * np.abs(truth).max())


@READ
@pytest.mark.needs("session.synapses.set")
def test_what_is_done_every_so_often(backend: str, reference: ReferenceRuns) -> None:
    """Each cell's incoming weights are scaled to one sum every 40 ms, in the course of learning."""
    kind = pt.synapse_type(
        "Normalised",
        parameters={"tau": "20 ms", "a": 0.05, "total": "weight"},
        pre_traces="dx/dt = -x/tau : 1",
        on_post="weight += a*total*x*0.1",
        after_pre="x += 1",
        every=("40 ms", "weight *= total/incoming"),
        bounds=("0", None),
    )
    net, _ = network(kind(WEIGHT, pt.Uniform("0.3 ms", "4 ms"), total="1.1 nA"), every="20 ms")
    truth = reference(net, "200 ms", seed=7)
    table = truth.weights["forward"]
    sums = [np.bincount(table.targets, w) for w in table.values]
    assert np.allclose(sums[2], 1.1)
    assert not np.allclose(sums[3], 1.1)
    same(pt.run(net, backend, "200 ms", seed=7, inputs="frozen"), truth)


@READ
@pytest.mark.needs("synapses.random", "synapses.states")
def test_random_release(backend: str, reference: ReferenceRuns) -> None:
    """Draws are functions of who meets whom and of the instant: the same on every backend, of multapses and
    of two spikes in one step, too; here also of a spike of the target.
    """
    kind = pt.StochasticRelease.extended(
        "Noisy", parameters={"w_max": "weight"}, on_post="weight += 0.1*random(w_max)", bounds=("0", "w_max")
    )
    net, _ = network(kind(WEIGHT, pt.Uniform("0.3 ms", "4 ms"), p=0.4, w_max="300 pA"))
    truth = reference(net, "300 ms", seed=5)
    assert np.ptp(truth.weights["forward"].values[-1]) > 0.05
    same(pt.run(net, backend, "300 ms", seed=5, inputs="frozen"), truth)


@READ
@pytest.mark.needs("synapses.random", "synapses.states")
def test_sites_that_release(backend: str, reference: ReferenceRuns) -> None:
    """Numbers of sites, by inversion of one number for each of two draws at a spike."""
    kind = pt.MultiQuantal.extended("Counted", on_post="a = min(n, a + 0*a)")
    net, _ = network(kind("25 pA", pt.Uniform("0.3 ms", "4 ms"), n=7, U=0.3, tau_facil="50 ms"))
    records = [*net.recordings, pt.Record(net.projections[1], ["a", "r"], "10 ms")]
    net = pt.Network(net.name, net.populations, net.projections, recordings=records)
    truth = reference(net, "300 ms", seed=5)
    released = truth.synapses["forward", "r"].values
    assert set(np.unique(released)) >= {0.0, 1.0, 2.0, 3.0}
    assert np.all(released == np.round(released))
    same(pt.run(net, backend, "300 ms", seed=5, inputs="frozen"), truth)
