"""Level 4: weights at the start and at the end on both sides, and the largest difference over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from portable.units import Floats
from portable.validation.evidence import Learnt
from portable.validation.report.canvas import MUTED, labelled, log_axis, panel, stairs, tint
from portable.validation.report.view import Panel, number, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 30


def ends(key: str, learnt: Learnt, names: tuple[str, str], index: int) -> Panel:
    """Histograms of the weights at the first and the last time, the reference filled, the other as a line."""
    once = learnt.times.size < 2

    def draw(figure: Figure) -> None:
        rows = figure.subplots(1 if once else 2, 1, sharex=True, squeeze=False)[:, 0]
        edges = _edges(learnt)
        for row, (axis, at) in enumerate(zip(rows, (-1,) if once else (0, -1), strict=True)):
            _histogram(axis, (learnt.reference[at], learnt.other[at]), edges, index)
            title = f"{number(float(learnt.times[at]), 6)} ms"
            axis.set_title(f"{short(learnt.projection, 30)}, {title}" if row == 0 else title)
        rows[-1].set_xlabel(labelled("weight", learnt.unit))
        rows[-1].locator_params(axis="x", nbins=5)

    told = "; ".join(
        f"{name} mean {number(_mean(side[1]))} at the end"
        + ("" if once else f", {number(_mean(side[0]))} at the start")
        for name, side in zip(names, (learnt.reference, learnt.other), strict=True)
    )
    return panel(key, f"Weights of {labelled(learnt.projection, learnt.unit)}: {told}", 4.3, 3.0, draw)


def _mean(x: Floats) -> float:
    return float(x.mean()) if x.size and np.isfinite(x).all() else math.nan


def _edges(learnt: Learnt) -> Floats:
    every = np.concatenate([*learnt.reference, *learnt.other])
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    if not high > low:
        low, high = low - (abs(low) * 0.1 or 1.0), low + (abs(low) * 0.1 or 1.0)
    return np.linspace(low, high, BINS + 1)


def _histogram(axis: Axes, sides: tuple[Floats, Floats], edges: Floats, index: int) -> None:
    for i, v in zip((0, index), sides, strict=True):
        known = v[np.isfinite(v)]
        heights = np.histogram(known, edges)[0] / max(1, known.size)
        stairs(axis, heights, edges, i)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_ylim(bottom=0)


def gaps(key: str, learnt: Learnt, index: int, margin: float, parted: float = math.nan) -> Panel | None:
    """The largest difference over connections at each time, one line for each seed, with the margin (nan:
    there is none) and the first spike that differs (ms); None where weights were read once.
    """
    if learnt.times.size < 2:
        return None

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        axis.set_title(f"{short(learnt.projection, 30)}: largest difference")
        axis.set_xlabel("time (ms)")
        axis.set_ylabel("share of the range")
        axis.set_xlim(float(learnt.times[0]), float(learnt.times[-1]))
        if math.isfinite(parted):
            axis.axvline(parted, color=MUTED, lw=1, ls=(0, (2, 2)))
        if not any(np.any(g > 0) for g in learnt.gaps.values()):
            axis.set_yticks([])
            axis.set_ylabel("")
            axis.text(
                0.5, 0.5, "no difference, to the last bit", ha="center", va="center", color=MUTED,
                transform=axis.transAxes,
            )  # fmt: skip
            return
        log_axis(axis, "y")
        for g in learnt.gaps.values():
            shown = np.where((g > 0) & np.isfinite(g), g, np.nan)
            axis.plot(learnt.times, shown, color=tint(index), lw=0.9, marker=".", ms=4, mew=0)
        if math.isfinite(margin):
            axis.axhline(margin, color=MUTED, lw=1, ls=(0, (4, 2)))
            axis.text(
                0.99, margin, f"margin {margin:g} ", color=MUTED, ha="right", va="bottom",
                transform=axis.get_yaxis_transform(),
            )  # fmt: skip
        axis.grid(axis="y")

    worst = max((float(np.nanmax(g)) for g in learnt.gaps.values() if np.isfinite(g).any()), default=math.nan)
    label = f"Largest difference of the weights of {learnt.projection} over time; at most {number(worst)}"
    return panel(key, f"{label} of the range", 4.3, 3.0, draw)
