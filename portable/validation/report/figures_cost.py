"""Level 6: seconds, memory and real-time factor as bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from portable.validation.report.canvas import panel, tint
from portable.validation.report.view import Panel, number, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bars(key: str, title: str, unit: str, values: dict[str, float], indices: dict[str, int]) -> Panel | None:
    """One bar for each backend, with its number; None if nothing was measured."""
    known = {name: v for name, v in values.items() if math.isfinite(v)}
    if not known:
        return None

    def draw(figure: Figure) -> None:
        axis = figure.add_subplot()
        top = max(known.values()) or 1.0
        for y, (name, v) in enumerate(known.items()):
            axis.barh(y, v, height=0.62, color=tint(indices[name]))
            axis.annotate(number(v), (v, y), xytext=(3, 0), textcoords="offset points", va="center")
        axis.set_yticks(range(len(known)), [short(n, 14) for n in known])
        axis.set_ylim(len(known) - 0.45, -0.55)
        axis.set_xlim(0, 1.28 * top)
        axis.tick_params(axis="y", length=0)
        axis.locator_params(axis="x", nbins=4)
        axis.set_title(title)
        axis.set_xlabel(unit)

    told = ", ".join(f"{name} {number(v)}" for name, v in known.items())
    return panel(key, f"{title} ({unit}): {told}", 2.5, 0.85 + 0.27 * len(known), draw)
