"""Every expected spike train of the NeuroML project's models (conformance.json) on our backends, beside the
published tolerance.

    python benchmarks/neuroml_conformance.py --models ../shared/neuroml [--backends
    native,native:euler,brian2,nest] [--only Ex5]
        [--limit 300] [--option target=cython] [--converged] [--out rows.json] [--markdown table.md]

A run is a backend, or backend:integrator; without one, --integrator. The expected times are NEURON's at the
file's step, converged or not; `tolerance` is max(2 x what the project lists for jLEMS, 1e-3), relative, and
the number of spikes must be the same. --converged adds a column with native's rk4 at a tenth of the file's
step: how far the expected times are from the solution of the equations.

Each target and run has a process of its own, ended after --limit seconds. Rows are written to --out after
each; those that are there already are kept, so an interrupted run goes on (--again runs them anew).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

CONVERGED = "native:rk4:10"  # backend, integrator, steps for one of the file's
Row = dict[str, Any]


def crossings(t: np.ndarray, x: np.ndarray, detect: dict[str, Any]) -> np.ndarray:
    """Times as the project detects them: the sample after an upward crossing, or a local maximum."""
    if detect["method"] == "derivative":
        return t[1:-1][(x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])]
    level = float(detect.get("threshold", 0.0))
    return t[1:][(x[:-1] <= level) & (x[1:] > level)]


def options_for(backend: str, options: dict[str, str]) -> dict[str, str]:
    """Those of the options that this backend has."""
    from portable.backends import registry

    return {k: v for k, v in options.items() if k in registry.get(backend).capabilities.options}


def run_target(root: str, target: str, run: str, entries: list[Row], options: dict[str, str]) -> list[Row]:
    """All entries of one target in one run."""
    import portable as pt

    backend, integrator, finer = [*run.split(":"), *("auto", 1)[run.count(":") :]]
    head = {"target": target, "run": run}
    started = time.perf_counter()
    try:
        net = pt.read_neuroml(Path(root) / "LEMSexamples" / target, folder=root)
        if int(finer) > 1:
            dt = float(str(net.settings.dt).split()[0]) / int(finer)
            net = pt.read_neuroml(Path(root) / "LEMSexamples" / target, folder=root, dt=dt)
        read = time.perf_counter() - started
        results = pt.run(net, backend, integrator=integrator, options=options_for(backend, options))
    except pt.PortableError as error:
        why = " ".join(str(error).split())
        return [
            head
            | {"series": e["exp"] or "(runs)", "passed": False, "why": f"{type(error).__name__}: {why[:600]}"}
            for e in entries
        ]
    took = {k: round(v, 3) for k, v in results.provenance["seconds"].items()}
    out = []
    for e in entries:
        row: Row = head | {
            "series": e["exp"] or "(runs)",
            "read": round(read, 3),
            "seconds": took,
            "steps": results.steps,
        }
        if e["kind"] == "dry":  # nothing is expected but that it runs
            out.append(row | {"passed": True, "why": "no expected times"})
            continue
        try:
            out.append(row | judged(series(net, results, e), e))
        except LookupError as error:
            out.append(row | {"passed": False, "why": str(error)})
    return out


def series(net: Any, results: Any, e: Row) -> np.ndarray:
    """Spike times (ms) of one entry."""
    name = e["outfile"].rsplit("/", 1)[-1]
    if e["detect"] is None:
        for s, place in net.origin.selections:
            if s.file.rsplit("/", 1)[-1] == name and place is not None:
                found = results.spikes[place[0]]
                return np.asarray(found.times)[np.asarray(found.ids) == place[1]]
        raise LookupError(f"no recorded events for {name}")
    columns = [(c, p) for c, p in net.origin.columns if c.file.rsplit("/", 1)[-1] == name]
    c, place = columns[e["columns"][1] - 1]
    if place is None:
        raise LookupError(f"{c.quantity} is not simulated (several compartments)")
    table = results.traces[place.population, place.variable]
    x = table.values[:, list(table.ids).index(place.cell)]
    from portable.units import coherent_power

    x = x * 10.0 ** coherent_power(place.dimension) * float(e["scaling"][1])
    return crossings(
        np.arange(x.size) * table.dt * (table.steps[1] - table.steps[0] if len(table.steps) > 1 else 1),
        x,
        e["detect"],
    )


def judged(times: np.ndarray, e: Row) -> Row:
    """Number, error and verdict of one series."""
    expected = np.atleast_1d(np.array(e["expected"], dtype=float)) * (
        1e3 if e["detect"] is None else 1.0
    )  # event files are in s
    row: Row = {
        "n": int(expected.size),
        "found": int(times.size),
        "tolerance": tolerance(e),
        "ours": times.round(4).tolist(),
    }
    if e["kind"] == "spike rate":  # 1 / mean interval, Hz
        times = np.array([1e3 / np.mean(np.diff(times))])
        expected = np.atleast_1d(float(e["expected"]))
    if times.size != expected.size:
        return row | {"passed": False, "why": f"{times.size} spikes instead of {expected.size}"}
    error = float(np.max(np.abs(times - expected) / np.abs(expected)))
    passed = error <= row["tolerance"]
    return row | {"error": error, "passed": passed, "why": "" if passed else f"error {error:.2e}"}


def tolerance(e: Row) -> float:
    """Relative."""
    return max(2 * float(e["tol"].get("jNeuroML", 0.0) or 0.0), 1e-3)


def in_a_process(
    root: str, target: str, run: str, entries: list[Row], options: dict[str, str], limit: float
) -> list[Row]:
    """run_target in a process of its own, which may crash or be ended after `limit` seconds, with all that it
    started.
    """
    job = json.dumps([root, target, run, entries, options])
    child = subprocess.Popen(
        [sys.executable, __file__, "--job"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = child.communicate(job, timeout=limit)
    except subprocess.TimeoutExpired:
        why = f"not finished in {limit:g} s"
    else:
        for line in reversed(out.splitlines()):
            if line.startswith("ROWS "):
                rows: list[Row] = json.loads(line[5:])
                return rows
        why = f"exit code {child.returncode}: {' '.join(err.split())[-400:]}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return [
        {"target": target, "run": run, "series": e["exp"] or "(runs)", "passed": False, "why": why}
        for e in entries
    ]


def cell(row: Row | None) -> str:
    """One run's field of the Markdown table."""
    if row is None:
        return ""
    if "error" in row:
        return f"{row['error']:.1e}" if row["passed"] else f"**{row['error']:.1e}**"
    if row["passed"]:
        return "runs"
    return f"**{row['found']} spikes**" if "found" in row else "**-**"


def markdown(entries: list[Row], runs: list[str], rows: list[Row]) -> str:
    """A line for each series; failures in bold, with the reasons below."""
    found = {(r["target"], r["series"], r["run"]): r for r in rows}
    lines = [f"| target | series | n | tolerance | {' | '.join(runs)} |", "|" + "---|" * (4 + len(runs))]
    reasons: dict[str, list[str]] = {}
    for e in entries:
        key = (e["target"], e["exp"] or "(runs)")
        mine = [found.get((*key, run)) for run in runs]
        n, limit = (
            ("", "")
            if e["kind"] == "dry"
            else (str(np.atleast_1d(e["expected"]).size), f"{tolerance(e):.1e}")
        )
        lines.append(
            f"| {e['target'].removeprefix('LEMS_NML2_').removesuffix('.xml')} | {key[1]} | {n} | {limit} | "
            f"{' | '.join(map(cell, mine))} |"
        )
        for r in mine:
            if r is not None and not r["passed"]:
                reasons.setdefault(f"{r['target']}, {r['run']}: {r['why']}", []).append(r["series"])
    lines += ["", *(f"- {summary(run, entries, rows)}" for run in runs)]
    lines += ["", *(f"- {why} ({', '.join(series)})" for why, series in reasons.items())]
    return "\n".join(lines) + "\n"


def summary(run: str, entries: list[Row], rows: list[Row]) -> str:
    """How many series agree, and how many examples without expected times run."""
    passed = {(r["target"], r["series"]) for r in rows if r["run"] == run and r["passed"]}
    timed, dry = (
        [(e["target"], e["exp"] or "(runs)") for e in entries if (e["kind"] == "dry") == is_dry]
        for is_dry in (False, True)
    )
    return (
        f"{run}: {sum(k in passed for k in timed)} of {len(timed)} series with expected times pass; "
        f"{sum(k in passed for k in dry)} of {len(dry)} examples without any run"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", type=Path, required=True, help="folder with LEMSexamples/, examples/ and conformance.json"
    )
    parser.add_argument(
        "--backends", default="native,brian2,nest", help="runs, by commas: backend or backend:integrator"
    )
    parser.add_argument("--integrator", default="auto", help="of the runs that name none")
    parser.add_argument("--only", default="", help="targets whose name contains this; several by commas")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one target in one run")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="for the backends that have it"
    )
    parser.add_argument("--converged", action="store_true", help=f"also {CONVERGED}")
    parser.add_argument("--out", type=Path, default=None, help="rows as JSON, kept and added to")
    parser.add_argument(
        "--again", action="store_true", help="do not keep the rows that --out has of these targets and runs"
    )
    parser.add_argument("--markdown", type=Path, default=None, help="write the table here")
    return parser.parse_args()


def main() -> None:
    a = arguments()
    entries = [
        e
        for e in json.loads((a.models / "conformance.json").read_text())
        if any(o in e["target"] for o in a.only.split(","))
    ]
    targets: dict[str, list[Row]] = {}
    for e in entries:
        targets.setdefault(e["target"], []).append(e)
    runs = [
        r if ":" in r or a.integrator == "auto" else f"{r}:{a.integrator}" for r in a.backends.split(",") if r
    ] + [CONVERGED] * a.converged
    options = dict(o.split("=", 1) for o in a.option)
    rows: list[Row] = json.loads(a.out.read_text()) if a.out and a.out.exists() else []
    if a.again:
        rows = [r for r in rows if r["run"] not in runs or r["target"] not in targets]
    for run in runs:
        for target, mine in targets.items():
            found = [r for r in rows if (r["run"], r["target"]) == (run, target)]
            if not found:
                found = in_a_process(str(a.models), target, run, mine, options, a.limit)
                rows += found
                if a.out:
                    a.out.write_text(json.dumps(rows, indent=1))
            for r in found:
                verdict = (
                    f"{'pass' if r['passed'] else 'FAIL'} {r.get('error', float('nan')):9.2e} <= "
                    f"{r.get('tolerance', 0):.1e}"
                )
                print(
                    f"{run:14} {r['target']:45} {r['series']:28} {verdict} "
                    f"{sum(r.get('seconds', {}).values()):6.1f} s  {r['why'][:200]}",
                    flush=True,
                )
    for run in runs:
        print(summary(run, entries, rows), file=sys.stderr)
    if a.markdown:
        a.markdown.write_text(markdown(entries, runs, rows))


if __name__ == "__main__":
    if sys.argv[1:] == ["--job"]:
        print("ROWS " + json.dumps(run_target(*json.load(sys.stdin))), flush=True)
    else:
        main()
