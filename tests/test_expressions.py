"""The expression language: jLEMS's grammar, agreement with Python where the grammars agree, dimensions,
attacks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from portable.backends.machine.extern import binomial
from portable.dynamics.dimensions import dimension_of
from portable.dynamics.emit import PYTHON, emit
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import (
    FUNCTIONS,
    MAX_CHAIN,
    MAX_DEPTH,
    Bin,
    Call,
    Cmp,
    Logic,
    Name,
    Neg,
    Num,
    Where,
    names,
    substitute,
)
from portable.dynamics.grammar import MAX_LENGTH, parse
from portable.errors import ModelError
from portable.units import CAPACITANCE, CONDUCTANCE, CURRENT, NONE, TIME, VOLTAGE

SYMBOLS = frozenset({"x", "y", "v", "m", "h", "s"})
VALUES = {"x": 3.0, "y": -0.5, "v": -65.0, "m": 0.25, "h": 2.0, "s": 7.0}


def worth(text: str, **more: Any) -> Any:
    return evaluate(parse(text, SYMBOLS), {**VALUES, **more})


# Facts of jLEMS 0.14 (shared/neuroml notes, section 3.3), and the spellings that Python and Brian2 users
# know.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2^3^2", 64.0),
        ("2**3**2", 64.0),
        ("-x^2", -9.0),
        ("(-x)^2", 9.0),
        ("2^-1", 0.5),
        ("2^-1^2", 0.25),
        ("-2^2", -4.0),
        ("--x", 3.0),
        ("-+-x", 3.0),
        ("7 - 2 - 1", 4.0),
        ("8/4/2", 1.0),
        ("2*3 + 4*5", 26.0),
        ("2*-x", -6.0),
        ("1 - -1", 2.0),
        ("6/2*3", 9.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.5e-3", 0.0015),
        ("x .gt. 2", True),
        ("x .lt. 2", False),
        ("x .geq. 3", True),
        ("x .leq. 2.9", False),
        ("x .eq. 3", True),
        ("x .neq. 3", False),
        ("2.gt.1", True),
        ("1.lt.x", True),
        ("x .gt. 2 .and. y .lt. 0", True),
        ("x .lt. 2 .or. y .lt. 0", True),
        (".not. x .gt. 2", False),
        ("x > 2 && y > 0", False),
        ("x > 2 || y > 0", True),
        ("!(x > 2)", False),
        ("not x > 2 or y < 0", True),
        ("not (x > 2 or y < 0)", False),
        ("x > 2 or x > 1 and y > 0", True),
        ("x + 1 > 2*1", True),
        ("not not x > 2", True),
        ("H(0)", 0.5),
        ("H(2)", 1.0),
        ("H(-2)", 0.0),
        ("log(exp(2))", 2.0),
        ("ln(exp(2))", 2.0),
        ("log10(1000)", 3.0),
        ("exprel(0)", 1.0),
        ("ceil(1.2)", 2.0),
        ("floor(-1.2)", -2.0),
        ("min(x, y)", -0.5),
        ("max(x, y)", 3.0),
        ("abs(y)", 0.5),
        ("sqrt(x*x)", 3.0),
        ("where(x > 2, 1, 2)", 1.0),
        ("x < 2 ? 1 : x < 4 ? 5 : 6", 5.0),
        # s and m are symbols of this model
        ("1.5 ms", 1.5),
        ("-70*mV", -70.0),
        ("2 s", 2000.0 * 1.0),
        ("1 nA", 1000.0),
        ("10 mV/(5 ms)", 2.0),
        ("2*s", 14.0),
        ("m*2", 0.5),
    ],
)
def test_what_an_expression_means(text: str, value: float) -> None:
    if text == "2 s":  # there, a number directly before a unit is a unit all the same
        assert evaluate(parse(text), {}) == value
    else:
        assert worth(text) == pytest.approx(value, rel=1e-15)


def test_a_known_quirk_of_jlems_is_not_followed() -> None:
    """jLEMS 0.14 reads 2*-x^2 as 2*(-x)^2 = 18; we read it as everybody writes it. An importer of LEMS has to
    say so.
    """
    assert worth("2*-x^2") == -18.0


def numbers() -> st.SearchStrategy[str]:
    return st.sampled_from(["0", "1", "2.5", "x", "y", "v", "1e-3", "7."])


@st.composite
def sums(draw: st.DrawFn, depth: int = 2, powers: tuple[str, ...] = (" ** 2", "**3", "**-2", "**-1")) -> str:
    """Arithmetic in the common part of our grammar and Python's: no chained powers."""

    def atom(level: int) -> str:
        return f"({sums_of(level - 1)})" if level > 0 and draw(st.integers(0, 2)) == 0 else draw(numbers())

    def power(level: int) -> str:
        sign = draw(st.sampled_from(["", "", "-", "+", "--"]))
        return sign + atom(level) + draw(st.sampled_from(["", "", *powers]))

    def product(level: int) -> str:
        return "".join(
            [
                power(level),
                *(draw(st.sampled_from(["*", " / "])) + power(level) for _ in range(draw(st.integers(0, 2)))),
            ]
        )

    def sums_of(level: int) -> str:
        return "".join(
            [
                product(level),
                *(
                    draw(st.sampled_from([" + ", "-"])) + product(level)
                    for _ in range(draw(st.integers(0, 2)))
                ),
            ]
        )

    return sums_of(depth)


@st.composite
def conditions(draw: st.DrawFn) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        test = (
            f"{draw(sums(1, ()))} {draw(st.sampled_from(['<', '<=', '>', '>=', '==', '!=']))} "
            f"{draw(sums(1, ()))}"
        )
        test = f"({test})" if draw(st.booleans()) else test
        parts.append(draw(st.sampled_from(["", "not ", "not not "])) + test)
    return "".join([parts[0], *(draw(st.sampled_from([" and ", " or "])) + p for p in parts[1:])])


def python(text: str) -> Any:
    """Python's own reading, as the yardstick. Float powers, so that 0.0**-1 and overflow are errors, which we
    skip.
    """
    try:
        return eval(
            compile(text, "test", "eval"), {"__builtins__": {}}, {k: float(v) for k, v in VALUES.items()}
        )
    except (ZeroDivisionError, OverflowError):
        assume(False)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(sums())
def test_precedence_is_pythons(text: str) -> None:
    want = python(text)
    with np.errstate(all="ignore"):
        # Small powers are written as products, which round once more than pow: 3 roundings against 1,
        # amplified by cancellation.
        assert worth(text) == pytest.approx(want, rel=1e-9, abs=1e-9 * max(map(abs, magnitudes(text))))


def magnitudes(text: str) -> list[float]:
    """Sizes of the intermediate results, which bound the error that cancellation leaves."""
    seen = [1.0]

    def visit(e: Any) -> float:
        from portable.dynamics.expressions import children

        below = [visit(c) for c in children(e)]
        with np.errstate(all="ignore"):
            mine = abs(float(evaluate(e, VALUES)))
        seen.extend([mine, *below])
        return mine

    visit(parse(text, SYMBOLS))
    if not all(map(math.isfinite, seen)):
        assume(False)
    return seen


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(conditions())
def test_logic_is_pythons(text: str) -> None:
    """Without powers both are the same operations, to the last bit, so the comparisons agree exactly."""
    want = python(text)
    with np.errstate(all="ignore"):
        assert bool(worth(text)) == bool(want)


OPERANDS = st.deferred(lambda: TREES)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.floats(0, 1e6).map(Num) | st.sampled_from(sorted(SYMBOLS)).map(Name),
    lambda inside: st.one_of(
        st.builds(Neg, inside),
        st.builds(Bin, st.sampled_from("+-*/^"), inside, inside),
        st.builds(Cmp, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inside, inside),
        st.builds(Logic, st.sampled_from(["and", "or"]), st.tuples(inside, inside)),
        st.builds(Logic, st.just("not"), st.tuples(inside)),
        st.builds(Where, inside, inside, inside),
        st.sampled_from(sorted(FUNCTIONS - {"min", "max", "log", "binomial"})).flatmap(
            lambda f: st.builds(Call, st.just(f), st.tuples(inside))
        ),
        st.builds(Call, st.sampled_from(["min", "max"]), st.tuples(inside, inside)),
    ),
    max_leaves=15,
)
OURS = PYTHON.but(
    functions={f: f"{f}({{0}})" for f in FUNCTIONS} | {f: f"{f}({{0}}, {{1}})" for f in ("min", "max")},
    power="({a}^{b})",
    where="where({test}, {a}, {b})",
    expand_powers=False,
)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_a_tree_written_and_read_again_is_the_same_tree(tree: Any) -> None:
    assert parse(emit(tree, OURS), SYMBOLS) == tree


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sums(powers=(" ** 2", "**3")), st.booleans()
)  # pow() of C and of numpy may differ in the last bit: only powers that are products
def test_generated_python_and_evaluation_are_the_same_bits(text: str, negative: bool) -> None:
    """Sums, products and small powers are the same operations in the same order, so equal to the last bit."""
    expr = parse(f"-({text})" if negative else text, SYMBOLS)
    try:
        code = eval(emit(expr), {"__builtins__": {}}, dict(VALUES))
    except (ZeroDivisionError, OverflowError):
        assume(False)
    with np.errstate(all="ignore"):
        assert np.array_equal(np.float64(evaluate(expr, VALUES)), np.float64(code), equal_nan=True)


@pytest.mark.parametrize("fn", sorted(FUNCTIONS - {"log", "factorial", "random", "binomial"}))
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0, 2.7, 1e-9])
def test_generated_functions_and_evaluation_agree(fn: str, x: float) -> None:
    if fn in ("ln", "log10") and x == 0.0:
        return
    expr = parse(f"{fn}(x, 0.5)" if fn in ("min", "max") else f"{fn}(x)", SYMBOLS)
    code = eval(
        emit(expr),
        {k: getattr(math, k) for k in dir(math) if not k.startswith("_")}
        | {"min": min, "max": max, "abs": abs, "x": x},
    )
    assert evaluate(expr, {"x": x}) == pytest.approx(
        code, rel=1e-15 * 8
    )  # numpy's and libm's functions are each within 4 units in the last place


@pytest.mark.parametrize("p", [0.0, 0.03, 0.5, 0.97, 1.0])
def test_binomial_is_the_inverse_of_its_distribution(p: float) -> None:
    """Against scipy's quantiles, and machine code's function against the one on arrays."""
    u, n = np.linspace(0.0, 1.0, 101)[:-1] + 0.0031, np.array([[0.0], [1.0], [7.0], [60.0]])
    found = evaluate(Call("binomial", (Name("u"), Name("n"), Name("p"))), {"u": u, "n": n, "p": p})
    np.testing.assert_array_equal(found, np.maximum(scipy.stats.binom.ppf(u, n, p), 0.0))
    alone = [[binomial.function(x, float(m), p) for x in u] for m in n[:, 0]]
    np.testing.assert_array_equal(found, alone)


def test_arrays_broadcast() -> None:
    assert evaluate(
        parse("where(x > 1, x^2, y)", SYMBOLS), {"x": np.array([0.0, 3.0]), "y": 7.0}
    ).tolist() == [7.0, 9.0]
    with pytest.raises(KeyError):
        evaluate(parse("x"), {})


def test_names_and_substitution() -> None:
    expr = parse("x*exp(-y/x) + 2 ms", SYMBOLS)
    assert names(expr) == {"x", "y"}
    assert substitute(expr, {"y": parse("v + 1", SYMBOLS)}) == parse("x*exp(-(v + 1)/x) + 2 ms", SYMBOLS)


# --- errors and attacks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "something is missing at the end in expression ''; write it like '(v_rest - v)/tau_m'"),
        ("x +", "something is missing at the end"),
        ("(x", "expected ')', found the end".replace("the end", "'the end'")),
        ("x)", "unexpected ')'"),
        ("x y", "unexpected 'y'"),
        ("* x", "unexpected '*'"),
        ("x == ", "something is missing"),
        ("foo(x)", "unknown function 'foo'"),
        ("sgrt(x)", "unknown function 'sgrt' in expression 'sgrt(x)'; did you mean 'sqrt'?"),
        ("min(x)", "min() takes 2 arguments, got 1"),
        ("exp(x, y)", "exp() takes 1 argument, got 2"),
        ("where(x, y)", "where() takes 3 arguments, got 2"),
        ("exp()", "unexpected ')'"),
        ("x ? y", "expected ':'"),
        ("1e999", "a number too large"),
        ("1e308 V", "a number too large"),
        ("x < y < v", "unexpected '<'"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse(text, SYMBOLS)
    assert message in str(caught.value)
    assert caught.value.remedy


ATTACKS = [
    "__import__('os').system('touch pwned')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "lambda: x",
    "lambda x: x",
    "[c for c in x]",
    "{1: 2}",
    "x[0]",
    "x = 1",
    "x; y",
    "f'{x}'",
    "'text'",
    '"text"',
    "exec(x)",
    "eval(x)",
    "open(x)",
    "getattr(x, y)",
    "x if y else v",
    "yield x",
    "x:=1",
    "x @ y",
    "x % y",
    "x // y",
    "x << 9",
    "x & y",
    "`ls`",
    "$(ls)",
    "x\\\n",
    "#x",
    "0x10",
    "1_000",
    "1j",
    "0b1",
    "x.y",
    "import os",
    "π*x",
    "x²",
    "x−y",
    "∞",
    "x\u200by",
    "٣ + x",
    "ｘ",
    "\x00",
    "\ud800",
    "x\u2028y",
    "нa",
    "1e",
    "1.2.3",
    "..",
    "x!y",
    "x,y",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_but_the_grammar_is_read(text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        parse(text, SYMBOLS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "(" * 100_000 + "x" + ")" * 100_000,
            f"an expression of 200001 characters; at most {MAX_LENGTH} are "
            "read; split it into derived variables",
        ),
        ("(" * 9_000 + "x" + ")" * 9_000, f"more than {MAX_DEPTH} levels of nesting"),
        ("(" * 19_999, f"more than {MAX_DEPTH} levels of nesting"),
        ("exp(" * 3_000 + "x" + ")" * 3_000, f"more than {MAX_DEPTH} levels"),
        ("x ? " * 4_000, f"more than {MAX_DEPTH} levels"),
        ("x ? y : " * 2_000 + "x", f"more than {MAX_DEPTH} levels"),
        ("+".join("x" * 5_000), f"more than {MAX_CHAIN} chained operations"),
        ("^".join(["2"] * 5_000), f"more than {MAX_CHAIN} chained operations"),
        (" and ".join(["x"] * 2_000), f"more than {MAX_CHAIN} chained"),
        ("x" * 10**6, "an expression of 1000000 characters"),
        (" " * 10**6 + "x", "an expression of 1000001 characters"),
        ("where(" * 2_000, f"more than {MAX_DEPTH} levels"),
        ("2^-" * 5_000 + "x", f"more than {MAX_CHAIN} chained"),
    ],
)
def test_the_size_of_an_expression_is_bounded(text: str, message: str) -> None:
    """Without the bounds these end in RecursionError, or not at all."""
    with pytest.raises(ModelError) as caught:
        parse(text, SYMBOLS)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH - 1) + "x" + ")" * (MAX_DEPTH - 1),
        "+".join("x" * MAX_CHAIN),
        "-" * 10_000 + "x",
        "not " * 3_000 + "x",
        "exp(" * (MAX_DEPTH - 1) + "0*x" + ")" * (MAX_DEPTH - 1),
    ],
)
def test_what_is_within_the_bounds_can_be_used(text: str) -> None:
    """Every pass over a tree is recursive; the largest trees that the parser lets through must fit all of
    them.
    """
    expr = parse(text, SYMBOLS)
    with np.errstate(all="ignore"):
        evaluate(expr, VALUES)
    dimension_of(expr, dict.fromkeys(SYMBOLS, NONE))
    assert emit(expr)
    assert substitute(expr, {"x": Name("y")})


def test_huge_powers_are_infinite_and_quick() -> None:
    with np.errstate(over="ignore"):
        assert worth("9^9^9^9") == math.inf
        assert worth("9^(9^9)") == math.inf
        assert worth("9^(9^(9^9))") == math.inf


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_expression_or_one_error(text: str) -> None:
    try:
        parse(text)
    except ModelError as error:
        message = str(error)
    else:
        return
    assert message


@pytest.mark.parametrize("given_", [None, 3, b"x", ["x"]])
def test_an_expression_is_text(given_: Any) -> None:
    with pytest.raises(ModelError, match="an expression must be text, got"):
        parse(given_)


# --- dimensions

DIMENSIONS = {
    "v": VOLTAGE,
    "g": CONDUCTANCE,
    "i": CURRENT,
    "tau": TIME,
    "c": CAPACITANCE,
    "n": NONE,
    "E": VOLTAGE,
}


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("g*(E - v)", CURRENT),
        ("(E - v)/tau", VOLTAGE.over(TIME)),
        ("i/c", VOLTAGE.over(TIME)),
        ("g*tau", CAPACITANCE),
        ("v^2", VOLTAGE.power(2)),
        ("v^-1", VOLTAGE.power(-1)),
        ("sqrt(v*v)", VOLTAGE),
        ("n^n", NONE),
        ("exp(v/E)", NONE),
        ("v + 0", VOLTAGE),
        ("0 + v", VOLTAGE),
        ("0", NONE),
        ("max(v, 0)", VOLTAGE),
        ("abs(i)", CURRENT),
        ("H(v)", NONE),
        ("v > E and n > 2", NONE),
        ("where(v > E, i, 0)", CURRENT),
        ("v*0", VOLTAGE),
        ("v - 70 mV", VOLTAGE),
        ("n*2 nS", CONDUCTANCE),
        ("-v", VOLTAGE),
        ("v^0", NONE),
    ],
)
def test_the_dimension_of_an_expression(text: str, dimension: Any) -> None:
    assert dimension_of(parse(text, frozenset(DIMENSIONS)), DIMENSIONS) == dimension


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "v + i",
            "'v' is voltage (mV) but 'i' is current (pA) on the two sides of '+'; both must have the same "
            "dimension",
        ),
        ("v + 1", "'v' is voltage (mV) but '1.0' is dimensionless on the two sides of '+'"),
        ("v > 2", "'v' is voltage (mV) but '2.0' is dimensionless on the two sides of '>'"),
        (
            "exp(v)",
            "the argument of exp() must be dimensionless, got voltage (mV) in 'exp(v)'; divide it by a "
            "quantity of that dimension",
        ),
        ("n^v", "the exponent 'v' must be dimensionless, got voltage (mV)"),
        ("v^n", "'v' is voltage (mV) and can only be raised to a whole number up to 12, got 'n'"),
        ("v^0.5", "can only be raised to a whole number"),
        ("v^99", "can only be raised to a whole number"),
        ("sqrt(v)", "sqrt of voltage (mV)"),
        ("where(n > 1, v, i)", "on the two sides of 'where'"),
        ("max(v, i)", "on the two sides of 'max'"),
        ("q", "unknown name 'q'; known: E, c, g, i, n, tau, v"),
        ("taw", "unknown name 'taw'; did you mean 'tau'?"),
        ("not (v + i > 0)", "two sides of '+'"),
        ("1.5 ms + 2 mV", "is time (ms) but"),
    ],
)
def test_dimensions_that_do_not_fit(text: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        dimension_of(parse(text, frozenset(DIMENSIONS)), DIMENSIONS)
    assert message in str(caught.value)
    assert caught.value.remedy
