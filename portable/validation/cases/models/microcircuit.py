"""The cortical microcircuit of T. C. Potjans & M. Diesmann (2014), doi:10.1093/cercor/bhs358, with Poisson
drive.

As examples/microcircuit.py, which explains each number; from github.com/INM-6/microcircuit-PD14-model,
network_params.py.
"""

from __future__ import annotations

import math

from portable.library.cells import IF_curr_exp
from portable.model.connectors import FixedTotalNumber, OneToOne, StaticSynapse
from portable.model.network import Injection, Network, Population, Projection, Record
from portable.model.sources import DCSource, SpikeSourcePoisson
from portable.model.values import Normal

# Name, cells, external connections, rate of the full network (Hz), mean and SD of the starting potential
# (mV), probability of a pair from each population.
POPULATIONS = (
    ("L23E", 20683, 1600, 0.903, -68.28, 5.36, (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0)),
    ("L23I", 5834, 1500, 2.965, -63.16, 4.57, (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0)),
    ("L4E", 21915, 2100, 4.414, -63.33, 4.74, (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0)),
    ("L4I", 5479, 1900, 5.876, -63.45, 4.94, (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0)),
    ("L5E", 4850, 2000, 7.569, -63.11, 4.94, (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0)),
    ("L5I", 1065, 1900, 8.633, -61.66, 4.55, (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0)),
    (
        "L6E",
        14395,
        2900,
        1.105,
        -66.72,
        5.46,
        (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    ),
    ("L6I", 2948, 2100, 7.829, -61.43, 4.48, (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443)),
)
NAMES = tuple(p[0] for p in POPULATIONS)
CM, TAU_M, TAU_SYN, REST, THRESHOLD = 250.0, 10.0, 0.5, -65.0, -50.0  # pF, ms, ms, mV, mV
PSP, G, BACKGROUND = 0.15, -4.0, 0.008  # mV, inhibitory over excitatory weight, 1/ms


def microcircuit(scale: float = 0.1) -> Network:
    """Of the full cells and in-degrees the fraction `scale`; weights and a current make up for it
    (doi:10.1371/journal.pcbi.1004490).
    """
    tau_syn = f"{TAU_SYN} ms"
    cell = IF_curr_exp(
        cm=f"{CM} pF", tau_m=f"{TAU_M} ms", tau_syn_E=tau_syn, tau_syn_I=tau_syn, tau_refrac="2 ms",
        v_rest=f"{REST} mV", v_thresh=f"{THRESHOLD} mV", v_reset=f"{REST} mV",
    )  # fmt: skip
    cells = [
        Population(name, round(scale * n), cell, initial={"v": Normal(f"{mean} mV", f"{sd} mV")})
        for name, n, _, _, mean, sd, _ in POPULATIONS
    ]
    pairs = [(post, pre) for post in range(8) for pre in range(8) if POPULATIONS[post][6][pre] > 0]
    projections = [_projection(cells, post, pre, scale) for post, pre in pairs]
    noise, inputs = [], []
    for i, (name, _, external, *_) in enumerate(POPULATIONS):
        noise.append(
            Population(
                f"noise_{name}",
                cells[i].size,
                SpikeSourcePoisson(rate=f"{1000 * scale * external * BACKGROUND} Hz"),
            )
        )
        synapse = StaticSynapse(weight=f"{_psc() / math.sqrt(scale)} pA", delay="1.5 ms")
        projections.append(Projection(noise[-1], cells[i], OneToOne(), synapse, receptor="excitatory"))
        lost = sum(
            _weight(i, pre) * _synapses(i, pre) / POPULATIONS[i][1] * POPULATIONS[pre][3] / 1000
            for post, pre in pairs
            if post == i
        )
        lost += _psc() * external * BACKGROUND
        if current := TAU_SYN * (1 - math.sqrt(scale)) * lost:
            inputs.append(Injection(DCSource(f"{current} pA"), cells[i]))
    return Network(
        "microcircuit", [*cells, *noise], projections, inputs, [Record(p, "spikes") for p in cells]
    )


def _psc() -> float:
    """The current (pA) whose potential peaks at PSP."""
    ratio = TAU_SYN / TAU_M
    return float(
        PSP * CM / (TAU_SYN / (1 - ratio) * (ratio ** (ratio / (1 - ratio)) - ratio ** (1 / (1 - ratio))))
    )


def _weight(post: int, pre: int) -> float:
    """Mean weight (pA) in the full network; from L4E to L23E twice as strong."""
    return _psc() * (G if pre % 2 else 2.0 if (post, pre) == (0, 2) else 1.0)


def _synapses(post: int, pre: int) -> float:
    """Synapses of the full network, drawn with replacement, that connect pairs with the probability of
    POPULATIONS.
    """
    return math.log(1 - POPULATIONS[post][6][pre]) / math.log(
        1 - 1 / (POPULATIONS[pre][1] * POPULATIONS[post][1])
    )


def _projection(cells: list[Population], post: int, pre: int, scale: float) -> Projection:
    w, inhibitory = _weight(post, pre) / math.sqrt(scale), pre % 2 == 1
    bound = {"high": "0 pA"} if inhibitory else {"low": "0 pA"}
    delay = 0.75 if inhibitory else 1.5
    weights = Normal(f"{w} pA", f"{0.1 * abs(w)} pA", clip=True, **bound)
    synapse = StaticSynapse(weight=weights, delay=Normal(f"{delay} ms", f"{0.5 * delay} ms", low="0.1 ms"))
    number = FixedTotalNumber(round(_synapses(post, pre) * scale**2))
    return Projection(
        cells[pre], cells[post], number, synapse, receptor="inhibitory" if inhibitory else "excitatory"
    )
