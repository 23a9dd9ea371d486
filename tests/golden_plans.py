"""A plan as text: what a backend was told to do, to be read and compared without its simulator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from portable.dynamics.emit import emit
from portable.dynamics.expressions import Expr
from portable.dynamics.flat import Flat
from portable.resolve.program import CellGroup, Connections, PoissonGroup, Program, TrainGroup

NAMED = (Flat, CellGroup, PoissonGroup, TrainGroup, Connections)  # what the Program has: its name is enough


def plan_text(plan: Any) -> str:
    """One line for each value of a plan, below the names of the fields that lead to it. The Program inside is
    left out: it is the same for every backend and has tests of its own.
    """
    return "\n".join(_lines("", plan)).strip() + "\n"


def _lines(name: str, item: Any, depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    label = f"{indent}{name}: " if name else indent
    if isinstance(item, Program):
        return
    if isinstance(item, NAMED):
        yield f"{label}{type(item).__name__} {item.name!r}"
    elif isinstance(item, Expr):
        yield label + emit(item)
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        yield f"{label}{type(item).__name__}"
        for field in dataclasses.fields(item):
            yield from _lines(field.name, getattr(item, field.name), depth + 1)
    elif isinstance(item, Mapping):
        yield f"{label}{{}}" if not item else label.rstrip()
        for key, value in item.items():
            yield from _lines(str(key), value, depth + 1)
    elif isinstance(item, np.ndarray):
        yield f"{label}{item.dtype} {item.shape} {np.array2string(item, threshold=8, edgeitems=3)}".replace(
            "\n", " "
        )
    elif isinstance(item, (list, tuple)):
        yield f"{label}()" if not item else label.rstrip()
        for i, value in enumerate(item):
            yield from _lines(f"[{i}]", value, depth + 1)
    elif isinstance(item, (set, frozenset)):
        yield label + " ".join(sorted(map(str, item)))
    elif isinstance(item, str) and "\n" in item:
        yield label.rstrip()
        yield from (f"{indent}  | {line}".rstrip() for line in item.splitlines())
    else:
        yield label + repr(item)
