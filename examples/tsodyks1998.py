"""Two synapses that answer a train of spikes each in its own way: one tires, the other warms up.

Sources: M. Tsodyks, K. Pawelzik & H. Markram (1998), Neural networks with dynamic synapses, Neural Comput.
10:821-835, doi:10.1162/089976698300017502, figure 1: responses of a depressing and a facilitating synapse to
a train of 20 Hz, and what they are in the end against the frequency; H. Markram, Y. Wang & M. Tsodyks (1998),
Differential signaling via the same axon of neocortical pyramidal neurons, PNAS 95:5323-5328,
doi:10.1073/pnas.95.9.5323, which has the stationary u and R in closed form.

    python examples/tsodyks1998.py --picture tsodyks1998.png        10 s

Responses as parts of the weight. At 20 Hz the depressing synapse gives 0.5000, 0.2651, 0.1548, ... and in the
end 0.0571; the facilitating one 0.0300, 0.0553, 0.0757, ... and in the end 0.1655. Depression falls as 1/f:
response times frequency is 1.143, 1.205 and 1.227 Hz at 20, 50 and 100 Hz, on its way to 1/tau_rec = 1.25 Hz.
Facilitation has its largest response at 20 Hz (by 0.06 % above that at 22 Hz). Over 18 frequencies from 1 to
100 Hz all are the closed form to 6e-15 (depressing) and 7e-16 (facilitating) of their value.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import portable as pt

run_defaults = {"duration": "1.2 s", "dt": "0.1 ms"}

# Intervals in ms are whole steps; the longest stands for 1 Hz, the shortest for 100 Hz.
INTERVALS = (1000.0, 500.0, 250.0, 200.0, 150.0, 125.0, 100.0, 80.0, 60.0, 50.0, 45.5, 40.0, 30.0, 25.0, 20.0,
             15.0, 12.5, 10.0)  # fmt: skip
SETTLED = 25000.0  # ms: 47 times the longest time constant of facilitation
FIRST = 5.0  # ms: the first spike of a train


@dataclass(frozen=True)
class Kind:
    """Parameters of a synapse and of the membrane that shows its responses; times in ms, weight in pA."""

    name: str
    weight: float
    U: float
    tau_rec: float
    tau_facil: float
    tau_syn: float
    tau_m: float

    def synapse(self) -> pt.PlasticSynapse:
        return pt.TsodyksMarkram(
            weight=f"{self.weight} pA",
            delay="0.1 ms",
            U=self.U,
            tau_rec=f"{self.tau_rec} ms",
            tau_facil=f"{self.tau_facil} ms",
        )

    def stationary(self, interval: float) -> tuple[float, float]:
        """u and R at each spike of a regular train that has gone on for ever.

        With p = exp(-T/tau_facil) and q = exp(-T/tau_rec), u = u p + U (1 - u p) and R = 1 - q + q R (1 - u).
        """
        p = math.exp(-interval / self.tau_facil) if self.tau_facil else 0.0
        q = math.exp(-interval / self.tau_rec)
        u = self.U / (1.0 - (1.0 - self.U) * p)
        return u, (1.0 - q) / (1.0 - q * (1.0 - u))


KINDS = (
    Kind("depressing", 250.0, U=0.5, tau_rec=800.0, tau_facil=0.0, tau_syn=3.0, tau_m=40.0),
    Kind("facilitating", 1540.0, U=0.03, tau_rec=130.0, tau_facil=530.0, tau_syn=1.5, tau_m=60.0),
)


def network(interval: float = 50.0, spikes: int = 21) -> pt.Network:
    """One train into a depressing and into a facilitating synapse, each on a membrane that never fires.

    interval: between two spikes, in ms.
    spikes: how many.
    """
    times = [round(FIRST + k * interval, 1) for k in range(spikes)]
    train = pt.Population("train", 1, pt.SpikeSourceArray(times))
    cells = [
        pt.Population(
            k.name, 1,
            pt.IF_curr_exp(
                cm=f"{k.tau_m} pF", tau_m=f"{k.tau_m} ms", tau_syn_E=f"{k.tau_syn} ms",
                v_rest="0 mV", v_reset="0 mV", v_thresh="1 V",
            ),
        )
        for k in KINDS
    ]  # fmt: skip
    return pt.Network(
        "tsodyks1998",
        populations=[train, *cells],
        projections=[
            pt.Projection(train, c, pt.AllToAll(), k.synapse(), receptor="excitatory", name=f"to {k.name}")
            for c, k in zip(cells, KINDS)
        ],
        recordings=[pt.Record(c, ["isyn_exc", "v"]) for c in cells],
    )


@dataclass(frozen=True)
class Response:
    """What a synapse gave at each spike of a train, as parts of its weight; `v` of the membrane, in mV."""

    kind: Kind
    interval: float
    sent: np.ndarray
    times: np.ndarray
    v: np.ndarray

    @property
    def hz(self) -> float:
        return 1000.0 / self.interval

    @property
    def expected(self) -> float:
        """The stationary response, in closed form."""
        u, r = self.kind.stationary(self.interval)
        return u * r

    @property
    def apart(self) -> float:
        """How far the last response is from that, as part of it."""
        return abs(float(self.sent[-1]) / self.expected - 1.0)


def respond(interval: float, spikes: int) -> list[Response]:
    """What each kind gives to a train. A response is read off the current into the cell: by how much it is
    above what is left of the step before, in the step in which the spike arrives.
    """
    results = pt.run(network(interval, spikes), duration=round(spikes * interval + 50.0, 1), dt="0.1 ms")
    at = np.round((FIRST + interval * np.arange(spikes)) / 0.1).astype(int) + 1
    found = []
    for kind in KINDS:
        current = results.traces[kind.name, "isyn_exc"].values[:, 0]
        new = current[at] - current[at - 1] * math.exp(-0.1 / kind.tau_syn)
        v = results.traces[kind.name, "v"]
        found.append(Response(kind, interval, new / kind.weight, v.times, v.values[:, 0]))
    return found


def curves(intervals: Sequence[float] = INTERVALS, settled: float = SETTLED) -> list[list[Response]]:
    """For each kind, responses to trains of every interval that go on until they have settled."""
    each = [respond(interval, 1 + math.ceil(settled / interval)) for interval in intervals]
    return [list(kind) for kind in zip(*each)]


def picture(trains: list[Response], found: list[list[Response]], path: str) -> None:
    """Membranes at 20 Hz, and the stationary responses against frequency beside the closed form."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.5), layout="constrained")
    axes = figure.subplots(2, 2)
    for (left, right), train, curve in zip(axes, trains, found):
        kind = train.kind
        left.plot(train.times, train.v, color="C0", linewidth=1)
        left.set(xlabel="ms", ylabel="membrane (mV)", title=f"{kind.name}, {train.hz:g} Hz", ylim=(0, None))
        hz = np.geomspace(1.0, 100.0, 200)
        exact = [math.prod(kind.stationary(1000.0 / f)) for f in hz]
        right.loglog(hz, exact, color="0.6", label="closed form")
        right.loglog([x.hz for x in curve], [x.sent[-1] for x in curve], "oC0", markersize=4, label="run")
        if not kind.tau_facil:
            limit = 1000.0 / kind.tau_rec
            right.loglog(hz[hz > 2], limit / hz[hz > 2], "--", color="C1", label="1/(f tau_rec)")
        right.set(xlabel="Hz", ylabel="stationary response / weight")
        right.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--picture", metavar="FILE", help="draw responses and their stationary values")
    parser.add_argument("--quick", action="store_true", help="four frequencies in place of 18")
    given = parser.parse_args()
    trains, found = respond(50.0, 21), curves((1000.0, 100.0, 50.0, 10.0) if given.quick else INTERVALS)
    for train, curve in zip(trains, found):
        print(f"{train.kind.name}: response / weight at 20 Hz:", *(f"{x:.4f}" for x in train.sent[:8]), "...")
        print("       Hz   stationary   closed form   difference   times Hz")
        for x in curve:
            shown = f"{x.sent[-1]:13.6f} {x.expected:13.6f} {x.apart:12.1e} {x.hz * x.sent[-1]:10.3f}"
            print(f"{x.hz:9.4g}{shown}")
        best = max(curve, key=lambda x: x.sent[-1])
        print(f"largest at {best.hz:.3g} Hz; largest difference {max(x.apart for x in curve):.1e}\n")
    if given.picture:
        picture(trains, found, given.picture)


if __name__ == "__main__":
    main()
