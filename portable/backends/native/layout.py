"""Where a group's numbers live: which are the same for every cell (scalars) and which differ (fields of a
block). Pure.

Cells are kept in blocks of 64: field 0 of the 64 cells, field 1, ... With constant distances inside a block
the compiler proves that nothing overlaps and vectorises the whole update as one loop, whatever the number of
fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from portable.backends.native.lower import CellPlan
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Expr, Name, names
from portable.dynamics.flat import INJECTED, Flat
from portable.dynamics.linear import Propagator, Structure, linear, propagator, structure
from portable.dynamics.methods import Method
from portable.dynamics.random_calls import draws
from portable.dynamics.steps import PIECES, SIZE
from portable.dynamics.steps import quantities as step_quantities
from portable.resolve.program import CellGroup, PerCell
from portable.units import Floats

BLOCK = 64
VECTOR = 8  # float64 numbers of the widest vector
# The engine's own quantities start with *, which no name of a model does.
LEFT = "*left"  # refractory updates still to come, counted down at the start of an update
CURRENT = "*current"  # injected current (pA)
SEEN = "*seen_"  # and a variable's name: what links read
CELL, KEY0, KEY1 = (
    "*cell",
    "*key0",
    "*key1",
)  # where random() is called: the position, the halves of the stream's key
STAMP, ARRIVED = (
    "*stamp",
    "*arrived",
)  # and where arrivals call it: the step's end, how many that drew came before in the step
PERIOD = "*period"  # refractory updates after a spike
Row = tuple[tuple[str, str], ...]  # ((state, CURRENT or "", quantity or ""), ...): terms of a propagator row


@dataclass(frozen=True)
class Layout:
    """All that the generated code of a group depends on. Groups with equal layouts share one function.

    fields: per cell, in block order, the states first. scalars: one for the group. free and held: the terms
    of each propagator row, (what, coefficient's name or "" for 1); held is None where it is the same.
    """

    flat: Flat
    method: Method
    fields: tuple[str, ...]
    scalars: tuple[str, ...]
    free: tuple[tuple[str, Row], ...]
    held: tuple[tuple[str, Row | None], ...]
    channels: tuple[tuple[tuple[str, Expr], ...], ...]
    general: tuple[str, ...]
    refractory: bool
    injected: bool
    lanes: int  # of a block that are worked on: all, or a vector of a group that has no more cells
    # the state whose threshold decides whether a cell may sleep (events.py), "" if none may
    watched: str = ""

    @property
    def substepped(self) -> bool:
        """Whether rk4 takes several substeps in a step."""
        return PIECES in self.fields or PIECES in self.scalars

    @property
    def seen(self) -> tuple[str, ...]:
        """The variables that are computed for links."""
        return tuple(f.removeprefix(SEEN) for f in self.fields if f.startswith(SEEN))

    @property
    def key(self) -> str:
        """The same for equal layouts."""
        channels = [[(s, repr(e)) for s, e in c] for c in self.channels]
        rest = (
            (self.method.name, self.method.within_step),
            self.fields,
            self.scalars,
            self.free,
            self.held,
            channels,
            self.general,
            self.refractory,
            self.injected,
            self.lanes,
            self.watched,
        )
        return f"{self.flat.text()}\n{rest!r}"


def arrange(
    cell: CellPlan,
    group: CellGroup,
    dt: float,
    injected: bool,
    linked: tuple[str, ...] = (),
    seen: tuple[str, ...] = (),
) -> tuple[Layout, dict[str, PerCell]]:
    """The layout of a group with its present parameters, and the value of every scalar and field that is no
    state.
    linked, seen: inputs that links feed, variables that they read and that are no states."""
    flat, values = group.flat, group.values()
    injected = injected and flat.reads_injected()
    exprs = [e for c in flat.conditions for e in (c.test, *(a.expr for a in c.assignments))]
    exprs += [e for jumps in cell.channels for e in jumps.values()]
    general = tuple(p for p, channel in cell.ports.items() if channel < 0)
    exprs += [a.expr for p in flat.ports if p.name in general for a in p.assignments]
    if cell.method.name != "exact":
        exprs += flat.derivatives.values()
    exprs += [Name(v) for v in seen]
    drawn, counted = (
        bool(draws(exprs)),
        bool(draws(a.expr for p in flat.ports if p.name in general for a in p.assignments)),
    )
    exprs += [d.expr for d in flat.needed(exprs)]
    read = frozenset().union(*(names(e) for e in exprs)) if exprs else frozenset()
    quantities: dict[str, PerCell] = {n: v for n, v in values.items() if n in read}
    free, held = _rows(flat, values, dt, injected, quantities) if cell.method.name == "exact" else ((), ())
    refractory = refractory_steps(group, values, dt)
    has_refractory = flat.refractory is not None
    if has_refractory:
        quantities[PERIOD] = refractory.astype(np.float64)
    numbers = step_quantities(flat, cell.method, values, dt)
    if np.all(np.asarray(numbers.get(PIECES, 1.0)) == 1.0):
        numbers.pop(PIECES, None)  # a straight line of code, in vectors of cells
    quantities |= numbers
    if drawn:
        quantities |= {
            CELL: np.arange(group.size, dtype=np.float64),
            KEY0: float(group.key & 0xFFFFFFFF),
            KEY1: float(group.key >> 32),
        }
    quantities = {n: _narrowed(v) for n, v in quantities.items()}
    own = [*linked, *(SEEN + v for v in seen)]
    own += (
        [LEFT] * has_refractory
        + [CURRENT] * injected
        + [SIZE] * (cell.method.name == "rkf45")
        + [STAMP, ARRIVED] * counted
    )
    fields = (*flat.state_names, *own, *(n for n, v in quantities.items() if not isinstance(v, float)))
    scalars = tuple(n for n, v in quantities.items() if isinstance(v, float))
    channels = tuple(tuple(sorted(c.items())) for c in cell.channels)
    layout = Layout(
        flat,
        cell.method,
        fields,
        scalars,
        free,
        held,
        channels,
        general,
        has_refractory,
        injected,
        VECTOR if group.size <= VECTOR else BLOCK,
    )
    return layout, quantities


def refractory_steps(group: CellGroup, values: Mapping[str, PerCell], dt: float) -> Floats:
    """Whole updates held after a spike: float array of length 1 or of the group's size."""
    if group.flat.refractory is None:
        return np.zeros(1)
    return np.atleast_1d(
        np.rint(np.asarray(evaluate(group.flat.refractory.duration, values), dtype=np.float64) / dt)
    )


def _narrowed(value: PerCell) -> PerCell:
    data = np.atleast_1d(np.asarray(value, dtype=np.float64))
    return float(data[0]) if np.all(data == data[0]) or (np.isnan(data).all()) else data


def _rows(
    flat: Flat, values: Mapping[str, PerCell], dt: float, injected: bool, out: dict[str, PerCell]
) -> tuple[tuple[tuple[str, Row], ...], tuple[tuple[str, Row | None], ...]]:
    system = linear(flat)
    assert system is not None
    rows: list[tuple[str, Row]] = []
    held: list[tuple[str, Row | None]] = []
    free, stuck = propagator(system, values, dt), propagator(system, values, dt, flat.held)
    form, stuck_form = structure(system), structure(system, flat.held)
    for state in free.states:
        rows.append((state, _row("*P", state, free, form, injected, out)))
        if state in flat.held:
            held.append((state, ((state, ""),)))
        elif not set(form.reads[state]) & set(flat.held):
            held.append((state, None))
        else:
            held.append((state, _row("*H", state, stuck, stuck_form, injected, out)))
    return tuple(rows), tuple(held)


def _row(
    prefix: str, state: str, step: Propagator, form: Structure, injected: bool, out: dict[str, PerCell]
) -> Row:
    """Terms of one row that can differ from zero, whatever the parameters, so that equal types have equal
    code: own state first, so that a lone state is one product."""
    terms: list[tuple[str, str]] = []
    i, reads = step.states.index(state), form.reads[state]
    for other in sorted(reads, key=lambda other: other != state):
        j = step.states.index(other)
        one = len(reads) == 1 and bool(np.all(step.P[:, i, j] == 1.0))  # nothing moves it
        terms.append((other, "" if one else f"{prefix}_{i}_{j}"))
        if not one:
            out[f"{prefix}_{i}_{j}"] = step.P[:, i, j]
    if injected and state in form.driven:
        terms.append((INJECTED, f"{prefix}_{i}_q"))
        out[f"{prefix}_{i}_q"] = step.Q[:, i]
    if state in form.constant:
        terms.append(("", f"{prefix}_{i}_r"))
        out[f"{prefix}_{i}_r"] = step.R[:, i]
    return tuple(terms)
