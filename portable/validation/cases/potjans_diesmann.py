"""The cortical microcircuit: rate, irregularity, correlation and synchrony of its eight populations, at a
tenth of its size and in full.

In full (77,169 cells, 0.3 billion synapses) the rates are the published ones. The paper's text gives those of
the E cells, the INM-6 repository those of all; published implementations differ by as much as the margin.

At a tenth only numbers of the same scaling can be compared: scaling keeps mean and variance of the input and
not its correlations (van Albada et al. 2015, doi:10.1371/journal.pcbi.1004490), so L2/3 E cells fire at half
their rate. Romaro et al. 2021 (doi:10.1162/neco_a_01400) publish a tenth too (table A.1), with another
compensation of the lost input, and CV over 60 s. So the numbers there are those of a separate PyNEST script
with the INM-6 parameters (NEST 3.10, Poisson drive, five seeds of 3 s after 0.5 s), which shares no code with
this package.

How statistics are defined decides them: CV over cells with three spikes or more (SD divided by n), so that
rarely spiking cells in a window of 3 s pull it down; correlation of counts in bins of 2 ms of 200 cells that
spike; synchrony of all cells in bins of 3 ms. CV and synchrony published for the full network (Romaro et al.
2021, tables A.3 and A.5) are of 60 s and 1000 cells: of shorter runs and all cells they are others, and are
not compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from portable.model.network import Network
from portable.results.activity import Trains, correlations, cvs, rates, synchrony
from portable.results.tables import Results
from portable.units import Floats
from portable.validation.cases.case import Case, Citation, Published
from portable.validation.cases.measures import mean_of
from portable.validation.cases.models.microcircuit import NAMES, microcircuit

SCALE, WARMUP, DURATION = 0.1, 500.0, 3500.0
REFERENCE_RUNS = 5
# Student's t for 13 degrees of freedom: 0.1 % of the runs of an equal model lie outside, 3 % of all 32
# numbers together
DEVIATIONS = 4.2
PAPER = Citation(
    "T. C. Potjans & M. Diesmann",
    2014,
    "The cell-type specific cortical microcircuit: relating structure and activity in a full-scale spiking "
    "network model",
    "Cereb. Cortex 24:785-806",
    "10.1093/cercor/bhs358",
)


@dataclass(frozen=True)
class Measured:
    """By population, in the order of NAMES: mean over REFERENCE_RUNS runs of the PyNEST script, and the SD
    from run to run, pooled over these and ten of the native engine (4 + 9 degrees of freedom; their SDs
    agree)."""

    statistic: Callable[[Trains], Floats | float]
    unit: str
    mean: tuple[float, ...]
    sd: tuple[float, ...]


MEASURED = {
    "rate": Measured(
        rates,
        "Hz",
        (0.4804, 2.126, 4.001, 5.025, 6.614, 7.801, 0.8532, 7.019),
        (0.02222, 0.04162, 0.03918, 0.01663, 0.2363, 0.04823, 0.02316, 0.04235),
    ),
    "CV": Measured(
        lambda t: cvs(t, least=2),
        "",
        (0.5743, 0.7099, 0.7539, 0.768, 0.7514, 0.7397, 0.6271, 0.7423),
        (0.01163, 0.01102, 0.00637, 0.0098, 0.00675, 0.01832, 0.01733, 0.00784),
    ),
    "correlation": Measured(
        correlations,
        "",
        (0.002191, 0.002644, 0.001492, 0.002075, 0.007282, 0.002732, 0.0005899, 0.0008987),
        (0.00029, 0.00046, 0.00037, 0.00033, 0.00084, 0.0004, 0.00028, 0.00023),
    ),
    "synchrony": Measured(
        synchrony,
        "",
        (5.387, 3.134, 6.215, 2.406, 5.702, 1.2, 1.933, 1.151),
        (0.479, 0.2036, 0.3774, 0.1263, 0.4914, 0.0539, 0.1099, 0.0508),
    ),
}


# Rates (Hz) of the full network with Poisson drive.
INM6 = (
    0.903,
    2.965,
    4.414,
    5.876,
    7.569,
    8.633,
    1.105,
    7.829,
)  # github.com/INM-6/microcircuit-PD14-model, network_params.py, full_mean_rates
TEXT = {
    "L23E": 0.86,
    "L4E": 4.45,
    "L5E": 7.59,
    "L6E": 1.09,
}  # Potjans & Diesmann 2014, as quoted by Romaro et al. 2021, table A.1
OTHERS = (
    (0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523),  # older NEST examples, PyNN
    (0.9, 2.8, 4.39, 5.7, 6.8, 8.22, 1.14, 7.6),  # NetPyNE, Romaro et al. 2021, table A.1, 100 %
)


def _network(scale: float) -> Network:
    return microcircuit(scale)


def _full(results: Sequence[Results]) -> list[Published]:
    out = []
    for population, rate, *others in zip(NAMES, INM6, *OTHERS, strict=True):
        margin = max(abs(o - rate) for o in others)
        found = mean_of(results, population, WARMUP, rates)
        far = (
            "as far as the older NEST example and NetPyNE (Romaro et al. 2021, table A.1) lie from the former"
        )
        out.append(
            Published(
                f"rate {population}",
                "Hz",
                rate,
                found,
                margin,
                f"INM-6 reference implementation, one NEST run; margin {far}",
            )
        )
        if population in TEXT:
            out.append(
                Published(
                    f"rate {population}, paper",
                    "Hz",
                    TEXT[population],
                    found,
                    margin,
                    f"the paper's text; margin {far}",
                )
            )
    return out


def _check(results: Sequence[Results]) -> list[Published]:
    out = []
    error = math.sqrt(1.0 / REFERENCE_RUNS + 1.0 / max(1, len(results)))
    why = (
        f"mean of {REFERENCE_RUNS} runs of a separate PyNEST script (NEST 3.10, scale {SCALE:g}, 3 s); "
        f"{DEVIATIONS:g} standard errors of the "
        "difference of the means"
    )
    for name, m in MEASURED.items():
        for population, mean, sd in zip(NAMES, m.mean, m.sd, strict=True):
            found = mean_of(results, population, WARMUP, m.statistic)
            out.append(Published(f"{name} {population}", m.unit, mean, found, DEVIATIONS * sd * error, why))
    return out


CASES = (
    Case(
        "potjans-diesmann",
        "Cortical microcircuit at a tenth of its size: rate, CV, correlation and synchrony by population",
        PAPER,
        partial(_network, SCALE),
        _check,
        duration=DURATION,
        seeds=(1, 2),
        warmup=WARMUP,
        quick=False,
    ),
    Case(
        "potjans-diesmann-full",
        "Cortical microcircuit in full: rate by population",
        PAPER,
        partial(_network, 1.0),
        _full,
        duration=1500.0,
        warmup=WARMUP,
        quick=False,
        memory=6.5,
    ),
)
