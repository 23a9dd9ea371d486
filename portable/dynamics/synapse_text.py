"""Rules of plastic synapses from text: the route that the library and users' own rules share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from portable.dynamics.component import Assign, StateVariable
from portable.dynamics.expressions import Bin, Call, Expr, Name, Neg, Num, names, substitute, transform, walk
from portable.dynamics.linear import ONE, affine
from portable.dynamics.random_calls import has_random
from portable.dynamics.synapse import ARGUMENTS, SUMS, WEIGHT, Decay, Every, Rule, Term
from portable.dynamics.text import Reader, identifier, read_parameters
from portable.errors import ModelError
from portable.frozen import Frozen
from portable.units import TIME, Dimension, quantity, unit


def rule(
    name: str,
    *,
    parameters: Mapping[str, Any],
    weight_unit: str,
    pre_traces: str = "",
    post_traces: str = "",
    equations: str = "",
    signal_traces: str = "",
    on_signal: str = "",
    on_pre: str = "",
    on_post: str = "",
    after_pre: str = "",
    after_post: str = "",
    sends: str = WEIGHT,
    every: tuple[Any, str] | None = None,
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
        reader.rules = True
        for reserved in ("t", "i_ext"):
            del reader.symbols[reserved]
        dimension = unit(weight_unit).dimension
        owned = {}
        equations, drifts = _drift_line(equations)
        for owner, text in (
            ("signal", signal_traces), ("pre", pre_traces), ("post", post_traces), ("own", equations)
        ):  # fmt: skip
            before, place = set(reader.states), {"own": "equations"}.get(owner, f"{owner}_traces")
            reader.equations(text, place, bare=True)
            owned[owner] = tuple(n for n in reader.states if n not in before)
        if reader.flagged:
            raise ModelError("equations", "a synapse has no (held) states", "drop the flag")
        reader.symbols[WEIGHT] = dimension
        reader.initial(initial or {})
        reader.states[WEIGHT] = StateVariable(WEIGHT, weight_unit, Num(0.0, dimension))
        read = {
            n: reader.assignments(text, n)
            for n, text in (
                ("on_signal", on_signal), ("on_pre", on_pre), ("on_post", on_post),
                ("after_pre", after_pre), ("after_post", after_post),
            )
        }  # fmt: skip
        sent = reader.checked(sends, "sends", dimension)
        low, high = (
            Num(0.0, dimension) if b == "0" else b and reader.checked(b, "bounds", dimension)
            for b in _two(bounds)
        )
        _places(reader, owned, read, (low, high), every is not None)
        regular = None if every is None else _every(reader, owned, every, dimension)
        inlined = {d.name: d.expr for d in reader.derived}
        for n in inlined:  # each may read those before it
            inlined[n] = substitute(inlined[n], {k: v for k, v in inlined.items() if k != n})

        def whole(e: Expr) -> Expr:
            return substitute(e, inlined)

        decay = {s: _decay(s, whole(e), owned) for s, e in reader.derivatives.items()}
        _no_draws(reader, (low, high), regular)
        moving: tuple[Term, ...] = ()
        if drifts:
            slope = reader.checked(drifts, "equations: dweight/dt", dimension.over(TIME))
            moving = _terms(whole(slope), frozenset(reader.states) - {WEIGHT}, decay)
    except ModelError as error:
        raise error.under(f"synapse_type '{name}'") from None
    called = count()
    sent = _numbered(sent, called)
    read = {
        h: tuple(Assign(a.variable, _numbered(a.expr, called)) for a in given) for h, given in read.items()
    }
    return Rule(
        name=name,
        parameters=reader.parameters,
        weight_unit=weight_unit,
        pre=tuple(reader.states[n] for n in owned["pre"]),
        post=tuple(reader.states[n] for n in owned["post"]),
        own=tuple(reader.states[n] for n in owned["own"]),
        signal=tuple(reader.states[n] for n in owned["signal"]),
        drift=moving,
        decay=Frozen(decay),
        **{h: tuple(Assign(a.variable, whole(a.expr)) for a in given) for h, given in read.items()},
        sends=whole(sent),
        every=regular
        and Every(regular.interval, tuple(Assign(a.variable, whole(a.expr)) for a in regular.assignments)),
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


def _numbered(expr: Expr, number: Iterator[int]) -> Expr:
    """The same with the next number's name for each draw (dynamics.random_calls): random(x) is x times it,
    binomial(n, p) gets it as a first argument.
    """

    def new(e: Expr) -> Expr:
        if isinstance(e, Call) and e.fn in ("random", "binomial"):
            drawn = Name(f"random_{next(number)}_")
            return Bin("*", e.args[0], drawn) if e.fn == "random" else Call(e.fn, (drawn, *e.args))
        return e

    return transform(expr, new)


def _no_draws(reader: Reader, bounds: tuple[Expr | None, Expr | None], every: Every | None) -> None:
    """ModelError if random() stands where a number has to be the same however often it is looked at."""
    places: list[tuple[str, Expr]] = [(f"equations: d{s}/dt", e) for s, e in reader.derivatives.items()]
    places += [(f"equations: {d.name}", d.expr) for d in reader.derived]
    places += [("bounds", b) for b in bounds if b is not None]
    places += [(f"initial['{s.name}']", s.initial) for s in reader.states.values()]
    places += [("every", a.expr) for a in every.assignments] if every else []
    for place, expr in places:
        if has_random(expr) or any(isinstance(e, Call) and e.fn == "binomial" for e in walk(expr)):
            raise ModelError(place, "nothing can be drawn here", "draw in on_pre, on_post or sends")


def _every(reader: Reader, owned: Mapping[str, tuple[str, ...]], given: Any, dimension: Dimension) -> Every:
    """(interval, statements)."""
    if not isinstance(given, (tuple, list)) or len(given) != 2 or not isinstance(given[1], str):
        raise ModelError(
            "every", f"expected (interval, statements), got {given!r}", 'write ("100 ms", "weight *= 0.9")'
        )
    interval = quantity(given[0], "ms", "every")
    if interval.value <= 0:
        raise ModelError("every", f"must be > 0 ms, got {interval}", "leave it out")
    made = reader.assignments(given[1], "every", dict.fromkeys(SUMS, dimension))
    traces = {*owned["pre"], *owned["post"], *owned["signal"]}
    for a in made:
        if wrong := (names(a.expr) | {a.variable}) & traces:
            raise ModelError(
                "every",
                f"'{min(wrong)}' is a trace of cells",
                "declare it under equations, as a state of connections",
            )
    return Every(interval, made)


def _drift_line(equations: str) -> tuple[str, str]:
    """The equations without that of the weight, and its right-hand side or ""."""
    found = re.search(r"(?m)^\s*dweight\s*/\s*dt\s*=(.*?):[^:\n]*$", equations)
    if not found:
        return equations, ""
    return equations.replace(found[0], ""), found[1].strip()


def _terms(expr: Expr, states: frozenset[str], decay: Mapping[str, Decay]) -> tuple[Term, ...]:
    """A drift as a sum of products of states that decay to 0."""
    out = []
    for factor, product in _products(expr, states):
        amplitude, rate = factor, None
        for s in product:
            if s in decay and decay[s].rest is not None:
                raise ModelError(
                    "equations: dweight/dt",
                    f"'{s}' does not decay to 0",
                    "write the difference from its rest",
                )
            amplitude = _times(amplitude, Name(s))
            own = decay[s].rate if s in decay else None
            rate = own if rate is None else rate if own is None else Bin("+", rate, own)
        out.append(Term(amplitude, rate or Num(0.0)))
    return tuple(out)


def _products(expr: Expr, states: frozenset[str]) -> list[tuple[Expr, tuple[str, ...]]]:
    """(factor without states, states) of each term."""
    if not names(expr) & states:
        return [(expr, ())]
    match expr:
        case Name(id):
            return [(Num(1.0), (id,))]
        case Neg(x):
            return [(_negated(f), s) for f, s in _products(x, states)]
        case Bin("+", a, b):
            return [*_products(a, states), *_products(b, states)]
        case Bin("-", a, b):
            return [*_products(a, states), *((_negated(f), s) for f, s in _products(b, states))]
        case Bin("*", a, b):
            return [
                (_times(f, g), (*s, *t)) for f, s in _products(a, states) for g, t in _products(b, states)
            ]
        case Bin("/", a, b) if not names(b) & states:
            return [(Bin("/", f, b), s) for f, s in _products(a, states)]
    raise ModelError(
        "equations: dweight/dt",
        "is no sum of products of states, so it has no exact form between spikes",
        "write for example dweight/dt = c*(n - b)",
    )


def _times(a: Expr, b: Expr) -> Expr:
    return b if a == Num(1.0) else a if b == Num(1.0) else Bin("*", a, b)


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
    regular: bool,
) -> None:
    """Who may assign what, and read what."""
    derived = {d.name for d in reader.derived}
    states = frozenset(reader.states) | derived
    own = {*owned["own"], WEIGHT}
    for n in (*owned["pre"], *owned["post"], *owned["signal"]):
        if reader.states[n].initial != Num(0.0, reader.states[n].dimension):
            raise ModelError(f"initial['{n}']", "traces start at 0", "declare it under equations")
    for handler, given in read.items():
        side = handler.split("_")[1]
        allowed = {*owned[side], *owned["own"]} if handler.startswith("after") else own
        if side == "signal":
            allowed = {*own, *owned[side]}
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
    if read["on_signal"] and not owned["signal"] and not own:
        raise ModelError("on_signal", "moves nothing", "declare signal_traces")
    if not any(read.values()) and not regular:
        raise ModelError("on_pre", "no spike does anything", "use pt.StaticSynapse for a constant weight")
