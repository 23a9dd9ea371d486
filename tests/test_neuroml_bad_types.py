"""Bad component types, and components that have no numbers to start with: one ModelError each, naming file,
line and element.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

from neuroml_texts import (
    BIOPHYSICAL,
    IAF,
    INCLUDES,
    SYN,
    V,
    channel,
    gate,
    leaky,
    net,
    one,
    own,
    projection,
    refused,
)

CONNECTED = projection('<connection id="0" preCellId="../s[0]" postCellId="../p[1]"/>')
TRANSITION = (
    '<forwardTransition id="f" from="{}" to="{}"><rate type="HHExpRate" rate="1per_ms" '
    'midpoint="0mV" scale="1mV"/></forwardTransition>'
)
REFERS = (
    '<ComponentReference name="inner" type="baseCell"/><Structure><ChildInstance '
    'component="inner"/></Structure>'
)
TWICE = (
    '<ComponentReference name="inner" type="baseCell"/><ComponentReference name="other" '
    'type="baseCell"/><Structure><ChildInstance component="inner"/><ChildInstance '
    'component="other"/></Structure>'
)
RELAY = """<ComponentType name="relay" extends="baseCell"><EventPort name="in" direction="in"/><EventPort name="out" direction="out"/>
<Dynamics><OnEvent port="in"><EventOut port="out"/></OnEvent></Dynamics>
<Structure><With instance="this" as="a"/><EventConnection from="a" to="a"/><EventConnection from="a" to="a"/></Structure></ComponentType>"""  # noqa: E501


def derived(value: str, name: str = "x") -> str:
    return f'<DerivedVariable name="{name}" dimension="none" value="{value}"/>'


def types(text: str) -> str:
    return f"<Lems>{INCLUDES}{text}</Lems>"


EXPRESSIONS = {
    "undefined variable": (
        own(
            V + '<TimeDerivative variable="v" value="(q - v)/tau"/>',
            '<Parameter name="tau" dimension="time"/>',
            '<mine id="m" tau="1ms"/>',
        ),
        r"bad\.nml:3: <TimeDerivative>: undefined variable 'q'",
    ),
    "undefined variable of a variable that nothing needs": (
        leaky(derived("q")),
        r"bad\.nml:4: <DerivedVariable id='x'>: undefined variable 'q'",
    ),
    "sum of dimensions": (
        leaky(derived("(v + tau)/tau")),
        r"bad\.nml:4: <DerivedVariable id='x'>: .*two sides of '\+'",
    ),
    "wrong dimension": (
        own(
            V + '<TimeDerivative variable="v" value="v*tau"/>',
            '<Parameter name="tau" dimension="time"/>',
            '<mine id="m" tau="1ms"/>',
        ),
        r"bad\.nml:3: <TimeDerivative>: 'v\*tau' is .* but must be mV/ms",
    ),
    "exponential of a voltage": (leaky(derived("exp(v)")), r"the argument of exp\(\) must be dimensionless"),
    "syntax": (
        own(V + '<TimeDerivative variable="v" value="(v"/>'),
        r"bad\.nml:3: <TimeDerivative>: expected '\)'",
    ),
    "no expression": (
        own(V + '<TimeDerivative variable="v" value=""/>'),
        r"bad\.nml:3: <TimeDerivative>: must have a value",
    ),
    "unknown function": (
        own(V + '<TimeDerivative variable="v" value="sinc(v)"/>'),
        "unknown function 'sinc'",
    ),
    "condition where a value stands": (
        leaky(derived("v .gt. v")),
        "'v .gt. v' is a condition, where a value must stand",
    ),
    "value where a condition stands": (
        leaky('<OnCondition test="v"><EventOut port="spike"/></OnCondition>'),
        r"bad\.nml:4: <OnCondition>: 'v' is no condition",
    ),
    "comparison of dimensions": (
        leaky('<OnCondition test="v .gt. tau"><EventOut port="spike"/></OnCondition>'),
        r"bad\.nml:4: <OnCondition>: .*two sides of '>'",
    ),
    "algebraic loop": (own(derived("b", "a") + derived("a", "b")), "algebraic loop: a -> b -> a"),
    "loop of one": (leaky(derived("x + 1")), r"bad\.nml:4: <DerivedVariable id='x'>: algebraic loop: x -> x"),
    "no such state": (
        leaky('<OnCondition test="v .gt. 0"><StateAssignment variable="w" value="0"/></OnCondition>'),
        r"bad\.nml:4: <StateAssignment>: 'w' is assigned but is no state variable",
    ),
    "assignment to a derived variable": (
        leaky(
            derived("1")
            + '<OnCondition test="v .gt. 0"><StateAssignment variable="x" value="0"/></OnCondition>'
        ),
        "'x' is assigned but is no state variable",
    ),
    "start of no state": (
        leaky('<OnStart><StateAssignment variable="w" value="0"/></OnStart>'),
        r"bad\.nml:4: <StateAssignment>: 'w' is assigned but is no state variable",
    ),
    "derivative of no state": (
        leaky('<TimeDerivative variable="w" value="1/tau"/>'),
        r"bad\.nml:4: <TimeDerivative>: 'w' is no state variable of mine",
    ),
    "unknown dimension of a state": (
        leaky('<StateVariable name="x" dimension="zork"/>'),
        r"bad\.nml:4: <StateVariable id='x'>: unknown dimension 'zork'",
    ),
    "unknown dimension of a parameter": (
        leaky("", '<Parameter name="z" dimension="tyme"/>').replace('tau="5ms"', 'tau="5ms" z="1ms"'),
        "unknown dimension 'tyme'; did you mean 'time'",
    ),
    "requirement that nothing provides": (
        leaky(derived("zz"), '<Requirement name="zz" dimension="none"/>').replace("-v/tau", "-v/tau*zz"),
        "requires 'zz', which nothing above it provides",
    ),
    "reduction": (
        leaky(
            '<DerivedVariable name="x" dimension="current" select="synapses[*]/i" reduce="max"/>',
            '<Attachments name="synapses" type="basePointCurrent"/>',
        ),
        "reduce must be add or multiply, got 'max'",
    ),
    "sum of currents without dimension": (
        leaky(
            '<DerivedVariable name="x" dimension="none" select="synapses[*]/i" reduce="add"/>',
            '<Attachments name="synapses" type="basePointCurrent"/>',
        )
        .replace("<network", '<pulseGenerator id="p" delay="0ms" duration="1ms" amplitude="1pA"/><network')
        .replace("</network>", '<explicitInput target="p[0]" input="p"/></network>'),
        "'synapses.*' is current .* but must be dimensionless",
    ),
    "path": (
        leaky('<DerivedVariable name="x" dimension="none" select="syn[/i" reduce="add"/>'),
        r"cannot read 'syn\[' in the path",
    ),
    "cases of nothing": (
        leaky('<ConditionalDerivedVariable name="x" dimension="none"/>'),
        "must have a value, a select or cases",
    ),
    "part of no dynamics": (leaky("<OnMoon/>"), r"bad\.nml:4: <OnMoon>: <OnMoon> is no part of <Dynamics>"),
    "dynamics twice": (leaky("</Dynamics><Dynamics>"), "is the second <Dynamics> of its type"),
    "event out of no port": (
        leaky('<OnCondition test="v .gt. 0"><EventOut port="zork"/></OnCondition>'),
        "an EventOut is at 'zork', which is no port of a mine",
    ),
    "no such regime": (
        leaky(
            '<Regime name="r" initial="true"><OnCondition test="v .gt. 0"><Transition '
            'regime="x"/></OnCondition></Regime>'
        ),
        "there is no regime 'x'",
    ),
    "regimes in a circle": (
        leaky(
            '<Regime name="a" initial="true"><OnEntry><Transition regime="b"/></OnEntry></Regime><Regime '
            'name="b"><OnEntry><Transition regime="a"/></OnEntry></Regime><OnCondition test="v .gt. '
            '0"><Transition regime="b"/></OnCondition>'
        ),
        "relayed more than 20 times",
    ),
    "long sum": (leaky(derived("+".join(["1"] * 5000))), "more than 200 chained operations"),
    "long text": (leaky(derived("+".join(["1"] * 200_000))), "an expression of 399999 characters"),
    "deep brackets": (leaky(derived("(" * 5000 + "1" + ")" * 5000)), "more than 40 levels of nesting"),
    "long chain": (
        leaky(
            '<StateVariable name="x0" dimension="none"/>'
            + "".join(derived(f"x{i}+1", f"x{i + 1}") for i in reversed(range(2000)))
        ),
        "too many levels deep",
    ),
    "doubling at every line": (
        leaky(
            '<StateVariable name="x0" dimension="none"/>'
            + "".join(derived(f"x{i}+x{i}", f"x{i + 1}") for i in range(60))
        ),
        "more than 20000 terms",
    ),
}
TYPES = {
    "extends in a circle": (
        types('<ComponentType name="a" extends="b"/><ComponentType name="b" extends="a"/><a id="x"/>'),
        "inherits from itself: a -> b -> a",
    ),
    "extends itself": (
        types('<ComponentType name="a" extends="a"/><a id="x"/>'),
        "inherits from itself: a -> a",
    ),
    "unknown base": (
        types('<ComponentType name="a" extends="baseCel"/><a id="x"/>'),
        "unknown component type 'baseCel'; did you mean 'baseCell'",
    ),
    "type twice": (
        types('<ComponentType name="a" extends="baseCell"/>\n<ComponentType name="a" extends="baseCell"/>'),
        r"bad\.nml:3: <ComponentType id='a'>: ComponentType 'a' is defined twice",
    ),
    "type without a name": (types('<ComponentType extends="baseCell"/>'), "must have a name"),
    "part of no type": (
        types('<ComponentType name="a"><Parametr name="x"/></ComponentType>'),
        "<Parametr> is no part of a ComponentType; did you mean 'Parameter'",
    ),
    "constant": (
        leaky("", '<Constant name="x" dimension="none" value="abc"/>'),
        r"bad\.nml:2: <Constant id='x'>: x: cannot read 'abc'",
    ),
    "infinite constant": (
        leaky("", '<Constant name="x" dimension="none" value="1e999"/>'),
        r"bad\.nml:2: <Constant id='x'>: x: '1e999' is too large",
    ),
    "dimension": (
        types('<Dimension name="x" m="nan"/>'),
        r"bad\.nml:2: <Dimension id='x'>: m must be a number, got 'nan'",
    ),
    "power of ten": (
        types('<Unit symbol="x" dimension="time" power="400"/>'),
        "power must be a whole number between -100 and 100",
    ),
    "scale": (types('<Unit symbol="x" dimension="time" scale="0"/>'), "scale must not be 0"),
    "unknown dimension of a unit": (
        types(
            '<Unit symbol="x" dimension="zork"/>'
            + IAF.replace("nF", "x")
            + '<network id="n"><population id="p" component="iaf" size="1"/></network>'
        ),
        "unknown dimension 'zork'",
    ),
    "structure that is not read": (
        types(
            '<ComponentType name="a" extends="baseCell"><Structure><MultiInstantiate number="3" '
            'component="x"/></Structure></ComponentType><a id="x"/><network id="n"><population id="p" '
            'component="x" size="1"/></network>'
        ),
        "<MultiInstantiate> in the Structure of a a is not read",
    ),
    "refers to itself": (
        types(
            f'<ComponentType name="a" extends="baseCell">{REFERS}</ComponentType><a id="x" '
            'inner="x"/><network id="n"><population id="p" component="x" size="1"/></network>'
        ),
        "is inside itself: x -> x",
    ),
    "refers to itself through another": (
        net(
            CONNECTED.replace('"syn"', '"d"'),
            IAF + SYN + '<doubleSynapse id="d" synapse1="e" synapse1Path="a" synapse2="syn" '
            'synapse2Path="b"/><doubleSynapse id="e" synapse1="d" synapse1Path="a" synapse2="syn" '
            'synapse2Path="b"/>',
        ),
        "is inside itself: d -> e -> d",
    ),
    "doubles at every level": (
        types(
            f'<ComponentType name="a" extends="baseCell">{TWICE}</ComponentType><ComponentType name="b" '
            'extends="baseCell"/><b id="x0"/>'
            + "".join(f'<a id="x{i + 1}" inner="x{i}" other="x{i}"/>' for i in range(40))
            + '<network id="n"><population id="p" component="x40" size="1"/></network>'
        ),
        "holds more than 100000 components",
    ),
    "events in a circle": (
        types(f'{RELAY}<relay id="r"/><network id="n"><population id="p" component="r" size="1"/></network>'),
        r"<relay id='r'>: events are relayed more than 20 times",
    ),
    "channel that is a cell": (
        one(
            '<pointCellCondBased id="c" C="10pF" v0="-65mV" thresh="20mV"><channelPopulation id="k" '
            'ionChannel="iaf" number="3" erev="0mV"/></pointCellCondBased>' + IAF,
            "c",
        ),
        r"bad\.nml:2: <iafCell id='iaf'>: has no 'g', which 'ionChannel/g' reads",
    ),
    "channel that is the cell": (
        one(
            '<pointCellCondBased id="c" C="10pF" v0="-65mV" thresh="20mV"><channelPopulation id="k" '
            'ionChannel="c" number="3" erev="0mV"/></pointCellCondBased>',
            "c",
        ),
        "is inside itself: c -> k -> c",
    ),
    "scheme without states": (
        channel('<gateKS id="n" instances="1"/>', "ionChannelKS"),
        r"bad\.nml:2: <gateKS id='n'>: its kinetic scheme has no states",
    ),
    "transition to nowhere": (
        channel(
            f'<gateKS id="n" instances="1"><openState id="o"/>{TRANSITION.format("o", "c")}</gateKS>',
            "ionChannelKS",
        ),
        r"<forwardTransition id='f'>: leads to the state 'c', which is not there",
    ),
    "transition without a rate": (
        channel(
            '<gateKS id="n" instances="1"><openState id="o"/><closedState id="c"/><forwardTransition id="f" '
            'from="c" to="o"/></gateKS>',
            "ionChannelKS",
        ),
        r"<forwardTransition id='f'>: there is no 'rate' in it",
    ),
    "gate without a rate": (
        channel(
            '<gateHHrates id="n" instances="1"><forwardRate type="HHExpRate" rate="1per_ms" midpoint="0mV" '
            'scale="1mV"/></gateHHrates>'
        ),
        r"<gateHHrates id='n'>: there is no 'reverseRate' in it",
    ),
    "unknown rate": (channel(gate("HHZork")), "unknown component type 'HHZork'"),
    "cell without anything": (
        one('<cell id="c"/>', "c"),
        r"<cell id='c'>: there is no 'biophysicalProperties",
    ),
    "cell without its start": (
        one(BIOPHYSICAL.replace('<initMembPotential value="-65mV"/>', ""), "c"),
        "there is no 'biophysicalProperties/membraneProperties/initMembPotential' in it",
    ),
    "morphology that is the cell": (
        one(
            BIOPHYSICAL.replace('<cell id="c">', '<cell id="c" morphology="c">')
            .replace("morphology id", "notes id")
            .replace("</morphology", "</notes"),
            "c",
        ),
        "is inside itself: c -> c",
    ),
    "diameter": (one(BIOPHYSICAL.replace('"10"', '"wide"'), "c"), "diameter: cannot read 'wide'"),
}
STARTS = {
    "equal time constants": (
        net(CONNECTED, IAF + SYN.replace('tauRise="1ms"', 'tauRise="3ms"')),
        r"bad\.nml:3: <expTwoSynapse id='syn'>: '\w+' = .* is (nan|inf|-inf) with tauDecay = 0.003, tauRise "
        r"= 0.003",
    ),
    "time constant 0": (
        one('<iafTauCell id="t" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="0ms"/>', "t"),
        r"bad\.nml:2: <iafTauCell id='t'>: the derivative of 'v' is nan at the start: .*tau = 0.0 ms",
    ),
    "time constant of a synapse 0": (
        net(
            CONNECTED.replace('"syn"', '"x"'),
            IAF + SYN + '<expOneSynapse id="x" gbase="1nS" erev="0mV" tauDecay="0ms"/>',
        ),
        r"bad\.nml:5: <expOneSynapse id='x'>: the derivative of 'g' is nan",
    ),
    "capacitance 0": (
        one(IAF.replace("0.2nF", "0nF"), "iaf"),
        r"bad\.nml:2: <iafCell id='iaf'>: the derivative of 'v' is nan at the start: iMemb / C, with C = "
        r"0.0 pF",
    ),
    "capacitance of a membrane 0": (
        one(BIOPHYSICAL.replace("1 uF_per_cm2", "0 uF_per_cm2"), "c"),
        r"<cell id='c'>: the derivative of 'v' is inf",
    ),
    "diameter 0": (
        one(BIOPHYSICAL.replace('"10"', '"0"'), "c"),
        r"<cell id='c'>: the derivative of 'v' is nan at the start: .*totCap = 0.0 pF",
    ),
    "scale of a rate 0": (
        channel(gate(scale="0mV", midpoint="-65mV")),
        r"bad\.nml:2: <forwardRate>: 'r' is nan at the start: .*scale = 0.0 mV",
    ),
    "both rates 0": (
        channel(gate(rate="0per_ms", reverse="0per_ms")),
        r"<gateHHrates id='n'>: 'inf' is nan at the start",
    ),
    "state": (
        leaky(
            '<StateVariable name="x" dimension="none"/><OnStart><StateAssignment variable="x" value="v/(v - '
            'v)"/></OnStart>'
        ),
        r"<mine id='m'>: 'x' is nan at the start",
    ),
    "logarithm": (
        leaky(
            '<StateVariable name="x" dimension="none"/><OnStart><StateAssignment variable="x" value="ln(0 - '
            '1)"/></OnStart>'
        ),
        r"<mine id='m'>: 'x' is nan at the start: ln",
    ),
    "derived parameter": (
        leaky("", '<DerivedParameter name="x" dimension="none" value="tau/(tau - tau)"/>'),
        r"<mine id='m'>: 'x' = tau/\(tau - tau\) is inf with tau = 0.005",
    ),
    "drawn derived parameter": (
        leaky("", '<DerivedParameter name="x" dimension="none" value="random(1)"/>'),
        "is drawn anew at every use",
    ),
    "infinite number": (
        one(IAF.replace("0.2nF", "1e999 nF"), "iaf"),
        r"bad\.nml:2: <iafCell id='iaf'>: C: '1e999 nF' is too large for a number",
    ),
    "number too large in our units": (
        one(IAF.replace("0.2nF", "1e308 F"), "iaf"),
        "1e\\+308 in SI units is too large",
    ),
    "gap junction without numbers": (
        net(
            '<electricalProjection id="e" presynapticPopulation="p" '
            'postsynapticPopulation="p"><electricalConnection id="0" preCell="0" postCell="1" '
            'synapse="g"/></electricalProjection>',
            IAF
            + SYN
            + '<ComponentType name="odd" extends="gapJunction"><Dynamics><DerivedVariable name="vpeer" '
            'dimension="voltage" select="peer/v"/><DerivedVariable name="i" exposure="i" '
            'dimension="current" value="weight*conductance*(vpeer - v)*(v/(v - '
            'vpeer))"/></Dynamics></ComponentType><odd id="g" conductance="1nS"/>',
        ),
        r"<odd id='g'>: 'i' is nan at the start",
    ),
}
CASES = {**EXPRESSIONS, **TYPES, **STARTS}


@pytest.mark.parametrize("case", CASES)
def test_one_error_that_says_where_and_what(case: str, tmp_path: Path) -> None:
    text, message = CASES[case]
    shown = refused(tmp_path, text)
    assert re.search(message, shown, re.S), shown[:500]


def test_a_singularity_that_its_type_takes_out_is_none(tmp_path: Path) -> None:
    # HHExpLinearRate is x/(1 - exp(-x)), with a case of its own for x = 0: here the start, where the other
    # case is 0/0
    import portable as pt

    (tmp_path / "good.nml").write_text(channel(gate("HHExpLinearRate", midpoint="-65mV")))
    net = pt.read_neuroml(tmp_path / "good.nml")
    assert pt.check(net, "native") == []
    r = pt.run(net, duration="1 ms", dt="0.1 ms")
    assert r is not None


def test_what_nothing_needs_may_be_missing(tmp_path: Path) -> None:
    # a component that no population holds lacks a parameter: jLEMS does not need it, and neither do we;
    # validate-file tells of it
    import portable as pt
    from portable.schemas.neuroml.read import problems

    (tmp_path / "good.nml").write_text(net("", IAF + SYN + '<iafCell id="other" C="1nF"/>'))
    assert pt.read_neuroml(tmp_path / "good.nml").population("p").size == 2
    assert "needs the parameter 'thresh'" in " ".join(map(str, problems(tmp_path / "good.nml")))
