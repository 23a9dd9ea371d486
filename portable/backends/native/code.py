"""The machine code of a run: the loop, compiled once for all models, and the functions of each type of
cells, compiled once for each type. Both are kept on disk (backends/compiled.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from portable.backends import compiled
from portable.backends.native.codegen import CellCode
from portable.backends.native.layout import Layout

HERE = Path(__file__).parent
CALLED = (
    HERE.parent / "addresses.py",
    HERE / "calls.py",
    HERE / "functions.py",
    HERE.parents[1] / "resolve/random.py",
)
# What numba compiles into the loop, and would not notice a change of.
IN_LOOP = (*(HERE / name for name in ("kernels.py", "waiting.py", "tables.py", "layout.py")), *CALLED)


@functools.cache
def loop() -> Callable[..., Any]:
    """loop.run. numba compiles it for each combination of types of synapses when it is first called."""
    run: Callable[..., Any] = compiled.load((HERE / "loop.py").read_text(encoding="utf-8"), *IN_LOOP).run
    return run


def functions(layout: Layout) -> Mapping[str, int]:
    """Name -> address of the functions of a type of cells, as codegen.CellCode names them."""
    return _addresses(CellCode(layout).source())


@functools.cache
def _addresses(source: str) -> Mapping[str, int]:
    module = compiled.load(source, *CALLED)  # it stays loaded, and the machine code with it
    names = [n for n in vars(module) if n in ("update", "conditions") or n.startswith(("arrive_", "read_"))]
    return {name: int(getattr(module, name).address) for name in names}
