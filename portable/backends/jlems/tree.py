"""One component with all inside it as jLEMS builds it: nodes in the order of their steps, and what each of
them reads.

A Tree is made once per component and laid out in memory as often as the network has it. Numbers of variables
are relative to the start of the tree; what is looked up beyond its root ("temperature" of a network, `v` of
the cell that a synapse is attached to) is left as a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from portable.backends.jlems.kinds import Kind, make_kind
from portable.dynamics.lems.inherit import Types
from portable.dynamics.lems.instance import Instance, java_order
from portable.dynamics.lems.model import Model
from portable.dynamics.lems.types import DerivedVariable, KineticScheme
from portable.errors import ModelError

_STEP = re.compile(r"([^\[\]]+)\[([^\]]*)\]$")
_PREDICATE = re.compile(r"\s*(\w+)\s*=+\s*['\"]([^'\"]*)['\"]\s*$")
Ref = int | str  # a variable of the tree, or the name of one beyond it


@dataclass(eq=False)
class Node:
    """One instance. `single` are single children by slot or name, in jLEMS's order; `lists` those of Children
    slots.
    """

    instance: Instance
    kind: Kind
    parent: Node | None
    single: dict[str, Node] = field(default_factory=dict)
    lists: dict[str, list[Node]] = field(default_factory=dict)
    number: int = -1
    base: int = -1

    def inside(self) -> list[Node]:
        """Direct children in the order of their steps."""
        return [*self.single.values(), *(n for many in self.lists.values() for n in many)]

    def post_order(self) -> Iterator[Node]:
        for n in self.inside():
            yield from n.post_order()
        yield self

    def by_key(self, name: str) -> Node | None:
        """A child by slot, or by the id of a child of a list: what simple paths see."""
        if name in self.single:
            return self.single[name]
        found = [n for many in self.lists.values() for n in many if n.instance.component.id == name]
        return found[-1] if found else None


@dataclass(frozen=True)
class Scheme:
    """A kinetic scheme: per state its (exposed, own) occupancy; per transition (source, target, forward,
    reverse).
    """

    node: int
    states: tuple[tuple[int, int], ...]
    edges: tuple[tuple[int, int, int, int], ...]
    members: tuple[int, ...]  # nodes that are initialised once more for the scheme: states, then transitions


@dataclass(frozen=True)
class PathRefs:
    """What a path variable of a node reads: `refs` found; whether it `exists`; `slot` and `rest` where it
    goes through attachments or a peer.
    """

    refs: tuple[Ref, ...]
    exists: bool = True
    slot: str = ""
    rest: str = ""
    predicate: tuple[str, str] | None = None


@dataclass(eq=False)
class Tree:
    """`nodes` in order of steps, the root last. `outer` are event links from the tree's surroundings: (port
    of the parent, node, in port).
    """

    root: Node
    nodes: list[Node]
    width: int
    attachments: tuple[str, ...]
    schemes: list[Scheme]
    links: list[tuple[Node, str, Node, str]]

    @property
    def id(self) -> str:
        return self.root.instance.component.id


class Trees:
    """Makes trees, and the kinds they are of."""

    def __init__(self, model: Model, types: Types) -> None:
        self.model, self.types = model, types
        self.kinds: list[Kind] = []
        self._known: dict[tuple[str, bool], Kind] = {}

    def kind(self, name: str, copied: bool) -> Kind:
        if (name, copied) not in self._known:
            self._known[name, copied] = made = make_kind(
                len(self.kinds), self.model, self.types[name], copied
            )
            self.kinds.append(made)
        return self._known[name, copied]

    def tree(self, instance: Instance, copied: bool) -> Tree:
        """The tree of an instance. `copied`: whether jLEMS builds its root from a copy of the type (see
        kinds.py).
        """
        root = self._node(instance, None, copied, copied)
        nodes, at = list(root.post_order()), 0
        of = {n.instance: n for n in nodes}
        for number, n in enumerate(nodes):
            n.number, n.base = number, at
            at += n.kind.width
        links = [
            (n, port, of[to], into)
            for n in reversed(nodes)
            for port, to, into in n.instance.outlets
            if to in of
        ]
        schemes = [self._scheme(n, s) for n in nodes for s in n.kind.type.dynamics.schemes]
        slots = tuple(java_order([s.name for s in root.kind.type.slots.values() if s.kind == "Attachments"]))
        return Tree(root, nodes, at, slots, schemes, links)

    def _node(self, i: Instance, parent: Node | None, copied: bool, builders: bool) -> Node:
        """`builders`: whether jLEMS has put copies into the builders of this type, which it does for all
        under a network but not under tunnels.
        """
        node = Node(i, self.kind(i.component.type, copied), parent)
        built = {n.attributes.get("component", "") for n in i.type.structure if n.tag == "ChildInstance"}
        slots = java_order([k for k in i.children if k not in built])
        for name in (*slots, *(k for k in i.children if k in built)):
            node.single[name] = self._node(
                i.children[name], node, builders if name in built else copied, builders
            )
        for name, many in i.lists.items():
            if i.type.slots[name].kind == "Children":
                node.lists[name] = [self._node(c, node, False, builders) for c in many]
        return node

    def _scheme(self, node: Node, s: KineticScheme) -> Scheme:
        states, edges = node.lists.get(s.nodes, []), node.lists.get(s.edges, [])
        where = str(node.instance.where)
        if not states or not edges:
            raise ModelError(
                where,
                f"the kinetic scheme '{s.name}' needs {s.nodes} and {s.edges}",
                "add states and transitions",
            )
        number = {n.instance.component.id: i for i, n in enumerate(states)}
        out = []
        for e in edges:
            ends = [e.instance.text(k) for k in (s.edge_source, s.edge_target)]
            if any(x not in number for x in ends):
                raise ModelError(
                    str(e.instance.where),
                    f"goes from '{ends[0]}' to '{ends[1]}', of which one is no state",
                    f"states: {', '.join(number)}",
                )
            forward, reverse = (_known(e, lookup(e, v), v) for v in (s.forward_rate, s.reverse_rate))
            out.append((number[ends[0]], number[ends[1]], forward, reverse))
        occupancy = tuple(
            (
                _known(n, lookup(n, s.state_variable), s.state_variable),
                n.base + n.kind.slots[s.state_variable],
            )
            for n in states
        )
        return Scheme(node.number, occupancy, tuple(out), tuple(n.number for n in (*states, *edges)))


def _known(node: Node, ref: Ref, name: str) -> int:
    if isinstance(ref, str):
        raise ModelError(str(node.instance.where), f"has no variable '{name}'")
    return ref


def lookup(node: Node | None, name: str) -> Ref:
    """Where jLEMS finds a name, starting at a node: among its exposures, then its variables, then its
    parent's, and so on.
    """
    while node is not None:
        if name in node.kind.exposed:
            return node.base + node.kind.exposed[name]
        if name in node.kind.slots:
            return node.base + node.kind.slots[name]
        node = node.parent
    return name


def path_refs(tree: Tree, node: Node, variable: DerivedVariable) -> PathRefs:
    """What a path variable reads. A path without brackets leads to single children; one with brackets may
    take many of a list.
    """
    if "[" in variable.select or "*" in variable.select:
        return _many(tree, node, variable)
    *steps, name = variable.select.split("/")
    if steps and steps[0] == "peer":
        return PathRefs((), True, "peer", "/".join([*steps[1:], name]))
    at: Node | None = node
    for step in steps:
        at = at.by_key(step) if at is not None else None
    if at is None:
        return PathRefs((), False)
    return PathRefs((lookup(at, name),))


def _many(tree: Tree, node: Node, variable: DerivedVariable) -> PathRefs:
    *steps, name = variable.select.split("/")
    here = [node]
    for n, step in enumerate(steps):
        found = _STEP.match(step)
        if not found:
            here = [c for i in here if (c := i.by_key(step)) is not None]
            continue
        slot, condition = found[1], _predicate(node, found[2])
        if node is tree.root and n == 0 and slot in tree.attachments:
            return PathRefs((), True, slot, "/".join([*steps[1:], name]), condition)
        here = [c for i in here for c in i.lists.get(slot, []) if condition is None or passes(c, condition)]
    return PathRefs(tuple(lookup(n, name) for n in here))


def _predicate(node: Node, text: str) -> tuple[str, str] | None:
    if text.strip() == "*":
        return None
    found = _PREDICATE.match(text)
    if not found:
        raise ModelError(
            str(node.instance.where), f"cannot read the condition [{text}]", "write [*] or [name='value']"
        )
    return found[1], found[2]


def passes(node: Node, condition: tuple[str, str]) -> bool:
    """Whether a text or reference of an instance has a value. Copies of types have lost their texts in
    jLEMS.
    """
    name, value = condition
    slot = node.kind.type.slots.get(name)
    if node.kind.copied and not (slot is not None and slot.kind in ("ComponentReference", "Link")):
        return False
    return node.instance.text(name) == value
