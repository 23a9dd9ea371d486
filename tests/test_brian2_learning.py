"""Connections that learn on Brian2: the pathways' text, without Brian2, and what the conformance suite does
not reach: several spikes of a cell in one step, receptors where the order of arrivals counts, a standalone
program.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends.brian2 import BACKEND
from portable.backends.brian2.lower import lower
from portable.backends.contract import RunConfig
from portable.resolve import resolve

needs_brian2 = pytest.mark.skipif(BACKEND.version() is None, reason="Brian2 is not installed")
EVERYTHING = ["session.synapses", "session.pieces", "session.synapses.set", "session.plastic"]
DELAYS = pt.Uniform("0.3 ms", "4 ms")
CLOSE = 1e-12  # sums of some hundred changes, each rounded to 1e-16


def trains() -> pt.SpikeSourceArray:
    """Six sources that fire one to three times in each of 25 steps."""
    rng = np.random.default_rng(1)
    found = [np.round(rng.uniform(1, 125, 25), 1) for _ in range(6)]
    return pt.SpikeSourceArray([np.sort(np.repeat(x, rng.integers(1, 4, 25))) for x in found])


def network(cell: Any, forward: Any, back: Any, ports: tuple[str, str], states: list[str]) -> pt.Network:
    cells = pt.Population("cells", 8, cell, initial={"v": pt.Uniform(0.0, 0.5)})
    few = pt.Population("few", 6, trains())
    return pt.Network(
        "learns",
        [cells, few],
        [
            pt.Projection(few, cells, pt.FixedInDegree(5), forward, ports[0], name="forward"),
            pt.Projection(cells, cells, pt.FixedProbability(0.5), back, ports[1], name="back"),
        ],
        recordings=[pt.Record(cells, ["spikes", *states])],
    )


def summed(rule: str = "additive") -> pt.Network:
    """Arrivals that are added up."""
    cell = pt.cell_type(
        "leaky",
        equations="dx/dt = -x/tau : 1\ndv/dt = (0.9 + x - v)/slow : 1",
        parameters={"tau": "4 ms", "slow": "20 ms"},
        threshold="v > 0.6",
        reset="v = 0",
        events={"in": "x += weight"},
    )
    weight = pt.Uniform(0.05, 0.4)

    def kind(fraction: float) -> Any:
        if rule == "facilitating":
            more = {"U": 0.15, "tau_rec": "40 ms", "tau_facil": "300 ms"}
            return pt.TsodyksMarkram(weight, DELAYS, dendritic_delay_fraction=fraction, **more)
        return pt.STDP(weight, DELAYS, w_max=0.5, a_plus=0.03, dendritic_delay_fraction=fraction)

    return network(cell(), kind(0.7), kind(1.0), ("in", "in"), ["x"])


def ordered() -> pt.Network:
    """Arrivals that depend on their order; one kind of source to a port."""
    cell = pt.cell_type(
        "saturating",
        equations="dx/dt = -x/tau : 1\ndy/dt = (0.2 - y)/tau : 1\ndv/dt = (x + y)/tau - v/slow : 1",
        parameters={"tau": "10 ms", "slow": "30 ms"},
        threshold="v > 0.6",
        reset="v = 0",
        events={"in": "x = x + weight*(1 - x)", "more": "y = y + 0.5*weight*(1 - x*y)"},
    )

    def kind(fraction: float) -> Any:
        numbers = {"w_max": 0.5, "a_plus": 0.05, "a_minus": 0.06, "mu_plus": 0.5, "mu_minus": 0.5}
        return pt.STDP(pt.Uniform(0.05, 0.4), DELAYS, dendritic_delay_fraction=fraction, **numbers)

    return network(cell(), kind(0.7), kind(1.0), ("in", "more"), ["x", "y"])


def test_pathways_of_an_instant() -> None:
    """The post handler comes first, then the pre handler and what is sent, then jumps; traces decay once."""
    plan = lower(resolve(summed(), seed=1, dt=0.1), RunConfig()).plan
    for s in plan.synapses:
        assert s.learning is not None
        assert s.weight is None
        assert [p.name for p in s.learning.pathways] == ["post", "pre", "post_after", "pre_after"]
        code = {p.name: p.code for p in s.learning.pathways}
        assert all(("last = stamp" in code[n]) == ("after" not in n) for n in code)
        sent = code["pre"].index(next(line for line in code["pre"] if line.startswith("sent = ")))
        assert code["pre"][sent + 1] == "in_in_post += sent"
        assert (
            code["pre"][sent] == f"sent = {code['pre'][sent - 1].split()[0]}"
        )  # the weight after the handler
        assert code["pre_after"] == ("n0_x = (s_x + 1.0)", "s_x = n0_x")
        assert s.learning.values["rate_x"] == 0.05
    delays = resolve(summed(), seed=1, dt=0.1).connections[1].delays
    np.testing.assert_array_equal(plan.synapses[1].learning.dendritic, delays)


def test_pathways_that_do_nothing_are_left_out() -> None:
    plan = lower(resolve(summed("facilitating"), seed=1, dt=0.1), RunConfig()).plan
    assert [p.name for p in plan.synapses[0].learning.pathways] == ["pre", "pre_after"]


def test_a_source_one_to_one_that_learns_is_no_drive() -> None:
    """What drives cells one to one is otherwise summed beforehand."""
    cells = pt.Population("cells", 3, pt.IF_curr_exp())
    noise = pt.Population("noise", 3, pt.SpikeSourcePoisson(rate=50.0))
    synapse = pt.STDP(0.1, 1.0, w_max=0.2)
    net = pt.Network("drive", [cells, noise], [pt.Projection(noise, cells, pt.OneToOne(), synapse)])
    plan = lower(resolve(net, seed=1, dt=0.1), RunConfig()).plan
    assert not plan.cells[0].drives
    assert plan.synapses[0].learning


def test_threads_of_a_standalone_program_become_one() -> None:
    config = RunConfig(threads=2, options={"target": "cpp_standalone"})
    lowered = lower(resolve(summed(), seed=1, dt=0.1), config)
    assert lowered.plan.threads == 1
    assert [a.where for a in lowered.approximations] == ["threads"]


def session(net: pt.Network, backend: str, **options: Any) -> tuple[list[Any], pt.Results]:
    """Weights set and scaled and learning switched in the midst, a step apart too; all that is read."""
    forward, back = net.projections
    states = [s.name for s in forward.synapse.rule.own]
    found = []
    with pt.open(net, backend, seed=6, options=options, needs=EVERYTHING) as sim:
        for piece in (30.3, 0.1, 0.7, 20.0, 33.3, 1.2, 44.0):
            sim.run(piece)
            found.append(sim.weights(forward))
            sim.set(forward, weight=0.9 * np.asarray(sim.weights(forward)) + 0.01)
            sim.plastic(back, piece < 30)
            found += [sim.weights(forward), sim.weights(back), *(sim.synapses(back, s) for s in states)]
        return [np.asarray(x) for x in found], sim.results()


def same(a: tuple[list[Any], pt.Results], b: tuple[list[Any], pt.Results]) -> None:
    for x, y in zip(a[0], b[0], strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=CLOSE)
    assert len(b[1].spikes["cells"]) > 40
    np.testing.assert_array_equal(a[1].spikes["cells"].steps, b[1].spikes["cells"].steps)
    np.testing.assert_array_equal(a[1].spikes["cells"].ids, b[1].spikes["cells"].ids)
    for key in b[1].traces:
        np.testing.assert_allclose(a[1].traces[key].values, b[1].traces[key].values, rtol=0, atol=CLOSE)


@needs_brian2
@pytest.mark.parametrize("net", [summed(), summed("facilitating"), ordered()], ids=["sum", "sends", "order"])
def test_set_between_spikes_of_one_step(net: pt.Network) -> None:
    """What was sent before keeps its weight, each of several spikes of a source in one step its own."""
    same(session(net, "brian2", target="numpy"), session(net, "reference"))


@needs_brian2
@pytest.mark.long
@pytest.mark.parametrize("net", [summed(), summed("facilitating"), ordered()], ids=["sum", "sends", "order"])
def test_set_between_spikes_of_one_step_compiled(net: pt.Network) -> None:
    same(session(net, "brian2", target="cython"), session(net, "reference"))


@needs_brian2
@pytest.mark.long
@pytest.mark.parametrize("net", [summed(), ordered()], ids=["sum", "order"])
def test_standalone(net: pt.Network) -> None:
    """Weights are read when the program has run."""
    out = []
    for backend, options in (("brian2", {"target": "cpp_standalone"}), ("reference", {})):
        with pt.open(net, backend, seed=6, options=options, needs=["session.synapses"]) as sim:
            found = [np.asarray(sim.weights(net.projections[0]))]
            sim.run("130 ms")
            for p in net.projections:
                found += [np.asarray(sim.synapses(p, s)) for s in ("weight", "x", "y")]
            out.append((found, sim.results()))
    same(*out)
