"""A random network of adaptive exponential integrate-and-fire cells (AdEx) with conductance-based synapses,
driven from outside.

Cells: R. Brette & W. Gerstner (2005), Adaptive exponential integrate-and-fire model as an effective
description of neuronal activity, J. Neurophysiol. 94:3637-3642, doi:10.1152/jn.00686.2005, table 1 (the cells
of the library have these values). Network: one of excitatory and inhibitory cells with sparse random
connections in the manner of T. Vogels & L. Abbott (2005), doi:10.1523/JNEUROSCI.3508-05.2005; its drive and
weights are this example's own, chosen for irregular activity.
"""

from __future__ import annotations

import portable as pt

run_defaults = {"duration": "1 s", "dt": "0.1 ms"}


def network(cells: int = 1000, connectivity: float = 0.1, drive: float = 1.0) -> pt.Network:
    """AdEx cells with adaptation: irregular activity at about 9 Hz (native engine, 1 s, with `--integrator
    rk4` too).

    cells: number of cells, 80 % of them excitatory.
    connectivity: probability of each connection. With other than 1000 cells, keep cells*connectivity = 100.
    drive: rate in kHz of the excitatory input of each cell.

    Exponential cells amplify any difference at the upstroke. NEST and the native engine take adaptive steps
    (rkf45) by default and give the same spikes; with `--integrator rk4` Brian2 can be compared too.
    """
    cell = pt.EIF_cond_exp_isfa_ista(tau_syn_E="5 ms", tau_syn_I="10 ms")
    start = {"v": pt.Uniform("-72 mV", "-55 mV")}
    exc = pt.Population("exc", round(0.8 * cells), cell, initial=start)
    inh = pt.Population("inh", cells - exc.size, cell, initial=start)
    noise = pt.Population("noise", cells, pt.SpikeSourcePoisson(rate=f"{drive} kHz"))
    wiring = pt.FixedProbability(connectivity, allow_self_connections=False)
    varied = pt.Normal("1.5 ms", "0.5 ms", low="0.1 ms")
    up, down = pt.StaticSynapse(weight="3 nS", delay=varied), pt.StaticSynapse(weight="30 nS", delay=varied)
    return pt.Network(
        "adex",
        populations=[exc, inh, noise],
        projections=[
            pt.Projection(exc, [exc, inh], wiring, up, receptor="excitatory"),
            pt.Projection(inh, [exc, inh], wiring, down, receptor="inhibitory"),
            pt.Projection(noise, [exc, inh], pt.OneToOne(), up, receptor="excitatory"),
        ],
        recordings=[
            pt.Record(exc, "spikes"),
            pt.Record(inh, "spikes"),
            pt.Record(exc[:3], ["v", "w"], interval="1 ms"),
        ],
    )
