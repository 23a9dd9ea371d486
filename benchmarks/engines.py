"""Native against NEST and Brian2 C++ standalone: build time, run time, peak memory; each run in its own
process, medians of several.

    python benchmarks/engines.py                               # microcircuit 0.1 and 0.5, CUBA 4000; 2
    threads each python benchmarks/engines.py --only cuba --repeats 5 --duration 2000

"build" is resolve + lower + build in the simulator (Brian2 standalone also compiles, given apart); "run" is
the simulation alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import Any

from identity import example

MODELS: dict[str, dict[str, Any]] = {
    "microcircuit_0.1": {"file": "microcircuit", "arguments": {"scale": 0.1}},
    "microcircuit_0.5": {"file": "microcircuit", "arguments": {"scale": 0.5}},
    "cuba": {"file": "cuba", "arguments": {}},
}
WAYS: dict[str, dict[str, Any]] = {
    "native": {"backend": "native"},
    "native compact": {"backend": "native", "compact": True},
    "nest": {"backend": "nest", "inputs": "native"},
    "brian2 standalone": {"backend": "brian2", "inputs": "native", "options": {"target": "cpp_standalone"}},
}


def once(model: str, way: str, duration: float, threads: int) -> dict[str, float]:
    """One run in this process."""
    import portable as pt

    net = example(MODELS[model]["file"], **MODELS[model]["arguments"])
    options = dict(WAYS[way])
    results = pt.run(net, duration=duration, seed=1, threads=threads, **options)
    seconds = results.provenance["seconds"]
    spikes = sum(len(t) for t in results.spikes.values())
    return {
        "build": seconds["resolve"] + seconds["lower"] + seconds["build"],
        "run": seconds["run"],
        "memory": results.provenance["peak_memory_bytes"] / 2**20,
        "spikes": float(spikes),
        **({"compile": seconds["compile"]} if "compile" in seconds else {}),
    }


def measure(model: str, way: str, duration: float, threads: int) -> dict[str, float] | None:
    command = [
        sys.executable,
        __file__,
        "--once",
        model,
        "--way",
        way,
        "--duration",
        str(duration),
        "--threads",
        str(threads),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(
            f"{model} {way}: failed: "
            f"{done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}",
            flush=True,
        )
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(MODELS))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--duration", type=float, default=1000.0, help="ms")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(json.dumps(once(given.once, given.way, given.duration, given.threads)))
        return
    for model in given.only.split(","):
        runs: dict[str, list[dict[str, float]]] = {w: [] for w in given.ways.split(",")}
        for _ in range(given.repeats):  # in turn, so that a drift of the machine's speed meets all
            for way, kept in runs.items():
                found = measure(model, way, given.duration, given.threads)
                if found:
                    kept.append(found)
        print(f"\n{model}, {given.duration:g} ms, {given.threads} threads, medians of {given.repeats}")
        print(f"{'':<20}{'build s':>9}{'run s':>9}{'run/native':>12}{'peak MiB':>10}{'spikes':>9}")
        medians = {w: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for w, rs in runs.items() if rs}
        base = medians.get("native", {}).get("run", float("nan"))
        for way, m in medians.items():
            print(
                f"{way:<20}{m['build']:>9.2f}{m['run']:>9.3f}{m['run'] / base:>12.2f}{m['memory']:>10.0f}{m['spikes']:>9.0f}",  # noqa: E501
                flush=True,
            )


if __name__ == "__main__":
    main()
