"""Membrane potentials and spike times with a closed form, on the grid: what every backend must give to rounding error."""

from __future__ import annotations

import numpy as np

from portable.resolve.program import Ints
from portable.units import Floats


def lif_with_current(
    steps: int, dt: float, start: int, current: float, *, rest: float, reset: float, threshold: float, tau: float, capacitance: float, refractory: int
) -> tuple[Floats, Ints]:
    """A leaky integrate-and-fire cell at rest with a constant current (pA) from step `start` on: v at steps 0..steps (mV), spike stamps.

    Between spikes v = v_inf + (v_0 - v_inf) exp(-t/tau), v_inf = rest + current*tau/capacitance; a spike is stamped at the first step with
    v >= threshold, v is then held at `reset` for `refractory` steps. Rotter & Diesmann 1999, doi:10.1007/s004220050570.
    """
    final = rest + current * tau / capacitance
    v, spikes = np.full(steps + 1, rest), list[int]()
    origin, value = start, rest
    while origin < steps:
        t = np.arange(1, steps - origin + 1) * dt
        piece = final + (value - final) * np.exp(-t / tau)
        above = np.flatnonzero(piece >= threshold)
        end = int(above[0]) if above.size else piece.size
        v[origin + 1 : origin + 1 + end] = piece[:end]
        if not above.size:
            break
        stamp = origin + 1 + end
        spikes.append(stamp)
        v[stamp : stamp + refractory + 1] = reset
        origin, value = stamp + refractory, reset
    return v, np.array(spikes, dtype=np.int64)


def psp_exponential(t: Floats, weight: float, tau_syn: float, tau: float, capacitance: float) -> Floats:
    """Depolarisation (mV) at times t (ms) after the arrival of a current weight*exp(-t/tau_syn) (pA); 0 before."""
    x = np.maximum(t, 0.0)
    factor = weight / capacitance * tau_syn * tau / (tau - tau_syn)
    return np.asarray(factor * (np.exp(-x / tau) - np.exp(-x / tau_syn)))


def psp_alpha(t: Floats, weight: float, tau_syn: float, tau: float, capacitance: float) -> Floats:
    """Depolarisation (mV) at times t (ms) after the arrival of a current weight*e*t/tau_syn*exp(-t/tau_syn) (pA); 0 before."""
    x = np.maximum(t, 0.0)
    d = 1.0 / tau_syn - 1.0 / tau
    return np.asarray(weight * np.e / (capacitance * tau_syn) * np.exp(-x / tau) * (1.0 - np.exp(-d * x) * (1.0 + d * x)) / d**2)
