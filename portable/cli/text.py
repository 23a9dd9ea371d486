"""What the commands print: rich tables on a terminal, aligned plain text in a pipe, JSON for machines."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def on_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def say(line: str = "") -> None:
    """A line of output; its marks are never read as markup."""
    print(line)


def as_options(message: str) -> str:
    """A message that names arguments of functions (`folder=`), with the command line's options instead."""
    return re.sub(r"(?<![\w-])(folder|network|dt|duration|seed)=(?=[\s.,;)]|$)", r"--\1", message)


def heading(text: str, colour: str = "cyan") -> None:
    """A line that stands out on a terminal."""
    if on_terminal():
        from rich.console import Console
        from rich.text import Text

        Console().print(Text(text, style=f"bold {colour}"))
    else:
        print(text)


def warn(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """Print rows; a column whose cells are all numbers (or empty) is set right."""
    cells = [[shown(c) for c in row] for row in rows]
    right = [
        all(isinstance(row[i], (int, float, np.number)) or row[i] in ("", "-") for row in rows)
        for i in range(len(columns))
    ]
    if on_terminal():
        _rich_table(columns, cells, right, title)
        return
    if title:
        print(title)
    widths = [max([len(c), *(len(row[i]) for row in cells)]) for i, c in enumerate(columns)]
    for row in [list(columns), *cells]:
        print("  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right)).rstrip())
    print()


def _rich_table(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], title: str
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        header_style="bold",
    )
    for name, side in zip(columns, right):
        made.add_column(name, justify="right" if side else "left", overflow="fold")
    for row in cells:
        made.add_row(*(Text(c) for c in row))
    Console().print(made)


def shown(value: Any) -> str:
    """A cell of a table: numbers to four digits, None and nan as "-"."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 or not math.isfinite(value) else f"{value:,.0f}"
    return str(value)


def size(bytes_: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if bytes_ >= 0.9995 * factor:
            amount = bytes_ / factor
            return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"
    return f"{bytes_:.0f} B"


def as_json(data: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    print(json_text(data))


def json_text(data: Mapping[str, Any]) -> str:
    """JSON with nan and inf as null."""
    return json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
