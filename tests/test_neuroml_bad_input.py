"""Bad NeuroML networks: one ModelError each, naming file, line and element, the rule, and what to do. Types:
test_neuroml_bad_types.py; files: test_neuroml_bad_files.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

from neuroml_texts import HEAD, IAF, PULSE, SYN, connected, net, one, projection, refused

import portable as pt


def simulated(attribute: str = "", inside: str = "") -> str:
    """A network on lines up to 7, and its Simulation on line 8 with one attribute changed."""
    given = dict(re.findall(r'(\w+)="([^"]*)"', 'target="n" length="10ms" step="0.1ms" ' + attribute))
    attributes = " ".join(f'{k}="{v}"' for k, v in given.items())
    return net().replace("</neuroml>", f'\n<Simulation id="sim" {attributes}>{inside}</Simulation></neuroml>')


CASES = {
    "unknown type": (
        net("", IAF + SYN + "<iafCel id='x'/>"),
        r"bad\.nml:\d+: <iafCel id='x'>: unknown component type 'iafCel'; did you mean 'iafCell'",
    ),
    "unknown parameter": (
        net("", IAF.replace("thresh=", "tresh=") + SYN),
        r"needs the parameter 'thresh' \(voltage\); is 'tresh' meant for it\?",
    ),
    "missing parameter": (net("", IAF.replace('thresh="-50mV"', "") + SYN), "needs the parameter 'thresh'"),
    "unknown unit": (net("", IAF.replace("-50mV", "-50 mW") + SYN), "unknown unit 'mW'"),
    "wrong dimension": (
        net("", IAF.replace("-50mV", "-50ms") + SYN),
        "thresh: must be a voltage, got '-50ms' which is a time",
    ),
    "no unit": (
        net("", IAF.replace("-50mV", "-50") + SYN),
        "thresh: must be a voltage, got '-50' without a unit",
    ),
    "no number": (net("", IAF.replace("-50mV", "nan mV") + SYN), "cannot read 'nan mV' as a number"),
    "duplicate component": (net("", IAF + IAF + SYN), r"bad\.nml:3: .*the id 'iaf' is taken by bad\.nml:2"),
    "duplicate population": (
        net('<population id="p" component="iaf" size="1"/>'),
        "the id 'p' is taken by another population",
    ),
    "duplicate instance": (
        net('<population id="z" component="iaf" size="2"><instance id="0"/><instance id="0"/></population>'),
        "the instance id 0 is there twice",
    ),
    "size": (net('<population id="z" component="iaf" size="1e3"/>'), "size must be a whole number"),
    "huge size": (net(f'<population id="z" component="iaf" size="{10**30}"/>'), "size must be at most"),
    "no component": (
        net('<population id="z" component="nix" size="1"/>'),
        "the component 'nix' does not exist",
    ),
    "no synapse": (net(projection("").replace('"syn"', '"nix"')), "the synapse 'nix' does not exist"),
    "no population": (net(projection("").replace('"p"', '"nix"')), "there is no population 'nix'"),
    "no cell": (
        net(projection('<connection id="0" preCellId="../s[0]" postCellId="../p[2]"/>')),
        r"bad\.nml:\d+: <connection id='0'>: postCellId: population 'p' has no cell '../p\[2\]'",
    ),
    "negative cell": (
        net(projection('<connection id="0" preCellId="../s[0]" postCellId="../p[-1]"/>')),
        "cannot read '../p\\[-1\\]' as a cell",
    ),
    "absurd cell": (
        net(projection(f'<connection id="0" preCellId="../s[0]" postCellId="../p[{10**40}]"/>')),
        "has no cell|cannot read",
    ),
    "weight": (
        net(
            projection(
                '<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="heavy" delay="1ms"/>'
            )
        ),
        "weight must be a number, got 'heavy'",
    ),
    "infinite weight": (
        net(
            projection(
                '<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="inf" delay="1ms"/>'
            )
        ),
        "weight must be a number, got 'inf'",
    ),
    "negative delay": (
        net(
            projection(
                '<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="1" delay="-1ms"/>'
            )
        ),
        "delay must be >= 0",
    ),
    "delay": (
        net(
            projection(
                '<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="1" delay="soon"/>'
            )
        ),
        "delay: cannot read 'soon'",
    ),
    "to a source": (
        net(
            '<projection id="q" presynapticPopulation="p" postsynapticPopulation="s" '
            'synapse="syn"><connection id="0" preCellId="../p[0]" postCellId="../s[0]"/></projection>'
        ),
        "is a source of spikes and takes no input",
    ),
    "input to a source": (
        net('<explicitInput target="s[0]" input="pulse"/>'),
        "is a source of spikes and takes no input",
    ),
    "no attachments": (
        f"{HEAD}{PULSE}<iafTauCell id='t' leakReversal='-60mV' thresh='-50mV' reset='-65mV' "
        "tau='20ms'/><network id='n'><population id='p' component='t' size='1'/><explicitInput "
        "target='p[0]' input='pulse'/></network></neuroml>",
        "takes no synapses or inputs",
    ),
    "kind of current": (
        net(
            '<explicitInput target="p[0]" input="dl"/>',
            IAF + SYN + '<pulseGeneratorDL id="dl" delay="1ms" duration="5ms" amplitude="1"/>',
        ),
        "cannot be attached to 'iaf', which reads 'i'",
    ),
    "two networks": (
        net().replace("</neuroml>", '<network id="z"/></neuroml>'),
        "has 2 networks: n, z; choose one with network=",
    ),
    "no network": (HEAD + PULSE + "</neuroml>", "has no network"),
    "type of a component": (
        net("", IAF + SYN + '<Component id="x" type="iafCel"/>'),
        r"bad\.nml:\d+: <Component id='x'>: unknown component type 'iafCel'; did you mean 'iafCell'",
    ),
    "no id": (net("", IAF.replace(' id="iaf"', "")), r"bad\.nml:2: <iafCell>: must have an id"),
    "child of nothing": (
        net("", IAF.replace("/>", "><zork/></iafCell>") + SYN),
        r"bad\.nml:2: <zork>: <zork> is nothing that a iafCell can hold",
    ),
    "child at a wrong place": (
        net("", IAF.replace("/>", '><segment id="3"/></iafCell>') + SYN),
        "a segment cannot be inside a iafCell",
    ),
    "spike before the start": (
        net("", IAF + SYN.replace('"5ms"', '"-5ms"')),
        r"bad\.nml:4: <spike id='0'>: time must be between 0 and",
    ),
    "spike after all": (net("", IAF + SYN.replace('"5ms"', '"1e300s"')), "time must be between 0 and"),
    "negative rate": (
        one('<spikeGeneratorPoisson id="g" averageRate="-5Hz"/>', "g"),
        r"bad\.nml:2: <spikeGeneratorPoisson id='g'>: averageRate must be between 0",
    ),
    "absurd rate": (
        one('<spikeGeneratorPoisson id="g" averageRate="1e300Hz"/>', "g"),
        "averageRate must be between 0 and 500 spikes a step",
    ),
    "source before the start": (
        one('<SpikeSourcePoisson id="g" start="-5ms" duration="5ms" rate="5Hz"/>', "g"),
        r"<SpikeSourcePoisson id='g'>: start and duration must be >= 0",
    ),
    "population of a synapse": (
        net('<population id="z" component="syn" size="1"/>'),
        r"bad\.nml:7: <population id='z'>: its component 'syn' is a synapse or an input",
    ),
    "population of a network": (
        net('<population id="z" component="n" size="1"/>'),
        "its component 'n' is a network",
    ),
    "population without an id": (
        net('<population component="iaf" size="1"/>'),
        r"bad\.nml:7: <population>: must have id=",
    ),
    "size missing": (net('<population id="z" component="iaf"/>'), "size must be a whole number >= 0, got ''"),
    "size below 0": (
        net('<population id="z" component="iaf" size="-3"/>'),
        "size must be a whole number >= 0, got '-3'",
    ),
    "size of 5000 digits": (
        net(f'<population id="z" component="iaf" size="{10**4000}0000"/>'),
        "size must be at most",
    ),
    "size that no memory holds": (
        net('<population id="z" component="iaf" size="4000000000"/>'),
        "size must be at most",
    ),
    "size in other digits": (
        net('<population id="z" component="iaf" size="\u0663"/>'),
        "size must be a whole number",
    ),
    "instance below 0": (
        net('<population id="z" component="iaf"><instance id="-1"/></population>'),
        r"bad\.nml:7: <instance id='-1'>: id must be a whole number >= 0",
    ),
    "instance that is absurd": (
        net(f'<population id="z" component="iaf"><instance id="{10**30}"/></population>'),
        "id must be a whole number >= 0",
    ),
    "instance by a superscript": (
        net('<population id="z" component="iaf"><instance id="\u00b2"/></population>'),
        "id must be a whole number >= 0",
    ),
    "location": (
        net(
            '<population id="z" component="iaf"><instance id="0"><location x="here" y="0" '
            'z="0"/></instance></population>'
        ),
        r"bad\.nml:7: <location>: x must be a number, got 'here'",
    ),
    "location nan": (
        net(
            '<population id="z" component="iaf"><instance id="0"><location x="nan" y="0" '
            'z="0"/></instance></population>'
        ),
        "x must be a number, got 'nan'",
    ),
    "element of no network": (
        net("<projektion/>"),
        r"bad\.nml:7: <projektion>: <projektion> is nothing that a network can hold",
    ),
    "network in a network": (net('<network id="z"/>'), "is nothing that a network can hold"),
    "element of no projection": (
        net(projection('<input id="0"/>')),
        r"bad\.nml:8: <input id='0'>: <input> is nothing that a projection can hold",
    ),
    "no such population in a path": (
        connected(postCellId="../z[0]"),
        r"bad\.nml:8: <connectionWD id='0'>: postCellId: there is no population 'z'",
    ),
    "no path": (connected(postCellId=""), "postCellId: cannot read '' as a cell"),
    "no attribute": (net(projection('<connection id="0" preCellId="../s[0]"/>')), "must have postCellId="),
    "two paths in one": (
        net(
            projection(
                '<connection id="0" preCellId="../s[0]" postCellId="../p[0]&#10;../p[1]"/><connection '
                'id="1" preCellId="../s[0]" postCellId="x y"/>'
            )
        ),
        "postCellId: cannot read",
    ),
    "weight nan": (connected(weight="nan"), "weight must be a number, got 'nan'"),
    "weight too large": (connected(weight="1e400"), "weight must be a number, got '1e400'"),
    "weight as Python writes it": (connected(weight="1_0"), "weight must be a number, got '1_0'"),
    "delay without a unit": (connected(delay="1"), "delay: must be a time, got '1' without a unit"),
    "delay of a wrong unit": (connected(delay="1mV"), "delay: must be a time, got '1mV' which is a voltage"),
    "delay too large for a number": (
        connected(delay="1e999ms"),
        "delay: '1e999ms' is too large for a number",
    ),
    "delay longer than any": (connected(delay="1e8s"), "delays must be at most 65535 steps of 0.1 ms"),
    "synapse that is a cell": (
        net(
            projection("")
            .replace('"syn"', '"iaf"')
            .replace("\n<", '<connection id="0" preCellId="../s[0]" postCellId="../p[0]"/><')
        ),
        "cannot be attached to 'iaf'",
    ),
    "synapse that is an input": (
        net(
            projection('<connection id="0" preCellId="../s[0]" postCellId="../p[0]"/>').replace(
                '"syn"', '"pulse"'
            )
        ),
        "a pulseGenerator does nothing when an event arrives",
    ),
    "gap junction as a synapse": (
        net(
            projection('<connection id="0" preCellId="../s[0]" postCellId="../p[0]"/>').replace(
                '"syn"', '"g"'
            ),
            IAF + SYN + '<gapJunction id="g" conductance="1nS"/>',
        ),
        "a gapJunction does nothing when an event arrives",
    ),
    "input that is a cell": (
        net('<explicitInput target="p[0]" input="iaf"/>'),
        "cannot be attached to 'iaf'",
    ),
    "input that is not there": (
        net('<explicitInput target="p[0]" input="nix"/>'),
        r"bad\.nml:7: <explicitInput>: the input 'nix' does not exist",
    ),
    "input to nothing": (net('<explicitInput input="pulse"/>'), "must have target="),
    "input to nowhere": (
        net('<explicitInput target="z[0]" input="pulse"/>'),
        "target: there is no population 'z'",
    ),
    "element of no input list": (
        net('<inputList id="l" component="pulse" population="p"><connection id="0"/></inputList>'),
        "is nothing that an inputList can hold",
    ),
    "weight of an input": (
        net(
            '<inputList id="l" component="pulse" population="p"><inputW id="0" target="../p[0]" '
            'destination="synapses" weight="x"/></inputList>'
        ),
        "weight must be a number, got 'x'",
    ),
    "pulse before the start": (
        net('<explicitInput target="p[0]" input="pulse"/>', IAF + SYN + PULSE.replace('"1ms"', '"-1ms"')),
        r"<pulseGenerator id='pulse'>: delay and duration must be >= 0",
    ),
    "pulse too large": (
        net('<explicitInput target="p[0]" input="pulse"/>', IAF + SYN + PULSE.replace('"0.1nA"', '"1e300A"')),
        r"<pulseGenerator id='pulse'>: amplitude: 1e\+300 A is too large",
    ),
    "current on a cell without dimensions": (
        one(
            '<izhikevichCell id="z" v0="-70mV" thresh="30mV" a="0.02" b="0.2" c="-50.0" d="2"/>' + PULSE, "z"
        ).replace("</network>", '<explicitInput target="p[0]" input="pulse"/></network>'),
        "which reads 'I' of what is attached and this has i",
    ),
    "synapse of an input": (
        net(
            '<explicitInput target="p[0]" input="w"/>',
            IAF + SYN + '<poissonFiringSynapse id="w" averageRate="10Hz" synapse="nix" spikeTarget="./nix"/>',
        ),
        r"<poissonFiringSynapse id='w'>: the synapse 'nix' does not exist",
    ),
    "gap junction to nowhere": (
        net(
            '<electricalProjection id="e" presynapticPopulation="p" '
            'postsynapticPopulation="p"><electricalConnection id="0" preCell="0" postCell="9" '
            'synapse="g"/></electricalProjection>',
            IAF + SYN + '<gapJunction id="g" conductance="1nS"/>',
        ),
        r"<electricalConnection id='0'>: postCell: population 'p' has no cell '9'",
    ),
    "gap junction on a source": (
        net(
            '<electricalProjection id="e" presynapticPopulation="s" '
            'postsynapticPopulation="p"><electricalConnection id="0" preCell="0" postCell="0" '
            'synapse="g"/></electricalProjection>',
            IAF + SYN + '<gapJunction id="g" conductance="1nS"/>',
        ),
        "is a source of spikes and has no membrane",
    ),
    "half a continuous connection": (
        net(
            '<continuousProjection id="e" presynapticPopulation="p" '
            'postsynapticPopulation="p"><continuousConnection id="0" preCell="0" postCell="0" '
            'preComponent="syn"/></continuousProjection>'
        ),
        "must have postComponent=",
    ),
    "temperature": (
        net().replace("<network ", '<network type="networkWithTemperature" temperature="warm" '),
        r"<network id='n'>: temperature: cannot read 'warm'",
    ),
    "temperature in volts": (
        net().replace("<network ", '<network type="networkWithTemperature" temperature="3mV" '),
        "temperature: must be a temperature, got '3mV' which is a voltage",
    ),
    "simulation of nothing": (
        simulated('target="zz"'),
        r"bad\.nml:8: <Simulation id='sim'>: the network 'zz' does not exist",
    ),
    "simulation of a synapse": (simulated('target="syn"'), "its component 'syn' is a synapse or an input"),
    "simulation of itself": (simulated('target="sim"'), "its component 'sim' is a Simulation"),
    "simulation without length": (simulated('length=""'), "length: cannot read ''"),
    "step 0": (simulated('step="0ms"'), "step must be > 0, got '0ms'"),
    "step below 0": (simulated('step="-1ms"'), "step must be > 0, got '-1ms'"),
    "step in volts": (simulated('step="1mV"'), "step: must be a time, got '1mV' which is a voltage"),
    "step that is no step": (simulated('step="1e-30ms"'), "step must be at least"),
    "step that is an age": (simulated('step="1e308ms"'), "step must be at least .* and at most 1e.09 ms"),
    "record of nowhere": (
        simulated(
            inside='<OutputFile id="o" fileName="x"><OutputColumn id="v" quantity="zz[0]/v"/></OutputFile>'
        ),
        r"bad\.nml:8: <OutputColumn id='v'>: cannot find 'zz\[0\]/v'",
    ),
    "record of no variable": (
        simulated(
            inside='<OutputFile id="o" fileName="x"><OutputColumn id="v" quantity="p[0]/zz"/></OutputFile>'
        ),
        "there is no variable 'zz'",
    ),
    "record of no cell": (
        simulated(
            inside='<OutputFile id="o" fileName="x"><OutputColumn id="v" quantity="p[5]/v"/></OutputFile>'
        ),
        "population 'p' has no cell 5",
    ),
    "record by a superscript": (
        simulated(
            inside='<OutputFile id="o" fileName="x"><OutputColumn id="v" '
            'quantity="p/\u00b2/iaf/v"/></OutputFile>'
        ),
        "does not say which cell of 'p'",
    ),
    "record of nothing": (
        simulated(inside='<OutputFile id="o" fileName="x"><OutputColumn id="v" quantity=""/></OutputFile>'),
        "cannot find ''",
    ),
    "spikes of no cell": (
        simulated(
            inside='<EventOutputFile id="o" fileName="x" format="TIME_ID"><EventSelection id="0" '
            'select="p[9]" eventPort="spike"/></EventOutputFile>'
        ),
        r"<EventSelection id='0'>: population 'p' has no cell 9",
    ),
    "target that is not there": (
        net().replace("<network ", '<Target component="zz"/><network '),
        r"bad\.nml:\d+: <Target>: the Target 'zz' does not exist",
    ),
    "annotation of ours that is broken": (
        net().replace(
            "<network ",
            '<annotation><property tag="https://portable-snn.org/network/1" '
            'value="[1,2"/></annotation><network ',
        ),
        r"bad\.nml:\d+: <annotation>.*is no JSON",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_error_that_says_where_and_what(case: str, tmp_path: Path) -> None:
    text, message = CASES[case]
    shown = refused(tmp_path, text)
    assert re.search(message, shown, re.S), shown[:500]


def test_a_column_that_is_read_by_pattern_names_the_line_of_a_mistake(tmp_path: Path) -> None:
    lines = [
        f'<connectionWD id="{i}" preCellId="../s[0]" postCellId="../p[{i % 2}]" weight="1" delay="1ms"/>\n'
        for i in range(600)
    ]
    for at, change, message in (
        (300, ("../p[0]", "../p[9]"), "has no cell"),
        (400, ('weight="1"', 'weight="y"'), "weight must be"),
        (500, ('"1ms"', '"1mV"'), "must be a time"),
    ):
        broken = [x.replace(*change) if i == at else x for i, x in enumerate(lines)]
        (tmp_path / "bad.nml").write_text(net(projection("".join(broken))))
        with pytest.raises(pt.ModelError, match=rf"<connectionWD id='{at}'>: .*{message}"):
            pt.read_neuroml(tmp_path / "bad.nml")
