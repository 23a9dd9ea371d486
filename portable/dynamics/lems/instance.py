"""The tree of instances that a component stands for: its parameters in SI, the instances inside it, where
events go.

What jLEMS builds when it starts. `flatten` makes one flat cell of a tree; the jLEMS integrator runs the tree
as it stands.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Call, names, walk
from portable.dynamics.grammar import parse
from portable.dynamics.lems.inherit import FullType, Types
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.types import Node, Quantity, Where
from portable.errors import ModelError, suggestion

MAX_DEPTH = 60
MAX_INSTANCES = 100_000  # in one tree: references to references double it at every level
READ = frozenset(
    {"ChildInstance", "With", "EventConnection", "Tunnel", "Assign"}
)  # of Structure, for single components
_SEGMENT = re.compile(r"([^\[\]]+)(?:\[([^\]]*)\])?$")
_FILTER = re.compile(r"\s*(\w+)\s*=+\s*['\"]?([^'\"]*)['\"]?\s*$")


@dataclass(eq=False)
class Instance:
    """One instance. `values` are parameters, constants, derived parameters and properties in SI; `missing`
    parameters that were not given.

    `children` holds single children by slot name, `lists` those of Children and Attachments slots. `outlets`
    are event connections: (own port or "" = first, receiver, its port or "" = first). `lags`: the delays of
    those that have one, in s, by (id of the receiver, its port).
    """

    component: Component
    type: FullType
    name: str
    parent: Instance | None = None
    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    children: dict[str, Instance] = field(default_factory=dict)
    lists: dict[str, list[Instance]] = field(default_factory=dict)
    outlets: list[tuple[str, Instance, str]] = field(default_factory=list)
    lags: dict[tuple[int, str], float] = field(default_factory=dict)
    peer: dict[str, Instance] = field(default_factory=dict)

    @property
    def where(self) -> Where:
        return self.component.where

    def everything(self) -> Iterator[Instance]:
        """This instance and all inside it, children first in the order of jLEMS' advance: single children,
        then lists.
        """
        for c in self.inside():
            yield from c.everything()
        yield self

    def inside(self) -> Iterator[Instance]:
        """Direct children, single ones first."""
        yield from self.children.values()
        for many in self.lists.values():
            yield from many

    def text(self, name: str) -> str:
        """A Text or other attribute; "" if it was not given."""
        return self.component.attributes.get(name, "")

    def has(self, variable: str) -> bool:
        """Whether a name means something in this instance by itself."""
        t = self.type
        return (
            variable in self.values
            or variable in self.missing
            or any(v.name == variable for v in t.dynamics.variables)
        )


class Builder:
    """Components -> instances."""

    def __init__(self, model: Model, types: Types | None = None) -> None:
        self.model, self.types, self.scope = model, types or Types(model), model.scope
        self.made = 0

    def build(
        self, component: Component, name: str = "", parent: Instance | None = None, depth: int = 0
    ) -> Instance:
        """The tree of a component. ModelError naming file, line and element."""
        self.made = self.made + 1 if depth else 1
        if depth > MAX_DEPTH or self.made > MAX_INSTANCES:
            what = (
                f"more than {MAX_DEPTH} levels of components in each other"
                if depth > MAX_DEPTH
                else f"holds more than {MAX_INSTANCES} components"
            )
            raise ModelError(
                str(component), what, "does a component refer to itself, or many to one that holds many?"
            )
        if depth:
            _no_circle(component, parent)
        full = self.types[component.type]
        made = Instance(component, full, name or component.id or component.tag, parent)
        self._values(made)
        for child in component.children:
            self._child(made, child, depth)
        for slot in (
            full.slots.values()
        ):  # a cell may name its morphology and biophysicalProperties instead of holding them
            if slot.kind == "Child" and slot.name in component.attributes and slot.name not in made.children:
                found = self.model.component(
                    component.attributes[slot.name], component.where, f"the {slot.name}"
                )
                made.children[slot.name] = self.build(found, slot.name, made, depth + 1)
        self._structure(made, depth)
        return made

    # -- values

    def _values(self, i: Instance) -> None:
        full, given, where = i.type, i.component.attributes, i.where
        for name, q in full.constants.items():
            i.values[name] = self.scope.si(q.value, q.dimension, q.where, name)
        for name, q in full.properties.items():
            i.values[name] = self.scope.si(given.get(name, q.value or "0"), q.dimension, where, name)
        for name, q in full.parameters.items():
            text = given.get(name, full.fixed.get(name, q.value))
            if text:
                i.values[name] = self.scope.si(text, q.dimension, where, name)
            else:
                near = difflib.get_close_matches(name, given.keys() - full.parameters.keys(), 1)
                meant = f"; is '{near[0][:60]}' meant for it?" if near else ""
                i.missing[name] = f"a {full.name} needs the parameter '{name}' ({q.dimension}){meant}"
        for name, q in _ordered(full.derived_parameters):
            self._derived_parameter(i, name, q.value)

    def _derived_parameter(self, i: Instance, name: str, text: str) -> None:
        path = f"{i.type.derived_parameters[name].where}"
        try:
            written = parse(text, frozenset(i.values), lems=True)
            if any(isinstance(e, Call) and e.fn == "random" for e in walk(written)):
                raise ModelError(
                    "",
                    f"'{text[:60]}' is drawn anew at every use; a derived parameter has one value",
                    "draw it in OnStart",
                )
            with np.errstate(all="ignore"):  # what is not finite is told below
                value = float(evaluate(written, i.values))
        except KeyError as error:
            i.missing[name] = f"'{name}' reads {error.args[0]!r}, which is not given"
            return
        except ModelError as error:
            raise error.under(path) from None
        if not math.isfinite(value):
            read = ", ".join(f"{n} = {i.values[n]:g}" for n in sorted(names(written))[:6])
            raise ModelError(
                str(i.where),
                f"'{name}' = {text[:100]} is {value}{f' with {read} in SI units' if read else ''}",
                f"change the parameters that it reads (it is defined at {path})",
            )
        i.values[name] = value

    # -- children

    def slot(self, i: Instance, child: Component) -> tuple[str, str]:
        """(kind, name) of the slot that a child element goes to; ("", "") if there is none."""
        slots = i.type.slots
        if child.tag in slots and slots[child.tag].kind in ("Child", "Children"):
            return slots[child.tag].kind, child.tag
        for s in slots.values():
            if s.kind in ("Child", "Children") and self.model.extends(child.type, s.type):
                return s.kind, s.name
        return "", ""

    def _child(self, i: Instance, child: Component, depth: int) -> None:
        kind, slot = self.slot(i, child)
        if not kind:
            raise ModelError(
                str(child),
                f"a {child.type} cannot be inside a {i.type.name}",
                suggestion(child.tag, i.type.slots),
            )
        if kind == "Child":
            i.children[slot] = self.build(child, slot, i, depth + 1)
        else:
            many = i.lists.setdefault(slot, [])
            many.append(self.build(child, child.id or f"{slot}{len(many)}", i, depth + 1))

    def _structure(self, i: Instance, depth: int) -> None:
        names: dict[str, Instance | None] = {}
        own = i.type.where.file in self.model.files
        for node in i.type.structure:
            if own and node.tag not in READ:
                raise ModelError(
                    str(i.type.where),
                    f"<{node.tag[:60]}> in the Structure of a {i.type.name} is not read",
                    f"known: {', '.join(sorted(READ))}",
                )
            if node.tag == "ChildInstance":
                self._child_instance(i, node, depth)
            elif node.tag == "With":
                names[node.attributes.get("as", "")] = self._with(i, node)
        for node in i.type.structure:
            if node.tag == "EventConnection" and "receiver" not in node.attributes:
                a, b = names.get(node.attributes.get("from", "")), names.get(node.attributes.get("to", ""))
                if a is not None and b is not None:
                    port = self._port(i, node, "targetPort")
                    a.outlets.append((self._port(i, node, "sourcePort"), b, port))
                    lag = i.values.get(node.attributes.get("delay", ""), 0.0)
                    if lag > 0:
                        a.lags[id(b), port] = lag

    @staticmethod
    def _port(i: Instance, node: Node, key: str) -> str:
        """sourcePort and targetPort name a text parameter whose value is the port."""
        return i.text(node.attributes.get(key, ""))

    def _child_instance(self, i: Instance, node: Node, depth: int) -> None:
        name = node.attributes.get("component", "")
        key = next((k for k in i.component.attributes if k.lower() == name.lower()), "")
        if not name:
            raise ModelError(
                str(i.type.where), "its ChildInstance names no component", 'write component="..."'
            )
        if not key:
            raise ModelError(
                str(i.where), f"a {i.type.name} needs {name}=, the component inside it", f'write {name}="..."'
            )
        target = self.model.component(i.component.attributes[key], i.where, "the component")
        i.children[name] = self.build(target, name, i, depth + 1)

    def _with(self, i: Instance, node: Node) -> Instance | None:
        name = node.attributes.get("instance", "")
        if name == "this":
            return i
        if name == "parent":
            return i.parent
        path = i.text(name)
        return find(i, [s for s in path.split("/") if s not in ("", ".")]) if path else None


def _no_circle(component: Component, parent: Instance | None) -> None:
    """ModelError if a component is inside itself."""
    at, way = parent, [component.id or component.tag]
    while at is not None:
        way.append(at.component.id or at.component.tag)
        if at.component is component:
            raise ModelError(
                str(component),
                f"is inside itself: {' -> '.join(reversed(way))}",
                "refer to another component",
            )
        at = at.parent


def _ordered(found: dict[str, Quantity]) -> list[tuple[str, Quantity]]:
    """Derived parameters, those that others read first; circles as they stand."""
    if len(found) < 2:
        return list(found.items())
    out: dict[str, Quantity] = {}
    words = {n: set(re.findall(r"[A-Za-z_]\w*", q.value)) & found.keys() for n, q in found.items()}
    while ready := [n for n in found if n not in out and words[n] <= out.keys()]:
        out |= {n: found[n] for n in ready}
    return [*out.items(), *((n, q) for n, q in found.items() if n not in out)]


def find(start: Instance, path: list[str]) -> Instance | None:
    """The instance that a path of names leads to; a name is a slot, an id, or the id of something deeper, as
    jLEMS looks it up.
    """
    at: Instance | None = start
    for name in path:
        if at is None:
            return None
        at = at.parent if name == ".." else _step(at, name)
    return at


def _step(at: Instance, name: str) -> Instance | None:
    if name in at.children:
        return at.children[name]
    for c in at.inside():
        if name in (c.component.id, c.name):
            return c
    for c in at.inside():
        found = _step(c, name)
        if found is not None:
            return found
    return None


def select(start: Instance, path: str) -> tuple[list[Instance], str] | None:
    """The instances of a `select` path, and the variable at its end; None if a single child on the way is not
    there.

    Each step may be a slot, an attachment, a peer, or an id; [*] takes all of a list, [k='v'] those whose
    attribute k is v.
    """
    *steps, variable = path.split("/")
    here = [start]
    for step in steps:
        found = _SEGMENT.match(step.strip())
        if not found:
            raise ModelError(
                str(start.where), f"cannot read '{step}' in the path '{path}'", "write it as in synapses[*]/i"
            )
        name, condition = found[1], found[2]
        after: list[Instance] = []
        for i in here:
            got = _several(i, name)
            if got is None:
                return None
            after += _filtered(got, condition)
        here = after
    return here, variable


def _several(i: Instance, name: str) -> list[Instance] | None:
    slot = i.type.slots.get(name)
    if name in i.peer:
        return [i.peer[name]]
    if name in i.lists:
        return i.lists[name]
    if slot is not None and slot.kind in ("Children", "Attachments"):
        return []
    if name in i.children:
        return [i.children[name]]
    found = next((c for c in i.inside() if c.component.id == name), None)
    return None if found is None else [found]


def _filtered(found: list[Instance], condition: str | None) -> list[Instance]:
    if condition is None or condition.strip() in ("", "*"):
        return found
    if re.fullmatch(r"\s*\d{1,9}\s*", condition, re.A):
        return found[int(condition) : int(condition) + 1]
    match = _FILTER.match(condition)
    if not match:
        return found
    return [i for i in found if i.component.attributes.get(match[1]) == match[2]]


def java_order(names: list[str]) -> list[str]:
    """Strings in the order of a Java HashMap that grew to hold them: jLEMS takes the first port in this order
    where none is named.
    """
    buckets = 16
    while len(names) > buckets * 3 // 4:
        buckets *= 2

    def bucket(text: str) -> int:
        h = 0
        for ch in text:
            h = (31 * h + ord(ch)) & 0xFFFFFFFF
        return (h ^ (h >> 16)) & (buckets - 1)

    return sorted(names, key=bucket)
