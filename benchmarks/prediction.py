"""What `pt.predict` says against what is measured: build, run and peak memory of three kinds of network at
five sizes each, on the native engine with one thread; each run in a process of its own, the least of several.

    python benchmarks/prediction.py                  # about 5 minutes after the calibration, up to 5 GiB
    python benchmarks/prediction.py --only brunel2000 --repeats 5 --out prediction.json

The whole benchmark holds itself to one processor, so that resolving takes one thread too; seconds are those
of the processor, so that what other programs take of it does not count. They still slow memory and, where two
share a core, all else: the last column is the time of a fixed piece of work at the measurement over that
at the start, and tells how far a ratio can be trusted. The mean rate is the measured one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from identity import example

import portable as pt
from portable.memory import forget_peak, peak

SIZES: dict[str, list[tuple[dict[str, float], float]]] = {  # options of the example, ms
    "cuba": [
        ({"cells": n, "connectivity": 80 / n}, ms)
        for n, ms in ((2000, 1000), (4000, 1000), (16_000, 500), (64_000, 300), (200_000, 150))
    ],
    "brunel2000": [({"scale": s}, 300) for s in (0.1, 0.2, 0.5, 1.0, 2.0)],
    "microcircuit": [({"scale": s}, 300) for s in (0.05, 0.1, 0.2, 0.4, 0.7)],
}
WHAT = ("build", "run", "memory")


def work() -> float:
    """Processor seconds of a fixed piece of work, in near and in far memory: the least of several."""
    near, far = np.arange(1 << 15) * 7 % (1 << 15), np.zeros(1 << 23)
    at = np.random.default_rng(1).integers(far.size, size=1 << 16)
    found = []
    for _ in range(15):
        began = time.process_time()
        for _ in range(20):
            near[near].sum()
        far[at].sum()
        found.append(time.process_time() - began)
    return min(found)


def once(model: str, options: dict[str, float], duration: float) -> dict[str, float]:
    """One run in this process."""
    network = example(model, **options)
    pt.open, pt.Simulation  # noqa: B018  imported before the clock starts
    pace = work()
    forget_peak()
    began = time.process_time()
    with pt.open(network, dt=0.1, seed=1, threads=1) as sim:
        built = time.process_time()
        sim.run(duration)
        ran = time.process_time()
        results = sim.results()
        spikes = sum(len(t) for t in results.spikes.values())
        cells = sum(g.size for g in sim.program.cells)
    out = {"build": built - began, "run": ran - built, "memory": float(peak()), "pace": pace}
    return {**out, "rate": 1000.0 * spikes / cells / duration, "synapses": float(sim.program.synapses)}


def measured(model: str, options: dict[str, float], duration: float, repeats: int) -> dict[str, float]:
    """The least of several processes."""
    found = []
    for _ in range(repeats):
        what = [json.dumps([model, options, duration])]
        done = subprocess.run(
            [sys.executable, __file__, "--once", *what], capture_output=True, text=True, check=True
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {k: min(f[k] for f in found) for k in found[0]}


def row(model: str, options: dict[str, float], duration: float, repeats: int) -> dict[str, Any]:
    """Predicted and measured."""
    got = measured(model, options, duration, repeats)
    began = time.perf_counter()
    p = pt.predict(example(model, **options), duration=duration, dt=0.1, rate=got["rate"])
    took = time.perf_counter() - began
    one = p.times[0]
    said = {"build": one.resolve + one.build, "run": p.run_seconds(1), "memory": float(p.peak_bytes)}
    ratios = {k: said[k] / got[k] for k in WHAT}
    return {
        "model": model, "options": options, "duration": duration, "predicted": said, "measured": got,
        "ratio": ratios, "prediction_seconds": took,
    }  # fmt: skip


def told(r: dict[str, Any], pace: float) -> None:
    said, got = r["predicted"], r["measured"]
    name = f"{r['model']} {next(iter(r['options'].values())):g}"
    cells = [f"{name:<18}{got['synapses']:>11,.0f}{got['rate']:>6.1f}"]
    for k in WHAT:
        unit = 2**20 if k == "memory" else 1.0
        cells.append(f"{said[k] / unit:>9.3g}{got[k] / unit:>9.3g}{r['ratio'][k]:>6.2f}")
    print("  ".join([*cells, f"{got['pace'] / pace:>5.2f}"]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(SIZES), help="models, by commas")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", default="", help="keep the numbers in this JSON file")
    parser.add_argument("--once", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(json.dumps(once(*json.loads(given.once))))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    began = time.perf_counter()
    for model in given.only.split(","):
        pt.predict(example(model), dt=0.1)  # calibrates where that is still to do
    print(f"calibration: {time.perf_counter() - began:.1f} s")
    pace, rows = work(), []
    print(
        f"{'':<18}{'synapses':>11}{'Hz':>6}  "
        + "  ".join(f"{k + ': said':>9}{'took':>9}{'':>6}" for k in WHAT)
    )
    for model in given.only.split(","):
        for options, duration in SIZES[model]:
            rows.append(row(model, options, duration, given.repeats))
            told(rows[-1], pace)
            if given.out:
                Path(given.out).write_text(json.dumps({"pace": pace, "rows": rows}, indent=1))
    for k in WHAT:
        off = [max(r["ratio"][k], 1 / r["ratio"][k]) - 1 for r in rows]
        print(f"{k}: {sum(x <= 0.25 for x in off)} of {len(off)} within 25 %, worst {100 * max(off):.0f} %")
    print(f"a prediction takes {max(r['prediction_seconds'] for r in rows):.2f} s at most")


if __name__ == "__main__":
    main()
