"""The native engine against NEST by a PyNEST script of its own (no adapter): AdEx in NEST's integrator, to
the last bit.

Weights are multiples of 2^-16 nS, so that sums of arrivals are exact in any order; everything else is
arbitrary.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND
from portable.resolve import poisson, resolve

nest = pytest.importorskip("nest")
NAMES = {
    "cm": "C_m",
    "tau_refrac": "t_ref",
    "v_spike": "V_peak",
    "v_reset": "V_reset",
    "v_rest": "E_L",
    "i_offset": "I_e",
    "a": "a",
    "b": "b",
    "delta_T": "Delta_T",
    "tau_w": "tau_w",
    "v_thresh": "V_th",
    "e_rev_E": "E_ex",
    "e_rev_I": "E_in",
    "tau_syn_E": "tau_syn_ex",
    "tau_syn_I": "tau_syn_in",
}


def adex(n, seed):
    """A recurrent network with heterogeneous currents, weights and delays, at about 60 Hz a cell; every kind
    of spiking AdEx has.
    """
    cells = pt.Population(
        "cells",
        n,
        pt.EIF_cond_exp_isfa_ista(tau_refrac=2, i_offset=pt.Uniform(0.2, 0.5)),
        initial={"v": pt.Uniform(-70, -55)},
    )
    noise = pt.Population("noise", n, pt.SpikeSourcePoisson(rate=800))
    exc, inh, delay = cells[: n * 4 // 5], cells[n * 4 // 5 :], pt.Uniform(0.1, 3)
    net = pt.Network(
        "adex",
        [cells, noise],
        [
            pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse("4 nS", 1.0)),
            pt.Projection(
                exc, cells, pt.FixedInDegree(50), pt.StaticSynapse(pt.Uniform("0 nS", "3 nS"), delay)
            ),
            pt.Projection(
                inh,
                cells,
                pt.FixedInDegree(12),
                pt.StaticSynapse(pt.Uniform("0 nS", "16 nS"), delay),
                receptor="inhibitory",
            ),
        ],
        recordings=[pt.Record(cells, "spikes"), pt.Record(cells[:20], "v")],
    )
    program = resolve(net, seed, 0.1)
    dyadic = tuple(
        c if c.one_to_one else replace(c, weights=np.round(c.weights * 2**16) / 2**16)
        for c in program.connections
    )
    return replace(program, connections=dyadic)


def in_nest(program, steps):
    """(steps, ids) of the spikes in order, and the potential of the first 20 cells after each step."""
    nest.ResetKernel()
    nest.resolution = program.dt
    group, source = program.group("cells"), program.group("noise")
    cells = nest.Create("aeif_cond_exp", group.size)
    for ours, theirs in NAMES.items():
        cells.set({theirs: np.broadcast_to(group.parameters[ours], group.size).tolist()})
    cells.set({"g_L": group.parameters["cm"] / group.parameters["tau_m"], "V_m": group.initial["v"].tolist()})
    counts = poisson.counts(source, poisson.table(source, program.dt), 1, steps)
    generators = nest.Create("spike_generator", source.size)
    generators.set(
        [
            {
                "spike_times": np.round((np.flatnonzero(c) + 1) * program.dt, 6),
                "spike_multiplicities": c[c > 0].astype(int),
            }
            for c in counts.T
        ]
    )
    ids = {"cells": np.array(cells.tolist()), "noise": np.array(generators.tolist())}
    for c in program.connections:
        sign = -1.0 if c.port == "inhibitory" else 1.0
        nest.Connect(
            ids[c.pre][c.sources()],
            ids[c.post][c.targets.astype(int)],
            "one_to_one",
            {
                "weight": sign * np.broadcast_to(c.weights, c.count),
                "delay": np.round(np.broadcast_to(c.delays, c.count) * program.dt, 6),
            },
        )
    recorder, meter = (
        nest.Create("spike_recorder"),
        nest.Create("multimeter", {"record_from": ["V_m"], "interval": program.dt}),
    )
    nest.Connect(cells, recorder)
    nest.Connect(meter, cells[:20])
    nest.Simulate(steps * program.dt)
    events, v = recorder.events, np.zeros((steps + 1, 20))
    v[np.rint(meter.events["times"] / program.dt).astype(int), meter.events["senders"] - ids["cells"][0]] = (
        meter.events["V_m"]
    )
    stamps, senders = np.rint(events["times"] / program.dt).astype(int), events["senders"] - ids["cells"][0]
    order = np.lexsort((senders, stamps))
    return np.stack([stamps[order], senders[order]]), v


@pytest.mark.parametrize(
    ("n", "steps", "seed"),
    [
        (200, 2000, 1),
        *(pytest.param(1000, t, s, marks=pytest.mark.slow) for t, s in ((10000, 1), (3000, 2), (3000, 3))),
    ],
)
def test_adex_is_nests_bit_for_bit(n, steps, seed):
    program = adex(n, seed)
    sim = BACKEND.open(BACKEND.lower(program, RunConfig(threads=2)).plan)
    sim.run(steps)
    found = sim.recorded()
    sim.close()
    ids, stamps = found.spikes["cells"]
    order = np.lexsort((ids, stamps))
    expected, v = in_nest(program, steps)
    assert expected.shape[1] > 5 * n
    kept = expected[0] < steps  # NEST has not yet recorded the last step's
    mine = np.stack([stamps[order], ids[order]])
    np.testing.assert_array_equal(mine[:, mine[0] < steps], expected[:, kept])
    np.testing.assert_array_equal(found.traces["cells", "v"][2][1:steps], v[1:steps])
