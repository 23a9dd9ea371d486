"""`portable import`: a NeuroML or LEMS file as a document of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portable.cli import text
from portable.cli.model import Model
from portable.errors import ModelError
from portable.schemas import formats


def import_(model: Model, options: Mapping[str, Any], *, dt: str, out: str, as_json: bool) -> int:
    """Read, save, tell what was read and what was changed. Returns 0."""
    target = Path(out)
    form = formats.of(target)
    if form is None or not form.whole or form.write is None:
        named = ", ".join(formats.suffixes(whole=True))
        raise ModelError("--out", f"cannot write '{out}'", f"name it {named}")
    if not target.parent.is_dir():
        raise ModelError("--out", f"there is no folder '{target.parent}'", "make it first")
    began = time.perf_counter()
    network = model.build(options, {"dt": dt})
    spent = time.perf_counter() - began
    form.write(network, target)
    notes = network.origin.notes if network.origin is not None else ()
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
