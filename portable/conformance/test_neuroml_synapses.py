"""Short-term plasticity read from NeuroML: a receptor and connections with a rule, on every backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

import portable as pt
from portable.conformance.reference import ReferenceRuns
from portable.model.synapses import PlasticSynapse

pytestmark = pytest.mark.needs(
    "cells.nonlinear",
    "receptors.jump",
    "record.spikes",
    "record.states",
    "sources.trains",
    "synapses.plastic",
    "synapses.states",
)
DT = 0.1  # ms
# Tsodyks, Pawelzik & Markram 1998 as NeuroML has it, and as a type of one's own, with a conductance that only
# depresses; trains of which one has two spikes in a step.
FILE = """<Lems>
  <Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
  <ComponentType name="tiring" extends="baseConductanceBasedSynapse">
    <Property name="weight" dimension="none" defaultValue="1"/>
    <Parameter name="tau" dimension="time"/><Parameter name="rest" dimension="time"/>
    <Parameter name="used" dimension="none"/>
    <Dynamics>
      <StateVariable name="g" dimension="conductance" exposure="g"/>
      <StateVariable name="ready" dimension="conductance"/>
      <DerivedVariable name="i" dimension="current" exposure="i" value="g * (erev - v)"/>
      <TimeDerivative variable="g" value="-g / tau"/>
      <TimeDerivative variable="ready" value="(gbase - ready) / rest"/>
      <OnStart><StateAssignment variable="ready" value="gbase"/></OnStart>
      <OnEvent port="in">
        <StateAssignment variable="g" value="g + weight * used * ready"/>
        <StateAssignment variable="ready" value="ready * (1 - used)"/>
      </OnEvent>
    </Dynamics>
  </ComponentType>
  <tiring id="own" gbase="3nS" erev="0mV" tau="4ms" rest="50ms" used="0.4"/>
  <blockingPlasticSynapse id="core" gbase="1nS" erev="0mV" tauRise="0.5ms" tauDecay="5ms">
    <plasticityMechanism type="tsodyksMarkramDepFacMechanism" initReleaseProb="0.3" tauRec="80ms"
      tauFac="40ms"/>
  </blockingPlasticSynapse>
  <iafCell id="iaf" leakReversal="-60mV" thresh="-50mV" reset="-66mV" C="0.1nF" leakConductance="8nS"/>
  <spikeArray id="one">{one}</spikeArray><spikeArray id="two">{two}</spikeArray>
  <network id="net">
    <population id="a" component="one" size="1"/><population id="b" component="two" size="1"/>
    <population id="cells" component="iaf" size="3"/>
    <projection id="p" presynapticPopulation="a" postsynapticPopulation="cells" synapse="core">
      <connectionWD id="0" preCellId="../a[0]" postCellId="../cells[0]" weight="40" delay="0.5ms"/>
      <connectionWD id="1" preCellId="../a[0]" postCellId="../cells[1]" weight="20" delay="2ms"/>
    </projection>
    <projection id="q" presynapticPopulation="b" postsynapticPopulation="cells" synapse="core">
      <connectionWD id="0" preCellId="../b[0]" postCellId="../cells[1]" weight="3" delay="1ms"/>
    </projection>
    <projection id="r" presynapticPopulation="b" postsynapticPopulation="cells" synapse="own">
      <connectionWD id="0" preCellId="../b[0]" postCellId="../cells[2]" weight="12" delay="0.1ms"/>
    </projection>
  </network>
</Lems>
"""
TRAINS = {
    "one": np.cumsum([30, 41, 55, 20, 90, 33, 150, 12, 60]),
    "two": np.array([17, 60, 60, 118, 200, 203, 340, 341, 341, 480]),
}


def read(folder: Path) -> pt.Network:
    shown = {
        name: "".join(f'<spike id="{k}" time="{s * DT:.1f}ms"/>' for k, s in enumerate(steps))
        for name, steps in TRAINS.items()
    }
    path = folder / "short_term.xml"
    path.write_text(FILE.format(**shown))
    net = pt.read_neuroml(path, dt=DT)
    cells = net.population("cells")
    return replace(net, recordings=(pt.Record(cells, ["spikes", "core_B", "own_g"]),))


def test_what_arrives_by_recursion(
    backend: str, method: str, printed: float, reference: ReferenceRuns, tmp_path: Path
) -> None:
    """Each event adds weight R U, or weight used ready, of its own connection, to a state that decays by the
    method of the cells; two spikes of one step come one after the other, as events do in LEMS.
    """
    net = read(tmp_path)
    got = pt.run(net, backend, "60 ms", dt=DT, integrator=method)

    def decayed(tau: float, steps: int) -> np.ndarray:
        one = 1 - DT / tau if method == "euler" else np.exp(-DT / tau)
        return one ** np.arange(max(steps, 0))

    peak = np.log(10.0) * 0.5 * 5 / 4.5
    factor = 1 / (np.exp(-peak / 5) - np.exp(-peak / 0.5))
    want = np.zeros((601, 3))
    for train, cell, weight, delay in (("one", 0, 40.0, 5), ("one", 1, 20.0, 20), ("two", 1, 3.0, 10)):
        have, use, last = 1.0, 0.3, 0
        for step in TRAINS[train]:
            past = DT * (step - last)
            have, use = 1 - (1 - have) * np.exp(-past / 80), 0.3 + (use - 0.3) * np.exp(-past / 40)
            kept = decayed(5.0, 601 - step - delay)
            want[step + delay :, cell] += weight * factor * have * use * kept
            have, use, last = have * (1 - use), use + 0.3 * (1 - use), step
    ready, last = 3.0, 0
    for step in TRAINS["two"]:
        ready = 3 - (3 - ready) * np.exp(-DT * (step - last) / 50)
        want[step + 1 :, 2] += 12 * 0.4 * ready * decayed(4.0, 600 - step)
        ready, last = ready * 0.6, step
    # rounding of 600 steps, or the digits that the simulator prints
    close = max(1e-11, printed)
    np.testing.assert_allclose(
        got.traces["cells", "core_B"].values[:, :2], want[:, :2], rtol=close, atol=1e-11
    )
    np.testing.assert_allclose(got.traces["cells", "own_g"].values[:, 2], want[:, 2], rtol=close, atol=1e-11)
    truth = reference(net, duration="60 ms", dt=DT, integrator=method)
    assert len(truth.spikes["cells"]) > 3
    np.testing.assert_array_equal(got.spikes["cells"].steps, truth.spikes["cells"].steps)
    np.testing.assert_array_equal(got.spikes["cells"].ids, truth.spikes["cells"].ids)


def test_no_cell_stands_for_a_connection(tmp_path: Path) -> None:
    """The network has the file's populations and one projection for each of the file's."""
    net = read(tmp_path)
    assert {p.name for p in net.populations} == {"a", "b", "cells"}
    assert len(net.projections) == 3
    assert not net.links
    rules = [p.synapse.type.name for p in net.projections if isinstance(p.synapse, PlasticSynapse)]
    assert rules == ["core", "core_singly", "own_singly"]
