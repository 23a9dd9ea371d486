"""Source of one step of one cell by the methods for cells that are not linear, in the Python that numba
compiles and that `ctext` writes as C: one text for every backend that compiles, so that their arithmetic is
the same. Pure text.

Names: a state, parameter or derived variable x is the local x_; own_* are the cell's other numbers (see
`quantities`), own_left the refractory updates still to come; `start` is the time of the step's start.

The linear part of a non-linear cell (`linear.linear_part`: synaptic gating) is propagated exactly by rk4 and
exponential_euler, and given to the other states as the known function of time that it is: at rk4's nodes, for
exponential_euler as its mean over the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from portable.dynamics.emit import PYTHON, emit
from portable.dynamics.expressions import Bin, Expr, substitute
from portable.dynamics.flat import INJECTED, Flat
from portable.dynamics.linear import Linear, linear_part, propagator, structure, with_means
from portable.dynamics.methods import (
    GROW_BELOW,
    LARGEST_CHANGE,
    SAFETY,
    SHRINK_ABOVE,
    TRIES,
    Method,
    Row,
    largest,
    own_rates,
    pieces,
)
from portable.units import Floats

DIALECT = PYTHON.but(
    name=lambda n: n + "_",
    logic={"and": "({a} & {b})", "or": "({a} | {b})", "not": "(not {a})"},
)
# The cell's own quantities start with *, which no name of a model does.
SIZE, TOLERANCE, PIECES = "*size", "*tolerance", "*pieces"
HALF, WHOLE, MEAN = "*half", "*whole", "*mean"  # rows of the linear part's propagator


class Lines(Protocol):
    """What takes source."""

    depth: int

    def add(self, *lines: str, deeper: int = 0) -> None: ...


class Code:
    """Lines of source with indentation."""

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.depth = depth

    def add(self, *lines: str, deeper: int = 0) -> None:
        self.lines += ["    " * (self.depth + deeper) + line for line in lines]

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"


def text(expr: Expr) -> str:
    """An expression as Python source."""
    return emit(expr, DIALECT)


def local(name: str) -> str:
    """Name of the local variable of a symbol of the model or of a quantity."""
    return f"own_{name[1:]}" if name.startswith("*") else f"{name}_"


def leftmost(expr: Expr) -> Expr:
    """The expression with x + (a + b) as (x + a) + b, and likewise x + (a - b), in sums at its top and in its
    operands.
    """
    if not isinstance(expr, Bin) or expr.op == "^":
        return expr
    a, b = leftmost(expr.a), leftmost(expr.b)
    if expr.op == "+" and isinstance(b, Bin) and b.op in "+-":
        return Bin(b.op, leftmost(Bin("+", a, b.a)), b.b)
    return Bin(expr.op, a, b)


def quantity_names(flat: Flat, method: Method) -> tuple[str, ...]:
    """The names that `quantities` gives; they do not depend on values."""
    if method.name == "rkf45":
        return (TOLERANCE,)
    part = linear_part(flat)
    kinds = {"rk4": (HALF, WHOLE), "exponential_euler": (WHOLE, MEAN)}.get(method.name, ())
    if part is None or not kinds:
        return ()
    read = [q for kind in kinds for row in rows(part, kind).values() for q, _ in row]
    return (*((PIECES,) if method.name == "rk4" else ()), *read)


def quantities(flat: Flat, method: Method, values: Mapping[str, Any], dt: float) -> dict[str, Floats | float]:
    """The numbers that a step reads beside parameters and constants: floats, or arrays of length 1 or n.

    `values` are parameters and constants, dt the step in ms. Which there are depends on the flat form and the
    method alone.
    """
    if method.name == "rkf45":
        return {TOLERANCE: method.tolerance}
    part = linear_part(flat)
    if part is None or method.name not in ("rk4", "exponential_euler"):
        return {}
    if method.name == "exponential_euler":
        system = with_means(part)
        every = _rows(system, values, dt)
        chosen = {WHOLE: part.states, MEAN: tuple(f"mean {s}" for s in part.states)}
        return {
            f"{kind}_{i}_{column}": every[s, column] / (dt if kind == MEAN else 1.0)
            for kind, states in chosen.items()
            for i, s in enumerate(states)
            for column in _columns(part, part.states[i])
        }
    many = pieces(flat, method, values, dt)
    out: dict[str, Floats | float] = {PIECES: many.astype(np.float64)}
    for kind, share in ((HALF, 0.5), (WHOLE, 1.0)):
        for at in np.unique(many):
            rows = _rows(part, values, dt / int(at) * share)
            for i, s in enumerate(part.states):
                for column in _columns(part, s):
                    name = f"{kind}_{i}_{column}"
                    before = out.get(name, np.nan)
                    out[name] = np.where(many == at, rows[s, column], before)
    return out


def rows(part: Linear, kind: str) -> dict[str, list[tuple[str, str]]]:
    """The linear part's new values: for each state the terms (quantity, what it multiplies: a state, i_ext or
    "").
    """
    return {
        s: [
            (f"{kind}_{i}_{c}", part.states[int(c)] if c.isdigit() else INJECTED * (c == "q"))
            for c in _columns(part, s)
        ]
        for i, s in enumerate(part.states)
    }


def _columns(part: Linear, state: str) -> list[str]:
    """Of a propagator's row: places of the states that it reads, q for i_ext, r for constants."""
    shape = structure(part)
    columns = [str(part.states.index(s)) for s in shape.reads[state]]
    return columns + ["q"] * (state in shape.driven) + ["r"] * (state in shape.constant)


def _rows(system: Linear, values: Mapping[str, Any], dt: float) -> dict[tuple[str, str], Floats]:
    step = propagator(system, values, dt)
    out: dict[tuple[str, str], Floats] = {}
    for i, s in enumerate(step.states):
        out |= {(s, str(j)): step.P[:, i, j] for j in range(len(step.states))}
        out |= {(s, "q"): step.Q[:, i], (s, "r"): step.R[:, i]}
    return out


class CellStep:
    """Writes the step of one cell type.

    refractory: whether it has a refractory period (`held` is then a local that says whether it is on).
    substepped: whether rk4 takes own_pieces steps of dt/own_pieces; else it takes one.
    within: writes what happens at the end of each substep, for methods with `within_step`.
    """

    def __init__(
        self,
        flat: Flat,
        method: Method,
        refractory: bool,
        substepped: bool,
        within: Callable[[Lines], None],
    ) -> None:
        self.flat, self.method, self.refractory = flat, method, refractory
        self.substepped, self.within = substepped, within
        self.part = linear_part(flat) if method.name in ("rk4", "exponential_euler") else None
        known = self.part.states if self.part else ()
        self.moving = tuple(s for s in flat.derivatives if s not in known)

    def write(self, code: Lines) -> None:
        """From the states' locals to the states' locals after dt, without arrivals."""
        self.guard(code)
        {"rk4": self._rk4, "rkf45": self._adaptive, "exponential_euler": self._exponential}[self.method.name](
            code
        )

    def guard(self, code: Lines) -> None:
        """What has exploded becomes nan."""
        code.add(
            *(
                f"{s.name}_ = {s.name}_ if abs({s.name}_) <= {largest(s)!r} else 1e300 * 1e300 * 0.0"
                for s in self.flat.states
                if s.name in self.moving
            )
        )

    def derived(self, code: Lines, exprs: list[Expr]) -> None:
        """The derived variables that the expressions read."""
        code.add(*(f"{d.name}_ = {text(d.expr)}" for d in self.flat.needed(exprs)))

    def held(self, state: str) -> bool:
        return self.refractory and state in self.flat.held

    def slopes(self, code: Lines, prefix: str) -> None:
        """prefix + state = derivative of every state that is not in the linear part, at the present values.

        Sums of receptors are written out term by term from the left, as simulators with a fixed pair of
        receptors do: bits are then equal.
        """
        totals: dict[str, Expr] = {
            d.name: d.expr for d in self.flat.derived if isinstance(d.expr, Bin) and d.expr.op == "+"
        }
        written = {s: leftmost(substitute(self.flat.derivatives[s], totals)) for s in self.moving}
        self.derived(code, list(written.values()))
        for s, e in written.items():
            code.add(
                f"{prefix}{s} = 0.0 if held else {text(e)}" if self.held(s) else f"{prefix}{s} = {text(e)}"
            )

    def _known(self, code: Lines, kind: str, before: str, after: str) -> None:
        """after + state = the linear part's row `kind`, from the values in before + state."""
        assert self.part is not None
        for s, row in rows(self.part, kind).items():
            terms = [
                local(q) + (f" * {f'{INJECTED}_' if x == INJECTED else f'{before}{x}'}" if x else "")
                for q, x in row
            ]
            code.add(f"{after}{s} = {' + '.join(terms)}")

    def _rk4(self, code: Lines) -> None:
        if not self.substepped:
            self._classical(code, "dt", "start")
            return
        code.add("h = dt / own_pieces", "piece = 0.0", "while piece < own_pieces:")
        code.depth += 1
        code.add("t_ = start + piece * h")
        self._classical(code, "h", "start + piece * h")
        code.add("piece = piece + 1.0")
        code.depth -= 1

    def _classical(self, code: Lines, h: str, begin: str) -> None:
        known = self.part.states if self.part else ()
        code.add(*(f"y_{s} = {s}_" for s in (*self.moving, *known)))
        if self.part:
            self._known(code, HALF, "y_", "half_")
            self._known(code, WHOLE, "y_", "whole_")
        self.slopes(code, "k1_")
        for stage, (before, part, there) in enumerate(
            (("k1_", f"0.5 * {h}", "half_"), ("k2_", f"0.5 * {h}", ""), ("k3_", h, "whole_")), start=2
        ):
            code.add(*(f"{s}_ = y_{s} + {part} * {before}{s}" for s in self.moving))
            code.add(*(f"{s}_ = {there}{s}" for s in known if there), f"t_ = {begin} + {part}")
            self.slopes(code, f"k{stage}_")
        code.add(
            *(
                f"{s}_ = y_{s} + {h} / 6.0 * (k1_{s} + 2.0 * k2_{s} + 2.0 * k3_{s} + k4_{s})"
                for s in self.moving
            ),
            "t_ = start",
        )

    def _exponential(self, code: Lines) -> None:
        """x + h f exprel(h a) with f = a x + b: the exact step with a and b frozen; forward Euler where f is
        not affine in x.
        """
        known = self.part.states if self.part else ()
        rates = own_rates(self.flat)
        if self.part:
            code.add(*(f"y_{s} = {s}_" for s in known))
            self._known(code, WHOLE, "y_", "whole_")
            self._known(code, MEAN, "y_", "mean_")
            code.add(*(f"{s}_ = mean_{s}" for s in known))
        self.slopes(code, "f_")
        wanted = [rates[s] for s in self.moving if s in rates]
        done = {d.name for d in self.flat.needed([self.flat.derivatives[s] for s in self.moving])}
        code.add(*(f"{d.name}_ = {text(d.expr)}" for d in self.flat.needed(wanted) if d.name not in done))
        for s in self.moving:
            if s in rates:
                code.add(
                    f"z_{s} = dt * {text(rates[s])}",
                    f"e_{s} = 1.0 if z_{s} == 0.0 else expm1(z_{s}) / z_{s}",
                )
        for s in self.moving:
            code.add(f"{s}_ = {s}_ + dt * f_{s}" + (f" * e_{s}" if s in rates else ""))
        code.add(*(f"{s}_ = whole_{s}" for s in known))

    def _adaptive(self, code: Lines) -> None:
        """Substeps of an embedded pair by the control of `methods`; the last one is cut to the end of the
        step, and h goes on from the cut one.
        """
        states, tableau = self.moving, self.method.tableau
        assert tableau is not None
        code.add("done = 0.0", "tries = 0.0", "while done < dt:")
        code.depth += 1
        code.add("h = own_size", "last = h > dt - done")
        if self.refractory:
            code.add("held = own_left > 0.0")
        code.add("if last: h = dt - done", "t_ = start + done", *(f"y_{s} = {s}_" for s in states))
        self.slopes(code, "k1_")
        code.add("while True:")
        code.depth += 1
        code.add("tries = tries + 1.0")
        for stage, (node, row) in enumerate(zip(tableau.nodes[1:], tableau.rows[1:], strict=True), start=2):
            code.add(
                *(f"{s}_ = y_{s} + h * ({_sum(row, s)})" for s in states),
                f"t_ = start + done + ({float(node)!r}) * h",
            )
            self.slopes(code, f"k{stage}_")
        code.add(*(f"{s}_ = y_{s} + h * ({_sum(tableau.weights, s)})" for s in states))
        code.add("worst = 0.0", "t_ = start + done + h")
        self._error(code)
        code.depth -= 1
        code.add(
            "own_size = h",
            f"if worst < {GROW_BELOW}:",
            f"    own_size = {LARGEST_CHANGE} * h",
            "    if worst > 0.0:",
            f"        own_size = h * min(max({SAFETY} / worst ** (1.0 / 6.0), 1.0), {LARGEST_CHANGE})",
            "done = dt if last else done + h",
            "t_ = start + done",
        )
        code.add(f"if tries > {float(TRIES)}:", "    done = dt", "    own_size = dt")
        code.add(*(f"{s}_ = 1e300 * 1e300" for s in states), deeper=1)
        if self.method.within_step:
            self.within(code)
        code.depth -= 1
        code.add("t_ = start")

    def _error(self, code: Lines) -> None:
        """worst = the largest error in tolerances; where it is too large the substep is tried again."""
        within, tableau = self.method.within_step, self.method.tableau
        assert tableau is not None
        if within:
            self.slopes(code, "end_")
        limit = "(own_tolerance + own_tolerance * abs(h * end_{s}))" if within else "own_tolerance"
        code.add(
            *(
                f"worst = max(worst, abs(h * ({_sum(tableau.error, s)})) / {limit.format(s=s)})"
                for s in self.moving
            ),
            f"if worst > {SHRINK_ABOVE}:",
            f"    smaller = h * max({SAFETY} / worst ** (1.0 / 5.0), {1 / LARGEST_CHANGE})",
            f"    if smaller < h and done + smaller != done and tries <= {float(TRIES)}:",
            "        h = smaller",
            "        last = False",
            "        continue",
            "break",
        )


def _sum(weights: Row, state: str) -> str:
    return " + ".join(f"({float(w)!r}) * k{i}_{state}" for i, w in enumerate(weights, start=1) if w)
