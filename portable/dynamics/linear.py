"""Which states obey linear equations, and their exact propagators.

x' = A x + B u + c with A, B, c made of parameters only and u = i_ext constant over a step. The exact step is
x(t+dt) = exp(A dt) x(t) + [integral of exp(A s) ds] (B u + c), from the matrix exponential of the augmented
matrix, so equal time constants (tau_m = tau_syn) need no special case (Van Loan 1978,
doi:10.1109/TAC.1978.1101743).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Bin, Expr, Name, Neg, Num, Where, children, names
from portable.dynamics.flat import INJECTED, Flat, Port
from portable.units import Floats

ONE = "1"


def affine(expr: Expr, variables: frozenset[str]) -> dict[str, Expr] | None:
    """{variable: coefficient, "1": rest} if the expression is affine in `variables`; None otherwise."""
    if not names(expr) & variables:
        return {ONE: expr}
    match expr:
        case Name(id):
            return {id: Num(1.0)}
        case Neg(x):
            inner = affine(x, variables)
            return None if inner is None else {k: Neg(v) for k, v in inner.items()}
        case Bin(op, a, b) if op in "+-":
            left, right = affine(a, variables), affine(b, variables)
            if left is None or right is None:
                return None
            out = dict(left)
            for k, v in right.items():
                out[k] = Bin(op, out[k], v) if k in out else (v if op == "+" else Neg(v))
            return out
        case Bin("*", a, b):
            for factor, rest in ((a, b), (b, a)):
                if not names(factor) & variables:
                    inner = affine(rest, variables)
                    return None if inner is None else {k: Bin("*", factor, v) for k, v in inner.items()}
            return None
        case Bin("/", a, b) if not names(b) & variables:
            inner = affine(a, variables)
            return None if inner is None else {k: Bin("/", v, b) for k, v in inner.items()}
        case Where(test, a, b) if not names(test) & variables:
            yes, no = affine(a, variables), affine(b, variables)
            if yes is None or no is None:
                return None
            return {k: Where(test, yes.get(k, Num(0.0)), no.get(k, Num(0.0))) for k in yes.keys() | no.keys()}
    assert children(expr)
    return None


def plain_jumps(port: Port, flat: Flat) -> dict[str, Expr] | None:
    """The port's jumps if each is weight times something constant, so that a sum of weights can stand for the
    weight.
    """
    jumps = port.jumps()
    known = {p.name for p in flat.parameters} | {d.name for d in flat.constants} | {"weight"}
    if jumps is None or any(not names(e) <= known for e in jumps.values()):
        return None
    for expr in jumps.values():
        parts = affine(expr, frozenset({"weight"}))
        if parts is None or (ONE in parts and parts[ONE] != Num(0.0)):
            return None
    return jumps


@dataclass(frozen=True)
class Linear:
    """x' = A x + b i_ext + c over `states`; entries are expressions of parameters and constants (absent =
    0).
    """

    states: tuple[str, ...]
    a: Mapping[tuple[str, str], Expr]
    b: Mapping[str, Expr]
    c: Mapping[str, Expr]


def linear(flat: Flat) -> Linear | None:
    """The whole cell as a linear system, or None if any derivative is not affine with constant coefficients,
    or reads an input of links.
    """
    rows = {s: _affine_row(flat, s) for s in flat.derivatives}
    found = {s: row for s, row in rows.items() if row is not None}
    return _system(flat, found) if len(found) == len(rows) else None


def linear_part(flat: Flat) -> Linear | None:
    """The states of a non-linear cell that obey linear equations among themselves, whatever the others do
    (synaptic gating, alpha functions): the largest such set without states held while refractory. None if
    there is none.
    """
    rows = {s: _affine_row(flat, s) for s in flat.derivatives if s not in flat.held}
    part = {s: row for s, row in rows.items() if row is not None}
    while outside := [s for s, row in part.items() if row.keys() - part.keys() - {INJECTED, ONE}]:
        for s in outside:
            del part[s]
    return _system(flat, part) if part else None


def with_means(system: Linear) -> Linear:
    """The system and, for each state, the integral over the time since all of these were 0: state "mean" +
    name. Their propagated values over a step divided by its length are the means of the states in it.
    """
    integrals = {(f"mean {s}", s): Num(1.0) for s in system.states}
    states = (*system.states, *(f"mean {s}" for s in system.states))
    return Linear(states, {**system.a, **integrals}, system.b, system.c)


def _affine_row(flat: Flat, state: str) -> dict[str, Expr] | None:
    """{state, i_ext or "1": coefficient} of a derivative, None if it is not affine with constant
    coefficients.
    """
    expr = flat.inlined(flat.derivatives[state])
    if names(expr) & {"t", *flat.inputs}:
        return None
    return affine(expr, frozenset(flat.state_names) | {INJECTED})


def _system(flat: Flat, rows: Mapping[str, Mapping[str, Expr]]) -> Linear:
    a = {(s, k): v for s, row in rows.items() for k, v in row.items() if k not in (INJECTED, ONE)}
    b, c = ({s: row[k] for s, row in rows.items() if k in row} for k in (INJECTED, ONE))
    return Linear(tuple(s for s in flat.state_names if s in rows), a, b, c)


def fastest_rate(system: Linear, values: Mapping[str, Floats | float]) -> Floats:
    """The largest absolute eigenvalue of A (1/ms) of each cell: length n, or 1 where parameters are equal."""
    n = max([1, *(int(np.size(v)) for v in values.values())])
    index = {s: i for i, s in enumerate(system.states)}
    a = np.zeros((n, len(index), len(index)))
    for (row, column), expr in system.a.items():
        a[:, index[row], index[column]] = evaluate(expr, values)
    distinct, inverse = np.unique(a.reshape(n, -1), axis=0, return_inverse=True)
    rates = np.abs(np.linalg.eigvals(distinct.reshape(-1, *a.shape[1:]))).max(axis=1)
    return np.asarray(rates[inverse.reshape(-1)], dtype=np.float64)


@dataclass(frozen=True)
class Structure:
    """Which entries of a propagator can be other than zero, whatever the parameters: for each state the
    states that its new value reads, in the system's order; the states that i_ext and constants reach.
    """

    reads: Mapping[str, tuple[str, ...]]
    driven: frozenset[str]
    constant: frozenset[str]


def structure(system: Linear, held: tuple[str, ...] = ()) -> Structure:
    """What the matrix exponential reaches, the transitive closure of A; `held` states do not move."""
    reach = {s: {s} for s in system.states}
    direct = {s: ({c for r, c in system.a if r == s} if s not in held else set()) for s in system.states}
    for _ in system.states:
        for s in system.states:
            for other in tuple(reach[s]):
                reach[s] |= direct.get(other, set())
    driven, constant = (
        {s for s, e in row.items() if s not in held and e != Num(0.0)} for row in (system.b, system.c)
    )
    return Structure(
        {s: tuple(c for c in system.states if c in reach[s]) for s in system.states},
        frozenset(s for s in system.states if reach[s] & driven),
        frozenset(s for s in system.states if reach[s] & constant),
    )


@dataclass(frozen=True)
class Propagator:
    """One exact step for each cell: x_i <- sum_j P[:, i, j] x_j + Q[:, i] i_ext + R[:, i].

    P (n, s, s), Q (n, s), R (n, s), in coherent units; n is 1 where every cell has the same parameters.
    `held` is the step of a refractory cell: held states keep their value (their row is the identity), others
    move on with the held ones constant.
    """

    states: tuple[str, ...]
    P: Floats
    Q: Floats
    R: Floats


def propagator(
    system: Linear, values: Mapping[str, Floats | float], dt: float, held: tuple[str, ...] = ()
) -> Propagator:
    """Exact step over dt (ms). `values` are parameters and constants, floats or arrays of length n.

    With `held`, those states do not move (the refractory step).
    """
    n, s = max([1, *(int(np.size(v)) for v in values.values())]), len(system.states)
    index = {name: i for i, name in enumerate(system.states)}
    a, b, c = np.zeros((n, s, s)), np.zeros((n, s)), np.zeros((n, s))
    for (row, column), expr in system.a.items():
        a[:, index[row], index[column]] = evaluate(expr, values)
    for target, terms in ((b, system.b), (c, system.c)):
        for row, expr in terms.items():
            target[:, index[row]] = evaluate(expr, values)
    for name in held:
        if name in index:
            a[:, index[name], :] = b[:, index[name]] = c[:, index[name]] = 0.0
    # Only A needs the exponential: cells that differ in their currents alone share one. exp([[A, 1], [0, 0]]
    # dt) holds both integrals.
    distinct, inverse = np.unique(a.reshape(n, -1), axis=0, return_inverse=True)
    augmented = np.zeros((len(distinct), 2 * s, 2 * s))
    augmented[:, :s, :s], augmented[:, :s, s:] = distinct.reshape(-1, s, s), np.eye(s)
    step = _expm(augmented * dt)[inverse.reshape(-1)]
    integral = step[:, :s, s:]
    return Propagator(
        system.states,
        step[:, :s, :s],
        np.einsum("nij,nj->ni", integral, b),
        np.einsum("nij,nj->ni", integral, c),
    )


def _expm(matrices: Floats) -> Floats:
    from scipy.linalg import expm  # a heavy import, and only a run needs it

    return np.asarray(expm(matrices), dtype=np.float64)
