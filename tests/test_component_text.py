"""Component types from text: what is read, and one clear error for each mistake; receptor types likewise."""

from __future__ import annotations

from typing import Any

import pytest

import portable as pt
from portable.dynamics.emit import emit
from portable.library.cells import CELLS
from portable.library.receptors import RECEPTORS

LIF: dict[str, Any] = {
    "equations": "dv/dt = (E - v)/tau : mV",
    "parameters": {"tau": "20 ms", "E": "-65 mV", "v_t": "-50 mV"},
    "threshold": "v >= v_t",
    "reset": "v = E",
    "refractory": "2 ms",
    "initial": {"v": "E"},
}


def test_a_cell_type_is_what_the_text_says() -> None:
    kind = pt.cell_type("lif", **LIF)
    c = kind.component
    assert [(p.name, p.unit, str(p.default)) for p in c.parameters] == [
        ("tau", "ms", "20.0 ms"),
        ("E", "mV", "-65.0 mV"),
        ("v_t", "mV", "-50.0 mV"),
    ]
    assert [(s.name, s.unit, emit(s.initial)) for s in c.states] == [("v", "mV", "E")]
    assert {k: emit(e) for k, e in c.derivatives.items()} == {"v": "((E - v) / tau)"}
    assert [
        (emit(x.test), x.spike, [(a.variable, emit(a.expr)) for a in x.assignments]) for x in c.conditions
    ] == [("(v >= v_t)", True, [("v", "E")])]
    assert c.refractory is not None
    assert c.refractory.held == ("v",), "what the reset sets is held"


def test_comments_continuation_lines_and_spaces() -> None:
    text = """
        # the membrane
        dv/dt = (E -      # a comment in the middle
                 v)/tau
                 : mV
        x = v
            - E : mV
    """
    with pytest.raises(pt.ModelError, match="cannot read"):
        pt.cell_type(
            "lif", **{**LIF, "equations": text}
        )  # a line goes on only after an open bracket or operator
    joined = text.replace("tau\n", "tau").replace("= v\n", "= v").replace("tau                 :", "tau :")
    assert (
        pt.cell_type("lif", **{**LIF, "equations": joined}).component.derivatives
        == pt.cell_type("lif", **LIF).component.derivatives
    )


def test_flags_units_and_operators() -> None:
    kind = pt.cell_type(
        "x",
        equations="dv/dt = -v/tau : mV (held)\n dw/dt = -w/tau : pA",
        parameters={"tau": "20 ms"},
        threshold="v > 1 mV",
        reset="v -= 1 mV; w *= 2; w /= 4\n w += 1 pA",
        refractory="tau",
    )
    assert kind.component.refractory.held == ("v",)
    assert [(a.variable, emit(a.expr)) for a in kind.component.conditions[0].assignments] == [
        ("v", "(v - 1.0)"),
        ("w", "(w * 2.0)"),
        ("w", "(w / 4.0)"),
        ("w", "(w + 1.0)"),
    ]


def test_a_unit_alone_makes_a_parameter_required() -> None:
    kind = pt.cell_type("x", equations="dv/dt = -v*r*n : mV", parameters={"r": "1/ms", "n": "dimensionless"})
    assert [(p.name, p.unit, p.default) for p in kind.component.parameters] == [
        ("r", "1/ms", None),
        ("n", "1", None),
    ]
    with pytest.raises(pt.ModelError, match=r"x.r: has no default and no value was given; give it in 1/ms"):
        kind(n=1)
    assert str(kind(r="5 Hz", n=1)) == "x(r=5.0 Hz, n=1.0)"


def test_an_edge_fires_once_per_crossing() -> None:
    kind = pt.cell_type("x", **{**LIF, "edge": True})
    first, second = kind.component.conditions
    assert (emit(first.test), first.spike) == ("((v >= v_t) and (above < 0.5))", True)
    assert (emit(second.test), second.spike) == ("(not (v >= v_t))", False)


def changed(**changes: Any) -> dict[str, Any]:
    return {**LIF, **changes}


MISTAKES = [
    (
        changed(equations="dv/dt = (E - v)/tau"),
        "cell_type 'x'.equations: cannot read 'dv/dt = (E - v)/tau'; write 'dv/dt = expression : mV' or 'x "
        "= expression : unit'",
    ),
    (
        changed(equations="dv/dt = (E - v)/tau : msec"),
        "cell_type 'x'.equations: v: unknown unit 'msec'; did you mean 'ms'?",
    ),
    (
        changed(equations="dv/dt = (E - v) : mV"),
        "cell_type 'x'.equations: dv/dt: '(E - v)' is voltage (mV) but must be mV/ms; check the units of "
        "its parameters",
    ),
    (
        changed(equations="dv/dt = (E - v)/taw : mV"),
        "cell_type 'x'.equations: dv/dt: unknown name 'taw'; did you mean 'tau'?",
    ),
    (
        changed(equations="dv/dt = (E - tau)/tau : mV"),
        "cell_type 'x'.equations: dv/dt: 'E' is voltage (mV) but 'tau' is time (ms) on the two sides of "
        "'-'; both must have the same dimension",
    ),
    (
        changed(equations="dv/dt = (E - v/tau : mV"),
        "cell_type 'x'.equations: dv/dt: expected ')', found 'the end' in expression '(E - v/tau'; write it "
        "like '(v_rest - v)/tau_m'",
    ),
    (
        changed(equations="dv/dt = (E - v)/tau : mV\n dv/dt = 0 : mV"),
        "cell_type 'x'.v: is defined twice; rename one of them",
    ),
    (
        changed(equations="dv/dt = (E - v)/tau : mV\n tau = 1 : ms"),
        "cell_type 'x'.tau: is defined twice; rename one of them",
    ),
    (
        changed(equations="dv/dt = (E - v)/tau : mV (hold)"),
        "cell_type 'x'.equations: v: unknown flag (hold); only (held) is known: the state does not move "
        "while refractory",
    ),
    (
        changed(equations="dv/dt = (E - v)/tau : mV (held)", refractory=""),
        "cell_type 'x'.equations: 'v' is (held) but there is no refractory period; give "
        "refractory='tau_refrac' or drop the flag",
    ),
    (
        changed(equations="dv/dt = a/tau : mV\n a = b : mV\n b = a + v : mV"),
        "x.a: algebraic loop: a -> b -> a; make one of them a state variable",
    ),
    (
        changed(equations="dlambda/dt = -lambda/tau : mV"),
        "cell_type 'x'.equations: 'lambda' cannot be a name: it has a meaning of its own; call it for "
        "example lambda_0",
    ),
    (
        changed(equations="dt/dt = 1 : ms"),
        "cell_type 'x'.equations: 't' cannot be a name: it has a meaning of its own; call it for example t_0",
    ),
    (
        changed(equations="dv_/dt = 1 : ms"),
        "cell_type 'x'.equations: 'v_' cannot be a name; use letters, digits and _, starting with a letter, "
        "and no _ at the end",
    ),
    (
        changed(equations=3),
        "cell_type 'x'.equations: must be text, got 3; write 'dv/dt = (v_rest - v)/tau_m : mV'",
    ),
    (
        changed(equations="x" * 200_000),
        "cell_type 'x'.equations: 200000 characters; at most 100000 are read; write shorter equations",
    ),
    (
        changed(equations="(\n" * 30_000),
        "cell_type 'x'.equations: a line of more than 20000 characters: '"
        + "( " * 20
        + "...'; close its brackets, or split it into derived variables",
    ),
    (
        changed(equations="dv/dt = (E - v)/tau + i_syn/tau : mV"),
        "cell_type 'x'.equations: dv/dt: 'expr' is mV/ms but 'i' is pA/ms".replace(
            "'expr' is mV/ms but 'i' is pA/ms",
            "'((E - v) / tau)' is mV/ms but '(i_syn / tau)' is pA/ms on the two sides of '+'; both must "
            "have the same dimension",
        ),
    ),
    (
        changed(threshold="v"),
        "cell_type 'x'.threshold: 'v' is voltage (mV) but must be dimensionless; check the units of its "
        "parameters",
    ),
    (
        changed(threshold="v/E"),
        "cell_type 'x'.threshold: 'v/E' is no condition; write for example 'v >= v_thresh'",
    ),
    (
        changed(threshold="v >= 2"),
        "cell_type 'x'.threshold: 'v' is voltage (mV) but '2.0' is dimensionless on the two sides of '>='; "
        "both must have the same dimension",
    ),
    (
        changed(threshold=""),
        "cell_type 'x'.reset: there is a reset but no threshold; give threshold='v >= v_thresh'",
    ),
    (changed(reset="w = 0"), "cell_type 'x'.reset: 'w' is assigned but is no state variable; known: v"),
    (changed(reset="v == E"), "cell_type 'x'.reset: cannot read 'v == E'; write 'v = v_reset' or 'w += b'"),
    (
        changed(reset="v = tau"),
        "cell_type 'x'.reset: 'tau' is time (ms) but must be voltage (mV); check the units of its parameters",
    ),
    (
        changed(reset="v *= E"),
        "cell_type 'x'.reset: 'E' is voltage (mV) but must be dimensionless; check the units of its "
        "parameters",
    ),
    (
        changed(refractory="2"),
        "cell_type 'x'.refractory: '2' is dimensionless but must be time (ms); check the units of its "
        "parameters",
    ),
    (
        changed(refractory="2 ms*v/E"),
        "cell_type 'x'.refractory: '2 ms*v/E' depends on a state variable; use parameters only",
    ),
    (changed(initial={"u": "1"}), "cell_type 'x'.initial['u']: is no state variable; known: v"),
    (
        changed(initial={"v": "1 nA"}),
        "cell_type 'x'.initial['v']: '1 nA' is current (pA) but must be voltage (mV); check the units of "
        "its parameters",
    ),
    (
        changed(initial={"v": "v + E"}),
        "cell_type 'x'.initial['v']: may read parameters only; write the value that it has there",
    ),
    (changed(events={"in": "v += weight*1 nS"}), "cell_type 'x'.events['in']: '(weight*1 nS'"),
    (
        changed(parameters={"tau": "20 xx"}),
        "cell_type 'x'.parameters['tau']: unknown unit 'xx'; write it like \"mV\", \"nS\", \"1/ms\" or "
        '"uF/cm**2"',
    ),
    (
        changed(parameters={"tau": None}),
        "cell_type 'x'.parameters['tau']: expected a number or a quantity, got None; write for example \"20 "
        '1"',
    ),
    (
        changed(parameters={"weight": 1}),
        "cell_type 'x'.parameters['weight']: 'weight' cannot be a name: it has a meaning of its own; call "
        "it for example weight_0",
    ),
    (
        changed(parameters={"exp": 1}),
        "cell_type 'x'.parameters['exp']: 'exp' cannot be a name: it has a meaning of its own; call it for "
        "example exp_0",
    ),
    (
        changed(parameters={"a b": 1}),
        "cell_type 'x'.parameters['a b']: 'a b' cannot be a name; use letters, digits and _, starting with "
        "a letter, and no _ at the end",
    ),
    (
        changed(parameters={"tau\n": 1}),
        "cell_type 'x'.parameters['tau\n']: 'tau\n' cannot be a name; use letters, digits and _, starting "
        "with a letter, and no _ at the end",
    ),
    (
        changed(parameters={3: 1}),
        "cell_type 'x'.parameters['3']: '3' cannot be a name; use letters, digits and _, starting with a "
        "letter, and no _ at the end",
    ),
    (
        changed(parameters=[1]),
        'cell_type \'x\'.parameters: expected a mapping, got [1]; write {"tau_m": "20 ms"}',
    ),
    (
        changed(integrator="rk5"),
        "cell_type 'x'.integrator: unknown method 'rk5'; "
        'one of "euler", "exponential_euler", "rk4", "rkf45", or leave it out',
    ),
    (changed(positive=("taw",)), "cell_type 'x'.positive: 'taw' is no parameter; parameters: tau, E, v_t"),
    (
        changed(receptors={"e": "CurrExp"}),
        "cell_type 'x'.receptors['e']: expected a receptor type, got 'CurrExp'; write for example pt.CurrExp",
    ),
    (
        changed(receptors={"e": pt.CurrExp}),
        "x.receptors['e']: CurrExp adds to 'i_syn', which x does not read; a receptor of x can add to: "
        "nothing",
    ),
]


@pytest.mark.parametrize(("given", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_one_clear_error_for_each_mistake(given: dict[str, Any], message: str) -> None:
    with pytest.raises(pt.ModelError) as caught:
        pt.cell_type("x", **given)
    if message.endswith("nS'"):
        assert str(caught.value).startswith("cell_type 'x'.events['in']: ")
        return
    assert str(caught.value) == message


def test_equations_cannot_double_at_every_line() -> None:
    """forty lines of x1 = x0 + x0 would be 10^12 terms when written out."""
    lines = "\n".join(f"x{i + 1} = x{i} + x{i} : mV" for i in range(40))
    with pytest.raises(
        pt.ModelError,
        match=r"x.x13: written out in full it has 32767 terms and is 15 deep; at most 20000 and 200; make "
        r"one of the variables",
    ):
        pt.cell_type(
            "x", equations=f"dv/dt = -x40/tau : mV\nx0 = v + v : mV\n{lines}", parameters={"tau": "1 ms"}
        )


# --- receptors

ALPHA: dict[str, Any] = {
    "equations": "dg/dt = -g/tau : uS",
    "parameters": {"tau": "5 ms", "e_rev": "0 mV"},
    "events": {"in": "g += weight"},
    "requires": {"v": "mV"},
    "exposes": {"i_syn": "g*(e_rev - v)"},
}


def test_a_receptor_type_of_ones_own_is_like_a_built_in() -> None:
    mine = pt.receptor_type(
        "CondExp",
        equations="dgsyn/dt = -gsyn/tau_syn : uS",
        parameters={"tau_syn": "5 ms", "e_rev": "mV"},
        positive=("tau_syn",),
        requires={"v": "mV"},
        events={"in": "gsyn += weight"},
        exposes={"i_syn": "gsyn*(e_rev - v)"},
    )
    assert (
        pt.IF_cond_exp(receptors={"x": mine(tau_syn=3, e_rev=0)}).flat.text()
        == pt.IF_cond_exp(receptors={"x": pt.CondExp(tau_syn=3, e_rev=0)}).flat.text()
    )


def test_what_inhibits_is_not_a_matter_of_a_receptors_name() -> None:
    """A conductance has no reversal potential of its own: one of 0 mV made a receptor named "inhibitory"
    excite."""
    own = pt.cell_type(
        "Own",
        equations="dv/dt = (v_r - v)/tau + i_syn/cm : mV",
        parameters={"v_r": "-65 mV", "tau": "10 ms", "cm": "1 nF"},
        receptors={"excitatory": pt.CondExp, "inhibitory": pt.CondAlpha},
    )
    with pytest.raises(pt.ModelError, match=r"Own\.e_rev_E: has no default.*give it in mV"):
        own()
    with pytest.raises(pt.ModelError, match=r"Own\.e_rev_I: has no default"):
        own(e_rev_E=0)
    with pytest.raises(pt.ModelError, match=r"CondExp\.e_rev: has no default"):
        pt.CondExp(tau_syn=2)
    assert "e_rev_I=-80.0 mV" in repr(own(e_rev_E=0, e_rev_I=-80))
    for standard in (pt.IF_cond_exp, pt.IF_cond_alpha, pt.EIF_cond_exp_isfa_ista, pt.HH_cond_exp):
        values = standard().parameters
        reversal = -70 if standard.name.startswith("IF") else -80  # PyNN's
        assert (str(values["e_rev_E"]), str(values["e_rev_I"])) == ("0.0 mV", f"{reversal}.0 mV")


def test_a_type_does_not_lose_values_of_a_receptor() -> None:
    """They were dropped without a word."""
    how: dict[str, Any] = {
        "equations": "dv/dt = -v/tau + i_syn/cm : mV",
        "parameters": {"tau": "10 ms", "cm": "1 nF"},
    }
    with pytest.raises(pt.ModelError, match=r"\['slow'\]: has values, which a type does not keep.*pt\.Curr"):
        pt.cell_type("x", receptors={"slow": pt.CurrExp(tau_syn="50 ms")}, **how)
    plain = pt.cell_type("x", receptors={"slow": pt.CurrExp()}, **how)
    assert plain == pt.cell_type("x", receptors={"slow": pt.CurrExp}, **how)


def test_a_receptor_type_attaches_with_its_parameters() -> None:
    cell = pt.IF_curr_exp(receptors={"slow": pt.receptor_type("Slow", **ALPHA)(tau="80 ms")})
    assert str(cell.parameters["tau_slow"]) == "80.0 ms"
    assert cell.flat.port("slow").weight_unit == "uS"
    assert "g_slow" in cell.flat.state_names


@pytest.mark.parametrize(("changes", "message"), [
    ({"events": {}}, "receptor_type 'r'.events: needs exactly one port, got 0; write {\"in\": \"g += "
                     "weight\"}; join two assignments with ;"),
    ({"events": {"a": "g += weight", "b": "g += weight"}}, "receptor_type 'r'.events: needs exactly one "
                                                           "port, got 2; write {\"in\": \"g += weight\"}; "
                                                           "join two assignments with ;"),
    ({"events": "g += weight"}, "receptor_type 'r'.events: expected a mapping, got 'g += weight'; write for "
                                "example {\"in\": \"g += weight\"}"),
    ({"exposes": {}}, "receptor_type 'r'.exposes: is empty, so the cell would not feel it; write "
                      "{\"i_syn\": \"g*(e_rev - v)\"}"),
    ({"exposes": {"i_syn": "g*(e_rev - u)"}}, "receptor_type 'r'.exposes['i_syn']: unknown name 'u'; known: "
                                              "e_rev, g, i_ext, t, tau, v"),
    ({"requires": {"v": "msec"}}, "receptor_type 'r'.requires['v']: unknown unit 'msec'; did you mean 'ms'?"),
    ({"requires": {}}, "receptor_type 'r'.exposes['i_syn']: unknown name 'v'; known: e_rev, g, i_ext, t, "
                       "tau"),
    ({"positive": ("x",)}, "receptor_type 'r'.positive: 'x' is no parameter; parameters: tau, e_rev"),
    ({"equations": "dg/dt = -g : uS"}, "receptor_type 'r'.equations: dg/dt: '-g' is conductance (nS) but "
                                       "must be nS/ms; check the units of its parameters"),
])  # fmt: skip
def test_mistakes_in_a_receptor_type(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(pt.ModelError) as caught:
        pt.receptor_type("r", **{**ALPHA, **changes})
    assert str(caught.value) == message


@pytest.mark.parametrize(("changes", "message"), [
    ({"exposes": {"i_syn": "g"}}, "IF_curr_exp.receptors['r']: r adds conductance (nS) to 'i_syn', which is "
                                  "current (pA) in IF_curr_exp; check the units of its equations"),
    ({"exposes": {"i_sin": "g*v"}}, "IF_curr_exp.receptors['r']: r adds to 'i_sin', which IF_curr_exp does "
                                    "not read; a receptor of IF_curr_exp can add to: i_syn"),
    ({"requires": {"v": "mV", "ca": "mM"}}, "IF_curr_exp.receptors['r']: r reads 'ca', which IF_curr_exp "
                                            "does not have; did you mean"),
    ({"requires": {"v": "mV", "cm": "mV"}}, "IF_curr_exp.receptors['r']: r reads 'cm' as voltage (mV), but "
                                            "in IF_curr_exp it is capacitance (pF); give both the same unit"),
])  # fmt: skip
def test_a_receptor_that_does_not_fit_its_cell(changes: dict[str, Any], message: str) -> None:
    kind = pt.receptor_type("r", **{**ALPHA, **changes})
    with pytest.raises(pt.ModelError) as caught:
        pt.IF_curr_exp(receptors={"r": kind()})
    assert str(caught.value).startswith(message.split("; did")[0])


def test_name_clashes_between_a_cell_and_its_receptors() -> None:
    with pytest.raises(pt.ModelError, match=r"x: the name 'g_a' is defined twice; rename one of them"):
        pt.cell_type(
            "x",
            equations="dv/dt = -v/tau : mV\n dg_a/dt = i_syn/tau : pA",
            parameters={"tau": "1 ms"},
            receptors={"a": pt.receptor_type("r", **ALPHA)},
        )
    with pytest.raises(pt.ModelError, match=r"the receptor 'a' is defined twice"):
        pt.cell_type(
            "x",
            equations="dv/dt = -v/tau + i_syn/(1 pF) : mV",
            parameters={"tau": "1 ms"},
            receptors={"a": pt.CurrExp},
            events={"a": "v += weight"},
        )


@pytest.mark.parametrize("kind", [*CELLS.values(), *RECEPTORS.values()], ids=lambda k: k.name)
def test_every_standard_type_says_what_it_is(kind: Any) -> None:
    c = kind.component
    assert c.description.endswith(".")
    assert any(mark in c.source for mark in ("doi:10.", "&")), "the paper"
    assert c.aliases
    required = {p.name: 0 for p in kind.component.parameters if p.default is None}
    assert set(required) <= {"e_rev"}  # which says whether a conductance excites
    assert kind(**required).type == kind


def test_conditions_and_inputs_of_a_cell_type() -> None:
    cell = pt.cell_type(
        "graded",
        equations="dv/dt = (i_in - g*(v - v_peer))/C : mV\ndup/dt = 0 : 1",
        parameters={"C": "1 pF", "g": "1 nS", "v_th": "0 mV"},
        inputs={"v_peer": "mV", "i_in": "nA"},
        threshold="v > 2*v_th",
        reset="v = 0 mV",
        conditions=[("v > v_th and up < 0.5", "up = 1; spike"), ("v < v_th", "up = 0")],
    )
    flat = cell().flat
    assert [c.spike for c in flat.conditions] == [True, True, False]
    assert [[a.variable for a in c.assignments] for c in flat.conditions] == [["v"], ["up"], ["up"]]
    assert list(flat.inputs) == ["v_peer", "i_in"]
    assert "\ninput v_peer [mV]" in flat.text()
    assert "\ninput" not in pt.IF_curr_exp().flat.text()


@pytest.mark.parametrize(("given", "message"), [
    ({"inputs": {"x": "mV", "v": "mV"}}, "v: is defined twice"),
    ({"inputs": {"x": "parsec"}}, r"inputs\['x'\]"),
    ({"inputs": {"t": "ms"}}, r"inputs\['t'\]: 't' cannot be a name"),
    ({"inputs": "x"}, "inputs: expected a mapping"),
    ({"inputs": {"x": "nA"}, "conditions": [("v > x", "spike")]}, r"conditions\[0\]: .*two sides of '>'"),
    ({"conditions": [("v/(1*mV)", "spike")]}, r"conditions\[0\]: 'v/\(1\*mV\)' is no condition"),
    ({"conditions": [("v > 1*mV", "")]}, r"conditions\[0\]: .*does nothing"),
    ({"conditions": [("v > 1*mV", "spikes")]}, r"conditions\[0\]: cannot read 'spikes'"),
    ({"conditions": [("v > 1*mV", "w = 1")]}, r"conditions\[0\]: 'w' is assigned but is no state variable"),
    ({"conditions": ["v > 1*mV"]}, r"conditions\[0\]: expected \(test, statements\)"),
    ({"conditions": "v > 1*mV"}, "conditions: expected a list"),
    ({"inputs": {"x": "mV"}, "initial": {"v": "x"}}, r"initial\['v'\]: may read parameters only"),
    ({"inputs": {"d": "ms"}, "refractory": "d", "threshold": "v > 1*mV", "reset": "v = 0*mV"}, "refractory: "
                                                                                               "'d' depends "
                                                                                               "on a state "
                                                                                               "variable"),
])  # fmt: skip
def test_bad_conditions_and_inputs(given: dict[str, Any], message: str) -> None:
    with pytest.raises(pt.ModelError, match=message):
        pt.cell_type("bad", equations="dv/dt = 1 mV/ms : mV", parameters={}, **given)


def test_more_receptors_than_a_sum_may_have_are_refused_in_words() -> None:
    with pytest.raises(pt.ModelError, match=r"many.*i_syn: .* is 300 deep; at most 20000 and 200"):
        pt.cell_type(
            "many",
            equations="dv/dt = (i_syn - v*g)/cm : mV",
            parameters={"cm": "200 pF", "g": "10 nS"},
            receptors={f"r{i}": pt.CurrExp for i in range(300)},
        )()
