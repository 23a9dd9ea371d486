"""Benchmark 1 of the simulators' review: a random network with conductance-based synapses (COBA).

Source: R. Brette et al. (2007), Simulation of networks of spiking neurons: a review of tools and strategies,
J. Comput. Neurosci. 23:349-398, doi:10.1007/s10827-007-0038-6, appendix 2, after T. Vogels & L. Abbott
(2005), doi:10.1523/JNEUROSCI.3508-05.2005.
"""

from __future__ import annotations

import portable as pt

run_defaults = {"duration": "1 s", "dt": "0.1 ms"}


def network(
    cells: int = 4000, connectivity: float = 0.02, delay: float = 0.1, kick: float = 50.0
) -> pt.Network:
    """COBA: self-sustained irregular activity. Some seeds fall silent after the kick, as in the paper's own
    implementations.

    cells: number of cells, 80 % of them excitatory.
    connectivity: probability of each connection. With other than 4000 cells, keep cells*connectivity = 80.
    delay: transmission delay of every synapse in ms; the paper has none, so the smallest step is taken.
    kick: how long in ms every cell gets 300 Hz of excitatory input at the start.

    This network amplifies any difference: NEST's iaf_cond_exp integrates with a tolerance of 1e-3 and parts
    from fixed-step rk4 in two of three seeds. `portable compare FILE --option nest.nestml=always` gives NEST
    the same rk4, and the spikes are identical.

    Rates after 200 ms of seed 0: 20 Hz (E and I); the paper shows raster plots of sustained irregular
    activity.
    """
    cell = pt.IF_cond_exp(
        cm="200 pF", tau_m="20 ms", v_rest="-60 mV", v_reset="-60 mV", v_thresh="-50 mV", tau_refrac="5 ms",
        tau_syn_E="5 ms", tau_syn_I="10 ms", e_rev_E="0 mV", e_rev_I="-80 mV",
    )  # fmt: skip
    start = {"v": pt.Uniform("-60 mV", "-50 mV")}
    exc = pt.Population("exc", round(0.8 * cells), cell, initial=start)
    inh = pt.Population("inh", cells - exc.size, cell, initial=start)
    noise = pt.Population("kick", cells, pt.SpikeSourcePoisson(rate="300 Hz", duration=f"{kick} ms"))
    up = pt.StaticSynapse(weight="6 nS", delay=f"{delay} ms")
    down = pt.StaticSynapse(weight="67 nS", delay=f"{delay} ms")
    wiring = pt.FixedProbability(connectivity, allow_self_connections=False)
    return pt.Network(
        "coba",
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
