"""One step of the equations for all cells of a group, by each named method. States are a dict of arrays of
length n.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import Flat
from portable.units import Floats

States = dict[str, Floats]
Bools = npt.NDArray[np.bool_]
Rhs = Callable[[States, Floats | float], States]

# Fehlberg 1969 (NASA TR R-315), table III: the 4(5) pair.
_A = (
    (1 / 4,),
    (3 / 32, 9 / 32),
    (1932 / 2197, -7200 / 2197, 7296 / 2197),
    (8341 / 4104, -32832 / 4104, 29440 / 4104, -845 / 4104),
    (-6080 / 20520, 41040 / 20520, -28352 / 20520, 9295 / 20520, -5643 / 20520),
)
_C = (0.0, 1 / 4, 3 / 8, 12 / 13, 1.0, 1 / 2)
_B5 = (16 / 135, 0.0, 6656 / 12825, 28561 / 56430, -9 / 50, 2 / 55)
_ERROR = (1 / 360, 0.0, -128 / 4275, -2197 / 75240, 1 / 50, 2 / 55)  # fifth minus fourth order
TOLERANCE = 1e-6  # in coherent units (mV, pA, nS), as NEST's aeif models have it


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


def moved(states: States, h: Floats | float, terms: list[tuple[float, States]]) -> States:
    """states + h * sum of coefficient * derivative, for the states that have one."""
    out = dict(states)
    for name in terms[0][1]:
        total = sum(c * k[name] for c, k in terms)
        out[name] = states[name] + h * total
    return out


def rk4(states: States, t: float, h: float, f: Rhs) -> States:
    """The classical Runge-Kutta method."""
    k1 = f(states, t)
    k2 = f(moved(states, h / 2, [(1.0, k1)]), t + h / 2)
    k3 = f(moved(states, h / 2, [(1.0, k2)]), t + h / 2)
    k4 = f(moved(states, h, [(1.0, k3)]), t + h)
    return moved(states, h, [(1 / 6, k1), (1 / 3, k2), (1 / 3, k3), (1 / 6, k4)])


def fehlberg(states: States, t: Floats, h: Floats, f: Rhs, sloped: bool) -> tuple[States, Floats]:
    """One step of the 4(5) pair, per cell: the fifth-order result, and the largest of error / tolerance over
    the states.

    The tolerance is absolute, or with `sloped` TOLERANCE (1 + |h y'|) with y' at the end of the step, as NEST
    3.10's aeif models have it.
    """
    k = [f(states, t)]
    for row, c in zip(_A, _C[1:], strict=True):
        k.append(f(moved(states, h, list(zip(row, k, strict=True))), t + c * h))
    new = moved(states, h, list(zip(_B5, k, strict=True)))
    difference = list(zip(_ERROR, k, strict=True))
    end = f(new, t + h) if sloped else {}
    ratios = []
    for name in k[0]:
        allowed = TOLERANCE + TOLERANCE * np.abs(h * end[name]) if sloped else TOLERANCE
        ratios.append(np.abs(h * sum(c * x[name] for c, x in difference)) / allowed)
    return new, np.asarray(np.max(ratios, axis=0))


def next_size(h: Floats, ratio: Floats) -> tuple[Floats, Bools]:
    """Step size control of the GNU Scientific Library's manual, section "Adaptive Step-size Control": the
    next h and whether the step must be repeated. ratio = error / tolerance, per cell."""
    ratio = np.maximum(ratio, 1e-300)
    smaller = h * np.maximum(0.9 / ratio ** (1 / 5), 0.2)
    larger = h * np.clip(0.9 / ratio ** (1 / 6), 1.0, 5.0)
    return np.where(ratio > 1.1, smaller, np.where(ratio < 0.5, larger, h)), ratio > 1.1
