"""Single leaky integrate-and-fire cells against closed forms: f-I curve, postsynaptic potentials, membrane
noise, rate under Poisson input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.library.cells import IF_cond_alpha, IF_cond_exp, IF_curr_alpha, IF_curr_delta, IF_curr_exp
from portable.model.cells import Cell, CellType
from portable.model.connectors import AllToAll, OneToOne, StaticSynapse
from portable.model.network import Network, Population, Projection, Record
from portable.model.sources import SpikeSourceArray, SpikeSourcePoisson
from portable.model.values import Array, Uniform
from portable.results.tables import Results
from portable.units import Floats
from portable.validation.cases.case import Case, Citation, Published
from portable.validation.cases.measures import STANDARD_ERRORS, counting_error, mean_rate
from portable.validation.closed_form import (
    jump_rate,
    lif_rate,
    lif_with_current,
    psp_alpha,
    psp_exponential,
    shot_noise,
    siegert,
)

DT = 0.1  # ms
CM, TAU, REFRACTORY = 250.0, 20.0, 2.0  # pF, ms, ms
REST, RESET, THRESHOLD = 0.0, 10.0, 20.0  # mV
EXACT = Citation(
    "S. Rotter & M. Diesmann",
    1999,
    "Exact digital simulation of time-invariant linear systems with applications to neuronal modeling",
    "Biol. Cybern. 81:381-402",
    "10.1007/s004220050570",
)
JUMPS = Citation(
    "M. Helias, M. Deger, M. Diesmann & S. Rotter",
    2010,
    "Equilibrium and response properties of the integrate-and-fire neuron in discrete time",
    "Front. Comput. Neurosci. 3:29",
    "10.3389/neuro.10.029.2009",
)
COLORED = Citation(
    "N. Fourcaud & N. Brunel",
    2002,
    "Dynamics of the firing probability of noisy integrate-and-fire neurons",
    "Neural Comput. 14:2057-2110",
    "10.1162/089976602320264015",
)
CAMPBELL = Citation(
    "A. Kuhn, A. Aertsen & S. Rotter",
    2004,
    "Neuronal integration of synaptic input in the fluctuation-driven regime",
    "J. Neurosci. 24:2345-2356",
    "10.1523/JNEUROSCI.3349-03.2004",
)


def _cell(kind: CellType, *, threshold: float = THRESHOLD, **more: Any) -> Cell:
    return kind(
        cm=f"{CM} pF",
        tau_m=f"{TAU} ms",
        v_rest=f"{REST} mV",
        v_reset=f"{RESET} mV",
        v_thresh=f"{threshold} mV",
        tau_refrac=f"{REFRACTORY} ms",
        **more,
    )


# --- f-I curve
# ----------------------------------------------------------------------------------------------------

CURRENTS = np.asarray(
    np.round(np.geomspace(200.0, 2000.0, 16), 1), dtype=np.float64
)  # pA; 250 pA bring the cell to threshold


def _f_i_network() -> Network:
    currents = Array(CURRENTS, "pA")
    kinds = {"exp": IF_curr_exp, "alpha": IF_curr_alpha, "delta": IF_curr_delta}
    cells = [Population(name, CURRENTS.size, _cell(kind, i_offset=currents)) for name, kind in kinds.items()]
    return Network("lif_f_i", cells, recordings=[Record(p, "spikes") for p in cells])


def _f_i(results: Sequence[Results]) -> list[Published]:
    out = []
    for r in results:
        shape = {"rest": REST, "reset": RESET, "threshold": THRESHOLD, "tau": TAU, "capacitance": CM}
        stamps = [
            lif_with_current(r.steps, r.dt, 0, float(i), **shape, refractory=round(REFRACTORY / r.dt))[1]
            for i in CURRENTS
        ]
        for name, table in r.spikes.items():
            trains = [np.round(t / r.dt).astype(np.int64) for t in table.trains()]
            wrong = sum(a.size != b.size or int((a != b).sum()) for a, b in zip(trains, stamps, strict=True))
            why = (
                f"closed form on the grid, every stamp ({sum(s.size for s in stamps)} spikes of "
                f"{CURRENTS.size} cells)"
            )
            out.append(Published(f"stamps that differ, IF_curr_{name}", "", 0.0, float(wrong), 0.0, why))
            for current, train in zip(CURRENTS, trains, strict=True):
                expected = lif_rate(float(current), **shape, refractory=REFRACTORY)
                # From first spike to last, so that only the grid is left: each interval is longer by less
                # than dt.
                found = 1000.0 * (train.size - 1) / ((train[-1] - train[0]) * r.dt) if train.size > 1 else 0.0
                late = expected - 1000.0 / (1000.0 / expected + r.dt) if expected else 0.0
                why = "closed form in continuous time; intervals end up to dt later on the grid"
                out.append(
                    Published(f"rate at {current:g} pA, IF_curr_{name}", "Hz", expected, found, late, why)
                )
    return out


# --- Postsynaptic potentials
# ---------------------------------------------------------------------------------------------------

SPIKE, DELAY = 10.0, 1.5  # ms
TAU_SYN = 5.0  # ms
CURRENT, CONDUCTANCE, JUMP = 40.0, 0.05, 0.5  # pA, nS, mV
REVERSAL = 65.0  # mV above rest


def _psp_network() -> Network:
    kinds = {
        "curr_exp": (IF_curr_exp, f"{CURRENT} pA"),
        "curr_alpha": (IF_curr_alpha, f"{CURRENT} pA"),
        "curr_delta": (IF_curr_delta, f"{JUMP} mV"),
        "cond_exp": (IF_cond_exp, f"{CONDUCTANCE} nS"),
        "cond_alpha": (IF_cond_alpha, f"{CONDUCTANCE} nS"),
    }
    source = Population("source", 1, SpikeSourceArray([SPIKE]))
    cells, projections = [], []
    for name, (kind, weight) in kinds.items():
        more: dict[str, Any] = {} if name == "curr_delta" else {"tau_syn_E": f"{TAU_SYN} ms"}
        if name.startswith("cond"):
            more["e_rev_E"] = f"{REST + REVERSAL} mV"
        cells.append(Population(name, 1, _cell(kind, **more)))
        projections.append(
            Projection(
                source,
                cells[-1],
                AllToAll(),
                StaticSynapse(weight=weight, delay=f"{DELAY} ms"),
                receptor="excitatory",
            )
        )
    return Network("lif_psp", [*cells, source], projections, recordings=[Record(p, "v") for p in cells])


def _expected_psp(name: str, t: Floats) -> Floats:
    """mV above rest at t ms after the arrival."""
    if name == "curr_delta":
        return np.asarray(np.where(t >= -DT / 2, JUMP * np.exp(-np.maximum(t, 0.0) / TAU), 0.0))
    shape = psp_exponential if name.endswith("exp") else psp_alpha
    return shape(t, CURRENT if name.startswith("curr") else CONDUCTANCE * REVERSAL, TAU_SYN, TAU, CM)


def _psp(results: Sequence[Results]) -> list[Published]:
    out = []
    for r in results:
        for (name, _), trace in r.traces.items():
            expected = _expected_psp(name, np.round(trace.times - SPIKE - DELAY, 9))
            found = trace.values[:, 0] - REST
            peak = float(expected.max())
            margin, why = 1e-9, "closed form, to rounding"
            if name.startswith(
                "cond"
            ):  # the driving force shrinks by the potential itself, at most by peak/REVERSAL of it
                margin, why = (
                    peak**2 / REVERSAL,
                    "closed form for small conductances; the driving force changes by the potential itself",
                )
            out.append(
                Published(f"peak of the potential, IF_{name}", "mV", peak, float(found.max()), margin, why)
            )
            out.append(
                Published(
                    f"largest difference, IF_{name}",
                    "mV",
                    0.0,
                    float(np.abs(found - expected).max()),
                    margin,
                    why,
                )
            )
    return out


# --- Poisson input
# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drive:
    """Poisson input of one population: potentials' jumps `up` and -`down` (mV; a current of the same charge),
    at rates (1/ms).
    """

    up: float
    up_rate: float
    down: float = 0.0
    down_rate: float = 0.0

    @property
    def mean(self) -> float:
        """mV, of the free potential."""
        return REST + TAU * (self.up * self.up_rate - self.down * self.down_rate)

    @property
    def sd(self) -> float:
        """mV, of the free potential under white noise of the same intensity."""
        return math.sqrt(TAU / 2.0 * (self.up**2 * self.up_rate + self.down**2 * self.down_rate))


def _driven(
    name: str,
    drives: dict[str, Drive],
    kind: CellType,
    cells: int,
    tau_syn: float = 0.0,
    threshold: float = THRESHOLD,
    record: Sequence[str] = ("spikes",),
) -> Network:
    """Populations under Poisson input, one for each drive. tau_syn 0: the jumps themselves; else currents of
    the same charge.
    """
    time_constants = {"tau_syn_E": f"{tau_syn} ms", "tau_syn_I": f"{tau_syn} ms"} if tau_syn else {}
    populations, projections, recordings = [], [], []
    for label, drive in drives.items():
        key = label.replace(" ", "_")
        low, high = (
            (f"{RESET} mV", f"{THRESHOLD} mV")
            if "spikes" in record
            else (f"{drive.mean - drive.sd} mV", f"{drive.mean + drive.sd} mV")
        )
        target = Population(
            key, cells, _cell(kind, threshold=threshold, **time_constants), initial={"v": Uniform(low, high)}
        )
        populations.append(target)
        for receptor, jump, per_ms in (
            ("excitatory", drive.up, drive.up_rate),
            ("inhibitory", -drive.down, drive.down_rate),
        ):
            if per_ms:
                source = Population(
                    f"{key}_{receptor}", cells, SpikeSourcePoisson(rate=f"{1000 * per_ms} Hz")
                )
                weight = f"{jump * _charge(kind, tau_syn)} pA" if tau_syn else f"{jump} mV"
                populations.append(source)
                projections.append(
                    Projection(
                        source,
                        target,
                        OneToOne(),
                        StaticSynapse(weight=weight, delay="1 ms"),
                        receptor=receptor,
                    )
                )
        recordings.append(Record(target, record, interval=f"{INTERVAL} ms" if "v" in record else None))
    return Network(name, populations, projections, recordings=recordings)


def _charge(kind: CellType, tau_syn: float) -> float:
    """pA of peak current for 1 mV of charge/capacitance: the integral is tau_syn, or e tau_syn for an alpha
    function.
    """
    return CM / (tau_syn * (math.e if kind is IF_curr_alpha else 1.0))


RATE_CELLS, RATE_WARMUP, RATE_DURATION = 100, 200.0, 2200.0
LARGE = {
    "below threshold": Drive(0.5, 1.7),
    "at threshold": Drive(1.0, 1.0),
    "balanced": Drive(0.5, 4.0, 2.0, 0.6),
}
SMALL = {
    "below threshold": Drive(0.1, 9.5),
    "above threshold": Drive(0.1, 10.5),
    "balanced": Drive(0.2, 8.0, 0.8, 0.9),
}
RATE_TAU_SYN = 0.5  # ms
SHAPE = {"reset": RESET, "threshold": THRESHOLD, "tau": TAU, "refractory": REFRACTORY}


def _delta_network() -> Network:
    return _driven("lif_poisson_delta", LARGE, IF_curr_delta, RATE_CELLS)


def _delta(results: Sequence[Results]) -> list[Published]:
    out = []
    span = (RATE_DURATION - RATE_WARMUP) * max(1, len(results))
    for key, d in LARGE.items():
        inputs = [(d.up, d.up_rate), (-d.down, d.down_rate)][: 2 if d.down else 1]
        exact = jump_rate([j for j, _ in inputs], [r for _, r in inputs], rest=REST, dt=DT, **SHAPE)
        diffusion = siegert(d.mean, d.sd, **SHAPE)
        found = mean_rate(results, key.replace(" ", "_"), RATE_WARMUP)
        counted = counting_error(exact, RATE_CELLS, span)
        errors = f"{STANDARD_ERRORS:g} standard errors of the count"
        out.append(
            Published(
                f"rate, {key}, jump process",
                "Hz",
                exact,
                found,
                counted,
                f"mean first passage of the jump process on the grid; {errors}",
            )
        )
        why = (
            f"Siegert's formula; what jumps and grid change ({exact - diffusion:+.2f} Hz, from the jump "
            f"process) and {errors}"
        )
        out.append(
            Published(
                f"rate, {key}, diffusion", "Hz", diffusion, found, abs(exact - diffusion) + counted, why
            )
        )
    return out


def _exponential_network() -> Network:
    return _driven("lif_poisson_exponential", SMALL, IF_curr_exp, RATE_CELLS, RATE_TAU_SYN)


def _exponential(results: Sequence[Results]) -> list[Published]:
    out = []
    span = (RATE_DURATION - RATE_WARMUP) * max(1, len(results))
    for key, d in SMALL.items():
        white = siegert(d.mean, d.sd, **SHAPE)
        expected = siegert(d.mean, d.sd, **SHAPE, tau_syn=RATE_TAU_SYN)
        first = 1.0 - expected / white
        why = (
            f"Siegert's formula with the first order in sqrt(tau_syn/tau), a change of {-100 * first:.0f} "
            "%; its square for the second order, and "
            f"{STANDARD_ERRORS:g} standard errors of the count"
        )
        found = mean_rate(results, key.replace(" ", "_"), RATE_WARMUP)
        out.append(
            Published(
                f"rate, {key}",
                "Hz",
                expected,
                found,
                first**2 * white + counting_error(expected, RATE_CELLS, span),
                why,
            )
        )
    return out


# --- Membrane noise
# ----------------------------------------------------------------------------------------------------

NOISE_CELLS, NOISE_WARMUP, NOISE_DURATION, INTERVAL = 50, 200.0, 2200.0, 1.0  # INTERVAL: ms between samples
NOISE = {"excitation": Drive(0.5, 1.0), "both": Drive(0.5, 2.0, 1.0, 0.8)}
NOISE_KINDS = {"exp": IF_curr_exp, "alpha": IF_curr_alpha, "delta": IF_curr_delta}
NOISE_TAU_SYN = 2.0  # ms
FREE = 1000.0  # mV: a threshold that is never reached


def _noise_network() -> Network:
    parts = [
        _driven(
            name,
            {f"{name}_{key}": d for key, d in NOISE.items()},
            kind,
            NOISE_CELLS,
            0.0 if name == "delta" else NOISE_TAU_SYN,
            FREE,
            ("v",),
        )
        for name, kind in NOISE_KINDS.items()
    ]
    populations, projections = (
        [p for n in parts for p in n.populations],
        [p for n in parts for p in n.projections],
    )
    return Network(
        "lif_membrane_noise", populations, projections, recordings=[x for n in parts for x in n.recordings]
    )


def _kernel(name: str, jump: float) -> Floats:
    """Potential (mV) at 0, dt, 2 dt, ... after one arrival, until it has decayed to e^-12 of itself."""
    t = np.asarray(np.arange(round(12 * TAU / DT)) * DT, dtype=np.float64)
    if name == "delta":
        return np.asarray(jump * np.exp(-t / TAU))
    shape = psp_exponential if name == "exp" else psp_alpha
    return shape(t, jump * _charge(NOISE_KINDS[name], NOISE_TAU_SYN), NOISE_TAU_SYN, TAU, CM)


def _noise(results: Sequence[Results]) -> list[Published]:
    out = []
    for name in NOISE_KINDS:
        for key, d in NOISE.items():
            values: Floats = np.array(
                [r.traces[f"{name}_{key}", "v"].values[round(NOISE_WARMUP / INTERVAL) + 1 :] for r in results]
            )
            inputs = [(d.up, d.up_rate), (-d.down, d.down_rate)]
            parts: Floats = np.array(
                [
                    shot_noise(_kernel(name, j), per_ms * DT, round(INTERVAL / DT), values.size)
                    for j, per_ms in inputs
                    if per_ms
                ]
            )
            mean, variance = REST + parts[:, 0].sum(), parts[:, 1].sum()
            # Of a sum of independent noises: squares add for the mean; for the variance, of summed
            # autocovariances, the errors at most add (Minkowski).
            errors = math.sqrt(float((parts[:, 2] ** 2).sum())), float(parts[:, 3].sum())
            why = (
                f"Campbell's theorem on the grid; {STANDARD_ERRORS:g} standard errors from the noise's "
                "own autocovariance"
            )
            about = f"IF_curr_{name}, {key if key == 'excitation' else 'excitation and inhibition'}"
            out.append(
                Published(
                    f"mean potential, {about}",
                    "mV",
                    mean,
                    float(values.mean()),
                    STANDARD_ERRORS * errors[0],
                    why,
                )
            )
            out.append(
                Published(
                    f"variance of the potential, {about}",
                    "mV2",
                    variance,
                    float(values.var()),
                    STANDARD_ERRORS * errors[1],
                    why,
                )
            )
    return out


CASES = (
    Case(
        "lif-f-i",
        "Rate of leaky cells with a constant current",
        EXACT,
        _f_i_network,
        _f_i,
        duration=1000.0,
        dt=DT,
    ),
    Case("lif-psp", "Shape of postsynaptic potentials", EXACT, _psp_network, _psp, duration=150.0, dt=DT),
    Case(
        "lif-membrane-noise",
        "Mean and variance of the free membrane potential under Poisson input",
        CAMPBELL,
        _noise_network,
        _noise,
        duration=NOISE_DURATION,
        dt=DT,
        warmup=NOISE_WARMUP,
    ),
    Case(
        "lif-poisson-delta",
        "Rate under Poisson input of finite voltage jumps",
        JUMPS,
        _delta_network,
        _delta,
        duration=RATE_DURATION,
        dt=DT,
        warmup=RATE_WARMUP,
    ),
    Case(
        "lif-poisson-exponential",
        "Rate under Poisson input of exponential currents",
        COLORED,
        _exponential_network,
        _exponential,
        duration=RATE_DURATION,
        dt=DT,
        warmup=RATE_WARMUP,
    ),
)
