"""`portable import`: a NeuroML or LEMS file as a document of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portable.cli import text
from portable.cli.model import DOCUMENTS, Model
from portable.errors import ModelError


def import_(model: Model, options: Mapping[str, Any], *, dt: str, out: str, as_json: bool) -> int:
    """Read, save, tell what was read and what was changed. Returns 0."""
    from portable.schemas.document import save

    target = Path(out)
    if target.suffix.lower() not in DOCUMENTS:
        raise ModelError("--out", f"cannot write '{out}'", f"name it {', '.join(DOCUMENTS)}")
    if not target.parent.is_dir():
        raise ModelError("--out", f"there is no folder '{target.parent}'", "make it first")
    began = time.perf_counter()
    network = model.build(options, {"dt": dt})
    spent = time.perf_counter() - began
    save(network, target)
    notes = network.lems.notes if network.lems is not None else ()
    if as_json:
        settings = network.settings
        found = {
            "duration": str(settings.duration) if settings and settings.duration else None,
            "dt": str(settings.dt) if settings and settings.dt else None,
        }
        text.as_json(
            {
                "version": 1,
                "network": network.name,
                "out": out,
                "populations": {p.name: p.size for p in network.populations},
                **found,
                "notes": [list(n) for n in notes],
            }
        )
        return 0
    text.heading(f"{network!r}, read in {spent:.2g} s")
    text.table(
        ("population", "cells", "type"),
        [
            (p.name, p.size, getattr(getattr(p.cell, "type", p.cell), "name", type(p.cell).__name__))
            for p in network.populations
        ],
    )
    for place, what in notes:
        text.say(f"note: {place}: {what}")
    text.warn(f"saved {out}")
    return 0
