"""The reader for those who may not have what it needs installed: one message instead of an ImportError."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from portable.errors import BackendUnavailable, ModelError
from portable.model.network import Network

INSTALL = "NeuroML files need {}: pip install 'portable-snn[neuroml]'"


def read_neuroml(
    path: str | os.PathLike[str],
    *,
    network: str = "",
    dt: Any = None,
    folder: str | os.PathLike[str] | None = None,
    synapses: str = "rules",
) -> Network:
    """See schemas.neuroml.read.read_neuroml. BackendUnavailable, with the install line, without lxml or
    pyneuroml.
    """
    try:
        from portable.schemas.neuroml.read import read_neuroml as reader
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("portable"):
            raise
        raise BackendUnavailable(INSTALL.format(error.name)) from error
    return reader(path, network=network, dt=dt, folder=folder, synapses=synapses)


def simulation_defaults(path: Path) -> dict[str, str]:
    """duration and dt of the Simulation in a LEMS file, as text; {} where it has none or cannot be read (the
    reader says why).
    """
    try:
        from portable.schemas.neuroml.core import model
        from portable.schemas.neuroml.xml import name, parse

        if path.suffix.lower() == ".h5":
            return {}
        from portable.dynamics.lems.network import whole_steps
        from portable.dynamics.lems.types import Where

        root = parse(path, str(path))
        found = next((e for e in root if name(e) == "Simulation" or e.get("type") == "Simulation"), None)
        if found is None:
            return {}
        scope = model().scope
        length, step = (scope.si(found.get(k, ""), "time", Where(), k) for k in ("length", "step"))
        dt = round(step * 1e3, 12)
        duration = round(whole_steps(length, step) * dt, 9) if 0 < step <= length < math.inf else dt
        return {"duration": f"{duration!r} ms", "dt": f"{dt!r} ms"}
    except (ModuleNotFoundError, ModelError, BackendUnavailable):
        return {}
