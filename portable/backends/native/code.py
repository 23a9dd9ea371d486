"""The machine code of a run: the loop, compiled by numba once for all models, delivery, once for each
combination of types of synapses, and the functions of each type of cells. All of it is kept on disk.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cfunc, float64, int64

from portable.backends import compiled
from portable.backends.addresses import OPTIONS
from portable.backends.machine import library
from portable.backends.machine.extern import NUMBERS, RULES
from portable.backends.native.codegen import FLOATS, CellCode
from portable.backends.native.layout import Layout
from portable.backends.native.plastic_code import source
from portable.backends.native.plastic_form import Form
from portable.backends.native.tables import SYNAPSES, WAYS

HERE = Path(__file__).parent
# What numba compiles into the loop, and would not notice a change of.
IN_LOOP = (
    *(HERE / name for name in ("kernels.py", "waiting.py", "tables.py", "layout.py")),
    HERE.parent / "addresses.py",
    HERE.parents[1] / "resolve/random.py",
)


# what delivery.py's functions take
TAKES: Mapping[str, Any] = {
    "as_due": int64(int64, int64, int64, int64, int64, int64, int64),
    "ahead_of_time": int64(int64, int64, int64, int64, int64, int64),
    "one_by_one": int64(int64, int64, int64, float64),
}
_DELIVERY: dict[tuple[str, ...], Any] = {}


def delivery(types: Mapping[str, str], ways: Sequence[str]) -> Mapping[str, int]:
    """Addresses of those functions of delivery.py, for synapses of these types (tables.SYNAPSES)."""
    text = (HERE / "delivery.py").read_text(encoding="utf-8")
    kinds = ", ".join(f"np.{types[name]}" for name in SYNAPSES)
    text = re.sub(r"(?m)^(SEGMENTS, .*) = .*$", rf"\1 = {kinds}", text, count=1)
    module = compiled.load(text, *IN_LOOP)
    out = {}
    for way in ways:
        key = (module.__name__, way)
        if key not in _DELIVERY:  # what numba compiled lives as long as what it gave
            _DELIVERY[key] = cfunc(TAKES[way], **OPTIONS)(getattr(module, way))
        out[way] = int(_DELIVERY[key].address)
    return out


@functools.cache
def loop() -> Any:
    """The module of loop.py: `run`, `settle`."""
    return compiled.load((HERE / "loop.py").read_text(encoding="utf-8"), *IN_LOOP)


class Codes:
    """The functions that tables name by number; 0 is none."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, group: str, function: str) -> int:
        """Of a function of a group of cells."""
        return self._numbers.setdefault((group, function), len(self._numbers) + len(WAYS) + 1)

    def addresses(
        self, layouts: Mapping[str, Layout], deliver: Mapping[str, int], forms: Mapping[str, Form]
    ) -> npt.NDArray[np.int64]:
        """By number. Compiles or loads the code of all groups and of synapses that learn (`forms`, by the
        names that number() was given); `deliver` is what delivery() gave.
        """
        made = {group: functions(layout) for group, layout in layouts.items()}
        made |= {name: learning(form) for name, form in forms.items()}
        first = [0, *(deliver.get(way, 0) for way in WAYS)]
        return np.array([*first, *(made[group][name] for group, name in self._numbers)], dtype=np.int64)


def learning(form: Form) -> Mapping[str, int]:
    """Name -> address of the functions of a kind of synapses that learn."""
    return library.load(compiled.cache_folder(), source(form), {**NUMBERS, **RULES})


def functions(layout: Layout) -> Mapping[str, int]:
    """Name -> address of the functions of a type of cells, as codegen.CellCode names them."""
    return library.load(compiled.cache_folder(), CellCode(layout).source(), NUMBERS, FLOATS)
