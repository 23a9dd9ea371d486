"""Level 2: a cell type alone. Its trace on both sides, their difference, and how the error falls with dt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from portable.units import Floats
from portable.validation.evidence import Traces
from portable.validation.report.canvas import (
    GRID,
    MUTED,
    PAPER,
    dash,
    few_decades,
    labelled,
    log_axis,
    panel,
    thinned,
    tint,
)
from portable.validation.report.view import Panel, number, short
from portable.validation.verdicts import CellCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def overlay(key: str, traces: Traces, names: tuple[str, str], index: int, mark: float = math.nan) -> Panel:
    """A variable of one cell on both sides, and |difference| on a log axis below; `mark` (ms) is the first
    spike that differs.
    """

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.7, 1])
        upper.plot(
            *thinned(traces.times, traces.reference), color=tint(0), lw=2.4, alpha=0.55, label=short(names[0])
        )
        upper.plot(
            *thinned(traces.times, traces.other),
            color=tint(index),
            lw=1.1,
            ls=dash(index),
            label=short(names[1]),
        )
        upper.set_ylabel(labelled(traces.variable, traces.unit))
        upper.set_title(f"{short(traces.population)}, cell {traces.neuron}")
        difference(lower, traces, index)
        for axis in (upper, lower):
            axis.grid(axis="y")
            if math.isfinite(mark):
                axis.axvline(mark, color=MUTED, lw=1, ls=(0, (2, 2)))
        lower.set_xlabel("time (ms)")
        lower.set_xlim(*_limits(traces.times))

    label = (
        f"{traces.variable} of cell {traces.neuron} of {traces.population} on {names[0]} and "
        f"{names[1]}, and their difference; largest {_largest(traces)}"
    )
    return panel(key, label, 4.3, 3.0, draw)


def difference(axis: Axes, traces: Traces, index: int) -> None:
    """|difference| of two traces on a log axis; points that are exactly equal have no logarithm and are left
    out.
    """
    gap = np.abs(traces.other - traces.reference)
    axis.set_ylabel(labelled("|difference|", traces.unit))
    if not np.any(gap > 0):
        axis.set_yticks([])
        axis.set_ylabel("")
        axis.text(
            0.5,
            0.5,
            "no difference, to the last bit",
            ha="center",
            va="center",
            transform=axis.transAxes,
            color=MUTED,
        )
        return
    log_axis(axis, "y")
    axis.plot(
        *thinned(traces.times, np.where(gap > 0, gap, np.nan)),
        color=tint(index),
        lw=0.9,
        marker=".",
        ms=2,
        mew=0,
    )


def convergence(key: str, check: CellCheck, index: int) -> Panel | None:
    """Largest error of a trace against dt, both logarithmic, with the order; None if nothing above rounding
    was measured.
    """
    steps, errors = _points(check)
    if steps.size < 2:
        return None

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        log_axis(axis, "x")
        log_axis(axis, "y")
        axis.plot(
            steps,
            errors,
            color=tint(index),
            ls="none" if math.isinf(check.order) else "-",
            marker="o",
            ms=4,
            mfc=PAPER,
        )
        if math.isfinite(check.order) and round(check.order) > 0:  # a slope to compare with
            axis.plot(
                steps,
                errors[-1] * (steps / steps[-1]) ** round(check.order),
                color=MUTED,
                lw=0.8,
                ls=(0, (1, 2)),
            )
        axis.text(0.03, 0.94, order(check.order), va="top", transform=axis.transAxes)
        axis.margins(0.12)
        few_decades(axis)
        axis.set_xticks(steps, [f"{s:g}" for s in steps], minor=False)
        axis.grid(color=GRID)
        axis.set_title(f"{short(check.population)}: error against dt")
        axis.set_xlabel("dt (ms)")
        axis.set_ylabel(labelled("largest error", check.unit))

    return panel(
        key,
        f"Error of {check.variable} of {check.population} on {check.backend} against dt; "
        f"{order(check.order)}",
        4.3,
        3.0,
        draw,
    )


def order(x: float) -> str:
    """ "order 2", or that there is no error beyond rounding."""
    return (
        "exact to rounding"
        if math.isinf(x)
        else f"order {number(x, 2)}"
        if math.isfinite(x)
        else "order not known"
    )


def _points(check: CellCheck) -> tuple[Floats, Floats]:
    pairs = sorted((float(dt), e) for dt, e in check.errors.items())
    pairs = [(dt, e) for dt, e in pairs if math.isfinite(e) and e > 0 and dt > 0]
    return np.array([dt for dt, _ in pairs]), np.array([e for _, e in pairs])


def _limits(times: Floats) -> tuple[float, float]:
    return (float(times[0]), float(times[-1])) if times.size > 1 and times[-1] > times[0] else (0.0, 1.0)


def _largest(traces: Traces) -> str:
    gap = np.abs(traces.other - traces.reference)
    gap = gap[np.isfinite(gap)]
    return f"{number(float(gap.max()))} {traces.unit}" if gap.size else "not known"
