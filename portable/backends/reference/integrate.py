"""One step of the equations for all cells of a group, by each named method. States are a dict of arrays of
length n.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import INJECTED, Flat
from portable.dynamics.linear import Linear
from portable.dynamics.methods import GROW_BELOW, LARGEST_CHANGE, SAFETY, SHRINK_ABOVE, Method, Tableau
from portable.dynamics.steps import rows
from portable.units import Floats

States = dict[str, Floats]
Bools = npt.NDArray[np.bool_]
Rhs = Callable[[States, Floats | float], States]


def right_hand_side(flat: Flat, values: Mapping[str, Any], i_ext: Floats, held: Bools) -> Rhs:
    """f(states, t) -> derivatives of every state that has one; held states of refractory cells do not
    move.
    """

    def rhs(states: States, t: Floats | float) -> States:
        scope: dict[str, Any] = {**values, **states, "i_ext": i_ext, "t": t}
        for d in flat.derived:
            scope[d.name] = evaluate(d.expr, scope)
        out: States = {}
        for name, expr in flat.derivatives.items():
            f = np.broadcast_to(np.asarray(evaluate(expr, scope), dtype=np.float64), held.shape)
            out[name] = np.where(held, 0.0, f) if name in flat.held else f
        return out

    return rhs


def moved(states: States, h: Floats | float, weights: Sequence[Fraction], slopes: list[States]) -> States:
    """states + h * sum of weight * derivative, for the states that have one."""
    out = dict(states)
    for name in slopes[0]:
        total = sum(float(w) * k[name] for w, k in zip(weights, slopes, strict=True))
        out[name] = states[name] + h * total
    return out


def stages(
    tableau: Tableau,
    states: States,
    t: Floats | float,
    h: Floats | float,
    f: Rhs,
    known: Mapping[Fraction, States] = {},
) -> list[States]:
    """The derivatives at the stages of an explicit Runge-Kutta method; `known` gives at its nodes the states
    that are not integrated.
    """
    k = [f(states, t)]
    for row, node in zip(tableau.rows[1:], tableau.nodes[1:], strict=True):
        k.append(f({**moved(states, h, row, k), **known.get(node, {})}, t + float(node) * h))
    return k


def step(
    tableau: Tableau,
    states: States,
    t: Floats | float,
    h: Floats | float,
    f: Rhs,
    known: Mapping[Fraction, States],
) -> States:
    """One step of size h by the tableau, and the known states at its end."""
    new = moved(states, h, tableau.weights, stages(tableau, states, t, h, f, known))
    return {**new, **known.get(Fraction(1), {})}


def known(
    part: Linear, numbers: Mapping[str, Any], kind: str, states: States, i_ext: Floats
) -> dict[str, Floats]:
    """The linear part's values by the rows `kind` of dynamics.steps."""
    return {
        s: np.sum([numbers[q] * ({**states, INJECTED: i_ext}[x] if x else 1.0) for q, x in row], axis=0)
        for s, row in rows(part, kind).items()
    }


def embedded(method: Method, states: States, t: Floats, h: Floats, f: Rhs) -> tuple[States, Floats]:
    """One substep of an embedded pair, per cell: the result, and the largest of error / tolerance over the
    states.
    """
    tableau = method.tableau
    assert tableau is not None
    k = stages(tableau, states, t, h, f)
    new = moved(states, h, tableau.weights, k)
    end = f(new, t + h) if method.within_step else {}
    ratios = []
    for name in k[0]:
        allowed = method.tolerance * (1.0 + np.abs(h * end[name]) if method.within_step else 1.0)
        ratios.append(
            np.abs(h * sum(float(w) * x[name] for w, x in zip(tableau.error, k, strict=True))) / allowed
        )
    return new, np.asarray(np.max(ratios, axis=0))


def next_size(h: Floats, ratio: Floats) -> tuple[Floats, Bools]:
    """The next h, and whether the step must be repeated (`methods`). ratio = error / tolerance, per cell."""
    ratio = np.maximum(ratio, 1e-300)
    smaller = h * np.maximum(SAFETY / ratio ** (1 / 5), 1 / LARGEST_CHANGE)
    larger = h * np.clip(SAFETY / ratio ** (1 / 6), 1.0, LARGEST_CHANGE)
    repeat = ratio > SHRINK_ABOVE
    return np.where(repeat, smaller, np.where(ratio < GROW_BELOW, larger, h)), repeat
