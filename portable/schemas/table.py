"""The document format, version 1, as one table: the reader checks by it and the published JSON Schema is made
from it.

Names are NeuroML's where it has one: population `id`, `component`, `size`; `presynapticPopulation`,
`postsynapticPopulation`, `synapse`, `weight`, `delay` of a projection; `type` of a component; `component` and
`population` of an input list; LEMS' `name` of a component type. They are PyNN's or our own where it has none:
connectors, distributions, views, `initial`, `receptor`, `recordings`, `interval`, the sources' parameters,
`start`, `stop`.
"""

from __future__ import annotations

from typing import Any

from portable.schemas.shape import (
    Const,
    Either,
    Flag,
    Key,
    Kind,
    ListOf,
    MapOf,
    Number,
    Obj,
    Scalar,
    Schema,
    Tagged,
    Text,
)

VERSION = "1"
FILE = "network-1.schema.json"
_ID = Text(r"^[A-Za-z][A-Za-z0-9_]*$", '"exc"', "letters, digits and _, starting with a letter")
_COUNT = Number(minimum=0, whole=True)
_MULTAPSES = Key(Flag(), "Whether one pair of cells may be connected more than once.", False, True)
_SELF = Key(Flag(), "Whether a cell may be connected to itself.", False, True)


def _optional(kind: Kind, description: str, default: Any = None) -> Key:
    return Key(kind, description, False, default)


ARRAY = Obj(
    "Array",
    "One number per cell or per connection.",
    {
        "unit": _optional(
            Text(example='"mV"'), "The unit of all values; left out, the unit that the field has by itself."
        ),
        "values": Key(ListOf(Number()), "The numbers, in order."),
    },
    tag="Array",
)
_BOUNDS = {
    "low": _optional(Scalar(), "Smallest value; values below are drawn again, or moved to it with clip."),
    "high": _optional(Scalar(), "Largest value."),
    "clip": _optional(Flag(), "Move values outside to the bound, instead of drawing them again.", False),
}
UNIFORM = Obj(
    "Uniform",
    "Uniform distribution on [low, high).",
    {"low": Key(Scalar(), "Smallest value."), "high": Key(Scalar(), "Largest value.")},
    tag="Uniform",
)
NORMAL = Obj(
    "Normal",
    "Normal distribution.",
    {"mean": Key(Scalar(), "Mean."), "sd": Key(Scalar(), "Standard deviation."), **_BOUNDS},
    tag="Normal",
)
LOGNORMAL = Obj(
    "Lognormal",
    "Lognormal distribution, by the mean and standard deviation of the result.",
    {
        "mean": Key(Scalar(), "Mean of the resulting values."),
        "sd": Key(Scalar(), "Standard deviation of the resulting values."),
        **_BOUNDS,
    },
    tag="Lognormal",
)
CLIPPED = Obj("Clipped", "Another distribution, its values moved to [low, high].", {
    "of": Key(Tagged((UNIFORM, NORMAL, LOGNORMAL)), "The distribution."),
    "low": _optional(Scalar(), "Smallest value."), "high": _optional(Scalar(), "Largest value."),
}, tag="Clipped")  # fmt: skip
VALUE = Either(
    "a quantity, a list of them, an array or a distribution",
    '"20 ms"',
    Scalar(),
    ListOf(Scalar()),
    Tagged((ARRAY, UNIFORM, NORMAL, LOGNORMAL, CLIPPED)),
)
TRAIN = Either("a list of times", "[1.0, 2.5]", None, ListOf(Scalar()), Tagged((ARRAY,)))

SLICE = Obj(
    "Slice",
    "Cells start, start + step, ... before stop, as in Python.",
    {
        k: _optional(Number(whole=True), d)
        for k, d in {
            "start": "First position.",
            "stop": "Position after the last.",
            "step": "Distance between two.",
        }.items()
    },
)
VIEW = Obj("View", "Some cells of a population.", {
    "population": Key(_ID, "The population's id."),
    "slice": _optional(SLICE, "A range of cells."),
    "index": _optional(ListOf(_COUNT, 1), "Positions of cells, counted from 0."),
}, one_of=("slice", "index"))  # fmt: skip
_ONE_SIDE = Either("a population's id or a view", '"exc"', _ID, None, VIEW)
SIDE = Either("a population's id, a view, or a list of them", '"exc"', _ID, ListOf(_ONE_SIDE, 1), VIEW)

CELL = Obj(
    "Cell",
    "A cell of a standard type or of one in cell_types.",
    {
        "type": Key(Text(example='"IF_curr_exp"'), "Name of the cell type."),
        "parameters": _optional(
            MapOf(VALUE),
            "Parameters by name; those left out have the type's defaults. A receptor's are named tau_syn_E, "
            "tau_syn_I or tau_syn_<receptor>.",
        ),
        "receptors": _optional(
            MapOf(Text(example='"CurrExp"')),
            "Receptors besides the type's own: their names and receptor types.",
        ),
    },
)
SPIKE_ARRAY = Obj(
    "SpikeSourceArray",
    "A source of spikes at given times.",
    {
        "spike_times": Key(
            ListOf(TRAIN, 1), "One train that all cells share, or one per cell; times in ms, > 0."
        ),
    },
    tag="SpikeSourceArray",
)
POISSON = Obj(
    "SpikeSourcePoisson",
    "Independent Poisson spike trains.",
    {
        "rate": _optional(VALUE, "Rate in Hz.", 1.0),
        "start": _optional(Scalar(), "Active from this time (ms).", 0.0),
        "duration": _optional(Scalar(), "Active for this time (ms); left out, for ever."),
    },
    tag="SpikeSourcePoisson",
)
DC = Obj(
    "DCSource",
    "A constant current.",
    {
        "amplitude": Key(VALUE, "Current in nA, one or one per target cell."),
        "start": _optional(Scalar(), "Switched on at (ms).", 0.0),
        "stop": _optional(Scalar(), "Switched off at (ms); left out, never."),
    },
    tag="DCSource",
)
STEPS = Obj("StepCurrentSource", "A current that takes amplitudes[i] from times[i] on; 0 before.", {
    "times": Key(TRAIN, "Times in ms, increasing."), "amplitudes": Key(TRAIN, "Currents in nA."),
}, tag="StepCurrentSource")  # fmt: skip

CONNECTORS = (
    Obj("AllToAll", "Every source to every target.", {"allow_self_connections": _SELF}, tag="AllToAll"),
    Obj("OneToOne", "Source i to target i.", {}, tag="OneToOne"),
    Obj(
        "FixedProbability",
        "Each possible connection exists with probability p.",
        {"p": Key(Number(0, 1), "Probability."), "allow_self_connections": _SELF},
        tag="FixedProbability",
    ),
    Obj(
        "FixedInDegree",
        "Every target gets n connections.",
        {
            "n": Key(_COUNT, "Connections per target."),
            "allow_multapses": _MULTAPSES,
            "allow_self_connections": _SELF,
        },
        tag="FixedInDegree",
    ),
    Obj(
        "FixedTotalNumber",
        "n connections between pairs drawn at random.",
        {"n": Key(_COUNT, "Connections."), "allow_multapses": _MULTAPSES, "allow_self_connections": _SELF},
        tag="FixedTotalNumber",
    ),
    Obj(
        "Explicit",
        "Connections given one by one.",
        {
            "pre": Key(ListOf(_COUNT), "Source positions, counted from 0 over the whole side."),
            "post": Key(ListOf(_COUNT), "Target positions."),
        },
        tag="Explicit",
    ),
)
SYNAPSE = Obj(
    "StaticSynapse",
    "A synapse of constant weight.",
    {
        "weight": _optional(
            VALUE, "Weight in the unit of the receptor (nA, uS or mV for the standard cells).", 0.0
        ),
        "delay": _optional(VALUE, "Delay in ms, at least one time step.", 1.0),
    },
    tag="StaticSynapse",
)

POPULATION = Obj(
    "Population",
    "Cells of one kind.",
    {
        "id": Key(_ID, "The population's name, used to refer to it."),
        "component": Key(
            Tagged((SPIKE_ARRAY, POISSON), CELL, '{"type": "IF_curr_exp"}'),
            "What its cells are: a cell type with parameters, or a source of spikes.",
        ),
        "size": Key(Number(minimum=1, whole=True), "Number of cells."),
        "initial": _optional(MapOf(VALUE), "Starting values of state variables, by name."),
    },
)
PROJECTION = Obj(
    "Projection",
    "Connections from one side to another.",
    {
        "id": _optional(
            Text(r".", '"exc->inh"'),
            "Name of the projection; its random numbers depend on it. Left out, it is made of the two sides.",
        ),
        "presynapticPopulation": Key(SIDE, "Sources: a population's id, a view, or a list of them."),
        "postsynapticPopulation": Key(SIDE, "Targets."),
        "connector": Key(Tagged(CONNECTORS, example='{"type": "AllToAll"}'), "Which cells are connected."),
        "synapse": Key(Tagged((SYNAPSE,)), "Weights and delays."),
        "receptor": _optional(Text(example='"excitatory"'), "Receptor of the target cells.", "excitatory"),
    },
)
INPUT = Obj(
    "Input",
    "A current injected into cells.",
    {
        "component": Key(Tagged((DC, STEPS)), "The current source."),
        "population": Key(SIDE, "The cells that receive it."),
    },
)
RECORDING = Obj(
    "Recording",
    "What is kept of a run.",
    {
        "population": Key(SIDE, "The cells recorded."),
        "variables": Key(ListOf(Text(example='"spikes"'), 1), 'State variables by name, or "spikes".'),
        "interval": _optional(Scalar(), "Time between samples (ms); left out, every step."),
    },
)
LINK = Obj(
    "Link",
    "At every step, the input of target cell post[j] gets the variable of source cell pre[j] added, for "
    "every j.",
    {
        "id": _optional(
            Text(r".", '"cells.v->junctions.v_pre"'), "Name of the link; left out, it is made of its parts."
        ),
        "source": Key(_ID, "Id of the population that is read."),
        "variable": Key(Text(example='"v"'), "A state or derived variable of its cells."),
        "target": Key(_ID, "Id of the population that reads."),
        "input": Key(Text(example='"v_peer"'), "An input of its cell type."),
        "pre": _optional(ListOf(_COUNT), "Source positions, counted from 0; left out, all cells in order."),
        "post": _optional(ListOf(_COUNT), "Target positions; left out, all cells in order."),
    },
)
_TEXTS = MapOf(Text(example='"v += weight"'))
_SHARED = {
    "name": Key(_ID, "Name of the type."),
    "equations": Key(
        Text(example='"dv/dt = (E - v)/tau : mV"'),
        "Lines like dv/dt = (E - v)/tau : mV, or i = g*(E - v) : nA.",
    ),
    "parameters": Key(
        MapOf(Scalar(or_unit=True)), "Default values by name; a unit alone makes the parameter required."
    ),
    "events": _optional(_TEXTS, "What an arriving spike does, by receptor: v += weight."),
    "weight_units": _optional(
        _TEXTS, "Unit of the weight, by receptor; left out, that of the first state it changes."
    ),
    "initial": _optional(_TEXTS, "Starting values of state variables, as expressions of parameters."),
    "positive": _optional(ListOf(Text()), "Parameters that must be > 0."),
    "nonnegative": _optional(ListOf(Text()), "Parameters that must be >= 0."),
}
CONDITION = Obj("Condition", "Statements that are executed at the end of every step at which a test holds.", {
    "test": Key(Text(example='"v > v_th and above < 0.5"'), "The condition."),
    "statements": Key(Text(example='"above = 1; spike"'), "Assignments in order; spike sends a spike."),
})  # fmt: skip
CELL_TYPE = Obj(
    "CellType",
    "A cell type given by its equations.",
    {
        **_SHARED,
        "threshold": _optional(Text(), "Condition of a spike: v >= v_thresh."),
        "reset": _optional(Text(), "Assignments after a spike: v = v_reset; w += b."),
        "refractory": _optional(Text(), "Duration after a spike during which held states do not move."),
        "compartments": _optional(
            Number(1, None, True),
            "Number of compartments of the cell that the equations are the first of.",
            1,
        ),
        "conditions": _optional(
            ListOf(CONDITION), "Conditions beside or in place of the threshold, tested in order."
        ),
        "inputs": _optional(_TEXTS, "Names that links give a value, with their units."),
        "edge": _optional(Flag(), "Fire on the upward crossing of the threshold only.", False),
        "receptors": _optional(
            MapOf(Text(example='"CurrExp"')), "Receptors of the type and their receptor types."
        ),
        "integrator": _optional(
            Const(("", "euler", "exponential_euler", "rk4", "rkf45")),
            "The method that this model is defined with, if one is.",
        ),
    },
)
RECEPTOR_TYPE = Obj(
    "ReceptorType",
    "A synaptic kernel given by its equations.",
    {
        **_SHARED,
        "events": Key(_TEXTS, "What an arriving spike does, one port: g += weight."),
        "exposes": Key(_TEXTS, "What the cell gets: i_syn."),
        "requires": _optional(_TEXTS, "Variables of the cell that are read, with their units."),
    },
)

DOCUMENT = Obj("Network", "A spiking network.", {
    "portable": Key(Const((VERSION, int(VERSION))), 'Version of this format, "1".'),
    "name": Key(Text(r"\S", '"brunel"', "a line of text"), "Name of the network."),
    "receptor_types": _optional(ListOf(RECEPTOR_TYPE), "Receptor types that this document defines."),
    "cell_types": _optional(ListOf(CELL_TYPE), "Cell types that this document defines."),
    "populations": Key(ListOf(POPULATION), "The populations."),
    "projections": _optional(ListOf(PROJECTION), "The projections between them."),
    "inputs": _optional(ListOf(INPUT), "Injected currents."),
    "recordings": _optional(ListOf(RECORDING), "What is recorded."),
    "links": _optional(ListOf(LINK), "Continuous coupling between cells."),
})  # fmt: skip


def json_schema() -> Schema:
    """The published JSON Schema (2020-12), made from the table above."""
    defs: dict[str, Schema] = {}
    DOCUMENT.schema(defs)
    root = defs.pop(DOCUMENT.name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:portable-snn:{FILE}",
        **root,
        "title": "portable network, version 1",
        "description": "A spiking network: what it is, not how it is run. Field names are NeuroML's where "
        "NeuroML has one.",
        "$defs": dict(sorted(defs.items())),
    }
