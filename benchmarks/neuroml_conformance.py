"""Every expected spike train of the NeuroML project's models (conformance.json) on our backends, beside the published tolerance.

    python benchmarks/neuroml_conformance.py --models ../shared/neuroml [--backends native,brian2,nest] [--only Ex5] [--out table.md]

The expected times are NEURON's at the file's step, converged or not; `tolerance` is max(2 x what the project lists for jLEMS, 1e-3), relative, and
the number of spikes must be the same. Each target runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def crossings(t: np.ndarray, x: np.ndarray, detect: dict[str, Any]) -> np.ndarray:
    """Times as the project detects them: the sample after an upward crossing, or a local maximum."""
    if detect["method"] == "derivative":
        return t[1:-1][(x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])]
    level = float(detect.get("threshold", 0.0))
    return t[1:][(x[:-1] <= level) & (x[1:] > level)]


def run_target(job: tuple[str, str, str, list[dict[str, Any]], str]) -> list[dict[str, Any]]:
    """All entries of one target on one backend."""
    root, target, backend, entries, integrator = job
    import portable as pt

    out = []
    started = time.perf_counter()
    try:
        net = pt.read_neuroml(Path(root) / "LEMSexamples" / target, folder=root)
        read = time.perf_counter() - started
        results = pt.run(net, backend, integrator=integrator)
        ran = time.perf_counter() - started - read
    except Exception as error:
        why = str(error).replace("\n", " ")
        return [{"target": target, "series": e["exp"] or "(runs)", "backend": backend, "passed": False, "why": f"{type(error).__name__}: {why[:300]}"} for e in entries]
    for e in entries:
        row: dict[str, Any] = {"target": target, "series": e["exp"] or "(runs)", "backend": backend, "read": read, "run": ran}
        if e["kind"] == "dry":  # nothing is expected but that it runs
            out.append(row | {"passed": True, "why": "no expected times"})
            continue
        try:
            times = series(net, results, e)
            row |= judged(times, e)
        except LookupError as error:
            row |= {"passed": False, "why": str(error)}
        out.append(row)
    return out


def series(net: Any, results: Any, e: dict[str, Any]) -> np.ndarray:
    """Spike times (ms) of one entry."""
    name = e["outfile"].rsplit("/", 1)[-1]
    if e["detect"] is None:
        for s, place in net.lems.selections:
            if s.file.rsplit("/", 1)[-1] == name and place is not None:
                found = results.spikes[place[0]]
                return np.asarray(found.times)[np.asarray(found.ids) == place[1]]
        raise LookupError(f"no recorded events for {name}")
    columns = [(c, p) for c, p in net.lems.columns if c.file.rsplit("/", 1)[-1] == name]
    c, place = columns[e["columns"][1] - 1]
    if place is None:
        raise LookupError(f"{c.quantity} is not simulated (several compartments)")
    table = results.traces[place.population, place.variable]
    x = table.values[:, list(table.ids).index(place.cell)]
    from portable.units import coherent_power

    x = x * 10.0 ** coherent_power(place.dimension) * float(e["scaling"][1])
    return crossings(np.arange(x.size) * table.dt * (table.steps[1] - table.steps[0] if len(table.steps) > 1 else 1), x, e["detect"])


def judged(times: np.ndarray, e: dict[str, Any]) -> dict[str, Any]:
    expected = np.atleast_1d(np.array(e["expected"], dtype=float)) * (1e3 if e["detect"] is None else 1.0)  # event files are in s
    tolerance = max(2 * float(e["tol"].get("jNeuroML", 0.0) or 0.0), 1e-3)
    row: dict[str, Any] = {"n": int(expected.size), "found": int(times.size), "tolerance": tolerance, "ours": times.round(4).tolist()}
    if e["kind"] == "spike rate":  # 1 / mean interval, Hz
        times = np.array([1e3 / np.mean(np.diff(times))])
        expected = np.atleast_1d(float(e["expected"]))
    if times.size != expected.size:
        return row | {"passed": False, "why": f"{times.size} spikes instead of {expected.size}"}
    error = float(np.max(np.abs(times - expected) / np.abs(expected)))
    return row | {"error": error, "passed": error <= tolerance, "why": "" if error <= tolerance else f"error {error:.2e}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder with LEMSexamples/, examples/ and conformance.json")
    parser.add_argument("--backends", default="native,brian2,nest")
    parser.add_argument("--integrator", default="auto")
    parser.add_argument("--only", default="", help="targets whose name contains this")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="write the rows as JSON")
    a = parser.parse_args()
    entries = [e for e in json.loads((a.models / "conformance.json").read_text()) if a.only in e["target"]]
    targets: dict[str, list[dict[str, Any]]] = {}
    for e in entries:
        targets.setdefault(e["target"], []).append(e)
    jobs = [(str(a.models), t, b, es, a.integrator) for b in a.backends.split(",") for t, es in targets.items()]
    rows: list[dict[str, Any]] = []
    with multiprocessing.get_context("spawn").Pool(a.processes, maxtasksperchild=1) as pool:
        for found in pool.imap(run_target, jobs):
            rows += found
            for r in found:
                print(f"{r['backend']:8} {r['target']:45} {r['series']:28} {'pass' if r['passed'] else 'FAIL'} {r.get('error', float('nan')):9.2e} <= {r.get('tolerance', 0):.1e}  {r.get('why', '')[:200]}", flush=True)
    if a.out:
        a.out.write_text(json.dumps(rows, indent=1))
    for b in a.backends.split(","):
        mine = [r for r in rows if r["backend"] == b]
        print(f"{b}: {sum(r['passed'] for r in mine)} of {len(mine)} series pass", file=sys.stderr)


if __name__ == "__main__":
    main()
