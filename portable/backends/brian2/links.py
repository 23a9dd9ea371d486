"""Links in a running session: between two steps of Brian2, variables of cells are added to inputs of others,
as arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portable.backends.brian2.build import array
from portable.backends.brian2.plan import Brian2Plan, Neurons, mangled
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Name
from portable.dynamics.flat import INJECTED
from portable.resolve.program import Coupling
from portable.units import Floats


def couplings(
    plan: Brian2Plan, groups: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]]
) -> Callable[[int], None]:
    """The function of a step that gives every linked input its value, with the parameters as they are now."""
    cells = {c.name: c for c in plan.cells}
    cleared = [array(groups[c.name], mangled("u", n)) for c in plan.cells for n in c.code.linked]
    moves = [
        _move(
            c, groups, _reader(cells[c.source], groups[c.source], parameters[c.source], c.variable, plan.dt)
        )
        for c in plan.links
    ]

    def couple(step: int) -> None:
        for values in cleared:
            values[:] = 0.0
        for move in moves:
            move(step)

    return couple


def _move(c: Coupling, groups: Mapping[str, Any], read: Callable[[int], Floats]) -> Callable[[int], None]:
    target, pre, post = array(groups[c.target], mangled("u", c.input)), c.pre, c.post
    if np.unique(post).size == post.size:  # the same sums, faster

        def move(step: int) -> None:
            target[post] += read(step)[pre]

        return move

    def add(step: int) -> None:
        np.add.at(target, post, read(step)[pre])

    return add


def _reader(
    cells: Neurons, group: Any, parameters: Mapping[str, Any], variable: str, dt: float
) -> Callable[[int], Floats]:
    """The variable of every cell of the NeuronGroup: a state's memory, or a derived variable from it."""
    if variable in cells.flat.state_names:
        memory = array(group, mangled("x", variable))
        return lambda step: memory  # noqa: ARG005
    known: dict[str, Any] = dict(parameters)
    for d in cells.flat.constants:
        known[d.name] = evaluate(d.expr, known)
    known |= {s: array(group, mangled("x", s)) for s in cells.flat.state_names} | {
        n: array(group, mangled("u", n)) if n in cells.code.linked else 0.0 for n in cells.flat.inputs
    }
    known[INJECTED] = array(group, "i_ext") if cells.code.injected else 0.0
    derived, size = cells.flat.needed([Name(variable)]), cells.size

    def read(step: int) -> Floats:
        scope = {**known, "t": step * dt}
        for d in derived:
            scope[d.name] = evaluate(d.expr, scope)
        return np.broadcast_to(scope[variable], size)

    return read
