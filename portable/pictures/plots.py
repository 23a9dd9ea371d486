"""A raster with rates: what a run looks like, on one page.

Where there are too many cells to draw, evenly spaced ones are shown and the caption says how many; rates use
all recorded cells.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from portable.pictures.figure import GREY, colour, new_figure, save_figure
from portable.pictures.weights import chosen, courses, distribution, left_out
from portable.resolve.program import Ints
from portable.results.approximations import grouped
from portable.results.statistics import rate_histogram
from portable.results.tables import Results, SpikeTable, TraceTable
from portable.units import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS, LEAST_ROWS = 1500, 60  # cells drawn in all; at least this many of each population, if it has them
SPIKES = 150_000  # spikes drawn in all
TRACES = 4  # cells drawn of each recorded variable
LEARNING = 3  # projections whose weights are drawn


@dataclass(frozen=True)
class Band:
    """One population's stripe of the raster: from `low` to `high` of the height; spikes drawn at (times,
    heights).
    """

    name: str
    table: SpikeTable
    colour: str
    low: float
    high: float
    cells: Ints  # drawn
    times: Floats
    heights: Floats

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


def raster(results: Results, path: str | Path | None = None) -> Figure:
    """Spikes by population, mean rates, rates over time, recorded variables, weights of connections that
    learn. Saved if `path` is given; returns the figure.
    """
    bands = _bands(results)
    by_variable: dict[str, list[tuple[str, TraceTable]]] = {}
    for (name, variable), t in results.traces.items():
        if t.values.size:
            by_variable.setdefault(variable, []).append((name, t))
    shown = list(by_variable.items())[:3]
    learning = chosen(results, LEARNING)
    heights = ([4.2, 1.5] if bands else []) + [1.4] * len(shown) + [1.7] * len(learning)
    figure = new_figure(10.5, 1.6 + sum(heights or [1.0]))
    grid = figure.add_gridspec(
        max(1, len(heights)), 2, height_ratios=heights or [1.0], width_ratios=[5, 1.15]
    )
    limits = (0.0, results.duration or 1.0)
    axes: list[Axes] = []
    if bands:
        axes = [figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])]
        _spikes(axes[0], bands)
        _rates(axes[1], bands, results.duration)
        _means(figure.add_subplot(grid[0, 1]), bands, results)
    for i, (variable, tables) in enumerate(shown):
        axes.append(figure.add_subplot(grid[i + 2 * bool(bands), 0]))
        _traces(axes[-1], variable, tables, [b.name for b in bands])
    for i, ((projection, state), table) in enumerate(learning):
        row = i + len(shown) + 2 * bool(bands)
        axes.append(figure.add_subplot(grid[row, 0]))
        courses(axes[-1], projection, state, table, colour(len(bands) + i))
        beside = figure.add_subplot(grid[row, 1], sharey=axes[-1])
        distribution(beside, table, colour(len(bands) + i), legend=not i)
    for axis in axes:
        axis.set_xlim(*limits)
        axis.tick_params(labelbottom=axis is axes[-1])
    if axes:
        axes[-1].set_xlabel("time (ms)")
    else:
        figure.add_subplot(grid[0, :]).set_axis_off()
        figure.text(0.5, 0.4, "nothing was recorded", ha="center", color=GREY)
    figure.suptitle(_title(results), x=0.01, ha="left", fontsize=11)
    figure.supxlabel(caption(results, bands, by_variable), x=0.01, ha="left", fontsize=7.5, color=GREY)
    if path is not None:
        save_figure(figure, path)
    return figure


def caption(results: Results, bands: list[Band], by_variable: dict[str, list[tuple[str, TraceTable]]]) -> str:
    """What the picture leaves out; nothing is left out silently."""
    parts = []
    drawn, recorded = sum(b.cells.size for b in bands), sum(b.table.recorded.size for b in bands)
    if drawn < recorded:
        parts.append(
            f"Raster: {drawn:,} of {recorded:,} recorded cells, evenly spaced in each population (the share "
            "differs); rates and histograms use all."
        )
    unseen = [n for n in results.sizes if n not in results.spikes]
    if unseen:
        parts.append(f"Spikes not recorded: {', '.join(unseen)}.")
    partly = [b.name for b in bands if b.table.recorded.size < results.sizes[b.name]]
    if partly:
        parts.append(f"Recorded in part: {', '.join(partly)}.")
    for i, (variable, tables) in enumerate(by_variable.items()):
        cut = [n for n, t in tables if t.ids.size > TRACES]
        if i >= 3:
            parts.append(f"{variable} was recorded but is not drawn.")
        elif cut:
            parts.append(f"{variable}: the first {TRACES} recorded cells of {', '.join(cut)}.")
    parts += left_out(results, LEARNING)
    changed = grouped(results.approximations)
    parts += [f"Approximation: {line}." for line in changed[:2]]
    if len(changed) > 2:
        parts.append(f"{len(changed) - 2} more kinds of approximation are in the results.")
    if results.provenance.get("interrupted"):
        parts.append("The run was interrupted.")
    return "\n".join(textwrap.wrap(" ".join(parts), 165))


def _title(r: Results) -> str:
    p = r.provenance
    simulator = f"{r.backend} {p['simulator']}" if p.get("simulator") else r.backend
    sources = sum(n for name, n in r.sizes.items() if name in p.get("sources", ()))
    cells = f"{sum(r.sizes.values()) - sources:,} cells" + (f" and {sources:,} sources" if sources else "")
    second = [simulator, f"dt {r.dt:g} ms", f"{r.duration:g} ms", f"seed {p.get('seed', '?')}", cells]
    second += [f"{int(p['synapses']):,} synapses"] if p.get("synapses") is not None else []
    return f"{r.network}\n" + "  ·  ".join(second)


def _bands(results: Results) -> list[Band]:
    """Stripes from the top down in the order of the populations; each at least a twenty-fifth of the
    height.
    """
    tables = list(results.spikes.items())
    rows = np.array(
        [_rows(t.recorded.size, sum(x.recorded.size for _, x in tables)) for _, t in tables], dtype=np.float64
    )
    share = rows / max(1.0, rows.sum())
    share = np.maximum(share, min(0.04, 1.0 / max(1, len(tables))))
    edges = 1.0 - np.concatenate([[0.0], np.cumsum(share / share.sum())]) if tables else np.ones(1)
    spikes = sum(len(t) * n / max(1, t.recorded.size) for (_, t), n in zip(tables, rows))
    thin = min(1.0, SPIKES / spikes) if spikes else 1.0
    return [
        _band(name, t, colour(i), float(edges[i + 1]), float(edges[i]), max(1, int(rows[i] * thin)))
        for i, (name, t) in enumerate(tables)
    ]


def _rows(recorded: int, total: int) -> int:
    return recorded if total <= ROWS else min(recorded, max(LEAST_ROWS, round(ROWS * recorded / total)))


def _band(name: str, t: SpikeTable, tint: str, low: float, high: float, rows: int) -> Band:
    cells = (
        t.recorded[np.unique(np.linspace(0, max(0, t.recorded.size - 1), rows).astype(np.int64))]
        if t.recorded.size
        else t.recorded
    )
    kept = np.isin(t.ids, cells)
    place = np.searchsorted(cells, t.ids[kept])
    margin = min(0.008, 0.06 * (high - low))
    heights = high - margin - (place + 0.5) / max(1, cells.size) * (high - low - 2 * margin)
    return Band(name, t, tint, low, high, cells, t.times[kept], heights)


def _spikes(axis: Axes, bands: list[Band]) -> None:
    drawn = max(1, sum(b.times.size for b in bands))
    marker: dict[str, Any] = (
        {"marker": "|", "s": 14, "linewidths": 0.7}
        if drawn < 3000
        else {"marker": ".", "s": 6.0 if drawn < 15_000 else 3.0 if drawn < 40_000 else 1.2, "linewidths": 0}
    )
    for b in bands:
        axis.scatter(b.times, b.heights, c=b.colour, rasterized=True, **marker)
        axis.axhline(b.low, color="0.85", lw=0.6, zorder=0)
    axis.set_ylim(0, 1)
    axis.set_yticks([b.middle for b in bands], [b.name for b in bands], fontsize=9 if len(bands) < 14 else 7)
    for label, b in zip(axis.get_yticklabels(), bands):
        label.set_color(b.colour)
    axis.tick_params(axis="y", length=0)
    axis.set_title("spikes", fontsize=9, loc="left", color=GREY)
    if not any(len(b.table) for b in bands):
        axis.text(0.5, 0.5, "not one spike", ha="center", transform=axis.transAxes, color=GREY)


def _rates(axis: Axes, bands: list[Band], duration: float) -> None:
    width = next(
        (
            w
            for w in (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
            if duration / w <= (250 if len(bands) < 4 else 120)
        ),
        200.0,
    )
    for b in bands:
        edges, rates = rate_histogram(b.table, duration, width)
        axis.stairs(rates, edges, color=b.colour, lw=1.0)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("rate (Hz)")
    axis.set_title(f"rate in bins of {width:g} ms", fontsize=9, loc="left", color=GREY)
    _open(axis)


def _means(axis: Axes, bands: list[Band], results: Results) -> None:
    rates = [results.rate(b.name) for b in bands]
    tall = 0.62 * min(b.high - b.low for b in bands)
    axis.barh([b.middle for b in bands], rates, height=min(0.1, tall), color=[b.colour for b in bands])
    top = max(rates, default=0.0) or 1.0
    for b, r in zip(bands, rates):
        axis.text(r + 0.03 * top, b.middle, f"{r:.3g}" if r < 100 else f"{r:.0f}", va="center", fontsize=8)
    axis.set_ylim(0, 1)
    axis.set_xlim(0, 1.35 * top)
    axis.set_yticks([])
    axis.set_title("mean rate (Hz)", fontsize=9, loc="left", color=GREY)
    axis.tick_params(labelsize=8)
    _open(axis)


def _traces(axis: Axes, variable: str, tables: list[tuple[str, TraceTable]], order: list[str]) -> None:
    for k, (name, t) in enumerate(tables):
        tint = colour(order.index(name) if name in order else len(order) + k)
        for j in range(min(TRACES, t.ids.size)):
            axis.plot(
                t.times,
                t.values[:, j],
                color=tint,
                lw=0.8,
                alpha=1.0 - 0.18 * j,
                label=f"{name}" if j == 0 else None,
            )
    unit = tables[0][1].unit
    axis.set_ylabel(variable if unit == "1" else f"{variable} ({unit})")
    axis.set_title(
        f"{variable} of {', '.join(f'{n}[{_few(t.ids[:TRACES])}]' for n, t in tables[:6])}",
        fontsize=9,
        loc="left",
        color=GREY,
    )
    _open(axis)


def _few(ids: Any) -> str:
    return ", ".join(str(int(i)) for i in ids)


def _open(axis: Axes) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
