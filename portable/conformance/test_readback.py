"""A built network is asked what it holds: the connections of the program, every one, with their weights and
delays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.resolve import resolve
from portable.resolve.program import Program
from portable.validation.readback import difference, read_back

pytestmark = pytest.mark.needs(
    "cells.linear",
    "cells.nonlinear",
    "cells.refractory",
    "receptors.jump",
    "record.spikes",
    "session.connections",
    "sources.trains",
    "synapses.static",
)


def network() -> pt.Network:
    """Three populations of one type side by side, multapses, two projections of one pair, varied and single
    weights and delays, sources.
    """
    cell = pt.IF_cond_exp()
    a, b, c = (
        pt.Population("a", 70, cell),
        pt.Population("b", 9, cell),
        pt.Population("c", 3, pt.IF_curr_exp()),
    )
    source = pt.Population("source", 5, pt.SpikeSourceArray([1.0]))
    varied = pt.StaticSynapse(weight=pt.Normal("2 nS", "0.5 nS", low=0), delay=pt.Uniform("0.1 ms", "3 ms"))
    return pt.Network(
        "held",
        [a, b, c, source],
        [
            pt.Projection(a, [a, b], pt.FixedInDegree(20), varied),
            pt.Projection(
                b, [a, b], pt.FixedProbability(0.4), pt.StaticSynapse("6 nS", "0.3 ms"), receptor="inhibitory"
            ),
            pt.Projection(a, b, pt.FixedTotalNumber(50), varied, receptor="inhibitory"),
            pt.Projection(
                a,
                c,
                pt.FixedTotalNumber(40),
                pt.StaticSynapse(weight=pt.Uniform("-20 pA", "-1 pA"), delay="0.2 ms"),
                receptor="inhibitory",
            ),
            pt.Projection(source, [a, b], pt.AllToAll(), pt.StaticSynapse("1 nS", "0.1 ms")),
        ],
        recordings=[pt.Record(a, "spikes")],
    )


def test_what_is_held_is_the_program(backend: str) -> None:
    net = network()
    program = resolve(net, 3, 0.1)
    with pt.open(net, backend, dt=0.1, seed=3, program=program, needs=["session.connections"]) as sim:
        sim.run(1.0)
        found = read_back(program, sim.connections())
        assert (found.missing, found.weight_error, found.delay_error, found.absent) == (0, 0.0, 0.0, ())
        assert found.connections == program.synapses > 2000
        # another program is told apart: one weight, one delay, one target changed
        for changed, what in _changed(program):
            other = read_back(changed, sim.connections())
            wrong = {"weight": other.weight_error, "delay": other.delay_error, "target": other.missing}
            assert wrong[what] > 0, what


def _changed(program: Any) -> Iterator[tuple[Program, str]]:
    first = program.connections[0]
    for what, change in (
        (
            "weight",
            {
                "weights": np.where(
                    np.arange(first.count) == 7, np.nextafter(first.weights, np.inf), first.weights
                )
            },
        ),
        (
            "delay",
            {
                "delays": np.where(np.arange(first.count) == 7, first.delays + 1, first.delays).astype(
                    first.delays.dtype
                )
            },
        ),
        (
            "target",
            {
                "targets": np.where(
                    np.arange(first.count) == 7, (first.targets + 1) % 70, first.targets
                ).astype(first.targets.dtype)
            },
        ),
    ):
        yield replace(program, connections=(replace(first, **change), *program.connections[1:])), what


def test_difference_counts_pairs_with_repeats() -> None:
    one = np.array([1, 1, 2]), np.array([5, 5, 0]), np.array([0.5, 0.25, 1.0]), np.array([1, 1, 1])
    other = np.array([2, 1, 1]), np.array([0, 5, 5]), np.array([1.0, 0.25, 0.5]), np.array([1, 1, 1])
    assert difference(one, other) == (0, 0.0, 0.0)
    fewer = other[0][1:], other[1][1:], other[2][1:], other[3][1:]
    assert difference(one, fewer)[0] == 1  # (2, 0) is on one side only
