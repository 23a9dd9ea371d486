"""The grammar of LEMS files against jLEMS 0.14.0 itself.

The numbers are what jnml printed (float32, eight digits) for one component type with these as
DerivedVariables and the tests as cases of ConditionalDerivedVariables, x = 3, y = -0.5, z = 7, recorded by an
OutputFile:

    java -jar jNeuroML-0.14.0-jar-with-dependencies.jar probe.xml -nogui
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import MAX_DEPTH, Bin, Call, Name, Num
from portable.dynamics.grammar import parse
from portable.errors import ModelError

VALUES = {"x": 3.0, "y": -0.5, "z": 7.0}
FLOAT32 = 6e-8  # half a unit in the last of jnml's places, relative; and 5e-9 from its eight digits
NUMBERS = [
    ("-x^2", -9.0),
    ("2*-x^2", 18.0),
    ("2/-x^2", 0.22222222),
    ("1 + -x^2", 10.0),
    ("1 - -x^2", -8.0),
    ("2^3^2", 64.0),
    ("2^-1", 0.5),
    ("2^-1^2", 0.25),
    ("2^-x^2", 0.015625),
    ("x - y - z", -3.5),
    ("x/y/z", -0.85714287),
    ("x/y*z", -42.0),
    ("x*y/z", -0.21428572),
    ("x*y/z*x/z", -0.091836736),
    ("x - y + z - x", 7.5),
    ("x + y - z + x", -1.5),
    ("-x*y", 1.5),
    ("-x/y", 6.0),
    ("-x + y", -3.5),
    ("-x - y", -2.5),
    ("x^2*-1", -9.0),
    ("(-x)^2", 9.0),
    ("(-x^2)", -9.0),
    ("-(x^2)", -9.0),
    ("1e-3", 0.001),
    ("1E3", 1000.0),
    ("1.e-3", 0.001),
    (".5", 0.5),
    ("5.", 5.0),
    ("2.5e+2", 250.0),
    ("-5", -5.0),
    ("-5*x", -15.0),
    ("+x", 3.0),
    ("+x^2", 9.0),
    ("--x", 3.0),
    ("--x^2", -9.0),
    ("x--y", 2.5),
    ("3 * (+x)", 9.0),
    ("exp(-x^2)", 1.234098e-4),
    ("exp(-y)", 1.6487212),
    ("ln(x)", 1.0986123),
    ("log(x)", 1.0986123),
    ("sqrt(x*x*2)", 4.2426405),
    ("sin(x)", 0.14112),
    ("cos(x)", -0.9899925),
    ("tan(x)", -0.14254655),
    ("sinh(x)", 10.017875),
    ("cosh(x)", 10.067662),
    ("tanh(y)", -0.46211717),
    ("abs(y)", 0.5),
    ("ceil(y)", -0.0),
    ("ceil(1.2)", 2.0),
    ("ceil(-1.2)", -1.0),
    ("factorial(5)", 120.0),
    ("factorial(0)", 1.0),
    ("H(0)", 0.5),
    ("H(x)", 1.0),
    ("H(y)", 0.0),
    ("sin(x)^2", 0.019914856),
    ("-sin(x)^2", -0.019914856),
    ("2*-sin(x)^2", 0.039829712),
    ("(x + y)*z", 17.5),
    ("((x))", 3.0),
    ("x*(y - z)^2", 168.75),
    ("exp (y)", 0.60653067),
    ("x^0.5", 1.7320508),
    ("2^x^y", 0.35355338),
    ("-2^2", -4.0),
    ("3 - 2*-2^2", -5.0),
    ("1/2^-2", 4.0),
    ("x^-y", 1.7320508),
    ("0 - -2^2", -4.0),
    ("x*-y*-z", -10.5),
    ("exp(x)*-y^2", 5.0213842),
    ("(x)-(y)", 3.5),
    ("1e3*x - 1e-3*x", 2999.997),
    ("1e-200*1e-200/1e-200*1e200", 1.0),
    ("1 + 1e20 - 1e20", 1.0),  # / before *, - before +
]
TESTS = [
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
    ("x .gt. 2 .or. x .gt. 1 .and. y .gt. 0", False),
    ("x .gt. 2 .or. (x .gt. 1 .and. y .gt. 0)", True),
    ("x .lt. 2 .and. y .lt. 0 .or. z .gt. 1", True),
    ("x .lt. 2 .and. (y .lt. 0 .or. z .gt. 1)", False),
    ("x .gt. -x^2", False),
    ("10 .gt. -x^2", True),
    ("x + 1 .gt. 2*1", True),
    ("-x^2 .lt. 0", True),
    ("(x .gt. 2) .and. (y .lt. 0)", True),
    ("x .gt. 5 .or. y .gt. 0 .or. z .gt. 6", True),
    ("x - y .gt. y - x", True),
    ("x .eq. 3 .and. y .lt. 0", True),
    ("y .lt. 0 .and. (x .eq. 3)", True),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_a_number_is_what_jlems_computes(text: str, value: float) -> None:
    assert float(evaluate(parse(text, lems=True), VALUES)) == pytest.approx(value, rel=2 * FLOAT32, abs=0.0)


@pytest.mark.parametrize(("text", "value"), TESTS)
def test_a_condition_is_what_jlems_decides(text: str, value: bool) -> None:
    assert bool(evaluate(parse(text, lems=True), VALUES)) is value


# All of these jnml refuses too.
@pytest.mark.parametrize(
    "text",
    [
        "x---y",
        "2*+x",
        "x*--y",
        "x y",
        "2 ms",
        "3 mV*x",
        "min(x, y)",
        "log10(x)",
        "floor(x)",
        "2(3)",
        "x**2",
        "2 + ",
        "(x",
        "foo(x)",
        "max(x)",
        "x % 2",
        "2e",
        "1.2.3",
        "x!",
        "2x",
        "x < 2",
        "x .gt. 2 && y .lt. 0",
        "not x .gt. 2",
        "1 .lt. x .lt. 5",
        "x .gt. 2 and y .lt. 0",
        "x ? 1 : 2",
        "x == 3",
        "!(x .gt. 2)",
        "x)",
        "*x",
        "exp x",  # these three it reads as x, 0*x and exp(x); nobody means them
        "",
        "()",
        "where(x .gt. 2, 1, 2)",
        "1e999",
        "(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1),
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        parse(text, lems=True)


def test_units_are_names_there() -> None:
    assert parse("v/mV + ms", lems=True) == Bin("+", Bin("/", Name("v"), Name("mV")), Name("ms"))
    assert parse("v/mV").b == Num(1.0, parse("mV").dimension)  # type: ignore[union-attr]


def test_what_jlems_refuses_and_we_read() -> None:
    """Their meaning is clear: `.not.` takes one comparison, `.eq.` binds like the other comparisons."""
    for text, value in (
        (".not. x .gt. 2", False),
        (".not. x .gt. 2 .or. y .lt. 0", True),
        ("y .lt. 0 .and. x .eq. 3", True),
        ("x .eq. 3 .and. y .eq. -0.5", True),
    ):
        assert bool(evaluate(parse(text, lems=True), VALUES)) is value


def test_functions_of_lems() -> None:
    assert parse("random(2*x)", lems=True) == Call("random", (Bin("*", Num(2.0), Name("x")),))
    assert parse("log(x)", lems=True) == Call("ln", (Name("x"),))


def test_factorial() -> None:
    """n! by multiplying from 1 up; jLEMS has no value for fractions and negative numbers."""
    found = evaluate(
        parse("factorial(x)"), {"x": np.array([0.0, 1.0, 5.0, 20.0, 170.0, 171.0, 2.5, -1.0, np.nan, np.inf])}
    )
    assert found[:4].tolist() == [1.0, 1.0, 120.0, float(math.factorial(20))]
    assert found[4] == pytest.approx(float(math.factorial(170)), rel=170 * 2.0**-53)
    assert found[5] == math.inf
    assert np.isnan(found[6:9]).all()
    assert found[9] == math.inf
