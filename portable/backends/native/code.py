"""The machine code of a run: the loop, compiled by numba once for all models, and the functions of each type
of cells, compiled once for each type. All of it is kept on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends import compiled
from portable.backends.machine import library
from portable.backends.machine.extern import NUMBERS
from portable.backends.native.codegen import FLOATS, CellCode
from portable.backends.native.layout import Layout

HERE = Path(__file__).parent
# What numba compiles into the loop, and would not notice a change of.
IN_LOOP = (
    *(HERE / name for name in ("kernels.py", "waiting.py", "tables.py", "layout.py")),
    HERE.parent / "addresses.py",
    HERE.parents[1] / "resolve/random.py",
)


@functools.cache
def loop() -> Callable[..., Any]:
    """loop.run. numba compiles it for each combination of types of synapses when it is first called."""
    run: Callable[..., Any] = compiled.load((HERE / "loop.py").read_text(encoding="utf-8"), *IN_LOOP).run
    return run


class Codes:
    """The functions that tables name by number; 0 is none."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, group: str, function: str) -> int:
        """Of a function of a group of cells."""
        return self._numbers.setdefault((group, function), len(self._numbers) + 1)

    def addresses(self, layouts: Mapping[str, Layout]) -> npt.NDArray[np.int64]:
        """By number. Compiles or loads the code of all groups."""
        made = {group: functions(layout) for group, layout in layouts.items()}
        return np.array([0, *(made[group][name] for group, name in self._numbers)], dtype=np.int64)


def functions(layout: Layout) -> Mapping[str, int]:
    """Name -> address of the functions of a type of cells, as codegen.CellCode names them."""
    return library.load(compiled.cache_folder(), CellCode(layout).source(), NUMBERS, FLOATS)
