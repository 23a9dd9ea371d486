"""Links: variables of cells that others read at every step, as gap junctions and graded synapses need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.dynamics.expressions import names
from portable.dynamics.flat import Flat
from portable.errors import ModelError, suggestion
from portable.model.cells import Cell
from portable.model.populations import Population
from portable.model.values import Array
from portable.units import describe

Node = tuple[str, str]  # (population, one of its inputs)


@dataclass(frozen=True, init=False)
class Link:
    """At every step target.input[post[j]] += source.variable[pre[j]] for every j, from the states after that
    step.

    The input is then constant until the next step, in events and conditions too. `variable` is a state or
    derived variable of the source's cells, `input` an input of the target's type (cell_type(...,
    inputs={"i_in": "nA"})), of the same dimension. `pre` and `post` are positions (0-based) of equal length;
    left out, all cells in order.

        pt.Link(cells, "v", junctions, "v_pre", pre=[0, 1])       # junction 0 reads v of cell 0, junction 1
        that of cell 1 pt.Link(junctions, "i", cells, "i_gap", post=[1, 0])      # and they drive cells 1 and
        0

    Raises ModelError on a source of spikes, an unknown name, other dimensions, lengths that differ, a
    position that there is not.
    """

    source: Population
    variable: str
    target: Population
    input: str
    pre: Array | None
    post: Array | None
    name: str

    def __init__(
        self,
        source: Population,
        variable: str,
        target: Population,
        input: str,
        pre: Any = None,
        post: Any = None,
        name: str = "",
    ) -> None:
        for key, given in (("source", source), ("target", target)):
            if not isinstance(given, Population):
                raise ModelError(
                    f"Link.{key}",
                    f"expected a population, got {given!r}",
                    "choose some of its cells with pre= and post=",
                )
        for key, text in (("variable", variable), ("input", input), ("name", name)):
            if not isinstance(text, str):
                raise ModelError(f"Link.{key}", f"must be text, got {text!r}", 'for example "v"')
        shown = name or f"{source.name}.{variable}->{target.name}.{input}"
        path = f"link '{shown}'"
        _check_variable(source, variable, f"{path}.variable")
        _check_input(source, variable, target, input, f"{path}.input")
        values = {"source": source, "variable": variable, "target": target, "input": input, "name": shown}
        for key, given, population in (("pre", pre, source), ("post", post, target)):
            values[key] = None if given is None else _positions(given, population, f"{path}.{key}")
        for key, value in values.items():
            object.__setattr__(self, key, value)
        lengths = (
            len(source if self.pre is None else self.pre),
            len(target if self.post is None else self.post),
        )
        if lengths[0] != lengths[1]:
            raise ModelError(
                path,
                f"pre and post must have one length, got {lengths[0]} and {lengths[1]}",
                "entry j of both is coupling j; left out, all cells in order",
            )

    def __len__(self) -> int:
        return len(self.source if self.pre is None else self.pre)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Link({self.name!r}, {len(self)} couplings)"


def _flat(population: Population, path: str) -> Flat:
    if not isinstance(population.cell, Cell):
        raise ModelError(
            path, f"'{population.name}' is a spike source and has no variables", "link populations of cells"
        )
    return population.cell.flat


def _check_variable(source: Population, variable: str, path: str) -> None:
    known = variables(_flat(source, path))
    if variable not in known:
        raise ModelError(path, f"'{source.name}' has no variable '{variable}'", suggestion(variable, known))


def _check_input(source: Population, variable: str, target: Population, input: str, path: str) -> None:
    known = _flat(target, path).inputs
    if input not in known:
        raise ModelError(
            path,
            f"'{target.name}' has no input '{input}'",
            suggestion(input, known) if known else 'give its type inputs={"' + input + '": "nA"}',
        )
    found = variables(_flat(source, path))[variable]
    if found != known[input]:
        raise ModelError(
            path,
            f"is {describe(known[input])} but '{variable}' of '{source.name}' is {describe(found)}",
            "give both the same unit",
        )


def variables(flat: Flat) -> dict[str, Any]:
    """Dimension of every variable that a link can read: states and derived variables, constant ones too."""
    return {s.name: s.dimension for s in flat.states} | {
        d.name: d.dimension for d in (*flat.constants, *flat.derived)
    }


def _positions(given: Any, population: Population, path: str) -> Array:
    try:
        data = np.asarray(given.values if isinstance(given, Array) else given)
    except ValueError:  # a list of lists of different lengths
        data = np.zeros((0, 0))
    if data.ndim != 1 or (
        data.size
        and not (data.dtype.kind in "iu" or (data.dtype.kind == "f" and bool(np.all(data == np.floor(data)))))
    ):
        raise ModelError(
            path,
            "must be a one-dimensional array of whole numbers",
            f"give positions of cells in '{population.name}', counted from 0",
        )
    bad = data[(data < 0) | (data >= population.size)]
    if bad.size:
        raise ModelError(
            path,
            f"there is no cell {int(bad[0])}",
            f"'{population.name}' has cells 0 to {population.size - 1}",
        )
    return Array(data)


def needs(link: Link) -> Iterator[Node]:
    """The inputs of its source that the link's variable is computed from."""
    assert isinstance(link.source.cell, Cell)
    flat = link.source.cell.flat
    expr = next((d.expr for d in flat.derived if d.name == link.variable), None)
    if expr is not None:
        yield from ((link.source.name, n) for n in sorted(names(flat.inlined(expr)) & flat.inputs.keys()))


def ordered(links: Iterable[Link]) -> tuple[Link, ...]:
    """The links in an order in which each comes after those that feed what it reads; otherwise as given.
    ModelError on a loop.
    """
    given = tuple(links)
    feeding: dict[Node, list[int]] = {}
    for i, link in enumerate(given):
        feeding.setdefault((link.target.name, link.input), []).append(i)
    read = [tuple(n for n in needs(link) if n in feeding) for link in given]
    before = {node: {n for i in many for n in read[i]} for node, many in feeding.items()}
    rank: dict[Node, int] = {}
    while len(rank) < len(feeding):
        ready = [node for node, needed in before.items() if node not in rank and needed <= rank.keys()]
        if not ready:
            raise _loop(given, feeding, before, rank)
        rank |= dict.fromkeys(ready, max(rank.values(), default=-1) + 1)
    return tuple(sorted(given, key=lambda link: rank[link.target.name, link.input]))  # the sort is stable


def _loop(
    links: tuple[Link, ...],
    feeding: dict[Node, list[int]],
    before: dict[Node, set[Node]],
    rank: dict[Node, int],
) -> ModelError:
    path = [next(n for n in before if n not in rank)]
    while path[-1] not in path[:-1]:
        path.append(min(n for n in before[path[-1]] if n not in rank))
    loop = path[path.index(path[-1]) :][::-1]
    rule = f"algebraic loop: {' -> '.join('.'.join(n) for n in loop)}"
    return ModelError(
        f"links[{feeding[loop[-1]][0]}] ('{links[feeding[loop[-1]][0]].name}')",
        rule,
        "link a state variable in place of one of the derived ones",
    )
