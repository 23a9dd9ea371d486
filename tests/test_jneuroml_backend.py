"""The backend `jneuroml` beyond the conformance suite: its options, what it refuses, NEURON, and networks
that were read from NeuroML.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.backends import registry
from portable.backends.contract import RunConfig
from portable.backends.jneuroml.runner import run_lems
from portable.errors import BackendUnavailable
from portable.resolve import resolve


def missing(engine: str) -> str:
    """Why nothing can be run here; "" if it can."""
    backend = registry.get("jneuroml")
    if backend.version() is None:
        return backend.capabilities.install
    if engine == "neuron":
        from portable.backends.jneuroml.neuron import compiler_of_mod_files

        try:
            compiler_of_mod_files()
        except BackendUnavailable as error:
            return str(error)
    return ""


needs_jar = pytest.mark.skipif(bool(missing("jlems")), reason=missing("jlems"))
needs_neuron = pytest.mark.skipif(bool(missing("neuron")), reason=missing("neuron"))


def network() -> pt.Network:
    cells = pt.Population("cells", 2, pt.IF_curr_exp(i_offset=[0.9, 1.0]))
    source = pt.Population("source", 1, pt.SpikeSourceArray([10.0, 20.0, 30.0]))
    links = [pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(0.2, 1.0))]
    return pt.Network(
        "driven",
        [cells, source],
        links,
        recordings=[pt.Record([cells, source], "spikes"), pt.Record(cells, "v")],
    )


@needs_jar
@pytest.mark.parametrize("types", ["custom", "auto", "core"])
def test_ways_of_writing_agree(types: str) -> None:
    """NeuroML's own cells and ours take the steps of the reference by forward Euler: the same spikes."""
    ours, truth = (
        pt.run(network(), "jneuroml", "60 ms", options={"types": types}),
        pt.run(network(), "reference", "60 ms", integrator="euler"),
    )
    for name in ("cells", "source"):
        np.testing.assert_array_equal(ours.spikes[name].steps, truth.spikes[name].steps)
        np.testing.assert_array_equal(ours.spikes[name].ids, truth.spikes[name].ids)
    assert len(truth.spikes["cells"]) >= 2
    assert ours.provenance["integrators"] == {"cells": "jLEMS forward Euler"}
    assert any(a.got == "jLEMS forward Euler" for a in ours.approximations)
    assert any(a.got == "float32" for a in ours.approximations)


@needs_neuron
@pytest.mark.slow
def test_engine_neuron() -> None:
    """By NEURON at 0.01 ms: as many spikes, each within 0.1 ms of the exact ones: refractory periods end up
    to three steps late, twice here.
    """
    ours, truth = (
        pt.run(network(), "jneuroml", "60 ms", dt=0.01, options={"engine": "neuron"}),
        pt.run(network(), "reference", "60 ms", dt=0.01),
    )
    for a, b in zip(ours.spikes["cells"].trains(), truth.spikes["cells"].trains(), strict=True):
        np.testing.assert_allclose(a, b, atol=0.1)
    assert ours.provenance["integrators"] == {"cells": "NEURON"}
    assert {"export", "compile"} <= set(ours.provenance["seconds"])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"options": {"engine": "nest"}}, "options\\['engine'\\]: must be one of jlems, neuron, got 'nest'"),
        ({"options": {"types": "own"}}, "options\\['types'\\]: must be one of auto, core, custom"),
        ({"options": {"timeout": -1}}, "options\\['timeout'\\]: must be a number of seconds > 0, got -1"),
        ({"options": {"time_out": 3}}, "jneuroml has no such option; did you mean 'timeout'"),
        (
            {"integrator": "rk4"},
            "jLEMS forward Euler is the only method of engine 'jlems', and 'rk4' was asked for",
        ),
        (
            {"integrator": "euler", "options": {"engine": "neuron"}},
            "NEURON is the only method of engine 'neuron', and 'euler' was asked for",
        ),
        ({"compact": True}, "jneuroml has no compact mode"),
    ],
)
def test_what_is_refused(how: dict[str, object], said: str) -> None:
    found = "; ".join(str(s) for s in pt.check(network(), "jneuroml", **how))
    assert re.search(said, found), found


def test_links_and_draws_are_refused_unless_read_from_neuroml() -> None:
    kind = pt.cell_type(
        "drawing",
        equations="dv/dt = 1 mV/ms : mV",
        threshold="v > 5 mV",
        reset="v = random(1 mV)",
        parameters={},
    )
    cells = pt.Population("cells", 1, kind())
    assert {s.feature for s in pt.check(pt.Network("draws", [cells]), "jneuroml")} == {"cells.random"}


@needs_jar
def test_a_time_limit_of_a_run() -> None:
    with pytest.raises(pt.BackendFailed, match="time limit"):
        pt.run(network(), "jneuroml", "60 ms", options={"timeout": 0.05})


CELLS = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="cells">
  <iafCell id="iaf" leakReversal="-65mV" thresh="-55mV" reset="-70mV" C="3.2pF" leakConductance="0.2nS"/>
  <pulseGenerator id="pulse" delay="5ms" duration="60ms" amplitude="3pA"/>
  <expTwoSynapse id="syn" gbase="0.1nS" erev="0mV" tauRise="1ms" tauDecay="4ms"/>
  <gapJunction id="gap" conductance="0.01nS"/>
  <network id="net">
    <population id="a" component="iaf" size="1"/><population id="b" component="iaf" size="2"/>
    <projection id="p" presynapticPopulation="a" postsynapticPopulation="b" synapse="syn">
      <connectionWD id="0" preCellId="../a[0]" postCellId="../b[1]" weight="2" delay="1ms"/>
    </projection>
    <electricalProjection id="e" presynapticPopulation="a" postsynapticPopulation="b">
      <electricalConnection id="0" preCell="0" postCell="0" synapse="gap"/>
    </electricalProjection>
    <explicitInput target="a[0]" input="pulse" destination="synapses"/>
  </network>
</neuroml>"""
LEMS = """<Lems>
  <Target component="sim"/>
  <Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/><Include file="cells.nml"/>
  <Simulation id="sim" length="60ms" step="0.02ms" target="net">
    <OutputFile id="v" fileName="v.dat"><OutputColumn id="a" quantity="a[0]/v"/><OutputColumn id="b" quantity="b[1]/v"/></OutputFile>
    <EventOutputFile id="s" fileName="s.dat" format="TIME_ID"><EventSelection id="0" select="a[0]" eventPort="spike"/></EventOutputFile>
  </Simulation>
</Lems>"""  # noqa: E501


@needs_jar
def test_a_network_read_from_neuroml_runs_as_its_file(tmp_path: Path) -> None:
    """Through the Program, gap junctions and all: digit by digit what jnml says of the file itself."""
    (tmp_path / "cells.nml").write_text(CELLS)
    (tmp_path / "LEMS_sim.xml").write_text(LEMS)
    whole = run_lems(tmp_path / "LEMS_sim.xml")
    net = pt.read_neuroml(tmp_path / "LEMS_sim.xml")
    r = pt.run(net, "jneuroml", "60 ms", dt="0.02 ms")
    assert len(whole.events["s"].times) > 1
    np.testing.assert_allclose(r.traces["a", "v"].values[:, 0], whole.traces["v"]["a"] * 1e3, rtol=1e-15)
    np.testing.assert_allclose(
        r.traces["b", "v"].values[:, list(r.traces["b", "v"].ids).index(1)],
        whole.traces["v"]["b"] * 1e3,
        rtol=1e-15,
    )
    np.testing.assert_array_equal(r.spikes["a"].steps, np.rint(whole.events["s"].times / 0.02e-3))


def _with_sources() -> pt.Network:
    noise = pt.Population("noise", 200, pt.SpikeSourcePoisson(rate="50 Hz"))
    trains = pt.Population("trains", 3, pt.SpikeSourceArray([[1.0, 5.0], [2.0], []]))
    cells = pt.Population("cells", 2, pt.IF_curr_exp())
    up = [pt.Projection(s, cells, pt.AllToAll(), pt.StaticSynapse(0.05, 1.0)) for s in (noise, trains)]
    return pt.Network(
        "sources", [noise, trains, cells], up, recordings=[pt.Record([noise, trains], "spikes")]
    )


@needs_jar
def test_spikes_of_sources_are_the_programs() -> None:
    """Sources are written as inputs, whose spikes no file records; they are known all the same."""
    ours = pt.run(_with_sources(), "jneuroml", "20 ms", seed=4)
    native = pt.run(_with_sources(), "native", "20 ms", seed=4, inputs="frozen")
    assert len(native.spikes["noise"]) > 100
    for name in ("noise", "trains"):
        a, b = ours.spikes[name], native.spikes[name]
        mine, theirs = np.lexsort((a.ids, a.steps)), np.lexsort((b.ids, b.steps))
        np.testing.assert_array_equal(a.steps[mine], b.steps[theirs])
        np.testing.assert_array_equal(a.ids[mine], b.ids[theirs])
    assert not [x for x in ours.approximations if "seed" in x.asked or "recorded spikes" in x.where]


def test_draws_of_the_simulator_are_told() -> None:
    """jNeuroML takes no seed: where it draws, the answer says so."""
    program = resolve(_with_sources(), 7, 0.1)
    notes = registry.get("jneuroml").lower(program, RunConfig(inputs="native")).approximations
    assert [n.where for n in notes if "seed 7" in n.asked] == ["population 'noise'"]
