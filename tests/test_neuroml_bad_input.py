"""Bad NeuroML: one ModelError each, naming file, line and element, in bounded time and memory; and mutated files."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

import portable as pt

HEAD = '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="d">\n'
IAF = '<iafCell id="iaf" leakReversal="-60mV" thresh="-50mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/>\n'
SYN = '<expTwoSynapse id="syn" gbase="1nS" erev="0mV" tauRise="1ms" tauDecay="3ms"/>\n<spikeArray id="src"><spike id="0" time="5ms"/></spikeArray>\n'
POP = '<population id="p" component="iaf" size="2"/><population id="s" component="src" size="1"/>'
PULSE = '<pulseGenerator id="pulse" delay="1ms" duration="5ms" amplitude="0.1nA"/>\n'
INCLUDES = '<Include file="Cells.xml"/><Include file="Networks.xml"/>\n'


def net(inside: str = "", top: str = IAF + SYN + PULSE) -> str:
    return f"{HEAD}{top}<network id='n'>{POP}\n{inside}</network></neuroml>"


def projection(connection: str) -> str:
    return f'<projection id="q" presynapticPopulation="s" postsynapticPopulation="p" synapse="syn">\n{connection}</projection>'


def own(dynamics: str, more: str = "", use: str = '<mine id="m"/>') -> str:
    return f'<Lems>{INCLUDES}<ComponentType name="mine" extends="baseCellMembPot">{more}<Dynamics>\n{dynamics}</Dynamics></ComponentType>{use}<network id="n"><population id="p" component="m" size="1"/></network></Lems>'


def channel(gate: str) -> str:
    return f'{HEAD}<ionChannelHH id="k" conductance="10pS">{gate}</ionChannelHH><pointCellCondBased id="c" C="10pF" v0="-65mV" thresh="20mV"><channelPopulation id="ks" ionChannel="k" number="10" erev="-77mV"/></pointCellCondBased><network id="n"><population id="p" component="c" size="1"/></network></neuroml>'


V = '<StateVariable name="v" dimension="voltage" exposure="v"/>'
CASES = {
    "truncated": (net()[:-30], r"bad\.nml:\d+: is no well-formed XML"),
    "empty": ("", "is no well-formed XML"),
    "json": ('{"a": 1}', "is no well-formed XML"),
    "wrong root": ("<html><body/></html>", "root element must be <neuroml> or <Lems>, got <html>"),
    "missing include": (HEAD + '<include href="nix.nml"/></neuroml>', r"bad\.nml:2: <include>: there is no file 'nix\.nml'"),
    "include of itself": (HEAD + '<include href="bad.nml"/></neuroml>', "go round in a circle: bad.nml -> bad.nml"),
    "include above": (HEAD + '<include href="../x.nml"/></neuroml>', "outside the folder of the model"),
    "include by root": (HEAD + '<include href="/etc/passwd"/></neuroml>', "outside the folder of the model"),
    "include by http": (HEAD + '<include href="http://example.org/x.nml"/></neuroml>', "over the network are not read"),
    "external entity": ('<!DOCTYPE neuroml [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + HEAD + "<notes>&x;</notes></neuroml>", "has a DOCTYPE"),
    "entity bomb": ('<!DOCTYPE n [<!ENTITY a "' + "x" * 1000 + '">' + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + "]>" + HEAD + '<notes id="&j;"/></neuroml>', "DOCTYPE|well-formed"),
    "huge attribute": (HEAD + f'<notes id="{"x" * 100_000_000}"/></neuroml>', "well-formed"),
    "deep": (HEAD + "<a>" * 100_000, "well-formed"),
    "unknown type": (net("", IAF + SYN + "<iafCel id='x'/>"), r"bad\.nml:\d+: <iafCel id='x'>: unknown component type 'iafCel'; did you mean 'iafCell'"),
    "unknown parameter": (net("", IAF.replace("thresh=", "tresh=") + SYN), "has no parameter 'tresh'; did you mean 'thresh'"),
    "missing parameter": (net("", IAF.replace('thresh="-50mV"', "") + SYN), "needs the parameter 'thresh'"),
    "unknown unit": (net("", IAF.replace("-50mV", "-50 mW") + SYN), "unknown unit 'mW'"),
    "wrong dimension": (net("", IAF.replace("-50mV", "-50ms") + SYN), "thresh: must be a voltage, got '-50ms' which is a time"),
    "no unit": (net("", IAF.replace("-50mV", "-50") + SYN), "thresh: must be a voltage, got '-50' without a unit"),
    "no number": (net("", IAF.replace("-50mV", "nan mV") + SYN), "cannot read 'nan mV' as a number"),
    "duplicate component": (net("", IAF + IAF + SYN), r"bad\.nml:3: .*the id 'iaf' is taken by bad\.nml:2"),
    "duplicate population": (net('<population id="p" component="iaf" size="1"/>'), "the id 'p' is taken by another population"),
    "duplicate instance": (net('<population id="z" component="iaf" size="2"><instance id="0"/><instance id="0"/></population>'), "the instance id 0 is there twice"),
    "size": (net('<population id="z" component="iaf" size="1e3"/>'), "size must be a whole number"),
    "huge size": (net(f'<population id="z" component="iaf" size="{10**30}"/>'), "size must be at most"),
    "no component": (net('<population id="z" component="nix" size="1"/>'), "the component 'nix' does not exist"),
    "no synapse": (net(projection("").replace('"syn"', '"nix"')), "the synapse 'nix' does not exist"),
    "no population": (net(projection("").replace('"p"', '"nix"')), "there is no population 'nix'"),
    "no cell": (net(projection('<connection id="0" preCellId="../s[0]" postCellId="../p[2]"/>')), r"bad\.nml:\d+: <connection id='0'>: postCellId: population 'p' has no cell '../p\[2\]'"),
    "negative cell": (net(projection('<connection id="0" preCellId="../s[0]" postCellId="../p[-1]"/>')), "cannot read '../p\\[-1\\]' as a cell"),
    "absurd cell": (net(projection(f'<connection id="0" preCellId="../s[0]" postCellId="../p[{10**40}]"/>')), "has no cell|cannot read"),
    "weight": (net(projection('<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="heavy" delay="1ms"/>')), "weight must be a number, got 'heavy'"),
    "infinite weight": (net(projection('<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="inf" delay="1ms"/>')), "weight must be a number, got 'inf'"),
    "negative delay": (net(projection('<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="1" delay="-1ms"/>')), "delay must be >= 0"),
    "delay": (net(projection('<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="1" delay="soon"/>')), "delay: cannot read 'soon'"),
    "to a source": (net('<projection id="q" presynapticPopulation="p" postsynapticPopulation="s" synapse="syn"><connection id="0" preCellId="../p[0]" postCellId="../s[0]"/></projection>'), "is a source of spikes and takes no input"),
    "input to a source": (net('<explicitInput target="s[0]" input="pulse"/>'), "is a source of spikes and takes no input"),
    "no attachments": (f"{HEAD}{PULSE}<iafTauCell id='t' leakReversal='-60mV' thresh='-50mV' reset='-65mV' tau='20ms'/><network id='n'><population id='p' component='t' size='1'/><explicitInput target='p[0]' input='pulse'/></network></neuroml>", "takes no synapses or inputs"),
    "kind of current": (net('<explicitInput target="p[0]" input="dl"/>', IAF + SYN + '<pulseGeneratorDL id="dl" delay="1ms" duration="5ms" amplitude="1"/>'), "cannot be attached to 'iaf', which reads 'i'"),
    "undefined variable": (own(V + '<TimeDerivative variable="v" value="(q - v)/tau"/>', '<Parameter name="tau" dimension="time"/>', '<mine id="m" tau="1ms"/>'), r"bad\.nml:3: <TimeDerivative>: undefined variable 'q'"),
    "wrong sum": (own(V + '<TimeDerivative variable="v" value="v + tau"/>', '<Parameter name="tau" dimension="time"/>', '<mine id="m" tau="1ms"/>'), r"bad\.nml:3: <TimeDerivative>: .*two sides of '\+'"),
    "syntax": (own(V + '<TimeDerivative variable="v" value="(v"/>'), r"bad\.nml:3: <TimeDerivative>: expected '\)'"),
    "unknown function": (own(V + '<TimeDerivative variable="v" value="sinc(v)"/>'), "unknown function 'sinc'"),
    "algebraic loop": (own('<DerivedVariable name="a" dimension="none" value="b"/><DerivedVariable name="b" dimension="none" value="a"/>'), "algebraic loop: a -> b -> a"),
    "no such state": (own(V + '<OnCondition test="v .gt. 0"><StateAssignment variable="w" value="0"/></OnCondition>'), "'w' is assigned but is no state variable"),
    "no such regime": (own(V + '<Regime name="r" initial="true"><OnCondition test="v .gt. 0"><Transition regime="x"/></OnCondition></Regime>'), "there is no regime 'x'"),
    "extends in a circle": (f'<Lems>{INCLUDES}<ComponentType name="a" extends="b"/><ComponentType name="b" extends="a"/><a id="x"/></Lems>', "inherits from itself: a -> b -> a"),
    "unknown base": (f'<Lems>{INCLUDES}<ComponentType name="a" extends="baseCel"/><a id="x"/></Lems>', "unknown component type 'baseCel'; did you mean 'baseCell'"),
    "refers to itself": (f"{HEAD}{IAF}<doubleSynapse id='d' synapse1='d' synapse1Path='./d' synapse2='d' synapse2Path='./d'/><network id='n'><population id='p' component='iaf' size='1'/><synapticConnection from='p[0]' to='p[0]' synapse='d'/></network></neuroml>", "is inside itself: d -> d"),
    "scheme without states": (channel('<gateKS id="n" instances="1"/>').replace("ionChannelHH", "ionChannelKS"), "its kinetic scheme has no states"),
    "transition to nowhere": (channel('<gateKS id="n" instances="1"><openState id="o"/><forwardTransition id="f" from="o" to="c"><rate type="HHExpRate" rate="1per_ms" midpoint="0mV" scale="1mV"/></forwardTransition></gateKS>').replace("ionChannelHH", "ionChannelKS"), "leads to the state 'c', which is not there"),
    "division by zero": (net(projection('<connection id="0" preCellId="../s[0]" postCellId="../p[1]"/>'), IAF + SYN.replace('tauRise="1ms"', 'tauRise="3ms"')), r"bad\.nml:\d+: <expTwoSynapse id='syn'>: '\w+' = .* is (nan|inf|-inf)"),
    "two networks": (net().replace("</neuroml>", '<network id="z"/></neuroml>'), "has 2 networks: n, z; choose one with network="),
    "no network": (HEAD + PULSE + "</neuroml>", "has no network"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_error_that_says_where_and_what(case: str, tmp_path: Path) -> None:
    text, message = CASES[case]
    (tmp_path / "bad.nml").write_text(text)
    began = time.monotonic()
    with pytest.raises(pt.ModelError) as caught:
        pt.read_neuroml(tmp_path / "bad.nml")
    assert re.search(message, str(caught.value), re.S), str(caught.value)[:500]
    assert "bad.nml" in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert time.monotonic() - began < 20  # far from what any of them takes; a bomb takes for ever


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 500, b"\x89HDF\r\n\x1a\n" + b"\x00" * 200])
def test_broken_hdf5(data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "bad.net.nml.h5").write_bytes(data)
    with pytest.raises(pt.ModelError, match=r"bad\.net\.nml\.h5"):
        pt.read_neuroml(tmp_path / "bad.net.nml.h5")


FUZZED = [
    net(projection('<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="0.5" delay="1ms"/>') + '<explicitInput target="p[0]" input="pulse"/>'),
    channel('<gateHHrates id="n" instances="4"><forwardRate type="HHExpLinearRate" rate="0.1per_ms" midpoint="-55mV" scale="10mV"/><reverseRate type="HHExpRate" rate="0.125per_ms" midpoint="-65mV" scale="-80mV"/></gateHHrates>'),
    own(V + '<TimeDerivative variable="v" value="-v/tau"/><OnCondition test="v .gt. 0 * v"><EventOut port="spike"/></OnCondition>', '<Parameter name="tau" dimension="time"/>', '<mine id="m" tau="1ms"/>'),
]  # fmt: skip
VALUES = ["", "0", "-1", "1e400", "nan", "x", "0mV", "../p[0]", "p", "iaf", "network", "cell", "\u00b5", "9" * 50, "a/b", "[", "random(1)", "1/0", "1 .gt. 2", "exp(1000)", "syn", "src"]


def mutated(text: str, rng: random.Random) -> str:
    """A text with an attribute's value, an attribute or an element changed, taken out or doubled, or a few characters."""
    for _ in range(rng.randint(1, 3)):
        kind, spots = rng.randrange(5), list(re.finditer(r'(\w+)="([^"]*)"', text))
        elements = list(re.finditer(r"<\w+[^<>]*/>", text))
        if kind == 0 and spots:
            m = rng.choice(spots)
            text = text[: m.start(2)] + rng.choice(VALUES) + text[m.end(2) :]
        elif kind == 1 and spots:
            m = rng.choice(spots)
            text = text[: m.start()] + text[m.end() :]
        elif kind == 2 and elements:
            m = rng.choice(elements)
            text = text[: m.start()] + text[m.end() :]
        elif kind == 3 and elements:
            m, at = rng.choice(elements), rng.choice(elements)
            text = text[: at.start()] + m[0] + text[at.start() :]
        else:
            i = rng.randrange(len(text))
            text = text[:i] + rng.choice("<>\"'&/= \x00é9a") + text[i + 1 :]
    return text


@pytest.mark.parametrize("seed", range(6))
def test_mutated_files_are_read_or_refused(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = tmp_path / "bad.nml"
    for n in range(100):
        text = mutated(FUZZED[n % len(FUZZED)], rng)
        path.write_text(text)
        began = time.monotonic()
        try:
            made = pt.read_neuroml(path)
            pt.check(made, "reference")
        except pt.ModelError:
            pass
        except Exception as error:  # what must not happen, with the text that did it
            raise AssertionError(f"{type(error).__name__}: {error}\n{text}") from error
        assert time.monotonic() - began < 10, text


def test_a_column_that_is_read_by_pattern_names_the_line_of_a_mistake(tmp_path: Path) -> None:
    lines = [f'<connectionWD id="{i}" preCellId="../s[0]" postCellId="../p[{i % 2}]" weight="1" delay="1ms"/>\n' for i in range(600)]
    for at, change, message in ((300, ("../p[0]", "../p[9]"), "has no cell"), (400, ('weight="1"', 'weight="y"'), "weight must be"), (500, ('"1ms"', '"1mV"'), "must be a time")):
        broken = [x.replace(*change) if i == at else x for i, x in enumerate(lines)]
        (tmp_path / "bad.nml").write_text(net(projection("".join(broken))))
        with pytest.raises(pt.ModelError, match=rf"<connectionWD id='{at}'>: .*{message}"):
            pt.read_neuroml(tmp_path / "bad.nml")
