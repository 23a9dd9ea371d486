"""A flat LEMS model -> pt.cell_type, as text in our own grammar, so that an imported cell is like one that a
user wrote.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
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
    children,
    names,
    substitute,
    walk,
)
from portable.dynamics.lems.flat_model import SPIKE, FlatModel
from portable.errors import ModelError
from portable.model.cells import CellType
from portable.model.types import cell_type
from portable.units import NONE, TIME, Dimension, coherent_unit, shift

_LEVEL = {"or": 1, "and": 2, "not": 3, "cmp": 4, "+": 5, "-": 5, "*": 6, "/": 6, "neg": 7, "^": 8}
MAX_TERMS, MAX_DEPTH = 300, 20
MAX_WRITTEN = 20_000


def unit_text(d: Dimension) -> str:
    """The coherent unit of a dimension as text that `units.unit` reads: "mV", or built from mV, pA, ms, um,
    K, mol.
    """
    known = coherent_unit(d)
    if d == NONE:
        return "1"
    if "ng" not in known and "amol" not in known and "*" not in known:
        return known
    if d.j:
        raise ModelError("", f"a dimension with luminous intensity ({known}) has no unit here")
    parts = (
        ("mV", d.m),
        ("pA", d.i + d.m),
        ("ms", d.t + 3 * d.m),
        ("um", d.l - 2 * d.m),
        ("K", d.k),
        ("mol", d.n),
    )
    return "*".join(f"{u}^{e}" if e != 1 else u for u, e in parts if e)


def quantity_text(value: float, d: Dimension) -> Any:
    """A coherent value with its unit; amounts of substance by the mole, which is 1e18 of ours."""
    if d == NONE:
        return value
    unit = unit_text(d)
    return f"{float(shift(value, -18 * d.n)) if 'mol' in unit else value!r} {unit}"


def number(value: float, d: Dimension) -> str:
    """A literal with its unit."""
    if d == NONE:
        return repr(value)
    unit = unit_text(d)
    if "*" not in unit and "^" not in unit and "/" not in unit and unit not in ("1",):
        return f"{value!r} {unit}"
    parts = (
        ("mV", d.m),
        ("pA", d.i + d.m),
        ("ms", d.t + 3 * d.m),
        ("um", d.l - 2 * d.m),
        ("K", d.k),
        ("mol", d.n),
    )
    factors = [f"(1.0 {u})^{e}" if e != 1 else f"(1.0 {u})" for u, e in parts if e > 0] + [
        f"/(1.0 {u})^{-e}" if e != -1 else f"/(1.0 {u})" for u, e in parts if e < 0
    ]
    scaled = float(shift(value, -18 * d.n))
    return repr(scaled) + "".join(f if f.startswith("/") else f"*{f}" for f in factors)


def text(e: Expr, outer: int = 0) -> str:
    """An expression in our grammar, with brackets only where they are needed (^ groups to the left, as in
    LEMS).
    """
    match e:
        case Num(value, d):
            if not math.isfinite(value):
                raise ModelError("", f"a number in an equation is {value}")
            shown = number(value, d)
            return (
                shown
                if value >= 0
                and (d == NONE or (" " in shown and "*" not in shown))
                and not (outer >= 8 and d != NONE)
                else f"({shown})"
            )
        case Name(id):
            return id
        case Neg(x):
            return _in(f"-{text(x, 8)}", 7, outer + (outer >= 6))
        case Bin(op, a, b):
            level = _LEVEL[op]
            return _in(f"{text(a, level)}{op if op in '^' else f' {op} '}{text(b, level + 1)}", level, outer)
        case Cmp(op, a, b):
            return _in(f"{text(a, 5)} {op} {text(b, 5)}", 4, outer)
        case Logic("not", (x,)):
            return _in(f"not {text(x, 4)}", 3, outer)
        case Logic(op, (a, b)):
            return _in(f"{text(a, _LEVEL[op])} {op} {text(b, _LEVEL[op] + 1)}", _LEVEL[op], outer)
        case Where(test, a, b):
            return f"where({text(test)}, {text(a)}, {text(b)})"
        case Call(fn, args):
            return f"{fn}({', '.join(text(a) for a in args)})"
    raise AssertionError(e)


def _in(shown: str, level: int, outer: int) -> str:
    return f"({shown})" if level < outer else shown


def make(name: str, flat: FlatModel, compartments: int = 1) -> CellType:
    """The cell type of a flat model. Parameters keep the values of the component as defaults."""
    lines = [f"{n} = {text(e)} : {unit_text(d)}" for n, (e, d) in flat.derived.items()]
    lines += [
        f"d{s}/dt = {text(flat.derivatives.get(s, Num(0.0)))} : {unit_text(d)}"
        for s, d in flat.states.items()
    ]
    starts = {s: started(flat, s) for s in flat.states}
    arguments: dict[str, Any] = {
        "equations": "\n".join(lines),
        "parameters": {n: quantity_text(v, d) for n, (v, d) in flat.parameters.items()},
        "conditions": [
            (text(test), "; ".join(_statement(s, e) for s, e in statements))
            for test, statements in flat.conditions
            if statements
        ],
        "events": {
            p: "; ".join(_statement(s, e) for s, e in statements) for p, statements in flat.events.items()
        },
        "weight_units": dict.fromkeys(flat.events, "1"),
        "inputs": {n: unit_text(d) for n, d in flat.inputs.items()},
        "initial": {s: e for s, e in starts.items() if e != "0.0"},
        "compartments": compartments,
        "integrator": "euler" if explosive(flat) else "",
    }
    return cell_type(name, **_relayed(arguments, flat))


def explosive(flat: FlatModel) -> bool:
    """Whether a spike resets a state whose slope has an exponential of that state: between the threshold's
    tests it grows without bound, and the inner evaluations of a Runge-Kutta step overflow. Such cells take
    LEMS' own method, forward Euler. An exponential below a fraction line (a magnesium block, rates of gates)
    keeps the slope bounded."""
    reset = {s for _, statements in flat.conditions for s, _ in statements}
    for state in reset & flat.derivatives.keys():
        slope = flat.inlined(flat.derivatives[state])
        if _grows(slope, state):
            return True
    return False


def _grows(e: Expr, state: str) -> bool:
    match e:
        case Call("exp", _):
            return state in names(e)
        case Bin("/", a, _):
            return _grows(a, state)
    return any(_grows(c, state) for c in children(e))


def _relayed(arguments: dict[str, Any], flat: FlatModel) -> dict[str, Any]:
    """A spike that an event sends at once goes by a state and a condition, tested in the same step after the
    events.
    """
    if not any(s == SPIKE for statements in flat.events.values() for s, _ in statements):
        return arguments
    arguments["events"] = {
        p: re.sub(r"\bspike\b", "relayed = 1.0", e) for p, e in arguments["events"].items()
    }
    arguments["equations"] += "\ndrelayed/dt = 0.0 : 1"
    arguments["conditions"] = [("relayed > 0.5", "relayed = 0.0; spike"), *arguments["conditions"]]
    return arguments


def _statement(variable: str, e: Expr) -> str:
    return "spike" if variable == SPIKE else f"{variable} = {text(e)}"


def started(flat: FlatModel, state: str) -> str:
    """A state's initial value as text: an expression of parameters, or its number where that would be
    long.
    """
    if _terms(flat, state, {}) > MAX_WRITTEN:
        raise ModelError(
            f"initial value of '{state}'",
            f"with all that it reads written out it has more than {MAX_WRITTEN} terms",
            "assign a number or a parameter",
        )
    expr = _start(flat, state, ())
    if sum(1 for _ in walk(expr)) <= MAX_TERMS and _depth(expr) <= MAX_DEPTH:
        return text(expr)
    with np.errstate(all="ignore"):
        value = float(evaluate(expr, {n: v for n, (v, _) in flat.parameters.items()} | {"t": 0.0}))
    return text(Num(value, flat.states[state]))


def _start(flat: FlatModel, state: str, path: tuple[str, ...]) -> Expr:
    if state in path or state not in flat.initial:
        return Num(0.0, flat.states[state])
    return _settled(flat, flat.initial[state], (*path, state))


def _settled(flat: FlatModel, e: Expr, path: tuple[str, ...]) -> Expr:
    """An expression at the start: states by their initial values, derived variables written out, inputs and
    the time 0.
    """
    table: dict[str, Expr] = {}
    for n in names(e):
        if n in flat.states:
            table[n] = _start(flat, n, path)
        elif n in flat.derived:
            table[n] = _settled(flat, flat.derived[n][0], path)
        elif n in flat.inputs:
            table[n] = Num(0.0, flat.inputs[n])
        elif n == "t":
            table[n] = Num(0.0, TIME)
    return substitute(e, table)


def _terms(flat: FlatModel, name: str, known: dict[str, int]) -> int:
    """How many terms `_start` would write."""
    if name not in known:
        known[name] = 1  # while it is being counted
        expr = (
            flat.initial.get(name)
            if name in flat.states
            else flat.derived[name][0]
            if name in flat.derived
            else None
        )
        if expr is not None:
            known[name] = sum(_terms(flat, e.id, known) if isinstance(e, Name) else 1 for e in walk(expr))
    return known[name]


def _depth(e: Expr) -> int:
    return 1 + max((_depth(c) for c in children(e)), default=0)
