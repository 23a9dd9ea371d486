"""LemsNetwork -> Plan: every instance of the network in one vector of variables, and the tables that the
compiled loop follows. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portable.backends.jlems.layout import Group, References, initial
from portable.backends.jlems.links import Links
from portable.backends.jlems.tables import kind_tables, packed
from portable.backends.jlems.tree import Tree, Trees
from portable.dynamics.lems.inherit import Types
from portable.dynamics.lems.instance import Builder
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import Continuous, Events, Inputs, LemsNetwork
from portable.errors import ModelError
from portable.units import Floats

FIRST = 3  # variables before the first: time of the step, of the event queue, a failure
EARLY = -1  # rank of links inside the cells, which are there before any connection


@dataclass(eq=False)
class Plan:
    """`values` are all variables before the start; `cells` the groups of populations by id; `fixed` variables
    around the cells. `roots` are to be initialised, in this order.

    `tables` are for the compiled loop (tables.py); `constants` the global ones of the files; `room` for
    pending and for recorded events.
    """

    kinds: Any
    constants: dict[str, float]
    values: Floats
    tables: Any
    room: tuple[int, int]
    roots: Any
    cells: dict[str, Group]
    fixed: dict[str, int]


class Planner:
    """Lays out one network."""

    def __init__(self, model: Model, network: LemsNetwork, context: Component | None = None) -> None:
        self.model, self.network, self.context = model, network, context
        self.builder = Builder(model, Types(model))
        self.trees = Trees(model, self.builder.types)
        self.groups: list[Group] = []
        self.cells: dict[str, Group] = {}
        self.known: dict[tuple[int, int, bool], tuple[Tree, list[tuple[str, Any, str, float]]]] = {}
        self.weights: list[tuple[Group, Any]] = []
        self.around: Group | None = None
        self.inputs: dict[int, Group] = {}
        self.links = Links()
        self.nodes, self.rank = 0, 0
        self.fixed = {} if network.temperature is None else {"temperature": FIRST}
        self.width = FIRST + len(self.fixed)

    def plan(self, recorded: Sequence[tuple[str | int, Any, str]]) -> Plan:
        """The plan. `recorded`: whose events are kept, numbered through in this order: (population or number
        of inputs, which, port).
        """
        self._surround()
        for p in self.network.populations:
            group = self._group(self.trees.tree(self.builder.build(p.component), True), p.size)
            group.name, group.listed = p.id, p.locations is not None
            group.first_cell = sum(g.count for g in self.cells.values())
            self.cells[p.id] = group
            self.links.inside(group, np.full(p.size, EARLY))
        if self.around is not None:
            self.around.first_cell = sum(g.count for g in self.cells.values())
        for what, index in self.network.order:
            {"events": self._events, "continuous": self._continuous, "inputs": self._inputs}[what](index)
        number = 0
        for sender, ids, port in recorded:
            self.links.record(
                self.cells[sender] if isinstance(sender, str) else self.inputs[sender], ids, port, number
            )
            number += len(ids)
        return self._finished(number)

    # -- groups

    def _surround(self) -> None:
        """A component around the network steps after it, and what the cells look up in vain may be there."""
        if self.context is None:
            return
        children = tuple(c for c in self.context.children if not self.model.extends(c.type, "network"))
        self.around = self._group(
            self.trees.tree(self.builder.build(replace(self.context, children=children)), True), 1
        )
        self.links.inside(self.around, np.array([EARLY]))
        root = self.around.tree.root
        self.fixed = {
            name: self.around.base0 + root.base + at
            for name, at in (root.kind.slots | root.kind.exposed).items()
        } | self.fixed

    def _group(self, tree: Tree, count: int) -> Group:
        made = Group(tree, count, self.nodes, self.width)
        self.nodes += count * len(tree.nodes)
        self.width += count * tree.width
        self.groups.append(made)
        return made

    def _attach(
        self,
        component: Component,
        population: str,
        cells: Any,
        rank: Any,
        weights: Any,
        destination: str = "",
        copied: bool = True,
    ) -> Group:
        """A new instance of a component on each of some cells."""
        host = self.cells[population]
        key = id(component), id(host), copied
        if key not in self.known:
            cell = host.tree.root.instance
            before = len(cell.outlets)
            instance = self.builder.build(component, parent=cell)
            outer = [
                (port, to, into, cell.lags.pop((id(to), into), 0.0))
                for port, to, into in cell.outlets[before:]
            ]
            del cell.outlets[before:]
            self.known[key] = self.trees.tree(instance, copied), outer
        tree, outer = self.known[key]
        group = self._group(tree, len(cells))
        group.host, group.cells, group.rank = host, cells, rank
        group.slot = self._slot(host, component, destination)
        host.attached.append(group)
        if weights is not None:
            self.weights.append((group, weights))
        self.links.inside(group, rank)
        self.links.around(group, outer, rank)
        return group

    def _slot(self, host: Group, component: Component, destination: str) -> int:
        if destination in host.tree.attachments:
            return host.tree.attachments.index(destination)
        slots = host.tree.root.kind.type.slots
        fitting = [
            i
            for i, s in enumerate(host.tree.attachments)
            if self.model.extends(component.type, slots[s].type)
        ]
        if not fitting and len(host.tree.attachments) == 1:  # jLEMS asks for no type
            return 0
        if not fitting:
            raise ModelError(
                str(component),
                f"a {component.type} cannot be attached to a {host.tree.root.kind.type.name}",
                f"it takes {', '.join(slots[s].type for s in host.tree.attachments) or 'nothing'}",
            )
        return fitting[0]

    def _ranks(self, count: int, each: int = 1) -> Any:
        out = self.rank + np.arange(count) * each
        self.rank += count * each
        return out

    # -- what the network holds

    def _events(self, index: int) -> None:
        e: Events = self.network.events[index]
        rank = self._ranks(e.pre_ids.size)
        if e.synapse is None:
            target, at = self.cells[e.post], e.post_ids
        else:
            target, at = (
                self._attach(e.synapse, e.post, e.post_ids, rank, e.weights, e.destination),
                np.arange(e.pre_ids.size),
            )
        self.links.connect(
            self.cells[e.pre], e.pre_ids, target, at, e.target_port, e.delays, rank, str(e.where)
        )

    def _continuous(self, index: int) -> None:
        c: Continuous = self.network.continuous[index]
        rank = self._ranks(c.pre_ids.size, 2)
        pre = self._attach(c.pre_component, c.pre, c.pre_ids, rank, c.weights, copied=False)
        post = self._attach(c.post_component, c.post, c.post_ids, rank + 1, c.weights, copied=False)
        pre.peer, post.peer = post, pre

    def _inputs(self, index: int) -> None:
        i: Inputs = self.network.inputs[index]
        rank = self._ranks(i.ids.size)
        group = self._attach(i.component, i.population, i.ids, rank, i.weights, i.destination)
        self.inputs[index] = group
        self.links.input(
            self.cells[i.population], i.ids, group, rank
        )  # jLEMS connects the cell's own events to its inputs

    # -- arrays

    def _finished(self, recorders: int) -> Plan:
        values, references = np.zeros(self.width), References(self.fixed)
        if self.network.temperature is not None:
            values[FIRST] = self.network.temperature
        columns: dict[str, list[Any]] = {"node_kind": [], "node_base": [], "node_refs": []}
        for g in self.groups:
            values[g.base0 : g.base0 + g.count * g.tree.width] = np.tile(initial(g.tree), g.count)
            columns["node_kind"].append(np.tile(np.array([n.kind.number for n in g.tree.nodes]), g.count))
            columns["node_base"].append(
                (np.sort(g.bases)[:, None] + np.array([n.base for n in g.tree.nodes])[None, :]).ravel()
            )
            columns["node_refs"].append(references.add(g).ravel())
        for g, w in self.weights:
            if "weight" in g.tree.root.kind.slots:
                values[g.bases + g.tree.root.base + g.tree.root.kind.slots["weight"]] = w
        kinds = self.trees.kinds
        arrays = {k: _joined(v) for k, v in columns.items()}
        ports = (
            np.array([len(k.out_ports) for k in kinds])[arrays["node_kind"]]
            if self.nodes
            else np.zeros(0, dtype=np.int64)
        )
        arrays["node_port"] = np.concatenate([[0], np.cumsum(ports)])
        arrays |= {**_order(self.groups), **self._inside(), **_schemes(self.groups), **kind_tables(kinds)}
        arrays |= self.links.arrays(arrays["node_port"], kinds, arrays["node_kind"])
        delays = arrays.pop("later_delay")
        arrays |= {
            "refs": _joined(references.refs),
            "into_parts": _joined(references.into),
            "parts": _joined(references.parts),
        }
        arrays |= {
            "delays": values.size,
            "most_delayed": delays.size + 64,
            "most_recorded": 4 * recorders + 64,
        }
        scope = self.model.scope
        constants = {q.name: scope.si(q.value, q.dimension, q.where, q.name) for q in self.model.constants}
        room = 4 * delays.size + 256, 64 * recorders + 1024
        return Plan(
            kinds,
            constants,
            np.concatenate([values, delays]),
            packed(arrays),
            room,
            self._roots() if self.around is None else self.around.roots(),
            self.cells,
            self.fixed,
        )

    def _inside(self) -> dict[str, Any]:
        """For initialisation: children of each node, then attachments, then once more the members of kinetic
        schemes.
        """
        columns: list[list[Any]] = [[] for _ in range(5)]  # parent, stage, slot, rank, child

        def add(parent: Any, stage: int, slot: int, rank: Any, child: Any) -> None:
            for column, value in zip(
                columns,
                (parent, np.full(len(parent), stage), np.full(len(parent), slot), rank, child),
                strict=True,
            ):
                column.append(value)

        for g in self.groups:
            for n in g.tree.nodes:
                members = [c.number for c in n.inside()]
                again = [m for s in g.tree.schemes if s.node == n.number for m in s.members]
                for position, m in enumerate([*members, *again]):
                    add(
                        g.nodes + n.number,
                        0 if position < len(members) else 2,
                        0,
                        np.full(g.count, position),
                        g.nodes + m,
                    )
            if g.host is not None:
                add(g.host.roots()[g.cells], 1, g.slot, g.rank, g.roots())
        if self.around is not None:
            network = self._roots()
            add(np.repeat(self.around.roots(), network.size), 1, 0, np.arange(network.size), network)
        parent, stage, slot, rank, child = (_joined(c) for c in columns)
        ordered = np.lexsort((rank, slot, stage, parent))
        return {
            "inside_start": np.concatenate([[0], np.cumsum(np.bincount(parent, minlength=self.nodes))]),
            "inside": child[ordered],
        }

    def _roots(self) -> Any:
        """jLEMS initialises a network's populations twice, their cells twice each time, and cells of a list
        twice more.
        """
        once = [np.repeat(g.roots(), 2 if g.listed else 1) for g in self.cells.values()]
        return _joined([r for _ in range(2) for r1 in once for r in (r1, r1)])


def _joined(parts: list[Any]) -> Any:
    return (
        np.concatenate([np.asarray(p, dtype=np.int64) for p in parts])
        if parts
        else np.zeros(0, dtype=np.int64)
    )


def _order(groups: list[Group]) -> dict[str, Any]:
    """Nodes and kinetic schemes in order of steps: cell by cell, children first, attachments last, then the
    cell itself.
    """
    cell, stage, slot, rank, within, what = ([] for _ in range(6))
    scheme0 = 0
    for g in groups:
        tree = g.tree
        sequence = [
            (-1 - s if kind else n.number, kind, n is tree.root)
            for n in tree.nodes
            for kind, s in [*((1, i) for i, x in enumerate(tree.schemes) if x.node == n.number), (0, 0)]
        ]
        home = g if g.host is None else g.host
        index = np.arange(g.count) if g.host is None else g.cells
        for position, (number, is_scheme, of_root) in enumerate(sequence):
            cell.append(home.first_cell + index)
            stage.append(np.full(g.count, 1 if g.host is not None else 2 if of_root else 0))
            slot.append(np.full(g.count, g.slot))
            rank.append(g.rank if g.host is not None else np.zeros(g.count, dtype=np.int64))
            within.append(np.full(g.count, position))
            what.append(
                -1 - (scheme0 + g.place * len(tree.schemes) + (-1 - number))
                if is_scheme
                else g.nodes + number
            )
        scheme0 += g.count * len(tree.schemes)
    keys = [_joined(k) for k in (within, rank, slot, stage, cell)]
    return {"order": np.concatenate([[len(keys[0])], _joined(what)[np.lexsort(keys)]])}


def _schemes(groups: list[Group]) -> dict[str, Any]:
    states, edges, n_states, n_edges = [], [], [], []
    for g in groups:
        for j in range(g.count if g.tree.schemes else 0):
            base = g.base0 + j * g.tree.width
            for s in g.tree.schemes:
                states += [(a + base, b + base) for a, b in s.states]
                edges += [(a, b, f + base, r + base) for a, b, f, r in s.edges]
                n_states.append(len(s.states))
                n_edges.append(len(s.edges))
    return {
        "states": np.array(states, dtype=np.int64).reshape(-1, 2),
        "edges": np.array(edges, dtype=np.int64).reshape(-1, 4),
        "scheme_states": np.cumsum([0, *n_states]),
        "scheme_edges": np.cumsum([0, *n_edges]),
    }
