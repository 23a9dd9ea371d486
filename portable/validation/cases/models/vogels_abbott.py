"""The four benchmarks of R. Brette et al. (2007), doi:10.1007/s10827-007-0038-6, after T. Vogels & L. Abbott
(2005), doi:10.1523/JNEUROSCI.3508-05.2005.

As examples/coba.py, cuba.py, cobahh.py and voltage_jump.py, which explain the numbers. The networks differ in
their cells, weights and start only.
"""

from __future__ import annotations

from dataclasses import dataclass

from portable.library.cells import HH_cond_exp, IF_cond_exp, IF_curr_delta, IF_curr_exp
from portable.model.cells import Cell
from portable.model.connectors import FixedProbability, OneToOne, StaticSynapse
from portable.model.network import Network, Population, Projection, Record
from portable.model.sources import SpikeSourcePoisson
from portable.model.values import Uniform

CELLS, CONNECTIVITY, DELAY, KICK = 4000, 0.02, 0.1, 50.0  # cells, probability, ms, ms


@dataclass(frozen=True)
class Benchmark:
    """up, down: weights. start: bounds of the starting potential. kick: input at the start, where the network
    is silent without.
    """

    cell: Cell
    up: str
    down: str
    start: tuple[str, str]
    kick: bool


BENCHMARKS = {
    "coba": Benchmark(
        IF_cond_exp(
            cm="200 pF",
            tau_m="20 ms",
            v_rest="-60 mV",
            v_reset="-60 mV",
            v_thresh="-50 mV",
            tau_refrac="5 ms",
            tau_syn_E="5 ms",
            tau_syn_I="10 ms",
            e_rev_E="0 mV",
            e_rev_I="-80 mV",
        ),
        "6 nS",
        "67 nS",
        ("-60 mV", "-50 mV"),
        True,
    ),
    "cuba": Benchmark(
        IF_curr_exp(
            cm="200 pF",
            tau_m="20 ms",
            v_rest="-49 mV",
            v_reset="-60 mV",
            v_thresh="-50 mV",
            tau_refrac="5 ms",
            tau_syn_E="5 ms",
            tau_syn_I="10 ms",
        ),
        "16.2 pA",
        "-90 pA",
        ("-60 mV", "-50 mV"),
        False,
    ),
    "cobahh": Benchmark(
        HH_cond_exp(
            cm="200 pF",
            g_leak="10 nS",
            gbar_Na="20 uS",
            gbar_K="6 uS",
            e_rev_leak="-65 mV",
            e_rev_Na="50 mV",
            e_rev_K="-90 mV",
            v_offset="-63 mV",
            tau_syn_E="5 ms",
            tau_syn_I="10 ms",
            e_rev_E="0 mV",
            e_rev_I="-80 mV",
        ),
        "6 nS",
        "67 nS",
        ("-70 mV", "-60 mV"),
        True,
    ),
    "voltage_jump": Benchmark(
        IF_curr_delta(tau_m="20 ms", v_rest="-49 mV", v_reset="-60 mV", v_thresh="-50 mV", tau_refrac="5 ms"),
        "0.25 mV",
        "-2.25 mV",
        ("-60 mV", "-50 mV"),
        False,
    ),
}


def vogels_abbott(name: str) -> Network:
    """One of BENCHMARKS: 3200 excitatory and 800 inhibitory cells."""
    b = BENCHMARKS[name]
    start = {"v": Uniform(*b.start)}
    exc = Population("exc", round(0.8 * CELLS), b.cell, initial=start)
    inh = Population("inh", CELLS - exc.size, b.cell, initial=start)
    up, down = (StaticSynapse(weight=w, delay=f"{DELAY} ms") for w in (b.up, b.down))
    wiring = FixedProbability(CONNECTIVITY, allow_self_connections=False)
    populations = [exc, inh]
    projections = [
        Projection(exc, [exc, inh], wiring, up, receptor="excitatory"),
        Projection(inh, [exc, inh], wiring, down, receptor="inhibitory"),
    ]
    if b.kick:
        populations.append(
            Population("kick", CELLS, SpikeSourcePoisson(rate="300 Hz", duration=f"{KICK} ms"))
        )
        projections.append(Projection(populations[-1], [exc, inh], OneToOne(), up, receptor="excitatory"))
    return Network(
        name,
        populations,
        projections,
        recordings=[Record(exc, "spikes"), Record(inh, "spikes"), Record(exc[:3], "v", interval="1 ms")],
    )
