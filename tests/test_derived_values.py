"""Derived variables of results: over links, in blocks, saved and shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.resolve import derived, resolve
from portable.resolve.program import Coupling, Program, Trace
from portable.results.storage import load_results, save_results

PEER = pt.cell_type(
    "peer",
    equations="""
        dv/dt = (E - v)/tau : mV
        i_gap = g*(v_peer - v) : nA
        twice = 2*i_gap : nA
    """,
    parameters={"E": "-70 mV", "tau": "10 ms", "g": "3 nS"},
    inputs={"v_peer": "mV"},
)
EDGE = pt.cell_type(
    "edge",
    equations="v_half = v_pre/2 : mV\n dx/dt = -x/tau : 1",
    parameters={"tau": "10 ms"},
    inputs={"v_pre": "mV"},
)
RNG = np.random.default_rng(4)


def program() -> Program:
    """Five cells, four edges: edge e reads v of cell pre[e] halved, and cell post[e] gets the sum over its
    edges as v_peer.
    """
    cells, edges = pt.Population("cells", 5, PEER()), pt.Population("edges", 4, EDGE())
    made = resolve(pt.Network("links", [cells, edges], recordings=[pt.Record(cells[3:], "twice")]), 0)
    e = np.arange(4)
    links = (
        Coupling("cells", "v", "edges", "v_pre", np.array([0, 1, 2, 2]), e),
        Coupling("edges", "v_half", "cells", "v_peer", e, np.array([3, 3, 4, 0])),
    )
    return replace(made, links=links, traces=derived.sampled(made.cells, links, made.shown))


def test_what_is_sampled_over_links() -> None:
    """twice of cells 3 and 4 reads their own v, and v of cells 0, 1, 2 through the edges 0, 1, 2."""
    (trace,) = program().traces
    assert (trace.group, trace.variable, trace.ids.tolist(), trace.every) == (
        "cells",
        "v",
        [0, 1, 2, 3, 4],
        1,
    )


@pytest.mark.parametrize("block", [1 << 18, 7])
def test_values_over_links(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """In one block or in many, with g changed on the way: twice = 2 g (sum of the halved peers - v)."""
    monkeypatch.setattr(derived, "BLOCK", block)
    p = program()
    v = RNG.uniform(-80, -40, (21, 5))
    samples = derived.Samples(
        p,
        {("cells", "v"): (np.arange(5), np.arange(21), v)},
        {"cells": [(8, {**p.cells[0].parameters, "g": 5.0})]},
        20,
    )
    steps, found = samples.read(p.shown[0])
    g = np.where(np.arange(21) < 8, 3.0, 5.0)[:, None]
    peers = np.stack([v[:, 0] / 2 + v[:, 1] / 2, v[:, 2] / 2], axis=1)
    np.testing.assert_array_equal(found, 2.0 * (g * (peers - v[:, 3:])))
    assert steps.tolist() == list(range(21))
    every = samples.read(Trace("cells", "v_peer", np.array([0, 1]), 5))[1]
    np.testing.assert_array_equal(every, np.stack([v[::5, 2] / 2, np.zeros(5)], axis=1))


def test_an_interrupted_run_gives_what_was_sampled() -> None:
    p = program()
    samples = derived.Samples(p, {("cells", "v"): (np.arange(5), np.arange(6), np.zeros((6, 5)))}, {}, 20)
    assert samples.read(p.shown[0])[1].shape == (6, 2)


def test_saved_and_as_neo(tmp_path: Path) -> None:
    cells = pt.Population("cells", 2, pt.IF_cond_exp(i_offset=0.5))
    r = pt.run(
        pt.Network("n", [cells], recordings=[pt.Record(cells, ["i_syn", "v"], interval=0.5)]),
        "reference",
        "5 ms",
    )
    save_results(r, tmp_path / "r.npz")
    again = load_results(tmp_path / "r.npz")
    np.testing.assert_array_equal(again.traces["cells", "i_syn"].values, r.traces["cells", "i_syn"].values)
    assert again.traces["cells", "i_syn"].unit == "pA"
    signal = r.to_neo().segments[0].analogsignals[0]
    assert signal.name == "cells.i_syn"
    assert signal.units.dimensionality.string == "pA"
