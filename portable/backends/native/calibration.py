"""This machine's costs: measured once, kept on disk, measured anew where the file is damaged or of another
processor, number of processors or version. Types of cells are measured when a network first has them.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from portable import caches, files
from portable.backends.native.cost import Costs, digest
from portable.backends.native.measuring import Tell, measure, updates
from portable.backends.native.outline import Outline
from portable.backends.native.threads import processors

FORMAT = 1  # of the file; other files are measured anew


def key() -> dict[str, Any]:
    """What a calibration is good for."""
    return {
        "format": FORMAT,
        "portable": version("portable-snn"),
        "processor": _processor(),
        "processors": processors(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"


def path() -> Path:
    return caches.folder("native") / f"calibration_{processors()}.json"


def load() -> Costs | None:
    """The kept calibration; None where there is none that holds here and now."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
        if found["key"] != key():
            return None
        costs = Costs(**found["costs"])
        numbers = [*costs.each.values(), *costs.load.values(), *costs.gain.values(), costs.base]
        tables = [x for t in costs.types.values() for p in t for x in p]
        return costs if all(np.isfinite(x) and x >= 0 for x in (*numbers, *tables)) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def keep(costs: Costs) -> None:
    """Write it; where the folder cannot be written it is measured again next time."""
    try:
        caches.made(path().parent)
        files.write(path(), json.dumps({"key": key(), "costs": asdict(costs)}, indent=1))
    except OSError:
        pass


def calibrated(outlines: Sequence[Outline], tell: Tell) -> Costs:
    """The costs of this machine, with those of the outlines' types of cells."""
    costs = load()
    if costs is None:
        tell(f"measuring this machine's processor ({_processor()}), once, for a minute or less")
        costs = measure(tell)
        keep(costs)
    found = {digest(layout): (o, name) for o in outlines for name, layout in o.layouts.items()}
    missing = {d: where for d, where in found.items() if d not in costs.types}
    if missing:
        tell(f"measuring {len(missing)} type{'s' * (len(missing) > 1)} of cells, once")
        around = costs.of({"step": 1, "slice": 2})  # the cells, and the silent source that reaches them
        costs = costs.with_types({d: updates(*where, around) for d, where in missing.items()})
        keep(costs)
    return costs
