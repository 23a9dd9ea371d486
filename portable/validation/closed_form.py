"""Membrane potentials, spike times, firing rates and changes of weights with a closed form.

On the grid: what every backend must give to rounding error (lif_with_current, psp_*, shot_noise, stdp_window,
stationary_response), or up to the number of spikes that were counted (jump_rate). In continuous time:
diffusion theory (siegert, mean_field).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from portable.resolve.program import Ints
from portable.units import Floats


def lif_with_current(
    steps: int,
    dt: float,
    start: int,
    current: float,
    *,
    rest: float,
    reset: float,
    threshold: float,
    tau: float,
    capacitance: float,
    refractory: int,
) -> tuple[Floats, Ints]:
    """A leaky integrate-and-fire cell at rest with a constant current (pA) from step `start` on: v at steps
    0..steps (mV), spike stamps.

    Between spikes v = v_inf + (v_0 - v_inf) exp(-t/tau), v_inf = rest + current*tau/capacitance; a spike is
    stamped at the first step with v >= threshold, v is then held at `reset` for `refractory` steps. Rotter &
    Diesmann 1999, doi:10.1007/s004220050570.
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
    """Depolarisation (mV) at times t (ms) after the arrival of a current weight*exp(-t/tau_syn) (pA); 0
    before.
    """
    x = np.maximum(t, 0.0)
    factor = weight / capacitance * tau_syn * tau / (tau - tau_syn)
    return np.asarray(factor * (np.exp(-x / tau) - np.exp(-x / tau_syn)))


def psp_alpha(t: Floats, weight: float, tau_syn: float, tau: float, capacitance: float) -> Floats:
    """Depolarisation (mV) at times t (ms) after the arrival of a current weight*e*t/tau_syn*exp(-t/tau_syn)
    (pA); 0 before.
    """
    x = np.maximum(t, 0.0)
    d = 1.0 / tau_syn - 1.0 / tau
    return np.asarray(
        weight
        * np.e
        / (capacitance * tau_syn)
        * np.exp(-x / tau)
        * (1.0 - np.exp(-d * x) * (1.0 + d * x))
        / d**2
    )


def lif_rate(
    current: float,
    *,
    rest: float,
    reset: float,
    threshold: float,
    tau: float,
    capacitance: float,
    refractory: float,
) -> float:
    """Rate (Hz) in continuous time with a constant current (pA); refractory in ms; 0 where the current does
    not reach threshold.

    On a grid of dt the interval is longer by less than dt, as the rise ends at the first step at or above
    threshold.
    """
    final = rest + current * tau / capacitance
    if final <= threshold:
        return 0.0
    return 1000.0 / (refractory + tau * math.log((final - reset) / (final - threshold)))


def shot_noise(
    kernel: Floats, per_step: float, spacing: int, samples: int
) -> tuple[float, float, float, float]:
    """Mean and variance of sum_j n_j kernel[k - j] with n_j Poisson of mean `per_step`, and the standard
    errors of both when estimated from `samples` values that lie `spacing` steps apart (in many cells
    together; edges neglected).

    Campbell's theorem on the grid: the n-th cumulant is per_step sum(kernel^n), the autocovariance at lag k
    per_step sum_j kernel[j] kernel[j + k]. Papoulis & Pillai 2002, Probability, Random Variables and
    Stochastic Processes, section 10-2.
    """
    from scipy.signal import correlate

    size = kernel.size
    second = per_step * correlate(kernel, kernel, method="fft")[size - 1 :: spacing]
    fourth = per_step * correlate(kernel**2, kernel**2, method="fft")[size - 1 :: spacing]
    both = np.full(second.size, 2.0)  # lags k and -k
    both[0] = 1.0
    mean_error = math.sqrt(float((both * second).sum()) / samples)
    variance_error = math.sqrt(float((both * (2.0 * second**2 + fourth)).sum()) / samples)
    return float(per_step * kernel.sum()), float(second[0]), mean_error, variance_error


SHIFT = 1.4603545088095868 / math.sqrt(2.0)  # |zeta(1/2)|/sqrt(2)


def siegert(
    mean: float,
    sd: float,
    *,
    reset: float,
    threshold: float,
    tau: float,
    refractory: float,
    tau_syn: float = 0.0,
) -> float:
    """Rate (Hz) of a leaky cell whose free potential has mean and sd (mV) of white noise input: Brunel 2000,
    equation 21, of which the original is A. Siegert 1951, doi:10.1103/PhysRev.81.617.

    1/rate = refractory + tau sqrt(pi) int exp(u^2) (1 + erf u) du from (reset - mean)/s to (threshold -
    mean)/s, s = sqrt(2) sd (sd is that of the stationary potential without threshold). tau_syn: exponential
    synapses shift both bounds by |zeta(1/2)|/sqrt(2) sqrt(tau_syn/tau), the first order in sqrt(tau_syn/tau):
    N. Brunel & S. Sergi 1998, doi:10.1006/jtbi.1998.0782; N. Fourcaud & N. Brunel 2002,
    doi:10.1162/089976602320264015. `sd` is then still that of white noise. Times in ms.
    """
    from scipy.integrate import quad
    from scipy.special import erfcx

    s = math.sqrt(2.0) * sd
    shift = SHIFT * math.sqrt(tau_syn / tau)
    integral, _ = quad(lambda u: erfcx(-u), (reset - mean) / s + shift, (threshold - mean) / s + shift)
    return float(1000.0 / (refractory + tau * math.sqrt(math.pi) * integral))


def jump_rate(
    jumps: Sequence[float],
    rates: Sequence[float],
    *,
    rest: float,
    reset: float,
    threshold: float,
    tau: float,
    refractory: float,
    dt: float,
    mesh: float = 0.02,
    low: float | None = None,
) -> float:
    """Rate (Hz) of a leaky cell on the grid whose potential jumps by jumps[i] (mV) at Poisson arrivals of
    rates[i] (1/ms).

    Nothing is assumed small: v -> rest + (v - rest) exp(-dt/tau) + sum of a step's jumps, a spike where that
    is >= threshold, arrivals lost while refractory. The mean number m(v) of steps to threshold solves m(v) =
    1 + sum_j p_j m(v'_j), m = 0 from threshold on, here with m linear between points `mesh` times the
    smallest jump apart; rate = 1/(refractory + dt m(reset)). The discrete Markov process is that of M.
    Helias, M. Deger, M. Diesmann & S. Rotter 2010, doi:10.3389/neuro.10.029.2009. low: where the potential is
    cut off below (mV; left out, seven standard deviations below the mean).
    """
    from scipy.sparse import coo_array, eye_array
    from scipy.sparse.linalg import spsolve

    size, chance = _jumps_of_a_step(jumps, rates, dt)
    free = rest + tau * float(np.dot(jumps, rates))
    sd = math.sqrt(tau / 2.0 * float(np.dot(np.square(jumps), rates)))
    bottom = low if low is not None else min(reset, free - 7.0 * sd, rest if min(jumps) > 0 else free)
    n = math.ceil((threshold - bottom) / (mesh * min(abs(j) for j in jumps)))
    v = np.linspace(bottom, threshold, n + 1)[:-1] + (threshold - bottom) / (
        2 * n
    )  # cells' centres: none on the threshold
    step = (threshold - bottom) / n
    target = rest + (v[:, None] - rest) * math.exp(-dt / tau) + size[None, :]
    row = np.broadcast_to(np.arange(n)[:, None], target.shape)
    weight = np.broadcast_to(chance[None, :], target.shape)
    below = target < threshold
    place = np.clip((target[below] - v[0]) / step, 0.0, n - 1.0)
    left = np.minimum(place.astype(np.int64), n - 2)
    part, row, weight = place - left, row[below], weight[below]
    index = np.concatenate([row, row]), np.concatenate([left, left + 1])
    matrix = coo_array((np.concatenate([weight * (1 - part), weight * part]), index), shape=(n, n)).tocsc()
    steps = spsolve((eye_array(n) - matrix).tocsc(), np.ones(n))
    return float(1000.0 / (refractory + dt * np.interp(reset, v, steps)))


def _jumps_of_a_step(jumps: Sequence[float], rates: Sequence[float], dt: float) -> tuple[Floats, Floats]:
    """What the arrivals of one step sum up to (mV), and its probability; sums less likely than 1e-13 are left
    out.
    """
    from scipy.stats import poisson

    size: Floats = np.zeros(1)
    chance: Floats = np.ones(1)
    for jump, rate in zip(jumps, rates, strict=True):
        count = np.arange(int(poisson.isf(1e-14, rate * dt)) + 2)
        size = np.add.outer(size, jump * count).ravel()
        chance = np.multiply.outer(chance, poisson.pmf(count, rate * dt)).ravel()
        size, where = np.unique(np.round(size, 12), return_inverse=True)
        chance = np.asarray(np.bincount(where.reshape(-1), chance), dtype=np.float64)
    kept = chance > 1e-13
    return size[kept], chance[kept] / chance[kept].sum()


def siegert_cv(
    mean: float, sd: float, *, reset: float, threshold: float, tau: float, refractory: float
) -> float:
    """Coefficient of variation of the intervals where `siegert` gives their rate: Brunel 2000, appendix A.1.

    CV^2 = 2 pi (rate tau)^2 int I(x) dx between the same bounds, I(x) = exp(x^2) int_-inf^x exp(y^2) (1 + erf
    y)^2 dy, which is run as dI/dx = 2 x I + erfcx(-x)^2, so that nothing overflows.
    """
    from scipy.integrate import quad, solve_ivp
    from scipy.special import erfcx

    s = math.sqrt(2.0) * sd
    low, high = (reset - mean) / s, (threshold - mean) / s
    # I at the lower bound, with y = low - t: exp(low^2 - y^2) = exp(t (2 low - t)), below 1 for low < 0.
    start, _ = quad(lambda t: erfcx(t - low) ** 2 * math.exp(t * (2.0 * low - t)), 0.0, math.inf)
    run = solve_ivp(
        lambda x, z: (2.0 * x * z[0] + erfcx(-x) ** 2, z[0]),
        (low, high),
        (start, 0.0),
        method="LSODA",
        rtol=1e-9,
        atol=1e-15,
    )
    per_ms = siegert(mean, sd, reset=reset, threshold=threshold, tau=tau, refractory=refractory) / 1000.0
    return float(per_ms * tau * math.sqrt(2.0 * math.pi * run.y[1, -1]))


def mean_field(
    free: Callable[[float], tuple[float, float]],
    *,
    reset: float,
    threshold: float,
    tau: float,
    refractory: float,
    tau_syn: float = 0.0,
) -> float:
    """The self-consistent rate (Hz) of the asynchronous state of a network of alike cells: the lowest rate r
    with siegert(*free(r)) = r.

    free(rate in Hz) -> mean and sd (mV) of the free potential of a cell. N. Brunel 2000,
    doi:10.1023/A:1008925309027, equations 21 and 22.
    """
    from scipy.optimize import brentq

    def excess(rate: float) -> float:
        mean, sd = free(rate)
        return (
            siegert(
                mean, sd, reset=reset, threshold=threshold, tau=tau, refractory=refractory, tau_syn=tau_syn
            )
            - rate
        )

    ladder = np.geomspace(1e-3, 1000.0 / max(refractory, 1e-3) * (1 - 1e-9), 400)
    crossed = np.flatnonzero(np.diff(np.sign([excess(float(r)) for r in ladder])) != 0)
    if not crossed.size:
        return math.nan
    return float(brentq(excess, ladder[crossed[0]], ladder[crossed[0] + 1], xtol=1e-9))


def stdp_window(lags: Floats, *, a_plus: float, a_minus: float, tau_plus: float, tau_minus: float) -> Floats:
    """Change of the weight by one pair of spikes, the target's `lags` ms after the source's as the synapse
    sees them, as a share of its range; nothing for a pair of one instant. Song, Miller & Abbott 2000,
    doi:10.1038/78829.
    """
    up = a_plus * np.exp(-np.maximum(lags, 0.0) / tau_plus)
    down = -a_minus * np.exp(np.minimum(lags, 0.0) / tau_minus)
    return np.asarray(np.where(lags > 0, up, np.where(lags < 0, down, 0.0)))


def stationary_response(interval: float, *, use: float, recovery: float, facilitation: float) -> float:
    """What a synapse with short-term plasticity sends of its weight once a regular train (a spike each
    `interval` ms) has lasted long: u R, where u = U/(1 - (1 - U) exp(-interval/facilitation)),
    R = (1 - e)/(1 - (1 - u) e) and e = exp(-interval/recovery). The fixed point of the recursion of Markram,
    Wang & Tsodyks 1998, doi:10.1073/pnas.95.9.5323.
    """
    kept = math.exp(-interval / facilitation) if facilitation > 0 else 0.0
    u = use / (1.0 - (1.0 - use) * kept)
    e = math.exp(-interval / recovery)
    return u * (1.0 - e) / (1.0 - (1.0 - u) * e)
