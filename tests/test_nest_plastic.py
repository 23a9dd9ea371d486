"""Connections that learn on NEST: what only its way of doing it can get wrong, beyond the conformance
suite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.nest import BACKEND, compiled, synapse_text
from portable.backends.nest.feed import Feed
from portable.conformance.test_plasticity import RANGE, WEIGHT, network, rule
from portable.errors import BackendFailed
from portable.resolve import resolve
from portable.validation.readback import read_back

CLOSE = 1e-12  # rounding, of the range of weights
compiles = pytest.mark.skipif(bool(compiled.missing()), reason="needs a C++ compiler and NEST's headers")
pytestmark = pytest.mark.skipif(BACKEND.version() is None, reason="NEST is not installed")


def play(backend: str, net: pt.Network, act: Callable[[Any], None], *, told: bool = True) -> pt.Results:
    needs = ["session.synapses", "session.pieces"]
    needs += ["session.synapses.set", "session.plastic"] if told else []
    with pt.open(net, backend, seed=5, inputs="frozen", needs=needs) as sim:
        act(sim)
        return sim.results()


def same(net: pt.Network, act: Callable[[Any], None], *, told: bool = True) -> None:
    """NEST does what the reference does."""
    a, b = play("reference", net, act), play("nest", net, act, told=told)
    assert len(a.spikes["cells"]) > 20
    np.testing.assert_array_equal(a.spikes["cells"].steps, b.spikes["cells"].steps)
    np.testing.assert_array_equal(a.spikes["cells"].ids, b.spikes["cells"].ids)
    for key, truth in a.synapses.items():
        scale = np.abs(truth.values).max()
        np.testing.assert_allclose(b.synapses[key].values / scale, truth.values / scale, rtol=0, atol=CLOSE)


@compiles
@pytest.mark.slow
@pytest.mark.parametrize("fraction", [1.0, 0.4])
def test_many_changes_close_together(fraction: float) -> None:
    """Set at the start, and again after one step, two, seven: sources' spikes are still on their way."""
    net, forward = network(rule("guetig", dendritic_delay_fraction=fraction), every="5 ms")
    back = net.projections[2]

    def act(sim: Any) -> None:
        sim.set(back, weight="120 pA")
        sim.plastic(forward, False)
        for piece in (0.1, 20.0, 0.2, 0.1, 0.7, 31.3, 0.1):
            sim.run(piece)
            w = np.asarray(sim.weights(back))
            sim.set(back, weight=0.9 * w + 0.01)
            sim.plastic(forward, piece > 0.5)
            sim.set(forward, weight=0.95 * np.asarray(sim.weights(forward)) + 0.002)
        sim.plastic(forward, True)
        sim.run(40.0)

    same(net, act)


@compiles
@pytest.mark.slow
def test_changes_that_were_not_announced() -> None:
    """Spikes are then exchanged once in the smallest delay; two changes within it, after others, are refused
    where they could not be exact.
    """
    few = pt.STDP(WEIGHT, pt.Uniform("1.5 ms", "4 ms"), **RANGE)
    net, forward = network(few, every="5 ms")
    static = replace(net.projections[0], synapse=pt.StaticSynapse("150 pA", 1.5))
    net = replace(net, projections=(static, *net.projections[1:]))

    def act(sim: Any) -> None:
        for piece in (10.3, 0.4, 20.0, 33.3):
            sim.run(piece)
            sim.set(forward, weight=0.9 * np.asarray(sim.weights(forward)))
        sim.run(30.0)

    same(net, act, told=False)

    def too_close(sim: Any) -> None:
        for piece in (10.1, 0.1, 0.1):
            sim.run(piece)
            sim.set(forward, weight="100 pA")

    with pytest.raises(BackendFailed, match=r"steps 102 and 103, between which NEST delivers no spikes"):
        play("nest", net, too_close, told=False)


@compiles
@pytest.mark.slow
def test_states_are_set_too() -> None:
    net, forward = network(rule("facilitating"))

    def act(sim: Any) -> None:
        for piece in (30.0, 21.7, 0.1):
            sim.run(piece)
            sim.set(forward, u=0.3, r=0.5 + 0.5 * np.asarray(sim.synapses(forward, "r")))
        sim.run(60.0)

    same(net, act)


@compiles
@pytest.mark.slow
def test_weights_that_are_not_those_of_the_spikes_are_an_error() -> None:
    net, forward = network(rule("additive"), recurrent=False)
    with pt.open(net, "nest", needs=["session.synapses", "session.pieces"]) as sim:
        sim.run("20 ms")
        sim.weights(forward)
        [made] = sim.session.plastic_ones.made.values()
        made.found.set(weight=made.replay.held.mean())
        with pytest.raises(BackendFailed, match=r"projection 'forward': NEST's weight of connection \d+ is"):
            sim.weights(forward)


@compiles
@pytest.mark.slow
@pytest.mark.parametrize("fraction", [1.0, 0.4])
def test_what_is_held_is_the_program(fraction: float) -> None:
    """Also where relays stand between a source and its connections."""
    net, _ = network(rule("guetig", dendritic_delay_fraction=fraction))
    program = resolve(net, 3, 0.1)
    with pt.open(net, "nest", seed=3, program=program, needs=["session.connections"]) as sim:
        found = read_back(program, sim.connections())
        assert (found.missing, found.weight_error, found.delay_error, found.absent) == (0, 0.0, 0.0, ())
        assert found.connections == program.synapses > 300
        sim.run("50 ms")
        found = read_back(program, sim.connections())
        assert (found.missing, found.delay_error, found.absent) == (0, 0.0, ())
        assert found.weight_error > 1.0  # pA: they have learned


def plan(net: pt.Network, **how: Any) -> Any:
    return BACKEND.lower(resolve(net, 1, 0.1), RunConfig(**how)).plan


def test_the_model_of_a_rule() -> None:
    """One model for all values of a rule's parameters, one or many; jumps only after the handlers."""
    made = [
        plan(network(rule(n, **more))[0]).models
        for n, more in [
            ("additive", {}),
            ("multiplicative", {}),
            ("guetig", {"tau_plus": pt.Uniform("10 ms", "30 ms"), "dendritic_delay_fraction": 0.5}),
        ]
    ]
    assert made[0] == made[1] == made[2]
    [model] = made[0].values()
    assert model.text == synapse_text.write(pt.STDP.rule("pA"), model.name)[0]
    update, post, pre = (model.text.index(x) for x in ("update:", "onReceive(post", "onReceive(pre"))
    assert update < post < pre
    assert "x_x = (x_x + 1.0)" in model.text[update:post]
    assert "x_x = " not in model.text[post:]


def test_how_sources_are_fed() -> None:
    """Spikes that connections learn from take the way of neurons' spikes."""
    net, _ = network(rule("additive"))
    made = plan(net)
    assert made.taught == {"few", "cells"}
    models = {s.group.name: Feed(s, 0.1, None, s.group.name in made.taught).model for s in made.sources}
    assert models == {"noise": "spike_generator", "few": "spike_train_injector"}
    lowered = BACKEND.lower(resolve(net, 1, 0.1), RunConfig(inputs="native"))
    assert lowered.plan.inputs == {"noise": "native", "few": "frozen"}
    assert [a.got for a in lowered.approximations if "few" in a.where] == ["the program's frozen trains"]


@pytest.mark.parametrize(
    ("bounds", "sends", "model"),
    [
        (("0", "w_max"), "weight", "iaf_psc_exp"),
        (("0", None), "weight", "iaf_psc_exp"),
        ((None, "w_max"), "weight", "iaf_psc_exp_multisynapse"),
        (("0", "w_max"), "weight*y", "iaf_psc_exp_multisynapse"),
    ],
)
def test_a_weight_whose_sign_may_change_needs_a_port_of_its_own(
    bounds: tuple[str | None, str | None], sends: str, model: str
) -> None:
    """NEST's iaf_psc_exp chooses the port by the sign of the weight."""
    kind = pt.synapse_type(
        "Either",
        parameters={"tau": "15 ms", "w_max": "weight"},
        post_traces="dy/dt = -y/tau : 1",
        on_pre="weight -= 0.1*w_max*y",
        after_post="y += 1",
        bounds=bounds,
        sends=sends,
    )
    net, _ = network(kind(WEIGHT, 1.0, w_max="250 pA"))
    assert [c.model for c in plan(net).cells] == [model]


def test_a_rule_that_nestml_cannot_say() -> None:
    kind = pt.synapse_type("Odd", parameters={"n": 3.0}, on_pre="weight = factorial(n)*weight")
    net, _ = network(kind(WEIGHT, 1.0), recurrent=False)
    [found] = [s for s in BACKEND.check(resolve(net, 1, 0.1), RunConfig()) if s.feature != "compiler"]
    assert str(found).startswith("projection 'forward': its rule 'Odd' calls factorial()")


@compiles
@pytest.mark.slow
@pytest.mark.parametrize("model", ["iaf_cond_exp", "generated"])
def test_conductances_and_several_spikes_in_a_step(model: str) -> None:
    """Inhibition, whose weights NEST's own conductance cells want negated; sources that spike up to three
    times in one step; cells of NEST's own and generated ones.
    """
    cells = pt.Population("cells", 12, pt.IF_cond_exp(i_offset=1.1), initial={"v": pt.Uniform(-65, -50)})
    fast = pt.Population("fast", 8, pt.SpikeSourcePoisson(rate=3000.0))
    burst = pt.Population("burst", 2, pt.SpikeSourceArray([3.0, 3.0, 3.0, 10.1, 10.1, 30.0, 30.0, 31.0]))
    delays = pt.Uniform("0.5 ms", "3 ms")
    vogels = pt.VogelsSprekeler(pt.Uniform("1 nS", "2 nS"), delays, w_max="5 nS", rho0="30 Hz")
    # what its connections send is not known to be positive, and NEST's own cells go by the sign
    depressing = pt.TsodyksMarkram(pt.Uniform("0.4 nS", "0.6 nS"), delays, tau_rec="5 ms")
    drive = depressing if model == "generated" else pt.StaticSynapse("0.1 nS", 1.0)
    inhibition = pt.Projection(
        cells, cells, pt.FixedProbability(0.5), vogels, "inhibitory", name="inhibition"
    )
    net = pt.Network(
        "conductances",
        [cells, fast, burst],
        [
            inhibition,
            pt.Projection(burst, cells, pt.AllToAll(), vogels, "inhibitory", name="bursts"),
            pt.Projection(fast, cells, pt.FixedProbability(0.5), drive, "excitatory", name="drive"),
        ],
        recordings=[pt.Record(cells, "spikes"), pt.Record(inhibition, "weight", "10 ms")],
    )
    assert plan(net).cells[0].model.startswith("portable" if model == "generated" else model)
    found = pt.run(net, "nest", "120 ms", seed=2, inputs="frozen")
    truth = pt.run(net, "reference", "120 ms", seed=2, integrator="rkf45")
    assert len(truth.spikes["cells"]) > 60
    weights = found.weights["inhibition"].values
    assert np.abs(weights[-1] - weights[0]).max() > 1e-5  # uS
    if model == "generated":  # NEST's own cells take steps of another size, and spike elsewhere now and then
        np.testing.assert_array_equal(found.spikes["cells"].steps, truth.spikes["cells"].steps)
        np.testing.assert_allclose(weights, truth.weights["inhibition"].values, rtol=0, atol=5e-3 * CLOSE)
    else:
        assert len(found.spikes["cells"]) == pytest.approx(len(truth.spikes["cells"]), rel=0.05)


@compiles
@pytest.mark.slow
def test_in_a_process_of_its_own() -> None:
    """Where this process's kernel holds another session; and beside sources that NEST draws."""
    net, forward = network(rule("additive"))
    how: dict[str, Any] = {
        "seed": 4,
        "inputs": "native",
        "needs": ["session.synapses.set", "session.plastic"],
    }
    found = []
    with pt.open(net, "nest", **how) as first, pt.open(net, "nest", **how) as second:
        assert type(first.session) is not type(second.session)
        for sim in (first, second):
            sim.run("30 ms")
            sim.set(forward, weight="90 pA")
            sim.plastic(forward, False)
            sim.run("20 ms")
            assert np.all(np.asarray(sim.weights(forward)) == 0.09)  # nA
            sim.plastic(forward, True)
            sim.run("30 ms")
            found.append(np.asarray(sim.weights(forward)))
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0]) > 0.0
