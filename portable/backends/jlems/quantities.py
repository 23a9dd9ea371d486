"""Paths of recorded quantities, looked up as jLEMS does: "pop[0]/v", "pop/0/cell/bio/chans/ch/m/q",
"pop[0]/synapses:nmda:0/g".
"""

from __future__ import annotations

import re

import numpy as np

from portable.backends.jlems.layout import Group
from portable.backends.jlems.plan import Plan
from portable.backends.jlems.tree import Node, lookup
from portable.dynamics.lems.network import LemsNetwork
from portable.errors import ModelError, suggestion

_INDEXED = re.compile(r"([^\[\]]+)\[(\d+)\]$")


def address(network: LemsNetwork, path: str, where: str) -> tuple[str, int, list[str]]:
    """(population, position, the rest of the path) of a path."""
    parts = [p for p in path.split("/") if p not in ("", ".", "..")]
    if parts and parts[0] == network.id:
        parts = parts[1:]
    found = _INDEXED.match(parts[0]) if parts else None
    name = found[1] if found else parts[0] if parts else ""
    population, rest = network.population(name), parts[1:]
    if population is None:
        raise ModelError(
            where, f"cannot find {path[:80]!r}", suggestion(name, [p.id for p in network.populations])
        )
    if found:
        position = int(found[2])
    elif rest and rest[0].isdigit():
        position, rest = int(rest[0]), rest[1:]
        if rest and rest[0] in (population.component.id, "component"):
            rest = rest[1:]
    else:
        raise ModelError(
            where, f"{path[:80]!r} does not say which cell of '{name}'", f'write "{name}[0]/..."'
        )
    if position >= population.size:
        raise ModelError(
            where, f"population '{name}' has no cell {position}", f"it has {population.size}, numbered from 0"
        )
    return name, position, rest


def slot(plan: Plan, network: LemsNetwork, path: str, where: str) -> int:
    """The variable that a path leads to. ModelError where it leads nowhere."""
    if path in plan.fixed:
        return plan.fixed[path]
    name, position, rest = address(network, path, where)
    group = plan.cells[name]
    if not rest:
        raise ModelError(where, f"{path[:80]!r} names no variable", f'write "{path}/v"')
    *steps, name = rest
    base, node = int(group.bases[position]), group.tree.root
    for n, step in enumerate(steps):
        inner = _child(node, step)
        if inner is not None:
            node = inner
        elif n == 0 and (attached := _attachment(group, position, step)) is not None:
            base, node = attached
        else:
            raise ModelError(
                where,
                f"{path[:80]!r}: a {node.kind.type.name} has nothing called '{step}'",
                suggestion(step, _names(node)),
            )
    if name not in node.kind.slots:
        raise ModelError(
            where,
            f"{path[:80]!r}: a {node.kind.type.name} has no variable '{name}'",
            suggestion(name, node.kind.slots),
        )
    found = lookup(node, name)
    assert isinstance(found, int)
    return base + found


def _names(node: Node) -> list[str]:
    return [*node.single, *(n.instance.component.id for n in node.inside())]


def _child(node: Node, step: str) -> Node | None:
    """By slot or id of a listed child, then by id of a single child, then "list:id:n"."""
    found = node.by_key(step) or next(
        (n for n in node.single.values() if n.instance.component.id == step), None
    )
    if found is None and step.count(":") == 2:
        name, id, index = step.split(":")
        same = [n for n in node.lists.get(name, []) if n.instance.component.id == id]
        found = same[int(index)] if index.isdigit() and int(index) < len(same) else None
    return found


def _attachment(group: Group, position: int, step: str) -> tuple[int, Node] | None:
    """(start of variables, root) of something attached to a cell: "list:id:n", or an id for the first of that
    id.
    """
    name, id, index = step.split(":") if step.count(":") == 2 else ("", step, "0")
    found = []
    for a in group.attached:
        if a.tree.id == id and (not name or group.tree.attachments[a.slot] == name):
            for j in np.flatnonzero(a.cells == position):
                found.append((a.slot, int(a.rank[j]), int(a.bases[j]), a.tree.root))
    found.sort(key=lambda x: x[:2])
    return found[int(index)][2:] if index.isdigit() and int(index) < len(found) else None
