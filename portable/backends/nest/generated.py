"""Cells that NEST has no model of: NESTML. (placeholder while the rest is tested)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portable.backends.nest.plan import Cells
from portable.resolve.program import CellGroup, PerCell


def cells(group: CellGroup, method: str, dt: float) -> Cells:
    raise NotImplementedError


def parameters(layout: Any, group: CellGroup, values: Mapping[str, PerCell], dt: float) -> dict[str, Any]:
    raise NotImplementedError
