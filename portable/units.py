"""Dimensions, units and quantities.

Inside `portable` every number is in one *coherent* system whose base is ms, mV, pA, um, K, 1e-18 mol: so
capacitance is in pF, conductance in nS, charge in fC, rate in 1/ms, concentration in mol/m3, and no
equation needs a conversion factor. All its factors to SI are powers of ten, applied as one multiplication
or division, so a value given in the coherent unit is kept to the last bit.

Users' floats are in the unit that the parameter declares (PyNN's units for the standard library).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError, suggestion

Floats = npt.NDArray[np.float64]


class Dimension(NamedTuple):
    """Exponents of the seven SI base dimensions, in LEMS' order m, l, t, i, k, n, j."""

    m: int = 0
    l: int = 0  # noqa: E741  LEMS' name
    t: int = 0
    i: int = 0
    k: int = 0
    n: int = 0
    j: int = 0

    def times(self, other: Dimension) -> Dimension:
        return Dimension(*(a + b for a, b in zip(self, other, strict=True)))

    def over(self, other: Dimension) -> Dimension:
        return Dimension(*(a - b for a, b in zip(self, other, strict=True)))

    def power(self, n: int) -> Dimension:
        return Dimension(*(a * n for a in self))


NONE = Dimension()
TIME = Dimension(t=1)
VOLTAGE = Dimension(m=1, l=2, t=-3, i=-1)
CURRENT = Dimension(i=1)
CONDUCTANCE = CURRENT.over(VOLTAGE)
CAPACITANCE = CONDUCTANCE.times(TIME)
RATE = NONE.over(TIME)
LENGTH = Dimension(l=1)

# log10 of (coherent unit in SI) of each base dimension: ms = 1e-3 s, pA = 1e-12 A, um = 1e-6 m, 1e-18 mol;
# mass follows from mV = 1e-3 kg m2 s-3 A-1  =>  m = -3 - 2*(-6) + 3*(-3) + (-12) = -12.
_COHERENT = Dimension(m=-12, l=-6, t=-3, i=-12, k=0, n=-18, j=0)
# The coherent unit's name where it has a usual one.
_NAMES = {
    NONE: "1", TIME: "ms", VOLTAGE: "mV", CURRENT: "pA", CONDUCTANCE: "nS", CAPACITANCE: "pF", RATE: "1/ms",
    LENGTH: "um", VOLTAGE.over(TIME): "mV/ms", CURRENT.over(TIME): "pA/ms", CONDUCTANCE.over(TIME): "nS/ms",
    CURRENT.times(TIME): "fC", VOLTAGE.over(CURRENT): "GOhm", Dimension(k=1): "K", Dimension(n=1, l=-3): "mM",
}  # fmt: skip

_PREFIX = {
    "": 0,
    "G": 9,
    "M": 6,
    "k": 3,
    "c": -2,
    "m": -3,
    "u": -6,
    "µ": -6,
    "μ": -6,
    "n": -9,
    "p": -12,
    "f": -15,
}
_SI: dict[str, tuple[Dimension, int]] = {
    "s": (TIME, 0), "V": (VOLTAGE, 0), "A": (CURRENT, 0), "S": (CONDUCTANCE, 0), "F": (CAPACITANCE, 0),
    "Hz": (RATE, 0), "m": (LENGTH, 0), "Ohm": (VOLTAGE.over(CURRENT), 0), "ohm": (VOLTAGE.over(CURRENT), 0),
    "C": (CURRENT.times(TIME), 0), "K": (Dimension(k=1), 0), "mol": (Dimension(n=1), 0),
    "M": (Dimension(n=1, l=-3), 3), "l": (Dimension(l=3), -3), "J": (VOLTAGE.times(CURRENT).times(TIME), 0),
}  # fmt: skip
_TABLE: dict[str, tuple[Dimension, int]] = {
    prefix + name: (dim, power + p) for name, (dim, p) in _SI.items() for prefix, power in _PREFIX.items()
}
_TABLE |= {
    "1": (NONE, 0),
    "dimensionless": (NONE, 0),
    "second": (TIME, 0),
    "volt": (VOLTAGE, 0),
    "amp": (CURRENT, 0),
}
del _TABLE["fM"], _TABLE["cM"]

UNIT_NAMES = frozenset(_TABLE)


@dataclass(frozen=True)
class Unit:
    """A parsed unit: its dimension and the power of ten that takes it to SI."""

    text: str
    dimension: Dimension
    power: int

    @property
    def coherent_power(self) -> int:
        """log10 of this unit in the coherent system."""
        return self.power - sum(a * b for a, b in zip(self.dimension, _COHERENT, strict=True))


_CACHE: dict[str, Unit] = {}
_FACTOR = re.compile(r"\s*([*/]?)\s*(per_)?([A-Za-zµμ]+|1)(?:\s*(?:\*\*|\^)?\s*(-?\d+))?", re.A)
_LONGEST, _LARGEST_EXPONENT = 100, 12


def unit(text: str) -> Unit:
    """Parse "mV", "nS/mV", "1/ms", "uF/cm**2", "mV*ms^-1" or LEMS' "per_ms", "nS_per_mV".

    Raises ModelError (path empty) on an unknown symbol.
    """
    if text in _CACHE:
        return _CACHE[text]
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ModelError(
            "",
            f"a unit must be text of at most {_LONGEST} characters, got {str(text)[:20]!r}",
            'write it like "mV"',
        )
    body = text.strip().replace("_per_", "/").replace("per_", "1/") or "1"
    dim, power, pos = NONE, 0, 0
    while pos < len(body):
        found = _FACTOR.match(body, pos)
        if not found or (pos and not found[1] and body[pos] not in " ·"):
            raise ModelError(
                "", f"cannot read the unit '{text}'", 'write it like "mV", "nS", "1/ms" or "uF/cm**2"'
            )
        symbol, exponent = found[3], int(found[4] or 1)
        if abs(exponent) > _LARGEST_EXPONENT:
            raise ModelError(
                "",
                f"the exponent {found[4]} in the unit '{text}' is too large",
                f"at most {_LARGEST_EXPONENT}",
            )
        if symbol not in _TABLE:
            within = "" if symbol == text else f" in '{text}'"
            raise ModelError("", f"unknown unit '{symbol}'{within}", _like(symbol))
        sign = -exponent if found[1] == "/" else exponent
        dim = dim.times(_TABLE[symbol][0].power(sign))
        power += _TABLE[symbol][1] * sign
        pos = found.end()
        if not body[pos:].strip():
            break
    plain = dim == NONE and power == 0  # "", "dimensionless", "mV/mV": one spelling
    result = _CACHE[text] = Unit("1" if plain else text.strip(), dim, power)
    return result


def _like(symbol: str) -> str:
    close = suggestion(symbol, _TABLE)
    return close if close.startswith("did") else 'write it like "mV", "nS", "1/ms" or "uF/cm**2"'


def coherent_unit(dimension: Dimension) -> str:
    """Name of the coherent unit of a dimension ("mV", "pA", ...); built from base symbols where it has no
    name.
    """
    if dimension in _NAMES:
        return _NAMES[dimension]
    parts = [
        f"{s}**{e}" for s, e in zip(("ng", "um", "ms", "pA", "K", "amol", "cd"), dimension, strict=True) if e
    ]
    return "*".join(parts)


def coherent_power(dimension: Dimension) -> int:
    """log10 of the coherent unit of a dimension in SI: -3 for a voltage (mV)."""
    return sum(a * b for a, b in zip(dimension, _COHERENT, strict=True))


def describe(dimension: Dimension) -> str:
    """A dimension for an error message: "voltage (mV)"."""
    words = {
        NONE: "dimensionless",
        TIME: "time",
        VOLTAGE: "voltage",
        CURRENT: "current",
        CONDUCTANCE: "conductance",
        CAPACITANCE: "capacitance",
        RATE: "rate",
        LENGTH: "length",
    }
    word = words.get(dimension)
    if word == "dimensionless":
        return word
    return f"{word} ({coherent_unit(dimension)})" if word else coherent_unit(dimension)


def shift(value: Any, power: int) -> Any:
    """value * 10**power in one correctly rounded operation."""
    if power == 0:
        return value
    return value * 10.0**power if power > 0 else value / 10.0**-power


@dataclass(frozen=True, repr=False)
class Quantity:
    """A number with its unit, kept exactly as the user gave it: Quantity(20.0, "ms")."""

    value: float
    unit: str = "1"

    def __str__(self) -> str:
        return f"{self.value!r} {self.unit}" if self.unit != "1" else f"{self.value!r}"

    __repr__ = __str__

    def __float__(self) -> float:
        return self.value

    @property
    def dimension(self) -> Dimension:
        return unit(self.unit).dimension

    def coherent(self) -> float:
        """The number in the coherent system (ms, mV, pA, pF, nS)."""
        return float(shift(self.value, unit(self.unit).coherent_power))

    def to(self, other: str) -> float:
        """The number in another unit of the same dimension."""
        mine, target = unit(self.unit), unit(other)
        if mine.dimension != target.dimension:
            raise ModelError("", f"{self} is not a {describe(target.dimension)}")
        return float(shift(self.value, mine.power - target.power))


_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf|nan)\s*(.*)$", re.A)


def quantity(value: Any, default_unit: str, path: str = "") -> Quantity:
    """Read a user's scalar: a number (in default_unit), "20 ms", a Quantity or a `quantities.Quantity`.

    Raises ModelError naming `path` if it is no number, not finite, or of another dimension than default_unit.
    """
    want = unit(default_unit)
    try:
        found = _quantity(value, want)
        own = unit(found.unit)
    except ModelError as error:
        raise error.under(path) from None
    if own.dimension != want.dimension:
        raise ModelError(
            path,
            f"must be a {describe(want.dimension)}, got {found} which is {describe(own.dimension)}",
            f"give it in {want.text}",
        )
    if not math.isfinite(found.value) or not math.isfinite(found.coherent()):
        raise ModelError(path, f"must be finite, got {found.value}", f"give a number in {want.text}")
    return found


def _quantity(value: Any, want: Unit) -> Quantity:
    if isinstance(value, Quantity):
        return Quantity(float(value.value), unit(value.unit).text)
    if isinstance(value, str):
        match = _NUMBER.match(value)
        if not match:
            raise ModelError(
                "",
                f"cannot read {_clip(value)} as a quantity",
                f'write a number and a unit, like "20 {want.text}"',
            )
        return Quantity(float(match[1]), unit(match[2].strip()).text if match[2] else want.text)
    if (
        hasattr(value, "dimensionality") and hasattr(value, "magnitude") and np.ndim(value.magnitude) == 0
    ):  # `quantities`, not imported here
        return Quantity(float(value.magnitude), dimensionality(value))
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            return Quantity(float(value), want.text)
        except OverflowError:
            raise ModelError("", "is too large a number", f"give a number in {want.text}") from None
    raise ModelError(
        "", f"expected a number or a quantity, got {_clip(value)}", f'write for example "20 {want.text}"'
    )


def dimensionality(value: Any) -> str:
    """The unit of an object of the `quantities` package, as our text."""
    return str(value.dimensionality).replace("**", "^").replace(" ", "")


def _clip(value: Any) -> str:
    """repr for an error message, never longer than a line."""
    text = repr(value[:60]) if isinstance(value, (str, bytes)) else repr(value)
    return text if len(text) <= 64 else text[:61] + "..."


def milliseconds(value: Any, path: str) -> float:
    """A user's time as ms."""
    return quantity(value, "ms", path).coherent()
