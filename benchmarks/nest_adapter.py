"""What the NEST adapter costs: build and run against a hand-written PyNEST script of the same network, with
PyNN beside them.

    python benchmarks/nest_adapter.py [--synapses 1000000] [--repeats 5] [--duration 200] [--threads 1]
    [--no-pynn]

The network: 1000 iaf_psc_exp cells with drive, random recurrent connections with heterogeneous weights and
delays, and 100 spike sources with given trains. Each way runs in a fresh process with the same arrays;
medians over the repeats, taken in turn. PyNN is given the same connections as a list. "build" is from the
arrays (resolve is not in it) to a network ready to run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

CELLS, SOURCES, DT = 1000, 100, 0.1
PARAMETERS = {
    "cm": 250.0,
    "tau_m": 10.0,
    "v_rest": -65.0,
    "v_thresh": -50.0,
    "v_reset": -65.0,
    "tau_refrac": 2.0,
    "i_offset": 360.0,
    "tau_syn_E": 0.5,
    "tau_syn_I": 0.5,
}


def arrays(synapses: int, steps: int) -> dict[str, Any]:
    """The network's arrays: pre, post, weights (pA), delays (steps), trains."""
    rng = np.random.default_rng(1)
    pre = np.sort(rng.integers(0, CELLS, synapses))
    weights = rng.normal(8.0, 0.8, synapses) * 1000.0 * 100.0 / synapses * 10
    return {
        "pre": pre,
        "post": rng.integers(0, CELLS, synapses),
        "weights": np.abs(weights),
        "delays": rng.integers(1, 30, synapses),
        "trains": [np.unique(rng.integers(5, steps + 1, 20)) for _ in range(SOURCES)],
        "v": rng.uniform(-65, -50, CELLS),
        "in_post": rng.integers(0, CELLS, SOURCES * 20),
    }


def portable(a: dict[str, Any], steps: int, threads: int) -> tuple[float, float, int]:
    """Through the adapter."""
    import portable as pt
    from portable.backends.contract import RunConfig
    from portable.backends.nest import BACKEND
    from portable.backends.nest.kernel import simulator
    from portable.resolve.program import CellGroup, Connections, Program, TrainGroup

    flat = pt.IF_curr_exp().flat
    order = np.lexsort((a["post"], a["delays"], a["pre"]))
    group = CellGroup("cells", CELLS, flat, PARAMETERS, {"v": a["v"], "isyn_exc": 0.0, "isyn_inh": 0.0}, 20)
    source = TrainGroup(
        "source", SOURCES, np.cumsum([0, *(t.size for t in a["trains"])]), np.concatenate(a["trains"])
    )
    pointers = np.searchsorted(a["pre"][order], np.arange(CELLS + 1))
    recurrent = Connections(
        "r",
        "r",
        "cells",
        "cells",
        "excitatory",
        pointers,
        a["post"][order].astype(np.uint16),
        a["weights"][order],
        a["delays"][order].astype(np.uint8),
    )
    drive = Connections(
        "s",
        "s",
        "source",
        "cells",
        "excitatory",
        np.arange(0, SOURCES * 20 + 1, 20),
        a["in_post"].astype(np.uint16),
        500.0,
        15,
    )
    program = Program("bench", DT, 1, (group, source), (recurrent, drive), (), {"cells": np.arange(CELLS)})
    simulator()
    started = time.perf_counter()
    session = BACKEND.open(BACKEND.lower(program, RunConfig(threads=threads)).plan)
    built = time.perf_counter()
    session.run(steps)
    done = time.perf_counter()
    return built - started, done - built, session.recorded().spikes["cells"][0].size


def by_hand(a: dict[str, Any], steps: int, threads: int) -> tuple[float, float, int]:
    """Plain PyNEST, as a careful user writes it."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    started = time.perf_counter()
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=threads)
    p = PARAMETERS
    nest.SetDefaults(
        "iaf_psc_exp",
        {
            "E_L": p["v_rest"],
            "C_m": p["cm"],
            "tau_m": p["tau_m"],
            "V_th": p["v_thresh"],
            "V_reset": p["v_reset"],
            "t_ref": p["tau_refrac"],
            "I_e": p["i_offset"],
            "tau_syn_ex": 0.5,
            "tau_syn_in": 0.5,
        },
    )
    cells = nest.Create("iaf_psc_exp", CELLS)
    cells.V_m = a["v"].tolist()
    source = nest.Create("spike_generator", SOURCES)
    source.set([{"spike_times": t * DT} for t in a["trains"]])
    first, at = cells[0].global_id, source[0].global_id
    nest.Connect(
        a["pre"] + first, a["post"] + first, "one_to_one", {"weight": a["weights"], "delay": a["delays"] * DT}
    )
    n = SOURCES * 20
    nest.Connect(
        np.repeat(np.arange(SOURCES), 20) + at,
        a["in_post"] + first,
        "one_to_one",
        {"weight": np.full(n, 500.0), "delay": np.full(n, 1.5)},
    )
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    built = time.perf_counter()
    nest.Simulate(steps * DT)
    return built - started, time.perf_counter() - built, recorder.n_events


def pynn(a: dict[str, Any], steps: int, threads: int) -> tuple[float, float, int]:
    """PyNN on NEST."""
    import pyNN.nest as sim

    started = time.perf_counter()
    sim.setup(timestep=DT, min_delay=DT, max_delay=3.0, threads=threads, spike_precision="on_grid")
    p = dict(PARAMETERS, cm=PARAMETERS["cm"] / 1000, i_offset=PARAMETERS["i_offset"] / 1000)
    cells = sim.Population(CELLS, sim.IF_curr_exp(**p))
    cells.initialize(v=a["v"])
    source = sim.Population(SOURCES, sim.SpikeSourceArray(spike_times=[t * DT for t in a["trains"]]))
    rows = np.column_stack([a["pre"], a["post"], a["weights"] / 1000, a["delays"] * DT])
    sim.Projection(
        cells, cells, sim.FromListConnector(rows, column_names=["weight", "delay"]), sim.StaticSynapse()
    )
    n = SOURCES * 20
    rows = np.column_stack(
        [np.repeat(np.arange(SOURCES), 20), a["in_post"], np.full(n, 0.5), np.full(n, 1.5)]
    )
    sim.Projection(
        source, cells, sim.FromListConnector(rows, column_names=["weight", "delay"]), sim.StaticSynapse()
    )
    cells.record("spikes")
    built = time.perf_counter()
    sim.run(steps * DT)
    done = time.perf_counter()
    return built - started, done - built, sum(len(t) for t in cells.get_data().segments[0].spiketrains)


WAYS = {"portable": portable, "pynest": by_hand, "pynn": pynn}


def measure(way: str, synapses: int, steps: int, threads: int) -> dict[str, Any]:
    """One way in a fresh process."""
    command = [
        sys.executable,
        __file__,
        "--way",
        way,
        "--synapses",
        str(synapses),
        "--duration",
        str(steps * DT),
        "--threads",
        str(threads),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1:]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--synapses", type=int, default=1_000_000)
    parser.add_argument("--duration", type=float, default=200.0, help="ms")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-pynn", action="store_true")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    steps = round(given.duration / DT)
    if given.way:
        build, run, spikes = WAYS[given.way](arrays(given.synapses, steps), steps, given.threads)
        print(json.dumps({"build": build, "run": run, "spikes": int(spikes)}))
        return
    ways = [w for w in WAYS if not (w == "pynn" and given.no_pynn)]
    rows: dict[str, list[dict[str, Any]]] = {w: [] for w in ways}
    for _ in range(given.repeats):
        for w in ways:
            rows[w].append(measure(w, given.synapses, steps, given.threads))
    base = {k: statistics.median(r[k] for r in rows["pynest"]) for k in ("build", "run")}
    print(
        f"{given.synapses} synapses, {CELLS} cells, {given.duration:g} ms, {given.threads} thread(s), "
        f"median of {given.repeats}"
    )
    for w in ways:
        good = [r for r in rows[w] if "build" in r]
        if not good:
            print(f"{w:9s} failed: {rows[w][0]['failed']}")
            continue
        build, run = (statistics.median(r[k] for r in good) for k in ("build", "run"))
        print(
            f"{w:9s} build {build:8.3f} s ({build / base['build']:6.2f}x)   run {run:8.3f} s "
            f"({run / base['run']:5.3f}x)   spikes {good[0]['spikes']}"
        )


if __name__ == "__main__":
    main()
