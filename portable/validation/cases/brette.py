"""The four network benchmarks of Brette et al. 2007: COBA, CUBA, COBAHH and voltage jumps.

The paper shows rasters of sustained irregular activity and prints no rate. So the numbers here are those of a
separate script in plain PyNEST, benchmarks/brette2007_pynest.py, which shares no code with this package (NEST
3.10's own models, connections, generators and random numbers): mean and SD over its seeds of the rate and of
the CV of cells with three spikes or more, after 200 ms. For the voltage jumps there is a theory too: the mean
first passage of the jump process at the network's own rate (closed_form.jump_rate).

Self-sustained activity (COBA, COBAHH) dies in some seeds. The numbers are those of the seeds that live to the
end; how many do is a row of its own, and where none does nothing passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from scipy.stats import t as student

from portable.results.activity import cvs, rates
from portable.results.tables import Results
from portable.validation.cases.case import Case, Citation, Published
from portable.validation.cases.measures import mean_of
from portable.validation.cases.models.vogels_abbott import CELLS, CONNECTIVITY, vogels_abbott
from portable.validation.closed_form import jump_rate

WARMUP = 200.0  # ms
LAST = 50.0  # ms at the end in which a living network spikes
OUTSIDE = 0.001  # share of the runs of an equal model that lie outside the margin (two-sided, Student's t)
PAPER = Citation(
    "R. Brette, M. Rudolph, T. Carnevale, M. Hines et al.",
    2007,
    "Simulation of networks of spiking neurons: a review of tools and strategies",
    "J. Comput. Neurosci. 23:349-398",
    "10.1007/s10827-007-0038-6",
)


@dataclass(frozen=True)
class Measured:
    """Mean and SD over `runs` runs of the PyNEST script: rates (Hz) and CVs of exc and inh. freedom: degrees
    of freedom of the SDs.
    """

    runs: int
    freedom: int
    rate: tuple[tuple[float, float], tuple[float, float]]
    cv: tuple[tuple[float, float], tuple[float, float]]


MEASURED = {
    "coba": Measured(10, 9, ((19.2523, 1.5477), (19.1909, 0.642)), ((1.4482, 0.0211), (1.4586, 0.0388))),
    "cuba": Measured(10, 9, ((5.6693, 0.3614), (5.6003, 0.0875)), ((0.4784, 0.0106), (0.4714, 0.0185))),
    # 500 ms a run, so 300 ms after the warm-up: rates vary by a tenth from seed to seed.
    "cobahh": Measured(12, 11, ((43.29, 5.26), (43.05, 2.73)), ((1.299, 0.046), (1.271, 0.0639))),
    "voltage_jump": Measured(
        10, 9, ((9.8442, 0.3564), (9.7612, 0.1115)), ((0.3631, 0.0052), (0.3631, 0.0095))
    ),
}


def alive(results: Results) -> bool:
    """Whether any cell spikes in the last LAST ms."""
    return any(bool((t.times > results.duration - LAST).any()) for t in results.spikes.values())


def _check(results: Sequence[Results], name: str) -> list[Published]:
    living = [r for r in results if alive(r)]
    n = len(results)
    lives = "activity may die in some seeds, not in all; the other numbers are of those alive"
    out = [Published("seeds alive", "", float(n), float(len(living)), n - 1.0, lives)]
    m = MEASURED[name]
    deviations = float(student.isf(OUTSIDE / 2.0, m.freedom))
    error = deviations * math.sqrt(1.0 / m.runs + 1.0 / max(1, len(living)))
    why = (
        f"the paper prints none: {m.runs} runs of a separate PyNEST script (NEST 3.10); {deviations:.2g} "
        "standard errors of the difference of the means"
    )
    for label, unit, values, statistic in (
        ("rate", "Hz", m.rate, rates),
        ("CV", "", m.cv, partial(cvs, least=2)),
    ):
        for population, (mean, sd) in zip(("exc", "inh"), values, strict=True):
            found = mean_of(living, population, WARMUP, statistic)
            out.append(Published(f"{label} {population}", unit, mean, found, sd * error, why))
    if name == "voltage_jump":
        expected = jump_theory()
        why = (
            "jump process at the network's own rate; in-degrees vary (64 +- 8, 16 +- 4), trains are more "
            "regular than Poisson's and correlated: 6 %"
        )
        for population in ("exc", "inh"):
            out.append(
                Published(
                    f"rate {population}, theory",
                    "Hz",
                    expected,
                    mean_of(living, population, WARMUP, rates),
                    0.06 * expected,
                    why,
                )
            )
    return out


@cache
def jump_theory() -> float:
    """Rate (Hz) at which a cell of the voltage-jump network fires if all others do."""
    from scipy.optimize import brentq

    exc, inh = (
        0.8 * CELLS * CONNECTIVITY / 1000.0,
        0.2 * CELLS * CONNECTIVITY / 1000.0,
    )  # arrivals a ms and Hz

    def excess(rate: float) -> float:
        cell = {"rest": -49.0, "reset": -60.0, "threshold": -50.0, "tau": 20.0, "refractory": 5.0}
        return jump_rate((0.25, -2.25), (exc * rate, inh * rate), **cell, dt=0.1, mesh=0.1) - rate

    return float(brentq(excess, 1.0, 30.0, xtol=1e-3))


def _case(
    name: str, title: str, *, duration: float = 1000.0, seeds: tuple[int, ...] = (1, 2, 3), quick: bool = True
) -> Case:
    label = name.replace("_", "-")
    # rk4 everywhere: NEST's own iaf_cond_exp takes adaptive steps, with which no other backend can be
    # compared spike by spike
    integrator = "rk4" if name == "coba" else "auto"
    return Case(
        label,
        title,
        PAPER,
        partial(vogels_abbott, name),
        partial(_check, name=name),
        duration=duration,
        seeds=seeds,
        warmup=WARMUP,
        quick=quick,
        integrator=integrator,
    )


CASES = (
    _case("coba", "Benchmark 1: conductance-based integrate-and-fire cells"),
    _case("cuba", "Benchmark 2: current-based integrate-and-fire cells"),
    _case(
        "cobahh",
        "Benchmark 3: conductance-based Hodgkin-Huxley cells",
        duration=500.0,
        seeds=(1,),
        quick=False,
    ),
    _case("voltage_jump", "Benchmark 4: integrate-and-fire cells with voltage jumps"),
)
