"""Whether many instances of a synapse on one cell can be one: their states add up where everything in them is
linear.

Exact if each state starts at 0, its equation and what the cell sees of it are linear in the states without a
constant, an event adds an amount that no state enters, and conditions that do not look at the states make
linear assignments only.
"""

from __future__ import annotations

from portable.dynamics.expressions import Bin, Expr, Name, Num, names
from portable.dynamics.lems.flat_model import SPIKE, FlatModel
from portable.dynamics.linear import ONE, affine


def lumpable(flat: FlatModel, shown: list[str]) -> bool:
    """`flat` is the synapse on its own, `shown` the names of what the cell takes from it."""
    states = frozenset(flat.states)
    return linear(flat, shown, states) and all(
        _adds(flat, statements, states) for statements in flat.events.values()
    )


def linear(flat: FlatModel, shown: list[str], kernel: frozenset[str]) -> bool:
    """Whether all but the events is linear in some states, which no others move; they are not moved by
    conditions on any state, and start at 0.
    """
    states = frozenset(flat.states)
    if any(not _zero(flat.inlined(flat.initial.get(s, Num(0.0)))) for s in kernel):
        return False
    if not all(_homogeneous(flat.inlined(e), states) for s, e in flat.derivatives.items() if s in kernel):
        return False
    if not all(_homogeneous(flat.inlined(Name(n)), states) for n in shown):
        return False
    return not any(
        names(flat.inlined(test)) & states
        or not all(_homogeneous(flat.inlined(e), states) for s, e in statements if s != SPIKE)
        or any(s == SPIKE for s, _ in statements)
        for test, statements in flat.conditions
    )


def _zero(e: Expr) -> bool:
    """Zero, or a product with it."""
    return (isinstance(e, Num) and e.value == 0.0) or (
        isinstance(e, Bin) and e.op == "*" and (_zero(e.a) or _zero(e.b))
    )


def _homogeneous(e: Expr, states: frozenset[str]) -> bool:
    parts = affine(e, states)
    return (
        parts is not None
        and (ONE not in parts or _zero(parts[ONE]))
        and (bool(parts.keys() - {ONE}) or _zero(e))
    )


def _adds(flat: FlatModel, statements: list[tuple[str, Expr]], states: frozenset[str]) -> bool:
    """state = state + c * weight for each statement, no state twice."""
    seen = set[str]()
    for state, e in statements:
        parts = affine(flat.inlined(e), states)
        if (
            state == SPIKE
            or state in seen
            or parts is None
            or set(parts) - {ONE} != {state}
            or parts[state] != Num(1.0)
        ):
            return False
        amount = parts.get(ONE)
        weighted = None if amount is None else affine(amount, frozenset({"weight"}))
        if weighted is None or "weight" not in weighted or (ONE in weighted and not _zero(weighted[ONE])):
            return False
        seen.add(state)
    return True
