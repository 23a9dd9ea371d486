"""Weights of connections that learn: some courses over time, and how they are distributed at the start and at
the end.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from portable.pictures.figure import GREY, colour, new_figure, save_figure
from portable.results.synapses import SynapseTable
from portable.results.tables import Results
from portable.units import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COURSES = 12  # connections drawn of each projection
PANELS = 6  # projections drawn
BINS = 30
SPREAD = 50_000  # connections of which the distributions are counted


def weights(results: Results, path: str | Path | None = None) -> Figure:
    """What was recorded of projections that learn, a row each: courses on the left, distributions on the
    right. Saved if `path` is given; returns the figure.
    """
    shown = chosen(results, PANELS)
    figure = new_figure(10.5, 1.4 + 2.0 * max(1, len(shown)))
    grid = figure.add_gridspec(max(1, len(shown)), 2, width_ratios=[4, 1.15])
    for i, ((projection, variable), t) in enumerate(shown):
        left = figure.add_subplot(grid[i, 0])
        courses(left, projection, variable, t, colour(i))
        left.set_xlim(0.0, results.duration or 1.0)
        left.tick_params(labelbottom=i == len(shown) - 1)
        if i == len(shown) - 1:
            left.set_xlabel("time (ms)")
        distribution(figure.add_subplot(grid[i, 1], sharey=left), t, colour(i), legend=i == 0)
    if not shown:
        figure.add_subplot(grid[0, :]).set_axis_off()
        figure.text(0.5, 0.4, "no weights were recorded", ha="center", color=GREY)
    figure.suptitle(f"{results.network} on {results.backend}", x=0.01, ha="left", fontsize=11)
    said = "\n".join(textwrap.wrap(" ".join(left_out(results, PANELS)), 165))
    figure.supxlabel(said, x=0.01, ha="left", fontsize=7.5, color=GREY)
    if path is not None:
        save_figure(figure, path)
    return figure


def chosen(results: Results, most: int) -> list[tuple[tuple[str, str], SynapseTable]]:
    """What is drawn: weights that were looked at before other states, at most so many."""
    there = [(key, t) for key, t in results.synapses.items() if t.values.size]
    return sorted(there, key=lambda entry: entry[0][1] != "weight")[:most]


def left_out(results: Results, most: int) -> list[str]:
    """What the picture does not show."""
    drawn = chosen(results, most)
    parts = [f"{p}.{v} was recorded but is not drawn." for p, v in results.synapses.keys() - dict(drawn)]
    many = [(p, t) for (p, _), t in drawn if len(t) > COURSES]
    if many:
        counts = ", ".join(f"{len(t):,} of {p}" for p, t in dict(many).items())
        parts.append(
            f"Courses: {COURSES} of the recorded connections ({counts}), evenly from the lowest to the "
            "highest at the end, and in black the mean of all."
        )
    return sorted(parts)


def courses(axis: Axes, projection: str, variable: str, t: SynapseTable, tint: str) -> None:
    """Some connections and the mean of all, over time."""
    last = np.argsort(t.values[-1], kind="stable")
    some = last[np.unique(np.linspace(0, len(t) - 1, min(COURSES, len(t))).astype(np.int64))]
    marker = "." if t.steps.size == 1 else ""
    axis.plot(t.times, t.values[:, some], color=tint, lw=0.8, alpha=0.65, marker=marker)
    axis.plot(t.times, t.values.mean(axis=1), color="black", lw=1.4, marker=marker)
    axis.set_ylabel(variable if t.unit == "1" else f"{variable} ({t.unit})")
    what = f"{variable} of {projection}, {len(t):,} connections; black: their mean"
    axis.set_title(what, fontsize=9, loc="left", color=GREY)
    _open(axis)


def distribution(axis: Axes, t: SynapseTable, tint: str, *, legend: bool = True) -> None:
    """The share of connections over their values (upwards), at the first and the last sample."""
    some = slice(None, None, max(1, len(t) // SPREAD))
    first, last = t.values[0, some], t.values[-1, some]
    edges = _edges(first, last)
    for x, filled in ((first, True), (last, False)):
        share = np.histogram(x, edges)[0] / max(1, x.size)
        axis.stairs(
            share, edges, orientation="horizontal", fill=filled, color="0.55" if filled else tint,
            alpha=0.45 if filled else 1.0, lw=0.0 if filled else 1.3,
        )  # fmt: skip
    if legend:
        axis.legend(["at the start", "at the end"], fontsize=7, frameon=False, loc="best", handlelength=1.2)
    axis.set_title("share of connections", fontsize=9, loc="left", color=GREY)
    axis.set_xlim(left=0)
    axis.tick_params(labelleft=False, labelsize=8)
    _open(axis)


def _edges(*values: Floats) -> Floats:
    low, high = min(float(x.min()) for x in values), max(float(x.max()) for x in values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all the same
        low, high = low - 0.05 * (abs(low) or 1.0), high + 0.05 * (abs(high) or 1.0)
    edges: Floats = np.linspace(low, high, BINS + 1)
    return edges


def _open(axis: Axes) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
