"""What learning costs: a Brunel network whose excitatory connections are plastic, on the native engine, on
NEST (stdp_synapse_hom, stdp_pl_synapse_hom) and on Brian2's C++ standalone mode, in processes of their own.

    python benchmarks/plasticity.py [--cells 10000] [--seconds 1] [--rules static,pair,power] [--threads 2]
                                    [--engines native,nest,brian2] [--repeats 3] [--out FILE.json]

Each cell has cells/10 excitatory inputs (10^7 plastic connections in all at 10,000 cells), delay 1.5 ms, dt
0.1 ms, and Poisson input. NEST and Brian2 draw their own network of the same kind, so rates differ a little;
times are also given per synaptic event (a spike of an excitatory cell times its connections), which takes the
whole run into account: cells, input and static connections too. Brian2 has the form of its tutorial, two
pathways without the dendritic delay, which is the least that it can do. Medians of --repeats, wall-clock
seconds.

Found on 2 shared cores (29 Nov 2026, 0.5 s, two threads, medians of 3; ns an event, everything included):
static 6.5 native, 19.3 NEST; pair 18.2 native, 64.2 NEST; and in another, slower run static 7.7, 19.4 and
19.3 Brian2; pair 26.3, 99.6 and 89.4 Brian2; once, 1 s: power law 42.6 native, 112 NEST, 82 Brian2.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RULES = ("static", "pair", "power")
WARM = 100.0  # ms that are run first
RATE, DRIVE, G = 8000.0, 0.03, 5.0  # Hz, nA, inhibition over excitation
CELL = {
    "tau_m": 20.0, "tau_refrac": 2.0, "v_thresh": -50.0, "v_reset": -60.0, "v_rest": -65.0, "cm": 0.25,
    "tau_syn_E": 2.0, "tau_syn_I": 2.0,
}  # fmt: skip
UP, DOWN, MU = 0.001, 0.00105, 0.4


def sizes(cells: int) -> tuple[int, int, int, int, float]:
    """Excitatory and inhibitory cells, inputs from them, and the weight in nA."""
    e, i = cells * 4 // 5, cells - cells * 4 // 5
    ce = cells // 10
    return e, i, ce, ce // 4, 20.0 / ce


def native(cells: int, rule: str, threads: int, seconds: float) -> dict[str, float]:
    import portable as pt

    e, i, ce, ci, w = sizes(cells)
    cell = pt.IF_curr_exp(**CELL)
    exc, inh = (
        pt.Population(name, n, cell, initial={"v": pt.Uniform(-65, -50)})
        for name, n in (("exc", e), ("inh", i))
    )
    noise = pt.Population("noise", cells, pt.SpikeSourcePoisson(rate=RATE))
    synapse = {
        "static": pt.StaticSynapse(w, 1.5),
        "pair": pt.STDP(w, 1.5, w_max=3 * w, a_plus=UP, a_minus=DOWN),
        "power": pt.STDP_power(w, 1.5, w_ref=w, a=UP, alpha=DOWN / UP, mu=MU),
    }[rule]
    net = pt.Network(
        "brunel",
        [exc, inh, noise],
        [
            pt.Projection(exc, [exc, inh], pt.FixedInDegree(ce), synapse),
            pt.Projection(inh, [exc, inh], pt.FixedInDegree(ci), pt.StaticSynapse(-G * w, 1.5), "inhibitory"),
            pt.Projection(noise, [exc, inh], pt.OneToOne(), pt.StaticSynapse(DRIVE, 1.5)),
        ],
        recordings=[pt.Record(exc)],
    )
    began = time.perf_counter()
    with pt.open(net, "native", dt=0.1, threads=threads, seed=1) as sim:
        built = time.perf_counter() - began
        sim.run(WARM)
        before = len(sim.results().spikes["exc"])
        began = time.perf_counter()
        sim.run(1000.0 * seconds)
        spent = time.perf_counter() - began
        return {"build": built, "run": spent, "spikes": len(sim.results().spikes["exc"]) - before}


def nest(cells: int, rule: str, threads: int, seconds: float) -> dict[str, float]:
    import nest

    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": 0.1, "local_num_threads": threads})
    e, _, ce, ci, w = sizes(cells)
    began = time.perf_counter()
    parameters = {
        "tau_m": 20.0, "t_ref": 2.0, "V_th": -50.0, "V_reset": -60.0, "E_L": -65.0, "C_m": 250.0,
        "tau_syn_ex": 2.0, "tau_syn_in": 2.0, "tau_minus": 20.0,
    }  # fmt: skip
    every = nest.Create("iaf_psc_exp", cells, parameters)
    every.V_m = nest.random.uniform(-65.0, -50.0)
    exc, inh = every[:e], every[e:]
    nest.CopyModel("static_synapse", "learns") if rule == "static" else None
    if rule == "pair":
        nest.CopyModel(
            "stdp_synapse_hom", "learns",
            {"tau_plus": 20.0, "lambda": UP, "alpha": DOWN / UP, "mu_plus": 0.0, "mu_minus": 0.0,
             "Wmax": 3000.0 * w},
        )  # fmt: skip
    if rule == "power":
        nest.CopyModel(
            "stdp_pl_synapse_hom", "learns",
            {"tau_plus": 20.0, "lambda": UP * (1000.0 * w) ** (1 - MU), "mu": MU,
             "alpha": DOWN / (UP * (1000.0 * w) ** (1 - MU))},
        )  # fmt: skip
    spec = {"weight": 1000.0 * w, "delay": 1.5}
    nest.Connect(exc, every, {"rule": "fixed_indegree", "indegree": ce}, {"synapse_model": "learns", **spec})
    spec["weight"] *= -G
    nest.Connect(inh, every, {"rule": "fixed_indegree", "indegree": ci}, spec)
    noise = nest.Create("poisson_generator", 1, {"rate": RATE})
    nest.Connect(noise, every, "all_to_all", {"weight": 1000.0 * DRIVE, "delay": 1.5})
    recorder = nest.Create("spike_recorder")
    nest.Connect(exc, recorder)
    nest.Simulate(0.1)
    built = time.perf_counter() - began
    nest.Simulate(WARM)
    before = recorder.n_events
    began = time.perf_counter()
    nest.Simulate(1000.0 * seconds)
    return {"build": built, "run": time.perf_counter() - began, "spikes": recorder.n_events - before}


def brian2(cells: int, rule: str, threads: int, seconds: float) -> dict[str, float]:
    import tempfile

    import brian2 as b
    import numpy as np

    b.set_device("cpp_standalone", build_on_run=False, directory=tempfile.mkdtemp())
    b.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    b.defaultclock.dt = 0.1 * b.ms
    e, i, ce, ci, w = sizes(cells)
    began = time.perf_counter()
    group = b.NeuronGroup(
        cells,
        """dv/dt = (-65*mV - v)/(20*ms) + (ie + ii)/(250*pF) : volt (unless refractory)
        die/dt = -ie/(2*ms) : amp
        dii/dt = -ii/(2*ms) : amp""",
        threshold="v > -50*mV", reset="v = -60*mV", refractory=2 * b.ms, method="exact",
    )  # fmt: skip
    group.v = "-65*mV + 15*mV*rand()"
    exc, inh = group[:e], group[e:]
    rng = np.random.default_rng(1)
    names = {"w": w * b.nA, "up": UP, "down": DOWN, "tau": 20 * b.ms, "top": 3 * w * b.nA, "mu": MU}
    traces = "dx/dt = -x/tau : 1 (event-driven)\ndy/dt = -y/tau : 1 (event-driven)\nq : amp"
    model, pre, post = {
        "static": ("", "ie_post += w", ""),
        "pair": (traces, "ie_post += q; x += 1; q = clip(q - down*top*y, 0*nA, top)",
                 "y += 1; q = clip(q + up*top*x, 0*nA, top)"),
        "power": (traces, "ie_post += q; x += 1; q = clip(q - down*q*y, 0*nA, 1000*w)",
                  "y += 1; q = q + up*w*(q/w)**mu*x"),
    }[rule]  # fmt: skip
    out = b.Synapses(exc, group, model, on_pre=pre, on_post=post or None, delay=1.5 * b.ms, namespace=names)
    out.connect(i=rng.integers(0, e, cells * ce), j=np.repeat(np.arange(cells), ce))
    if rule != "static":
        out.q = w * b.nA
    down = b.Synapses(inh, group, on_pre="ii_post -= 5*w", delay=1.5 * b.ms, namespace=names)
    down.connect(i=rng.integers(0, i, cells * ci), j=np.repeat(np.arange(cells), ci))
    noise = b.PoissonInput(group, "ie", 1, RATE * b.Hz, weight=DRIVE * b.nA)
    recorder = b.SpikeMonitor(exc, record=False)
    net = b.Network(group, out, down, noise, recorder)
    net.run(WARM * b.ms)
    net.run(seconds * b.second)
    b.device.build(run=False, compile=True, directory=None)
    built = time.perf_counter() - began
    b.device.run(with_output=False)
    spent = float(b.device._last_run_time)  # both parts; the file of results has no other
    share = 1000.0 * seconds / (1000.0 * seconds + WARM)
    return {"build": built, "run": spent * share, "spikes": recorder.num_spikes * share}


def child(engine: str, cells: int, rule: str, threads: int, seconds: float) -> None:
    found = {"native": native, "nest": nest, "brian2": brian2}[engine](cells, rule, threads, seconds)
    found["memory"] = 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if engine == "brian2":
        found["memory"] = 1024.0 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print("RESULT " + json.dumps(found), flush=True)


def measured(engine: str, rule: str, given: argparse.Namespace) -> dict[str, float]:
    """The medians of the runs of an engine."""
    runs = []
    for _ in range(given.repeats):
        arguments = [engine, str(given.cells), rule, str(given.threads), str(given.seconds)]
        done = subprocess.run(
            [sys.executable, __file__, "--child", *arguments], capture_output=True, text=True, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not lines:
            raise SystemExit(f"{engine} {rule} failed:\n{done.stderr[-2000:]}")
        runs.append(json.loads(lines[0].removeprefix("RESULT ")))
    return {k: statistics.median(r[k] for r in runs) for k in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--engines", default="native,nest,brian2")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        engine, cells, rule, threads, seconds = given.child
        child(engine, int(cells), rule, int(threads), float(seconds))
        return
    e, _, ce, _, _ = sizes(given.cells)
    each = ce * given.cells / e  # connections of an excitatory cell
    rows: list[dict[str, Any]] = []
    print(f"{given.cells} cells, {ce * given.cells:,} excitatory connections, {given.threads} threads")
    print(f"{'rule':8}{'engine':9}{'build s':>9}{'run s':>9}{'rate Hz':>9}{'ns/event':>10}{'memory GB':>11}")
    for rule in given.rules.split(","):
        for engine in given.engines.split(","):
            found = measured(engine, rule, given)
            row = {
                "rule": rule, "engine": engine, **found, "rate": found["spikes"] / e / given.seconds,
                "ns": found["run"] / (found["spikes"] * each) * 1e9, "bytes": found["memory"],
            }  # fmt: skip
            rows.append(row)
            print(
                f"{rule:8}{engine:9}{row['build']:9.2f}{row['run']:9.2f}{row['rate']:9.1f}{row['ns']:10.1f}"
                f"{row['memory'] / 1e9:11.2f}",
                flush=True,
            )
    if given.out:
        given.out.write_text(json.dumps({**vars(given), "out": str(given.out), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
