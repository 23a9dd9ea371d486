"""Synapses that presynaptic spikes alone move: a receptor, which is folded into the cell, and a rule of the
connection (`pt.synapse_type`), in place of a cell for each connection.

A synapse can be taken apart if what the cell sees of it is linear in some states, the kernel, to which each
event adds one factor (the same for all of them) times constants, and all other states are the connection's
own: each decays by itself, is moved by events and read in the factor only. The rule sees a spike when it is
sent and the receptor when it arrives; since all spikes of a connection take the same time, its states go
through the same values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portable.dynamics.dimensions import dimension_of
from portable.dynamics.expressions import Bin, Call, Expr, Name, Neg, Num, names, substitute, walk
from portable.dynamics.lems.flat_model import SPIKE, FlatModel, Statement
from portable.dynamics.lems.instance import Instance
from portable.dynamics.lems.lump import linear
from portable.dynamics.lems.names import identifier, unused
from portable.dynamics.linear import ONE, affine
from portable.dynamics.synapse import ARGUMENTS, WEIGHT
from portable.errors import ModelError
from portable.model.synapses import SynapseType, synapse_type
from portable.schemas.neuroml.celltype import quantity_text, text, unit_text
from portable.units import NONE, Dimension


@dataclass(frozen=True)
class Parts:
    """An event taken apart. `before` and `after`: assignments of the connection's states before and after the
    factor is read; `jumps`: what a kernel state gets of the factor.
    """

    factor: Expr
    jumps: dict[str, Expr]
    before: list[Statement]
    after: list[Statement]


@dataclass(frozen=True)
class Learned:
    """A synapse as a rule. `states`: (instance, variable) of the connection's own. `singly` is the same for
    sources that can spike twice in a step: the second spike finds what the first has left, at the cost of one
    more state.
    """

    kind: SynapseType
    singly: SynapseType
    states: frozenset[tuple[int, str]]


def learned(id: str, flat: FlatModel, shown: Iterable[str], port: str) -> Learned | None:
    """A synapse on its own, with the names of what the cell takes from it; None where it is no rule."""
    shown = list(shown)
    kernel = _kernel(flat, shown)
    own = frozenset(flat.states) - kernel
    if not own or not kernel or not linear(flat, shown, kernel):
        return None
    known = own | flat.parameters.keys()
    for s in own:
        read = names(flat.inlined(flat.initial.get(s, Num(0.0))))
        if read - flat.parameters.keys() or not _decays(flat, s):
            return None
    parts = taken_apart(flat, flat.events.get(port, []), own, known)
    if parts is None:
        return None
    try:
        return Learned(
            _type(identifier(id), flat, own, parts, singly=False),
            _type(identifier(f"{id}_singly"), flat, own, parts, singly=True),
            frozenset(key for key, symbol in flat.symbols.items() if symbol in own),
        )
    except ModelError:  # a name that a rule keeps for itself, or a decay that has no exact form
        return None


def _kernel(flat: FlatModel, shown: list[str]) -> frozenset[str]:
    """The states that what is shown depends on, between events."""
    states = frozenset(flat.states)
    found: frozenset[str] = frozenset()
    more = frozenset().union(*(names(flat.inlined(Name(n))) & states for n in shown))
    while more - found:
        found |= more
        read = [flat.derivatives[s] for s in found if s in flat.derivatives]
        for test, statements in flat.conditions:
            read += [x for s, e in statements if s in found for x in (test, e)]
        more = frozenset().union(*(names(flat.inlined(e)) & states for e in read))
    return found


def _decays(flat: FlatModel, state: str) -> bool:
    """Whether nothing but its own value and constants move a state between events."""
    if any(s == state for _, statements in flat.conditions for s, _ in statements):
        return False
    if state not in flat.derivatives:
        return True
    parts = affine(flat.inlined(flat.derivatives[state]), frozenset(flat.states))
    return (
        parts is not None
        and not set(parts) - {state, ONE}
        and not frozenset().union(*map(names, parts.values())) - flat.parameters.keys()
    )


def taken_apart(
    flat: FlatModel, statements: list[Statement], own: frozenset[str], known: frozenset[str]
) -> Parts | None:
    """The statements of an event; None if they are of another form. `known`: what they may read besides the
    weight and the state that they assign.
    """
    kernel = frozenset(flat.states) - own
    table = _reading(flat, own)
    theirs = {WEIGHT, *own}  # what the factor is made of: also the parameters by which the states are moved
    for s, e in statements:
        if s in own:
            theirs |= names(flat.inlined(e)) & flat.parameters.keys()
    jumps: dict[str, Expr] = {}
    before: list[Statement] = []
    after: list[Statement] = []
    factors: list[Expr] = []
    for state, expr in statements:
        moved = {s for s, _ in (*before, *after)}
        seen = table.keys() & names(expr)  # derived variables keep their values of before the event
        whole = substitute(expr, table)
        if state == SPIKE or any(names(table[n]) & moved for n in seen) or _random(whole):
            return None
        if state in own:
            if names(flat.inlined(whole)) - known - {WEIGHT}:
                return None
            (after if jumps else before).append((state, whole))
            continue
        added = affine(whole, kernel)
        if after or state in jumps or added is None or set(added) != {ONE, state}:
            return None
        if added[state] != Num(1.0) or names(flat.inlined(added[ONE])) - known - {WEIGHT}:
            return None
        mine, rest = _factored(flat, added[ONE], frozenset(theirs))
        factors.append(mine)
        jumps[state] = rest
    if not factors or any(text(f) != text(factors[0]) for f in factors[1:]):
        return None
    return Parts(factors[0], jumps, before, after)


def _reading(flat: FlatModel, own: frozenset[str]) -> dict[str, Expr]:
    """The derived variables that depend on some states, written out as far as they do."""
    table: dict[str, Expr] = {}
    for n, (e, _) in flat.derived.items():
        whole = substitute(e, table)
        if names(whole) & own or names(e) & table.keys():
            table[n] = whole
    return table


def _random(e: Expr) -> bool:
    return any(isinstance(x, Call) and x.fn == "random" for x in walk(e))


def _factored(flat: FlatModel, e: Expr, symbols: frozenset[str]) -> tuple[Expr, Expr]:
    """e as a product of what reads some symbols and what does not."""
    match e:
        case Neg(x):
            mine, rest = _factored(flat, x, symbols)
            return mine, Neg(rest)
        case Bin("*", a, b):
            (m, r), (n, s) = _factored(flat, a, symbols), _factored(flat, b, symbols)
            return _product(m, n), _product(r, s)
        case Bin("/", a, b):
            (m, r), (n, s) = _factored(flat, a, symbols), _factored(flat, b, symbols)
            return (m if n == Num(1.0) else Bin("/", m, n)), (r if s == Num(1.0) else Bin("/", r, s))
    return (e, Num(1.0)) if names(flat.inlined(e)) & symbols else (Num(1.0), e)


def _product(a: Expr, b: Expr) -> Expr:
    return b if a == Num(1.0) else a if b == Num(1.0) else Bin("*", a, b)


def _dimension(flat: FlatModel, e: Expr) -> Dimension:
    known = {n: d for n, (_, d) in (*flat.parameters.items(), *flat.derived.items())} | flat.states
    return dimension_of(e, {**known, WEIGHT: NONE})


def _type(id: str, flat: FlatModel, own: frozenset[str], parts: Parts, *, singly: bool) -> SynapseType:
    """The rule as text. singly: everything is done in on_pre, for each spike in turn."""
    read: set[str] = set()
    short = _short(flat)

    def shown(e: Expr) -> str:
        whole = flat.inlined(e)
        read.update(names(whole) & flat.parameters.keys())
        return text(substitute(whole, {n: Name(s) for n, s in short.items()}))

    def block(statements: list[Statement]) -> str:
        return "; ".join(f"{short.get(s, s)} = {shown(e)}" for s, e in statements)

    states = [s for s in flat.states if s in own]
    lines = [
        f"d{short[s]}/dt = {shown(flat.derivatives[s])} : {unit_text(flat.states[s])}"
        if s in flat.derivatives
        else f"{short[s]} : {unit_text(flat.states[s])}"
        for s in states
    ]
    starts = {short[s]: shown(flat.initial.get(s, Num(0.0, flat.states[s]))) for s in states}
    dimension = _dimension(flat, parts.factor)
    factor = parts.factor if dimension == NONE else Bin("/", parts.factor, Num(1.0, dimension))
    share, weighted = _weighted(factor)
    plain = weighted and not any(WEIGHT in names(flat.inlined(e)) for _, e in (*parts.before, *parts.after))
    arguments: dict[str, Any] = {
        "on_pre": block(parts.before),
        "after_pre": block(parts.after),
        "sends": shown(factor),
    }
    if singly and parts.after:
        sent = unused("released", short.values())
        lines.append(f"{sent} : 1")
        moved = [*parts.before, (sent, share if weighted else factor), *parts.after]
        arguments = {"on_pre": block(moved), "sends": f"weight*{sent}" if weighted else sent}
    return synapse_type(
        id,
        parameters={short[n]: quantity_text(*flat.parameters[n]) for n in flat.parameters if n in read},
        equations="\n".join(lines),
        initial={s: e for s, e in starts.items() if e != "0.0"},
        weight_unit="" if plain else "1",
        **arguments,
    )


def _short(flat: FlatModel) -> dict[str, str]:
    """What the rule calls states and parameters: as their own type does, where that is clear."""
    known = {n: v for (_, v), n in flat.symbols.items() if n in flat.states or n in flat.parameters}
    known = {n: known.get(n, n) for n in (*flat.states, *flat.parameters)}
    taken = Counter([*known.values(), *known, WEIGHT, *ARGUMENTS])
    return {n: v if taken[v] == 1 + (n == v) else n for n, v in known.items()}


def _weighted(factor: Expr) -> tuple[Expr, bool]:
    """What a weight is multiplied by, and whether the factor is a weight times that."""
    parts = affine(factor, frozenset({WEIGHT}))
    if parts is None or set(parts) != {WEIGHT}:
        return factor, False
    return parts[WEIGHT], True


def stripped(flat: FlatModel, instance: Instance, port: str, states: frozenset[tuple[int, str]]) -> None:
    """Leave of a synapse in a cell's flat model the receptor alone."""
    own = frozenset(flat.symbols[key] for key in states)
    parts = taken_apart(flat, flat.events[port], own, frozenset({*flat.states, *flat.parameters}))
    assert parts is not None  # it is what `learned` has seen
    dimension = _dimension(flat, parts.factor)
    one: Expr = Name(WEIGHT) if dimension == NONE else Bin("*", Name(WEIGHT), Num(1.0, dimension))
    flat.events[port] = [(s, Bin("+", Name(s), _product(one, c))) for s, c in parts.jumps.items()]
    gone = {*own, *_reading(flat, own)}
    for table in (flat.states, flat.initial, flat.derivatives, flat.derived):
        for n in gone & table.keys():
            del table[n]
    _unread(flat, instance)
    left = {*flat.states, *flat.derived, *flat.parameters, *flat.inputs}
    for key in [k for k, n in flat.symbols.items() if n not in left]:
        del flat.symbols[key]


def _unread(flat: FlatModel, instance: Instance) -> None:
    """Take out the synapse's parameters that nothing reads any more."""
    read: set[str] = set()
    for e in (
        *flat.initial.values(),
        *(e for e, _ in flat.derived.values()),
        *flat.derivatives.values(),
        *(x for test, statements in flat.conditions for x in (test, *(e for _, e in statements))),
        *(e for statements in flat.events.values() for _, e in statements),
    ):
        read |= names(e)
    inside = {id(i) for i in instance.everything()}
    mine = {n for (i, _), n in flat.symbols.items() if i in inside and n in flat.parameters}
    for n in mine - read:
        del flat.parameters[n]
