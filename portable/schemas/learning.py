"""Synapses that learn, in a document: the library's rules by name with their parameters, a document's own
rules, and how both are read and written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portable.dynamics.component import Parameter
from portable.library.meanings import meaning
from portable.library.plasticity import SYNAPSES as LIBRARY
from portable.model.synapses import CHECKED, PlasticSynapse, SynapseType, synapse_type
from portable.schemas.nodes import VALUE, Data, optional, read_value, write_value
from portable.schemas.shape import Key, ListOf, MapOf, Number, Obj, Scalar, Text
from portable.units import unit

_FIXED = {
    "weight": optional(VALUE, "Weights at the start, in the unit of the receptor (nA, uS or mV).", 0.0),
    "delay": optional(VALUE, "Delays (ms).", 1.0),
    "dendritic_delay_fraction": optional(
        Number(0, 1),
        "The part of the delay after which a spike of the target is seen; the rest passes before a spike of "
        "the source is.",
        1.0,
    ),
    "initial": optional(MapOf(VALUE), "Starting values of the connections' other states, by name."),
}


def _parameter(p: Parameter) -> Key:
    """A parameter of a library's rule, as the published schema tells it."""
    default = p.default
    of_weights = unit(p.unit).dimension == unit(CHECKED).dimension
    said = "the unit of weights" if of_weights else "no unit" if p.unit == "1" else p.unit
    known = f" Left out, {default.value:g}." if default is not None else " Must be given."
    return optional(VALUE, f"{meaning(p.name)} ({said}).{known}")


SYNAPSES = tuple(
    Obj(
        kind.name,
        kind.description,
        {**_FIXED, **{p.name: _parameter(p) for p in kind.parameters.values()}},
        tag=kind.name,
        rest=VALUE,  # a document may have a rule of its own by this name
    )
    for kind in LIBRARY.values()
)
PLASTIC = Obj(
    "PlasticSynapse",
    "A synapse of a rule in synapse_types, its parameters by name.",
    {"type": Key(Text(example='"STDP"'), "Name of the rule."), **_FIXED},
    rest=VALUE,
)
_STATEMENTS = {
    "on_signal": "What a spike of the third factor does to its states and to the connections.",
    "on_pre": "What a spike of the source does to the weight and the connection's states.",
    "on_post": "What a spike of the target does to them; at one instant it comes first.",
    "after_pre": "What a spike of the source then does to the traces: x += 1.",
    "after_post": "What a spike of the target does to them.",
}
SYNAPSE_TYPE = Obj(
    "SynapseType",
    "A rule of plasticity given by its equations.",
    {
        "name": Key(
            Text(r"^[A-Za-z][A-Za-z0-9_]*$", '"stdp"', "letters, digits and _, starting with a letter"),
            "Name of the rule.",
        ),
        "parameters": Key(
            MapOf(Scalar(or_unit=True)),
            "Default values by name; a unit alone makes the parameter required. The unit `weight` is that of "
            "the receptor.",
        ),
        "pre_traces": optional(Text(example='"dx/dt = -x/tau : 1"'), "States of the source."),
        "post_traces": optional(Text(), "States of the target."),
        "equations": optional(
            Text(), "States of each connection, derived variables, and the drift of the weight."
        ),
        "signal_traces": optional(Text(), "States of the third factor, one for all connections."),
        **{k: optional(Text(example='"weight += a*x"'), v) for k, v in _STATEMENTS.items()},
        "every": optional(
            Obj("Every", "What is done to all connections at the multiples of an interval.", {
                "interval": Key(Scalar(), "The interval (ms)."),
                "statements": Key(Text(example='"weight *= w_sum/incoming"'), "Assignments in order."),
            }),
            "What is done to all connections every so often.",
        ),
        "sends": optional(Text(example='"weight*u"'), "What the receptor gets of a spike.", "weight"),
        "bounds": optional(
            Obj("Bounds", "Expressions of parameters between which the weight stays.", {
                "low": optional(Text(example='"w_min"'), "The lower one, or \"0\"; left out, none."),
                "high": optional(Text(example='"w_max"'), "The upper one; left out, none."),
            }),
            "Where every assignment keeps the weight.",
        ),
        "initial": optional(
            MapOf(Text(example='"U"')), "Starting values of connections' states: expressions of parameters."
        ),
        "positive": optional(ListOf(Text()), "Parameters that must be > 0."),
        "nonnegative": optional(ListOf(Text()), "Parameters that must be >= 0."),
        "weight_unit": optional(Text(example='"nA"'), "The only unit of weights that the rule is for."),
        "description": optional(Text(), "What the rule does, in a sentence."),
        "source": optional(Text(), "Where it is published."),
        "aliases": optional(MapOf(Text()), "Its names elsewhere: NEST, PyNN."),
    },
)  # fmt: skip


def read(kind: SynapseType, data: Mapping[str, Any]) -> PlasticSynapse:
    """The synapse of a checked document. ModelError under the rule's name."""
    return PlasticSynapse(
        kind,
        read_value(data.get("weight", 0.0)),
        read_value(data.get("delay", 1.0)),
        {k: read_value(v) for k, v in data.items() if k not in ("type", *_FIXED)},
        {k: read_value(v) for k, v in data.get("initial", {}).items()},
        data.get("dendritic_delay_fraction", 1.0),
    )


def write(s: PlasticSynapse) -> Data:
    """The document's object of a projection's synapse; everything is said but `initial` where it is empty."""
    units = {p.name: p.unit for p in s.rule.parameters}
    own = {x.name: x.unit for x in s.rule.own}
    out: Data = {
        "type": s.type.name,
        "weight": write_value(s.weight, s.weight_unit),
        "delay": write_value(s.delay, "ms"),
        **{k: write_value(v, units[k]) for k, v in s.parameters.items()},
        "dendritic_delay_fraction": s.dendritic_delay_fraction,
    }
    return {**out, "initial": {k: write_value(v, own[k]) for k, v in s.initial.items()}} if s.initial else out


def read_type(data: Mapping[str, Any]) -> SynapseType:
    """The rule that a document defines. ModelError under `synapse_type 'name'`."""
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    bounds = data.get("bounds", {})
    given["bounds"] = (bounds.get("low"), bounds.get("high"))
    if "every" in data:
        given["every"] = (data["every"]["interval"], data["every"]["statements"])
    return synapse_type(**given)


def write_type(t: SynapseType) -> Data:
    """A rule's definition; what is empty is left out."""
    about = {"description": t.description, "source": t.source, "aliases": dict(t.aliases)}
    out: Data = {"name": t.name}
    for key, given in {**t.definition, **about}.items():
        plain = dict(given) if isinstance(given, dict) else list(given) if isinstance(given, tuple) else given
        if key == "bounds":
            plain = {k: b for k, b in zip(("low", "high"), given, strict=True) if b is not None}
        if key == "every":
            plain = dict(zip(("interval", "statements"), given, strict=True))
        if plain or key == "parameters":
            out[key] = plain
    return out
