"""Values of parameters, weights, delays and initial states: a number, an array, or a distribution to draw
from.

A distribution is drawn by `resolve`, from a stream that belongs to the element and purpose, never here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from portable.errors import ModelError
from portable.units import Floats, Quantity, dimensionality, quantity, shift, unit

MATRIX = (
    "pass one value, or one per connection: a matrix m of sources x targets is m.ravel() with AllToAll, and "
    "m[m != 0] with Explicit(*m.nonzero())"
)


class Array:
    """One value per cell (or per connection), in `unit`. Immutable; compares by content."""

    __slots__ = ("unit", "values")

    def __init__(self, values: Any, unit: str = "1") -> None:
        data = np.asarray(values, dtype=np.float64)
        if data.base is not None or (
            data is values and data.flags.writeable
        ):  # our own copy, which nobody can write to
            data = data.copy()
        data.setflags(write=False)
        object.__setattr__(self, "values", data)
        object.__setattr__(self, "unit", unit)

    values: Floats
    unit: str

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an Array cannot be changed")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Array) and self.unit == other.unit and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.unit, (self.values + 0.0).tobytes()))  # + 0.0: -0.0 equals 0.0

    def __reduce__(self) -> tuple[type[Array], tuple[Floats, str]]:
        return Array, (self.values, self.unit)

    def __len__(self) -> int:
        return int(self.values.size)

    def __repr__(self) -> str:
        return f"Array({len(self)} values, {self.unit!r})"

    def coherent(self) -> Floats:
        """The numbers in the coherent system."""
        return np.asarray(shift(self.values, unit(self.unit).coherent_power))


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high)."""

    low: Any
    high: Any


@dataclass(frozen=True)
class Normal:
    """Normal(mean, sd); with low or high, values outside are drawn again (`clip=True` moves them to the bound
    instead).
    """

    mean: Any
    sd: Any
    low: Any = None
    high: Any = None
    clip: bool = False


@dataclass(frozen=True)
class Lognormal:
    """exp of a normal whose *resulting* distribution has this mean and standard deviation; bounds as in
    Normal.
    """

    mean: Any
    sd: Any
    low: Any = None
    high: Any = None
    clip: bool = False


@dataclass(frozen=True)
class Clipped:
    """Another distribution, its values moved to [low, high]."""

    of: Uniform | Normal | Lognormal
    low: Any = None
    high: Any = None


Distribution = Union[Uniform, Normal, Lognormal, Clipped]  # noqa: UP007
Value = Union[Quantity, Array, Uniform, Normal, Lognormal, Clipped]  # noqa: UP007


def value(given: Any, default_unit: str, path: str) -> Value:
    """Read what a user gave for one value. Plain floats are in `default_unit`. ModelError names `path`."""
    if isinstance(given, Clipped):
        inner = value(given.of, default_unit, f"{path}.of")
        if not isinstance(inner, (Uniform, Normal, Lognormal)):
            raise ModelError(
                f"{path}.of",
                f"Clipped needs a Uniform, Normal or Lognormal, got {inner!r}",
                "give the plain value instead",
            )
        return Clipped(inner, *_bounds(given, default_unit, path))
    if isinstance(given, Uniform):
        low, high = (
            quantity(given.low, default_unit, f"{path}.low"),
            quantity(given.high, default_unit, f"{path}.high"),
        )
        if high.coherent() < low.coherent():
            raise ModelError(path, f"Uniform needs low <= high, got {low} and {high}", "swap them")
        return Uniform(low, high)
    if isinstance(given, (Normal, Lognormal)):
        mean, sd = (
            quantity(given.mean, default_unit, f"{path}.mean"),
            quantity(given.sd, default_unit, f"{path}.sd"),
        )
        if sd.value < 0:
            raise ModelError(
                f"{path}.sd", f"must be 0 or more, got {sd}", "give the standard deviation, not the variance"
            )
        if isinstance(given, Lognormal) and mean.value <= 0:
            raise ModelError(
                f"{path}.mean",
                f"of a Lognormal must be > 0, got {mean}",
                "give the mean of the result, not of its logarithm",
            )
        return type(given)(mean, sd, *_bounds(given, default_unit, path), given.clip)
    if isinstance(given, Array):
        return _array(given.values, given.unit, default_unit, path)
    if hasattr(given, "dimensionality") and np.ndim(given.magnitude) > 0:
        return _array(given.magnitude, dimensionality(given), default_unit, path)
    if isinstance(given, np.ndarray) and given.ndim > 0:
        return _array(given, default_unit, default_unit, path)
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        if given and set(map(type, given)) <= {float, int}:  # a million plain numbers take no million calls
            return _array(given, default_unit, default_unit, path)
        numbers = [quantity(g, default_unit, f"{path}[{i}]") for i, g in enumerate(given)]
        same = len({q.unit for q in numbers}) == 1
        own = numbers[0].unit if same and numbers else default_unit
        return Array([q.value if same else q.to(own) for q in numbers], unit(own).text)
    return quantity(given, default_unit, path)


def _bounds(given: Any, default_unit: str, path: str) -> tuple[Quantity | None, Quantity | None]:
    low = None if given.low is None else quantity(given.low, default_unit, f"{path}.low")
    high = None if given.high is None else quantity(given.high, default_unit, f"{path}.high")
    if low is not None and high is not None and high.coherent() < low.coherent():
        raise ModelError(path, f"needs low <= high, got {low} and {high}", "swap them")
    return low, high


def _array(values: Any, own: str, default_unit: str, path: str) -> Array:
    quantity(Quantity(0.0, own), default_unit, path)
    try:
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "iuf":
            raise ValueError
        result = Array(numbers, unit(own).text)
    except (TypeError, ValueError, OverflowError):
        raise ModelError(
            path, "expected numbers in an array", "pass a one-dimensional numpy array of floats"
        ) from None
    if result.values.ndim != 1:
        of_connections = path.startswith("projection ")
        raise ModelError(
            path,
            f"expected a one-dimensional array, got shape {result.values.shape}",
            MATRIX if of_connections else "pass one value per cell",
        )
    bad = (
        np.zeros(0, dtype=np.int64)
        if np.isfinite(result.values.sum())
        else np.flatnonzero(~np.isfinite(result.values))
    )
    if bad.size:
        raise ModelError(
            f"{path}[{bad[0]}]",
            f"must be finite, got {result.values[bad[0]]}",
            f"give numbers in {unit(own).text}",
        )
    return result


def extremes(given: Value) -> tuple[float, float]:
    """Smallest and largest value (coherent units) that it can have; infinite where unbounded; of none, those
    that are within any bounds: (inf, -inf).
    """
    match given:
        case Quantity():
            return given.coherent(), given.coherent()
        case Array(values=data, unit=own):
            power = unit(own).coherent_power
            return (
                (float(shift(data.min(), power)), float(shift(data.max(), power)))
                if data.size
                else (np.inf, -np.inf)
            )
        case Uniform(low, high):
            return low.coherent(), high.coherent()
        case Clipped(of, low, high):
            a, b = extremes(of)
            return max(a, low.coherent() if low else a), min(b, high.coherent() if high else b)
        case Normal(mean, sd, low, high):
            if sd.value == 0:
                return mean.coherent(), mean.coherent()
            return (low.coherent() if low else -np.inf), (high.coherent() if high else np.inf)
        case Lognormal(_, _, low, high):
            return (low.coherent() if low else 0.0), (high.coherent() if high else np.inf)
