"""Plastic synapses: what a connection does when its source or its target spikes.

A synapse has a clock of its own: of its delay d = a + b the axonal part a passes before a presynaptic spike
is seen, the dendritic part b before a postsynaptic one is (ARCHITECTURE.md, "What a plastic synapse means").
At one instant, in this order: `on_signal` (a third factor: spikes of another population, which first move
its own states and then what is the connections'), `on_post`, `on_pre`, what is sent, `after_post` and
`after_pre`. So no handler sees a trace that a spike of the same instant has moved. Between instants states
decay, exactly, and the weight may drift with products of them.

A state belongs to the source (pre), the target (post) or the connection (own). A state of the source is the
same number for all its connections as long as nothing in it differs between them; otherwise it is kept for
each connection (`own_all`), which gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from portable.dynamics.component import Assign, Parameter, StateVariable
from portable.dynamics.emit import emit
from portable.dynamics.expressions import (
    Bin,
    Call,
    Cmp,
    Expr,
    Logic,
    Name,
    Neg,
    Num,
    Where,
    names,
)
from portable.dynamics.random_calls import draws
from portable.errors import ModelError, suggestion
from portable.units import TIME, Quantity

WEIGHT = "weight"
SENT = Name(WEIGHT)  # unless a rule says otherwise
# what a synapse has beside its parameters, in a call of its type or in a document
ARGUMENTS = ("type", "delay", "initial", "dendritic_delay_fraction")
SUMS = ("incoming", "outgoing")  # of the weights onto the same target and from the same source
HANDLERS = ("on_signal", "on_post", "on_pre", "after_post", "after_pre")
ELAPSED, CROSSING = Name("*elapsed"), Name("*crossing")  # ms; no name of a rule begins so


@dataclass(frozen=True)
class Decay:
    """x' = -rate (x - rest), whose exact step over h is rest + (x - rest) exp(-rate h); rest None is 0."""

    rate: Expr
    rest: Expr | None = None


@dataclass(frozen=True)
class Term:
    """A part of the weight's drift, amplitude exp(-rate s), where the amplitude is a product of states."""

    amplitude: Expr
    rate: Expr

    def integral(self, until: Expr) -> Expr:
        """From 0 on."""
        return Bin("*", self.amplitude, Bin("*", until, Call("exprel", (Neg(Bin("*", self.rate, until)),))))


@dataclass(frozen=True)
class Every:
    """What is done to all connections at the multiples of an interval, after all that they have seen by then:
    assignments of weights and states, which may read SUMS.
    """

    interval: Quantity
    assignments: tuple[Assign, ...]


@dataclass(frozen=True)
class Rule:
    """A plastic synapse in the form that backends lower. `weight` is a state of the connection that nothing
    but `drift` moves between events. Handlers are assignments in order; each assignment of `weight` is
    clipped to `bounds` (expressions of parameters; None: unbounded). decay: of the states that move between
    events. signal: states of the third factor, one for all connections.
    """

    name: str
    parameters: tuple[Parameter, ...]
    weight_unit: str
    pre: tuple[StateVariable, ...] = ()
    post: tuple[StateVariable, ...] = ()
    own: tuple[StateVariable, ...] = ()
    signal: tuple[StateVariable, ...] = ()
    decay: Mapping[str, Decay] = field(default_factory=dict)
    drift: tuple[Term, ...] = ()
    on_signal: tuple[Assign, ...] = ()
    on_pre: tuple[Assign, ...] = ()
    on_post: tuple[Assign, ...] = ()
    after_pre: tuple[Assign, ...] = ()
    after_post: tuple[Assign, ...] = ()
    sends: Expr = SENT
    every: Every | None = None
    bounds: tuple[Expr | None, Expr | None] = (None, None)
    description: str = ""
    source: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def states(self) -> tuple[StateVariable, ...]:
        """All but the weight."""
        return (*self.signal, *self.pre, *self.post, *self.own)

    def draws(self) -> list[tuple[int, str]]:
        """(number, name) of the calls of random()."""
        return draws([self.sends, *(a.expr for h in HANDLERS for a in getattr(self, h))])

    @property
    def recordable(self) -> tuple[str, ...]:
        """What a connection can be asked for: the weight and its own states, and the third factor."""
        return (WEIGHT, *(s.name for s in (*self.own, *self.signal)))

    def drifted(self) -> tuple[Assign, ...]:
        """What a time ELAPSED without events does to the weight, before other states decay: CROSSING is when
        its drift changes sign (or the end), up to which and from which on it moves one way, so that two
        clips keep it within its bounds at all times.
        """
        if not self.drift:
            return ()
        zero = _crossing(self.drift) if self.bounds != (None, None) else None
        whole = _sum([t.integral(ELAPSED) for t in self.drift])
        if zero is None:
            return (Assign(WEIGHT, self.clipped(Bin("+", Name(WEIGHT), whole))),)
        part = _sum([t.integral(CROSSING) for t in self.drift])
        return (
            Assign(CROSSING.id, zero),
            Assign(WEIGHT, self.clipped(Bin("+", Name(WEIGHT), part))),
            Assign(WEIGHT, self.clipped(Bin("+", Name(WEIGHT), Bin("-", whole, part)))),
        )

    def unit_of(self, variable: str) -> str:
        """The unit of a state, or of the weight."""
        return self.weight_unit if variable == WEIGHT else {s.name: s.unit for s in self.states}[variable]

    def handler(self, name: str) -> tuple[Assign, ...]:
        """The assignments of one of HANDLERS, those of the weight clipped."""
        given: tuple[Assign, ...] = getattr(self, name)
        return tuple(Assign(a.variable, self.clipped(a.expr)) if a.variable == WEIGHT else a for a in given)

    def clipped(self, expr: Expr) -> Expr:
        """An expression, not less than the first bound and not more than the second, whichever is larger."""
        low, high = self.bounds
        if low is not None and high is not None:
            low, high = Call("min", (low, high)), Call("max", (low, high))
        if low is not None:
            expr = Call("max", (expr, low))
        return expr if high is None else Call("min", (expr, high))

    def clipped_name(self) -> Expr:
        """The weight, within its bounds."""
        return self.clipped(Name(WEIGHT))

    def reads(self, *handlers: str) -> frozenset[str]:
        """The symbols that these handlers read; "sends" is what is sent, "decay" what decays read."""
        out: set[str] = set()
        for h in handlers:
            if h == "sends":
                out |= names(self.sends)
            elif h == "decay":
                for d in self.decay.values():
                    out |= names(d.rate) | (names(d.rest) if d.rest is not None else frozenset())
            else:
                for a in self.handler(h):
                    out |= names(a.expr)
        return frozenset(out)

    def own_all(self, varying: frozenset[str]) -> Rule:
        """The same rule with those states of source and target that depend on parameters in `varying` kept
        for each connection.
        """
        moved: set[str] = set()
        for states, after in ((self.pre, self.after_pre), (self.post, self.after_post)):
            here, more = {s.name for s in states}, True
            while more:
                read = {
                    s: frozenset().union(
                        names(self.decay[s].rate) if s in self.decay else frozenset(),
                        names(self.decay[s].rest or Num(0.0)) if s in self.decay else frozenset(),
                        *(names(a.expr) for a in after if a.variable == s),
                        names(next(x for x in states if x.name == s).initial),
                    )
                    for s in here - moved
                }
                found = {s for s, r in read.items() if r & (varying | moved)}
                moved |= found
                more = bool(found)
        if not moved:
            return self
        own = tuple(s for s in (*self.pre, *self.post) if s.name in moved)
        return replace(
            self,
            pre=tuple(s for s in self.pre if s.name not in moved),
            post=tuple(s for s in self.post if s.name not in moved),
            own=(*self.own, *own),
        )

    def text(self) -> str:
        """Everything that it means, as text: what fingerprints are made of."""
        rows = [f"rule {self.name}", f"weight {self.weight_unit}"]
        for owner in ("signal", "pre", "post", "own"):
            rows += [f"{owner} {s.name} {s.unit} {emit(s.initial)}" for s in getattr(self, owner)]
        for s, d in self.decay.items():
            rows.append(f"decay {s} {emit(d.rate)} {emit(d.rest) if d.rest is not None else 0}")
        for h in HANDLERS:
            rows += [f"{h} {a.variable} = {emit(a.expr)}" for a in getattr(self, h)]
        rows += [f"drift {emit(t.amplitude)} {emit(t.rate)}" for t in self.drift]
        rows += [f"sends {emit(self.sends)}"]
        if self.every is not None:
            rows += [f"every {self.every.interval}"]
            rows += [f"every {a.variable} = {emit(a.expr)}" for a in self.every.assignments]
        rows += [f"bound {emit(b) if b is not None else None}" for b in self.bounds]
        return "\n".join(rows)


def _sum(parts: list[Expr]) -> Expr:
    out = parts[0]
    for p in parts[1:]:
        out = Bin("+", out, p)
    return out


def _crossing(terms: tuple[Term, ...]) -> Expr | None:
    """When the sum of two terms changes its sign, between 0 and ELAPSED; ELAPSED if it does not."""
    if len(terms) < 2:
        return None
    if len(terms) > 2:
        raise ModelError(
            "equations: dweight/dt",
            f"has {len(terms)} terms, and with bounds at most two are kept within them at all times",
            "join them, like c*(n - b), or leave the bounds out",
        )
    a, b = terms
    when = Bin("/", Call("ln", (Neg(Bin("/", a.amplitude, b.amplitude)),)), Bin("-", a.rate, b.rate))
    inside = Logic("and", (Cmp(">", when, Num(0.0, TIME)), Cmp("<", when, ELAPSED)))
    return Where(inside, when, ELAPSED)


def check_trace(rule: Rule, variable: str, path: str) -> None:
    """ModelError if a connection has nothing of that name."""
    if variable not in rule.recordable:
        raise ModelError(path, f"'{rule.name}' has no '{variable}'", suggestion(variable, rule.recordable))
