"""Trees -> memory: a Group is one tree laid out many times, the cells of a population or what is attached to
them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portable.backends.jlems.tree import PathRefs, Tree, lookup, passes, path_refs
from portable.dynamics.lems.types import DerivedVariable
from portable.errors import ModelError
from portable.units import Floats

OWN, PARENT, FIXED = 0, 1, 2  # what a number of a variable is relative to


@dataclass(eq=False)
class Group:
    """`count` copies of a tree; the j-th has nodes from node0 + place[j] * nodes on and variables from base0
    + place[j] * width on.

    Cells are in order; what is attached is sorted by cell, so that memory is read in the order of the steps.

    What is attached has a `host`, the group of cells it is on: to cell `cells[j]`, in the list `slot`, in the
    global order `rank[j]` of making. `peer` is the group on the other side of continuous connections.
    `numbers` of a population that is a list are ids.
    """

    tree: Tree
    count: int
    node0: int
    base0: int
    host: Group | None = None
    cells: Any = None
    slot: int = 0
    rank: Any = None
    peer: Group | None = None
    listed: bool = False
    name: str = ""
    first_cell: int = 0  # number of the first cell among all cells
    refs0: int = 0
    attached: list[Group] = field(default_factory=list)

    @functools.cached_property
    def place(self) -> Any:
        """Where each copy is among all."""
        if self.host is None:
            return np.arange(self.count)
        out = np.empty(self.count, dtype=np.int64)
        out[np.argsort(self.cells, kind="stable")] = np.arange(self.count)
        return out

    @property
    def nodes(self) -> Any:
        """Number of the first node of each copy."""
        return self.node0 + self.place * len(self.tree.nodes)

    @property
    def bases(self) -> Any:
        return self.base0 + self.place * self.tree.width

    def roots(self) -> Any:
        return self.nodes + self.tree.root.number

    @property
    def hosts(self) -> Any:
        """Start of the variables of each one's cell."""
        assert self.host is not None
        return self.host.bases[self.cells]


def initial(tree: Tree) -> Floats:
    """Variables of a tree before jLEMS initialises it: parameters and the like, nan where not given; the
    number of the active regime.
    """
    out = np.zeros(tree.width)
    for n in tree.nodes:
        for name in n.instance.missing:
            out[n.base + n.kind.slots[name]] = np.nan
        for name, value in n.instance.values.items():
            out[n.base + n.kind.slots[name]] = value
        if n.kind.regimes:
            out[n.base + n.kind.regime_slot] = n.kind.initial
    for s in tree.schemes:
        out[s.states[0][1]] = 1.0
    return out


class References:
    """The tables from which instances read: `refs` of requirements, and of starts and stops in `parts`
    (marked in `into`) of path variables.
    """

    def __init__(self, fixed: dict[str, int]) -> None:
        self.fixed = fixed  # variables of the network itself
        self.refs: list[Any] = []
        self.into: list[Any] = []
        self.parts: list[Any] = []
        self.size, self.length = 0, 0

    def absolute(self, group: Group, ref: int | str, what: str) -> Any:
        """The number of a variable for each copy of a group."""
        if isinstance(ref, int):
            return group.bases + ref
        if group.host is not None:
            found = lookup(group.host.tree.root, ref)
            if isinstance(found, int):
                return group.hosts + found
        if ref in self.fixed:
            return np.full(group.count, self.fixed[ref])
        raise ModelError(
            what,
            f"needs '{ref}', which nothing around it has",
            "temperature= of a networkWithTemperature is one that may be missing"
            if ref == "temperature"
            else "",
        )

    def add(self, group: Group) -> Any:
        """Requirements and paths of a group: where each node's stretch of `refs` starts, (count, nodes), in
        order of place.
        """
        columns, starts, into = list[Any](), list[int](), list[bool]()
        for n in group.tree.nodes:
            starts.append(len(columns))
            where = f"{n.instance.where} ({n.kind.type.name})"
            columns += [self.absolute(group, lookup(n.parent, name), where) for name in n.kind.requirements]
            into += [False] * len(n.kind.requirements) + [True] * (2 * len(n.kind.paths))
            for v in n.kind.paths:
                columns += self._path(group, path_refs(group.tree, n, v), v, where)
        group.refs0 = self.size
        block = np.empty((group.count, len(columns)), dtype=np.int64)
        for i, column in enumerate(columns):
            block[group.place, i] = column
        self.refs.append(block.ravel())
        self.into.append(np.tile(np.array(into, dtype=np.int64), group.count))
        self.size += block.size
        return group.refs0 + np.arange(group.count)[:, None] * len(columns) + np.array(starts)[None, :]

    def _path(self, group: Group, found: PathRefs, v: DerivedVariable, where: str) -> list[Any]:
        """Start and stop in `parts` of a path variable, for each copy."""
        if not found.exists and not v.reduce:
            raise ModelError(
                where,
                f"'{v.name}' selects '{v.select}', which is not there",
                'give it, or write reduce="add"',
            )
        if found.slot == "peer":
            if group.peer is None:
                raise ModelError(
                    where,
                    f"'{v.name}' selects '{v.select}', but it has no peer",
                    "use it in a continuousProjection or electricalProjection",
                )
            entries = self._inner(group.peer, found.rest, where)
        elif found.slot:
            return self._attached(group, found, where)
        else:
            entries = [self.absolute(group, r, where) for r in found.refs]
        part = np.stack(entries, axis=1) if entries else np.zeros((group.count, 0), dtype=np.int64)
        start = self.length + np.arange(group.count) * part.shape[1]
        self._keep(part.ravel())
        return [start, start + part.shape[1]]

    def _keep(self, part: Any) -> None:
        self.parts.append(part)
        self.length += part.size

    def _inner(self, group: Group, rest: str, where: str) -> list[Any]:
        """Variables at the end of a path that starts at the root of a group's tree."""
        inner = path_refs(group.tree, group.tree.root, DerivedVariable("", "", select=rest))
        return [self.absolute(group, r, where) for r in inner.refs]

    def _attached(self, group: Group, found: PathRefs, where: str) -> list[Any]:
        """A path through attachments: those of each cell in the order in which they were made."""
        slot = group.tree.attachments.index(found.slot)
        cells, ranks, values = list[Any](), list[Any](), list[Any]()
        for a in group.attached:
            if a.slot == slot and (found.predicate is None or passes(a.tree.root, found.predicate)):
                for entry in self._inner(a, found.rest, where):
                    cells.append(a.cells)
                    ranks.append(a.rank)
                    values.append(entry)
        if not cells:
            return [np.full(group.count, self.length)] * 2
        cell, rank, value = (np.concatenate(x) for x in (cells, ranks, values))
        ordered = np.lexsort((rank, cell))
        bounds = self.length + np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=group.count))])
        self._keep(value[ordered])
        return [bounds[:-1], bounds[1:]]
