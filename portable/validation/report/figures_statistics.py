"""Level 5: distributions, spectra, and differences paired over seeds with the band of equivalence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from portable.units import Floats
from portable.validation.evidence import Spectrum
from portable.validation.report.canvas import (
    BAND,
    INK,
    MUTED,
    PAPER,
    dash,
    few_decades,
    labelled,
    log_axis,
    panel,
    stairs,
    tint,
)
from portable.validation.report.names import label
from portable.validation.report.view import SIGNS, Panel, number, short
from portable.validation.verdicts import PairedCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS, POINTS = 28, 220
DISCRETE = 80  # different values up to which they are taken for counts
# share of the values that a linear axis of a histogram shows; few far ones would press all others together
SHOWN = 0.998
SMALL = (2.5, 1.95)


def distribution(
    key: str, statistic: str, unit: str, population: str, values: dict[int, Floats], names: tuple[str, ...]
) -> Panel:
    """Histograms of one statistic of one population, the reference filled, the others as lines. values: index
    of backend -> numbers.
    """
    kept = {i: v[np.isfinite(v)] for i, v in values.items()}
    kept = {i: v for i, v in kept.items() if v.size}
    wide = _skewed(np.concatenate(list(kept.values()))) if kept else False

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        axis.set_title(short(population))
        axis.set_xlabel(labelled(statistic, unit))
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        if not kept:
            axis.text(0.5, 0.5, "no values", ha="center", transform=axis.transAxes, color=MUTED)
            return
        edges = _edges(np.concatenate(list(kept.values())), wide)
        if wide:
            log_axis(axis, "x")
        for i, v in sorted(kept.items()):
            heights = np.histogram(v, edges)[0] / v.size
            stairs(axis, heights, edges, i)
        if not wide:
            axis.locator_params(axis="x", nbins=4)
        axis.set_ylim(bottom=0)

    means = "; ".join(f"{names[i]} mean {number(float(v.mean()))}" for i, v in sorted(kept.items()))
    return panel(
        key,
        f"Distribution of {labelled(statistic, unit)} in {population}: {means or 'no values'}",
        *SMALL,
        draw,
    )


def _skewed(v: Floats) -> bool:
    """All above 0 and, but for the ends, over more than 1.5 decades: a log axis shows more."""
    low, high = np.quantile(v, [0.02, SHOWN])
    return bool(v.min() > 0 and low > 0 and high / low > 30)


def _edges(v: Floats, wide: bool) -> Floats:
    low, high = float(v.min()), float(v.max())
    if not high > low:
        pad = abs(low) * 0.1 or 1.0
        return np.linspace(low - pad, low + pad, 12) if not wide else np.geomspace(low / 2, low * 2, 12)
    if wide:
        return np.geomspace(low, high, BINS + 1)
    top = float(np.quantile(v, SHOWN))
    single = np.unique(np.round(v, 9))
    if (
        single.size <= DISCRETE and single.size > 1
    ):  # rates of a short run are counts: bins that hold equally many of the possible values
        step = float(np.diff(single).min())
        width = step * math.ceil((high - low + step) / step / BINS)
        return np.asarray(low - step / 2 + width * np.arange(math.ceil((high - low + step) / width) + 1))
    return np.linspace(low, top if top > low else high, BINS + 1)


def spectrum(key: str, population: str, curves: dict[int, Spectrum], names: tuple[str, ...]) -> Panel:
    """Power of the population activity, both axes logarithmic. curves: index of backend -> spectrum."""
    smooth = {i: _by_octave(s) for i, s in curves.items()}
    smooth = {i: s for i, s in smooth.items() if s[0].size}

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        axis.set_title(short(population))
        axis.set_xlabel("frequency (Hz)")
        axis.set_ylabel("power ((1/s)²/Hz)")
        if not smooth:
            axis.set_yticks([])
            axis.text(0.5, 0.5, "no values", ha="center", transform=axis.transAxes, color=MUTED)
            return
        log_axis(axis, "x")
        log_axis(axis, "y")
        for i, (f, p) in sorted(smooth.items()):
            axis.plot(
                f,
                p,
                color=tint(i),
                lw=2.4 if i == 0 else 1.2,
                alpha=0.5 if i == 0 else 1.0,
                ls="-" if i == 0 else dash(i),
            )
        few_decades(axis)
        axis.grid(axis="y")

    peaks = "; ".join(
        f"{names[i]} largest at {number(float(f[np.argmax(p)]))} Hz" for i, (f, p) in sorted(smooth.items())
    )
    return panel(key, f"Power spectrum of {population}: {peaks or 'no values'}", *SMALL, draw)


def _by_octave(s: Spectrum) -> tuple[Floats, Floats]:
    """At most POINTS points, evenly spaced in log frequency: means of what falls between two."""
    kept = (s.frequencies > 0) & np.isfinite(s.power) & (s.power > 0)
    f, p = s.frequencies[kept], s.power[kept]
    if f.size <= POINTS:
        return f, p
    place = np.digitize(f, np.geomspace(f[0], f[-1] * (1 + 1e-9), POINTS + 1)) - 1
    n = np.bincount(place, minlength=POINTS)
    full = n > 0
    return np.bincount(place, f, POINTS)[full] / n[full], np.bincount(place, p, POINTS)[full] / n[full]


def paired(key: str, checks: list[PairedCheck], index: int, reference: str, reach: float) -> Panel:
    """One row for each population: the seeds' differences, their mean and 90 % interval, in margins; within
    the band they are equivalent.
    reach: half-width of the axis."""
    rows = _measured(checks)

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        axis.axvspan(-1, 1, color=BAND, lw=0)
        axis.axvline(0, color=MUTED, lw=0.8)
        for y, c in enumerate(checks):
            _row(axis, y, c, index, reach) if c in rows else axis.text(
                0, y, "no margin: too few seeds", ha="center", va="center", color=MUTED
            )
        axis.set_yticks(range(len(checks)), [short(c.population, 16) for c in checks])
        axis.set_ylim(len(checks) - 0.4, -0.6)
        axis.set_xlim(-reach, reach)
        right = axis.secondary_yaxis("right")
        right.set_yticks(
            range(len(checks)),
            [f"{SIGNS.get(c.verdict, '')}  ±{number(c.margin, 2)} {_unit(c)}".rstrip() for c in checks],
            color=INK,
        )
        right.tick_params(length=0)
        right.spines["right"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.set_xlabel(f"difference to {short(reference)}, in margins")
        axis.set_title(short(label(checks[0].statistic), 40))

    verdicts = ", ".join(f"{c.population} {c.verdict}" for c in checks)
    return panel(
        key,
        f"Difference of {label(checks[0].statistic)} between {checks[0].backend} and {reference} by "
        f"population: {verdicts}",
        4.3,
        0.95 + 0.27 * len(checks),
        draw,
    )


def _measured(checks: list[PairedCheck]) -> list[PairedCheck]:
    return [c for c in checks if math.isfinite(c.margin) and c.margin > 0]


def reach(checks: list[PairedCheck]) -> float:
    """Half-width of an axis in margins that shows all intervals and seeds, at most 8; a mean beyond it gets
    an arrow.
    """
    rows = _measured(checks)
    ends = [
        abs(x) / c.margin
        for c in rows
        for x in (*c.interval, c.difference, *c.differences)
        if math.isfinite(x)
    ]
    return min(8.0, max(1.6, 1.12 * max(ends, default=1.0)))


def _row(axis: Axes, y: int, c: PairedCheck, index: int, reach: float) -> None:
    inside = 0.97 * reach
    at = np.clip(np.asarray(c.differences, dtype=np.float64) / c.margin, -inside, inside)
    axis.scatter(
        at,
        np.full(at.size, y) + 0.16,
        s=9,
        facecolor="none",
        edgecolor=tint(index),
        linewidths=0.7,
        alpha=0.8,
    )
    low, high, middle = (x / c.margin for x in (*c.interval, c.difference))
    if math.isfinite(low) and math.isfinite(high):
        axis.plot(
            np.clip([low, high], -inside, inside),
            [y - 0.12] * 2,
            color=tint(index),
            lw=2.6,
            solid_capstyle="butt",
        )
    if math.isfinite(middle):
        beyond = abs(middle) > inside
        mark = (">" if middle > 0 else "<") if beyond else "D"
        axis.plot(
            [float(np.clip(middle, -inside, inside))],
            [y - 0.12],
            marker=mark,
            ms=5.5,
            color=tint(index),
            mec=PAPER,
            mew=0.8,
        )


def _unit(c: PairedCheck) -> str:
    return "" if c.unit == "1" else c.unit
