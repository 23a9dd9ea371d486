"""`portable run`: run a model once, report, save, draw."""

from __future__ import annotations

import json
import math
import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from portable import files
from portable.backends import registry
from portable.cli import text
from portable.cli.model import Model
from portable.errors import ModelError, suggestion
from portable.results.approximations import grouped
from portable.results.statistics import mean_cv
from portable.results.storage import save_results
from portable.results.synapses import SynapseTable
from portable.results.tables import Results
from portable.simulation import run as simulate
from portable.validation.compare import inputs_of

INTERRUPTED = 130


def run(
    model: Model,
    options: Mapping[str, Any],
    *,
    out: Sequence[str],
    option: Sequence[str],
    plot: str | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Run and tell. Returns 0, or 130 if it was interrupted (what was recorded is shown and saved all the
    same).
    """
    for path in out:
        _writer(path)  # a wrong name is refused before the work, not after it
    network = model.build(options, how)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        for kind in (
            DeprecationWarning,
            PendingDeprecationWarning,
            FutureWarning,
        ):  # of the simulators: not for the user of a model
            warnings.simplefilter("ignore", kind)
        progress = text.on_terminal() and not as_json
        results = simulate(network, **how, options=backend_options(option), progress=progress)
    total = time.perf_counter() - began
    for message in dict.fromkeys(str(w.message) for w in caught):
        text.warn(f"note: {message}")
    if as_json:
        text.as_json(summary(results, options))
    else:
        report(results, total)
    for path in out:
        _writer(path)(results, Path(path))
        text.warn(f"saved {path}")
    if plot:
        _draw(results, model, plot)
    return INTERRUPTED if results.provenance.get("interrupted") else 0


def backend_options(given: Sequence[str], form: str = "NAME=VALUE") -> dict[str, Any]:
    """NAME=VALUE as a dictionary; true, false and numbers are read as such. `form` is what a message says to
    write.
    """
    out = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise ModelError("--option", f"cannot read {item!r}", f"write {form}")
        try:
            out[name] = json.loads(value)
        except json.JSONDecodeError:
            out[name] = value
    return out


def options_by_backend(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    """BACKEND.NAME=VALUE as the options of each backend."""
    form = "BACKEND.NAME=VALUE, for example nest.nestml=always"
    out: dict[str, dict[str, Any]] = {}
    for place, value in backend_options(given, form).items():
        backend, dot, name = place.partition(".")
        if not (dot and backend and name):
            raise ModelError("--option", f"cannot read {place!r}", f"write {form}")
        out.setdefault(backend, {})[name] = value
    return out


def summary(r: Results, options: Mapping[str, Any]) -> dict[str, Any]:
    """The report as plain data."""
    populations = [
        {
            "name": name,
            "size": r.sizes[name],
            "recorded": int(s.recorded.size),
            "spikes": len(s),
            "rate": r.rate(name),
            "cv": mean_cv(s),
        }
        for name, s in r.spikes.items()
    ]
    traces = [
        {
            "population": n,
            "variable": v,
            "unit": t.unit,
            "cells": int(t.ids.size),
            "samples": int(t.steps.size),
        }
        for (n, v), t in r.traces.items()
    ]
    synapses = [
        {
            "projection": p,
            "variable": v,
            "unit": t.unit,
            "connections": len(t),
            "samples": int(t.steps.size),
            **{at: {"time": time, "mean": mean, "sd": sd} for at, time, mean, sd in _ends(t)},
        }
        for (p, v), t in r.synapses.items()
    ]
    return {
        "version": 1,
        "network": r.network,
        "backend": r.backend,
        "dt": r.dt,
        "duration": r.duration,
        "sizes": dict(r.sizes),
        "populations": populations,
        "traces": traces,
        **({"synapses": synapses} if synapses else {}),
        "model_options": {k: getattr(v, "value", v) for k, v in options.items()},
        "provenance": dict(r.provenance),
        "approximations": [asdict(a) for a in dict.fromkeys(r.approximations)],
        "real_time_factor": real_time_factor(r),
    }


def real_time_factor(r: Results) -> float:
    """Wall-clock seconds of the run for each second of biological time (below 1 is faster than real time)."""
    spent = float(r.provenance.get("seconds", {}).get("run", float("nan")))
    return spent / (r.duration / 1000.0) if r.duration else float("nan")


def report(r: Results, total: float) -> None:
    """The run for people."""
    p = r.provenance
    own = not registry.get(r.backend).capabilities.distribution  # it comes with portable
    simulator = r.backend if own else f"{r.backend} {p.get('simulator')}"
    text.heading(f"{r.network} on {simulator}: {r.duration:g} ms at dt {r.dt:g} ms, seed {p.get('seed')}")
    rows = [(n, r.sizes[n], int(s.recorded.size), len(s), r.rate(n), mean_cv(s)) for n, s in r.spikes.items()]
    if rows:
        text.table(("population", "cells", "recorded", "spikes", "rate (Hz)", "CV of ISI"), rows)
    else:
        text.say("no spikes were recorded; add pt.Record(population, 'spikes')")
    for (n, v), t in r.traces.items():
        text.say(f"trace {n}.{v}: {t.steps.size} samples of {t.ids.size} cells in {t.unit}")
    _report_synapses(r)
    seconds = dict(p.get("seconds", {}))
    phases = ", ".join(f"{name} {spent:.3g} s" for name, spent in seconds.items())
    text.say(f"time: {phases}; in all {total:.3g} s; real-time factor {text.shown(real_time_factor(r))}")
    facts = [f"{int(p['synapses']):,} synapses"] if "synapses" in p else []
    facts += [f"{p['threads']} thread{'s' * (p['threads'] != 1)}"] if "threads" in p else []
    facts += [f"{inputs_of(r)} Poisson trains"] if inputs_of(r) not in ("", "none") else []
    facts += [f"peak memory {text.size(p['peak_memory_bytes'])}"] if "peak_memory_bytes" in p else []
    text.say(", ".join(facts))
    methods: dict[str, list[str]] = {}
    for name, method in p.get("integrators", {}).items():
        methods.setdefault(method, []).append(name)
    if methods:
        text.say("integration: " + "; ".join(f"{m} ({', '.join(names)})" for m, names in methods.items()))
    for line in grouped(r.approximations):
        text.say(f"approximation: {line}")
    if p.get("interrupted"):
        text.say(f"interrupted: this is what was recorded up to {r.duration:g} ms")


def _report_synapses(r: Results) -> None:
    """What was recorded of connections that learn, at the start and at the end."""
    rows = []
    for (p, v), t in r.synapses.items():
        numbers = [text.shown(x) for _, time, mean, sd in _ends(t) for x in (time, mean, sd)]
        unit = "" if t.unit == "1" else f" ({t.unit})"
        rows.append((f"{p}.{v}{unit}", len(t), int(t.steps.size), *numbers))
    if rows:
        ends = [f"{what}{end}" for end in (" at first", " at last") for what in ("ms", "mean", "sd")]
        text.table(("of connections", "connections", "samples", *ends), rows)


def _ends(t: SynapseTable) -> Iterator[tuple[str, float, float, float]]:
    """(word, ms, mean, sd) of the first and of the last sample."""
    for word, i in (("start", 0), ("end", -1)):
        x = t.values[i] if t.steps.size else np.zeros(0)
        found = (float(np.mean(x)), float(np.std(x))) if x.size else (math.nan, math.nan)
        yield (word, float(t.times[i]) if t.steps.size else math.nan, *found)


def _writer(path: str) -> Callable[[Results, Path], None]:
    """The function that writes a file of that suffix. ModelError if there is none or the folder is
    missing.
    """
    known: dict[str, Callable[[Results, Path], None]] = {
        ".npz": save_results,
        ".json": _json,
        ".pkl": _pickle,
        ".nix": _nix,
    }
    suffix, folder = Path(path).suffix.lower(), Path(path).parent
    if suffix not in known:
        raise ModelError("--out", f"cannot write '{path}'", suggestion(suffix, known))
    if not folder.is_dir():
        raise ModelError("--out", f"there is no folder '{folder}'", "make it first")
    if suffix == ".nix":
        import importlib.util

        if importlib.util.find_spec("nixio") is None:
            raise ModelError(
                "--out", "a .nix file needs the package nixio", "pip install nixio, or use .pkl or .npz"
            )
    return known[suffix]


def _json(results: Results, path: Path) -> None:
    files.write(path, text.json_text(summary(results, {})))


def _pickle(results: Results, path: Path) -> None:
    files.write(path, pickle.dumps(results.to_neo()))  # what neo.io.PickleIO reads


def _nix(results: Results, path: Path) -> None:
    from neo.io import NixIO

    with files.whole(path) as part, NixIO(str(part), mode="ow") as file:
        file.write_block(results.to_neo())


def _draw(results: Results, model: Model, plot: str) -> None:
    from portable.pictures.plots import raster

    path = Path(f"{model.path.stem}_{results.backend}.png") if plot == "auto" else Path(plot)
    raster(results, path)
    text.warn(f"drawn {path}")
