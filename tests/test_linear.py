"""Linear analysis and exact propagators against closed forms; flattening: names and order."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

import portable as pt
from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import Flat
from portable.dynamics.grammar import parse
from portable.dynamics.linear import Propagator, affine, linear, propagator, structure

# The matrix exponential of these small, well-scaled matrices is good to a few units in the last place of its
# largest entry (Higham 2005: backward stable); 1e-13 relative leaves two digits of room, and a wrong term
# would be off by 1e-3.
TIGHT = {"rel": 1e-13, "abs": 1e-300}


def coherent(cell: pt.Cell) -> dict[str, float]:
    values = {k: v.coherent() for k, v in cell.parameters.items()}
    for d in cell.flat.constants:
        values[d.name] = float(evaluate(d.expr, values))
    return values


def step(cell: pt.Cell, dt: float, held: tuple[str, ...] = ()) -> Propagator:
    system = linear(cell.flat)
    assert system is not None
    return propagator(system, coherent(cell), dt, held)


def entry(p: Propagator, row: str, column: str) -> float:
    return float(p.P[0, p.states.index(row), p.states.index(column)])


def one(p: Propagator, which: str, row: str) -> float:
    return float(getattr(p, which)[0, p.states.index(row)])


@pytest.mark.parametrize("dt", [0.1, 0.025, 1.0, 10.0])
def test_a_leaky_membrane_with_exponential_currents(dt: float) -> None:
    """Rotter & Diesmann 1999: v decays with tau_m; a current jump I adds I/C * tau_m*tau_s/(tau_m - tau_s) *
    (e^(-t/tau_m) - e^(-t/tau_s)).
    """
    tau_m, tau_e, tau_i, c, rest, i0 = 20.0, 5.0, 2.0, 250.0, -65.0, 100.0
    p = step(
        pt.IF_curr_exp(
            tau_m=tau_m, tau_syn_E=tau_e, tau_syn_I=tau_i, cm="250 pF", v_rest=rest, i_offset="100 pA"
        ),
        dt,
    )
    m = math.exp(-dt / tau_m)
    assert entry(p, "v", "v") == pytest.approx(m, **TIGHT)
    for port, tau in (("exc", tau_e), ("inh", tau_i)):
        s = math.exp(-dt / tau)
        assert entry(p, f"isyn_{port}", f"isyn_{port}") == pytest.approx(s, **TIGHT)
        assert entry(p, "v", f"isyn_{port}") == pytest.approx(
            tau_m * tau / (tau_m - tau) * (m - s) / c, rel=1e-12
        )  # the yardstick itself cancels a digit
        assert entry(p, f"isyn_{port}", "v") == 0.0
    assert one(p, "Q", "v") == pytest.approx(-tau_m / c * math.expm1(-dt / tau_m), **TIGHT)
    assert one(p, "R", "v") == pytest.approx(-(rest + i0 * tau_m / c) * math.expm1(-dt / tau_m), **TIGHT)


@pytest.mark.parametrize("dt", [0.1, 1.0])
def test_equal_time_constants_are_no_special_case(dt: float) -> None:
    """tau_m = tau_syn: the closed form is the limit t/C * e^(-t/tau); the formula with 1/(tau_m - tau_s)
    divides by zero there.
    """
    p = step(pt.IF_curr_exp(tau_m=5, tau_syn_E=5, tau_syn_I=5 * (1 + 1e-9), cm="1 pF"), dt)
    assert entry(p, "v", "isyn_exc") == pytest.approx(dt * math.exp(-dt / 5), **TIGHT)
    assert entry(p, "v", "isyn_inh") == pytest.approx(dt * math.exp(-dt / 5), rel=1e-9 * dt), (
        "nearly equal ones do not cancel either"
    )


@pytest.mark.parametrize("t", [0.1, 0.5, 2.0, 7.0])
def test_an_alpha_current_is_the_alpha_function(t: float) -> None:
    """A spike of weight w: i(t) = w * e * t/tau * e^(-t/tau), peak w at tau."""
    tau, w = 2.0, 30.0
    cell = pt.IF_curr_alpha(tau_syn_E=tau, cm="1 pF", tau_m=10)
    p = step(cell, t)
    port = cell.flat.port("excitatory")
    assert port is not None
    jump = evaluate(port.jumps()["jsyn_exc"], {**coherent(cell), "weight": w})
    assert entry(p, "isyn_exc", "jsyn_exc") * jump == pytest.approx(
        w * math.e * t / tau * math.exp(-t / tau), **TIGHT
    )
    if t == tau:
        assert entry(p, "isyn_exc", "jsyn_exc") * jump == pytest.approx(w, **TIGHT)
    # v of a cell that integrates the alpha function, by partial fractions, with b = 1/tau_m - 1/tau (worked
    # by hand).
    b = 1 / 10.0 - 1 / tau
    v = math.exp(-t / 10) * w * math.e / tau * (math.exp(b * t) * (t / b - 1 / b**2) + 1 / b**2)
    assert entry(p, "v", "jsyn_exc") * jump == pytest.approx(
        v, rel=1e-12 / t
    )  # the yardstick cancels at small t


def test_alpha_with_equal_time_constants() -> None:
    """tau_m = tau: v(t) = w*e/tau * t^2/2 * e^(-t/tau)."""
    t, tau = 0.7, 3.0
    p = step(pt.IF_curr_alpha(tau_m=tau, tau_syn_E=tau, cm="1 pF"), t)
    assert entry(p, "v", "jsyn_exc") == pytest.approx(t**2 / 2 * math.exp(-t / tau), **TIGHT)


def test_ten_steps_are_one_long_step() -> None:
    short, long = step(pt.IF_curr_alpha(), 0.1), step(pt.IF_curr_alpha(), 1.0)
    ten = np.linalg.matrix_power(short.P[0], 10)
    assert np.allclose(ten, long.P[0], rtol=1e-12, atol=1e-15)  # ten products, each rounding once per entry


def test_a_held_state_does_not_move_and_the_others_go_on() -> None:
    p, free = step(pt.IF_curr_alpha(), 0.1, held=("v",)), step(pt.IF_curr_alpha(), 0.1)
    v = p.states.index("v")
    assert p.P[0, v].tolist() == np.eye(len(p.states))[v].tolist()
    assert p.Q[0, v] == 0.0
    assert p.R[0, v] == 0.0
    rest = [i for i in range(len(p.states)) if i != v]
    # Their rows are the same numbers, through another matrix: equal to rounding.
    assert np.allclose(p.P[0][np.ix_(rest, rest)], free.P[0][np.ix_(rest, rest)], rtol=1e-14, atol=0)


def test_a_state_driven_by_a_held_one_sees_it_constant() -> None:
    """w' = (a*v - w)/tau_w with v held: w(t) = w0 e^(-t/tau_w) + a*v*(1 - e^(-t/tau_w))."""
    kind = pt.cell_type(
        "adapting",
        equations="dv/dt = -v/tau_m : mV (held)\n dw/dt = (a*v - w)/tau_w : pA",
        parameters={"tau_m": "20 ms", "tau_w": "100 ms", "a": "2 nS"},
        threshold="v >= 10 mV",
        reset="v = 0 mV",
        refractory="2 ms",
    )
    p = step(kind(), 5.0, held=kind().flat.held)
    assert entry(p, "w", "v") == pytest.approx(-2.0 * math.expm1(-5 / 100), **TIGHT)
    assert entry(p, "w", "w") == pytest.approx(math.exp(-5 / 100), **TIGHT)


def test_one_propagator_per_cell_in_order() -> None:
    """Heterogeneous parameters: row i belongs to cell i, also where cells share parameters."""
    taus = np.array([20.0, 5.0, 20.0, 7.0, 5.0])
    cell = pt.IF_curr_exp(tau_m=taus)
    values: Mapping[str, object] = {k: v.coherent() for k, v in cell.parameters.items()}
    system = linear(cell.flat)
    assert system is not None
    p = propagator(system, values, 0.1)  # type: ignore[arg-type]
    v = p.states.index("v")
    assert p.P.shape == (5, 3, 3)
    assert p.P[:, v, v] == pytest.approx(np.exp(-0.1 / taus), **TIGHT)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pt.IF_curr_exp, True),
        (pt.IF_curr_alpha, True),
        (pt.IF_curr_delta, True),
        (pt.IF_cond_exp, False),
        (pt.IF_cond_alpha, False),
        (pt.EIF_cond_exp_isfa_ista, False),
        (pt.Izhikevich, False),
        (pt.HH_cond_exp, False),
    ],
)
def test_which_standard_cells_are_linear(kind: pt.CellType, expected: bool) -> None:
    assert (linear(kind().flat) is not None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a*x + b*y + 3", True),
        ("(x - y)/a", True),
        ("-(x + 1)*b", True),
        ("a*(b*(x + y))", True),
        ("where(a > 1, x, y)", True),
        ("a^2 + b", True),
        ("x - x", True),
        ("x*y", False),
        ("x^2", False),
        ("a/x", False),
        ("exp(x)", False),
        ("where(x > 1, a, b)", False),
        ("x^1", False),
        ("max(x, 0)", False),
        ("x*x", False),
    ],
)
def test_what_is_affine(text: str, expected: bool) -> None:
    """And where it is, the parts add up to the whole, at numbers chosen to meet nowhere."""
    variables = frozenset({"x", "y"})
    expr = parse(text, variables | {"a", "b"})
    parts = affine(expr, variables)
    assert (parts is not None) == expected
    if parts:
        values = {"a": 1.7, "b": -0.3, "x": 2.9, "y": 11.3}
        total = sum(evaluate(e, values) * (1.0 if k == "1" else values[k]) for k, e in parts.items())
        assert total == pytest.approx(evaluate(expr, values), rel=1e-13, abs=1e-13)


def test_time_in_an_equation_is_not_linear() -> None:
    kind = pt.cell_type(
        "driven", equations="dv/dt = (sin(t/tau)*E - v)/tau : mV", parameters={"tau": "1 ms", "E": "1 mV"}
    )
    assert linear(kind().flat) is None


# --- flattening


def test_names_of_receptors_on_the_cell_are_pynns() -> None:
    flat = pt.IF_cond_exp(receptors={"nmda": pt.CondAlpha(e_rev=0)}).flat
    assert {p.name for p in flat.parameters} >= {
        "tau_syn_E",
        "tau_syn_I",
        "e_rev_E",
        "e_rev_I",
        "tau_syn_nmda",
        "e_rev_nmda",
    }
    assert flat.state_names == ("v", "gsyn_exc", "gsyn_inh", "hsyn_nmda", "gsyn_nmda")
    assert [(p.name, p.weight_unit) for p in flat.ports] == [
        ("excitatory", "uS"),
        ("inhibitory", "uS"),
        ("nmda", "uS"),
    ]
    assert flat.receptors == {"excitatory": "CondExp", "inhibitory": "CondExp", "nmda": "CondAlpha"}


def order(flat: Flat) -> list[str]:
    return [d.name for d in flat.derived]


def test_derived_variables_are_in_order_of_evaluation() -> None:
    kind = pt.cell_type(
        "chain",
        equations="c = b*2 : mV\n b = a + v : mV\n dv/dt = -c/tau : mV\n k = 2*tau : ms",
        parameters={"tau": "1 ms", "a": "1 mV"},
    )
    flat = kind().flat
    assert order(flat) == ["b", "c"]
    assert [d.name for d in flat.constants] == ["k"], "what reads parameters only is worked out once"
    assert flat.inlined(flat.derivatives["v"]) == parse("-((a + v)*2)/tau", frozenset({"a", "v", "tau"}))


def test_two_flats_with_one_text_are_one_model() -> None:
    assert pt.IF_curr_exp(tau_m=10).flat.digest == pt.IF_curr_exp(tau_m=20).flat.digest
    assert pt.IF_curr_exp().flat.digest != pt.IF_curr_alpha().flat.digest
    assert (
        len(
            {
                kind().flat.digest
                for kind in (
                    pt.IF_curr_exp,
                    pt.IF_curr_alpha,
                    pt.IF_curr_delta,
                    pt.IF_cond_exp,
                    pt.IF_cond_alpha,
                    pt.Izhikevich,
                )
            }
        )
        == 6
    )


def test_ports_that_add_and_ports_that_do_not() -> None:
    kind = pt.cell_type(
        "odd",
        equations="dv/dt = -v/tau : mV",
        parameters={"tau": "1 ms"},
        events={"add": "v += 2*weight", "scale": "v *= weight", "twice": "v += weight; v += weight"},
        weight_units={"scale": "1"},
    )
    ports = {p.name: p.jumps() for p in kind().flat.ports}
    assert ports["add"] == {"v": parse("2*weight", frozenset({"weight"}))}
    assert ports["scale"] is None
    assert ports["twice"] is None


def test_the_structure_says_what_can_differ_from_zero():
    """x decays by itself, y is driven by x and a constant that happens to be 0, z by the current alone. With
    y held, y's row is the identity and x and z are as before."""
    cell = pt.cell_type(
        "chain",
        equations="dx/dt = -x/tau : mV\n dy/dt = (x - y + c)/tau : mV\n dz/dt = i_ext/cm : mV",
        parameters={"tau": "10 ms", "c": "0 mV", "cm": "1 nF"},
    )()
    system = linear(cell.flat)
    assert system is not None
    found, held = structure(system), structure(system, ("y",))
    assert dict(found.reads) == {"x": ("x",), "y": ("x", "y"), "z": ("z",)}
    assert (found.driven, found.constant) == ({"z"}, {"y"})
    assert dict(held.reads) == {"x": ("x",), "y": ("y",), "z": ("z",)}
    assert not held.constant


@pytest.mark.parametrize("cell", [pt.IF_curr_exp, pt.IF_curr_alpha, pt.IF_curr_delta])
def test_nothing_outside_the_structure_differs_from_zero(cell):
    for held in ((), cell().flat.held):
        p, form = step(cell(i_offset=0.1), 0.1, held), structure(linear(cell().flat), held)
        for i, state in enumerate(p.states):
            assert tuple(np.array(p.states)[p.P[0, i] != 0.0]) == form.reads[state]
            assert (p.Q[0, i] != 0.0) == (state in form.driven)
            assert (p.R[0, i] != 0.0) == (state in form.constant)
