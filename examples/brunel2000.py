"""Brunel's sparse network of excitatory and inhibitory integrate-and-fire cells.

Source: N. Brunel (2000), Dynamics of sparsely connected networks of excitatory and inhibitory spiking
neurons, J. Comput. Neurosci. 8:183-208, doi:10.1023/A:1008925309027. Reproduces the four panels of its figure
8.
"""

from __future__ import annotations

from typing import Literal

import portable as pt

run_defaults = {"duration": "500 ms", "dt": "0.1 ms"}

# Figure 8, A to D: g (inhibitory over excitatory weight) and nu_ext / nu_thr.
REGIMES = {"SR": (3.0, 2.0), "SI_fast": (6.0, 4.0), "AI": (5.0, 2.0), "SI_slow": (4.5, 0.9)}

TAU, THETA, RESET, REFRACTORY = 20.0, 20.0, 10.0, 2.0  # ms, mV, mV, ms; V is counted from rest
J, C_E, C_I, DELAY = 0.1, 1000, 250, 1.5  # mV, connections a cell from E and from I, ms


def network(regime: Literal["SR", "SI_fast", "AI", "SI_slow"] = "AI", scale: float = 0.2) -> pt.Network:
    """Brunel 2000, figure 8.

    regime: SR, synchronous regular (8A); SI_fast, fast global oscillation, irregular cells (8B); AI,
    asynchronous
        irregular (8C); SI_slow, slow global oscillation, irregular cells at low rates (8D).
    scale: fraction of the paper's 10000 + 2500 cells. Every cell keeps its 1000 + 250 connections of 0.1 mV,
    so the
        mean and the variance of its input are the paper's at every scale; what grows is the share of common
        input.

    Rates of the excitatory cells in Hz, at full size; at scale 0.2; by the paper's stationary theory
    (equations 21 and 22): SR 334; 333; 327. SI_fast 58; 59; 55.8. AI 37.7; 38; 38.0. SI_slow 6.1; 6.1; 6.5.
    Native engine, 0.5 s and more.
    """
    g, drive = REGIMES[regime]
    threshold_rate = (
        1000.0 * THETA / (J * C_E * TAU)
    )  # nu_thr, Hz: the rate at which the external input alone reaches theta
    cell = pt.IF_curr_delta(
        v_rest="0 mV",
        tau_m=f"{TAU} ms",
        v_thresh=f"{THETA} mV",
        v_reset=f"{RESET} mV",
        tau_refrac=f"{REFRACTORY} ms",
    )
    start = {"v": pt.Uniform(f"{RESET} mV", f"{THETA} mV")}
    exc = pt.Population("exc", round(10000 * scale), cell, initial=start)
    inh = pt.Population("inh", round(2500 * scale), cell, initial=start)
    # C_E independent trains of rate nu_ext on one cell are one train of rate C_E nu_ext.
    rate = f"{drive * threshold_rate * C_E} Hz"
    noise = {
        p.name: pt.Population(f"noise_{p.name}", p.size, pt.SpikeSourcePoisson(rate=rate)) for p in (exc, inh)
    }
    up = pt.StaticSynapse(weight=f"{J} mV", delay=f"{DELAY} ms")
    down = pt.StaticSynapse(weight=f"{-g * J} mV", delay=f"{DELAY} ms")
    projections = []
    for target in (exc, inh):
        projections += [
            pt.Projection(exc, target, pt.FixedInDegree(C_E), up, receptor="excitatory"),
            pt.Projection(inh, target, pt.FixedInDegree(C_I), down, receptor="inhibitory"),
            pt.Projection(noise[target.name], target, pt.OneToOne(), up, receptor="excitatory"),
        ]
    return pt.Network(
        f"brunel2000_{regime}",
        populations=[exc, inh, *noise.values()],
        projections=projections,
        recordings=[pt.Record(exc, "spikes"), pt.Record(inh, "spikes")],
    )
