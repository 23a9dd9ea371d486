"""The one place that chooses how a cell is integrated; every backend reads it and keeps no table of its own.

A method is a name, its tableau where it has one, its order, and what happens when: `within_step` says that
rkf45 tests the condition after every substep, as NEST's aeif models do. That is so where the one condition
resets what it tests and the type is defined by rkf45, or what it tests can run away within a step (its slope
is not affine in itself, as in exponential and quadratic models). Else conditions are tested at the end of the
step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.dynamics.expressions import Expr, Num, names, substitute
from portable.dynamics.flat import Flat, FlatState
from portable.dynamics.linear import affine, fastest_rate, linear, linear_part
from portable.units import VOLTAGE

Row = tuple[Fraction, ...]
NAMES = ("exact", "euler", "exponential_euler", "rk4", "rkf45")
DEFINING = NAMES[1:]  # what a cell type can be defined by
# rk4 takes so many equal substeps that the fastest rate of the linear part times a substep is at most this:
# Simpson's rule, which rk4 is for a known function of time, then integrates exp(-t/tau) to 0.5^4/2880 = 2e-5.
LONGEST_PIECE = 0.5
MOST_PIECES = 1000


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method: nodes c, rows a (row i has i entries), weights b, and those of the
    embedded method that estimates the error (() = none). Exact fractions.

    ValueError where a row does not sum to its node or weights not to 1.
    """

    nodes: Row
    rows: tuple[Row, ...]
    weights: Row
    embedded: Row = ()

    def __post_init__(self) -> None:
        for i, (node, row) in enumerate(zip(self.nodes, self.rows, strict=True)):
            if len(row) != i or sum(row) != node:
                raise ValueError(f"row {i + 1} of the tableau has {len(row)} entries that sum to {sum(row)}, "
                                 f"not {i} that sum to {node}")  # fmt: skip
        for weights in (self.weights, *((self.embedded,) if self.embedded else ())):
            if len(weights) != len(self.nodes) or sum(weights) != 1:
                raise ValueError(f"{len(weights)} weights of {len(self.nodes)} stages sum to {sum(weights)}")

    @property
    def error(self) -> Row:
        """Weights of the estimated error: those of the step minus the embedded ones."""
        return tuple(b - e for b, e in zip(self.weights, self.embedded, strict=True))


def _row(text: str) -> Row:
    return tuple(Fraction(x) for x in text.split())


EULER = Tableau(_row("0"), ((),), _row("1"))
RK4 = Tableau(  # Kutta 1901, the classical method
    _row("0 1/2 1/2 1"), ((), _row("1/2"), _row("0 1/2"), _row("0 0 1")), _row("1/6 1/3 1/3 1/6")
)
FEHLBERG = Tableau(  # Fehlberg 1969 (NASA TR R-315), table III: the 4(5) pair; the fifth order goes on
    _row("0 1/4 3/8 12/13 1 1/2"),
    (
        (),
        _row("1/4"),
        _row("3/32 9/32"),
        _row("1932/2197 -7200/2197 7296/2197"),
        _row("439/216 -8 3680/513 -845/4104"),
        _row("-8/27 2 -3544/2565 1859/4104 -11/40"),
    ),
    _row("16/135 0 6656/12825 28561/56430 -9/50 2/55"),
    _row("25/216 0 1408/2565 2197/4104 -1/5 0"),
)

# rkf45's step size, by the manual of the GNU Scientific Library, "Adaptive Step-size Control": with E the
# error and D the tolerance, E/D > SHRINK_ABOVE repeats with h S (E/D)^(-1/5), at least h/5; E/D < GROW_BELOW
# goes on with h S (E/D)^(-1/6), at most 5 h. h is kept from step to step for each cell.
SHRINK_ABOVE, GROW_BELOW, SAFETY, LARGEST_CHANGE = 1.1, 0.5, 0.9, 5.0
# So many substeps are tried in a step, then the cell is given up and its states become infinite: no step size
# meets the tolerance, since rounding of numbers that have exploded is larger.
TRIES = 20_000
# Errors of a substep in coherent units (mV, pA, nS): NEST's for aeif and hh models, which are defined by the
# method, and for the others that are run with it (iaf_cond_*).
DEFINED_TOLERANCE, ASKED_TOLERANCE = 1e-6, 1e-3


# A state beyond this has exploded (a step too long for its equations), though it is still a number: 1 kV, or
# 1e18 in the coherent unit of anything else. Methods with an error of their own make it nan, which stays.
LARGEST_POTENTIAL, LARGEST = 1e6, 1e18


def largest(state: FlatState) -> float:
    """What a state that is integrated numerically may be at the start of a step, in coherent units."""
    return LARGEST_POTENTIAL if state.dimension == VOLTAGE else LARGEST


def exploded(flat: Flat, method: Method, state: str, values: npt.NDArray[np.float64], t: float) -> str:
    """What to say at t ms of the first value of a state that has exploded, of a whole population; "" if none
    has.
    """
    most = np.inf if method.name == "exact" else next(largest(s) for s in flat.states if s.name == state)
    wild = np.flatnonzero(~(np.abs(values) <= most) | ~np.isfinite(values))
    if not wild.size:
        return ""
    others = "" if method.name == "exact" else f": {method.described} diverged"
    stable = [n for n in ("rkf45", "exponential_euler") if n != method.name]
    many = f"{wild.size} cell{'s' * (wild.size > 1)}"
    return (
        f"{state} of cell {wild[0]} is {values[wild[0]]:g} at {t:g} ms ({many}){others}; use a smaller dt or "
        f"integrator={' or '.join(map(repr, stable))}"
    )


@dataclass(frozen=True)
class Method:
    """How the equations of one cell type are integrated.

    order: of the error after a fixed time in dt; 0 where the step has none of its own (exact, and rkf45,
    whose error is bounded by `tolerance`). tolerance: absolute error of an rkf45 substep; with `within_step`
    tolerance (1 + |h y'|), y' at the end of the substep, as NEST 3.10's aeif models were measured to have it.
    note: what of the cell the method treats in another way.
    """

    name: str
    tableau: Tableau | None = None
    order: int = 0
    tolerance: float = 0.0
    within_step: bool = False
    note: str = ""

    @property
    def described(self) -> str:
        """As results report it."""
        if self.name != "rkf45":
            return f"{self.name} ({self.note})" if self.note else self.name
        relative = f", rel {self.tolerance:g} of h*dy/dt, spikes within the step"
        return f"rkf45 (abs {self.tolerance:g}{relative * self.within_step})"


def choose(flat: Flat, asked: str = "auto", tolerance: float | None = None) -> Method:
    """The method of a cell type in a run: "exact" for linear cells; else what the run asks for, what the type
    is defined by, or rk4.

    A method other than "exact" that is asked for is taken at its word for linear cells too. `tolerance`
    overrules rkf45's.
    """
    name = _name(flat, asked)
    if name == "rkf45":
        own = DEFINED_TOLERANCE if flat.integrator == "rkf45" else ASKED_TOLERANCE
        return Method(name, FEHLBERG, 0, own if tolerance is None else tolerance, _tested_within_step(flat))
    if name == "rk4":
        return Method(name, RK4, 4)
    if name == "exponential_euler":
        rough = [s for s in _remaining(flat) if s not in own_rates(flat)]
        return Method(name, None, 1, note=f"forward Euler: {', '.join(rough)}" if rough else "")
    return Method(name, EULER, 1) if name == "euler" else Method(name)


def own_rates(flat: Flat) -> dict[str, Expr]:
    """a of every derivative a x + b that is affine in its own state x: an expression of other states,
    parameters, constants, derived variables that do not read x, and t.
    """
    out: dict[str, Expr] = {}
    for state, slope in flat.derivatives.items():
        table: dict[str, Expr] = {}
        for d in flat.derived:
            written = substitute(d.expr, table)
            if state in names(written):
                table[d.name] = written
        row = affine(substitute(slope, table), frozenset({state}))
        if row is not None:
            out[state] = row.get(state, Num(0.0))
    return out


def pieces(flat: Flat, method: Method, values: Mapping[str, Any], dt: float) -> npt.NDArray[np.int64]:
    """How many equal substeps rk4 takes in a step, for each cell (or one for all): 1 unless the linear part
    has time constants that are short against dt. `values` are parameters and constants, dt in ms.
    """
    part = linear_part(flat) if method.name == "rk4" else None
    if part is None:
        return np.ones(1, dtype=np.int64)
    many = np.ceil(fastest_rate(part, values) * dt / LONGEST_PIECE * (1 - 1e-12))
    return np.asarray(np.clip(many, 1, np.iinfo(np.int64).max / 2), dtype=np.int64)


def too_coarse(flat: Flat, method: Method, values: Mapping[str, Any], dt: float) -> tuple[str, str]:
    """(why a step cannot be taken, what to do instead); ("", "") if it can."""
    most = int(np.max(pieces(flat, method, values, dt)))
    if most <= MOST_PIECES:
        return "", ""
    rate = most * LONGEST_PIECE / dt
    return (
        f"rk4 would need {most:.3g} substeps of dt = {dt:g} ms for its shortest time constant, "
        f"{1 / rate:.3g} ms (at most {MOST_PIECES})",
        "use a longer time constant, or integrator='exponential_euler', which has none of its own there",
    )


def _remaining(flat: Flat) -> list[str]:
    part = linear_part(flat)
    return [s for s in flat.derivatives if not (part and s in part.states)]


def _name(flat: Flat, asked: str) -> str:
    if not flat.derivatives:
        return "euler"  # no state, nothing to integrate
    if asked not in ("auto", "exact"):
        return asked
    if linear(flat) is not None and not flat.integrator:
        return "exact"
    return flat.integrator or "rk4"


def _tested_within_step(flat: Flat) -> bool:
    if len(flat.conditions) != 1:
        return False
    (condition,) = flat.conditions
    reset = names(flat.inlined(condition.test)) & {a.variable for a in condition.assignments}
    runaway = (reset & flat.derivatives.keys()) - own_rates(flat).keys()
    return bool(reset and (flat.integrator == "rkf45" or runaway))
