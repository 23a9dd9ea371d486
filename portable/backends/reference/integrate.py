"""One step of the equations for all cells of a group, by each named method. States are a dict of arrays of length n."""

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
    (439 / 216, -8.0, 3680 / 513, -845 / 4104),
    (-8 / 27, 2.0, -3544 / 2565, 1859 / 4104, -11 / 40),
)
_C = (0.0, 1 / 4, 3 / 8, 12 / 13, 1.0, 1 / 2)
_B5 = (16 / 135, 0.0, 6656 / 12825, 28561 / 56430, -9 / 50, 2 / 55)
_B4 = (25 / 216, 0.0, 1408 / 2565, 2197 / 4104, -1 / 5, 0.0)
TOLERANCE = 1e-6  # absolute, in coherent units (mV, pA, nS), as NEST's aeif models have it


def right_hand_side(flat: Flat, values: Mapping[str, Any], i_ext: Floats, held: Bools) -> Rhs:
    """f(states, t) -> derivatives of every state that has one; held states of refractory cells do not move."""

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


def fehlberg(states: States, t: Floats, h: Floats, f: Rhs) -> tuple[States, Floats]:
    """One step of the 4(5) pair: the fifth-order result and the largest error over the states, per cell."""
    k = [f(states, t)]
    for row, c in zip(_A, _C[1:], strict=True):
        k.append(f(moved(states, h, list(zip(row, k, strict=True))), t + c * h))
    new = moved(states, h, list(zip(_B5, k, strict=True)))
    difference = [(b5 - b4, x) for b5, b4, x in zip(_B5, _B4, k, strict=True)]
    error = np.max([np.abs(h * sum(c * x[name] for c, x in difference)) for name in k[0]], axis=0)
    return new, error


def next_size(h: Floats, ratio: Floats) -> tuple[Floats, Bools]:
    """Step size control of the GNU Scientific Library's manual, section "Adaptive Step-size Control": the next h and whether
    the step must be repeated. ratio = error / tolerance, per cell."""
    ratio = np.maximum(ratio, 1e-300)
    smaller = h * np.maximum(0.9 * ratio ** (-1 / 5), 0.2)
    larger = h * np.clip(0.9 * ratio ** (-1 / 6), 1.0, 5.0)
    return np.where(ratio > 1.1, smaller, np.where(ratio < 0.5, larger, h)), ratio > 1.1
