"""Steps as times."""

from __future__ import annotations

import numpy as np

from portable.resolve.program import Ints
from portable.units import Floats


def on_grid(steps: Ints, dt: float) -> Floats:
    """steps*dt in ms, rounded to 1e-9 ms so that 3 * 0.1 prints as 0.3."""
    return np.asarray(np.round(steps * dt, 9))
