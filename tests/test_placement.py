"""The way back from a simulator's numbers, without a simulator."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import portable as pt
from portable.backends import registry
from portable.backends.contract import RunConfig
from portable.backends.placement import Placement, nearest_steps, side_by_side
from portable.resolve import resolve
from portable.resolve.program import CellGroup, Program

PLACED = ("native", "nest", "brian2")  # whose simulators have numbers of their own


def program() -> Program:
    """Two types, two populations of one of them, given and Poisson sources, some recorded in
    part.
    """
    cell = pt.IF_curr_exp()
    sizes = {"a": 70, "b": 9}
    cells = {n: pt.Population(n, k, cell) for n, k in sizes.items()} | {
        "c": pt.Population("c", 3, pt.IF_cond_exp())
    }
    trains = pt.Population("trains", 5, pt.SpikeSourceArray([1.0]))
    noise = pt.Population("noise", 9, pt.SpikeSourcePoisson(rate="100 Hz"))
    weight = pt.StaticSynapse(0.01, 1.0)
    return resolve(
        pt.Network(
            "placed",
            [*cells.values(), trains, noise],
            [
                pt.Projection(trains, cells["b"], pt.AllToAll(), weight),
                pt.Projection(noise, [cells["a"], cells["b"]], pt.AllToAll(), weight),
            ],
            recordings=[
                pt.Record(cells["a"][10:20], "spikes"),
                pt.Record(cells["b"], "spikes"),
                pt.Record(cells["c"], "spikes"),
            ],
        ),
        1,
        0.1,
    )


@pytest.mark.parametrize("name", PLACED)
def test_every_population_has_a_place_of_its_own(name: str) -> None:
    made = program()
    placement = registry.get(name).lower(made, RunConfig()).plan.placement
    taken: dict[str, list[tuple[int, int]]] = {}
    for g in made.groups:
        if isinstance(g, CellGroup) or g.name == "trains":
            place = placement[g.name]
            assert place.size == g.size
            taken.setdefault(place.space, []).append((place.first, place.first + place.size))
    for spans in taken.values():
        spans.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize("name", PLACED)
def test_spikes_come_back_to_the_cells_that_sent_them(name: str) -> None:
    """Every cell sends one spike, stamped with its position; what is recorded comes back, nothing else."""
    made = program()
    placement = registry.get(name).lower(made, RunConfig()).plan.placement
    back = {}
    for space in {placement[g.name].space for g in made.cells}:
        mine = [g for g in made.cells if placement[g.name].space == space]
        numbers = np.concatenate([placement.numbers(g.name, np.arange(g.size)) for g in mine])
        stamps = np.concatenate([np.arange(g.size) + 1 for g in mine])
        order = np.random.default_rng(0).permutation(numbers.size)
        back |= placement.spikes(space, numbers[order], stamps[order])
    assert {n: sorted(ids.tolist()) for n, (ids, _) in back.items()} == {
        "a": list(range(10, 20)),
        "b": list(range(9)),
        "c": list(range(3)),
    }
    for ids, stamps in back.values():
        np.testing.assert_array_equal(stamps, ids + 1)


def test_connections_of_a_pair_out_of_all_of_a_simulator() -> None:
    """Rows of several pairs in one numbering; the rows, factor and order of the pair that is asked for."""
    placement = Placement(side_by_side([("a", 3), ("b", 2)], first=1), 0.1, {})
    sources, targets = np.array([1.0, 4.0, 3.0, 2.0]), np.array([5.0, 5.0, 4.0, 1.0])  # a->b b->b a->b a->a
    weights, delays = np.array([10.0, 20.0, 30.0, 40.0]), placement.steps(np.array([0.1, 0.2, 0.3, 0.4]))
    held = placement.connections({"p": 1000.0, "q": 1.0}, ("a", "b"), sources, targets, weights, delays)
    assert held.names == ("p", "q")
    assert held.factors == {"p": 1000.0}
    assert held.sources.tolist() == [0, 2]
    assert held.targets.tolist() == [1, 0]
    assert held.weights.tolist() == [10.0, 30.0]
    assert held.delays.tolist() == [1, 3]


@given(st.integers(1, 2**33), st.sampled_from([0.1, 0.05, 0.025, 1 / 3, 0.001, 1.0]))
def test_times_come_back_as_whole_steps(step: int, dt: float) -> None:
    """Held as a product, in ms or in s, and printed: exact up to 2^33 steps, far from where a float64 could
    not tell two steps apart (2^53).
    """
    assert nearest_steps(np.array([step * dt]), dt)[0] == step
    assert nearest_steps(np.array([step * (dt * 1e-3)]) * 1e3, dt)[0] == step
    assert nearest_steps(np.array([float(repr(step * dt))]), dt)[0] == step
