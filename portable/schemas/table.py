"""The document format, version 1, as one table: the reader checks by it and the published JSON Schema is made
from it.

Names are NeuroML's where it has one: population `id`, `component`, `size`; `presynapticPopulation`,
`postsynapticPopulation`, `synapse`, `weight`, `delay` of a projection; `type` of a component; `component` and
`population` of an input list; LEMS' `name` of a component type. They are PyNN's or our own where it has none:
connectors, distributions, views, `initial`, `receptor`, `recordings`, `interval`, the sources' parameters,
`start`, `stop`.
"""

from __future__ import annotations

from portable.model import connectors, sources
from portable.schemas.learning import PLASTIC, SYNAPSE_TYPE, SYNAPSES
from portable.schemas.nodes import VALUE, entry
from portable.schemas.nodes import optional as _optional
from portable.schemas.shape import (
    Const,
    Either,
    Flag,
    Key,
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
SPIKE_SOURCES = tuple(map(entry, sources.SPIKE_SOURCES))
CURRENT_SOURCES = tuple(map(entry, sources.CURRENT_SOURCES))
CONNECTORS = tuple(map(entry, connectors.CONNECTORS))
SYNAPSE = Tagged((entry(connectors.StaticSynapse), *SYNAPSES), PLASTIC, '{"type": "StaticSynapse"}')

POPULATION = Obj(
    "Population",
    "Cells of one kind.",
    {
        "id": Key(_ID, "The population's name, used to refer to it."),
        "component": Key(
            Tagged(SPIKE_SOURCES, CELL, '{"type": "IF_curr_exp"}'),
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
        "synapse": Key(SYNAPSE, "Weights and delays, and how weights change."),
        "receptor": _optional(Text(example='"excitatory"'), "Receptor of the target cells.", "excitatory"),
        "signal": _optional(_ID, "Id of the population whose spikes are the third factor of a rule."),
        "signal_delay": _optional(Scalar(), "After how long they are seen (ms)."),
    },
    only_with={"signal_delay": "signal"},
)
INPUT = Obj(
    "Input",
    "A current injected into cells.",
    {
        "component": Key(Tagged(CURRENT_SOURCES), "The current source."),
        "population": Key(SIDE, "The cells that receive it."),
    },
)
RECORDING = Obj(
    "Recording",
    "What is kept of a run, of cells or of the connections of a projection that learns.",
    {
        "population": _optional(SIDE, "The cells recorded."),
        "projection": _optional(Text(r".", '"exc->inh"'), "Id of the projection whose connections are."),
        "pre": _optional(SIDE, "Of these sources only."),
        "post": _optional(SIDE, "Of these targets only."),
        "variables": Key(
            ListOf(Text(example='"spikes"'), 1),
            'State variables by name, or "spikes"; of connections "weight" or a state.',
        ),
        "interval": _optional(Scalar(), "Time between samples (ms); left out, every step."),
    },
    one_of=("population", "projection"),
    only_with={"pre": "projection", "post": "projection"},
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
    "synapse_types": _optional(ListOf(SYNAPSE_TYPE), "Rules of plasticity that this document defines."),
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
