"""Two cell types that no simulator has built in, from their equations: an adapting and a quadratic
integrate-and-fire.

The leaky cell with two adaptation currents is equation 6.2 with K = 2 of W. Gerstner, W. Kistler, R. Naud &
L. Paninski (2014), Neuronal Dynamics, doi:10.1017/CBO9781107447615, made linear; it shows fast and slow
spike-frequency adaptation (figure 6.1). The quadratic cell is that of P. Latham et al. (2000),
doi:10.1152/jn.2000.83.2.808.
"""

from __future__ import annotations

import portable as pt

run_defaults = {"duration": "500 ms", "dt": "0.1 ms"}

Adapting = pt.cell_type(
    "Adapting",
    equations="""
        dv/dt = (v_rest - v)/tau_m + (i_syn + i_offset + i_ext - fast - slow)/cm : mV (held)
        dfast/dt = -fast/tau_fast : pA
        dslow/dt = -slow/tau_slow : pA
    """,
    threshold="v >= v_thresh",
    reset="v = v_reset; fast += b_fast; slow += b_slow",
    refractory="tau_refrac",
    receptors={"excitatory": pt.CurrExp, "inhibitory": pt.CurrExp},
    parameters={
        "cm": "200 pF",
        "tau_m": "20 ms",
        "v_rest": "-65 mV",
        "v_reset": "-65 mV",
        "v_thresh": "-50 mV",
        "tau_refrac": "2 ms",
        "i_offset": "0 pA",
        "tau_fast": "20 ms",
        "b_fast": "40 pA",
        "tau_slow": "200 ms",
        "b_slow": "15 pA",
    },
    initial={"v": "v_rest"},
)

Quadratic = pt.cell_type(
    "Quadratic",
    equations="dv/dt = (k*(v - v_rest)*(v - v_crit) + i_syn + i_offset + i_ext)/cm : mV (held)",
    threshold="v >= v_peak",
    reset="v = v_reset",
    refractory="tau_refrac",
    receptors={"excitatory": pt.CondExp, "inhibitory": pt.CondExp},
    parameters={
        "cm": "200 pF",
        "k": "0.7 nS/mV",
        "v_rest": "-65 mV",
        "v_crit": "-50 mV",
        "v_peak": "0 mV",
        "v_reset": "-60 mV",
        "tau_refrac": "1 ms",
        "i_offset": "0 pA",
    },
    initial={"v": "v_rest"},
)


def network(
    cells: int = 500, current: float = 300.0, drive: float = 400.0, coupling: float = 1.0
) -> pt.Network:
    """Adapting excitatory and quadratic inhibitory cells in a loop; the excitatory rate falls in two steps
    after the onset.

    cells: number of cells, 80 % of them excitatory.
    current: current in pA into every excitatory cell from 50 ms on.
    drive: rate in Hz of the excitatory noise of every cell.
    coupling: factor on the recurrent weights; 0 shows the cells alone.
    """
    exc = pt.Population(
        "exc",
        round(0.8 * cells),
        Adapting(tau_syn_E="5 ms", tau_syn_I="10 ms"),
        initial={"v": pt.Uniform("-65 mV", "-55 mV")},
    )
    inh = pt.Population(
        "inh",
        cells - exc.size,
        Quadratic(tau_syn_E="5 ms", tau_syn_I="10 ms", e_rev_E="0 mV", e_rev_I="-80 mV"),
        initial={"v": pt.Uniform("-65 mV", "-55 mV")},
    )
    noise = pt.Population("noise", cells, pt.SpikeSourcePoisson(rate=f"{drive} Hz"))
    delay = pt.Uniform("0.5 ms", "2 ms")
    fifth = pt.FixedProbability(0.2)

    def synapse(weight: float, unit: str) -> pt.StaticSynapse:
        return pt.StaticSynapse(weight=f"{weight} {unit}", delay=delay)

    return pt.Network(
        "own_equations",
        populations=[exc, inh, noise],
        projections=[
            pt.Projection(exc, exc, fifth, synapse(4.0 * coupling, "pA"), receptor="excitatory"),
            pt.Projection(inh, exc, fifth, synapse(-20.0 * coupling, "pA"), receptor="inhibitory"),
            pt.Projection(exc, inh, fifth, synapse(0.15 * coupling, "nS"), receptor="excitatory"),
            pt.Projection(inh, inh, fifth, synapse(0.5 * coupling, "nS"), receptor="inhibitory"),
            pt.Projection(noise[: exc.size], exc, pt.OneToOne(), synapse(40.0, "pA"), receptor="excitatory"),
            pt.Projection(noise[exc.size :], inh, pt.OneToOne(), synapse(0.8, "nS"), receptor="excitatory"),
        ],
        inputs=[pt.Injection(pt.DCSource(f"{current} pA", start="50 ms"), exc)],
        recordings=[
            pt.Record(exc, "spikes"),
            pt.Record(inh, "spikes"),
            pt.Record(exc[:3], ["v", "fast", "slow"], interval="1 ms"),
            pt.Record(inh[:3], "v", interval="1 ms"),
        ],
    )
