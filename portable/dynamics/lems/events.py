"""Conditions and events of a tree of instances as statements: events inside it are worked in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from portable.dynamics.expressions import (
    Cmp,
    Logic,
    Name,
    Num,
    Where,
)
from portable.dynamics.lems.flat_model import (
    REGIME,
    SPIKE,
    Statement,
)
from portable.dynamics.lems.instance import Instance, java_order
from portable.dynamics.lems.scope import TreeScope
from portable.dynamics.lems.types import (
    Action,
    Assign,
    OnCondition,
    Transition,
)
from portable.errors import ModelError, suggestion

MAX_RELAY = 20


class Events:
    """Adds conditions and events to the flat model of a scope. spiking: events out of a root are spikes."""

    def __init__(
        self, scope: TreeScope, spiking: bool, catch: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.scope, self.spiking, self.catch = scope, spiking, catch

    def condition(self, i: Instance, c: OnCondition, regime: int | None) -> None:
        test = self.scope.expression(i, c.test, None, c.where)
        if regime is not None:
            test = Logic(
                "and", (Cmp("==", Name(self.scope.out.symbols[id(i), REGIME]), Num(float(regime))), test)
            )
        self.scope.out.conditions.append((test, self.statements(i, c.actions)))

    def statements(self, i: Instance, actions: Iterable[Action], depth: int = 0) -> list[Statement]:
        """Actions as assignments in order; events to instances inside are replaced by what those do."""
        if depth > MAX_RELAY:
            raise ModelError(
                str(i.where),
                f"events are relayed more than {MAX_RELAY} times",
                "is there a circle of event connections, or of Transitions in OnEntry?",
            )
        out: list[Statement] = []
        for a in actions:
            if isinstance(a, Assign):
                state = self.scope.state(i, a.variable)
                if not state:
                    raise ModelError(
                        str(a.where),
                        f"'{a.variable}' is assigned but is no state variable",
                        suggestion(
                            a.variable, [*self.scope.local, *(s.name for s in i.type.dynamics.states)]
                        ),
                    )
                out.append((state, self.scope.expression(i, a.value, self.scope.dims[state], a.where)))
            elif isinstance(a, Transition):
                out += self._transition(i, a, depth)
            else:
                out += self._emitted(i, a.port, depth)
        return out

    def _transition(self, i: Instance, a: Transition, depth: int) -> list[Statement]:
        regimes = {r.name: (n, r) for n, r in enumerate(i.type.dynamics.regimes)}
        if a.regime not in regimes:
            raise ModelError(
                str(i.type.where), f"there is no regime '{a.regime[:60]}'", suggestion(a.regime, regimes)
            )
        number, regime = regimes[a.regime]
        with self.scope.inside(i, regime):
            entered = self.statements(i, regime.on_entry, depth + 1)
        return [(self.scope.out.symbols[id(i), REGIME], Num(float(number))), *entered]

    def _emitted(self, i: Instance, port: str, depth: int) -> list[Statement]:
        out: list[Statement] = []
        if port not in i.type.ports and i.type.where.file in self.scope.model.files:
            raise ModelError(
                str(i.type.where),
                f"an EventOut is at '{port[:60]}', which is no port of a {i.type.name}",
                suggestion(port, i.type.ports),
            )
        if i in self.scope.roots and self.spiking:
            out.append((SPIKE, Num(0.0)))
        first = next((p.name for p in i.type.ports.values() if p.direction == "out"), "")
        for mine, receiver, theirs in i.outlets:
            if (
                mine in ("", port)
                and (
                    mine
                    or port == first
                    or len([p for p in i.type.ports.values() if p.direction == "out"]) <= 2
                )
                and id(receiver) not in self.scope.beyond
            ):
                if (id(receiver), theirs) in i.lags:
                    raise ModelError(
                        str(i.where),
                        "sends an event with a delay to what is inside it",
                        "leave the delay out; between cells it stands at the connection",
                    )
                out += self.received(receiver, theirs, depth + 1)
        return out

    def received(self, i: Instance, port: str, depth: int = 0) -> list[Statement]:
        """What an event at a port does; "" = the first port, as jLEMS counts."""
        handlers: dict[str, tuple[Action, ...]] = {}
        for e in i.type.dynamics.events:
            handlers[e.port] = handlers.get(e.port, ()) + e.actions
        if not port:
            inward = [p.name for p in i.type.ports.values() if p.direction == "in"]
            port = next(iter(java_order([*handlers, *(p for p in inward if p not in handlers)])), "")
        with self.scope.inside(i, None):
            plain = self.statements(i, handlers.get(port, ()), depth)
        return plain + self._by_regime(i, port, depth)

    def _by_regime(self, i: Instance, port: str, depth: int) -> list[Statement]:
        out: list[Statement] = []
        for number, regime in enumerate(i.type.dynamics.regimes):
            active = Cmp("==", Name(self.scope.out.symbols[id(i), REGIME]), Num(float(number)))
            for e in regime.events:
                if e.port == port:
                    with self.scope.inside(i, regime):
                        found = self.statements(i, e.actions, depth)
                    out += [(s, Where(active, x, Name(s))) for s, x in found if s != SPIKE]
        return out

    def ports(self, i: Instance) -> None:
        self.scope.event_weight.add(id(i))
        for p in i.type.ports.values():
            if p.direction == "in":
                with self.catch():
                    found = self.received(i, p.name)
                    if found:
                        self.scope.out.events[self.scope.namer.port(i, p.name)] = found
        self.scope.event_weight.discard(id(i))
