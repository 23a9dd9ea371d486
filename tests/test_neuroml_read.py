"""Reading NeuroML and LEMS: against closed forms, against the NeuroML project's own expected spike times, and
back again.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

import portable as pt
from portable.errors import ModelError, UnsupportedError

MODELS = Path(__file__).resolve().parents[2] / "shared" / "neuroml"
needs_models = pytest.mark.skipif(
    not MODELS.is_dir(), reason="the NeuroML project's examples are not beside the checkout"
)
HEAD = '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="d">'
IAF = '<iafCell id="iaf" leakReversal="-60mV" thresh="-50mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/>'


def written(folder: Path, body: str, name: str = "net.nml") -> Path:
    path = folder / name
    path.write_text(f"{HEAD}{body}</neuroml>" if name.endswith("nml") else f"<Lems>{body}</Lems>")
    return path


def test_a_leaky_cell_with_a_pulse_spikes_at_the_closed_form(tmp_path):
    # tau = C/g = 20 ms, V_inf = -60 + 150/10 = -45 mV: from rest the threshold is crossed at tau ln(15/5),
    # from reset each tau ln(20/5)
    net = pt.read_neuroml(
        written(
            tmp_path,
            IAF + '<pulseGenerator id="p" delay="10ms" duration="200ms" amplitude="0.15nA"/>'
            '<network id="n"><population id="pop" component="iaf" size="2"/><inputList id="l" component="p" '
            'population="pop"><input id="0" target="../pop[1]" '
            'destination="synapses"/></inputList></network>',
        )
    )
    r = pt.run(net, duration="150 ms", dt="0.1 ms")
    spikes = r.spikes["pop"]
    assert set(spikes.ids.tolist()) == {1}
    first, interval = 10 + 20 * math.log(3), 20 * math.log(4)
    want = first + interval * np.arange(spikes.times.size)
    assert spikes.times.size == 5
    # each crossing is seen at the end of its step: up to 0.1 ms late, which adds up from spike to spike
    assert np.all(spikes.times >= want - 1e-9)
    assert np.all(spikes.times - want <= 0.1 * np.arange(1, 6) + 1e-9)


def test_conductances_decay_and_delays_are_kept(tmp_path):
    net = pt.read_neuroml(
        written(
            tmp_path,
            IAF + '<expOneSynapse id="s" gbase="2nS" erev="0mV" tauDecay="3ms"/><spikeArray id="src"><spike '
            'id="0" time="5ms"/></spikeArray>'
            '<network id="n"><population id="a" component="src" size="1"/><population id="b" '
            'component="iaf" size="1"/>'
            '<projection id="p" presynapticPopulation="a" postsynapticPopulation="b" '
            'synapse="s"><connectionWD id="0" preCellId="../a[0]" postCellId="../b[0]" weight="1.5" '
            'delay="2ms"/></projection></network>',
        )
    )
    b = net.population("b")
    net = pt.Network(
        "n", net.populations, net.projections, net.inputs, [pt.Record(b, ["s_g", "iSyn", "v"])], net.links
    )
    r = pt.run(net, duration="12 ms", dt="0.1 ms")
    g = r.traces["b", "s_g"]
    t = g.steps * g.dt
    want = np.where(t >= 7 - 1e-9, 3.0 * np.exp(-(t - 7) / 3), 0.0)
    method = r.provenance["integrators"]["b"]
    assert np.allclose(
        g.values[:, 0], want, atol=1e-6 if method == "rk4" else 1e-12
    )  # rk4: local error (dt/tau)^5/120 = 3e-10 a step
    i = r.traces["b", "iSyn"].values[:, 0]
    assert np.array_equal(i, g.values[:, 0] * (0.0 - r.traces["b", "v"].values[:, 0]))


def test_hodgkin_huxley_equals_the_same_cell_written_by_hand(tmp_path):
    rate = '<{}Rate type="{}" rate="{}per_ms" midpoint="{}mV" scale="{}mV"/>'
    gates = {
        "na": [
            ("m", 3, ("HHExpLinearRate", 1, -40, 10), ("HHExpRate", 4, -65, -18)),
            ("h", 1, ("HHExpRate", 0.07, -65, -20), ("HHSigmoidRate", 1, -35, 10)),
        ],
        "k": [("n", 4, ("HHExpLinearRate", 0.1, -55, 10), ("HHExpRate", 0.125, -65, -80))],
    }
    channels = '<ionChannelPassive id="leak" conductance="10pS"/>' + "".join(
        f'<ionChannelHH id="{c}" conductance="10pS">'
        + "".join(
            f'<gateHHrates id="{g}" '
            f'instances="{n}">{rate.format("forward", *f)}{rate.format("reverse", *b)}</gateHHrates>'
            for g, n, f, b in gs
        )
        + "</ionChannelHH>"
        for c, gs in gates.items()
    )
    cell = (
        '<pointCellCondBased id="hh" C="10pF" v0="-65mV" thresh="20mV"><channelPopulation id="lk" '
        'ionChannel="leak" number="300" erev="-54.3mV"/>'
        '<channelPopulation id="nas" ionChannel="na" number="120000" erev="50mV"/><channelPopulation '
        'id="ks" ionChannel="k" number="36000" erev="-77mV"/></pointCellCondBased>'
        '<pulseGenerator id="p" delay="5ms" duration="90ms" amplitude="0.08nA"/>'
    )
    net = pt.read_neuroml(
        written(
            tmp_path,
            channels
            + cell
            + '<network id="n"><population id="pop" component="hh" size="1"/><explicitInput target="pop[0]" '
            'input="p"/></network>',
        )
    )
    by_hand = pt.cell_type(
        "HH",
        equations="""
            am = 1/ms*((v + 40 mV)/(10 mV))/(1 - exp(-(v + 40 mV)/(10 mV))) : 1/ms
            bm = 4/ms*exp(-(v + 65 mV)/(18 mV)) : 1/ms
            ah = 0.07/ms*exp(-(v + 65 mV)/(20 mV)) : 1/ms
            bh = 1/ms/(1 + exp(-(v + 35 mV)/(10 mV))) : 1/ms
            an = 0.1/ms*((v + 55 mV)/(10 mV))/(1 - exp(-(v + 55 mV)/(10 mV))) : 1/ms
            bn = 0.125/ms*exp(-(v + 65 mV)/(80 mV)) : 1/ms
            dv/dt = (gl*(el - v) + gna*m^3*h*(ena - v) + gk*n^4*(ek - v) + i_ext)/c : mV
            dm/dt = am*(1 - m) - bm*m : 1
            dh/dt = ah*(1 - h) - bh*h : 1
            dn/dt = an*(1 - n) - bn*n : 1
        """,
        threshold="v > 20 mV",
        edge=True,
        initial={"v": "-65 mV"},
        parameters={
            "gl": "3 nS",
            "el": "-54.3 mV",
            "gna": "1200 nS",
            "ena": "50 mV",
            "gk": "360 nS",
            "ek": "-77 mV",
            "c": "10 pF",
        },
    )
    am, bm, ah, bh, an, bn = (
        2.5 / (math.exp(2.5) - 1),
        4.0,
        0.07,
        1 / (1 + math.exp(3)),
        0.1 / (math.e - 1),
        0.125,
    )
    start = {"m": am / (am + bm), "h": ah / (ah + bh), "n": an / (an + bn)}
    mine = pt.Population("pop", 1, by_hand(), initial=start)
    other = pt.Network(
        "by hand",
        [mine],
        inputs=[pt.Injection(pt.DCSource("0.08 nA", "5 ms", "95 ms"), mine)],
        recordings=[pt.Record(mine, "spikes")],
    )
    a, b = (pt.run(x, duration="100 ms", dt="0.01 ms").spikes["pop"].times for x in (net, other))
    assert a.size >= 5
    assert np.array_equal(a, b)


@pytest.mark.parametrize("synapses", ["rules", "cells"])
def test_each_connection_has_its_own_plasticity(tmp_path, synapses):
    # Tsodyks & Markram 1997 with U = 0.5 and no recovery to speak of: the k-th spike finds R = 0.5^k, so g
    # jumps by 0.5^(k+1)
    syn = (
        '<blockingPlasticSynapse id="s" gbase="1nS" erev="0mV" tauRise="0.1ms" '
        'tauDecay="1ms"><plasticityMechanism type="tsodyksMarkramDepMechanism" initReleaseProb="0.5" '
        'tauRec="1e9ms"/></blockingPlasticSynapse>'
    )
    net = pt.read_neuroml(
        written(
            tmp_path,
            IAF
            + syn
            + '<spikeArray id="x"><spike id="0" time="10ms"/><spike id="1" time="40ms"/><spike id="2" '
            'time="70ms"/></spikeArray><spikeArray id="y"><spike id="0" time="55ms"/></spikeArray>'
            '<network id="n"><population id="a" component="x" size="1"/><population id="c" component="y" '
            'size="1"/><population id="b" component="iaf" size="1"/>'
            '<synapticConnection from="a[0]" to="b[0]" synapse="s"/><synapticConnection from="c[0]" '
            'to="b[0]" synapse="s"/></network>',
        ),
        synapses=synapses,
    )
    groups = [p for p in net.populations if p.name not in ("a", "b", "c")]
    assert [g.size for g in groups] == ([] if synapses == "rules" else [1, 1])
    records = [pt.Record(groups, "g")] if groups else [pt.Record(net.population("b"), "s_g")]
    net = pt.Network("n", net.populations, net.projections, net.inputs, records, net.links)
    r = pt.run(net, duration="100 ms", dt="0.1 ms")
    if groups:
        first, other = (r.traces[g.name, "g"].values[:, 0] for g in groups)
    else:  # the sum over both: that of `other` is between the spikes of `first` at 40 and 70 ms
        first = r.traces["b", "s_g"].values[:, 0].copy()
        other = first[545:690].copy()
        first[545:690] = 0.0
    peaks = [first[a:b].max() for a, b in ((100, 390), (400, 690), (700, 1000))]
    assert np.allclose(
        np.array(peaks) / peaks[0], [1, 0.5, 0.25], rtol=2e-6
    )  # the remains of the spike before are exp(-30), those of the other exp(-15) of four times this
    assert math.isclose(other.max(), peaks[0], rel_tol=1e-6)  # the other connection has used nothing up


def test_two_passive_cells_share_charge_through_a_gap_junction(tmp_path):
    cell = (
        '<iafCell id="c" leakReversal="-60mV" thresh="0mV" reset="-60mV" C="0.2nF" leakConductance="10nS"/>'
    )
    net = pt.read_neuroml(
        written(
            tmp_path,
            cell
            + '<gapJunction id="gj" conductance="5nS"/><pulseGenerator id="p" delay="0ms" duration="1000ms" '
            'amplitude="0.1nA"/>'
            '<network id="n"><population id="a" component="c" size="1"/><population id="b" component="c" '
            'size="1"/><electricalProjection id="e" presynapticPopulation="a" postsynapticPopulation="b">'
            '<electricalConnection id="0" preCell="0" postCell="0" '
            'synapse="gj"/></electricalProjection><explicitInput target="a[0]" input="p"/></network>',
        )
    )
    net = pt.Network(
        "n",
        net.populations,
        net.projections,
        net.inputs,
        [pt.Record([net.population("a"), net.population("b")], "v", interval="10 ms")],
        net.links,
    )
    r = pt.run(net, duration="500 ms", dt="0.05 ms")
    # steady state: the sum of both has g_leak, the difference g_leak + 2 g_gap
    a, b = 100 / 10 / 2 + 100 / 20 / 2, 100 / 10 / 2 - 100 / 20 / 2
    assert math.isclose(r.traces["a", "v"].values[-1, 0], -60 + a, abs_tol=1e-6)
    assert math.isclose(r.traces["b", "v"].values[-1, 0], -60 + b, abs_tol=1e-6)


def test_regimes_random_sources_and_relays_of_own_types(tmp_path):
    own = """<Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
    <ComponentType name="ramp" extends="baseSpikingCell"><Parameter name="up" dimension="time"/><Parameter name="hold" dimension="time"/><Exposure name="x" dimension="none"/>
      <Dynamics><StateVariable name="x" dimension="none" exposure="x"/><StateVariable name="since" dimension="time"/>
        <Regime name="rising" initial="true"><TimeDerivative variable="x" value="1/up"/><OnCondition test="x .geq. 1"><EventOut port="spike"/><Transition regime="held"/></OnCondition></Regime>
        <Regime name="held"><OnEntry><StateAssignment variable="x" value="0"/><StateAssignment variable="since" value="t"/></OnEntry>
          <OnCondition test="t .gt. since + hold"><Transition regime="rising"/></OnCondition></Regime></Dynamics></ComponentType>
    <ramp id="r" up="10ms" hold="5ms"/><network id="n"><population id="p" component="r" size="1"/></network>
    <Simulation id="sim" length="100ms" step="0.5ms" target="n"><OutputFile id="o" fileName="x.dat"><OutputColumn id="x" quantity="p[0]/x"/></OutputFile></Simulation>"""  # noqa: E501
    net = pt.read_neuroml(written(tmp_path, own, "LEMS.xml"))
    assert str(net.settings.duration) == "100.0 ms"
    r = pt.run(net)
    # up 20 steps, then held until t > since + 5 ms: 11 steps
    assert r.spikes["p"].times.tolist() == [10.0, 25.5, 41.0, 56.5, 72.0, 87.5]
    assert r.traces["p", "x"].values[5, 0] == pytest.approx(0.25, abs=1e-12)


def test_states_of_a_regime_keep_their_values(tmp_path):
    """v' = w V/ms and w' = 1/ms in `on`, which ends at w = 0.2, 0.4, ..., back 0.2 ms later: after three
    times v = 0.6^2/2 V. The state of the same name in `off` is another one."""
    rate = '<TimeDerivative variable="w" value="1/MS"/><StateVariable name="w" dimension="none"/>'
    path = written(
        tmp_path,
        '<Include file="Cells.xml"/><Include file="Networks.xml"/>'
        '<ComponentType name="mine" extends="baseCellMembPot"><Constant name="MV" dimension="voltage" '
        'value="1V"/><Constant name="MS" dimension="time" value="1ms"/><Dynamics><StateVariable name="v" '
        'dimension="voltage" exposure="v"/><StateVariable name="n" dimension="none"/><OnStart>'
        f'<StateAssignment variable="n" value="1"/></OnStart><Regime name="on" initial="true">{rate}'
        '<TimeDerivative variable="v" value="w*MV/MS"/><OnCondition test="w .gt. 0.2*n - 0.0001"><Transition '
        f'regime="off"/></OnCondition></Regime><Regime name="off">{rate}'
        '<OnCondition test="w .gt. 0.2*n - 0.0001"><StateAssignment variable="n" value="n + 1"/><Transition '
        'regime="on"/></OnCondition></Regime></Dynamics></ComponentType><mine id="c"/>'
        '<network id="net"><population id="p" component="c" size="1"/></network>',
        "own.xml",
    )
    net = pt.read_neuroml(path)
    net = pt.Network("n", net.populations, recordings=[pt.Record(net.population("p"), "v")])
    v = pt.run(net, "reference", duration="1 ms", dt="0.001 ms").traces["p", "v"].values[-1, 0]
    # each of five ends of a regime is seen up to a step of 0.001 ms late, at w up to 0.6
    assert v == pytest.approx(180, abs=5 * 0.001 * 0.6 * 1000)


def test_names_in_messages_and_in_paths(tmp_path):
    with pytest.raises(
        ModelError, match=r"net\.nml:1: <population id='p'>: the component 'nix' does not exist"
    ):
        pt.read_neuroml(
            written(tmp_path, IAF + '<network id="n"><population id="p" component="nix" size="1"/></network>')
        )
    with pytest.raises(ModelError, match=r"needs the parameter 'thresh' .*; is 'threshold' meant for it"):
        pt.read_neuroml(
            written(
                tmp_path,
                IAF.replace("thresh", "threshold")
                + '<network id="n"><population id="p" component="iaf" size="1"/></network>',
            )
        )


def test_several_compartments_are_kept_and_refused(tmp_path):
    segments = (
        '<segment id="0" name="s"><proximal x="0" y="0" z="0" diameter="10"/><distal x="0" y="10" '
        'z="0" diameter="10"/></segment><segment id="1" name="d"><parent segment="0"/><distal x="0" y="60" '
        'z="0" diameter="2"/></segment>'
    )
    cell = (
        '<ionChannelPassive id="l" conductance="10pS"/><cell id="c"><morphology '
        f'id="m">{segments}</morphology><biophysicalProperties id="b"><membraneProperties><channelDensity '
        'id="d" ionChannel="l" condDensity="3 S_per_m2" erev="-65mV" ion="non_specific"/><spikeThresh '
        'value="0mV"/><specificCapacitance value="1 uF_per_cm2"/><initMembPotential '
        'value="-65mV"/></membraneProperties><intracellularProperties><resistivity value="0.1 '
        'kohm_cm"/></intracellularProperties></biophysicalProperties></cell>'
    )
    net = pt.read_neuroml(
        written(tmp_path, cell + '<network id="n"><population id="p" component="c" size="1"/></network>')
    )
    with pytest.raises(UnsupportedError, match="several compartments"):
        pt.run(net, duration="1 ms")
    files = pt.write_neuroml(net, tmp_path / "out", simulation=False)
    assert '<parent segment="0"/>' in files.path.read_text()


def test_what_was_read_is_written_with_notes_and_foreign_attributes(tmp_path):
    body = IAF.replace(
        "/>",
        '><notes>my cell</notes><annotation><x:tag xmlns:x="urn:x" '
        'x:deep="1">é</x:tag></annotation></iafCell>',
    )
    net = pt.read_neuroml(
        written(
            tmp_path,
            body + '<network id="n"><notes>all of it</notes><population id="p" component="iaf" '
            'size="3"><property tag="color" value="1 0 0"/></population></network>',
        )
    )
    text = pt.write_neuroml(net, tmp_path / "out", simulation=False).path.read_text()
    for kept in ("my cell", "all of it", 'deep="1"', "é", '<property tag="color" value="1 0 0"/>'):
        assert kept in text
    again = pt.read_neuroml(tmp_path / "out" / "n.net.nml")
    assert again == net


def test_documents_keep_an_imported_network(tmp_path):
    net = pt.read_neuroml(
        written(tmp_path, IAF + '<network id="n"><population id="p" component="iaf" size="3"/></network>')
    )
    pt.save(net, tmp_path / "net.yaml")
    assert pt.load(tmp_path / "net.yaml") == net


def test_hdf5_and_xml_are_the_same_network(tmp_path):
    h5py = pytest.importorskip("h5py")
    connections = "".join(
        f'<connectionWD id="{i}" preCellId="../p/{i % 5}/iaf" postCellId="../p/{(3 * i) % 5}/iaf" '
        f'weight="{i / 8}" delay="{1 + i}ms"/>'
        for i in range(8)
    )
    instances = "".join(f'<instance id="{i}"><location x="{i}" y="0" z="1"/></instance>' for i in range(5))
    top = IAF + '<expOneSynapse id="s" gbase="2nS" erev="0mV" tauDecay="3ms"/>'
    a = pt.read_neuroml(
        written(
            tmp_path,
            f'{top}<network id="n"><population id="p" component="iaf" size="5" '
            f'type="populationList">{instances}</population><projection id="q" presynapticPopulation="p" '
            f'postsynapticPopulation="p" synapse="s">{connections}</projection></network>',
        )
    )
    with h5py.File(tmp_path / "b.net.nml.h5", "w") as f:
        root = f.create_group("neuroml")
        root.attrs["neuroml_top_level"] = np.bytes_(f"{HEAD}{top}</neuroml>")
        net = root.create_group("network")
        net.attrs["id"] = np.bytes_("n")
        p = net.create_group("population_p")
        p.attrs.update(id=np.bytes_("p"), component=np.bytes_("iaf"), size=5)
        q = net.create_group("projection_q")
        q.attrs.update(
            id=np.bytes_("q"),
            type=np.bytes_("projection"),
            presynapticPopulation=np.bytes_("p"),
            postsynapticPopulation=np.bytes_("p"),
            synapse=np.bytes_("s"),
        )
        i = np.arange(8)
        d = q.create_dataset("q", data=np.stack([i % 5, (3 * i) % 5, i / 8, 1 + i], 1).astype("f4"))
        d.attrs.update(
            {
                f"column_{k}": np.bytes_(c)
                for k, c in enumerate(("pre_cell_id", "post_cell_id", "weight", "delay"))
            }
        )
    b = pt.read_neuroml(tmp_path / "b.net.nml.h5")
    assert a == b  # eighths and whole ms are exact in float32


def test_long_lists_read_by_pattern_are_what_the_elements_say(tmp_path):
    # more than rows.MANY, so that the column is read from the text; a comment inside makes it read element by
    # element
    lines = [
        f'<connectionWD id="{i}" preCellId="../p[{i % 7}]" postCellId="../p[{(5 * i) % 7}]" '
        f'weight="{0.25 * (i % 3)}" delay="{1 + i % 4} ms"/>'
        for i in range(700)
    ]
    top = (
        IAF
        + '<expOneSynapse id="s" gbase="2nS" erev="0mV" tauDecay="3ms"/><network id="n"><population id="p" '
        'component="iaf" size="7"/><projection id="q" presynapticPopulation="p" postsynapticPopulation="p" '
        'synapse="s">'
    )
    fast = pt.read_neuroml(written(tmp_path, top + "".join(lines) + "</projection></network>"))
    slow = pt.read_neuroml(
        written(tmp_path, top + '<!-- preCellId="../p[6]" -->' + "".join(lines) + "</projection></network>")
    )
    assert fast == slow
    (projection,) = fast.projections
    assert projection.connector.pre.values.tolist() == [i % 7 for i in range(700)]


# What the NeuroML project expects; tolerance max(2 x what it lists for jLEMS, 1e-3), relative, the same
# number of spikes. Its times are NEURON's at the file's step, so forward Euler, the scheme that the
# tolerances were measured with, is compared (benchmarks/neuroml_conformance.py has the others).
FAST = ("Ex0_IaF", "Ex7_STP", "Ex9_FN", "Ex19_GapJ", "Ex21_Current")
SKIPPED = ("Ex25", "pyrfull")  # several compartments
UNLISTED = (
    "m_out_b_out",
)  # no tolerance is listed for jLEMS; of the same model in one file it is 4e-3, which we meet


def entries() -> list[tuple[str, list[dict[str, object]]]]:
    if not MODELS.is_dir():
        return []
    by: dict[str, list[dict[str, object]]] = {}
    for e in json.loads((MODELS / "conformance.json").read_text()):
        if e["kind"] == "spike times" and not any(s in e["target"] for s in (*SKIPPED, *UNLISTED)):
            by.setdefault(e["target"], []).append(e)
    return list(by.items())


@needs_models
@pytest.mark.parametrize(
    ("target", "series"),
    [
        pytest.param(t, s, id=t, marks=[] if any(f in t for f in FAST) else [pytest.mark.slow])
        for t, s in entries()
    ],
)
def test_expected_spike_times(target, series):
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
    from neuroml_conformance import run_target

    rows = run_target(str(MODELS), target, "native:euler", series, {})
    assert rows
    assert [(r["series"], r["why"]) for r in rows if not r["passed"]] == []
