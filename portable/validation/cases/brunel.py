"""Brunel's network of excitatory and inhibitory cells in its four regimes, against its own theory and table 1
of the paper.

Table 1 gives for the full 12,500 cells (simulation; theory): SI fast 60.7; 55.8 Hz, global oscillation 180;
190 Hz. AI 37.7; 38.0 Hz. SI slow 5.5; 6.5 Hz, oscillation 22; 29 Hz. The simulated rates are single runs of
some hundred ms, printed without an error. The theory's rates are computed here from equations 21 and 22
(closed_form.mean_field), which give the same numbers. CV is not printed; the theory's (appendix A.1) takes
the recurrent input for Poisson trains. Trains of the network itself are more regular and pull the CV down,
volleys of the oscillations push it up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from portable.model.network import Network
from portable.results.activity import Trains, cvs, peak, spectrum
from portable.results.tables import Results
from portable.validation.cases.case import Case, Citation, Published
from portable.validation.cases.measures import mean_of, mean_rate
from portable.validation.cases.models.brunel2000 import (
    C_E,
    C_I,
    DELAY,
    REFRACTORY,
    REGIMES,
    RESET,
    TAU,
    THETA,
    THRESHOLD_RATE,
    J,
    brunel2000,
)
from portable.validation.closed_form import mean_field, siegert_cv

WARMUP = 200.0  # ms
BAND = (1.0, 900.0)  # Hz searched for the global oscillation, in bins of 0.5 ms
PAPER = Citation(
    "N. Brunel",
    2000,
    "Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons",
    "J. Comput. Neurosci. 8:183-208",
    "10.1023/A:1008925309027",
)
SHAPE = {"reset": RESET, "threshold": THETA, "tau": TAU, "refractory": REFRACTORY}


def _free(regime: str, rate: float) -> tuple[float, float]:
    """Mean and SD (mV) of the free potential where all cells fire at `rate` (Hz): equations 4 and 5."""
    g, drive = REGIMES[regime]
    exc, inh = C_E * (drive * THRESHOLD_RATE + rate) / 1000.0, C_I * rate / 1000.0
    return J * TAU * (exc - g * inh), J * math.sqrt(TAU / 2.0 * (exc + g * g * inh))


def theory(regime: str) -> tuple[float, float]:
    """Rate (Hz) and CV of the asynchronous state."""
    rate = mean_field(partial(_free, regime), **SHAPE)
    return rate, siegert_cv(*_free(regime, rate), **SHAPE)


def _oscillation(trains: Trains) -> float:
    return peak(*spectrum(trains, width=0.5), band=BAND)[0]


def _rates(
    results: Sequence[Results], published: float, share: float, why: str, label: str
) -> list[Published]:
    return [
        Published(
            f"rate {p}, {label}", "Hz", published, mean_rate(results, p, WARMUP), share * published, why
        )
        for p in ("exc", "inh")
    ]


def _cv(results: Sequence[Results], published: float, margin: float, why: str) -> Published:
    return Published("CV exc", "", published, mean_of(results, "exc", WARMUP, cvs), margin, why)


def _irregular(results: Sequence[Results], regime: str) -> Published:
    cv = theory(regime)[1]
    return _cv(
        results,
        cv,
        0.5 * cv,
        "theory for Poisson input, which the network's own trains are not: half of it; regular firing (CV "
        "0) lies outside",
    )


def _global(results: Sequence[Results], published: float, share: float, why: str) -> Published:
    return Published(
        "global oscillation",
        "Hz",
        published,
        mean_of(results, "exc", WARMUP, _oscillation),
        share * published,
        why,
    )


def _asynchronous(results: Sequence[Results], scale: float) -> list[Published]:
    """AI, figure 8C. At a fifth of the cells, five times the shared input adds correlations and some rate."""
    share = 0.03 if scale == 1.0 else 0.06
    why = (
        f"equations 21 and 22, for infinitely many cells and small jumps: {100 * share:.0f} % at scale "
        f"{scale:g}"
    )
    out = _rates(results, theory("AI")[0], share, why, "theory")
    if scale == 1.0:
        out += _rates(
            results, 37.7, share, "table 1, simulation; one run there, finite time here: 3 %", "table 1"
        )
    return [*out, _irregular(results, "AI")]


def _fast(results: Sequence[Results]) -> list[Published]:
    """SI fast, figure 8B. The theory is that of the stationary state, which is unstable here."""
    out = _rates(
        results,
        60.7,
        0.08,
        "table 1, simulation; a synchronous state, in which the step of 0.1 ms shifts who fires in a cycle: "
        "8 %",
        "table 1",
    )
    stationary = (
        "equations 21 and 22, of the stationary state that is unstable here; the paper's own "
        "simulation is 9 % above: 10 %"
    )
    out += _rates(results, theory("SI_fast")[0], 0.1, stationary, "theory")
    return [
        *out,
        _irregular(results, "SI_fast"),
        _global(results, 180.0, 0.1, "table 1, simulation; its theory is 190 Hz, 6 % off: 10 %"),
    ]


def _slow(results: Sequence[Results]) -> list[Published]:
    """SI slow, figure 8D."""
    out = _rates(
        results,
        5.5,
        0.2,
        "table 1, simulation of some hundred ms, in which the rate varies by 10 % from run to run: two of "
        "these SDs",
        "table 1",
    )
    out += _rates(
        results,
        theory("SI_slow")[0],
        0.2,
        "equations 21 and 22, of the stationary state; the paper's own simulation is 15 % below: 20 %",
        "theory",
    )
    noisy = "table 1, simulation; its theory is 29 Hz; the oscillation is noisy, its peak 5 Hz wide: 25 %"
    return [*out, _irregular(results, "SI_slow"), _global(results, 22.0, 0.25, noisy)]


def _regular(results: Sequence[Results]) -> list[Published]:
    """SR, figure 8A. Two groups of cells fire in turn, each set off by the other's spikes one delay earlier,
    as these arrive while a group's own cells are refractory: every cell fires each second delay, the network
    each delay."""
    period = "two groups that set each other off, one delay apart; grid and a few late cells: 2 %"
    out = _rates(results, 1000.0 / (2.0 * DELAY), 0.02, period, "two delays")
    out += _rates(
        results,
        theory("SR")[0],
        0.05,
        "equations 21 and 22, of the stationary state; refractoriness limits both: 5 %",
        "theory",
    )
    out.append(_cv(results, 0.0, 0.05, "'neurons firing regularly', figure 8A"))
    volleys = 1000.0 / DELAY  # Hz; searched above the rate of a single group, which is half of it
    frequency = mean_of(
        results,
        "exc",
        WARMUP,
        lambda t: peak(*spectrum(t, width=0.1), band=(0.6 * volleys, 1.4 * volleys))[0],
    )
    return [
        *out,
        Published(
            "global oscillation", "Hz", volleys, frequency, 0.02 * volleys, "one volley each delay: 2 %"
        ),
    ]


def _network(regime: str, scale: float = 1.0) -> Network:
    return brunel2000(regime, scale)


CASES = (
    Case(
        "brunel-ai-small",
        "Asynchronous irregular regime at a fifth of its cells",
        PAPER,
        partial(_network, "AI", 0.2),
        partial(_asynchronous, scale=0.2),
        duration=1200.0,
        warmup=WARMUP,
    ),
    Case(
        "brunel-sr",
        "Synchronous regular regime, at a tenth of its cells",
        PAPER,
        partial(_network, "SR", 0.1),
        _regular,
        duration=500.0,
        warmup=WARMUP,
    ),
    Case(
        "brunel-ai",
        "Asynchronous irregular regime",
        PAPER,
        partial(_network, "AI"),
        partial(_asynchronous, scale=1.0),
        duration=1200.0,
        warmup=WARMUP,
        quick=False,
    ),
    Case(
        "brunel-si-fast",
        "Fast global oscillation of irregular cells",
        PAPER,
        partial(_network, "SI_fast"),
        _fast,
        duration=1200.0,
        warmup=WARMUP,
        quick=False,
    ),
    Case(
        "brunel-si-slow",
        "Slow global oscillation of irregular cells",
        PAPER,
        partial(_network, "SI_slow"),
        _slow,
        duration=3200.0,
        warmup=WARMUP,
        quick=False,
    ),
)
