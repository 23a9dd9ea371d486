"""From a matplotlib figure to an SVG inside a page: text stays text, colours follow the page's theme, the
same input gives the same bytes.
"""

from __future__ import annotations

import html
import io
import itertools
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from portable.pictures.figure import COLOURS, new_figure
from portable.units import Floats
from portable.validation.report.view import Panel, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that stand for a role; in the page they become the theme's, so that one SVG serves light, dark and
# print.
INK, MUTED, GRID, PAPER, BAND = "#010101", "#010102", "#010103", "#010104", "#010105"
ROLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    BAND: "var(--band)",
}
SPIKE = (
    "#868e96"  # inside a PNG, where no theme reaches: stands out on white and on near-black (3.3 and 5 to 1)
)
DASHES: tuple[Any, ...] = (
    "-",
    (0, (4, 1.6)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (8, 3)),
    (0, (3, 1, 1, 1, 1, 1)),
)
RASTER = 160  # dots an inch of what is a picture inside the SVG
_NAMES = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.3,
    "axes.axisbelow": True,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "axes.formatter.useoffset": False,
}


def tint(i: int) -> str:
    """The colour of the i-th backend, everywhere in a report."""
    return COLOURS[i % len(COLOURS)].lower()


def dash(i: int) -> Any:
    """The line pattern of the i-th backend, so that lines differ without colour too."""
    return DASHES[i % len(DASHES)]


def panel(key: str, label: str, width: float, height: float, draw: Callable[[Figure], None]) -> Panel:
    """An SVG of width x height inches. `key` is unique in the page: it salts the ids. `label` is what a
    screen reader says.
    """
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # the browser has other fonts than matplotlib measures with
        matplotlib.rcdefaults()  # a user's own style must not change the bytes
        matplotlib.rcParams.update({**STYLE, "svg.hashsalt": key})
        figure = new_figure(width, height)
        draw(figure)
        _write(figure, buffer)
    return Panel(_inline(buffer.getvalue(), label), label)


def _write(figure: Figure, buffer: io.BytesIO) -> None:
    """What savefig does, in a third of the time: the margins are found once, by the fonts as Agg measures
    them, and nothing is drawn only to find them.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    figure.set_layout_engine("none")
    figure.patch.set_facecolor("none")
    for axes in figure.axes:
        axes.patch.set_facecolor("none")
    figure.dpi = RASTER
    nothing: Any = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)


def _inline(svg: bytes, label: str) -> str:
    root = ElementTree.fromstring(clean(svg.decode()).encode())
    used = {
        v
        for node in root.iter()
        for name, value in node.items()
        for v in re.findall(r"url\(#([^)]+)\)", value) + ([value[1:]] if name == _LINK else [])
    }
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_NAMES}metadata", f"{_NAMES}style"):
                parent.remove(child)
    for node in root.iter():
        node.tag = node.tag.removeprefix(_NAMES)
        _lean(node, used)
    box = root.attrib["viewBox"]
    body = re.sub(
        r">[ \n]+<", "><", "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    ).strip()
    return f'<svg viewBox="{box}" role="img" aria-label="{html.escape(clean(label))}">{body}</svg>'


def _lean(node: ElementTree.Element, used: set[str]) -> None:
    """Drop what only a file of its own needs: unused ids, fonts, digits beyond a hundredth of a point; give
    colours to the theme.
    """
    if node.get("id") is not None and node.get("id") not in used:
        del node.attrib["id"]
    if _LINK in node.attrib:
        node.set("href", node.attrib.pop(_LINK))
    if "d" in node.attrib:
        node.set("d", re.sub(r"-?\d+\.\d+", _two, " ".join(node.attrib["d"].split())))
    if node.get("transform", "").startswith("rotate(-0 "):
        del node.attrib["transform"]
    if "style" in node.attrib:
        style = re.sub(
            r"font: (?:(?:normal|italic|oblique) )*(\d+ )?([\d.]+px)[^;]*",
            r"font-size: \2",
            node.attrib["style"],
        )
        style = re.sub(r"font-family: [^;]*;? ?", "", style)
        node.set("style", re.sub(r"#[0-9a-f]{6}\b", _themed, style).strip("; "))
    for name in ("x", "y"):
        if name in node.attrib and node.tag in ("use", "text"):
            node.set(name, re.sub(r"-?\d+\.\d+", _two, node.attrib[name]))


def _two(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _themed(found: re.Match[str]) -> str:
    code = found[0]
    if code in ROLES:
        return ROLES[code]
    own = [c.lower() for c in COLOURS]
    return f"var(--c{own.index(code)})" if code in own else code


def stairs(axis: Axes, heights: Any, edges: Any, i: int) -> None:
    """A histogram of backend i: the reference (0) filled, others as a line."""
    axis.stairs(
        heights,
        edges,
        fill=i == 0,
        color=tint(i),
        alpha=0.3 if i == 0 else 1.0,
        lw=1.3,
        ls="-" if i == 0 else dash(i),
    )
    if i == 0:
        axis.stairs(heights, edges, color=tint(0), lw=1.0)


def log_axis(axis: Axes, which: str) -> None:
    """A logarithmic x or y axis with labels such as 10⁻³ in plain text. No small ticks: matplotlib takes
    longer for them than for all the rest.
    """
    from matplotlib.ticker import FuncFormatter, NullLocator

    getattr(axis, f"set_{which}scale")("log")
    side = getattr(axis, f"{which}axis")
    side.set_major_formatter(FuncFormatter(lambda x, _: power_of_ten(x)))
    side.set_minor_locator(NullLocator())


def few_decades(axis: Axes) -> None:
    """Labels at 1, 2 and 5 on a logarithmic y axis of less than two decades, after its limits are known."""
    from matplotlib.ticker import LogLocator

    low, high = axis.get_ylim()
    if 0 < low < high < 100 * low:
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def power_of_ten(x: float) -> str:
    """10⁻³ and 2·10⁻³; numbers from 0.01 to 10,000 that are no power as they are, and so 1 and 10."""
    if x <= 0:
        return ""
    power = round(float(np.log10(x)))
    if not np.isclose(x, 10.0**power, rtol=1e-6, atol=0.0):
        return (
            f"{x:g}"
            if 0.01 <= x < 1e4
            else f"{round(x / 10.0 ** np.floor(np.log10(x))):g}·{power_of_ten(10.0 ** np.floor(np.log10(x)))}"
        )
    return {0: "1", 1: "10"}.get(
        power, "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    )


def thinned(times: Floats, values: Floats, most: int = 700) -> tuple[Floats, Floats]:
    """A long trace for a small picture: the smallest and largest value of each of most/2 pieces, at their
    times, so that no peak is lost.
    """
    if times.size <= most:
        return times, values
    edges = np.linspace(0, times.size, most // 2 + 1).astype(np.int64)
    safe = np.nan_to_num(values, nan=0.0)
    kept = [
        a + np.sort([np.argmin(safe[a:b]), np.argmax(safe[a:b])]) for a, b in itertools.pairwise(edges)
    ]  # a few hundred pieces, whatever the length
    rows = np.unique(np.concatenate(kept))
    return times[rows], values[rows]


def labelled(name: str, unit: str) -> str:
    """ "rate (Hz)"; no brackets where there is no unit."""
    return f"{name} ({unit})" if unit not in ("", "1") else name
