"""Results in one compressed .npz file: arrays and JSON, never a pickle. Exact round trip."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from portable.errors import ModelError
from portable.files import whole
from portable.resolve.program import Approximation
from portable.results.synapses import SynapseTable
from portable.results.tables import Results, SpikeTable, TraceTable

FORMAT, VERSION = "portable.results", 1
_OF_SYNAPSES = ("sources", "targets", "steps", "values")


def save_results(results: Results, path: str | Path) -> None:
    """Write a .npz. Readable with numpy alone: "about" is JSON text, "spikes/exc/ids" and
    "traces/exc/v/values" are arrays, "synapses/0/values" of the first of its "synapses".
    """
    arrays: dict[str, Any] = {}
    for name, s in results.spikes.items():
        arrays |= {
            f"spikes/{name}/ids": s.ids,
            f"spikes/{name}/steps": s.steps,
            f"spikes/{name}/recorded": s.recorded,
        }
    for (name, variable), t in results.traces.items():
        arrays |= {
            f"traces/{name}/{variable}/{part}": getattr(t, part) for part in ("ids", "steps", "values")
        }
    for i, table in enumerate(results.synapses.values()):  # by number: names of projections have slashes
        arrays |= {f"synapses/{i}/{part}": getattr(table, part) for part in _OF_SYNAPSES}
    about = {
        "format": FORMAT,
        "version": VERSION,
        "network": results.network,
        "backend": results.backend,
        "dt": results.dt,
        "steps": results.steps,
        "sizes": dict(results.sizes),
        "spikes": list(results.spikes),
        "traces": [[*key, t.unit] for key, t in results.traces.items()],
        "synapses": [[*key, t.unit] for key, t in results.synapses.items()],
        "provenance": dict(results.provenance),
        "approximations": [asdict(a) for a in results.approximations],
    }
    arrays["about"] = np.array(json.dumps(about, default=_plain))
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_results(path: str | Path) -> Results:
    """Read what `save_results` wrote. ModelError if it is another kind of file or version."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return _read(data, str(path))
    except (zipfile.BadZipFile, ValueError, KeyError) as error:
        raise ModelError(
            str(path),
            f"is no file of results: {error}",
            "write one with portable run MODEL --out results.npz",
        ) from None


def _read(data: Any, path: str) -> Results:
    about = json.loads(str(data["about"]))
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        raise ModelError(
            path,
            f"has format {about.get('format')!r} version {about.get('version')!r}",
            f"this version reads {FORMAT} {VERSION}",
        )
    dt = float(about["dt"])
    spikes = {
        n: SpikeTable(data[f"spikes/{n}/ids"], data[f"spikes/{n}/steps"], dt, data[f"spikes/{n}/recorded"])
        for n in about["spikes"]
    }
    traces = {
        (n, v): TraceTable(
            data[f"traces/{n}/{v}/ids"],
            data[f"traces/{n}/{v}/steps"],
            dt,
            data[f"traces/{n}/{v}/values"],
            unit,
        )
        for n, v, unit in about["traces"]
    }
    synapses = {
        (n, v): SynapseTable(
            dt=dt, unit=unit, **{part: data[f"synapses/{i}/{part}"] for part in _OF_SYNAPSES}
        )
        for i, (n, v, unit) in enumerate(about.get("synapses", ()))
    }
    changed = tuple(Approximation(**a) for a in about["approximations"])
    return Results(
        about["network"],
        about["backend"],
        dt,
        about["steps"],
        about["sizes"],
        spikes,
        traces,
        about["provenance"],
        changed,
        synapses,
    )


def _plain(value: Any) -> Any:
    """numpy numbers in the provenance as numbers, anything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
