"""Native against NEST and Brian2 C++ standalone: build time, run time, cost of an event, peak memory; each
run in a process of its own, medians of several.

    python benchmarks/engines.py                        # microcircuit 0.1 and 0.5, CUBA 4000; 2 threads each
    python benchmarks/engines.py --only cuba --repeats 5 --duration 2000
    python benchmarks/engines.py --only small --repeats 5 --threads 1   # 1, 10 and 100 cells of every kind
    python benchmarks/engines.py --only all --repeats 5 --out engines   # hours; engines.json and engines.png

"build" is resolve + lower + build in the simulator (Brian2 standalone also compiles, given apart); "run" is
the simulation alone, "RTF" that over the biological time. An event is a synapse that a spike of a recorded
cell reaches; Poisson input is not counted, and "ns/event" is of the whole run. A way that would take hours or
more memory than there is leaves a model out (LEFT_OUT).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from identity import KINDS, example, recurrent

import portable as pt


def _grown(cells: int, inputs: int = 100) -> pt.Network:
    """Leaky cells with 80 excitatory and 20 inhibitory inputs each, near 10 Hz at any size."""
    cell, (exc, inh, drive), *_ = KINDS["psc_exp"]
    e, i = (
        pt.Population(n, k, cell()) for n, k in (("exc", cells * 4 // 5), ("inh", cells - cells * 4 // 5))
    )
    noise = pt.Population("noise", cells, pt.SpikeSourcePoisson(4000.0))
    delay = pt.Normal(1.5, 0.75, low=0.1)

    def onto(pre: pt.Population, many: int, weight: float, receptor: str) -> pt.Projection:
        spread = pt.Normal(weight, 0.1 * abs(weight))
        return pt.Projection(pre, [e, i], pt.FixedInDegree(many), pt.StaticSynapse(spread, delay), receptor)

    driven = [
        pt.Projection(noise[: len(e)], e, pt.OneToOne(), pt.StaticSynapse(drive, 1.0)),
        pt.Projection(noise[len(e) :], i, pt.OneToOne(), pt.StaticSynapse(drive, 1.0)),
    ]
    projections = [
        onto(e, inputs * 4 // 5, exc, "excitatory"),
        onto(i, inputs - inputs * 4 // 5, inh, "inhibitory"),
        *driven,
    ]
    return pt.Network("grown", [e, i, noise], projections, recordings=[pt.Record([e, i], "spikes")])


def _single(cell: pt.Cell, size: int, current: float) -> pt.Network:
    """Cells by themselves, driven by a current (nA)."""
    cells = pt.Population("cells", size, cell)
    inputs = [pt.Injection(pt.DCSource(current), cells)]
    return pt.Network("single", [cells], inputs=inputs, recordings=[pt.Record(cells, "spikes")])


# kind -> cell, nA that makes it fire
ALONE: dict[str, tuple[Callable[[], pt.Cell], float]] = {
    "curr_exp": (pt.IF_curr_exp, 1.2),
    "curr_alpha": (pt.IF_curr_alpha, 1.2),
    "curr_delta": (pt.IF_curr_delta, 1.2),
    "cond_exp": (pt.IF_cond_exp, 1.2),
    "cond_alpha": (pt.IF_cond_alpha, 1.2),
    "adex": (pt.EIF_cond_exp_isfa_ista, 1.0),
    "izhikevich": (pt.Izhikevich, 0.01),
    "hh": (pt.HH_cond_exp, 0.5),
}
MODELS: dict[str, Callable[[], pt.Network]] = {
    **{
        f"microcircuit_{s:g}": lambda s=s: example("microcircuit", scale=s)  # type: ignore[misc]
        for s in (0.1, 0.3, 0.5, 1.0)
    },
    "cuba": lambda: example("cuba"),
    "coba": lambda: example("coba"),
    "brunel": lambda: example("brunel2000"),
    "cuba_40000": lambda: example("cuba", cells=40_000, connectivity=0.002),
    "coba_40000": lambda: example("coba", cells=40_000, connectivity=0.002),
    "adex_1000": lambda: recurrent(KINDS["adex"][0](), *KINDS["adex"][1]),
    "hh_1000": lambda: _single(pt.HH_cond_exp(), 1000, 0.5),
    **{f"grown_{n:.0e}": lambda n=n: _grown(n) for n in (1000, 10_000, 100_000, 1_000_000)},  # type: ignore[misc]
    **{
        f"{kind}_x{n}": lambda kind=kind, n=n: _single(ALONE[kind][0](), n, ALONE[kind][1])  # type: ignore[misc]
        for kind in ALONE
        for n in (1, 10, 100)
    },
}
SETS = {
    "default": ["microcircuit_0.1", "microcircuit_0.5", "cuba"],
    "small": [m for m in MODELS if "_x" in m],
    "growth": [m for m in MODELS if m.startswith("grown")],
    "all": list(MODELS),
}
WAYS: dict[str, dict[str, Any]] = {
    "native": {"backend": "native"},
    "native compact": {"backend": "native", "compact": True},
    "native events": {"backend": "native", "options": {"delivery": "events"}},
    "nest": {"backend": "nest", "inputs": "native"},
    "brian2 standalone": {"backend": "brian2", "inputs": "native", "options": {"target": "cpp_standalone"}},
}
LEFT_OUT = {
    "nest": ("microcircuit_1", "grown_1e+06", "coba_40000"),
    "brian2 standalone": ("microcircuit_1", "grown_1e+06"),
}


def once(model: str, way: str, duration: float, threads: int) -> dict[str, float]:
    """One run in this process."""
    net = MODELS[model]()
    r = pt.run(net, duration=duration, seed=1, threads=threads, **WAYS[way])
    seconds = r.provenance["seconds"]
    out = {
        "build": seconds["resolve"] + seconds["lower"] + seconds["build"],
        "run": seconds["run"],
        "memory": r.provenance["peak_memory_bytes"] / 2**20,
        "spikes": float(sum(len(t) for t in r.spikes.values())),
        "cells": float(sum(p.size for p in net.populations if p.name in r.spikes)),
        **({"compile": seconds["compile"]} if "compile" in seconds else {}),
    }
    fan = _fan(net)
    events = sum(float(len(t)) * fan.get(name, 0.0) for name, t in r.spikes.items())
    return {**out, "events": events}


def _fan(net: pt.Network) -> dict[str, float]:
    """Expected synapses of one cell, by population."""
    from portable.resolve import estimate

    found, out = estimate(net, 0.1), dict[str, float]()
    for q in net.projections:
        size = sum(len(v) for v in q.pre)
        for v in q.pre:
            name = v.population.name
            out[name] = out.get(name, 0.0) + found.synapses[q.name] / size
    return out


def measure(model: str, way: str, duration: float, threads: int) -> dict[str, float] | None:
    """One run in a process of its own."""
    what = ["--once", model, "--way", way, "--duration", str(duration), "--threads", str(threads)]
    done = subprocess.run([sys.executable, __file__, *what], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        print(f"{model} {way}: failed: {said[-1] if said else done.returncode}", flush=True)
        return None
    out: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return out


def told(model: str, duration: float, threads: int, medians: Mapping[str, Mapping[str, float]]) -> None:
    """A table of one model."""
    print(f"\n{model}, {duration:g} ms, {threads} thread{'s' * (threads > 1)}")
    heads = ("build s", "run s", "RTF", "run/native", "ns/event", "peak MiB", "spikes")
    print(f"{'':<20}" + "".join(f"{h:>11}" for h in heads))
    base = medians.get("native", {}).get("run", float("nan"))
    for way, m in medians.items():
        each = 1e9 * m["run"] / m["events"] if m["events"] else float("nan")
        row = (
            m["build"],
            m["run"],
            1000 * m["run"] / duration,
            m["run"] / base,
            each,
            m["memory"],
            m["spikes"],
        )
        print(f"{way:<20}" + "".join(f"{x:>11.4g}" for x in row), flush=True)


def drawn(rows: list[dict[str, Any]], path: Path) -> None:
    """Run time over biological time of each model and way."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    models, ways = list(dict.fromkeys(r["model"] for r in rows)), list(dict.fromkeys(r["way"] for r in rows))
    figure, ax = plt.subplots(figsize=(7, 1.5 + 0.3 * len(models)), layout="constrained")
    for n, way in enumerate(ways):
        mine = {r["model"]: r for r in rows if r["way"] == way}
        y = np.array([i for i, m in enumerate(models) if m in mine]) + 0.12 * (n - len(ways) / 2)
        ax.plot([mine[m]["rtf"] for m in models if m in mine], y, "o", ms=4, label=way)
    ax.set_yticks(range(len(models)), models)
    ax.set_xscale("log")
    ax.invert_yaxis()
    ax.axvline(1.0, color="0.7", lw=1)
    ax.set_xlabel("run time / biological time")
    ax.legend(fontsize="small", frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="default", help=f"models, or one of {', '.join(SETS)}")
    parser.add_argument(
        "--ways", default="native,native compact,nest,brian2 standalone", help=", ".join(WAYS)
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--duration", type=float, default=1000.0, help="ms")
    parser.add_argument("--threads", default="2", help="or several by commas")
    parser.add_argument("--out", default="", help="keep OUT.json and OUT.png")
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(json.dumps(once(given.once, given.way, given.duration, int(given.threads))))
        return
    rows: list[dict[str, Any]] = []
    for model in SETS.get(given.only, given.only.split(",")):
        ways = [w for w in given.ways.split(",") if model not in LEFT_OUT.get(w, ())]
        for threads in map(int, given.threads.split(",")):
            runs: dict[str, list[dict[str, float]]] = {w: [] for w in ways}
            for _ in range(given.repeats):  # in turn, so that a drift of the machine's speed meets all
                for way, kept in runs.items():
                    found = measure(model, way, given.duration, threads)
                    if found:
                        kept.append(found)
            medians = {
                w: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for w, rs in runs.items() if rs
            }
            told(model, given.duration, threads, medians)
            rows += [
                {"model": model, "threads": threads, "way": w, "rtf": 1000 * m["run"] / given.duration, **m}
                for w, m in medians.items()
            ]
            if given.out:
                record = {"processors": os.cpu_count(), "repeats": given.repeats, "rows": rows}
                Path(f"{given.out}.json").write_text(json.dumps(record, indent=1))
    if given.out and rows:
        drawn(rows, Path(f"{given.out}.png"))


if __name__ == "__main__":
    main()
