"""Rates and irregularity of the four benchmarks of Brette et al. 2007 (doi:10.1007/s10827-007-0038-6) in
plain PyNEST.

    python benchmarks/brette2007_pynest.py [--seeds 10] [--models coba cuba cobahh voltage_jump]

The paper shows rasters and prints no rates. The reference cases (portable/validation/cases/brette.py) take
the numbers that this script prints. It shares no code with the package: NEST's own models, generators,
connection rules and random numbers, and statistics of its own.
"""

from __future__ import annotations

import argparse
import json

import nest
import numpy as np

LIF = {"C_m": 200.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0}
SYN = {"tau_syn_ex": 5.0, "tau_syn_in": 10.0}
HH = {
    "C_m": 200.0,
    "g_L": 10.0,
    "g_Na": 20000.0,
    "g_K": 6000.0,
    "E_L": -65.0,
    "E_Na": 50.0,
    "E_K": -90.0,
    "V_T": -63.0,
}
CONDUCTANCE = {"E_ex": 0.0, "E_in": -80.0}
# NEST model, parameters, weights (pA; nS; mV), starting potentials (mV), kick at the start, duration (ms)
MODELS = {
    "coba": (
        "iaf_cond_exp",
        {**LIF, **SYN, **CONDUCTANCE, "g_L": 10.0, "E_L": -60.0},
        (6.0, -67.0),
        (-60.0, -50.0),
        True,
        1000.0,
    ),
    "cuba": (
        "iaf_psc_exp",
        {**LIF, **SYN, "tau_m": 20.0, "E_L": -49.0},
        (16.2, -90.0),
        (-60.0, -50.0),
        False,
        1000.0,
    ),
    "cobahh": ("hh_cond_exp_traub", {**HH, **SYN, **CONDUCTANCE}, (6.0, -67.0), (-70.0, -60.0), True, 500.0),
    "voltage_jump": (
        "iaf_psc_delta",
        {**LIF, "tau_m": 20.0, "E_L": -49.0},
        (0.25, -2.25),
        (-60.0, -50.0),
        False,
        1000.0,
    ),
}
WARMUP, DELAY, KICK = 200.0, 0.1, 50.0  # ms
EXC, CELLS = 3200, 4000


def run(model: str, seed: int, threads: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Cells (from 0) and times (ms) of all spikes, and the duration."""
    kind, parameters, weights, start, kick, duration = MODELS[model]
    nest.ResetKernel()
    nest.set(resolution=0.1, rng_seed=seed, local_num_threads=threads)
    cells = nest.Create(kind, CELLS, parameters)
    cells.V_m = np.random.default_rng(seed).uniform(*start, CELLS)
    rule = {"rule": "pairwise_bernoulli", "p": 0.02, "allow_autapses": False}
    for source, weight in ((cells[:EXC], weights[0]), (cells[EXC:], weights[1])):
        nest.Connect(source, cells, rule, {"weight": weight, "delay": DELAY})
    if kick:
        generator = nest.Create("poisson_generator", {"rate": 300.0, "start": 0.0, "stop": KICK})
        nest.Connect(generator, cells, syn_spec={"weight": weights[0], "delay": DELAY})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(duration)
    events = recorder.get("events")
    return events["senders"] - cells[0].global_id, events["times"], duration


def statistics(senders: np.ndarray, times: np.ndarray, duration: float) -> list[float]:
    """After WARMUP: rate (Hz) of E and I, mean CV (SD divided by n) of E and I over cells with three spikes
    or more.
    """
    late = times > WARMUP + 1e-6
    senders, times = senders[late], times[late]
    out = []
    for low, high in ((0, EXC), (EXC, CELLS)):
        out.append(1000.0 * np.sum((senders >= low) & (senders < high)) / (high - low) / (duration - WARMUP))
    for low, high in ((0, EXC), (EXC, CELLS)):
        intervals = [np.diff(np.sort(times[senders == c])) for c in range(low, high)]
        cvs = [i.std() / i.mean() for i in intervals if i.size >= 2]
        out.append(float(np.mean(cvs)) if cvs else float("nan"))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    for model in options.models:
        rows, alive = list[list[float]](), 0
        for seed in range(options.first, options.first + options.seeds):
            senders, times, duration = run(model, seed, options.threads)
            if np.any(times > duration - 50.0):
                alive += 1
                rows.append(statistics(senders, times, duration))
        mean, sd = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
        names = ("rate exc", "rate inh", "CV exc", "CV inh")
        table = {n: [round(float(m), 4), round(float(s), 4)] for n, m, s in zip(names, mean, sd, strict=True)}
        for row in rows:
            print("  ", *(f"{x:.4f}" for x in row))
        print(
            json.dumps(
                {
                    "model": model,
                    "nest": nest.__version__,
                    "seeds": options.seeds,
                    "alive": alive,
                    "mean, SD": table,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
