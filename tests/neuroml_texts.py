"""Small NeuroML documents that tests put together, and what must happen with bad ones."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import pytest

import portable as pt

HEAD = '<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="d">\n'
IAF = (
    '<iafCell id="iaf" leakReversal="-60mV" thresh="-50mV" reset="-65mV" C="0.2nF" leakConductance="10nS"/>\n'
)
SYN = (
    '<expTwoSynapse id="syn" gbase="1nS" erev="0mV" tauRise="1ms" tauDecay="3ms"/>\n<spikeArray '
    'id="src"><spike id="0" time="5ms"/></spikeArray>\n'
)
POP = '<population id="p" component="iaf" size="2"/><population id="s" component="src" size="1"/>'
PULSE = '<pulseGenerator id="pulse" delay="1ms" duration="5ms" amplitude="0.1nA"/>\n'
INCLUDES = '<Include file="Cells.xml"/><Include file="Networks.xml"/>\n'
V = '<StateVariable name="v" dimension="voltage" exposure="v"/>'
OWN_V = V + '<TimeDerivative variable="v" value="-v/tau"/>\n'


def net(inside: str = "", top: str = IAF + SYN + PULSE) -> str:
    """Cells p, a source s, and what is inside, on the line after them (7 with the usual top)."""
    return f"{HEAD}{top}<network id='n'>{POP}\n{inside}</network></neuroml>"


def projection(connection: str) -> str:
    """Connections begin on the next line."""
    return (
        '<projection id="q" presynapticPopulation="s" postsynapticPopulation="p" '
        f'synapse="syn">\n{connection}</projection>'
    )


def connected(**changed: str) -> str:
    """A network with one connection; attributes by name."""
    given = {
        "id": "0",
        "preCellId": "../s[0]",
        "postCellId": "../p[1]",
        "weight": "1",
        "delay": "1ms",
        **changed,
    }
    attributes = " ".join(f'{k}="{v}"' for k, v in given.items())
    return net(projection(f"<connectionWD {attributes}/>"))


def one(cell: str, id: str) -> str:
    """A population of one cell."""
    return f'{HEAD}{cell}<network id="n"><population id="p" component="{id}" size="1"/></network></neuroml>'


def own(dynamics: str, more: str = "", use: str = '<mine id="m"/>') -> str:
    """A cell type of the file's own: declarations on line 2, dynamics from line 3."""
    return (
        f'<Lems>{INCLUDES}<ComponentType name="mine" '
        f'extends="baseCellMembPot">{more}<Dynamics>\n{dynamics}</Dynamics></ComponentType>{use}<network '
        'id="n"><population id="p" component="m" size="1"/></network></Lems>'
    )


def leaky(dynamics: str, more: str = "") -> str:
    """As `own`, with a state v that decays on line 3; more dynamics on line 4."""
    return own(
        OWN_V + dynamics, f'<Parameter name="tau" dimension="time"/>{more}', '<mine id="m" tau="5ms"/>'
    )


def channel(gate: str, kind: str = "ionChannelHH") -> str:
    """A cell with one channel and its gate."""
    return (
        f'{HEAD}<{kind} id="k" conductance="10pS">{gate}</{kind}><pointCellCondBased id="c" C="10pF" '
        'v0="-65mV" thresh="20mV"><channelPopulation id="ks" ionChannel="k" number="10" '
        'erev="-77mV"/></pointCellCondBased><network id="n"><population id="p" component="c" '
        'size="1"/></network></neuroml>'
    )


def gate(
    kind: str = "HHExpRate",
    rate: str = "1per_ms",
    midpoint: str = "-55mV",
    scale: str = "10mV",
    reverse: str = "0.125per_ms",
) -> str:
    """A gate by rates, the forward one by its values."""
    return (
        f'<gateHHrates id="n" instances="4"><forwardRate type="{kind}" rate="{rate}" '
        f'midpoint="{midpoint}" scale="{scale}"/>\n<reverseRate type="HHExpRate" rate="{reverse}" '
        'midpoint="-65mV" scale="-80mV"/></gateHHrates>'
    )


BIOPHYSICAL = """<ionChannelPassive id="pas" conductance="10pS"/>
<cell id="c"><morphology id="mo"><segment id="0" name="soma"><proximal x="0" y="0" z="0" diameter="10"/><distal x="10" y="0" z="0" diameter="10"/></segment></morphology>
<biophysicalProperties id="bio"><membraneProperties>
<channelDensity id="leak" ionChannel="pas" condDensity="3 S_per_m2" erev="-54mV" ion="non_specific"/>
<spikeThresh value="-20mV"/><specificCapacitance value="1 uF_per_cm2"/><initMembPotential value="-65mV"/>
</membraneProperties><intracellularProperties><resistivity value="0.03 kohm_cm"/></intracellularProperties></biophysicalProperties></cell>
"""  # noqa: E501

FUZZED = [
    net(
        projection('<connectionWD id="0" preCellId="../s[0]" postCellId="../p[1]" weight="0.5" delay="1ms"/>')
        + '<explicitInput target="p[0]" input="pulse"/>'
    ),
    channel(gate("HHExpLinearRate", "0.1per_ms")),
    own(
        V + '<TimeDerivative variable="v" value="-v/tau"/><OnCondition test="v .gt. 0 * v"><EventOut '
        'port="spike"/></OnCondition>',
        '<Parameter name="tau" dimension="time"/>',
        '<mine id="m" tau="1ms"/>',
    ),
    one(BIOPHYSICAL, "c"),
    net(
        '<electricalProjection id="e" presynapticPopulation="p" '
        'postsynapticPopulation="p"><electricalConnection id="0" preCell="0" postCell="1" '
        'synapse="g"/></electricalProjection>',
        IAF + SYN + '<gapJunction id="g" conductance="1nS"/>',
    ),
    own(
        '<StateVariable name="v" dimension="voltage" exposure="v"/><OnStart><StateAssignment variable="v" '
        'value="v0"/></OnStart><OnCondition test="v .gt. v0"><EventOut port="spike"/></OnCondition>'
        '<Regime name="up" initial="true"><TimeDerivative variable="v" value="1*v0/tau"/><OnCondition '
        'test="v .gt. v0"><Transition regime="down"/></OnCondition></Regime>'
        '<Regime name="down"><OnEntry><StateAssignment variable="v" value="0"/></OnEntry><OnCondition '
        'test="v .lt. v0"><Transition regime="up"/></OnCondition></Regime>',
        '<Parameter name="tau" dimension="time"/><Parameter name="v0" '
        'dimension="voltage"/><DerivedParameter name="half" dimension="voltage" value="v0/2"/>',
        '<mine id="m" tau="1ms" v0="1mV"/>',
    ),
]


def _read(path: Path) -> None:
    warnings.simplefilter("error", RuntimeWarning)
    made = pt.read_neuroml(path)
    pt.check(made, "native", dt=made.settings.dt if made.settings else None)


def refused(folder: Path, text: str | bytes, name: str = "bad.nml") -> str:
    """The one error for a bad file: it names the file, and says what to do, within seconds and without
    warnings.
    """
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    began = time.monotonic()
    with warnings.catch_warnings(), pytest.raises(pt.ModelError) as caught:
        _read(path)
    assert time.monotonic() - began < 20  # far from what any of them takes; a bomb takes for ever
    assert name in caught.value.path
    assert caught.value.rule
    assert caught.value.remedy, caught.value
    shown = str(caught.value)
    assert len(shown) < 2000
    assert not re.search(r"0x[0-9a-f]{8}", shown)  # no objects of Python
    return shown
