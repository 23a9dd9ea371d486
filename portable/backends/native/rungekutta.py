"""Source of one step of the classical Runge-Kutta method and of Fehlberg's adaptive 4(5) pair, for one cell.
Pure text.

Adaptive steps follow the documented control of the GNU Scientific Library (manual, "Adaptive Step-size
Control"): with E the error and D the tolerance, max E/D > 1.1 shrinks h by S (E/D)^(-1/5), at least to a
fifth, and repeats; < 0.5 enlarges by S (E/D)^(-1/6), at most five times; S = 0.9. The size h is kept for each
cell; the last substep is cut to the end of the step and h goes on from the cut one. D is absolute, or with
`sloped` eps (1 + |h y'|) with y' at the end of the substep: found to be that of NEST 3.10's aeif models, to
the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Lines(Protocol):
    """What takes source: codegen.Code."""

    depth: int

    def add(self, *lines: str, deeper: int = 0) -> None: ...


# Fehlberg 1969 (NASA TR R-315), table III: nodes, stages, fifth-order weights, and their difference from the
# fourth-order ones.
NODES = ("", "1.0 / 4.0", "3.0 / 8.0", "12.0 / 13.0", "1.0", "1.0 / 2.0")
STAGES = (
    ("1.0 / 4.0",),
    ("3.0 / 32.0", "9.0 / 32.0"),
    ("1932.0 / 2197.0", "-7200.0 / 2197.0", "7296.0 / 2197.0"),
    ("8341.0 / 4104.0", "-32832.0 / 4104.0", "29440.0 / 4104.0", "-845.0 / 4104.0"),
    ("-6080.0 / 20520.0", "41040.0 / 20520.0", "-28352.0 / 20520.0", "9295.0 / 20520.0", "-5643.0 / 20520.0"),
)
FIFTH = ("16.0 / 135.0", "", "6656.0 / 12825.0", "28561.0 / 56430.0", "-9.0 / 50.0", "2.0 / 55.0")
ERROR = ("1.0 / 360.0", "", "-128.0 / 4275.0", "-2197.0 / 75240.0", "1.0 / 50.0", "2.0 / 55.0")


def rk4(code: Lines, states: tuple[str, ...], slopes: Callable[..., None]) -> None:
    """One step of size dt from the states' local variables, in place."""
    code.add(*(f"y_{s} = {s}_" for s in states))
    slopes(code, "k1_")
    for stage, (before, part) in enumerate(
        (("k1_", "0.5 * dt"), ("k2_", "0.5 * dt"), ("k3_", "dt")), start=2
    ):
        code.add(*(f"{s}_ = y_{s} + {part} * {before}{s}" for s in states), f"t_ = start + {part}")
        slopes(code, f"k{stage}_")
    code.add(
        *(f"{s}_ = y_{s} + dt / 6.0 * (k1_{s} + 2.0 * k2_{s} + 2.0 * k3_{s} + k4_{s})" for s in states),
        "t_ = start",
    )


def _sum(weights: tuple[str, ...], state: str) -> str:
    return " + ".join(f"({w}) * k{i}_{state}" for i, w in enumerate(weights, start=1) if w)


def adaptive(
    code: Lines,
    states: tuple[str, ...],
    slopes: Callable[..., None],
    after: Callable[[Lines], None] | None,
    refractory: bool,
    sloped: bool,
) -> None:
    """Substeps over dt; `after` writes what happens at the end of each. own_size is h, own_tolerance D."""
    code.add("done = 0.0", "while done < dt:")
    code.depth += 1
    code.add("h = own_size", "last = h > dt - done")
    if refractory:
        code.add("held = own_left > 0.0")
    code.add("if last: h = dt - done", "t_ = start + done", *(f"y_{s} = {s}_" for s in states))
    slopes(code, "k1_")
    code.add("while True:")
    code.depth += 1
    for stage, row in enumerate(STAGES, start=2):
        code.add(
            *(f"{s}_ = y_{s} + h * ({_sum(row, s)})" for s in states),
            f"t_ = start + done + ({NODES[stage - 1]}) * h",
        )
        slopes(code, f"k{stage}_")
    code.add(
        *(f"{s}_ = y_{s} + h * ({_sum(FIFTH, s)})" for s in states), "worst = 0.0", "t_ = start + done + h"
    )
    if sloped:
        slopes(code, "k7_")
    limit = "(own_tolerance + own_tolerance * abs(h * k7_{s}))" if sloped else "own_tolerance"
    code.add(*(f"worst = max(worst, abs(h * ({_sum(ERROR, s)})) / {limit.format(s=s)})" for s in states))
    code.add("if worst > 1.1:", "    smaller = h * max(0.9 / worst ** (1.0 / 5.0), 0.2)")
    code.add(
        "    if smaller < h and done + smaller != done:",
        "        h = smaller",
        "        last = False",
        "        continue",
    )
    code.add("break")
    code.depth -= 1
    code.add(
        "own_size = h",
        "if worst < 0.5: own_size = h * min(max(0.9 / worst ** (1.0 / 6.0), 1.0), 5.0) if worst > 0.0 else "
        "5.0 * h",
    )
    code.add("done = dt if last else done + h", "t_ = start + done")
    if after:
        after(code)
    code.depth -= 1
    code.add("t_ = start")
