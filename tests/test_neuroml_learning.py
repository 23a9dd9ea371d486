"""Connections that learn, written as NeuroML: what an unmodified jNeuroML makes of them, what is read again,
and what is refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lxml")
pytest.importorskip("h5py")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

import portable as pt
from portable.backends.jneuroml.java import found
from portable.errors import BackendUnavailable, ModelError

try:
    found()
    ABSENT = ""
except BackendUnavailable as error:
    ABSENT = str(error)
java = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
RANGE = {"w_max": "400 pA"}
# w is clipped, chooses, and is read by a trace of its own; a parameter has a name that synapses in LEMS use
OWN = pt.synapse_type(
    "Own",
    parameters={"tau": "15 ms", "a": 0.2, "w_max": "weight", "waiting": 0.5},
    pre_traces="dx/dt = -x/tau : 1",
    post_traces="dy/dt = -y/(2*tau) : 1",
    equations="e : 1\ndm/dt = (waiting - m)/tau : 1",
    on_post="weight += a*w_max*max(x - 0.1, 0)*exp(-e); e = y > 0.5 ? e + 0.1 : 0",
    on_pre="weight -= a*w_max*min(y, 0.4)*m; m += 0.2",
    after_pre="x += waiting",
    after_post="y = 1",
    sends="weight*(1 + 0.1*e)",
    bounds=("0", "w_max"),
    initial={"m": "2*waiting"},
)
RULES: dict[str, Any] = {
    "short-term": pt.TsodyksMarkram("200 pA", pt.Uniform("0.3 ms", "3 ms"), U=0.4, tau_facil="40 ms"),
    "pairs": pt.STDP(pt.Uniform("50 pA", "300 pA"), pt.Uniform("0.3 ms", "3 ms"), a_plus=0.1, **RANGE),
    "restricted": pt.STDP_restricted("200 pA", "1.1 ms", a_plus=0.1, a_minus=0.15, **RANGE),
    "axonal": pt.Triplet("200 pA", "2 ms", dendritic_delay_fraction=0.4, a3_plus=0.3, **RANGE),
    "own": OWN("250 pA", "1.5 ms", **RANGE),
}


def network(synapse: Any, rate: float = 150.0) -> pt.Network:
    """Ten cells that fire at some 40 Hz, connected to sources and to each other by the synapse."""
    cells = pt.Population(
        "cells", 10, pt.IF_curr_exp(i_offset=0.8, tau_refrac=2.0), initial={"v": pt.Uniform(-65, -50)}
    )
    few = pt.Population("few", 6, pt.SpikeSourcePoisson(rate=rate))
    return pt.Network(
        "learning",
        [cells, few],
        [
            pt.Projection(few, cells, pt.FixedInDegree(5), synapse, name="forward"),
            pt.Projection(cells, cells, pt.FixedProbability(0.4), synapse, name="back"),
        ],
        recordings=[pt.Record([cells, few], "spikes"), pt.Record(cells[:2], ["v", "isyn_exc"])],
    )


@java
@pytest.mark.parametrize("name", RULES)
def test_jneuroml_takes_the_same_steps(name: str) -> None:
    """All spikes are in the same step of the same cell as native's by forward Euler; rules decay exactly in
    both. Traces to two units of float32's last digit of 90 mV and 4000 pA.
    """
    net = network(RULES[name])
    got = pt.run(net, "jneuroml", "150 ms", dt=0.1, seed=3, inputs="frozen")
    ours = pt.run(net, "native", "150 ms", dt=0.1, seed=3, inputs="frozen", integrator="euler")
    still = network(pt.StaticSynapse("200 pA", "1.5 ms"))
    assert len(ours.spikes["cells"]) > 30
    for population, spikes in ours.spikes.items():
        np.testing.assert_array_equal(got.spikes[population].steps, spikes.steps)
        np.testing.assert_array_equal(got.spikes[population].ids, spikes.ids)
    for key, table in ours.traces.items():
        np.testing.assert_allclose(got.traces[key].values, table.values, rtol=3e-7, atol=1e-6)
    fixed = pt.run(still, "native", "150 ms", dt=0.1, seed=3, integrator="euler").spikes["cells"]
    assert not np.array_equal(fixed.steps, ours.spikes["cells"].steps)


def test_two_spikes_in_a_step_are_told_apart(tmp_path: Path) -> None:
    """A source at 8 kHz has up to four in a step of 0.1 ms: as many conditions; the same spikes."""
    net = network(RULES["short-term"], 8000.0)
    made = pt.write_neuroml(net, tmp_path, duration="20 ms", seed=3)
    text = (tmp_path / next(f for f in made.files if f.endswith("types.xml"))).read_text()
    assert "pre_seen .gt. 1.5" in text
    if not ABSENT:
        a, b = (
            pt.run(net, backend, "20 ms", dt=0.1, seed=3, inputs="frozen", integrator=how).spikes["cells"]
            for backend, how in (("jneuroml", "auto"), ("native", "euler"))
        )
        assert len(b) >= 10
        np.testing.assert_array_equal(a.steps, b.steps)


@pytest.mark.parametrize("name", RULES)
def test_what_is_written_is_read_as_the_same_network(name: str, tmp_path: Path) -> None:
    net = network(RULES[name])
    assert pt.read_neuroml(pt.write_neuroml(net, tmp_path, duration="20 ms").path) == net


def test_a_short_term_rule_is_one_again_without_the_annotation(tmp_path: Path) -> None:
    """Of equal meaning: with the model's numbers in the file, the same states after the same spikes."""
    net = network(RULES["short-term"], 1.0)
    made = pt.write_neuroml(net, tmp_path, duration="100 ms", keep=False, timing="nominal")
    assert any("of their distance from rest" in a.largest_error for a in made.approximations)
    again = pt.read_neuroml(made.path)
    assert not again.links
    rules = [p.synapse.rule for p in again.projections if isinstance(p.synapse, type(RULES["short-term"]))]
    assert rules
    assert {s.name for s in rules[0].own} == {"u", "r"}
    steps = [10.0, 13.0, 30.0, 31.0]
    sent = []
    for kind, given in (
        (pt.TsodyksMarkram, {"U": 0.4, "tau_facil": "40 ms"}),
        (next(p.synapse.type for p in again.projections if hasattr(p.synapse, "rule")), {}),
    ):
        source = pt.Population("s", 1, pt.SpikeSourceArray(steps))
        cell = pt.Population("c", 1, pt.IF_curr_exp())
        one = pt.Network(
            "one",
            [source, cell],
            [pt.Projection(source, cell, pt.OneToOne(), kind("1 nA", 1.0, **given))],
            recordings=[pt.Record(cell, "isyn_exc")],
        )
        sent.append(pt.run(one, "reference", "40 ms", dt=0.1).traces["c", "isyn_exc"].values)
    assert sent[0].max() > 100
    np.testing.assert_allclose(sent[1], sent[0], rtol=1e-12, atol=1e-9)


def test_a_rule_of_both_sides_without_the_annotation_runs_in_jlems(tmp_path: Path) -> None:
    """The events that a synapse gets from its own cell keep their delay when read."""
    net = network(RULES["restricted"])
    made = pt.write_neuroml(net, tmp_path, duration="100 ms", seed=3, keep=False)
    a = pt.run(pt.read_neuroml(made.path), "jlems").spikes["cells"]
    b = pt.run(net, "native", "100 ms", dt=0.1, seed=3, integrator="euler").spikes["cells"]
    np.testing.assert_array_equal(a.steps, b.steps)
    np.testing.assert_array_equal(a.ids, b.ids)


def test_what_has_no_words_is_refused(tmp_path: Path) -> None:
    given = pt.Population("reward", 2, pt.SpikeSourcePoisson(rate="5 Hz"))
    drifting = pt.synapse_type(
        "Drifting",
        parameters={"tau": "5 ms"},
        equations="dc/dt = -c/tau : weight\ndweight/dt = c/tau : weight/ms",
        on_pre="c = weight",
    )
    for synapse, what in (
        (drifting("1 nA", 1.0), "weights that move between spikes"),
        (pt.STDP_normalised("0.1 nA", 1.0, w_max=1.0, total=1.0), "every so often"),
    ):
        with pytest.raises(ModelError, match=rf"'forward'.*{what}.*its two cells"):
            pt.write_neuroml(network(synapse), tmp_path, duration="10 ms")
    net = network(pt.STDP("0.1 nA", 1.0, w_max=1.0))
    dopamine = pt.DopamineSTDP("0.1 nA", 1.0, w_max=1.0)
    reward = replace(net.projections[0], synapse=dopamine, signal=given, signal_delay=1.0)
    with pytest.raises(ModelError, match="third factor"):
        pt.write_neuroml(
            replace(net, populations=[*net.populations, given], projections=[reward]),
            tmp_path,
            duration="10 ms",
        )
    many = pt.TsodyksMarkram("0.1 nA", 1.0, U=pt.Uniform(0.1, 0.9))
    with pytest.raises(ModelError, match=r"50 different sets of parameters.*split="):
        pt.write_neuroml(network(many), tmp_path, duration="10 ms", split=20)
    assert not list(tmp_path.iterdir())  # nothing half written
    assert pt.write_neuroml(network(many), tmp_path, duration="10 ms").files


def test_recorded_weights_are_told_to_be_left_out(tmp_path: Path) -> None:
    net = network(RULES["pairs"])
    net = replace(net, recordings=[*net.recordings, pt.Record(net.projections[0], "weight", "5 ms")])
    made = pt.write_neuroml(net, tmp_path, duration="10 ms")
    assert [a.where for a in made.approximations if a.got == "nothing"] == [
        "recordings of projection 'forward'"
    ]
