"""The microcircuit on a CUDA device beside the processor of the same machine: seconds to build, to run, the
real-time factor, and whether all spikes are the same.

    python benchmarks/cuda.py [--scales 0.1,0.5,1.0] [--duration 1000] [--out FILE.json]

A few minutes at full size, most of them on the processor; --no-cpu leaves that out, and with it the
comparison of spikes. Without a device NUMBA_ENABLE_CUDASIM=1, --scales 0.001 and --duration 2 try the script
on numba's simulator (three minutes).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import platform
import time
from pathlib import Path

import numpy as np

import portable as pt

EXAMPLE = Path(__file__).parents[1] / "examples" / "microcircuit.py"


def network(scale: float) -> pt.Network:
    spec = importlib.util.spec_from_file_location("microcircuit", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: pt.Network = module.network(scale=scale)
    return made


def measured(net: pt.Network, device: str, duration: float) -> dict[str, object]:
    """One build, 100 ms to begin with (compiling, first touch), and the run."""
    began = time.perf_counter()
    options = {"device": device}
    with pt.open(net, "native", seed=1, options=options) as sim:
        built = time.perf_counter()
        sim.run("100 ms")
        ready = time.perf_counter()
        sim.run(f"{duration} ms")
        ended = time.perf_counter()
        spikes = sim.results().spikes
    digest = hashlib.sha256()
    for name in sorted(spikes):
        for column in (spikes[name].steps, spikes[name].ids):
            digest.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
    return {
        "device": device,
        "build_s": built - began,
        "first_100_ms_s": ready - built,
        "run_s": ended - ready,
        "real_time_factor": 1000 * (ended - ready) / duration,
        "spikes": sum(len(s) for s in spikes.values()),
        "digest": digest.hexdigest()[:16],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scales", default="0.1,0.5,1.0", help="of the microcircuit, with commas between")
    parser.add_argument("--duration", type=float, default=1000.0, help="biological ms of the run")
    parser.add_argument("--no-cpu", action="store_true", help="the device alone")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    given = parser.parse_args()
    rows = []
    for scale in map(float, given.scales.split(",")):
        net = network(scale)
        for device in ("cuda",) if given.no_cpu else ("cuda", "cpu"):
            row = {"scale": scale, **measured(net, device, given.duration)}
            rows.append(row)
            print(
                f"{scale:5g} {device:4s} build {row['build_s']:7.2f} s  first 100 ms "
                f"{row['first_100_ms_s']:6.2f} s  run {row['run_s']:7.3f} s  "
                f"real-time factor {row['real_time_factor']:7.3f}  {row['spikes']} spikes {row['digest']}",
                flush=True,
            )
        if not given.no_cpu:
            print(
                "      the same spikes" if rows[-1]["digest"] == rows[-2]["digest"] else "      OTHER SPIKES"
            )
    if given.out:
        given.out.write_text(json.dumps({"machine": platform.processor(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
