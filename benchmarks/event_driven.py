"""Where the event-driven delivery of the native engine pays: the time of one thread for a second of
biological time, against the clock-driven one, over rates and steps; the spikes are the same.

    python benchmarks/event_driven.py [--cells 10000] [--inputs 100] [--dt 0.1,0.01] [--out FILE.json]

Leaky cells with exponential currents, each with so many inputs from sources that spike at the given rate
(given trains: drawing Poisson numbers would cost the same in both), a tenth of them from the cells
themselves. "arrivals": per cell and step. Processor seconds, the median of --repeats.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

import portable as pt


def network(cells: int, inputs: int, rate: float, seconds: float) -> pt.Network:
    rng = np.random.default_rng(1)
    counts = rng.poisson(rate * seconds, cells)
    trains = [np.unique(np.round(rng.uniform(1, 1000 * seconds, n), 1)).tolist() for n in counts]
    sources = pt.Population("sources", cells, pt.SpikeSourceArray(trains))
    target = pt.Population("cells", cells, pt.IF_curr_exp(tau_syn_E=2.0))
    # 0.02 nA make a response of about 0.1 mV
    synapse = pt.StaticSynapse(pt.Normal(0.02, 0.004, low=0), pt.Uniform(0.5, 3.0))
    projections = [
        pt.Projection(sources, target, pt.FixedInDegree(inputs - inputs // 10), synapse),
        pt.Projection(target, target, pt.FixedInDegree(inputs // 10), synapse),
        # 15 nA make a cell spike from rest: each fires as often as its own source at least
        pt.Projection(sources, target, pt.OneToOne(), pt.StaticSynapse(15.0, 1.0)),
    ]
    return pt.Network("sparse", [sources, target], projections, recordings=[pt.Record(target, "spikes")])


def seconds(net: pt.Network, dt: float, delivery: str, duration: float, repeats: int) -> tuple[float, Any]:
    program, found = None, []
    for _ in range(repeats):
        with pt.open(net, "native", dt=dt, threads=1, program=program, options={"delivery": delivery}) as sim:
            program = sim.program
            sim.advance(10)
            began = time.process_time()
            sim.advance(round(1000 * duration / dt))
            found.append(time.process_time() - began)
            spikes = sim.results().spikes["cells"]
    return statistics.median(found), (spikes.ids.tolist(), spikes.steps.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--inputs", type=int, default=100)
    parser.add_argument("--rates", default="0.1,0.3,1,3,10,30", help="Hz")
    parser.add_argument("--dt", default="0.1,0.01", help="ms")
    parser.add_argument("--duration", type=float, default=1.0, help="s")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    heads = ("dt ms", "rate Hz", "arrivals", "spikes", "clock s", "events s", "ratio")
    print("".join(f"{head:>10}" for head in heads))
    for dt in map(float, given.dt.split(",")):
        for rate in map(float, given.rates.split(",")):
            net = network(given.cells, given.inputs, rate, given.duration)
            clock, one = seconds(net, dt, "due", given.duration, given.repeats)
            events, other = seconds(net, dt, "events", given.duration, given.repeats)
            assert one == other, "the spikes differ"
            assert one[0], "nothing spiked"
            row = {
                "dt": dt,
                "rate": rate,
                "arrivals": given.inputs * rate * dt / 1000,
                "spikes": len(one[0]),
                "clock": clock,
                "events": events,
                "ratio": clock / events,
            }
            rows.append(row)
            print("".join(f"{x:>10.4g}" for x in row.values()), flush=True)
            if given.out:
                given.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
