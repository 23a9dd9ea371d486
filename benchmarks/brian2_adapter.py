"""What the Brian2 adapter costs: pt.run(..., "brian2") against a hand-written Brian2 script of the same
network.

10,000 current-based LIF cells, 10^6 synapses given as arrays with spread weights and delays, a DC input that
makes each cell fire; dt 0.1 ms. The script is what a careful Brian2 user writes: one NeuronGroup with
method='exact', one Synapses, connect(i=, j=), a SpikeMonitor. Each repetition is a new process; code is
compiled and cached by a repetition that is not counted. Prints medians and ratios.

    python benchmarks/brian2_adapter.py [--repeats 5] [--cells 10000] [--indegree 100] [--duration 1000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

WEIGHT, LOW, HIGH = 0.01, 0.5, 3.0  # nA, ms, ms


def arrays(cells: int, indegree: int) -> tuple[Any, ...]:
    """Sources, targets, weights (nA), delays (ms, on the grid) of every synapse, and input currents (nA)."""
    rng = np.random.default_rng(1)
    count = cells * indegree
    pre, post = rng.integers(0, cells, count), np.repeat(np.arange(cells), indegree)
    weights = rng.normal(WEIGHT, WEIGHT / 10, count)
    return (
        pre,
        post,
        weights,
        rng.integers(round(LOW * 10), round(HIGH * 10), count) / 10,
        rng.uniform(0.74, 0.78, cells),
    )


def adapter(cells: int, indegree: int, duration: float) -> dict[str, float]:
    import brian2  # noqa: F401  both sides pay for the import before the clock starts

    import portable as pt

    pre, post, weights, delays, current = arrays(cells, indegree)
    a = pt.Population("a", cells, pt.IF_curr_exp(tau_refrac=2.0, i_offset=current))
    net = pt.Network(
        "bench",
        [a],
        [pt.Projection(a, a, pt.Explicit(pre, post), pt.StaticSynapse(weights, delays))],
        recordings=[pt.Record(a, "spikes")],
    )
    results = pt.run(net, "brian2", duration)
    s = results.provenance["seconds"]
    return {
        "resolve": s["resolve"],
        "build": s["lower"] + s["build"],
        "run": s["run"],
        "spikes": len(results.spikes["a"]),
    }


def script(cells: int, indegree: int, duration: float) -> dict[str, float]:
    import brian2 as b

    b.prefs.codegen.target = "cython"
    pre, post, weights, delays, current = arrays(cells, indegree)
    began = time.perf_counter()
    b.defaultclock.dt = 0.1 * b.ms
    group = b.NeuronGroup(
        cells, """dv/dt = (-65*mV - v)/(20*ms) + (i_syn + i_offset)/nF : volt (unless refractory)
                  di_syn/dt = -i_syn/(5*ms) : amp
                  i_offset : amp""",
        threshold="v >= -50*mV", reset="v = -65*mV", refractory=2.1 * b.ms, method="exact",
    )  # fmt: skip
    group.v = -65 * b.mV
    group.i_offset = current * b.nA
    synapses = b.Synapses(group, group, "w : amp", on_pre="i_syn_post += w")
    synapses.connect(i=pre, j=post)
    synapses.w = weights * b.nA
    synapses.delay = delays * b.ms
    monitor = b.SpikeMonitor(group)
    network = b.Network(group, synapses, monitor)
    network.run(0 * b.ms)  # generates and loads code, builds the queue
    built = time.perf_counter()
    network.run(duration * b.ms)
    done = time.perf_counter()
    network.run(0 * b.ms)  # every call generates the code again: not counted in the run
    again = time.perf_counter() - done
    return {
        "resolve": 0.0,
        "build": built - began,
        "run": done - built - again,
        "spikes": int(monitor.num_spikes),
    }


def measure(side: str, options: argparse.Namespace) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--side",
        side,
        "--cells",
        str(options.cells),
        "--indegree",
        str(options.indegree),
        "--duration",
        str(options.duration),
    ]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--indegree", type=int, default=100)
    parser.add_argument("--duration", type=float, default=1000.0, help="ms")
    parser.add_argument("--side", choices=("adapter", "script"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(
            json.dumps(
                {"adapter": adapter, "script": script}[options.side](
                    options.cells, options.indegree, options.duration
                )
            )
        )
        return
    rows: dict[str, list[dict[str, float]]] = {"adapter": [], "script": []}
    for repeat in range(options.repeats + 1):
        for side, kept in rows.items():  # in turn, so that a busy machine troubles both alike
            found = measure(side, options)
            if repeat:
                kept.append(found)
    median = {
        side: {k: statistics.median(r[k] for r in kept) for k in kept[0]} for side, kept in rows.items()
    }
    print(
        f"{options.cells} cells, {options.cells * options.indegree} synapses, {options.duration:g} ms, "
        f"median of {options.repeats}"
    )
    for side, m in median.items():
        print(
            f"{side:8} resolve {m['resolve']:6.2f} s   build {m['build']:6.2f} s   run {m['run']:6.2f} s   "
            f"{m['spikes']:.0f} spikes"
        )
    a, s = median["adapter"], median["script"]
    print(
        f"ratio    build {a['build'] / s['build']:.2f} (with resolve "
        f"{(a['build'] + a['resolve']) / s['build']:.2f})   run {a['run'] / s['run']:.2f}"
    )


if __name__ == "__main__":
    main()
