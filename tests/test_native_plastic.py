"""The native engine's synapses that learn, where the network is large enough for several parts and a run long
enough for histories to be emptied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native.lower import lower
from portable.backends.native.plastic import LEAST_ROOM, blocks, simplified
from portable.backends.native.plastic_code import source
from portable.backends.native.tables import LEARN
from portable.resolve import resolve

RANGE = {"w_max": "90 pA"}
RULES: dict[str, Any] = {
    "pair": pt.STDP("40 pA", pt.Uniform("0.4 ms", "3 ms"), **RANGE, mu_plus=0.3, mu_minus=1.0),
    "restricted": pt.STDP_restricted("40 pA", pt.Uniform("0.4 ms", "3 ms"), **RANGE),
    "short-term": pt.TsodyksMarkram("90 pA", pt.Uniform("0.4 ms", "3 ms"), tau_facil="80 ms"),
    "reward": pt.DopamineSTDP(
        "40 pA", pt.Uniform("0.4 ms", "3 ms"), **RANGE, a_plus=1e-3, a_minus=1e-3, b="300 Hz"
    ),
    "drawn": pt.Triplet(
        "40 pA", pt.Uniform("0.4 ms", "3 ms"), w_max="90 pA", dendritic_delay_fraction=0.4,
        tau_plus=pt.Uniform(10, 20), tau_y=pt.Uniform(80, 99),
    ),
}  # fmt: skip


def network(synapse: Any) -> pt.Network:
    """150 cells, in three blocks of the engine, at some 130 Hz; plastic connections, also from sources."""
    cells = pt.Population(
        "cells", 150, pt.IF_curr_exp(i_offset=1.5, tau_refrac=2.0), initial={"v": pt.Uniform(-65, -50)}
    )
    noise = pt.Population("noise", 150, pt.SpikeSourcePoisson(rate=900.0))
    few = pt.Population("few", 40, pt.SpikeSourcePoisson(rate=60.0))
    signal = {"signal": few, "signal_delay": "2 ms"} if synapse.rule.signal else {}
    back = pt.Projection(cells, cells, pt.FixedInDegree(8), synapse, name="back", **signal)
    forward = pt.Projection(
        noise, [cells[:90], cells[80:]], pt.FixedProbability(0.1), synapse, name="forward", **signal
    )
    return pt.Network(
        "plastic",
        [cells, noise, few],
        [pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse("120 pA", 1.0)), back, forward],
        recordings=[
            pt.Record(cells),
            pt.Record(back, "weight", "100 ms"),
            pt.Record(forward, "weight", "300 ms"),
        ],
    )


def run(synapse: Any, backend: str = "native", duration: Any = "300 ms", **how: Any) -> pt.Results:
    return pt.run(network(synapse), backend, duration, seed=1, inputs="frozen", **how)


@pytest.mark.parametrize("rule", RULES)
def test_parts_and_emptied_histories(rule: str) -> None:
    """As the reference, to 1e-12 of the range; the same bits with one, two and three threads."""
    truth, one = run(RULES[rule], "reference"), run(RULES[rule])
    spikes = truth.spikes["cells"]
    assert len(spikes) / 150 > LEAST_ROOM / 2 or rule == "short-term"  # so that histories were emptied
    np.testing.assert_array_equal(one.spikes["cells"].ids, spikes.ids)
    np.testing.assert_array_equal(one.spikes["cells"].steps, spikes.steps)
    for key, table in truth.synapses.items():
        np.testing.assert_allclose(one.synapses[key].values, table.values, rtol=0, atol=1e-12 * 0.09)
    for threads in (2, 3):
        more = run(RULES[rule], threads=threads)
        np.testing.assert_array_equal(more.spikes["cells"].ids, one.spikes["cells"].ids)
        for key, table in one.synapses.items():
            np.testing.assert_array_equal(more.synapses[key].values, table.values)


def test_looking_changes_nothing() -> None:
    """Reading every 7 ms brings all synapses up to date each time; the bits stay."""
    net = network(RULES["restricted"])
    with pt.open(net, "native", seed=1, inputs="frozen") as sim:
        for _ in range(40):
            sim.run("7 ms")
            sim.weights("back")
        often = np.asarray(sim.weights("back"))
    with pt.open(net, "native", seed=1, inputs="frozen") as sim:
        sim.run("280 ms")
        np.testing.assert_array_equal(np.asarray(sim.weights("back")), often)


def test_bytes_of_a_synapse() -> None:
    """A pair rule: weight 8, target 2, delay 2 bytes."""
    from portable.backends.native.parts import Parts

    program = resolve(network(pt.STDP("40 pA", pt.Uniform("0.4 ms", "3 ms"), **RANGE)), 1)
    parts = Parts(lower(program, RunConfig()).plan)
    (a,) = parts.arrays
    n = 0
    for r in a["learning"]:
        n += int(r[LEARN.synapses])
        assert r[LEARN.own] - r[LEARN.weights] == r[LEARN.synapses]  # nothing else for each synapse
    assert n == sum(c.count for c in program.connections if c.learning)
    assert a["PT"].nbytes == a["PL"].nbytes == 2 * n


def test_powers_of_0_and_1_cost_nothing() -> None:
    """Additive and multiplicative rules have no pow in their code, others do."""
    for mu, powers in ((0.0, 0), (1.0, 0), (0.4, 1)):
        program = resolve(network(pt.STDP("40 pA", 1.0, **RANGE, mu_plus=mu)), 1)
        (block, _) = blocks(lower(program, RunConfig()).plan, True)
        assert source(block.form).count("**") == 2 * powers  # in deliver and flush
    learning = next(c.learning for c in program.connections if c.learning)
    assert simplified(learning.rule, learning.parameters).on_pre != learning.rule.on_pre


def test_a_receptor_that_cannot_take_it() -> None:
    """Arrivals that are handled one by one: refused before anything is built."""
    kind = pt.cell_type(
        "Saturating", equations="dg/dt = -g/(5 ms) : nS\ndv/dt = (-65*mV - v)/(20 ms) : mV", parameters={},
        threshold="v > -50*mV", reset="v = -65*mV", events={"in": "g += weight*(1 - g/(10 nS))"},
    )  # fmt: skip
    cells, source = (
        pt.Population("cells", 2, kind),
        pt.Population("source", 2, pt.SpikeSourcePoisson(rate=10)),
    )
    net = pt.Network(
        "one by one", [cells, source],
        [pt.Projection(source, cells, pt.AllToAll(), pt.STDP("1 nS", w_max="2 nS"), "in", name="learns")],
    )  # fmt: skip
    with pytest.raises(
        pt.UnsupportedError, match=r"projection 'learns': it learns, and 'cells.in' does more"
    ):
        pt.run(net, "native", "10 ms")
    assert pt.run(net, "reference", "10 ms").steps == 100
