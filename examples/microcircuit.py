"""The cortical microcircuit under 1 mm2 of early sensory cortex: four layers, 77169 cells, 0.3 billion
synapses.

Source: T. C. Potjans & M. Diesmann (2014), The cell-type specific cortical microcircuit: relating structure
and activity in a full-scale spiking network model, Cereb. Cortex 24:785-806, doi:10.1093/cercor/bhs358. The
numbers are those of github.com/INM-6/microcircuit-PD14-model, network_params.py and stimulus_params.py.
Reproduces figure 6 (raster and rates).
"""

from __future__ import annotations

import math
from typing import Literal

import portable as pt

run_defaults = {"duration": "500 ms", "dt": "0.1 ms"}

NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
CELLS = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
# Probability that a pair is connected at least once: row = target, column = source.
PROBABILITY = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)  # connections from outside, each of 8 Hz
RATES = (
    0.903,
    2.965,
    4.414,
    5.876,
    7.569,
    8.633,
    1.105,
    7.829,
)  # Hz of the full network; used to make up for a smaller one
V_MEAN = (
    -68.28,
    -63.16,
    -63.33,
    -63.45,
    -63.11,
    -61.66,
    -66.72,
    -61.43,
)  # mV, "optimized" starting values: no transient
V_SD = (5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48)  # mV

CM, TAU_M, TAU_SYN, V_REST, V_THRESH = 250.0, 10.0, 0.5, -65.0, -50.0  # pF, ms, ms, mV, mV
PSP, G, BACKGROUND = 0.15, -4.0, 0.008  # mV, inhibitory over excitatory weight, 1/ms


def network(
    scale: float = 0.1,
    drive: Literal["poisson", "dc"] = "poisson",
    initial: Literal["optimized", "original"] = "optimized",
) -> pt.Network:
    """Potjans & Diesmann 2014.

    scale: fraction of the cells and of each cell's connections; weights grow by 1/sqrt(scale) and a constant
    current makes up
        for the lost mean input, so that the mean and the variance of the input stay (van Albada et al. 2015,
        doi:10.1371/journal.pcbi.1004490).
    drive: "poisson", or "dc", a constant current of the same mean. With dc below a scale of 0.2 the network
    falls silent.
    initial: starting membrane potentials, by population ("optimized") or the paper's -58 +- 10 mV
    ("original").

    Rates in Hz (L23E L23I L4E L4I L5E L5I L6E L6I): full size 0.90 2.97 4.41 5.88 7.57 8.63 1.11 7.83 (NEST,
    the numbers' source); scale 0.1 with poisson 0.48 2.13 4.00 5.03 6.61 7.80 0.85 7.02 (a PyNEST script,
    mean of five seeds of 3 s), and here on the native engine 0.48 2.09 4.02 5.02 6.30 7.91 0.84 7.01 (one
    seed, 2 s).
    """
    cell = pt.IF_curr_exp(
        cm=f"{CM} pF",
        tau_m=f"{TAU_M} ms",
        tau_syn_E=f"{TAU_SYN} ms",
        tau_syn_I=f"{TAU_SYN} ms",
        tau_refrac="2 ms",
        v_rest=f"{V_REST} mV",
        v_thresh=f"{V_THRESH} mV",
        v_reset=f"{V_REST} mV",
    )
    cells = [_population(i, cell, scale, initial) for i in range(8)]
    projections = [
        _projection(cells, post, pre, scale)
        for post in range(8)
        for pre in range(8)
        if PROBABILITY[post][pre] > 0
    ]
    noise, inputs = [], []
    for i, population in enumerate(cells):
        current = _compensation(i, scale, drive)
        if drive == "dc":
            current += TAU_SYN * psc() * EXTERNAL[i] * BACKGROUND
        else:
            source = pt.Population(
                f"noise_{NAMES[i]}",
                population.size,
                pt.SpikeSourcePoisson(rate=f"{1000 * scale * EXTERNAL[i] * BACKGROUND} Hz"),
            )
            synapse = pt.StaticSynapse(weight=f"{psc() / math.sqrt(scale)} pA", delay="1.5 ms")
            projections.append(
                pt.Projection(source, population, pt.OneToOne(), synapse, receptor="excitatory")
            )
            noise.append(source)
        if current:
            inputs.append(pt.Injection(pt.DCSource(f"{current} pA"), population))
    return pt.Network(
        "microcircuit", [*cells, *noise], projections, inputs, [pt.Record(p, "spikes") for p in cells]
    )


def psc() -> float:
    """The current in pA whose postsynaptic potential peaks at PSP."""
    ratio = TAU_SYN / TAU_M
    peak = TAU_SYN / (1 - ratio) * (ratio ** (ratio / (1 - ratio)) - ratio ** (1 / (1 - ratio)))
    return float(PSP * CM / peak)


def weight(post: int, pre: int) -> float:
    """Mean weight in pA of a projection of the full network; L4E to L2/3E is twice as strong."""
    return psc() * (G if pre % 2 else 2.0 if (post, pre) == (0, 2) else 1.0)


def synapses(post: int, pre: int) -> float:
    """Number of synapses of a projection of the full network, drawn with replacement, that connects pairs
    with PROBABILITY.
    """
    return math.log(1 - PROBABILITY[post][pre]) / math.log(1 - 1 / (CELLS[pre] * CELLS[post]))


def _population(i: int, cell: pt.Cell, scale: float, initial: str) -> pt.Population:
    mean, sd = (V_MEAN[i], V_SD[i]) if initial == "optimized" else (-58.0, 10.0)
    return pt.Population(
        NAMES[i], round(scale * CELLS[i]), cell, initial={"v": pt.Normal(f"{mean} mV", f"{sd} mV")}
    )


def _projection(cells: list[pt.Population], post: int, pre: int, scale: float) -> pt.Projection:
    w, inhibitory = weight(post, pre) / math.sqrt(scale), pre % 2 == 1
    # A weight of the wrong sign becomes zero; delays below a step are drawn again.
    bounds = {"high": "0 pA"} if inhibitory else {"low": "0 pA"}
    delay = 0.75 if inhibitory else 1.5
    synapse = pt.StaticSynapse(
        weight=pt.Normal(f"{w} pA", f"{0.1 * abs(w)} pA", clip=True, **bounds),
        delay=pt.Normal(f"{delay} ms", f"{0.5 * delay} ms", low="0.1 ms"),
    )
    n = round(synapses(post, pre) * scale**2)
    return pt.Projection(
        cells[pre],
        cells[post],
        pt.FixedTotalNumber(n),
        synapse,
        receptor="inhibitory" if inhibitory else "excitatory",
    )


def _compensation(post: int, scale: float, drive: str) -> float:
    """The current in pA that replaces the mean input lost with fewer but stronger synapses."""
    lost = sum(
        weight(post, pre) * synapses(post, pre) / CELLS[post] * RATES[pre] / 1000
        for pre in range(8)
        if PROBABILITY[post][pre] > 0
    )
    if drive == "poisson":
        lost += psc() * EXTERNAL[post] * BACKGROUND
    return TAU_SYN * (1 - math.sqrt(scale)) * lost
