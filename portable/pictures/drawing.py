"""A drawing of a network: populations and projections, or a matrix of in-degrees where arrows would be a
tangle.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from portable.dynamics.flat import receptor_parameter
from portable.model.cells import Cell
from portable.model.network import Network, Population, Projection
from portable.model.values import Array, Clipped, Lognormal, Normal, Uniform
from portable.pictures.figure import EXCITATORY, GREY, INHIBITORY, new_figure, save_figure
from portable.resolve import estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 26  # pairs of populations up to which arrows are drawn
POPULATIONS = 10
OWN = "own sources"


@dataclass(frozen=True)
class Edge:
    """Connections from one population to another: expected number, connections per target cell, and +1 or -1
    (net effect).
    """

    pre: str
    post: str
    synapses: float
    in_degree: float
    sign: int


def mean_of(v: Any) -> float:
    """Mean of a value in coherent units (bounds of a distribution are not counted in)."""
    match v:
        case Array():
            return float(v.coherent().mean()) if len(v) else 0.0
        case Uniform(low, high):
            return float((low.coherent() + high.coherent()) / 2)
        case Normal(mean) | Lognormal(mean):
            return float(mean.coherent())
        case Clipped(of):
            return mean_of(of)
    return float(v.coherent())


def edges(network: Network, dt: float = 0.1) -> list[Edge]:
    """One edge for each (source population, target population, sign), projections between several populations
    shared out by size.
    """
    found = estimate(network, dt)
    total: dict[tuple[str, str, int], float] = {}
    sizes = {p.name: p.size for p in network.populations}
    for q in network.projections:
        pre, post = sum(len(v) for v in q.pre), sum(len(v) for v in q.post)
        for a in q.pre:
            for b in q.post:
                key = a.population.name, b.population.name, sign(q, b.population)
                total[key] = total.get(key, 0.0) + found.synapses[q.name] * len(a) / pre * len(b) / post
    return [Edge(a, b, n, n / sizes[b], s) for (a, b, s), n in total.items()]


def sign(q: Projection, post: Population) -> int:
    """+1 excitatory, -1 inhibitory: the sign of the mean weight, or for a conductance whether it pulls below
    threshold.
    """
    if mean_of(q.synapse.weight) < 0:
        return -1
    assert isinstance(post.cell, Cell)
    reversal = post.cell.parameters.get(receptor_parameter(q.receptor, "e_rev"))
    if reversal is None:
        return 1
    threshold = post.cell.parameters.get("v_thresh")
    return -1 if mean_of(reversal) < (mean_of(threshold) if threshold is not None else -45.0) else 1


def draw_network(network: Network, path: str | Path | None = None, dt: float = 0.1) -> Figure:
    """Draw populations and projections. Saved if `path` is given; returns the figure."""
    found = edges(network, dt)
    crowded = len(found) > ARROWS or len(network.populations) > POPULATIONS
    figure = _matrix(network, found) if crowded else _graph(network, found)
    cells, synapses = sum(p.size for p in network.populations), sum(e.synapses for e in found)
    figure.suptitle(
        f"{network.name}\n{cells:,} cells in {len(network.populations)} populations, {synapses:,.0f} "
        "synapses",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    if path is not None:
        save_figure(figure, path)
    return figure


def _matrix(network: Network, found: list[Edge]) -> Figure:
    """In-degree of each target (row) from each source (column); colour says sign and, on a log scale,
    in-degree.
    """
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    own = _own_sources(network, found)
    found = [replace(e, pre=OWN) if e.pre in own else e for e in found]
    names = [(p.name, p.size) for p in network.populations if any(e.pre == p.name for e in found)]
    sources = [*names, (OWN, sum(p.size for p in network.populations if p.name in own))] if own else names
    targets = [p for p in network.populations if any(e.post == p.name for e in found)]
    values = np.zeros((len(targets), len(sources)))
    rows, columns = (
        {p.name: i for i, p in enumerate(targets)},
        {name: i for i, (name, _) in enumerate(sources)},
    )
    for e in found:  # both signs between one pair: the stronger one colours
        at = rows[e.post], columns[e.pre]
        values[at] = e.in_degree * e.sign if abs(values[at]) < e.in_degree else values[at]
    count = np.zeros_like(values)
    for e in found:
        count[rows[e.post], columns[e.pre]] += e.in_degree
    figure = new_figure(2.6 + 0.72 * len(sources), 2.4 + 0.5 * len(targets))
    axis = figure.add_subplot()
    top = math.log10(1 + max(1.0, float(np.abs(values).max())))
    shade = np.sign(values) * np.log10(1 + np.abs(values)) / top
    scale = LinearSegmentedColormap.from_list("sign", [INHIBITORY, "#ffffff", EXCITATORY])
    axis.imshow(shade, cmap=scale, norm=Normalize(-1.25, 1.25), aspect="auto")
    small = 8 if len(sources) <= 20 else 6
    for i, j in zip(*np.nonzero(count)):
        axis.text(
            j,
            i,
            _number(count[i, j]),
            ha="center",
            va="center",
            fontsize=small,
            color="white" if abs(shade[i, j]) > 0.85 else "black",
        )
    axis.set_xticks(
        range(len(sources)),
        [f"{name}\n{_number(n)}" for name, n in sources],
        fontsize=small,
        rotation=0 if len(sources) <= 14 else 90,
    )
    axis.set_yticks(range(len(targets)), [f"{p.name}  {_number(p.size)}" for p in targets], fontsize=small)
    axis.set_xticks(np.arange(-0.5, len(sources)), minor=True)
    axis.set_yticks(np.arange(-0.5, len(targets)), minor=True)
    axis.grid(which="minor", color="white", lw=1.5)
    axis.tick_params(which="both", length=0)
    axis.set_xlabel("source, cells")
    axis.set_ylabel("target, cells")
    text = "Connections per target cell; blue excitatory, orange inhibitory, darker = more (log scale)."
    text += f"\n'{OWN}': {', '.join(own)}, each a source of one population only." if own else ""
    figure.supxlabel(
        "\n".join(w for line in text.split("\n") for w in textwrap.wrap(line, 100)),
        x=0.01,
        ha="left",
        fontsize=8,
        color=GREY,
    )
    return figure


def _own_sources(network: Network, found: list[Edge]) -> list[str]:
    """Spike sources of one population each; they share a column where there are several."""
    own = [
        p.name
        for p in network.populations
        if not isinstance(p.cell, Cell) and sum(e.pre == p.name for e in found) == 1
    ]
    return own if len(own) > 1 else []


def _number(x: float) -> str:
    """An in-degree or a size in few characters."""
    if x >= 10_000:
        return f"{x / 1000:.0f}k"
    return (
        f"{x:.0f}"
        if x >= 10 or float(x).is_integer()
        else f"{x:.1f}"
        if x >= 0.1
        else f"{x:.0e}"
        if x < 0.005
        else f"{x:.2f}"
    )


def _graph(network: Network, found: list[Edge]) -> Figure:
    """Cells on an ellipse, spike sources in a column to the left; arrows wider with in-degree (log)."""
    place, radius = (
        _layout(network, found),
        {p.name: 0.36 + 0.05 * math.log10(p.size) for p in network.populations},
    )
    points = np.array(list(place.values()))
    low, high = points.min(axis=0) - 1.25, points.max(axis=0) + 1.25
    wide, tall = high - low
    inch = min(1.7, 12.0 / wide, 10.0 / tall)  # one unit of the drawing
    figure = new_figure(max(6.0, inch * wide), 1.2 + inch * tall)
    axis = figure.add_subplot()
    cells = [p.name for p in network.populations if isinstance(p.cell, Cell)]
    centre = np.mean([place[name] for name in cells] or [(0.0, 0.0)], axis=0)
    widest = math.log10(1 + max([e.in_degree for e in found], default=1.0))
    pairs = {(e.pre, e.post) for e in found}
    for k, e in enumerate(found):
        width = 0.7 + 3.3 * math.log10(1 + e.in_degree) / max(widest, 1e-9)
        second = any(o.pre == e.pre and o.post == e.post for o in found[:k])
        if e.pre == e.post:
            outward = np.array(place[e.pre]) - centre
            lean = (
                math.atan2(outward[1], outward[0]) if len(cells) > 2 else -math.pi / 2
            )  # sources are to the left, or above two cells
            _loop(axis, place[e.pre], radius[e.pre], lean + (1.2 if second else 0.0), e, width)
        else:
            bend = (0.22 if (e.post, e.pre) in pairs else 0.08) * (-1 if second else 1)
            _arrow(
                axis,
                place[e.pre],
                place[e.post],
                radius[e.pre],
                radius[e.post],
                e,
                width,
                bend,
                0.5 if e.pre in cells else 0.25,
            )
    for p in network.populations:
        _node(axis, p, place[p.name], radius[p.name])
    axis.set_xlim(low[0], high[0])
    axis.set_ylim(low[1], high[1])
    axis.set_aspect("equal")
    axis.set_axis_off()
    kinds = (
        "numbers on arrows: connections per target cell; blue excitatory, orange inhibitory; boxes are "
        "spike sources"
    )
    figure.supxlabel(kinds, x=0.01, ha="left", fontsize=8, color=GREY)
    return figure


def _layout(network: Network, found: list[Edge]) -> dict[str, tuple[float, float]]:
    """Up to two cell populations in a row with their sources above; more on a circle with the sources to its
    left.
    """
    cells = [p for p in network.populations if isinstance(p.cell, Cell)]
    sources = [p for p in network.populations if not isinstance(p.cell, Cell)]
    n, place = len(cells), dict[str, tuple[float, float]]()
    if n > 2:
        reach = 0.95 / math.sin(math.pi / n)
        for i, p in enumerate(cells):
            angle = math.pi * (0.5 - 2 * i / n)
            place[p.name] = reach * math.cos(angle), reach * math.sin(angle)
        for i, p in enumerate(sources):
            place[p.name] = -reach - 2.2, 1.3 * ((len(sources) - 1) / 2 - i)
        return place
    for i, p in enumerate(cells):
        place[p.name] = (2.4 * i, 0.0)
    aims = {p.name: [place[e.post][0] for e in found if e.pre == p.name] or [0.0] for p in sources}
    right = -math.inf
    for p in sorted(sources, key=lambda p: float(np.mean(aims[p.name]))):
        right = max(right + 1.4, float(np.mean(aims[p.name])))
        place[p.name] = right, 1.8
    return place


def _node(axis: Axes, p: Population, at: tuple[float, float], r: float) -> None:
    from matplotlib.patches import Circle, Rectangle

    source = not isinstance(p.cell, Cell)
    style: dict[str, Any] = {
        "facecolor": "#f2f2f2" if source else "#ffffff",
        "edgecolor": "#333333",
        "lw": 1.4,
        "zorder": 3,
    }
    axis.add_patch(
        Rectangle((at[0] - r, at[1] - r), 2 * r, 2 * r, **style) if source else Circle(at, r, **style)
    )
    kind = p.cell.type.name if isinstance(p.cell, Cell) else type(p.cell).__name__
    axis.text(
        at[0],
        at[1] + 0.3 * r,
        p.name,
        ha="center",
        va="center",
        fontsize=9 if len(p.name) < 11 else 7,
        fontweight="bold",
        zorder=4,
    )
    axis.text(at[0], at[1] - 0.05 * r, f"{p.size:,}", ha="center", va="center", fontsize=8.5, zorder=4)
    axis.text(
        at[0],
        at[1] - 0.38 * r,
        "\n".join(textwrap.wrap(_spaced(kind), 13)),
        ha="center",
        va="center",
        fontsize=6,
        color=GREY,
        zorder=4,
    )


def _spaced(kind: str) -> str:
    """A type's name with places to break it: SpikeSourcePoisson -> Spike Source Poisson."""
    return "".join(f" {c}" if c.isupper() and i and kind[i - 1].islower() else c for i, c in enumerate(kind))


def _arrow(
    axis: Axes, a: Any, b: Any, ra: float, rb: float, e: Edge, width: float, bend: float, t: float
) -> None:
    """An arrow bent by `bend`, labelled at the share `t` of its way."""
    from matplotlib.patches import FancyArrowPatch

    tint = EXCITATORY if e.sign > 0 else INHIBITORY
    start, end = np.array(a), np.array(b)
    along = (end - start) / np.linalg.norm(end - start)
    side = np.array([along[1], -along[0]])
    middle = (start + end) / 2 + bend * np.linalg.norm(
        end - start
    ) * side  # control point of matplotlib's arc3
    first, last = _towards(start, middle, ra), _towards(end, middle, rb + 0.01)
    axis.add_patch(
        FancyArrowPatch(
            first,
            last,
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=9 + 3 * width,
            lw=width,
            color=tint,
            zorder=2,
            shrinkA=0,
            shrinkB=0,
        )
    )
    control = (first + last) / 2 + bend * np.linalg.norm(last - first) * side
    _label(axis, (1 - t) ** 2 * first + 2 * t * (1 - t) * control + t**2 * last, e, tint)


def _towards(point: Any, goal: Any, distance: float) -> Any:
    step = goal - point
    return point + step / max(1e-9, float(np.linalg.norm(step))) * distance


def _loop(axis: Axes, at: tuple[float, float], r: float, lean: float, e: Edge, width: float) -> None:
    """A population onto itself: a curve that leaves and enters the node around the direction `lean`
    (radians).
    """
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    tint, turn, reach = EXCITATORY if e.sign > 0 else INHIBITORY, math.radians(32), r + 0.62
    spots = [(r, turn), (reach, 1.35 * turn), (reach, -1.35 * turn), (r + 0.01, -turn)]
    points = [(at[0] + d * math.cos(lean + a), at[1] + d * math.sin(lean + a)) for d, a in spots]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    axis.add_patch(
        FancyArrowPatch(
            path=curve,
            arrowstyle="-|>",
            mutation_scale=9 + 3 * width,
            lw=width,
            color=tint,
            zorder=2,
            fill=False,
        )
    )
    far = 0.76 * r + 0.34  # the middle of the curve
    _label(axis, (at[0] + far * math.cos(lean), at[1] + far * math.sin(lean)), e, tint)


def _label(axis: Axes, at: Any, e: Edge, tint: str) -> None:
    axis.text(
        at[0],
        at[1],
        _number(e.in_degree),
        fontsize=8,
        color=tint,
        ha="center",
        va="center",
        zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )
