"""Plastic synapses: what a connection does when its source or its target spikes.

A synapse has a clock of its own: of its delay d = a + b the axonal part a passes before a presynaptic spike
is seen, the dendritic part b before a postsynaptic one is (ARCHITECTURE.md, "What a plastic synapse means").
At one instant, in this order: `on_post`, `on_pre`, what is sent, `after_post` and `after_pre`. So no handler
sees a trace that a spike of the same instant has moved. Between instants states decay, exactly.

A state belongs to the source (pre), the target (post) or the connection (own). A state of the source is the
same number for all its connections as long as nothing in it differs between them; otherwise it is kept for
each connection (`own_all`), which gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from portable.dynamics.component import Assign, Parameter, StateVariable
from portable.dynamics.emit import emit
from portable.dynamics.expressions import Bin, Call, Expr, Name, Neg, Num, names, substitute
from portable.dynamics.linear import ONE, affine
from portable.dynamics.text import Reader, identifier, read_parameters
from portable.errors import ModelError, suggestion
from portable.frozen import Frozen
from portable.units import NONE, TIME, unit

WEIGHT = "weight"
SENT = Name(WEIGHT)  # unless a rule says otherwise
# what a synapse has beside its parameters, in a call of its type or in a document
ARGUMENTS = ("type", "delay", "initial", "dendritic_delay_fraction")
HANDLERS = ("on_post", "on_pre", "after_post", "after_pre")


@dataclass(frozen=True)
class Decay:
    """x' = -rate (x - rest), whose exact step over h is rest + (x - rest) exp(-rate h); rest None is 0."""

    rate: Expr
    rest: Expr | None = None


@dataclass(frozen=True)
class Rule:
    """A plastic synapse in the form that backends lower. `weight` is a state of the connection that no
    equation moves. Handlers are assignments in order; each assignment of `weight` is clipped to `bounds`
    (expressions of parameters; None: unbounded). decay: of the states that move between events.
    """

    name: str
    parameters: tuple[Parameter, ...]
    weight_unit: str
    pre: tuple[StateVariable, ...] = ()
    post: tuple[StateVariable, ...] = ()
    own: tuple[StateVariable, ...] = ()
    decay: Mapping[str, Decay] = field(default_factory=dict)
    on_pre: tuple[Assign, ...] = ()
    on_post: tuple[Assign, ...] = ()
    after_pre: tuple[Assign, ...] = ()
    after_post: tuple[Assign, ...] = ()
    sends: Expr = SENT
    bounds: tuple[Expr | None, Expr | None] = (None, None)
    description: str = ""
    source: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def states(self) -> tuple[StateVariable, ...]:
        """All but the weight."""
        return (*self.pre, *self.post, *self.own)

    @property
    def recordable(self) -> tuple[str, ...]:
        """What a connection can be asked for."""
        return (WEIGHT, *(s.name for s in self.states))

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
        for owner in ("pre", "post", "own"):
            rows += [f"{owner} {s.name} {s.unit} {emit(s.initial)}" for s in getattr(self, owner)]
        for s, d in self.decay.items():
            rows.append(f"decay {s} {emit(d.rate)} {emit(d.rest) if d.rest is not None else 0}")
        for h in HANDLERS:
            rows += [f"{h} {a.variable} = {emit(a.expr)}" for a in getattr(self, h)]
        rows += [f"sends {emit(self.sends)}"]
        rows += [f"bound {emit(b) if b is not None else None}" for b in self.bounds]
        return "\n".join(rows)


def rule(
    name: str,
    *,
    parameters: Mapping[str, Any],
    weight_unit: str,
    pre_traces: str = "",
    post_traces: str = "",
    equations: str = "",
    on_pre: str = "",
    on_post: str = "",
    after_pre: str = "",
    after_post: str = "",
    sends: str = WEIGHT,
    bounds: tuple[str | None, str | None] = (None, None),
    initial: Mapping[str, str] | None = None,
    positive: tuple[str, ...] = (),
    nonnegative: tuple[str, ...] = (),
    description: str = "",
    source: str = "",
    aliases: Mapping[str, str] | None = None,
) -> Rule:
    """Read a rule; the unit of weights is known. ModelError names the line."""
    identifier(name, "name")
    try:
        for n in parameters:
            if n in ARGUMENTS:
                raise ModelError(f"parameters['{n}']", "is what every synapse is given", f"call it {n}_0")
        reader = Reader(read_parameters(parameters, positive, nonnegative), {})
        for reserved in ("t", "i_ext"):
            del reader.symbols[reserved]
        dimension = unit(weight_unit).dimension
        owned = {}
        for owner, text in (("pre", pre_traces), ("post", post_traces), ("own", equations)):
            before, place = set(reader.states), {"own": "equations"}.get(owner, f"{owner}_traces")
            reader.equations(text, place, bare=True)
            owned[owner] = tuple(n for n in reader.states if n not in before)
        if owned["pre"] + owned["post"] + owned["own"] and reader.flagged:
            raise ModelError("equations", "a synapse has no (held) states", "drop the flag")
        reader.symbols[WEIGHT] = dimension
        reader.initial(initial or {})
        reader.states[WEIGHT] = StateVariable(WEIGHT, weight_unit, Num(0.0, dimension))
        read = {
            n: reader.assignments(text, n)
            for n, text in (
                ("on_pre", on_pre), ("on_post", on_post), ("after_pre", after_pre), ("after_post", after_post)
            )
        }  # fmt: skip
        sent = reader.checked(sends, "sends", dimension)
        low, high = (
            Num(0.0, dimension) if b == "0" else b and reader.checked(b, "bounds", dimension)
            for b in _two(bounds)
        )
        _places(reader, owned, read, (low, high))
        inlined = {d.name: d.expr for d in reader.derived}
        for n in inlined:  # each may read those before it
            inlined[n] = substitute(inlined[n], {k: v for k, v in inlined.items() if k != n})

        def whole(e: Expr) -> Expr:
            return substitute(e, inlined)

        decay = {s: _decay(s, whole(e), owned) for s, e in reader.derivatives.items()}
    except ModelError as error:
        raise error.under(f"synapse_type '{name}'") from None
    return Rule(
        name=name,
        parameters=reader.parameters,
        weight_unit=weight_unit,
        pre=tuple(reader.states[n] for n in owned["pre"]),
        post=tuple(reader.states[n] for n in owned["post"]),
        own=tuple(reader.states[n] for n in owned["own"]),
        decay=Frozen(decay),
        **{h: tuple(Assign(a.variable, whole(a.expr)) for a in given) for h, given in read.items()},
        sends=whole(sent),
        bounds=(low and whole(low), high and whole(high)),
        description=description,
        source=source,
        aliases=Frozen(aliases or {}),
    )


def _two(bounds: Any) -> tuple[Any, Any]:
    if (
        not isinstance(bounds, (tuple, list))
        or len(bounds) != 2
        or not all(b is None or (isinstance(b, str) and b.strip()) for b in bounds)
    ):
        raise ModelError(
            "bounds", f"expected two, got {bounds!r}", 'write ("w_min", "w_max"); None: no bound'
        )
    return bounds[0], bounds[1]


def _decay(state: str, expr: Expr, owned: Mapping[str, tuple[str, ...]]) -> Decay:
    every = frozenset(n for group in owned.values() for n in group) | {WEIGHT}
    parts = affine(expr, every)
    place = f"d{state}/dt"
    if parts is None or set(parts) - {state, ONE}:
        raise ModelError(
            place,
            "is not linear in itself alone, so its value between spikes has no exact form",
            f"write d{state}/dt = -{state}/tau or ({state}_0 - {state})/tau; what depends on other states "
            "goes into on_pre and on_post",
        )
    if state not in parts:
        raise ModelError(
            place, "does not decay", f"write d{state}/dt = -{state}/tau; a state without equation stays"
        )
    rate = _negated(parts[state])
    rest = Bin("/", parts[ONE], rate) if ONE in parts and parts[ONE] != Num(0.0) else None
    return Decay(rate, rest)


def _negated(expr: Expr) -> Expr:
    """-expr, written as simply as it goes: -(-1/tau) is 1/tau."""
    match expr:
        case Neg(x):
            return x
        case Bin("/" | "*" as op, a, b) if isinstance(a, (Neg, Bin)) or (isinstance(a, Num) and a.value < 0):
            return Bin(op, _negated(a), b)
        case Num(value, dimension):
            return Num(-value, dimension)
    return Neg(expr)


def _places(
    reader: Reader,
    owned: Mapping[str, tuple[str, ...]],
    read: Mapping[str, tuple[Assign, ...]],
    bounds: tuple[Expr | None, Expr | None],
) -> None:
    """Who may assign what, and read what."""
    derived = {d.name for d in reader.derived}
    states = frozenset(reader.states) | derived
    own = {*owned["own"], WEIGHT}
    for handler, given in read.items():
        side = handler.split("_")[1]
        allowed = own if handler.startswith("on_") else {*owned[side], *owned["own"]}
        for a in given:
            if a.variable not in allowed:
                other = (
                    "is a trace, which other connections read too"
                    if a.variable not in own
                    else "is changed by on_pre and on_post alone"
                )
                raise ModelError(
                    handler,
                    f"'{a.variable}' {other}",
                    f"here can be assigned: {', '.join(sorted(allowed)) or 'nothing'}",
                )
            if a.variable in owned[side] and (wrong := names(a.expr) & states - set(owned[side])):
                raise ModelError(
                    handler,
                    f"trace '{a.variable}' reads '{min(wrong)}', which is not the same for all connections",
                    f"declare {a.variable} under equations, as a state of each connection",
                )
    for b in bounds:
        if b is not None and (wrong := names(b) & states):
            raise ModelError("bounds", f"reads '{min(wrong)}'", "bounds are made of parameters only")
    for s in reader.states.values():
        if wrong := names(s.initial) & states:
            raise ModelError(f"initial['{s.name}']", f"reads '{min(wrong)}'", "it may read parameters only")
    if not any(read.values()):
        raise ModelError("on_pre", "no spike does anything", "use pt.StaticSynapse for a constant weight")


def check_trace(rule: Rule, variable: str, path: str) -> None:
    """ModelError if a connection has nothing of that name."""
    if variable not in rule.recordable:
        raise ModelError(path, f"'{rule.name}' has no '{variable}'", suggestion(variable, rule.recordable))


__all__ = ["HANDLERS", "NONE", "TIME", "WEIGHT", "Decay", "Rule", "check_trace", "rule"]
