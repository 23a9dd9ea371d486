"""Benchmark 3 of the simulators' review: a random network of Hodgkin-Huxley cells with conductance-based
synapses (COBAHH).

Source: R. Brette et al. (2007), Simulation of networks of spiking neurons: a review of tools and strategies,
J. Comput. Neurosci. 23:349-398, doi:10.1007/s10827-007-0038-6, appendix 2, after T. Vogels & L. Abbott
(2005), doi:10.1523/JNEUROSCI.3508-05.2005; the cell's channels are those of R. Traub & R. Miles (1991).
"""

from __future__ import annotations

import portable as pt

run_defaults = {"duration": "1 s", "dt": "0.1 ms"}


def network(
    cells: int = 4000, connectivity: float = 0.02, delay: float = 0.1, kick: float = 50.0
) -> pt.Network:
    """COBAHH: self-sustained irregular activity of cells with sodium and potassium channels.

    cells: number of cells, 80 % of them excitatory.
    connectivity: probability of each connection. With other than 4000 cells, keep cells*connectivity = 80.
    delay: transmission delay of every synapse in ms; the paper has none, so the smallest step is taken.
    kick: how long in ms every cell gets 300 Hz of excitatory input at the start.

    Needs "auto" or a small step: at 0.1 ms fixed-step rk4 fails, the cell's own rkf45 chooses its steps.

    Rates after 200 ms: 41 Hz (E) and 42 Hz (I), varying by 4 Hz from seed to seed; 43 Hz in plain PyNEST
    (benchmarks/brette2007_pynest.py). The paper shows raster plots of sustained irregular activity.
    """
    # Per area of 20000 um2: 1 uF/cm2, 0.05 mS/cm2 of leak, 100 mS/cm2 of sodium, 30 mS/cm2 of potassium
    # conductance.
    cell = pt.HH_cond_exp(
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
    )
    start = {"v": pt.Uniform("-70 mV", "-60 mV")}
    exc = pt.Population("exc", round(0.8 * cells), cell, initial=start)
    inh = pt.Population("inh", cells - exc.size, cell, initial=start)
    noise = pt.Population("kick", cells, pt.SpikeSourcePoisson(rate="300 Hz", duration=f"{kick} ms"))
    up = pt.StaticSynapse(weight="6 nS", delay=f"{delay} ms")
    down = pt.StaticSynapse(weight="67 nS", delay=f"{delay} ms")
    wiring = pt.FixedProbability(connectivity, allow_self_connections=False)
    return pt.Network(
        "cobahh",
        populations=[exc, inh, noise],
        projections=[
            pt.Projection(exc, [exc, inh], wiring, up, receptor="excitatory"),
            pt.Projection(inh, [exc, inh], wiring, down, receptor="inhibitory"),
            pt.Projection(noise, [exc, inh], pt.OneToOne(), up, receptor="excitatory"),
        ],
        recordings=[
            pt.Record(exc, "spikes"),
            pt.Record(inh, "spikes"),
            pt.Record(exc[:3], "v", interval="1 ms"),
        ],
    )
