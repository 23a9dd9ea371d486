"""A tree of instances -> one flat cell (L2): every name unique, requirements and paths resolved, events
inside it worked into the actions.

Regimes become a state that holds the number of the active one; kinetic schemes become rate equations; what
the tree takes from outside (the membrane potential that a synapse on its own reads) becomes an input.
Expressions are in coherent units. A core type whose equations are dimensionally wrong (4 of 614 expressions)
is evaluated in SI, as jLEMS does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

from portable.dynamics.expressions import (
    Cmp,
    Expr,
    Name,
    Num,
    Where,
)
from portable.dynamics.lems.events import Events
from portable.dynamics.lems.flat_model import (
    REGIME,
    Attached,
    FlatModel,
    Unavailable,
)
from portable.dynamics.lems.instance import Instance
from portable.dynamics.lems.model import Model
from portable.dynamics.lems.schemes import kinetic_scheme
from portable.dynamics.lems.scope import TreeScope, regime_state
from portable.dynamics.lems.types import (
    Action,
    Assign,
    Regime,
)
from portable.errors import ModelError, suggestion
from portable.units import NONE


class Flattener:
    """Flattens trees. `outside` holds instances that are not part of the flat cell, each with a prefix for
    what is read of it: an input. `taken` are variables of instances that somebody outside reads: that one of
    them cannot be worked out is an error.

    complete: single children that are read must be there; a cell of several compartments, which is kept and
    not run, may lack some. With a `catch`, a context that takes errors, every expression is looked at, those
    that nothing needs too, and no component has to be complete: what is looked at is a type.
    """

    def __init__(
        self,
        model: Model,
        roots: Mapping[str, Instance] | Iterable[Instance],
        outside: Mapping[int, str] | None = None,
        attached: Attached | None = None,
        spiking: bool = True,
        complete: bool = True,
        taken: Iterable[tuple[Instance, str]] = (),
        catch: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.scope = TreeScope(model, roots, outside, attached, complete, catch is not nullcontext)
        self.events = Events(self.scope, spiking, catch)
        self.taken, self.catch = tuple(taken), catch

    def flatten(self) -> FlatModel:
        every = [i for r in self.scope.roots for i in r.everything()]
        context = self.scope.roots[0].parent if self.scope.roots else None
        while context is not None and id(context) not in self.scope.beyond:
            every.append(context)
            context = context.parent
        for i in every:
            self._states(i)
        for i in every:
            self._dynamics(i)
        for i, port, name in self.scope.attached.ports:
            self.scope.event_weight.add(id(i))
            self.scope.out.events[name] = self.events.received(i, port)
            self.scope.event_weight.discard(id(i))
        for i, variable in self.taken:
            self.scope.give(i, variable)
        for i in every:
            self._optional(i)
        for i in every:
            self._initial(i)
        return self.scope.out

    def _states(self, i: Instance) -> None:
        derived = {d.name for d in i.type.dynamics.derived}
        for s in i.type.dynamics.states:
            if s.name not in derived:  # a name that is both: the derived one counts
                self.scope.declare(
                    i, s.name, self.scope.dimension(s.dimension, s.where), self.scope.out.states
                )
        if i.type.dynamics.regimes:
            self.scope.declare(i, REGIME, NONE, self.scope.out.states)
        for r in i.type.dynamics.regimes:
            for s in r.states:
                self.scope.declare(
                    i,
                    regime_state(r, s.name),
                    self.scope.dimension(s.dimension, s.where),
                    self.scope.out.states,
                )

    def _dynamics(self, i: Instance) -> None:
        d = i.type.dynamics
        rates: dict[str, Expr] = {}
        for a in d.derivatives:
            with self.catch():
                state = self.scope.own_state(i, a)
                rates[state] = self.scope.rate(i, a)
        for number, regime in enumerate(d.regimes):
            active = Cmp("==", Name(self.scope.out.symbols[id(i), REGIME]), Num(float(number)))
            for a in regime.derivatives:
                with self.catch(), self.scope.inside(i, regime):
                    state = self.scope.own_state(i, a)
                    rates[state] = Where(active, self.scope.rate(i, a), rates.get(state, Num(0.0)))
        self.scope.out.derivatives |= rates
        for scheme in d.schemes:
            kinetic_scheme(self.scope, i, scheme)
        for c in d.conditions:
            with self.catch():
                self.events.condition(i, c, None)
        for number, regime in enumerate(d.regimes):
            for c in regime.conditions:
                with self.catch(), self.scope.inside(i, regime):
                    self.events.condition(i, c, number)
        if i in self.scope.roots:
            self.events.ports(i)

    def _optional(self, i: Instance) -> None:
        """Derived variables that nothing has asked for: kept to be recorded, unless they cannot be worked
        out.
        """
        for d in i.type.dynamics.derived:
            if self.scope.abstract:
                with self.catch():
                    self.scope.variable(i, d.name, d.where)
                continue
            before = (
                dict(self.scope.out.parameters),
                dict(self.scope.out.derived),
                dict(self.scope.out.symbols),
                dict(self.scope.out.inputs),
                len(self.scope.out.notes),
                dict(self.scope.out.outside),
            )
            try:
                self.scope.variable(i, d.name, d.where)
            except ModelError as error:
                if not isinstance(error, Unavailable) and d.where.file in self.scope.model.files:
                    raise
                (
                    self.scope.out.parameters,
                    self.scope.out.derived,
                    self.scope.out.symbols,
                    self.scope.out.inputs,
                    kept,
                    self.scope.out.outside,
                ) = before
                del self.scope.out.notes[kept:]
                self.scope.out.silent[self.scope.namer.name(i, d.name)] = str(error)

    def _initial(self, i: Instance) -> None:
        d = i.type.dynamics
        self._started(i, d.on_start, None)
        for number, regime in enumerate(d.regimes):
            if regime.initial or (number == 0 and not any(r.initial for r in d.regimes)):
                self.scope.out.initial[self.scope.out.symbols[id(i), REGIME]] = Num(float(number))
                self._started(i, regime.on_entry, regime)

    def _started(self, i: Instance, actions: Iterable[Action], regime: Regime | None) -> None:
        known = [
            *(s.name for s in i.type.dynamics.states),
            *(s.name for s in (regime.states if regime else ())),
        ]
        for a in actions:
            if not isinstance(a, Assign):
                continue
            with self.catch(), self.scope.inside(i, regime):
                state = self.scope.state(i, a.variable)
                if state in self.scope.out.states:
                    self.scope.out.initial[state] = self.scope.expression(
                        i, a.value, self.scope.dims[state], a.where
                    )
                elif a.where.file in self.scope.model.files and a.variable not in known:
                    raise ModelError(
                        str(a.where),
                        f"'{a.variable}' is assigned but is no state variable",
                        suggestion(a.variable, known),
                    )
