"""Benchmark 2 of the simulators' review: a random network with current-based synapses (CUBA).

Source: R. Brette et al. (2007), Simulation of networks of spiking neurons: a review of tools and strategies,
J. Comput. Neurosci. 23:349-398, doi:10.1007/s10827-007-0038-6, appendix 2, after T. Vogels & L. Abbott
(2005), doi:10.1523/JNEUROSCI.3508-05.2005.
"""

from __future__ import annotations

import portable as pt

run_defaults = {"duration": "1 s", "dt": "0.1 ms"}


def network(cells: int = 4000, connectivity: float = 0.02, delay: float = 0.1) -> pt.Network:
    """CUBA: irregular activity that needs no input, because the leak's reversal lies above threshold.

    cells: number of cells, 80 % of them excitatory.
    connectivity: probability of each connection. With other than 4000 cells, keep cells*connectivity = 80.
    delay: transmission delay of every synapse in ms; the paper has none, so the smallest step is taken.

    Rates after 200 ms of seed 0: 5.9 Hz (E) and 5.6 Hz (I); the paper shows raster plots of sustained
    irregular activity.
    """
    cell = pt.IF_curr_exp(
        cm="200 pF",
        tau_m="20 ms",
        v_rest="-49 mV",
        v_reset="-60 mV",
        v_thresh="-50 mV",
        tau_refrac="5 ms",
        tau_syn_E="5 ms",
        tau_syn_I="10 ms",
    )
    start = {"v": pt.Uniform("-60 mV", "-50 mV")}
    exc = pt.Population("exc", round(0.8 * cells), cell, initial=start)
    inh = pt.Population("inh", cells - exc.size, cell, initial=start)
    # 0.27 nS and 4.5 nS at the driving forces of a cell at -60 mV, 60 mV and -20 mV.
    up = pt.StaticSynapse(weight="16.2 pA", delay=f"{delay} ms")
    down = pt.StaticSynapse(weight="-90 pA", delay=f"{delay} ms")
    wiring = pt.FixedProbability(connectivity, allow_self_connections=False)
    return pt.Network(
        "cuba",
        populations=[exc, inh],
        projections=[
            pt.Projection(exc, [exc, inh], wiring, up, receptor="excitatory"),
            pt.Projection(inh, [exc, inh], wiring, down, receptor="inhibitory"),
        ],
        recordings=[
            pt.Record(exc, "spikes"),
            pt.Record(inh, "spikes"),
            pt.Record(exc[:3], "v", interval="1 ms"),
        ],
    )
