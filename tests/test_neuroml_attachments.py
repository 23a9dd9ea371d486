"""What continuous connections, synapses and inputs read and give: found where jLEMS finds it, put where it
belongs, or refused; never left out.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

from test_jneuroml_run import needs_jar

import portable as pt
from portable.errors import ModelError
from portable.model.cells import Cell

HEAD = """<Lems><Target component="sim"/><Include file="Cells.xml"/><Include file="Networks.xml"/>
<Include file="Simulation.xml"/>
<ComponentType name="unit" extends="baseCellMembPotDL"><Parameter name="tau" dimension="time"/>
 <Parameter name="start" dimension="none"/><Attachments name="synapses" type="basePointCurrentDL"/>
 <Exposure name="q" dimension="none"/><Exposure name="drive" dimension="none"/>{slots}
 <Dynamics><StateVariable name="q" dimension="none" exposure="q"/>
  <DerivedVariable name="drive" dimension="none" exposure="drive" select="synapses[*]/I" reduce="add"/>{taken}
  <DerivedVariable name="V" dimension="none" exposure="V" value="0"/>
  <TimeDerivative variable="q" value="({rate} - q)/tau"/>
  <OnStart><StateAssignment variable="q" value="start"/></OnStart>
  <OnCondition test="q .lt. -1000"><EventOut port="spike"/></OnCondition></Dynamics></ComponentType>
<unit id="one" tau="10 ms" start="1"/><unit id="zero" tau="10 ms" start="0"/>
"""
PEER = '<InstanceRequirement name="peer" type="baseSynapseDL"/>'
SILENT = '<DerivedVariable name="I" exposure="I" value="0"/>'
TAKEN = '<DerivedVariable name="more" dimension="none" select="{}" reduce="add"/>'


def end(name: str, dynamics: str, declared: str = PEER) -> str:
    """A type of synapse with one component of its name and an underscore."""
    return (
        f'<ComponentType name="{name}" extends="baseSynapseDL"><Property name="weight" dimension="none" '
        f'defaultValue="1"/>{declared}<Dynamics>{dynamics}</Dynamics></ComponentType><{name} id="{name}_"/>\n'
    )


def reads(path: str) -> str:
    """Dynamics that give `weight` times what a path leads to."""
    return (
        f'<DerivedVariable name="other" dimension="none" select="{path}"/>'
        '<DerivedVariable name="I" exposure="I" value="weight * other"/>'
    )


ENDS = (
    end("silent", SILENT)
    + end("declared", reads("peer/q"), PEER + '<Requirement name="q" dimension="none"/>')
    + end("undeclared", reads("peer/q"))
    + end("bare", reads("peer/q"), "")
    + end("number", reads("peer/start"))
)


def pair(name: str, pre: str, post: str) -> str:
    """Population a<name> starts at 1, b<name> at 0; a continuous connection of weight 3 from a to b."""
    return (
        f'<population id="a{name}" component="one" size="1"/><population id="b{name}" component="zero" '
        f'size="1"/><continuousProjection id="c{name}" presynapticPopulation="a{name}" '
        f'postsynapticPopulation="b{name}"><continuousConnectionInstanceW id="0" preCell="../a{name}[0]" '
        f'postCell="../b{name}[0]" preComponent="{pre}_" postComponent="{post}_" '
        'weight="3"/></continuousProjection>'
    )


def file(
    folder: Path,
    types: str,
    network: str,
    recorded: tuple[str, ...],
    slots: str = "",
    taken: str = "",
    rate: str = "drive",
) -> Path:
    columns = "".join(f'<OutputColumn id="{q}" quantity="{q}[0]/q"/>' for q in recorded)
    path = folder / "L.xml"
    path.write_text(
        HEAD.format(slots=slots, taken=taken, rate=rate)
        + f'{types}<network id="net">{network}</network>\n<Simulation id="sim" length="10ms" step="0.01ms" '
        f'target="net"><OutputFile id="o" fileName="o.dat">{columns}</OutputFile></Simulation></Lems>'
    )
    return path


def last(net: pt.Network, backend: str, population: str, **how: str) -> float:
    return float(pt.run(net, backend, **how).traces[population, "q"].values[-1, 0])


# tau q_a' = -q_a and tau q_b' = 3 q_a - q_b from 1 and 0: after tau q_b = 3/e. With a parameter that is 1 in
# place of q_a: 3 (1 - 1/e). Both ways: the sum grows as exp(2 t/tau), the difference decays as exp(-4 t/tau).
PAIRS = {
    "declared": ("silent", "declared", 3 / math.e),
    "undeclared": ("silent", "undeclared", 3 / math.e),
    "bare": ("silent", "bare", 3 / math.e),
    "number": ("silent", "number", 3 * (1 - 1 / math.e)),
    "both": ("undeclared", "undeclared", (math.e**2 - math.e**-4) / 2),
    "back": ("undeclared", "silent", 0.0),
}


def test_an_end_reads_what_the_other_end_or_its_cell_has(tmp_path: Path) -> None:
    pairs = "".join(pair(name, pre, post) for name, (pre, post, _) in PAIRS.items())
    net = pt.read_neuroml(file(tmp_path, ENDS, pairs, tuple(f"b{name}" for name in PAIRS)))
    found = pt.run(net, "reference").traces
    for name, (_, _, want) in PAIRS.items():
        # a link holds its value for a step of tau/1000: relative errors of that order, twice that where it is
        # fed back
        assert found[f"b{name}", "q"].values[-1, 0] == pytest.approx(want, rel=3e-3), name


@needs_jar
def test_jlems_reads_the_same(tmp_path: Path) -> None:
    pairs = "".join(pair(name, pre, post) for name, (pre, post, _) in PAIRS.items())
    net = pt.read_neuroml(file(tmp_path, ENDS, pairs, tuple(f"b{name}" for name in PAIRS)))
    found = pt.run(net, "jneuroml").traces
    for name, (_, _, want) in PAIRS.items():
        # forward Euler with steps of tau/1000, and a step or two of delay on the way through the peer
        assert found[f"b{name}", "q"].values[-1, 0] == pytest.approx(want, rel=6e-3), name


def test_what_an_attachment_lacks_is_taken_of_its_cell(tmp_path: Path) -> None:
    """As in jLEMS, for each of several attachments: b's own `start` is 0, a's is 1."""
    path = file(
        tmp_path,
        ENDS,
        pair("x", "silent", "declared") + pair("y", "silent", "declared"),
        ("ax", "bx"),
        taken=TAKEN.format("synapses[*]/start"),
        rate="drive + more",
    )
    net = pt.read_neuroml(path)
    assert last(net, "reference", "ax") == pytest.approx(1.0, rel=1e-9)  # (1 - q)/tau from 1
    assert last(net, "reference", "bx") == pytest.approx(3 * (1 - 1 / math.e), rel=3e-3)


@pytest.mark.parametrize(("attribute", "share"), [("synapses", 1.0), ("others", 2.0)])
def test_an_input_goes_where_its_destination_says(tmp_path: Path, attribute: str, share: float) -> None:
    path = file(
        tmp_path,
        '<pulseGeneratorDL id="pg" delay="0ms" duration="100ms" amplitude="1"/>',
        '<population id="b" component="zero" size="1"/><explicitInput target="b[0]" input="pg" '
        f'destination="{attribute}"/>',
        ("b",),
        slots='<Attachments name="others" type="basePointCurrentDL"/>',
        taken=TAKEN.format("others[*]/I"),
        rate="drive + 2*more",
    )
    want = share * (1 - 1 / math.e)
    assert last(pt.read_neuroml(path), "reference", "b") == pytest.approx(want, rel=3e-3)


@needs_jar
def test_jlems_puts_an_input_there_too(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        '<pulseGeneratorDL id="pg" delay="0ms" duration="100ms" amplitude="1"/>',
        '<population id="b" component="zero" size="1"/><explicitInput target="b[0]" input="pg" '
        'destination="others"/>',
        ("b",),
        slots='<Attachments name="others" type="basePointCurrentDL"/>',
        taken=TAKEN.format("others[*]/I"),
        rate="drive + 2*more",
    )
    assert last(pt.read_neuroml(path), "jneuroml", "b") == pytest.approx(2 * (1 - 1 / math.e), rel=3e-3)


def test_a_gap_junction_of_ones_own_reads_a_number_of_the_other_cell(tmp_path: Path) -> None:
    """C v' = gL (EL - v) + g (EL_peer - v): from EL towards (gL EL + g EL_peer)/(gL + g) with C/(gL + g)."""
    (tmp_path / "L.xml").write_text("""<Lems><Include file="Cells.xml"/><Include file="Networks.xml"/>
<ComponentType name="towards" extends="gapJunction"><Dynamics>
 <DerivedVariable name="other" dimension="voltage" select="peer/leakReversal"/>
 <DerivedVariable name="i" exposure="i" value="weight * conductance * (other - v)"/>
</Dynamics></ComponentType><towards id="gap" conductance="10 nS"/>
<iafCell id="low" leakReversal="-60mV" thresh="0mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/>
<iafCell id="high" leakReversal="-40mV" thresh="0mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/>
<network id="net"><population id="a" component="low" size="1"/><population id="b" component="high" size="1"/>
<electricalProjection id="e" presynapticPopulation="a" postsynapticPopulation="b"><electricalConnection id="0"
 preCell="0" postCell="0" synapse="gap"/></electricalProjection></network></Lems>""")
    net = pt.read_neuroml(tmp_path / "L.xml")
    recorded = [pt.Record(net.population("a"), "v")]
    net = pt.Network("n", net.populations, net.projections, net.inputs, recorded, net.links)
    v = pt.run(net, "reference", duration="10 ms", dt="0.01 ms").traces["a", "v"].values[-1, 0]
    # the current through the link is held for a step of C/(gL + g)/1000
    assert v == pytest.approx(-50 - 10 * math.exp(-1), abs=0.02)


REFUSED = {
    "another name of the peer": (
        ENDS + end("wrong", reads("mate/q"), '<InstanceRequirement name="mate" type="baseSynapseDL"/>'),
        pair("x", "silent", "wrong"),
        "there is no 'mate' in it",
    ),
    "nothing of that name": (
        ENDS + end("wrong", reads("peer/nonsense")),
        pair("x", "silent", "wrong"),
        "has no 'nonsense'",
    ),
    "a requirement of the pre end": (
        ENDS
        + end(
            "wrong",
            '<DerivedVariable name="I" exposure="I" value="weight * nope"/>',
            '<Requirement name="nope" dimension="none"/>',
        ),
        pair("x", "wrong", "silent"),
        "requires 'nope', which nothing above it provides",
    ),
    "a place that the cell has not": (
        '<pulseGeneratorDL id="pg" delay="0ms" duration="100ms" amplitude="1"/>',
        '<population id="b" component="zero" size="1"/><explicitInput target="b[0]" input="pg" '
        'destination="synapse"/>',
        "destination: a unit has no Attachments 'synapse'; did you mean 'synapses'?",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_found_is_an_error(tmp_path: Path, case: str) -> None:
    types, network, said = REFUSED[case]
    with pytest.raises(ModelError, match=r"L\.xml:\d+") as error:
        pt.read_neuroml(file(tmp_path, types, network, ()))
    assert said in str(error.value)


def test_two_places_of_one_type_need_a_destination(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        '<pulseGeneratorDL id="pg" delay="0ms" duration="100ms" amplitude="1"/>',
        '<population id="b" component="zero" size="1"/><explicitInput target="b[0]" input="pg"/>',
        (),
        slots='<Attachments name="others" type="basePointCurrentDL"/>',
    )
    with pytest.raises(ModelError, match="synapses or others of 'zero'; say to which one with destination="):
        pt.read_neuroml(path)


IAF = '<iafCell id="{}" leakReversal="-60mV" thresh="-50mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/>'
SYNAPSE = '<expOneSynapse id="{}" gbase="{}nS" erev="0mV" tauDecay="3ms"/>'


def _ports(population: pt.Population) -> int:
    return len(population.cell.flat.ports)


def projection(id: str, post: str, synapse: str) -> str:
    return (
        f'<projection id="{id}" presynapticPopulation="s" postsynapticPopulation="{post}" '
        f'synapse="{synapse}"><connection id="0" preCellId="../s[0]" postCellId="../{post}[0]"/></projection>'
    )


@pytest.mark.parametrize("letters", [79, 98, 99, 100, 101, 150])
def test_ids_that_begin_alike_are_told_apart(tmp_path: Path, letters: int) -> None:
    """Names of ours have at most 100 characters, with what is put before and behind an id."""
    id = "a" * letters
    (tmp_path / "x.nml").write_text(
        '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="d">'
        + SYNAPSE.format(id, 1)
        + SYNAPSE.format(f"{id}b", 2)
        + IAF.format(f"{id}c")
        + '<spikeArray id="src"><spike id="0" time="1ms"/></spikeArray><network id="n">'
        + "".join(f'<population id="{p}" component="{id}c" size="1"/>' for p in (id, f"{id}p"))
        + '<population id="s" component="src" size="1"/>'
        + projection("q", id, id)
        + projection("r", id, f"{id}b")
        + "</network></neuroml>"
    )
    net = pt.read_neuroml(tmp_path / "x.nml")
    assert len({p.name for p in net.populations}) == 3
    assert len({p.receptor for p in net.projections}) == 2
    # the component is one type where it has synapses and another where it has none
    assert pt.load(pt.save(net, tmp_path / "x.json")) == net
    target = max((p for p in net.populations if isinstance(p.cell, Cell)), key=_ports)
    both = [pt.Record(target, [x for x in target.cell.flat.state_names if x != "v"])]
    net = pt.Network("n", net.populations, net.projections, recordings=both)
    found = pt.run(net, "reference", duration="1.1 ms", dt="0.1 ms").traces
    # each conductance jumps by its own gbase at the spike
    assert sorted(t.values[-1, 0] for t in found.values()) == pytest.approx([1.0, 2.0])
