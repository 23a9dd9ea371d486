"""The cortical microcircuit at a tenth of its size: rate, irregularity, correlation and synchrony of the eight populations.

At this size only numbers of the same scaling can be compared. Published for the full network are other values (rates of E cells 0.86, 4.45,
7.59, 1.09 Hz, Potjans & Diesmann 2014; CV 0.94 to 0.81 over 60 s, Romaro et al. 2021, doi:10.1162/neco_a_01400): scaling down keeps mean and
variance of the input and not its correlations (van Albada et al. 2015, doi:10.1371/journal.pcbi.1004490), so L2/3 E cells fire at half their
rate. Romaro et al. give 10 % too (table A.1), with another compensation of the lost input and a CV over 60 s. So the numbers here are those of a
separate PyNEST script of the INM-6 parameters (NEST 3.10, scale 0.1, Poisson drive, five seeds of 3 s after 0.5 s), which shares no code.

How they are defined decides them: CV over cells with three spikes or more (SD divided by n), so that rarely spiking cells in a window of 3 s pull
it down; correlation of counts in bins of 2 ms of 200 cells that spike; synchrony of all cells in bins of 3 ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from portable.model.network import Network
from portable.results import Results
from portable.units import Floats
from portable.validation.activity import Trains, correlations, cvs, rates, synchrony
from portable.validation.cases.case import Case, Citation, Published
from portable.validation.cases.measures import mean_of
from portable.validation.cases.models.microcircuit import NAMES, microcircuit

SCALE, WARMUP, DURATION = 0.1, 500.0, 3500.0
REFERENCE_RUNS = 5
DEVIATIONS = 4.2  # Student's t for 13 degrees of freedom: 0.1 % of the runs of an equal model lie outside, 3 % of all 32 numbers together
PAPER = Citation(
    "T. C. Potjans & M. Diesmann", 2014, "The cell-type specific cortical microcircuit: relating structure and activity in a full-scale spiking network model",
    "Cereb. Cortex 24:785-806", "10.1093/cercor/bhs358",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """By population, in the order of NAMES: mean over REFERENCE_RUNS runs of the PyNEST script, and the SD from run to run, pooled over these and
    ten of the native engine (4 + 9 degrees of freedom; their SDs agree)."""

    statistic: Callable[[Trains], Floats | float]
    unit: str
    mean: tuple[float, ...]
    sd: tuple[float, ...]


MEASURED = {
    "rate": Measured(
        rates, "Hz",
        (0.4804, 2.126, 4.001, 5.025, 6.614, 7.801, 0.8532, 7.019), (0.02222, 0.04162, 0.03918, 0.01663, 0.2363, 0.04823, 0.02316, 0.04235),
    ),
    "CV": Measured(
        lambda t: cvs(t, least=2), "",
        (0.5743, 0.7099, 0.7539, 0.768, 0.7514, 0.7397, 0.6271, 0.7423), (0.01163, 0.01102, 0.00637, 0.0098, 0.00675, 0.01832, 0.01733, 0.00784),
    ),
    "correlation": Measured(
        correlations, "",
        (0.002191, 0.002644, 0.001492, 0.002075, 0.007282, 0.002732, 0.0005899, 0.0008987),
        (0.00029, 0.00046, 0.00037, 0.00033, 0.00084, 0.0004, 0.00028, 0.00023),
    ),
    "synchrony": Measured(
        synchrony, "",
        (5.387, 3.134, 6.215, 2.406, 5.702, 1.2, 1.933, 1.151), (0.479, 0.2036, 0.3774, 0.1263, 0.4914, 0.0539, 0.1099, 0.0508),
    ),
}  # fmt: skip


def _network() -> Network:
    return microcircuit(SCALE)


def _check(results: Sequence[Results]) -> list[Published]:
    out = []
    error = math.sqrt(1.0 / REFERENCE_RUNS + 1.0 / max(1, len(results)))
    why = (
        f"mean of {REFERENCE_RUNS} runs of a separate PyNEST script (NEST 3.10, scale {SCALE:g}, 3 s); {DEVIATIONS:g} standard errors of the "
        "difference of the means"
    )
    for name, m in MEASURED.items():
        for population, mean, sd in zip(NAMES, m.mean, m.sd, strict=True):
            found = mean_of(results, population, WARMUP, m.statistic)
            out.append(Published(f"{name} {population}", m.unit, mean, found, DEVIATIONS * sd * error, why))
    return out


CASES = (
    Case(
        "potjans-diesmann", "Cortical microcircuit at a tenth of its size: rate, CV, correlation and synchrony by population", PAPER, _network, _check,
        duration=DURATION, seeds=(1, 2), warmup=WARMUP, quick=False,
    ),
)  # fmt: skip
