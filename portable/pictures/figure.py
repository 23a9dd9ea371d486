"""What the pictures share: colours, and writing a figure without a display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from portable.errors import ModelError, suggestion
from portable.files import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito's colours that can be told apart with any kind of colour vision, then darker and lighter ones.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7A4B94",
    "#8C564B",
    "#444444",
    "#999933",
    "#AA4499",
    "#117733",
)
EXCITATORY, INHIBITORY, GREY = "#0072B2", "#D55E00", "#555555"
SUFFIXES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")


def colour(i: int) -> str:
    """The colour of the i-th population."""
    return COLOURS[i % len(COLOURS)]


def new_figure(width: float, height: float) -> Figure:
    """A figure that needs no display and leaves pyplot's state alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure; ModelError on a suffix that is no picture's or a missing folder."""
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise ModelError(str(path), "is no picture's name", suggestion(target.suffix, SUFFIXES))
    if not target.parent.is_dir():
        raise ModelError(str(path), f"there is no folder '{target.parent}'", "make it first")
    with whole(target) as part:
        figure.savefig(part, dpi=140)
