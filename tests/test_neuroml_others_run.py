"""Files that jNeuroML runs although something in them looks wrong: read with jLEMS's meaning, and a note."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

from test_jneuroml_run import needs_jar

import portable as pt
from portable.backends.jneuroml.runner import run_lems
from portable.dynamics.lems.network import whole_steps
from portable.errors import BackendFailed, UnsupportedError

HEAD = (
    '<Lems><Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/>'
    '<Include file="Simulation.xml"/>\n'
)
IAF = '<iafTauCell id="c" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="30ms"/>\n'
NETWORK = '<network id="n"><population id="p" component="c" size="2"/></network>\n'
SECOND = '<Constant name="SEC" dimension="time" value="1s"/>'
PASSIVE = (
    '<ionChannelPassive id="pas" conductance="10pS"/><decayingPoolConcentrationModel id="pool" '
    'restingConc="1e-4 mM" decayConstant="10ms" shellThickness="0.1um" ion="ca"/>'
)


def simulation(columns: str, target: str = "n", length: str = "50ms", step: str = "0.01ms") -> str:
    return (
        f'<Simulation id="sim" length="{length}" step="{step}" target="{target}"><OutputFile id="o" '
        f'fileName="o.dat">{columns}</OutputFile></Simulation></Lems>'
    )


def column(quantity: str, id: str = "v") -> str:
    return f'<OutputColumn id="{id}" quantity="{quantity}"/>'


def read(folder: Path, text: str, name: str = "L.xml") -> pt.Network:
    (folder / name).write_text(text)
    return pt.read_neuroml(folder / name)


def said(net: pt.Network) -> str:
    return "\n".join(f"{place}: {what}" for place, what in net.origin.notes)


def own(dynamics: str, more: str = "", use: str = '<mine id="c"/>') -> str:
    return (
        f'{HEAD}<ComponentType name="mine" extends="baseCellMembPot">{more}<Dynamics>{dynamics}</Dynamics>'
        f"</ComponentType>\n{use}\n{NETWORK}"
    )


def test_two_columns_of_one_id(tmp_path: Path) -> None:
    net = read(tmp_path, HEAD + IAF + NETWORK + simulation(column("p[0]/v") + column("p[1]/v")))
    assert [place.cell for _, place in net.origin.columns] == [0, 1]
    assert said(net) == ""


# length and step as written, and the steps that jLEMS 0.11.4 takes
LENGTHS = {("1ms", "0.3ms"): 3, ("1.05ms", "0.1ms"): 11, ("1.03ms", "0.1ms"): 10, ("0.05ms", "0.1ms"): 1}


@pytest.mark.parametrize(("length", "step"), LENGTHS)
def test_a_length_between_two_steps(tmp_path: Path, length: str, step: str) -> None:
    steps = LENGTHS[length, step]
    net = read(tmp_path, HEAD + IAF + NETWORK + simulation(column("p[0]/v"), length=length, step=step))
    r = pt.run(net, "reference")
    assert r.traces["p", "v"].steps[-1] == steps
    assert "its length is no multiple of its step" in said(net)


@needs_jar
@pytest.mark.parametrize(("length", "step"), [("1.05ms", "0.1ms"), ("1.03ms", "0.1ms")])
def test_jlems_takes_as_many_steps(tmp_path: Path, length: str, step: str) -> None:
    read(tmp_path, HEAD + IAF + NETWORK + simulation(column("p[0]/v"), length=length, step=step))
    found = run_lems(tmp_path / "L.xml")
    assert found.traces["o"].times.size == LENGTHS[length, step] + 1  # and the start


@pytest.mark.parametrize("steps", [1, 3, 7, 10_000, 123_457])
def test_a_length_that_is_a_multiple_but_for_rounding(steps: int) -> None:
    for step in (1e-5, 2.5e-6, 1e-4, 3e-5):
        assert whole_steps(steps * step, step) == steps


S = '<StateVariable name="v" dimension="voltage" exposure="v"/><StateVariable name="s" dimension="none"/>'
DECAY = (
    S + '<OnStart><StateAssignment variable="s" value="1"/></OnStart>'
    '<TimeDerivative variable="s" value="-s/0.001"/>'
)


def test_a_rate_without_its_dimension_is_by_the_second(tmp_path: Path) -> None:
    """jLEMS takes a dimensionless value with a minus before it for any dimension."""
    net = read(tmp_path, own(DECAY) + simulation(column("p[0]/s"), length="1ms"))
    assert "'-s/0.001' is dimensionally wrong and is evaluated in SI units" in said(net)
    assert pt.run(net, "reference").traces["p", "s"].values[-1, 0] == pytest.approx(math.exp(-1), rel=1e-6)


@needs_jar
def test_jlems_takes_it_by_the_second(tmp_path: Path) -> None:
    net = read(tmp_path, own(DECAY) + simulation(column("p[0]/s"), length="1ms"))
    found = pt.run(net, "jneuroml").traces["p", "s"].values[-1, 0]
    assert found == pytest.approx(0.99**100, rel=1e-6)  # forward Euler, printed as float32


def test_a_type_with_equations_of_its_own_and_a_morphology(tmp_path: Path) -> None:
    """v' = (w - v)/s and w' = (v - w)/s from 1 and 0 V: v = (1 + exp(-2 t))/2."""
    segments = "".join(
        f'<segment id="{i}" name="s{i}">{f"<parent segment={chr(34)}{i - 1}{chr(34)}/>" if i else ""}'
        f'<proximal x="{i}" y="0" z="0" diameter="1"/><distal x="{i + 1}" y="0" z="0" diameter="1"/>'
        "</segment>"
        for i in range(2)
    )
    dynamics = (
        S.replace('"s" dimension="none"', '"w" dimension="voltage"')
        + '<OnStart><StateAssignment variable="v" value="ONE"/></OnStart><TimeDerivative variable="v" '
        'value="(w-v)/SEC"/><TimeDerivative variable="w" value="(v-w)/SEC"/>'
    )
    more = '<Child name="morphology" type="morphology"/><Constant name="ONE" dimension="voltage" value="1V"/>'
    cell = f'<mine id="c"><morphology id="m">{segments}</morphology></mine>'
    text = own(dynamics, more + SECOND, cell) + simulation(column("p[0]/v"), length="1s", step="1ms")
    found = pt.run(read(tmp_path, text), "reference").traces["p", "v"].values[-1, 0]
    assert found == pytest.approx(500 * (1 + math.exp(-2)), rel=1e-6)  # mV


@pytest.mark.parametrize("by", ["reference", "jlems", pytest.param("jneuroml", marks=needs_jar)])
def test_a_cell_as_the_target_of_a_simulation(tmp_path: Path, by: str) -> None:
    """It starts at its reversal potential, above the threshold, then needs 30 ms ln(20/5) from its reset."""
    net = read(tmp_path, HEAD + IAF + simulation(column("v"), "c"))
    r = pt.run(net, by, **({"integrator": "euler"} if by == "reference" else {}))
    wait = 30 * math.log(4)
    first, second = r.spikes["c"].times
    assert first == pytest.approx(0.01)
    # the crossing is seen at the end of its step of 0.01 ms, or one later in jLEMS; forward Euler is early by
    # dt/(2 tau) of the wait
    assert 0.01 + wait * (1 - 0.01 / 60) - 1e-9 <= second <= 0.01 + wait + 0.03
    assert r.traces["c", "v"].values[-1, 0] == pytest.approx(
        -50 - 20 * math.exp(-(50 - second) / 30), rel=1e-4
    )


def cell(segments: int, species: str = "") -> str:
    chain = "".join(
        f'<segment id="{i}" name="s{i}">'
        + (f'<parent segment="{i - 1}"/>' if i else '<proximal x="0" y="0" z="0" diameter="1"/>')
        + f'<distal x="{i + 1}" y="0" z="0" diameter="1"/></segment>'
        for i in range(segments)
    )
    return (
        f'<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="m">{PASSIVE}<cell id="c"><morphology '
        f'id="mo">{chain}<segmentGroup id="a"><member segment="0"/></segmentGroup><segmentGroup id="b">'
        '<member segment="1"/></segmentGroup></morphology><biophysicalProperties id="bio">'
        "<membraneProperties>"
        '<channelDensity id="l" ionChannel="pas" condDensity="0.1 mS_per_cm2" erev="-65mV" '
        'ion="non_specific"/><spikeThresh value="0mV"/><specificCapacitance value="1 uF_per_cm2"/>'
        f'<initMembPotential value="-65mV"/></membraneProperties><intracellularProperties>{species}'
        '<resistivity value="0.1 kohm_cm"/></intracellularProperties></biophysicalProperties></cell>'
        f"{NETWORK}</neuroml>"
    )


@pytest.mark.parametrize("segments", [2, 300, 1500])
def test_cells_of_many_segments_are_read(tmp_path: Path, segments: int) -> None:
    net = read(tmp_path, cell(segments), "m.nml")
    assert net.population("p").cell.flat.compartments == segments
    with pytest.raises(UnsupportedError, match="several compartments"):
        pt.run(net, "reference", duration="1 ms")


def test_species_of_one_id_in_several_groups_of_segments(tmp_path: Path) -> None:
    species = "".join(
        '<species id="ca" ion="ca" concentrationModel="pool" initialConcentration="1e-4 mM" '
        f'initialExtConcentration="2 mM" segmentGroup="{group}"/>'
        for group in "ab"
    )
    net = read(tmp_path, cell(2, species), "m.nml")
    assert "the id 'ca' is that of another child of its intracellularProperties" in said(net)


def test_an_attribute_that_means_nothing(tmp_path: Path) -> None:
    net = read(
        tmp_path, HEAD + IAF.replace(' tau="', ' taus="3ms" tau="') + NETWORK + simulation(column("p[0]/v"))
    )
    assert "L.xml:2: <iafTauCell id='c'>: taus='3ms' means nothing for a iafTauCell; did you mean" in said(
        net
    )


def test_the_last_of_two_single_children_counts(tmp_path: Path) -> None:
    rate = '<forwardRate type="HHExpRate" rate="{}per_ms" midpoint="-65mV" scale="20mV"/>'
    text = (
        f'{HEAD}<ionChannelHH id="k" conductance="10pS"><gateHHrates id="m" instances="1">{rate.format(9)}'
        f'{rate.format(1)}<reverseRate type="HHExpRate" rate="1per_ms" midpoint="-65mV" scale="20mV"/>'
        '</gateHHrates></ionChannelHH><pointCellCondBased id="c" C="10pF" v0="-65mV" thresh="0mV">'
        '<channelPopulation id="pop" ionChannel="k" number="0" erev="-50mV" ion="k"/></pointCellCondBased>'
        f"{NETWORK}{simulation(column('p[0]/pop/k/m/q'), length='0.1ms')}"
    )
    net = read(tmp_path, text)
    assert "is the second of its gateHHrates: the last counts" in said(net)
    # opening and closing are as fast: 1/2 from the start; with the first rate it would be 9/10
    (q,) = pt.run(net, "reference").traces.values()
    assert q.values[-1, 0] == pytest.approx(0.5)


def test_spikes_of_one_id_are_all_sent(tmp_path: Path) -> None:
    """1 nS at each of 1 and 2 ms, each a step later, decays with 3 ms."""
    text = (
        f'{HEAD}<expOneSynapse id="syn" gbase="1nS" erev="0mV" tauDecay="3ms"/><spikeArray id="src"><spike '
        'id="0" time="1ms"/><spike id="0" time="2ms"/></spikeArray><iafCell id="c" leakReversal="-60mV" '
        'thresh="-50mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/><network id="n"><population id="s" '
        'component="src" size="1"/><population id="p" component="c" size="1"/><projection id="q" '
        'presynapticPopulation="s" postsynapticPopulation="p" synapse="syn"><connection id="0" '
        'preCellId="../s[0]" postCellId="../p[0]"/></projection></network>'
        f"{simulation(column('p[0]/synapses:syn:0/g'), length='3ms')}"
    )
    (g,) = pt.run(read(tmp_path, text), "reference").traces.values()
    want = math.exp(-1.99 / 3) + math.exp(-0.99 / 3)
    assert g.values[-1, 0] == pytest.approx(want, rel=1e-6)  # rk4 with steps of tau/300


def test_a_sum_over_thousands(tmp_path: Path) -> None:
    """Thousands of children each give 1 mV/s: no expression as deep as they are many."""
    part = (
        '<ComponentType name="part"><Exposure name="x" dimension="voltage"/><Constant name="ONE" '
        'dimension="voltage" value="1mV"/><Dynamics><DerivedVariable name="x" exposure="x" '
        'dimension="voltage" value="ONE"/></Dynamics></ComponentType>'
    )
    dynamics = (
        '<StateVariable name="v" dimension="voltage" exposure="v"/><DerivedVariable name="all" '
        'dimension="voltage" select="parts[*]/x" reduce="add"/><TimeDerivative variable="v" '
        'value="all/SEC"/>'
    )
    many = "".join(f'<part id="x{n}"/>' for n in range(2000))
    text = own(dynamics, '<Children name="parts" type="part"/>' + SECOND, f'<mine id="c">{many}</mine>')
    text = text.replace("<ComponentType", f"{part}<ComponentType", 1)
    net = read(tmp_path, text + simulation(column("p[0]/v"), length="1ms"))
    assert pt.run(net, "reference").traces["p", "v"].values[-1, 0] == pytest.approx(2.0)


STIFF = (
    '<ionChannelKS id="k" conductance="10pS"><gateKS id="m" instances="1"><closedState id="c1"/><closedState '
    'id="c2"/><openState id="o1"/>'
    + "".join(
        f'<{direction}Transition id="{direction}{n}" from="{a}" to="{b}"><rate type="HHExpRate" '
        f'rate="{rate}per_ms" midpoint="-65mV" scale="{sign}20mV"/></{direction}Transition>'
        for n, (a, b, rate) in enumerate((("c1", "c2", 1000), ("c2", "o1", 1)))
        for direction, sign in (("forward", ""), ("reverse", "-"))
    )
    + '</gateKS></ionChannelKS><pointCellCondBased id="c" C="10pF" v0="-65mV" thresh="0mV">'
    '<channelPopulation id="p" ionChannel="k" number="1000" erev="-50mV" ion="k"/></pointCellCondBased>'
)


def test_a_stiff_kinetic_scheme(tmp_path: Path) -> None:
    """Two states that exchange at 1000/ms, dt 0.01 ms: no explicit method with fixed steps follows; rkf45
    does, and the error names it.
    """
    solve_ivp = pytest.importorskip("scipy.integrate").solve_ivp

    def slopes(_t: float, y: list[float]) -> list[float]:
        v, c1, c2, o = y
        up, down = math.exp((v + 65) / 20), math.exp(-(v + 65) / 20)
        first, second = 1000 * (up * c1 - down * c2), up * c2 - down * o
        return [o * (-50 - v), -first, first - second, second]  # 10 nS over 10 pF is 1/ms

    want = solve_ivp(slopes, (0, 5), [-65, 1 / 3, 1 / 3, 1 / 3], "LSODA", rtol=1e-9, atol=1e-10).y[0, -1]
    net = read(tmp_path, HEAD + STIFF + NETWORK + simulation(column("p[0]/v"), length="5ms"))
    with pytest.raises(BackendFailed, match="use a smaller dt or integrator='rkf45'"):
        pt.run(net, "reference", integrator="euler")
    v = pt.run(net, "reference", integrator="rkf45").traces["p", "v"].values[-1, 0]
    assert v == pytest.approx(want, abs=1e-3)  # rkf45's own tolerance is 1e-6 a step, of 500


def test_rounded_times_are_one_note(tmp_path: Path) -> None:
    """Three projections with delays between steps, and two trains of spikes."""
    spikes = "".join(f'<spikeArray id="s{n}"><spike id="0" time="1.0{n}5ms"/></spikeArray>' for n in range(2))
    populations = "".join(f'<population id="a{n}" component="s{n}" size="1"/>' for n in range(2))
    projections = "".join(
        f'<projection id="q{n}" presynapticPopulation="a0" postsynapticPopulation="p" synapse="syn">'
        f'<connectionWD id="0" preCellId="../a0[0]" postCellId="../p[0]" weight="1" delay="1.0{n}3ms"/>'
        "</projection>"
        for n in range(3)
    )
    text = (
        f'{HEAD}<expOneSynapse id="syn" gbase="1nS" erev="0mV" tauDecay="3ms"/>{spikes}<iafCell id="c" '
        'leakReversal="-60mV" thresh="-50mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/><network id="n">'
        f'{populations}<population id="p" component="c" size="1"/>{projections}</network>'
        f"{simulation(column('p[0]/v'))}"
    )
    net = read(tmp_path, text)
    (delays,) = [what for _, what in net.origin.notes if "delays" in what]
    assert delays.endswith("changed by up to 0.007 ms, here and in 2 other places")
    (times,) = [what for _, what in net.origin.notes if "spike times" in what]
    assert times.endswith("changed by up to 0.005 ms, here and in 1 other place")
