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
    variables = frozenset(flat.state_names) | {INJECTED}
    a: dict[tuple[str, str], Expr] = {}
    b: dict[str, Expr] = {}
    c: dict[str, Expr] = {}
    for state, raw in flat.derivatives.items():
        expr = flat.inlined(raw)
        row = None if names(expr) & {"t", *flat.inputs} else affine(expr, variables)
        if row is None:
            return None
        for k, v in row.items():
            if k == INJECTED:
                b[state] = v
            elif k == ONE:
                c[state] = v
            else:
                a[state, k] = v
    return Linear(tuple(s for s in flat.state_names if s in flat.derivatives), a, b, c)


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
