"""Connections that learn against closed forms: the window of spike-timing dependent plasticity, pair by pair,
and what short-term plasticity sends of a regular train.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portable.library.cells import IF_curr_delta
from portable.library.plasticity import STDP, TsodyksMarkram
from portable.model.connectors import OneToOne, StaticSynapse
from portable.model.network import Network, Population, Projection, Record
from portable.model.sources import SpikeSourceArray
from portable.results.tables import Results
from portable.units import Floats
from portable.validation.cases.case import Case, Citation, Published
from portable.validation.closed_form import stationary_response, stdp_window

SONG = Citation(
    "S. Song, K. D. Miller & L. F. Abbott",
    2000,
    "Competitive Hebbian learning through spike-timing-dependent synaptic plasticity",
    "Nat. Neurosci. 3:919-926",
    "10.1038/78829",
)
MARKRAM = Citation(
    "H. Markram, Y. Wang & M. Tsodyks",
    1998,
    "Differential signaling via the same axon of neocortical pyramidal neurons",
    "Proc. Natl. Acad. Sci. USA 95:5323-5328",
    "10.1073/pnas.95.9.5323",
)
TAU = 20.0  # ms, of the membrane

# --- The window
# ----------------------------------------------------------------------------------------------------

LAGS = (-80.0, -40.0, -20.0, -10.0, -5.0, -1.0, -0.1, 0.0, 0.1, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0)  # ms
WINDOW = {"a_plus": 0.01, "a_minus": 0.006, "tau_plus": 17.0, "tau_minus": 34.0}
SOURCE, DELAY, TEACHING = 120.0, 1.5, 1.0  # ms: the sources' spikes, the synapses' delay, the teachers'
WEIGHT, LARGEST = 0.4, 1.0  # mV, far below the threshold of 20 mV, which a teacher's 100 mV is above
ENDS = 220.0  # ms
ROUNDING = 1e-14  # of a weight by 1e-16, and of times in ms, which some simulators take differences of


def window_network(**other: Any) -> Network:
    """One pair of spikes at each lag: a teacher's spike makes the cell spike in the step in which it arrives.
    `other`: of the synapse.
    """
    n = len(LAGS)
    kind = IF_curr_delta(v_rest="0 mV", v_reset="0 mV", v_thresh="20 mV")
    cells = Population("cells", n, kind, initial={"v": 0.0})
    sources = Population("sources", n, SpikeSourceArray([SOURCE]))
    times = [[round(SOURCE + lag - DELAY - TEACHING, 9)] for lag in LAGS]
    teachers = Population("teachers", n, SpikeSourceArray(times))
    given = {**{k: f"{v} ms" if k.startswith("tau") else v for k, v in WINDOW.items()}, **other}
    learns = STDP(f"{WEIGHT} mV", f"{DELAY} ms", w_max=f"{LARGEST} mV", **given)
    window = Projection(sources, cells, OneToOne(), learns, name="window")
    teach = Projection(
        teachers, cells, OneToOne(), StaticSynapse("100 mV", f"{TEACHING} ms"), name="teaching"
    )
    return Network(
        "stdp_window",
        [cells, sources, teachers],
        [teach, window],
        recordings=[Record(cells, "spikes"), Record(window, "weight", f"{ENDS} ms")],
    )


def _window(results: Sequence[Results]) -> list[Published]:
    out = []
    for r in results:
        table = r.weights["window"]
        changes = (table.values[-1] - table.values[0]) / LARGEST
        for lag, expected, found in zip(LAGS, stdp_window(np.array(LAGS), **WINDOW), changes, strict=True):
            why = "closed form of one pair; rounding of one change to the weight"
            if lag == 0:
                why = "in one instant no spike sees the other's trace; nothing to round"
            out.append(
                Published(f"change at {lag:g} ms", "of w_max", float(expected), float(found), ROUNDING, why)
            )
    return out


# --- Short-term plasticity
# ----------------------------------------------------------------------------------------------------

RATES = (10.0, 20.0, 50.0)  # Hz
KINDS = {  # U, recovery (ms), facilitation (ms)
    "depressing": (0.5, 800.0, 0.0),
    "facilitating": (0.03, 130.0, 530.0),
}
STEP, LONG = 0.5, 10_000.0  # ms
LEFT = 1e-9


def short_network(**other: Any) -> Network:
    """Cells that never spike: each arrival moves the potential by what was sent. `other`: of the synapses."""
    trains = [np.arange(1000.0 / rate, LONG - 5.0, 1000.0 / rate).tolist() for rate in RATES]
    sources = Population("sources", len(RATES), SpikeSourceArray(trains))
    populations, projections = [], []
    for name, (use, recovery, facilitation) in KINDS.items():
        cell = IF_curr_delta(tau_m=f"{TAU} ms", v_rest="0 mV", v_reset="0 mV", v_thresh="1 V", tau_refrac=0)
        populations.append(Population(name, len(RATES), cell, initial={"v": 0.0}))
        given = {"U": use, "tau_rec": f"{recovery} ms", "tau_facil": f"{facilitation} ms", **other}
        synapse = TsodyksMarkram("1 mV", f"{DELAY} ms", **given)
        projections.append(Projection(sources, populations[-1], OneToOne(), synapse, name=f"to {name}"))
    records = [Record(p, "v", f"{STEP} ms") for p in populations]
    return Network("short_term_plasticity", [*populations, sources], projections, recordings=records)


def last_jump(v: Floats, dt: float) -> float:
    """What the last arrival moved v by (mV); the rest of a step is decay to 0."""
    jumps = v[1:] - v[:-1] * np.exp(-dt / TAU)
    return float(jumps[np.flatnonzero(jumps > 1e-6)[-1]])


def _short(results: Sequence[Results]) -> list[Published]:
    out = []
    for r in results:
        for name, (use, recovery, facilitation) in KINDS.items():
            trace = r.traces[name, "v"]
            for i, rate in enumerate(RATES):
                expected = stationary_response(
                    1000.0 / rate, use=use, recovery=recovery, facilitation=facilitation
                )
                found = last_jump(trace.values[:, i], r.dt)
                why = (
                    "fixed point of the recursion from spike to spike; after 10 s less than 1e-9 is left of "
                    "how it began"
                )
                out.append(Published(f"{name}, {rate:g} Hz", "of the weight", expected, found, LEFT, why))
    return out


CASES = (
    Case(
        "stdp-window",
        "Change of a weight by one pair of spikes",
        SONG,
        window_network,
        _window,
        duration=ENDS,
    ),
    Case(
        "short-term-plasticity",
        "Stationary response of depressing and facilitating synapses to regular trains",
        MARKRAM,
        short_network,
        _short,
        duration=LONG,
        dt=STEP,
    ),
)
