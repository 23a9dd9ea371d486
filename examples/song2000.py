"""One cell whose synapses compete: spike-timing dependent plasticity makes them strong or weak, and steadies
the cell's rate.

Source: S. Song, K. Miller & L. Abbott (2000), Competitive Hebbian learning through spike-timing-dependent
synaptic plasticity, Nat. Neurosci. 3:919-926, doi:10.1038/78829, figure 2: weights at rest after learning at
two input rates, and the cell's rate against that of its inputs.

    python examples/song2000.py --picture song2000.png        1 to 2 minutes; --quick: seconds

After 3000 s, seed 1; weights as parts of the largest; the last column is what the cell would do with the
weights that it learned at 10 Hz:

    inputs   mean weight   below 0.2   above 0.8   cell, CV         with the weights of 10 Hz
     10 Hz         0.532        0.42        0.49    8.5 Hz, 0.86      8.1 Hz
     20 Hz         0.273        0.72        0.23   10.6 Hz, 0.83    199 Hz
     30 Hz         0.181        0.82        0.14   11.6 Hz, 0.80    365 Hz
     40 Hz         0.137        0.88        0.09   13.3 Hz, 0.78    507 Hz

Weights are bimodal, with 9 % or less between 0.2 and 0.8 of the largest, and inputs four times as fast make
the cell 1.6 times as fast, not 60 times: mean weight times input rate stays between 5.3 and 5.5 Hz.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

import portable as pt

run_defaults = {"duration": "100 s", "dt": "0.5 ms"}

W_MAX = 0.15  # nS: 0.015 of the leak of 10 nS
RATES = (10.0, 20.0, 30.0, 40.0)


def network(rate: float = 10.0, inputs: int = 1000) -> pt.Network:
    """A cell with many weak excitatory inputs that learn and 200 inhibitory ones that do not; nothing tells
    the excitatory inputs apart but chance.

    rate: of each excitatory input, in Hz. The inhibitory ones always have 10 Hz.
    inputs: how many are excitatory.

    The paper's numbers, in units of the leak: weights to 0.015, inhibition 0.05. Depression is larger than
    potentiation by 5 %, so that only inputs which take part in firing the cell gain. The paper has no
    delays; here they are one step.
    """
    cell = pt.Population(
        "cell", 1,
        pt.IF_cond_exp(
            cm="200 pF", tau_m="20 ms", v_rest="-70 mV", v_reset="-60 mV", v_thresh="-54 mV",
            tau_refrac="0 ms", tau_syn_E="5 ms", tau_syn_I="5 ms", e_rev_E="0 mV", e_rev_I="-70 mV",
        ),
    )  # fmt: skip
    exc = pt.Population("exc", inputs, pt.SpikeSourcePoisson(rate=f"{rate} Hz"))
    inh = pt.Population("inh", 200, pt.SpikeSourcePoisson(rate="10 Hz"))
    stdp = pt.STDP(
        weight=pt.Uniform("0 nS", f"{W_MAX} nS"), delay="0.5 ms", w_max=f"{W_MAX} nS",
        tau_plus="20 ms", tau_minus="20 ms", a_plus=0.005, a_minus=1.05 * 0.005,
    )  # fmt: skip
    still = pt.StaticSynapse(weight="0.5 nS", delay="0.5 ms")
    return pt.Network(
        "song2000",
        populations=[cell, exc, inh],
        projections=[
            pt.Projection(exc, cell, pt.AllToAll(), stdp, receptor="excitatory", name="learning"),
            pt.Projection(inh, cell, pt.AllToAll(), still, receptor="inhibitory"),
        ],
        recordings=[pt.Record(cell, "spikes")],
    )


@dataclass(frozen=True)
class Learned:
    """After learning with inputs of `rate` Hz. weights: parts of the largest, one per input; hz, cv: of the
    cell in the last fifth of the time; held: Hz of the cell with the weights of the first rate instead.
    """

    rate: float
    weights: np.ndarray
    hz: float
    cv: float
    held: float

    def __str__(self) -> str:
        w = self.weights
        return (
            f"{self.rate:6g} {w.mean():12.3f} {np.mean(w < 0.2):12.3f} {np.mean(w > 0.8):12.3f} "
            f"{self.hz:10.1f} {self.cv:8.2f} {self.held:12.1f}"
        )


HEAD = "inputs Hz  mean weight  below 0.2   above 0.8   output Hz    CV   Hz with the first weights"


def learn(rates: tuple[float, ...] = RATES, seconds: float = 3000.0, seed: int = 1) -> list[Learned]:
    """Learn with inputs of each rate, then hold the weights that the first rate gave and look again."""
    out: list[Learned] = []
    first: pt.SynapseTable | None = None
    for rate in rates:
        net = network(rate)
        with pt.open(net, dt="0.5 ms", seed=seed) as sim:
            sim.run(f"{seconds} s")
            weights = sim.weights("learning")
            first = first or weights
            sim.plastic("learning", False)
            sim.set(net.projections[0], weight=first)
            sim.run("20 s")
            times = sim.results().spikes["cell"].times / 1000.0
        late = times[(times > 0.8 * seconds) & (times <= seconds)]
        gaps = np.diff(late)
        out.append(
            Learned(
                rate,
                np.asarray(weights) / (W_MAX / 1000.0),  # a weight is in uS
                late.size / (0.2 * seconds),
                float(gaps.std() / gaps.mean()),
                float(np.mean(times > seconds) * times.size / 20.0),
            )
        )
    return out


def picture(found: list[Learned], path: str) -> None:
    """The weights after learning with the first and the last rate; rates in and out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, x in zip(axes, (found[0], found[-1])):
        axis.hist(x.weights, bins=np.linspace(0, 1, 21), color="0.35")
        axis.set(xlabel="weight / largest weight", ylabel="inputs", title=f"inputs of {x.rate:g} Hz")
    rates = [x.rate for x in found]
    axes[2].semilogy(rates, [x.held for x in found], "o--", color="0.6", label="weights of the first held")
    axes[2].semilogy(rates, [x.hz for x in found], "o-", color="C0", label="learned")
    axes[2].set(xlabel="inputs (Hz)", ylabel="cell (Hz)", ylim=(1, None), title="learning steadies the rate")
    axes[2].legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--picture", metavar="FILE", help="draw the weights and the rates")
    parser.add_argument("--quick", action="store_true", help="200 s of learning in place of 3000 s")
    given = parser.parse_args()
    found = learn(seconds=200.0 if given.quick else 3000.0)
    print(HEAD, *found, sep="\n")
    if given.picture:
        picture(found, given.picture)


if __name__ == "__main__":
    main()
