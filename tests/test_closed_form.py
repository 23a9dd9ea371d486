"""The closed forms against direct computations that share nothing with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from portable.validation.closed_form import (
    SHIFT,
    jump_rate,
    lif_rate,
    lif_with_current,
    mean_field,
    psp_alpha,
    psp_exponential,
    shot_noise,
    siegert,
    siegert_cv,
)

CELL = {"reset": 10.0, "threshold": 20.0, "tau": 20.0, "refractory": 2.0}


@pytest.mark.parametrize("kind", ["exponential", "alpha"])
def test_psp_solves_the_membrane_equation(kind: str) -> None:
    weight, tau_syn, tau, capacitance = 40.0, 5.0, 20.0, 250.0

    def current(t: float) -> float:
        return weight * (
            np.exp(-t / tau_syn) if kind == "exponential" else np.e * t / tau_syn * np.exp(-t / tau_syn)
        )

    t = np.linspace(0.0, 100.0, 201)
    numeric = solve_ivp(
        lambda t, v: -v / tau + current(t) / capacitance,
        (0.0, 100.0),
        [0.0],
        t_eval=t,
        rtol=1e-10,
        atol=1e-12,
        max_step=0.5,
    ).y[0]
    shape = psp_exponential if kind == "exponential" else psp_alpha
    np.testing.assert_allclose(
        shape(t, weight, tau_syn, tau, capacitance), numeric, atol=1e-9
    )  # the solver's tolerance
    assert shape(np.array([-1.0]), weight, tau_syn, tau, capacitance)[0] == 0


def test_rate_in_continuous_time_is_the_limit_of_small_steps() -> None:
    """Interval on a grid of 0.001 ms: later by less than one step."""
    cell = {"rest": 0.0, "reset": 10.0, "threshold": 20.0, "tau": 20.0, "capacitance": 250.0}
    rate = lif_rate(400.0, **cell, refractory=2.0)
    stamps = lif_with_current(200_000, 0.001, 0, 400.0, **cell, refractory=2000)[1]
    assert 0 <= np.diff(stamps)[0] * 0.001 - 1000.0 / rate < 0.001
    assert lif_rate(250.0, **cell, refractory=2.0) == 0


def test_shot_noise_gives_moments_and_their_errors() -> None:
    """400 repetitions of a filtered Poisson train of 2,000 samples: their means within four standard errors
    of the mean, and their scatter the predicted standard error to 20 % (its own is 1/sqrt(2*400) = 3.5 %, and
    as much again for the finite train's edges)."""
    rng = np.random.default_rng(1)
    kernel, per_step, spacing, samples = np.exp(-np.arange(300) / 20.0) * 0.7, 0.3, 5, 2000
    counts = rng.poisson(per_step, (400, 300 + spacing * samples))
    spectrum = np.fft.rfft(counts, 16384, axis=1) * np.fft.rfft(kernel, 16384)
    values = np.fft.irfft(spectrum, axis=1)[:, 300 : 300 + spacing * samples : spacing]
    mean, variance, mean_error, variance_error = shot_noise(kernel, per_step, spacing, samples)
    means, variances = values.mean(axis=1), ((values - mean) ** 2).mean(axis=1)
    assert means.mean() == pytest.approx(mean, abs=4 * mean_error / 20)
    assert variances.mean() == pytest.approx(variance, abs=4 * variance_error / 20)
    assert means.std() == pytest.approx(mean_error, rel=0.2)
    assert variances.std() == pytest.approx(variance_error, rel=0.2)


def test_siegert_without_noise_is_the_deterministic_rate() -> None:
    """Mean 25 mV, sd 0.01 mV: the noise shifts the rate by terms of (sd/(mean - threshold))^2 = 4e-6."""
    deterministic = lif_rate(25.0 * 250.0 / 20.0, rest=0.0, capacitance=250.0, **CELL)
    assert siegert(25.0, 0.01, **CELL) == pytest.approx(deterministic, rel=1e-5)


def test_siegert_far_below_threshold_is_kramers_rate() -> None:
    """(threshold - mean)/(sqrt(2) sd) = x = 6: rate -> x exp(-x^2)/(tau sqrt(pi)), relative corrections of
    order 1/(2 x^2) = 1.4 %.
    """
    x = 6.0
    mean = 20.0 - x * np.sqrt(2.0)
    assert siegert(mean, 1.0, **CELL) == pytest.approx(
        1000.0 * x * np.exp(-(x**2)) / (20.0 * np.sqrt(np.pi)), rel=0.03
    )


def test_shift_is_zeta_of_one_half_over_root_two() -> None:
    """zeta(1/2) from the alternating series, summed with Euler's transformation of its last 40 partial
    sums.
    """
    partial = np.cumsum((-1.0) ** np.arange(60) / np.sqrt(np.arange(1, 61)))[-40:]
    while partial.size > 1:
        partial = (partial[1:] + partial[:-1]) / 2
    assert pytest.approx(abs(partial[0] / (1 - np.sqrt(2.0))) / np.sqrt(2.0), rel=1e-10) == SHIFT


def walk(jumps: tuple[float, ...], rates: tuple[float, ...], dt: float, cells: int, steps: int) -> float:
    """Hz: the jump process itself, `cells` at once, drawn from numpy's generator; the first fifth left
    out.
    """
    rng, v, held, count = (
        np.random.default_rng(2),
        np.random.default_rng(3).uniform(10.0, 20.0, cells),
        np.zeros(cells, dtype=int),
        0,
    )
    for step in range(steps):
        free = held == 0
        kick = sum(j * rng.poisson(r * dt, cells) for j, r in zip(jumps, rates))
        v = np.where(free, v * np.exp(-dt / 20.0) + kick, v)
        held = np.maximum(held - 1, 0)
        spike = free & (v >= 20.0)
        v[spike], held[spike] = 10.0, round(2.0 / dt)
        count += int(spike.sum()) if step >= steps // 5 else 0
    return 1000.0 * count / (cells * 0.8 * steps * dt)


PROCESSES = [
    ((1.0,), (1.0,), 0.5),
    pytest.param((0.5, -2.0), (4.0, 0.6), 0.5, marks=pytest.mark.slow),
    pytest.param((0.5, -2.0), (4.0, 0.6), 0.1, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("jumps", "rates", "dt"), PROCESSES)
def test_jump_rate_is_the_rate_of_the_jump_process(
    jumps: tuple[float, ...], rates: tuple[float, ...], dt: float
) -> None:
    """2,000 cells for 0.8 * steps * dt = 1.6 s: four Poisson standard errors, 1.6 % at 20 Hz, and 0.5 % for
    the mesh, more than doubling it changes.
    """
    cells, steps = 2000, round(2000 / dt)
    measured = walk(jumps, rates, dt, cells, steps)
    expected = jump_rate(jumps, rates, rest=0.0, dt=dt, **CELL)
    errors = 4 * np.sqrt(measured / (cells * 0.8 * steps * dt / 1000))
    assert measured == pytest.approx(expected, abs=errors + 0.005 * expected)
    assert jump_rate(jumps, rates, rest=0.0, dt=dt, mesh=0.04, **CELL) == pytest.approx(expected, rel=0.005)


def test_jump_rate_becomes_siegert_s_for_small_jumps_and_steps() -> None:
    """Mean 22 mV. A step that samples the threshold raises it by |zeta(1/2)|/sqrt(2 pi) of a step's noise
    (Siegmund 1979), here 0.5826 * sqrt(0.05^2 * 22 * dt), at dt 0.01 ms 0.014 mV, and jumps add up to half of
    their 0.05 mV: 0.2 % and 0.4 % of the rate; 1 % asked."""
    rate = jump_rate((0.05,), (22.0,), rest=0.0, dt=0.01, mesh=0.25, **CELL)
    assert rate == pytest.approx(siegert(22.0, np.sqrt(0.05**2 * 220.0), **CELL), rel=0.01)
    assert rate != pytest.approx(siegert(21.0, np.sqrt(0.05**2 * 220.0), **CELL), rel=0.1)


def test_cv_of_diffusion_theory_is_that_of_drawn_intervals() -> None:
    """2,000 first passages with jumps of 0.1 mV and steps of 0.05 ms, mean 20 mV, SD 1 mV: the CV of as many
    intervals is known to 1.6 % by counting; jumps and steps of that size change it less than the rate, 3 %. 7
    % is asked: four standard errors and some."""
    rng, dt, rate = np.random.default_rng(4), 0.05, 10.0
    v, passed = np.full(2000, 10.0), np.zeros(2000)
    for step in range(1, 20_000):
        v = v * np.exp(-dt / 20.0) + 0.1 * rng.poisson(rate * dt, v.size)
        new = (v >= 20.0) & (passed == 0)
        passed[new] = step * dt
        if passed.all():
            break
    assert passed.all()
    interval = passed + 2.0
    sd = np.sqrt(0.1**2 * rate * 10.0)
    assert siegert_cv(20.0, sd, **CELL) == pytest.approx(interval.std() / interval.mean(), rel=0.07)
    assert siegert(20.0, sd, **CELL) == pytest.approx(1000.0 / interval.mean(), rel=0.07)


def test_cv_is_one_far_below_threshold_and_small_without_noise() -> None:
    """Rare passages without refractoriness are Poisson events, up to their duration over the interval; small
    noise makes a clock.
    """
    rare = {**CELL, "refractory": 0.0}
    assert siegert_cv(8.0, 2.0, **rare) == pytest.approx(1.0, abs=0.01)
    assert siegert_cv(30.0, 0.1, **CELL) < 0.02


def test_mean_field_is_self_consistent_and_brunel_s() -> None:
    """Brunel 2000, table 1, theory: 55.8 Hz for g = 6 and nu_ext/nu_thr = 4, 38.0 for 5 and 2, 6.5 for 4.5
    and 0.9. Printed to 0.1 Hz, and solved there in a way that is not told (37.95 here): 0.1 Hz."""
    for g, drive, printed in ((6.0, 4.0, 55.8), (5.0, 2.0, 38.0), (4.5, 0.9, 6.5)):

        def free(rate: float, g: float = g, external: float = 10.0 * drive) -> tuple[float, float]:
            exc, inh = external + rate, 0.25 * rate  # arrivals a ms, of 1000 and 250 connections
            return 2.0 * (exc - g * inh), 0.1 * np.sqrt(10.0 * (exc + g * g * inh))

        rate = mean_field(free, **CELL)
        assert rate == pytest.approx(printed, abs=0.1)
        assert siegert(*free(rate), **CELL) == pytest.approx(rate, rel=1e-6)
