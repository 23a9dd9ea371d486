"""What a report is made of before it is HTML or Markdown: sections of sentences, tables and pictures; and how
numbers are written.

Section   one level or subject     id, title, verdicts, blocks
  Text    a paragraph
  Table   columns and rows of Cells
  Picture one <figure>: Panels (each an SVG) and a caption
  Fold    blocks that are shown on demand
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Union

from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    NO_ANSWER,
    NOT_COMPARABLE,
    NOT_RUN,
    OPEN,
    PASS,
    UNDECIDED,
)

# A sign beside each word, so that no meaning is in the colour alone; then the class that colours it.
SIGNS = {
    PASS: "✓", FAIL: "✗", UNDECIDED: "?", NOT_COMPARABLE: "⊘", NOT_RUN: "–",
    IDENTICAL: "✓", EQUIVALENT: "≈", DIFFERENT: "✗", OPEN: "?",
}  # fmt: skip
TONES = {
    PASS: "pass", FAIL: "fail", UNDECIDED: "open", NOT_COMPARABLE: "none", NOT_RUN: "none",
    IDENTICAL: "pass", EQUIVALENT: "pass", DIFFERENT: "fail", OPEN: "open", NO_ANSWER: "none",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell of a table. `sort` orders numbers by value, not by text; `verdict` adds its sign and colour;
    `code` sets it in a fixed width.
    """

    text: str
    sort: float | None = None
    verdict: str = ""
    code: bool = False

    @property
    def sign(self) -> str:
        return SIGNS.get(self.verdict, "")

    @property
    def tone(self) -> str:
        return TONES.get(self.verdict, "")


@dataclass(frozen=True)
class Table:
    """Rows under named columns; the first cell of a row names it. `long` tables can be sorted."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def long(self) -> bool:
        return len(self.rows) > 3

    @property
    def wide(self) -> bool:
        """Set smaller, so that it fits beside a page's margins."""
        return len(self.columns) > 9

    @property
    def numeric(self) -> frozenset[int]:
        """Columns of numbers, which are aligned to the right."""
        cells = {i: [r[i] for r in self.rows] for i in range(1, len(self.columns))}
        return frozenset(
            i
            for i, column in cells.items()
            if any(c.sort is not None for c in column) and not any(c.verdict for c in column)
        )


@dataclass(frozen=True)
class Panel:
    """One SVG of a figure, with the words a screen reader says for it."""

    svg: str
    label: str


@dataclass(frozen=True)
class Picture:
    """A figure. `layout`: "pair" (two beside each other where there is room) or "small" (many small ones).
    `key` of its lines: (name, index of backend).
    """

    id: str
    caption: str
    panels: tuple[Panel, ...]
    layout: str = "pair"
    legend: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Fold:
    """Blocks behind a line that opens them; open from the start where `shown`, and always in print."""

    title: str
    blocks: tuple[Block, ...]
    shown: bool = False


Block = Union[Text, Table, Picture, Fold]  # noqa: UP007  a forward reference in a tuple


@dataclass(frozen=True)
class Line:
    """The verdict of a level for one backend: anchor, backend, verdict word, the sentence of the record,
    score.
    """

    id: str
    backend: str
    index: int
    verdict: str
    summary: str
    score: str

    @property
    def sign(self) -> str:
        return SIGNS.get(self.verdict, "")

    @property
    def tone(self) -> str:
        return TONES.get(self.verdict, "none")


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    question: str = ""
    lines: tuple[Line, ...] = ()
    blocks: tuple[Block, ...] = field(default_factory=tuple)


NOTHING = "–"
_BAD = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold, such as the bell and half of a surrogate pair."""
    return _BAD.sub("�", text)


def number(x: float, digits: int = 3) -> str:
    """A number in few characters: 0.00123, 4,000, 1.2e-9, ∞; a dash for nan."""
    if isinstance(x, bool) or math.isnan(x):
        return NOTHING
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if float(x).is_integer() and abs(x) < 1e9:
        return f"{int(x):,}".replace("-", "−")
    text = f"{x:.{digits}g}"
    if "e" in text:
        base, _, power = text.partition("e")
        text = f"{base}e{int(power)}" if abs(x) < 1e-3 or abs(x) >= 1e6 else f"{x:,.0f}"
    return text.replace("-", "−")


def signed(x: float, digits: int = 3) -> str:
    """A difference, with its sign."""
    return f"+{number(x, digits)}" if x > 0 else number(x, digits)


def share(x: float) -> str:
    """A share as percent; never rounded up to all, nor down to nothing."""
    if math.isnan(x):
        return NOTHING
    text = number(100 * x, 4)
    return (
        ">\u00a099.99\u00a0%"
        if x < 1 and text == "100"
        else "<\u00a00.01\u00a0%"
        if 0 < x < 1e-4
        else f"{text}\u00a0%"
    )


def chance(p: float) -> str:
    """A p-value."""
    return "<\u00a00.001" if p < 0.001 else number(p, 2)


def bytes_(x: float) -> str:
    """Memory in MiB or GiB."""
    return (
        NOTHING if math.isnan(x) else f"{number(x / 2**30)} GiB" if x >= 2**30 else f"{number(x / 2**20)} MiB"
    )


def listed(names: Iterable[str], most: int = 8) -> str:
    """ "a, b and c"; beyond `most` the rest is counted."""
    all_ = list(names)
    if len(all_) > most:
        all_ = [*all_[: most - 1], f"{len(all_) - most + 1} more"]
    return " and ".join([", ".join(all_[:-1]), all_[-1]] if len(all_) > 1 else all_)


def counted(n: int, one: str, many: str = "") -> str:
    """ "1 seed", "10 seeds"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def short(name: str, most: int = 22) -> str:
    """A name that fits on an axis; the full one is in the tables and the figure's label."""
    return name if len(name) <= most else f"{name[: most - 6]}…{name[-5:]}"
