"""Whether backends agree on what a network learns: spikes one by one, weights to rounding.

    python benchmarks/identity_plasticity.py [--cells 1000] [--seconds 10] [--seeds 3] [--session] [--aeif]
        [--rule pair|triplet|vogels] [--backends native,nest,brian2] [--out FILE.json]

Recurrent cells (psc_exp, or AdEx with --aeif), a tenth of all pairs connected by plastic synapses (100,000 at
1000 cells) of drawn delays, Poisson input. --session: weights are set, and learning is switched off and on in
between. Weights are compared every second and at the end, as the largest difference over the largest weight.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import portable as pt


def network(cells: int, rule: str, aeif: bool, every: str) -> tuple[pt.Network, pt.Projection]:
    kind: Any = pt.EIF_cond_exp_isfa_ista() if aeif else pt.IF_curr_exp(tau_refrac=2.0, tau_syn_E=2.0)
    top = 0.6 if aeif else 30.0  # nS, pA
    unit = "nS" if aeif else "pA"
    group = pt.Population("cells", cells, kind, initial={"v": pt.Uniform(-65, -55)})
    noise = pt.Population("noise", cells, pt.SpikeSourcePoisson(rate=1500.0))
    bounds = {"w_max": f"{top} {unit}"}
    weight, delay = pt.Uniform(f"{0.2 * top} {unit}", f"{0.8 * top} {unit}"), pt.Uniform("0.5 ms", "5.9 ms")
    synapse = {
        "pair": lambda: pt.STDP(weight, delay, **bounds, mu_plus=0.4, mu_minus=0.4),
        "triplet": lambda: pt.Triplet(weight, delay, **bounds),
        "vogels": lambda: pt.VogelsSprekeler(weight, delay, **bounds, rho0="10 Hz"),
    }[rule]()
    learns = pt.Projection(group, group, pt.FixedInDegree(cells // 10), synapse, name="learns")
    drive = pt.StaticSynapse("5 nS" if aeif else "270 pA", 1.0)
    net = pt.Network(
        "learning",
        [group, noise],
        [learns, pt.Projection(noise, group, pt.OneToOne(), drive)],
        recordings=[pt.Record(group), pt.Record(learns, "weight", every)],
    )
    return net, learns


def run(backend: str, net: pt.Network, learns: pt.Projection, seed: int, ms: float, session: bool) -> Any:
    needs = ["session.synapses", "session.pieces"]
    if session:
        needs += ["session.synapses.set", "session.plastic"]
    began = time.perf_counter()
    with pt.open(net, backend, dt=0.1, seed=seed, inputs="frozen", needs=needs) as sim:
        if not session:
            sim.run(ms)
        else:
            sim.run(0.3 * ms)
            sim.set(learns, weight=0.9 * np.asarray(sim.weights(learns)))
            sim.run(0.2 * ms)
            sim.plastic(learns, False)
            sim.run(0.2 * ms)
            sim.plastic(learns, True)
            sim.run(0.3 * ms)
        return sim.results(), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rule", default="pair", choices=("pair", "triplet", "vogels"))
    parser.add_argument("--backends", default="native,nest,brian2")
    parser.add_argument("--session", action="store_true")
    parser.add_argument("--aeif", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for seed in range(given.seeds):
        net, learns = network(given.cells, given.rule, given.aeif, f"{min(1.0, given.seconds)} s")
        truth: Any = None
        for backend in given.backends.split(","):
            found, spent = run(backend, net, learns, seed, 1000.0 * given.seconds, given.session)
            spikes, table = found.spikes["cells"], found.weights["learns"]
            truth = truth or found
            first, weights = truth.spikes["cells"], truth.weights["learns"].values
            same = np.array_equal(spikes.ids, first.ids) and np.array_equal(spikes.steps, first.steps)
            apart = float(np.abs(table.values - weights).max() / np.abs(weights).max())
            moved = float(np.abs(weights[-1] - weights[0]).mean() / np.abs(weights).max())
            rows.append(
                {"seed": seed, "backend": backend, "spikes": len(spikes), "same": same, "weights": apart,
                 "moved": moved, "seconds": spent}
            )  # fmt: skip
            print(
                f"seed {seed} {backend:9} {len(spikes):8,} spikes, {'identical' if same else 'DIFFERENT'}; "
                f"{len(table):,} weights at {table.steps.size} times differ by {apart:.1e} of the largest "
                f"(mean change {moved:.2f}); {spent:.0f} s",
                flush=True,
            )
    if given.out:
        given.out.write_text(json.dumps({**vars(given), "out": str(given.out), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
