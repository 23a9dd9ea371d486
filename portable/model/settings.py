"""How a model says that it wants to be run: what a file that describes a simulation adds to its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portable.units import Quantity, quantity


@dataclass(frozen=True, init=False)
class RunSettings:
    """duration and dt that `pt.run` takes where it is given none (None: not said)."""

    duration: Quantity | None
    dt: Quantity | None

    def __init__(self, duration: Any = None, dt: Any = None) -> None:
        for name, given in (("duration", duration), ("dt", dt)):
            object.__setattr__(
                self, name, None if given is None else quantity(given, "ms", f"RunSettings.{name}")
            )
