"""Time and memory of `resolve` for the Potjans & Diesmann (2014) cortical microcircuit.

    python benchmarks/resolve_microcircuit.py --scale 1.0 [--weights32] [--threads 2]

At a scale s there are s times the cells and s^2 times the synapses (connection probabilities are kept): 0.1
has 3 million synapses, 1.0 has 299 million. Peak memory is the growth of the process' resident set above what
it was after compiling the loops on a tiny network.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path

import psutil

import portable.library.cells as library
from portable.model.connectors import FixedTotalNumber, StaticSynapse
from portable.model.network import Network, Population, Projection
from portable.model.values import Normal
from portable.resolve import resolve

PARAMETERS = Path(__file__).resolve().parents[2] / "shared" / "pd14.json"


def microcircuit(scale: float, parameters: Path = PARAMETERS) -> Network:
    """The recurrent network: 8 populations, 64 projections of fixed total number with replacement, normal
    weights clipped at 0, normal delays drawn again below 0.1 ms."""
    data = json.loads(parameters.read_text())
    names = data["populations"]
    cells = {
        n: Population(n, max(2, round(scale * size)), library.IF_curr_exp(tau_refrac=2.0))
        for n, size in zip(names, data["full_num_neurons"])
    }
    projections = []
    for target, row in zip(names, data["total_synapses_per_projection"]):
        for source, total in zip(names, row):
            inhibitory = source.endswith("I")
            mean = 87.81 * (-4 if inhibitory else 2 if (source, target) == ("L4E", "L23E") else 1)
            weight = Normal(
                f"{mean} pA",
                f"{abs(mean) * 0.1} pA",
                **({"high": "0 pA"} if inhibitory else {"low": "0 pA"}),
                clip=True,
            )
            delay = Normal(0.75, 0.375, low=0.1) if inhibitory else Normal(1.5, 0.75, low=0.1)
            projections.append(
                Projection(
                    cells[source],
                    cells[target],
                    FixedTotalNumber(round(scale * scale * total)),
                    StaticSynapse(weight, delay),
                    receptor="inhibitory" if inhibitory else "excitatory",
                )
            )
    return Network("microcircuit", cells.values(), projections)


class Peak(threading.Thread):
    """Samples the resident set every 5 ms, so that memory used before (compiling) does not hide what
    `resolve` takes.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process, self.on = psutil.Process(), True
        self.before = self.most = self.process.memory_info().rss

    def run(self) -> None:
        while self.on:
            self.most = max(self.most, self.process.memory_info().rss)
            time.sleep(0.005)

    def grown(self) -> int:
        """Bytes above the start. Ends the sampling."""
        self.on = False
        self.join()
        return self.most - self.before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--weights32", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--parameters", type=Path, default=PARAMETERS)
    chosen = parser.parse_args()
    start = time.perf_counter()
    resolve(microcircuit(0.02, chosen.parameters), 1, weights32=chosen.weights32, threads=chosen.threads)
    print(f"compile or load from cache: {time.perf_counter() - start:.2f} s")
    network, memory = microcircuit(chosen.scale, chosen.parameters), Peak()
    memory.start()
    start = time.perf_counter()
    program = resolve(network, 1, weights32=chosen.weights32, threads=chosen.threads)
    seconds, grown = time.perf_counter() - start, memory.grown()
    print(
        f"scale {chosen.scale:g}, {chosen.threads} threads, weights "
        f"{'float32' if chosen.weights32 else 'float64'}"
    )
    print(
        f"resolve: {seconds:.2f} s for {program.synapses} synapses, {1e9 * seconds / program.synapses:.1f} "
        "ns each"
    )
    held = sum(
        c.targets.nbytes + c.indptr.nbytes + getattr(c.weights, "nbytes", 0) + getattr(c.delays, "nbytes", 0)
        for c in program.connections
    )
    print(
        f"program: {held / program.synapses:.2f} bytes a synapse; peak above the baseline: "
        f"{grown / 1e6:.0f} MB, {grown / program.synapses:.2f} bytes a synapse"
    )


if __name__ == "__main__":
    main()
