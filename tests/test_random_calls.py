"""Where random(x) may stand, what it depends on, and that models without it are not touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.dynamics.random_calls import draws, numbered, unnumbered
from portable.resolve import resolve
from portable.schemas.neuroml.write_lems import write_lems

HERE = {"equations": "dx/dt = -x/tau : 1", "parameters": {"tau": "5 ms"}}


@pytest.mark.parametrize(("changed", "path"), [
    ({"equations": "dx/dt = -x*random(1)/tau : 1"}, "equations: dx/dt"),
    ({"equations": "dx/dt = -x/tau : 1\n y = random(x) : 1"}, "equations: y"),
    ({"equations": "dx/dt = -x/tau : 1\n c = random(tau) : ms"}, "equations: c"),
    ({"threshold": "x > random(1)"}, "conditions"),
    ({"conditions": [("x > 0 and random(1) < 0.5", "x = 0")]}, "conditions"),
    ({"threshold": "x > 1", "reset": "x = 0", "refractory": "random(tau)"}, "refractory"),
])  # fmt: skip
def test_where_it_cannot_stand(changed: dict[str, Any], path: str) -> None:
    with pytest.raises(pt.ModelError) as caught:
        pt.cell_type("here", **{**HERE, **changed})
    assert str(caught.value).startswith(
        f"cell_type 'here'.{path}: random() cannot stand here; draw in an assignment"
    )


def test_not_in_what_a_receptor_adds() -> None:
    with pytest.raises(pt.ModelError, match=r"exposes\['i_syn'\]: random\(\) cannot stand here"):
        pt.receptor_type(
            "noisy",
            equations="dg/dt = -g/tau : nA",
            parameters={"tau": "5 ms"},
            events={"in": "g += weight"},
            exposes={"i_syn": "random(g)"},
        )


def test_it_has_the_dimension_of_its_argument() -> None:
    with pytest.raises(pt.ModelError, match=r"is time \(ms\) but must be dimensionless"):
        pt.cell_type("here", **HERE, threshold="x > 1", reset="x = random(tau)")
    with pytest.raises(pt.ModelError, match=r"random\(\) takes 1 argument, got 2"):
        pt.cell_type("here", **HERE, threshold="x > 1", reset="x = random(0, 1)")


def start(size: int, *others: pt.Population, seed: int = 1, name: str = "cells") -> Any:
    cell = pt.cell_type("here", **HERE, initial={"x": "3*random(2) + 1"})
    return (
        resolve(pt.Network("n", [*others, pt.Population(name, size, cell())]), seed).group(name).initial["x"]
    )  # type: ignore[union-attr]


def test_initial_values_are_drawn_for_each_cell() -> None:
    """A function of seed, population and position: neither other populations nor the size matter."""
    x = start(1000)
    assert x.min() >= 1.0
    assert x.max() < 7.0
    assert abs(x.mean() - 4.0) < 4.5 * 6.0 / np.sqrt(12 * 1000)
    np.testing.assert_array_equal(start(1500, pt.Population("first", 7, pt.IF_curr_exp()))[:1000], x)
    assert not np.any(start(1000, seed=2) == x)
    assert not np.any(start(1000, name="others") == x)


def test_users_initial_values_win() -> None:
    cell = pt.cell_type("here", **HERE, initial={"x": "random(1)"})
    group = resolve(pt.Network("n", [pt.Population("cells", 3, cell(), initial={"x": 5.0})]), 0).group(
        "cells"
    )
    assert group.initial["x"] == 5.0  # type: ignore[union-attr]


def test_calls_are_numbered_in_order() -> None:
    """Conditions, ports, initial values; a model without calls stays the same object."""
    cell = pt.cell_type(
        "here",
        **HERE,
        conditions=[("x > 1", "x = random(random(1))")],
        events={"in": "x = x + weight*random(1)"},
        initial={"x": "random(1)"},
    )
    flat = numbered(cell().flat)
    assert draws(a.expr for a in flat.conditions[0].assignments) == [(0, "random_0_"), (1, "random_1_")]
    assert draws(a.expr for a in flat.ports[0].assignments) == [(2, "random_2_")]
    assert draws([flat.states[0].initial]) == [(3, "random_3_")]
    assert unnumbered(flat) == cell().flat
    assert numbered(pt.IF_cond_exp().flat) is pt.IF_cond_exp().flat


def test_documents_keep_the_calls() -> None:
    cell = pt.cell_type("here", **HERE, threshold="x > 1", reset="x = random(1)", initial={"x": "random(1)"})
    net = pt.Network("n", [pt.Population("cells", 3, cell())])
    assert pt.from_document(pt.to_document(net)) == net


def test_written_as_lems() -> None:
    """jLEMS draws there: random(1), whose argument can have no dimension. What would be written twice is
    refused.
    """
    cell = pt.cell_type(
        "here",
        equations="dnext/dt = 0 : ms",
        parameters={"tau": "5 ms"},
        threshold="t > next",
        reset="next = next + random(2*tau)",
    )
    text = "".join(
        str(t)
        for t in write_lems(
            resolve(pt.Network("n", [pt.Population("cells", 3, cell())]), 0), steps=10
        ).files.values()
    )
    assert "(next + (random(1) * (2.0 * tau)))" in text
    twice = pt.cell_type("here", **HERE, threshold="x > 1", reset="x = min(random(1), 0.5)")
    with pytest.raises(pt.ModelError, match="assign it to a state variable first"):
        write_lems(resolve(pt.Network("n", [pt.Population("cells", 3, twice())]), 0), steps=10)
