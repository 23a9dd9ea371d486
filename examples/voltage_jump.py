"""Benchmark 4 of the simulators' review: a random network whose synapses move the membrane potential at once.

Source: R. Brette et al. (2007), Simulation of networks of spiking neurons: a review of tools and strategies,
J. Comput. Neurosci. 23:349-398, doi:10.1007/s10827-007-0038-6, appendix 2, after T. Vogels & L. Abbott
(2005), doi:10.1523/JNEUROSCI.3508-05.2005.
"""

from __future__ import annotations

import portable as pt

run_defaults = {"duration": "1 s", "dt": "0.1 ms"}


def network(cells: int = 4000, connectivity: float = 0.02, delay: float = 0.1) -> pt.Network:
    """Voltage jumps: the CUBA network with jumps of 0.25 mV up and 2.25 mV down instead of currents.

    cells: number of cells, 80 % of them excitatory.
    connectivity: probability of each connection. With other than 4000 cells, keep cells*connectivity = 80.
    delay: transmission delay of every synapse in ms; the paper has none and exact times of events, so the
    smallest step is taken.

    Rates after 200 ms: 9.8 Hz (E and I), the same in plain PyNEST (benchmarks/brette2007_pynest.py); 9.6 Hz
    by the mean first passage of the jump process with the network's own rate as input. The paper shows no
    rates.
    """
    cell = pt.IF_curr_delta(
        tau_m="20 ms", v_rest="-49 mV", v_reset="-60 mV", v_thresh="-50 mV", tau_refrac="5 ms"
    )
    start = {"v": pt.Uniform("-60 mV", "-50 mV")}
    exc = pt.Population("exc", round(0.8 * cells), cell, initial=start)
    inh = pt.Population("inh", cells - exc.size, cell, initial=start)
    up = pt.StaticSynapse(weight="0.25 mV", delay=f"{delay} ms")
    down = pt.StaticSynapse(weight="-2.25 mV", delay=f"{delay} ms")
    wiring = pt.FixedProbability(connectivity, allow_self_connections=False)
    return pt.Network(
        "voltage_jump",
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
