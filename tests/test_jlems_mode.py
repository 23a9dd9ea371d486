"""Backend jlems against loops written out by hand, closed forms, values that Java documents, and jLEMS
itself where Java is there.

jLEMS prints float32. The decimal that it prints and our value may each lie half a unit from the float32
between them: 2^-23 of the value.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.backends.jlems import functions, kernels
from portable.backends.jlems.run import run_jlems
from portable.backends.jneuroml import java, runner
from portable.dynamics.lems.instance import java_order
from portable.errors import BackendUnavailable, ModelError, UnsupportedError

PRINTED = 2.0**-23
HEAD = (
    '<Lems><Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/><Include '
    'file="Simulation.xml"/><Include file="PyNN.xml"/>'
)


def lems(
    folder: Path,
    content: str,
    record: str,
    length: str = "50ms",
    step: str = "0.01ms",
    seed: str = "",
    target: str = "net",
) -> Path:
    """A LEMS file in `folder`. record: quantities, and "event:" paths of cells."""
    columns = "".join(
        f'<OutputColumn id="c{i}" quantity="{q}"/>'
        for i, q in enumerate(q for q in record.split() if not q.startswith("event:"))
    )
    events = "".join(
        f'<EventSelection id="{i}" select="{q[6:]}" eventPort="spike"/>'
        for i, q in enumerate(q for q in record.split() if q.startswith("event:"))
    )
    events = (
        f'<EventOutputFile id="s" fileName="s.dat" format="TIME_ID">{events}</EventOutputFile>'
        if events
        else ""
    )
    sim = (
        f'<Simulation id="sim" length="{length}" step="{step}" target="{target}" {seed}><OutputFile '
        f'id="v" fileName="v.dat">{columns}</OutputFile>{events}</Simulation>'
    )
    file = folder / "model.xml"
    file.write_text(f"{HEAD}{content}{sim}</Lems>")
    return file


def ours(file: Path):
    source = pt.read_neuroml(file).origin
    return run_jlems(source.model, source.network, source.simulation, source.context)


# -- pieces


def test_random_numbers_are_javas():
    """new java.util.Random(42): the first two of nextDouble()."""
    C = np.zeros(8, dtype=np.int64)
    random = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_int64)(functions.random.address())
    C[functions.RANDOM] = functions.seeded(42)
    assert [random(1.0, C.ctypes.data) for _ in range(2)] == [0.7275636800328681, 0.6832234717598454]
    C[functions.RANDOM] = functions.seeded(-7)
    assert 0 <= random(3.0, C.ctypes.data) < 3


def test_the_queue_keeps_the_order_of_coming_among_equal_times():
    rng = np.random.default_rng(1)
    times, queue, C = np.zeros(400), np.zeros((400, 2), dtype=np.int64), np.zeros(8, dtype=np.int64)
    given = rng.integers(0, 20, 400).astype(float)
    for code, t in enumerate(given):
        kernels.push(times, queue, C, t, code)
    assert [kernels.pop(times, queue, C) for _ in given] == np.argsort(given, kind="stable").tolist()


def test_a_scheme_of_two_states_relaxes_exponentially():
    """Occupancy of the first after dt: p + (1 - p) exp(-(f + r) dt), p = r/(f + r). 1e-12: what jLEMS's
    halving leaves.
    """
    forward, reverse, dt = 300.0, 100.0, 1e-3
    S, T = np.array([1.0, 0.0, forward, reverse]), np.array([0, 0, 1, 1, 0, 1, 2, 3])
    kernels.scheme_step(S, T, 0, 2, 4, 1, dt)
    p = reverse / (forward + reverse)
    assert S[0] == pytest.approx(p + (1 - p) * np.exp(-(forward + reverse) * dt), abs=1e-11)
    assert S[0] + S[1] == pytest.approx(1.0, abs=1e-12)


def test_order_of_a_java_hash_map():
    """ "in" before "spikePost" before a map has to grow; 13 names are kept in 32 buckets (by hash, h ^ h >>>
    16, as Java documents).
    """
    assert java_order(["spikePost", "in"]) == ["in", "spikePost"]
    letters = list("qponmlkjihgfedcba")
    assert java_order(letters) == [chr(c) for c in sorted((ord(x) for x in letters), key=lambda h: h & 31)]


# -- whole models, by hand

LEAKY = """<iafCell id="iaf" leakReversal="-50mV" thresh="-30mV" reset="-70mV" C="3.2nF" leakConductance="0.2uS"/>
<pulseGenerator id="pulse" delay="5ms" duration="20ms" amplitude="1nA"/>
<network id="net"><population id="pop" component="iaf" size="1"/><explicitInput target="pop[0]" input="pulse"/></network>"""  # noqa: E501


def test_an_input_is_seen_in_the_step_that_sets_it(tmp_path: Path):
    """Children step before the cell: at the first t >= 5 ms the pulse switches on, and the cell's Euler step
    of that t has it already. The same operations in the same order, so equal to the last bits (1e-15 of the
    value, for sums in another order)."""
    got = ours(lems(tmp_path, LEAKY, "pop[0]/v pop[0]/pulse/i"))
    v, t, dt, want = -50e-3, 0.0, 0.01e-3, [-50e-3]
    for _ in range(5000):
        t += dt
        i = 1e-9 if 5e-3 <= t < 5e-3 + 20e-3 else 0.0
        v += dt * (0.2e-6 * (-50e-3 - v) + i) / 3.2e-9
        want.append(v)
    assert got.columns["v.dat", "c0"] == pytest.approx(np.array(want), rel=1e-13)
    assert (
        np.flatnonzero(got.columns["v.dat", "c1"])[0]
        == np.flatnonzero(np.cumsum(np.full(5001, dt)) - dt >= 5e-3)[0]
    )


LAG = """<ComponentType name="follower" extends="basePointCurrent"><Requirement name="v" dimension="voltage"/><Parameter name="g" dimension="conductance"/>
<EventPort name="in" direction="in"/><Dynamics><StateVariable name="i" dimension="current" exposure="i"/><DerivedVariable name="s" dimension="current" value="g * v"/><OnCondition test="t .gt. 0">
<StateAssignment variable="i" value="s"/></OnCondition></Dynamics></ComponentType>
<iafCell id="iaf" leakReversal="-50mV" thresh="-30mV" reset="-70mV" C="3.2nF" leakConductance="0.2uS"/><follower id="f" g="0.05uS"/>
<network id="net"><population id="pop" component="iaf" size="1"/><explicitInput target="pop[0]" input="f"/></network>"""  # noqa: E501


def test_a_requirement_is_what_the_parent_showed_after_its_last_step(tmp_path: Path):
    """The input's current of step k is g * v of step k - 1."""
    got = ours(lems(tmp_path, LAG, "pop[0]/v pop[0]/f/i"))
    v = got.columns["v.dat", "c0"]
    assert got.columns["v.dat", "c1"][1:] == pytest.approx(0.05e-6 * v[:-1], rel=1e-14)
    assert v[1:] == pytest.approx(
        v[:-1] + 0.01e-3 * (0.2e-6 * (-50e-3 - v[:-1]) + 0.05e-6 * v[:-1]) / 3.2e-9, rel=1e-13
    )


DELAYED = """<spikeArray id="src"><spike id="0" time="1ms"/><spike id="1" time="2ms"/></spikeArray>
<expOneSynapse id="syn" gbase="1nS" erev="0mV" tauDecay="2ms"/><iafCell id="iaf" leakReversal="-50mV" thresh="-30mV" reset="-70mV" C="3.2nF" leakConductance="0.2uS"/>
<network id="net"><population id="a" component="src" size="1"/><population id="b" component="iaf" size="2"/>
<synapticConnectionWD from="a[0]" to="b[0]" synapse="syn" weight="2" delay="3ms"/><synapticConnection from="a[0]" to="b[1]" synapse="syn"/></network>"""  # noqa: E501


def test_a_delayed_event_waits_and_one_without_is_there_at_once(tmp_path: Path):
    """The conductance jumps by weight * gbase in the step whose time is the spike's (+ delay, up to rounding
    of the time: one step).
    """
    got = ours(
        lems(tmp_path, DELAYED, "b[0]/synapses:syn:0/g b[1]/synapses:syn:0/g event:a[0]", length="10ms")
    )
    sent = got.events["s.dat", "0"]
    assert sent == pytest.approx([1e-3, 2e-3], abs=1.01e-5)
    for column, weight, delay in (("c0", 2, 3e-3), ("c1", 1, 0.0)):
        jumps = np.flatnonzero(np.diff(got.columns["v.dat", column]) > 0.5e-9 * weight)
        assert (jumps + 1) * 1e-5 == pytest.approx(sent + delay, abs=2.01e-5)


# -- sessions


def test_results_are_jlems_in_coherent_units_and_pieces_change_nothing(tmp_path: Path):
    file = lems(tmp_path, LEAKY, "pop[0]/v pop[0]/iSyn")
    net, raw = pt.read_neuroml(file), ours(file)
    whole = pt.run(net, "jlems")
    with pt.open(net, "jlems") as sim:
        for piece in ("7 ms", "0.01 ms", "42.99 ms"):
            sim.run(piece)
        parts = sim.results()
    for r in (whole, parts):
        assert r.traces["pop", "v"].values[:, 0] == pytest.approx(raw.columns["v.dat", "c0"] * 1e3, rel=1e-15)
        assert r.traces["pop", "iSyn"].values[:, 0] == pytest.approx(
            raw.columns["v.dat", "c1"] * 1e12, rel=1e-15
        )
    assert whole.provenance["integrators"] == {"pop": "jLEMS forward Euler"}


def test_what_cannot_be_run_as_jlems_says_so(tmp_path: Path):
    cell = pt.Population("p", 1, pt.IF_curr_exp())
    with pytest.raises(UnsupportedError, match="only networks that were read from NeuroML"):
        pt.run(pt.Network("n", [cell]), "jlems", duration="1 ms")
    net = pt.read_neuroml(lems(tmp_path, LEAKY, "pop[0]/v"))
    with pytest.raises(ModelError, match="backend of its own; use backend='jlems'"):
        pt.run(net, integrator="jlems")
    with pytest.raises(UnsupportedError, match="forward Euler only"):
        pt.run(net, "jlems", integrator="rk4")
    with (
        pt.open(net, "jlems") as sim,
        pytest.raises(UnsupportedError, match="jlems has no changing parameters between pieces"),
    ):
        sim.set(net.population("pop"), C="3 nF")
    source = net.origin
    with pytest.raises(ModelError, match="nothing called 'nowhere'"):
        run_jlems(source.model, source.network, _other(source.simulation, "pop[0]/nowhere/v"), None)


def _other(simulation, path: str):
    from dataclasses import replace

    return replace(simulation, columns=(replace(simulation.columns[0], quantity=path),))


# -- beside jLEMS


def _missing() -> str:
    try:
        java.found()
    except BackendUnavailable as error:
        return str(error)
    return ""


CHANNELS = """<ionChannelHH id="na" conductance="10pS"><gateHHrates id="m" instances="3"><forwardRate type="HHExpLinearRate" rate="1per_ms" midpoint="-40mV" scale="10mV"/>
<reverseRate type="HHExpRate" rate="4per_ms" midpoint="-65mV" scale="-18mV"/></gateHHrates><gateHHrates id="h" instances="1"><forwardRate type="HHExpRate" rate="0.07per_ms" midpoint="-65mV" scale="-20mV"/>
<reverseRate type="HHSigmoidRate" rate="1per_ms" midpoint="-35mV" scale="10mV"/></gateHHrates></ionChannelHH>
<ionChannelKS id="k" conductance="10pS"><gateKS id="n" instances="4"><closedState id="c1"/><openState id="o1"/><forwardTransition id="f" from="c1" to="o1">
<rate type="HHExpLinearRate" rate="0.1per_ms" midpoint="-55mV" scale="10mV"/></forwardTransition><reverseTransition id="r" from="c1" to="o1">
<rate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/></reverseTransition></gateKS></ionChannelKS>
<ionChannelHH id="leak" conductance="10pS"/>
<pointCellCondBased id="hh" C="10pF" v0="-65mV" thresh="20mV"><channelPopulation id="leaks" ionChannel="leak" number="300" erev="-54.3mV"/>
<channelPopulation id="nas" ionChannel="na" number="120000" erev="50mV"/><channelPopulation id="ks" ionChannel="k" number="36000" erev="-77mV"/></pointCellCondBased>
<pulseGenerator id="pulse" delay="5ms" duration="40ms" amplitude="0.08nA"/>
<network id="net"><population id="pop" component="hh" size="2"/><explicitInput target="pop[0]" input="pulse" destination="synapses"/></network>"""  # noqa: E501
REGIMES = """<iafRefCell id="iaf" refract="5ms" leakReversal="-50mV" thresh="-55mV" reset="-70mV" C="0.2nF" leakConductance="0.01uS"/>
<IF_curr_alpha id="pynn" cm="1.0" i_offset="0.9" tau_m="20.0" tau_refrac="10.0" tau_syn_E="0.5" tau_syn_I="0.5" v_init="-65" v_reset="-62.0" v_rest="-65.0" v_thresh="-52.0"/>
<spikeGeneratorRandom id="rnd" minISI="2ms" maxISI="9ms"/><spikeGeneratorPoisson id="poi" averageRate="150Hz"/>
<blockingPlasticSynapse id="stp" gbase="2nS" erev="0mV" tauRise="1ms" tauDecay="5ms"><plasticityMechanism type="tsodyksMarkramDepFacMechanism" initReleaseProb="0.5" tauRec="50ms" tauFac="20ms"/>
</blockingPlasticSynapse><gapJunction id="gj" conductance="2nS"/>
<network id="net"><population id="a" component="iaf" size="3"/><population id="b" component="rnd" size="2"/><population id="c" component="poi" size="1"/><population id="d" component="pynn" size="1"/>
<synapticConnectionWD from="b[0]" to="a[0]" synapse="stp" weight="1.5" delay="1.3ms"/><synapticConnectionWD from="b[1]" to="a[1]" synapse="stp" weight="0.5" delay="0ms"/>
<synapticConnection from="c[0]" to="a[0]" synapse="stp"/><synapticConnection from="a[0]" to="a[2]" synapse="stp"/>
<electricalProjection id="e" presynapticPopulation="a" postsynapticPopulation="a"><electricalConnection id="0" preCell="1" postCell="2" synapse="gj"/></electricalProjection></network>"""  # noqa: E501
LIVE = {
    "channels": (
        CHANNELS,
        "pop[0]/v pop[1]/v pop[0]/nas/na/m/q pop[0]/nas/na/h/q pop[0]/ks/k/n/q pop[0]/ks/k/n/c1/occupancy "
        "event:pop[0]",
        "",
    ),
    "regimes": (
        REGIMES,
        "a[0]/v a[1]/v a[2]/v d[0]/v b[0]/isi b[1]/tsince c[0]/isi a[0]/synapses:stp:0/g "
        "a[0]/synapses:stp:1/g event:a[0] event:b[1] event:d[0]",
        'seed="77"',
    ),
    "default seed": (REGIMES, "a[0]/v b[0]/isi c[0]/isi event:c[0]", ""),
    "lag": (LAG, "pop[0]/v pop[0]/f/i", ""),
    "delayed": (DELAYED, "b[0]/v b[1]/v b[0]/synapses:syn:0/g b[1]/synapses:syn:0/g event:a[0]", ""),
}


@pytest.mark.skipif(bool(_missing()), reason=_missing())
@pytest.mark.parametrize("case", LIVE)
def test_every_sample_is_what_jlems_prints(tmp_path: Path, case: str):
    """Random draws included: they come from the seed of the file, else from jLEMS's own, in jLEMS's order."""
    content, record, seed = LIVE[case]
    file = lems(tmp_path, content, record, length="100ms", step="0.02ms", seed=seed)
    theirs, mine = runner.run_lems(file, "jlems"), ours(file)
    for column in theirs.traces["v"].declared.columns:
        printed = theirs.traces["v"][column.id]
        assert np.abs(mine.columns["v.dat", column.id] - printed).max() <= PRINTED * np.abs(printed).max(), (
            column.path
        )
    for selection in theirs.events["s"].declared.columns if theirs.events else ():
        assert mine.events["s.dat", selection.id] == pytest.approx(
            theirs.events["s"][selection.id], abs=1e-9
        ), selection.path
    assert (
        not theirs.events
        or sum(len(theirs.events["s"][c.id]) for c in theirs.events["s"].declared.columns) > 1
    )
