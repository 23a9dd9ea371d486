"""Models read from NeuroML on every backend: the same spikes as on native, which is held to direct
computations here.

The models (tests/neuroml) have what the readers of cells, channels, synapses and regimes can meet: custom
rates, delays of nothing and of many steps, plasticity of connections with magnesium block, a gap junction,
regimes that read the time.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

import portable as pt
from portable.backends import registry

FOLDER = Path(__file__).parent / "neuroml"
DT = 0.02  # ms, in all of the files


@functools.cache
def read(name: str) -> pt.Network:
    return pt.read_neuroml(FOLDER / f"{name}.xml")


@functools.cache
def by_euler(name: str, backend: str = "native") -> pt.Results:
    return pt.run(read(name), backend, integrator="euler")


def recording(net: pt.Network, *records: pt.Record) -> pt.Results:
    return pt.run(replace(net, recordings=records), "native", integrator="euler")


@pytest.fixture
def judge(backend: str) -> str:
    """Native, with whose forward Euler all backends that integrate agree; jLEMS's own order of steps where
    jLEMS runs the file itself.
    """
    return "native" if registry.get(backend).capabilities.word("cells.linear") == "exact" else "jlems"


@pytest.mark.parametrize(
    "model",
    [
        "hh",
        "network",
        pytest.param("plastic", marks=pytest.mark.needs("synapses.plastic", "synapses.states", read=True)),
        pytest.param("coupled", marks=pytest.mark.needs("links", read=True)),
        "regimes",
    ],
)
def test_the_same_spikes_as_on_native(backend: str, judge: str, printed: float, model: str) -> None:
    """The same steps and cells, not nearly the same. States within the rounding of sums that are added up in
    another order (measured 1e-12 mV).
    """
    want, found = by_euler(model, judge), by_euler(model, backend)
    assert sum(len(s) for s in want.spikes.values()) > 2
    for name, spikes in want.spikes.items():
        np.testing.assert_array_equal(found.spikes[name].steps, spikes.steps)
        np.testing.assert_array_equal(found.spikes[name].ids, spikes.ids)
    assert want.traces
    for key, table in want.traces.items():
        np.testing.assert_allclose(found.traces[key].values, table.values, rtol=printed, atol=1e-9)


def test_delays_are_rounded_up_to_whole_steps() -> None:
    """Every step of slowRise_B is either B (1 - dt/tau) or that plus weight times the factor that makes the
    peak gbase (closed form).
    """
    net = read("network")
    post, pre = net.population("post"), net.population("pre")
    r = recording(net, pt.Record([post, pre], ["slowRise_B", "spikes"]))
    rise, decay = 0.8, 4.0
    peak = np.log(decay / rise) * rise * decay / (decay - rise)
    factor = 1 / (np.exp(-peak / decay) - np.exp(-peak / rise))
    b = r.traces["post", "slowRise_B"].values
    jumps = (b[1:] - b[:-1] * (1 - DT / decay)) / factor
    steps = {cell: r.spikes["pre"].steps[r.spikes["pre"].ids == cell] for cell in (0, 2)}
    want = np.zeros_like(jumps)
    for spikes, cell, weight, delay in (
        (steps[0], 0, 4.0, 1),
        (steps[0], 1, 3.5, 1),
        (steps[2], 1, 2.0, 625),
    ):  # 0 ms, 0.011 ms, 12.5 ms
        at = spikes + delay
        np.add.at(want, (at[at <= len(want)] - 1, cell), weight)
    assert np.count_nonzero(want) >= 4
    np.testing.assert_allclose(jumps, want, atol=1e-10)


@pytest.mark.parametrize("synapses", ["rules", "cells"])
def test_plasticity_by_recursion(synapses: str) -> None:
    """What arrives is weight R U (Tsodyks, Pawelzik & Markram 1998); between spikes R and U go towards 1 and
    U0 by exp(-t/tau) where a rule moves them, by (1 - dt/tau)^n as states of cells that take forward Euler.
    """
    net = pt.read_neuroml(FOLDER / "plastic.xml", synapses=synapses)
    decay, rise = 3.0, 0.3
    peak = np.log(decay / rise) * rise * decay / (decay - rise)
    factor = 1 / (np.exp(-peak / decay) - np.exp(-peak / rise))
    if synapses == "rules":
        assert len(net.populations) == 3
        b = (
            recording(net, pt.Record(net.population("cells")[:1], "tires_B"))
            .traces["cells", "tires_B"]
            .values
        )
    else:
        groups = [p for p in net.populations if "tires" in p.name]
        r = recording(net, *(pt.Record(p, "B") for p in groups))
        b = sum(r.traces[p.name, "B"].values for p in groups)
    jumps = b[1:, 0] - b[:-1, 0] * (1 - DT / decay)
    want = np.zeros_like(jumps)
    for every, delay, weight in ((250, 1, 5.0), (400, 100, 3.0)):  # a delay of nothing takes a step
        have, use, last = 1.0, 0.4, 0
        for k in range(every + delay, len(b), every):
            n = k - last if last else k
            kept = [np.exp(-n * DT / x) if synapses == "rules" else (1 - DT / x) ** n for x in (60.0, 25.0)]
            have, use = 1 - (1 - have) * kept[0], 0.4 + (use - 0.4) * kept[1]
            want[k - 1] += weight * factor * have * use
            have, use, last = have * (1 - use), use + 0.4 * (1 - use), k
    assert np.count_nonzero(want) > 15
    np.testing.assert_allclose(jumps, want, rtol=1e-9, atol=1e-10)


def test_a_rule_sends_what_a_cell_for_each_connection_got() -> None:
    """Both exact, so the kernels differ by rounding: sums of 5, each to 1e-16, over 3000 steps."""
    got = {}
    for synapses in ("rules", "cells"):
        net = pt.read_neuroml(FOLDER / "plastic.xml", synapses=synapses)
        if synapses == "rules":
            r = pt.run(
                replace(net, recordings=[pt.Record(net.population("cells"), ["tires_B", "blocked_B"])])
            )
            got[synapses] = [
                r.traces["cells", v].values[:, i] for i, v in enumerate(("tires_B", "blocked_B"))
            ]
        else:
            groups = {n: [p for p in net.populations if n in p.name] for n in ("tires", "blocked")}
            records = [pt.Record(p, "B") for many in groups.values() for p in many]
            r = pt.run(replace(net, recordings=records))
            got[synapses] = [
                sum(r.traces[p.name, "B"].values[:, 0] for p in many) for many in groups.values()
            ]
    for a, b in zip(*got.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_a_gap_junction_by_the_power_of_a_matrix() -> None:
    """Before the first spike the two cells are a linear system: forward Euler's n-th step is (1 + dt A)^n of
    the distance from rest under current.
    """
    r = by_euler("coupled")
    v = np.column_stack([r.traces[p, "v"].values[:, 0] for p in "ab"])
    c, leak, gap, rest = (
        np.array([100.0, 200.0]),
        np.array([5.0, 6.0]),
        2.0,
        np.array([-65.0, -60.0]),
    )  # pF, nS, nS, mV
    a = (np.array([[-gap, gap], [gap, -gap]]) - np.diag(leak)) / c[:, None]
    step = np.eye(2) + DT * a
    first, driven = int(r.spikes["a"].steps[0]), round(4 / DT)
    for current, low, high in ((0.0, 0, driven), (200.0, driven, first - 1)):  # pA
        fixed = np.linalg.solve(-a, (leak * rest + np.array([current, 0.0])) / c)
        for k in range(low, high + 1, 50):
            np.testing.assert_allclose(
                v[k], fixed + np.linalg.matrix_power(step, k - low) @ (v[low] - fixed), rtol=0, atol=1e-9
            )


def test_regimes_at_the_times_of_the_closed_form() -> None:
    """v' = rate (1 + ramp t) from the end of a rest on: top is reached where t + 5 t^2 (s) has grown by 5 ms.
    Forward Euler lags behind by dt ramp (length of the rise)/2 of 0.05 %, less than a step, and crossings are
    seen at the end of a step: within two steps."""
    times = by_euler("regimes").spikes["cells"].times * 1e-3
    assert times.size == 15
    start = 0.0
    for volley in times.reshape(5, 3):
        grown = start + 5 * start**2 + 5e-3
        crossing = (np.sqrt(1 + 20 * grown) - 1) / 10
        assert (
            0 <= volley[0] - (crossing + 1e-3) < 2 * DT * 1e-3 + 1e-9
        )  # the volley begins the gap, in whole steps, after it
        np.testing.assert_allclose(np.diff(volley), 1e-3, atol=1e-9)
        start = volley[-1] + 3e-3
