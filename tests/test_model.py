"""The nodes of a model: equality, hashing, printing, immutability, views, names of projections."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
import quantities as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import NMDA, QUADRATIC, networks

import portable as pt
from portable.frozen import Frozen
from portable.library.cells import CELLS
from portable.library.receptors import RECEPTORS
from portable.model.values import extremes, value

EXC = pt.Population("exc", 10, pt.IF_curr_exp)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), networks())
def test_equal_networks_hash_alike(a: pt.Network, b: pt.Network) -> None:
    assert a == copy.deepcopy(a)
    assert hash(a) == hash(copy.deepcopy(a))
    assert len({a, copy.deepcopy(a)}) == 1
    assert (a == b) == (repr(a) == repr(b) and pt.to_document(a) == pt.to_document(b))
    assert len(repr(a)) < 200


def test_one_changed_parameter_is_another_network() -> None:
    def net(**changes: Any) -> pt.Network:
        cell = pt.IF_curr_exp(tau_m=changes.get("tau_m", 20))
        exc = pt.Population("exc", 10, cell, {"v": changes.get("v", -60)})
        projection = pt.Projection(
            exc[: changes.get("stop", 5)],
            exc,
            pt.FixedInDegree(changes.get("n", 3)),
            pt.StaticSynapse(changes.get("w", 0.1), 1.5),
        )
        return pt.Network("x", [exc], [projection])

    for name, given_ in {"tau_m": 21, "v": -61, "stop": 6, "n": 4, "w": 0.2}.items():
        assert net() != net(**{name: given_}), name


def test_cells_are_told_apart_by_type_defaults_and_receptors() -> None:
    other = pt.CellType(pt.IF_curr_exp.component, pt.IF_curr_exp.receptors, defaults={"tau_syn_E": "1 ms"})
    assert other != pt.IF_curr_exp
    assert str(other().parameters["tau_syn_E"]) == "1.0 ms", "not the other type's cached form"
    assert str(pt.IF_curr_exp().parameters["tau_syn_E"]) == "5.0 ms"
    assert pt.IF_curr_exp(receptors={"a": pt.CurrExp()}) != pt.IF_curr_exp(receptors={"b": pt.CurrExp()})
    assert pt.IF_curr_exp(tau_m=20) == pt.IF_curr_exp(tau_m="20 ms")
    assert pt.IF_curr_exp(tau_m="20 ms") != pt.IF_curr_exp(tau_m="0.02 s"), "what the user wrote is kept"
    assert pt.IF_curr_exp().with_parameters(tau_m=7) == pt.IF_curr_exp(tau_m=7)


def test_zero_and_minus_zero_are_equal_and_hash_alike() -> None:
    assert pt.Array([0.0], "mV") == pt.Array([-0.0], "mV")
    assert hash(pt.Array([0.0], "mV")) == hash(pt.Array([-0.0], "mV"))


@pytest.mark.parametrize(
    "node",
    [
        *(k() for k in CELLS.values()),
        *CELLS.values(),
        *RECEPTORS.values(),
        pt.CurrExp(tau_syn=2),
        NMDA,
        QUADRATIC,
        pt.Array([1, 2], "mV"),
        EXC,
        EXC[2:5],
        EXC[[1, 2]],
        pt.SpikeSourceArray([[1, 2], [3]]),
        pt.SpikeSourcePoisson(5),
        pt.DCSource(1),
        pt.StepCurrentSource([1], [2]),
        pt.Record(EXC, "v"),
        pt.Injection(pt.DCSource(1), EXC),
        pt.Projection(EXC, EXC, pt.AllToAll()),
        pt.Normal(1, 2),
        pt.Quantity(1.0, "ms"),
    ],
    ids=lambda n: type(n).__name__,
)
def test_nodes_pickle_copy_print_and_hash(node: Any) -> None:
    for again in (pickle.loads(pickle.dumps(node)), copy.deepcopy(node), copy.copy(node)):
        assert again == node
        assert hash(again) == hash(node)
    assert 0 < len(repr(node)) < 500
    assert "object at 0x" not in repr(node)


def test_printing_is_short_and_says_what_matters() -> None:
    assert repr(pt.Population("exc", 10, pt.Izhikevich(a=0.1), {"v": pt.Uniform(-65, -50)})) == (
        "Population('exc', 10, Izhikevich(a=0.1 1/ms, b=0.2 1/ms, c=-65.0 mV, d=8.0 mV/ms, i_offset=0.0 nA, "
        "v_thresh=30.0 mV), "
        "initial={'v': Uniform(low=-65.0 mV, high=-50.0 mV)})"
    )
    assert repr(EXC[2:8:2]) == "exc[2:8:2]"
    assert repr(EXC[[1, 5]]) == "exc[2 cells]"
    assert repr(pt.Network("net", [EXC])) == "Network('net': 10 cells in 1 populations, 0 projections)"
    assert repr(pt.IF_curr_exp(v_rest=np.zeros(10**6)).parameters["v_rest"]) == "Array(1000000 values, 'mV')"


@pytest.mark.parametrize(
    "change",
    [
        lambda: setattr(EXC, "size", 3),
        lambda: EXC.cell.parameters.update(tau_m=3),
        lambda: EXC.cell.parameters.__setitem__("tau_m", 3),
        lambda: EXC.initial.pop("v"),
        lambda: setattr(pt.Array([1.0], "mV"), "unit", "V"),
        lambda: pt.Array([1.0], "mV").values.__setitem__(0, 2.0),
        lambda: setattr(pt.Network("x", [EXC]), "name", "y"),
        lambda: EXC.cell.receptors.clear(),
        lambda: EXC.cell.parameters.__ior__({}),
    ],
)
def test_nothing_can_be_changed(change: Any) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError, ValueError)):
        change()


def test_an_array_is_a_copy_of_what_the_user_gave() -> None:
    mine = np.array([1.0, 2.0])
    kept = pt.Array(mine, "mV")
    view = pt.Array(mine[::-1], "mV")
    mine[0] = 99.0
    assert kept.values.tolist() == [1.0, 2.0]
    assert view.values.tolist() == [2.0, 1.0]
    assert mine.flags.writeable


def test_frozen_mappings() -> None:
    assert Frozen(a=1, b=2) == {"b": 2, "a": 1}
    assert hash(Frozen(a=1, b=2)) == hash(Frozen(b=2, a=1))
    assert {**Frozen(a=1)} == {"a": 1}


@pytest.mark.parametrize(
    ("index", "ids"),
    [
        (slice(None), list(range(10))),
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, 3), [0, 3, 6, 9]),
        (slice(-2, None), [8, 9]),
        (slice(None, None, -4), [9, 5, 1]),
        (slice(8, 99), [8, 9]),
        (3, [3]),
        (-1, [9]),
        ([1, 5, 1], [1, 5, 1]),
        ((7, -10), [7, 0]),
        (np.array([2, 3], dtype=np.uint8), [2, 3]),
        (np.arange(10) > 7, [8, 9]),
        (np.int64(4), [4]),
        (slice(np.int64(1), np.int64(3)), [1, 2]),
    ],
)
def test_views_choose_like_numpy(index: Any, ids: list[int]) -> None:
    view = EXC[index]
    assert view.ids.tolist() == ids
    assert len(view) == len(ids)
    assert hash(pickle.loads(pickle.dumps(view))) == hash(view)


def test_projections_of_the_same_shape_get_their_own_names() -> None:
    """Names make the random streams, so two equal projections must not share edges."""
    same = [pt.Projection(EXC, EXC, pt.FixedProbability(0.1)) for _ in range(3)]
    net = pt.Network(
        "x", [EXC], [*same, pt.Projection(EXC, EXC, pt.AllToAll(), name="exc->exc/excitatory#2")]
    )
    assert [p.name for p in net.projections] == [
        "exc->exc/excitatory",
        "exc->exc/excitatory#3",
        "exc->exc/excitatory#4",
        "exc->exc/excitatory#2",
    ]
    assert pt.Network("x", [EXC], net.projections) == net, "numbering twice changes nothing"
    assert same[1].name == "exc->exc/excitatory", "the user's own node is left as it is"


@pytest.mark.parametrize(
    ("given_", "unit", "expected"),
    [
        ([1, 2.5], "ms", pt.Array([1, 2.5], "ms")),
        (["1 ms", "2 ms"], "ms", pt.Array([1, 2], "ms")),
        (["1 s", "2 s"], "ms", pt.Array([1, 2], "s")),
        ([pt.Quantity(1.0, "s"), "5 ms"], "ms", pt.Array([1000, 5], "ms")),
        (np.array([1, 2]), "mV", pt.Array([1, 2], "mV")),
        (np.array([1, 2]) * pq.nA, "pA", pt.Array([1, 2], "nA")),
        (range(3), "mV", pt.Array([0, 1, 2], "mV")),
        ([], "mV", pt.Array([], "mV")),
        ((np.float32(0.5),), "mV", pt.Array([0.5], "mV")),
        (pt.Array([1], " mV "), "mV", pt.Array([1], "mV")),
    ],
)
def test_arrays_from_what_users_write(given_: Any, unit: str, expected: pt.Array) -> None:
    assert value(given_, unit, "x") == expected


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_extremes_bound_a_distribution(low: float, width: float) -> None:
    read = value(pt.Clipped(pt.Uniform(low, low + width), low=low + width / 4), "V", "x")
    a, b = extremes(read)
    assert a == pytest.approx(1000 * (low + width / 4))
    assert b == pytest.approx(1000 * (low + width))
    assert extremes(value(pt.Normal(1, 0), "mV", "x")) == (1.0, 1.0)
    assert extremes(value(pt.Normal(1, 2), "mV", "x")) == (-np.inf, np.inf)
    assert extremes(value(pt.Lognormal(1, 2, high=5), "mV", "x")) == (0.0, 5.0)
    assert extremes(value([3.0, -1.0], "V", "x")) == (-1000.0, 3000.0)


def test_long_lists_make_no_call_per_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million plain numbers are read at once; `quantity` is called a handful of times, not once a
    number.
    """
    from portable.model import values

    calls = []
    real = values.quantity
    monkeypatch.setattr(values, "quantity", lambda *a: calls.append(1) or real(*a))
    assert len(value([0.5] * 100_000, "mV", "x")) == 100_000
    assert len(value(np.zeros(100_000), "mV", "x")) == 100_000
    assert len(calls) < 5
