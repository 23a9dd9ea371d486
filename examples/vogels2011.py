"""A recurrent network that learns its own balance: inhibitory synapses grow until every cell fires slowly and
irregularly.

Source: T. Vogels, H. Sprekeler, F. Zenke, C. Clopath & W. Gerstner (2011), Inhibitory plasticity balances
excitation and inhibition in sensory pathways and memory networks, Science 334:1569-1573,
doi:10.1126/science.1211095, figure 4: the network before and after learning, without its memories.

    python examples/vogels2011.py --picture vogels2011.png        a minute; --quick: a tenth of the time

2000 cells, seed 1. Before: excitatory cells fire at 165 Hz (SD over cells 2), all in step and like clocks: CV
0.01, variance over mean of the network's spikes in 5 ms 64. After 80 s: 4.2 Hz (SD 1.5, on the way to the
3 Hz that they are led to: 6.3 Hz after 20 s, 4.7 after 60), CV 0.95, and 19; inhibitory cells 71 and 6.8 Hz.
Inhibitory weights have a mean of 1.8 nS. That the network still has short bursts is the price of its size:
with a fifth of the paper's cells, two of them share five times as many inputs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np

import portable as pt

run_defaults = {"duration": "5 s", "dt": "0.1 ms"}


def network(cells: int = 2000, indegree: int = 160, rho0: float = 3.0, eta: float = 1e-4) -> pt.Network:
    """Excitatory and inhibitory cells that a constant current keeps above threshold. Only the synapses from
    inhibitory to excitatory cells learn, and they start at 0.

    cells: number of cells, 80 % of them excitatory; the paper has 10,000.
    indegree: mean number of excitatory connections of a cell, of inhibitory ones a quarter. The paper's, so
        that a smaller network has the same synapses on each cell and a denser wiring.
    rho0: rate in Hz to which excitatory cells are led.
    eta: a pair's change, as part of the largest weight of 100 nS.
    """
    cell = pt.IF_cond_exp(
        cm="200 pF", tau_m="20 ms", v_rest="-60 mV", v_reset="-60 mV", v_thresh="-50 mV", tau_refrac="5 ms",
        tau_syn_E="5 ms", tau_syn_I="10 ms", e_rev_E="0 mV", e_rev_I="-80 mV", i_offset="200 pA",
    )  # fmt: skip
    start = {"v": pt.Uniform("-60 mV", "-50 mV")}
    exc = pt.Population("exc", round(0.8 * cells), cell, initial=start)
    inh = pt.Population("inh", cells - exc.size, cell, initial=start)
    wiring = pt.FixedProbability(indegree / exc.size, allow_self_connections=False)
    up = pt.StaticSynapse(weight="0.3 nS", delay="0.5 ms")
    down = pt.StaticSynapse(weight="3 nS", delay="0.5 ms")
    learning = pt.VogelsSprekeler(
        weight="0 nS", delay="0.5 ms", tau="20 ms", rho0=f"{rho0} Hz", eta=eta, w_max="100 nS"
    )
    return pt.Network(
        "vogels2011",
        populations=[exc, inh],
        projections=[
            pt.Projection(exc, [exc, inh], wiring, up, receptor="excitatory"),
            pt.Projection(inh, exc, wiring, learning, receptor="inhibitory", name="learning"),
            pt.Projection(inh, inh, wiring, down, receptor="inhibitory"),
        ],
        recordings=[pt.Record([exc, inh], "spikes")],
    )


@dataclass(frozen=True)
class Activity:
    """Excitatory cells in a window, in ms. hz: of each cell; cv: mean over cells with ten intervals or more;
    together: variance over mean of the network's spikes in bins of 5 ms, 1 where cells are independent.
    """

    name: str
    window: tuple[float, float]
    hz: np.ndarray
    inhibitory: float
    cv: float
    together: float

    def __str__(self) -> str:
        a, b = (x / 1000.0 for x in self.window)
        return (
            f"{self.name:8} {f'{a:g} to {b:g}':>12} {self.hz.mean():8.1f} {self.hz.std():6.1f} "
            f"{self.inhibitory:8.1f} {self.cv:7.2f} {self.together:8.1f}"
        )


HEAD = "                    s    exc Hz     SD   inh Hz      CV  together"


def activity(results: pt.Results, name: str, begin: float, end: float) -> Activity:
    """What the network does between two times in ms."""
    exc, inh = results.spikes["exc"], results.spikes["inh"]
    trains = [t[(t > begin) & (t <= end)] for t in exc.trains()]
    gaps = [np.diff(t) for t in trains]
    counts = np.histogram(np.concatenate(trains), np.arange(begin, end + 1e-6, 5.0))[0]
    late = (inh.times > begin) & (inh.times <= end)
    return Activity(
        name,
        (begin, end),
        np.array([t.size for t in trains]) / (end - begin) * 1000.0,
        float(late.sum()) / inh.recorded.size / (end - begin) * 1000.0,
        float(np.mean([g.std() / g.mean() for g in gaps if g.size >= 10])),
        float(counts.var() / counts.mean()),
    )


@dataclass(frozen=True)
class Learned:
    """A whole run: `weights` are (s, mean, SD) in nS."""

    results: pt.Results
    before: Activity
    after: Activity
    weights: list[tuple[float, float, float]] = field(default_factory=list)


def learn(seconds: float = 80.0, cells: int = 2000, seed: int = 1) -> Learned:
    """A second without learning, then so many with; activity of the first second and the last eighth."""
    weights: list[tuple[float, float, float]] = []
    with pt.open(network(cells), dt="0.1 ms", seed=seed) as sim:
        sim.plastic("learning", False)
        sim.run("1 s")
        sim.plastic("learning", True)
        for _ in range(20):
            sim.run(f"{seconds / 20} s")
            w = 1000.0 * np.asarray(sim.weights("learning"))  # uS
            weights.append((sim.time / 1000.0, float(w.mean()), float(w.std())))
        results = sim.results()
    end = results.duration
    return Learned(
        results,
        activity(results, "before", 200.0, 1000.0),
        activity(results, "after", end - 125.0 * seconds, end),
        weights,
    )


def picture(found: Learned, path: str) -> None:
    """200 excitatory cells before and after, the rate while the network learns, and the weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplots(2, 2)
    exc, end = found.results.spikes["exc"], found.results.duration
    for axis, title, begin in zip(axes[0], ("before", "after learning"), (700.0, end - 300.0)):
        shown = (exc.ids < 200) & (exc.times > begin) & (exc.times <= begin + 300.0)
        axis.plot(exc.times[shown] - begin, exc.ids[shown], ".k", markersize=2)
        axis.set(xlabel="ms", ylabel="excitatory cell", title=title, xlim=(0, 300), ylim=(0, 200))
    bins = np.arange(0.0, end + 1e-6, 250.0)
    hz = np.histogram(exc.times, bins)[0] / 0.25 / exc.recorded.size
    axes[1, 0].semilogy(bins[1:] / 1000.0, hz)
    axes[1, 0].axhline(3.0, color="0.6", linestyle="--", label="target")
    axes[1, 0].set(xlabel="s", ylabel="excitatory rate (Hz)")
    axes[1, 0].legend(frameon=False)
    t, mean, sd = np.array(found.weights).T
    axes[1, 1].fill_between(t, np.maximum(mean - sd, 0.0), mean + sd, alpha=0.3, label="SD")
    axes[1, 1].plot(t, mean, label="mean")
    axes[1, 1].set(xlabel="s", ylabel="inhibitory weights (nS)", ylim=(0, None))
    axes[1, 1].legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--picture", metavar="FILE", help="draw spikes, rate and weights")
    parser.add_argument("--quick", action="store_true", help="8 s of learning in place of 80 s")
    given = parser.parse_args()
    found = learn(8.0 if given.quick else 80.0)
    print(HEAD, found.before, found.after, sep="\n")
    print(f"inhibitory weights: mean {found.weights[-1][1]:.2f} nS, SD {found.weights[-1][2]:.2f} nS")
    if given.picture:
        picture(found, given.picture)


if __name__ == "__main__":
    main()
