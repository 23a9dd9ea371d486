"""Parameters of a population as NEST takes them: one value for all of its nodes, or one for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portable.units import Floats


def split(values: Mapping[str, Any], size: int) -> tuple[dict[str, Any], dict[str, Floats]]:
    """(the same for every cell, per cell): numbers and (k,) vectors; arrays (n,) and (n, k). Arrays of one
    value become numbers.
    """
    scalars: dict[str, Any] = {}
    arrays: dict[str, Floats] = {}
    for name, value in values.items():
        data = np.asarray(value)
        vector = name == "tau_syn"
        if data.ndim == int(vector):
            scalars[name] = value if isinstance(value, bool) else data.tolist()
        elif size and np.all(data == data[:1]):
            scalars[name] = data[0].tolist()
        else:
            arrays[name] = data
    return scalars, arrays
