"""Units and quantities: reading, exactness, dimensions, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import quantities as pq
from hypothesis import given
from hypothesis import strategies as st

from portable.errors import ModelError
from portable.units import (
    CAPACITANCE,
    CONDUCTANCE,
    CURRENT,
    NONE,
    RATE,
    TIME,
    UNIT_NAMES,
    VOLTAGE,
    Dimension,
    Quantity,
    coherent_unit,
    describe,
    quantity,
    unit,
)

finite = st.floats(-1e200, 1e200, allow_nan=False)


# What one of each is in the coherent system (ms, mV, pA, um, K, 1e-18 mol), worked out by hand from SI.
@pytest.mark.parametrize(
    ("text", "coherent", "dimension"),
    [
        ("ms", 1, TIME),
        ("s", 1e3, TIME),
        ("us", 1e-3, TIME),
        ("second", 1e3, TIME),
        ("mV", 1, VOLTAGE),
        ("V", 1e3, VOLTAGE),
        ("uV", 1e-3, VOLTAGE),
        ("volt", 1e3, VOLTAGE),
        ("pA", 1, CURRENT),
        ("nA", 1e3, CURRENT),
        ("uA", 1e6, CURRENT),
        ("µA", 1e6, CURRENT),
        ("μA", 1e6, CURRENT),
        ("fA", 1e-3, CURRENT),
        ("A", 1e12, CURRENT),
        ("nS", 1, CONDUCTANCE),
        ("uS", 1e3, CONDUCTANCE),
        ("S", 1e9, CONDUCTANCE),
        ("pS", 1e-3, CONDUCTANCE),
        ("pF", 1, CAPACITANCE),
        ("nF", 1e3, CAPACITANCE),
        ("uF", 1e6, CAPACITANCE),
        ("Hz", 1e-3, RATE),
        ("kHz", 1, RATE),
        ("1/ms", 1, RATE),
        ("per_ms", 1, RATE),
        ("ms^-1", 1, RATE),
        ("ms**-1", 1, RATE),
        ("nS_per_mV", 1, CONDUCTANCE.over(VOLTAGE)),
        ("nS/mV", 1, CONDUCTANCE.over(VOLTAGE)),
        ("mV*ms^-1", 1, VOLTAGE.over(TIME)),
        ("mV/ms", 1, VOLTAGE.over(TIME)),
        # 1e-2 F/m2 = 1e10 pF / 1e12 um2
        ("uF/cm**2", 1e-2, CAPACITANCE.over(Dimension(l=2))),
        ("uF_per_cm2", 1e-2, CAPACITANCE.over(Dimension(l=2))),
        ("Ohm*m", 1e-3, VOLTAGE.over(CURRENT).times(Dimension(l=1))),  # 1e3 mV / 1e12 pA * 1e6 um
        ("mM", 1, Dimension(n=1, l=-3)),
        ("mol/m^3", 1, Dimension(n=1, l=-3)),  # 1e18 amol / 1e18 um3
        ("K", 1, Dimension(k=1)),
        ("1", 1, NONE),
        ("", 1, NONE),
        ("dimensionless", 1, NONE),
        ("mV/V", 1e-3, NONE),
    ],
)
def test_one_of_each(text: str, coherent: float, dimension: Dimension) -> None:
    assert unit(text).dimension == dimension
    assert 10.0 ** unit(text).coherent_power == pytest.approx(coherent, rel=1e-15), (
        "powers of ten, so only the literal's rounding"
    )


def test_the_coherent_units_are_one() -> None:
    for dimension in (
        NONE,
        TIME,
        VOLTAGE,
        CURRENT,
        CONDUCTANCE,
        CAPACITANCE,
        RATE,
        Dimension(m=1),
        Dimension(n=2, l=-1),
        Dimension(j=1, t=-2),
    ):
        name = coherent_unit(dimension)
        if (
            "ng" not in name and "amol" not in name and "cd" not in name
        ):  # base symbols that are names for people only
            assert unit(name).dimension == dimension
            assert unit(name).coherent_power == 0


@given(finite)
def test_a_value_in_its_coherent_unit_is_kept_to_the_last_bit(x: float) -> None:
    for name in ("ms", "mV", "pA", "nS", "pF", "1/ms", "1"):
        assert Quantity(x, name).coherent() == x


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_powers_of_ten_are_one_correctly_rounded_operation(mantissa: int, places: int) -> None:
    """A decimal number of nA is the same float as that number of pA: 0.281 nA is 281 pA, not
    281.00000000000006.
    """
    x = mantissa / 10**places
    assert Quantity(x, "nA").coherent() == x * 1000.0
    assert Quantity(x, "us").coherent() == x / 1000.0
    assert Quantity(float(mantissa), "nA").to("pA") == mantissa * 1000.0


@given(finite, st.sampled_from(sorted(UNIT_NAMES)))
def test_text_and_back(x: float, name: str) -> None:
    q = quantity(Quantity(x, name), name)
    assert quantity(str(q), name) == q
    assert hash(quantity(str(q), name)) == hash(q)


@pytest.mark.parametrize(
    "given_",
    [
        "20 ms",
        "20ms",
        " 20.0  ms ",
        "2e1 ms",
        "+20 ms",
        "20. ms",
        20,
        20.0,
        np.float32(20),
        np.int64(20),
        np.array(20.0),
        20 * pq.ms,
        pq.Quantity(20, "ms"),
        Quantity(20, " ms"),
    ],
)
def test_the_spellings_of_20_ms(given_: object) -> None:
    if isinstance(given_, np.ndarray) and not hasattr(given_, "dimensionality"):
        given_ = given_[()]
    found = quantity(given_, "ms", "tau")
    assert found == Quantity(20.0, "ms")
    assert isinstance(found.value, float)
    assert (str(found), repr(found)) == ("20.0 ms", "20.0 ms")


@pytest.mark.parametrize(
    ("given_", "want", "coherent"),
    [
        (0.02 * pq.s, "ms", 20.0),
        (pq.Quantity(1, "uF/cm**2"), "uF/cm^2", 1e-2),
        (5 * pq.dimensionless, "1", 5.0),
        (3 / pq.s, "Hz", 3e-3),
        (pq.Quantity(2.0, "nS"), "uS", 2.0),
        (1 * pq.kHz, "1/ms", 1.0),
    ],
)
def test_quantities_objects(given_: object, want: str, coherent: float) -> None:
    assert quantity(given_, want).coherent() == pytest.approx(coherent, rel=1e-15)


def test_conversion() -> None:
    assert Quantity(1.5, "s").to("ms") == 1500.0
    assert float(Quantity(1.5, "s")) == 1.5
    with pytest.raises(ModelError, match=r"1.5 s is not a voltage \(mV\)"):
        Quantity(1.5, "s").to("mV")


ERRORS = [
    ("20 mV", "ms", "tau: must be a time (ms), got 20.0 mV which is voltage (mV); give it in ms"),
    ("20 msec", "ms", "tau: unknown unit 'msec'; did you mean 'ms'?"),
    ("20 mV/msec", "mV/ms", "tau: unknown unit 'msec' in 'mV/msec'; did you mean 'ms'?"),
    ("20 qq", "ms", 'tau: unknown unit \'qq\'; write it like "mV", "nS", "1/ms" or "uF/cm**2"'),
    ("ms", "ms", "tau: cannot read 'ms' as a quantity; write a number and a unit, like \"20 ms\""),
    ("", "ms", "tau: cannot read '' as a quantity; write a number and a unit, like \"20 ms\""),
    ("20,5 ms", "ms", 'tau: cannot read the unit \',5 ms\'; write it like "mV", "nS", "1/ms" or "uF/cm**2"'),
    (
        "x" * 10_000,
        "ms",
        "tau: cannot read '" + "x" * 60 + '\' as a quantity; write a number and a unit, like "20 ms"',
    ),
    (
        "1 " + "m*" * 10_000,
        "ms",
        "tau: a unit must be text of at most 100 characters, got 'm*m*m*m*m*m*m*m*m*m*'; write it like "
        '"mV"',
    ),
    (
        "1 ms^99999999999999999999",
        "ms",
        "tau: the exponent 99999999999999999999 in the unit 'ms^99999999999999999999' is too large; at most "
        "12",
    ),
    (math.nan, "ms", "tau: must be finite, got nan; give a number in ms"),
    ("nan ms", "ms", "tau: must be finite, got nan; give a number in ms"),
    ("-inf", "ms", "tau: must be finite, got -inf; give a number in ms"),
    (1e308, "s", "tau: must be finite, got 1e+308; give a number in s"),  # finite in s, not in ms
    ("1e999 ms", "ms", "tau: must be finite, got inf; give a number in ms"),
    (10**400, "ms", "tau: is too large a number; give a number in ms"),
    (None, "ms", 'tau: expected a number or a quantity, got None; write for example "20 ms"'),
    (True, "ms", 'tau: expected a number or a quantity, got True; write for example "20 ms"'),
    (1j, "ms", 'tau: expected a number or a quantity, got 1j; write for example "20 ms"'),
    ([1, 2], "ms", 'tau: expected a number or a quantity, got [1, 2]; write for example "20 ms"'),
    ("٢٠ ms", "ms", "tau: cannot read '٢٠ ms' as a quantity; write a number and a unit, like \"20 ms\""),
    (
        Quantity(1.0, "parsec"),
        "ms",
        'tau: unknown unit \'parsec\'; write it like "mV", "nS", "1/ms" or "uF/cm**2"',
    ),
    (1 * pq.kg, "ms", None),
    (pq.Quantity([1, 2], "ms"), "ms", None),
    (1 * pq.degC, "ms", None),
]


@pytest.mark.parametrize(("given_", "want", "message"), ERRORS, ids=range(len(ERRORS)))
def test_what_is_no_quantity(given_: object, want: str, message: str | None) -> None:
    with pytest.raises(ModelError) as caught:
        quantity(given_, want, "tau")
    assert str(caught.value).startswith("tau: ")
    assert caught.value.remedy
    assert message is None or str(caught.value) == message


@given(st.text(max_size=30))
def test_any_text_is_a_unit_or_one_error(text: str) -> None:
    try:
        power = unit(text).power
    except ModelError as error:
        remedy = error.remedy
    else:
        remedy = "none needed" if isinstance(power, int) else ""
    assert remedy


def test_describe() -> None:
    assert describe(VOLTAGE) == "voltage (mV)"
    assert describe(NONE) == "dimensionless"
    assert describe(VOLTAGE.over(TIME)) == "mV/ms"
