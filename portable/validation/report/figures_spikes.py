"""Level 3: rasters beside each other with the first divergence marked, and the growth of the difference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portable.resolve.program import Ints
from portable.results.tables import Results, SpikeTable
from portable.units import Floats
from portable.validation.evidence import Growth
from portable.validation.report.canvas import GRID, INK, MUTED, PAPER, SPIKE, log_axis, panel, tint
from portable.validation.report.view import Panel, short
from portable.validation.verdicts import SpikeCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS, LEAST_ROWS = 420, 12  # cells drawn in all; at least this many of each population, if it has them
WINDOW = 1000.0  # ms drawn at most
VECTORS = 1200  # spikes up to which a raster is drawn as lines; more are a PNG


@dataclass(frozen=True)
class Stripe:
    """One population's rows, from `low` to `high` of the height; `cells` are drawn, the first at the top."""

    name: str
    cells: Ints
    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Dots:
    """Spikes of one side: times (ms), heights (0..1), and whether each has a partner at the same step on the
    other side.
    """

    times: Floats
    heights: Floats
    partner: np.ndarray[tuple[int], np.dtype[np.bool_]]


def window(duration: float, check: SpikeCheck | None) -> tuple[float, float]:
    """The time that is drawn: all of a short run, else a piece around the first divergence."""
    if duration <= WINDOW:
        return 0.0, max(duration, 1e-9)
    start = check.time - 0.4 * WINDOW if check is not None and math.isfinite(check.time) else 0.0
    start = min(max(0.0, start), duration - WINDOW)
    return start, start + WINDOW


def stripes(sides: tuple[Results, Results], check: SpikeCheck | None) -> list[Stripe]:
    """Rows for populations recorded on both sides, top down; the diverging cell is always among them."""
    names = [n for n in sides[0].spikes if n in sides[1].spikes and sides[0].spikes[n].recorded.size]
    sizes = np.array([sides[0].spikes[n].recorded.size for n in names], dtype=np.float64)
    rows = (
        sizes
        if sizes.sum() <= ROWS
        else np.minimum(sizes, np.maximum(LEAST_ROWS, np.round(ROWS * sizes / sizes.sum())))
    )
    part = np.maximum(rows / max(1.0, rows.sum()), min(0.06, 1.0 / max(1, len(names))))
    edges = 1.0 - np.concatenate([[0.0], np.cumsum(part / max(part.sum(), 1e-9))])
    found = []
    for i, name in enumerate(names):
        recorded = sides[0].spikes[name].recorded
        cells = recorded[np.unique(np.linspace(0, recorded.size - 1, int(rows[i])).astype(np.int64))]
        if check is not None and check.population == name and check.neuron in recorded:
            cells = np.union1d(cells, [check.neuron])
        found.append(Stripe(name, cells, float(edges[i + 1]), float(edges[i])))
    return found


def dots(mine: Results, other: Results, rows: list[Stripe], span: tuple[float, float]) -> Dots:
    parts = [_dots(mine.spikes[r.name], other.spikes[r.name], r, span) for r in rows]
    if not parts:
        return Dots(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_))
    return Dots(
        np.concatenate([p.times for p in parts]),
        np.concatenate([p.heights for p in parts]),
        np.concatenate([p.partner for p in parts]),
    )


def _dots(mine: SpikeTable, other: SpikeTable, row: Stripe, span: tuple[float, float]) -> Dots:
    kept = np.isin(mine.ids, row.cells) & (mine.times >= span[0]) & (mine.times <= span[1])
    ids, steps = mine.ids[kept], mine.steps[kept]
    width = 1 + max([int(t.steps.max()) for t in (mine, other) if len(t)], default=0)
    partner = np.isin(ids * width + steps, other.ids * width + other.steps)
    return Dots(mine.times[kept], heights(row, ids), partner)


def heights(row: Stripe, ids: Ints) -> Floats:
    """Where cells are drawn."""
    pad = min(0.01, 0.08 * (row.high - row.low))
    place = np.searchsorted(row.cells, ids)
    return np.asarray(
        row.high - pad - (place + 0.5) / max(1, row.cells.size) * (row.high - row.low - 2 * pad)
    )


def rasters(
    keys: tuple[str, str], sides: tuple[Results, Results], check: SpikeCheck | None, indices: tuple[int, int]
) -> tuple[Panel, Panel]:
    """Reference and backend. Grey spikes have a partner at the same step on the other side; coloured ones
    have none.
    """
    span, rows = window(sides[0].duration, check), stripes(sides, check)
    pair = []
    for key, mine, other, index in zip(keys, sides, reversed(sides), indices):
        found = dots(mine, other, rows, span)
        label = (
            f"Raster of {mine.backend}: {found.times.size} spikes of {sum(r.cells.size for r in rows)} "
            f"cells, {int(np.count_nonzero(~found.partner))} of them without a partner on {other.backend}"
        )

        def draw(figure: Figure, found: Dots = found, mine: Results = mine, index: int = index) -> None:
            axis = figure.add_subplot()
            _raster(axis, found, rows, index)
            _mark(axis, rows, check, span)
            axis.set_xlim(*span)
            axis.set_xlabel("time (ms)")
            axis.set_title(short(mine.backend, 40), color=tint(index), fontweight="bold")

        pair.append(panel(key, label, 4.3, 3.5, draw))
    return pair[0], pair[1]


def _raster(axis: Axes, found: Dots, rows: list[Stripe], index: int) -> None:
    n = found.times.size
    size = 8.0 if n < VECTORS else 4.0 if n < 10_000 else 1.8 if n < 40_000 else 0.7
    for kept, colour, big in ((found.partner, SPIKE, 1.0), (~found.partner, tint(index), 1.8)):
        if np.any(kept):
            axis.scatter(
                found.times[kept],
                found.heights[kept],
                c=colour,
                s=size * big,
                marker="|" if n < VECTORS else ".",
                linewidths=0.7 if n < VECTORS else 0,
                rasterized=n >= VECTORS,
            )
    for r in rows:
        axis.axhline(r.low, color=GRID, lw=0.6, zorder=0)
    axis.set_ylim(0, 1)
    axis.set_yticks(
        [r.middle for r in rows], [short(r.name, 14) for r in rows], fontsize=7.5 if len(rows) < 10 else 6.5
    )
    axis.tick_params(axis="y", length=0)
    if not n:
        axis.text(0.5, 0.5, "no spikes here", ha="center", transform=axis.transAxes, color=MUTED)


def _mark(axis: Axes, rows: list[Stripe], check: SpikeCheck | None, span: tuple[float, float]) -> None:
    """A ring around the first spike that differs and a line through its time."""
    if check is None or check.identical or not span[0] <= check.time <= span[1]:
        return
    axis.axvline(check.time, color=INK, lw=0.8, ls=(0, (3, 2)))
    for r in rows:
        if r.name == check.population and check.neuron in r.cells:
            at = float(heights(r, np.array([check.neuron]))[0])
            axis.plot([check.time], [at], marker="o", ms=9, mfc="none", mec=PAPER, mew=3)
            axis.plot([check.time], [at], marker="o", ms=9, mfc="none", mec=INK, mew=1.3)
    right, upper = (
        check.time > span[0] + 0.6 * (span[1] - span[0]),
        rows[-1].name == check.population if rows else False,
    )
    axis.annotate(
        f"first difference, {check.time:g} ms",
        (check.time, float(upper)),
        xytext=(-4 if right else 4, -10 if upper else 4),
        textcoords="offset points",
        ha="right" if right else "left",
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85},
    )


def grows(curves: Mapping[int, Growth]) -> bool:
    """Whether there is anything to draw on a log axis."""
    return any(np.any(g.unmatched > 0) for g in curves.values())


def growth(
    key: str,
    backend: str,
    reference: str,
    index: int,
    own: Mapping[int, Growth],
    perturbed: Mapping[int, Growth],
) -> Panel | None:
    """Spikes without a partner so far, log axis: the backend against the reference, and the reference against
    itself after a change of 1e-12.
    """
    kinds = [
        (f"{short(reference)}, start changed by 1e-12", perturbed, MUTED, (0, (1, 1.2)), 1.6),
        (short(backend), own, tint(index), "-", 1.4),
    ]
    kinds = [k for k in kinds if grows(k[1])]
    if not grows(own):
        return None

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        log_axis(axis, "y")
        for name, curves, colour, line, width in kinds:
            for k, g in enumerate(curves.values()):
                axis.plot(
                    g.times,
                    np.where(g.unmatched > 0, g.unmatched, np.nan),
                    color=colour,
                    ls=line,
                    lw=width,
                    alpha=max(0.6, 1 / math.sqrt(len(curves))),
                    label=name if k == 0 else None,
                )
        axis.set_ylim(bottom=0.8)
        axis.set_xlim(left=0)
        axis.grid(axis="y")
        axis.set_xlabel("time (ms)")
        axis.set_ylabel("spikes without a partner so far")
        axis.set_title("growth of the difference")
        axis.legend(loc="lower right")

    return panel(
        key,
        f"Spikes of {backend} without a partner on {reference} over time, on a log axis, with the reference "
        "after a change of 1e-12 beside it",
        4.3,
        3.0,
        draw,
    )
