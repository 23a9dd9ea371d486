"""Every node of the model has its document form, its part in the digest, a resolution that backends can be
asked about, and its NeuroML form or a refusal. A new node fails here until it stands in the table.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

import portable as pt
import portable.model
from portable.backends.contract import RunConfig
from portable.backends.features import FEATURES, requirements
from portable.model import connectors, fields
from portable.resolve import resolve
from portable.resolve.connectors import RULES
from portable.resolve.digest import model_hash
from portable.schemas import nodes
from portable.schemas.document import dumps, loads

OWN = pt.cell_type(
    "own",
    equations="dz/dt = (x + i_syn - z)/tau : nA",
    parameters={"tau": "3 ms"},
    inputs={"x": "nA"},
    receptors={"in": pt.CurrExp},
)
PLAIN = pt.cell_type(
    "plain",
    equations="dz/dt = (i_syn - z)/tau : nA",
    parameters={"tau": "3 ms"},
    receptors={"in": pt.CurrExp},
)


def populations(cell=None) -> list[pt.Population]:
    return [
        pt.Population("a", 4, pt.IF_curr_exp()),
        pt.Population("b", 4, cell if cell is not None else pt.IF_curr_exp()),
    ]


def connected(connector=None, weight=0.5, delay=1.0) -> pt.Network:
    a, b = populations()
    synapse = pt.StaticSynapse(weight, delay)
    return pt.Network("n", [a, b], [pt.Projection(a, b, connector or pt.OneToOne(), synapse)])


def learning(synapse, what="weight", places=None) -> pt.Network:
    a, b = populations()
    third = {"signal": b, "signal_delay": "3 ms"} if synapse.rule.signal else {}
    p = pt.Projection(a, b, pt.OneToOne(), synapse, **third)
    record = pt.Record(p.between(places and a[places]), what, "1 ms")
    return pt.Network("n", [a, b], [p], recordings=[record])


def own_rule(x) -> pt.SynapseType:
    return pt.synapse_type(
        "Own",
        parameters={"tau": "20 ms", "a": 0.01, "w_max": "weight", "slope": "0.1 1/weight"},
        pre_traces="dx/dt = -x/tau : 1",
        equations="de/dt = -e/tau : 1",
        on_post=f"weight += a*w_max*x*(1 - slope*weight); e += {1 + x}",
        after_pre="x += 1",
        bounds=(None, "w_max"),
        initial={"e": "a"},
        positive=("tau",),
    )


def injected(source) -> pt.Network:
    a, b = populations()
    return pt.Network("n", [a, b], inputs=[pt.Injection(source, a)])


def sending(source) -> pt.Network:
    a, b = populations(source)
    return pt.Network("n", [a, b], [pt.Projection(b, a, pt.OneToOne(), pt.StaticSynapse(0.1, 1.0))])


def linked(pairs) -> pt.Network:
    cells = pt.Population("c", 4, OWN())
    return pt.Network("n", [cells], links=[pt.Link(cells, "z", cells, "x", *pairs)])


def recorded(of: slice) -> pt.Network:
    a, b = populations()
    return pt.Network("n", [a, b], recordings=[pt.Record(a[of], ["spikes", "v"])])


# Node -> a network with it, and the same with another value of it.
NODES = {
    "ReceptorType": lambda x: pt.Network("n", populations(PLAIN(tau=1 + x))),
    "Receptor": lambda x: pt.Network("n", populations(PLAIN(tau_syn_in=1 + x))),
    "CellType": lambda x: pt.Network("n", populations([pt.IF_curr_exp(), pt.IF_curr_alpha()][x])),
    "Cell": lambda x: pt.Network("n", populations(pt.IF_curr_exp(tau_m=10 + x))),
    "AllToAll": lambda x: connected(pt.AllToAll(bool(x))),
    "OneToOne": lambda x: connected([pt.OneToOne(), pt.AllToAll()][x]),
    "FixedProbability": lambda x: connected(pt.FixedProbability(0.25 + x / 2)),
    "FixedInDegree": lambda x: connected(pt.FixedInDegree(2 + x)),
    "FixedTotalNumber": lambda x: connected(pt.FixedTotalNumber(3 + x)),
    "Explicit": lambda x: connected(pt.Explicit([0, 1, 3], [2, 2, x])),
    "StaticSynapse": lambda x: connected(weight=0.5 + x, delay=1.0 + x),
    "PlasticSynapse": lambda x: learning(
        pt.STDP(
            pt.Uniform("0.1 nA", "0.2 nA"),
            [1.0, 2.0, 1.0, 1.5],
            w_max="300 pA",
            tau_plus=pt.Uniform(9, 19 + x),
            dendritic_delay_fraction=0.25 + x / 2,
        )
    ),
    "SynapseType": lambda x: learning(own_rule(x)(0.1, w_max=1.0, initial={"e": pt.Uniform(0, 1 + x)}), "e"),
    "SynapseType with a third factor": lambda x: learning(pt.DopamineSTDP(0.1, w_max=1.0, tau_n=100.0 + x)),
    "Synapses": lambda x: learning(pt.TsodyksMarkram(0.1), ("u", "weight"), slice(x, 3)),
    "Link": lambda x: linked([[0, 1, 2], [3, x, 0]]),
    "Projection": lambda x: pt.Network(
        "n", populations(), [pt.Projection(*populations(), pt.OneToOne(), name=f"p{x}")]
    ),
    "Injection": lambda x: pt.Network(
        "n", populations(), inputs=[pt.Injection(pt.DCSource(0.1), populations()[0][x:])]
    ),
    "Record": lambda x: recorded(slice(x, None)),
    "Network": lambda x: pt.Network(f"n{x}", populations()),
    "Population": lambda x: pt.Network("n", [pt.Population("a", 3 + x, pt.IF_curr_exp(), {"v": -60.0})]),
    "View": lambda x: recorded(slice(0, 4, 1 + x)),
    "SpikeSourceArray": lambda x: sending(pt.SpikeSourceArray([1.0 + x, 3.0])),
    "SpikeSourcePoisson": lambda x: sending(pt.SpikeSourcePoisson(rate=5.0 + x, start=1.0, duration=9.0)),
    "DCSource": lambda x: injected(pt.DCSource(0.1 + x, start=1.0, stop=4.0)),
    "StepCurrentSource": lambda x: injected(pt.StepCurrentSource([0.0, 2.0 + x], [0.1, 0.0])),
    "Array": lambda x: connected(weight=pt.Array([0.1, 0.2, 0.3 + x, 0.4], "nA")),
    "Uniform": lambda x: connected(weight=pt.Uniform(0.1, 0.2 + x)),
    "Normal": lambda x: connected(weight=pt.Normal(0.5, 0.1 + x / 10, low=0, high=1, clip=True)),
    "Lognormal": lambda x: connected(weight=pt.Lognormal(0.5, 0.1 + x)),
    "Clipped": lambda x: connected(weight=pt.Clipped(pt.Normal(0.5, 0.1), 0.4, 0.6 + x)),
}
# What says how a network is run or where it comes from, and is no part of what it is.
APART = {"Origin", "RunSettings", "Connector"}
# What NeuroML refuses, and with what words.
REFUSED = {"Link": "links", "SynapseType with a third factor": "third factor"}


def test_the_table_names_every_node():
    found = set()
    for info in pkgutil.iter_modules(portable.model.__path__):
        if info.name == "fields":  # how nodes say what they hold
            continue
        module = importlib.import_module(f"portable.model.{info.name}")
        found |= {
            n
            for n, c in vars(module).items()
            if inspect.isclass(c) and c.__module__ == module.__name__ and not n.startswith("_")
        }
    assert found == {n.split(" with ")[0] for n in NODES} | APART


@pytest.mark.parametrize("name", NODES)
def test_its_document_says_all_of_it(name):
    for x in (0, 1):
        net = NODES[name](x)
        for form in ("json", "yaml"):
            assert loads(dumps(net, form), form) == net
    assert dumps(NODES[name](0)) != dumps(NODES[name](1))


@dataclass(frozen=True)
class Ring(connectors.Connector):
    """Every cell to its next ones. As many as `n` says."""

    n: Annotated[int, fields.Count("Next ones.")]
    wrapped: Annotated[bool, fields.Flag("Whether the last is before the first.")] = True


def test_a_new_connector_is_a_class_and_a_rule():
    """All that the document format needs is made of the class."""
    entry = nodes.entry(Ring)
    assert nodes.write(Ring(3)) == {"type": "Ring", "n": 3, "wrapped": True}
    assert nodes.read(Ring, {"type": "Ring", "n": 3.0}) == Ring(3)
    defs: dict[str, Any] = {}
    entry.schema(defs)
    assert defs["Ring"]["description"] == "Every cell to its next ones."
    assert defs["Ring"]["required"] == ["type", "n"]
    assert defs["Ring"]["properties"]["wrapped"]["default"] is True
    with pytest.raises(pt.ModelError, match=r"connector\.n: must be a whole number >= 0, got -1"):
        entry.check({"type": "Ring", "n": -1}, "connector")
    with pytest.raises(pt.ModelError, match=r"Ring\.n: must be a whole number >= 0, got 1\.5"):
        Ring(1.5)
    with pytest.raises(pt.ModelError, match=r"Ring\.wrapped: must be True or False, got 'no'"):
        Ring(1, "no")
    assert RULES.keys() == set(connectors.CONNECTORS)


@pytest.mark.parametrize("name", NODES)
def test_the_digest_knows_it(name):
    assert model_hash(NODES[name](0)) == model_hash(NODES[name](0)) != model_hash(NODES[name](1))


@pytest.mark.parametrize("name", NODES)
def test_backends_can_be_asked_about_it(name):
    program = resolve(NODES[name](0), 1, 0.1)
    asked = {feature for feature, *_ in requirements(program, RunConfig())}
    assert asked <= FEATURES.keys()
    assert name != "Link" or "links" in asked


@pytest.mark.parametrize("name", NODES)
def test_neuroml_says_it_or_refuses_it(name, tmp_path: Path):
    pytest.importorskip("pyneuroml")
    net = NODES[name](0)
    if name in REFUSED:
        with pytest.raises(pt.PortableError, match=REFUSED[name]):
            pt.write_neuroml(net, tmp_path, simulation=False)
        return
    written = pt.write_neuroml(net, tmp_path, simulation=False)
    assert pt.read_neuroml(written.path) == net
