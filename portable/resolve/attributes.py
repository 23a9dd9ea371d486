"""What connections carry, weights and delays: one number, the user's array, or a distribution to draw from.

Drawn ones belong to the connection (resolve.pairs). Drawn weights lie on a grid that float32 holds without
loss (Spec.grid) and are float32; what a user gives is kept as given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.model.limits import MAX_DELAY
from portable.model.values import Array, Value
from portable.resolve import distributions, pairs
from portable.resolve.grid import float32_notes, nearest, on_grid, one_on_grid, rounded
from portable.resolve.program import Approximation, Ints
from portable.resolve.random import stream
from portable.resolve.sides import Pattern
from portable.units import Floats, Quantity

Numbers = npt.NDArray[np.floating[Any]] | npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Attribute:
    """A number of each connection. given: all alike, the user's (in the order of the pattern's slots), or
    what to draw from. stream: (seed, projection, purpose). most: a bound of the drawn or given numbers.
    """

    given: float | int | Numbers | distributions.Spec
    stream: tuple[int, str, str]
    dtype: type[Any] = np.float64
    rounding: pairs.Rounding = pairs.NONE
    most: int = 0

    @property
    def ordered(self) -> bool:
        """Whether it is an array that follows the order of the pattern."""
        return isinstance(self.given, np.ndarray)

    def start(self, order: Ints, count: int) -> float | int | Numbers:
        """The number of all, or an array of `count`: the user's in the connections' order, or empty."""
        if isinstance(self.given, distributions.Spec):
            return np.empty(count, dtype=self.dtype)
        if isinstance(self.given, np.ndarray):
            return self.given[order]
        return self.given

    def key(self, pre: str, post: str) -> int:
        """The stream of the connections from one population to one population."""
        seed, *names = self.stream
        return stream(seed, *names, pre, post)

    def draw(
        self, key: int, lo: int, hi: int, indptr: Ints, targets: npt.NDArray[Any], out: npt.NDArray[Any]
    ) -> None:
        """Fill `out` for the rows lo..hi-1, each sorted by target; nothing where nothing is drawn."""
        if isinstance(self.given, distributions.Spec):
            pairs.fill(key, lo, hi, indptr, targets, out, self.rounding, self.given)


def weight(
    given: Value, pattern: Pattern, path: str, owner: tuple[int, str], weights32: bool
) -> tuple[Attribute, list[Approximation]]:
    """Weights in coherent units. weights32: a user's array becomes float32."""
    where, own = f"{path}.weight", (*owner, "weight")
    if isinstance(given, Quantity):
        return Attribute(given.coherent(), own), []
    if isinstance(given, Array):
        numbers = _array(given, pattern, where)
        if not weights32:
            return Attribute(numbers, own), []
        return Attribute(numbers.astype(np.float32), own), float32_notes(where, [numbers])
    distribution = distributions.spec(given, where)
    step = distribution.grid()
    return Attribute(distribution, own, np.float32, pairs.Rounding(step, step)), []


def plain(given: Value, pattern: Pattern, where: str, own: tuple[int, str, str]) -> Attribute:
    """Numbers in coherent units, as they are given or drawn."""
    if isinstance(given, Quantity):
        return Attribute(given.coherent(), own)
    if isinstance(given, Array):
        return Attribute(_array(given, pattern, where), own)
    return Attribute(distributions.spec(given, where), own)


def delay(
    given: Value, pattern: Pattern, path: str, owner: tuple[int, str], dt: float
) -> tuple[Attribute, list[Approximation]]:
    """Delays in whole steps, uint8 or uint16 where they vary; the same draw in ms whatever dt, rounded to
    it.
    """
    where, own = f"{path}.delay", (*owner, "delay")
    if isinstance(given, Quantity):
        return Attribute(_short(one_on_grid(given.coherent(), dt, where, least=1), where, dt), own), []
    if isinstance(given, Array):
        steps = on_grid(_array(given, pattern, where), dt, where, least=1)
        most = _short(int(steps.max()) if steps.size else 1, where, dt)
        return Attribute(steps.astype(_steps_type(most)), own, most=most), []
    distribution = distributions.spec(given, where)
    top = distribution.bound()
    most = max(1, int(nearest(np.array([min(top, (MAX_DELAY + 1) * dt)]), dt)[0]))
    if most > MAX_DELAY:
        raise ModelError(
            where,
            f"{given} can reach {top:g} ms, more than {MAX_DELAY} steps of {dt:g} ms",
            "give it a bound high=",
        )
    drawn = Attribute(distribution, own, _steps_type(most), pairs.Rounding(dt, least=1.0), most)
    return drawn, [rounded(where, given, dt, 1)]


def _steps_type(most: int) -> type[Any]:
    return np.uint8 if most <= 255 else np.uint16


def _short(steps: int, where: str, dt: float) -> int:
    if steps > MAX_DELAY:
        raise ModelError(
            where,
            f"must be at most {MAX_DELAY} steps of {dt:g} ms, got {steps} steps",
            "use a larger dt or a shorter delay",
        )
    return steps


def _array(given: Array, pattern: Pattern, where: str) -> Floats:
    """A user's array in the order of the slots."""
    if not pattern.ordered:
        raise ModelError(
            where,
            f"an array of {len(given)} values has no order to follow in a random connector",
            "use AllToAll, OneToOne or Explicit, or a distribution",
        )
    if len(given) != pattern.total:
        raise ModelError(
            where,
            f"has {len(given)} values for {pattern.total} connections",
            "give one value, or one per connection",
        )
    data = given.coherent()
    return data if pattern.given is None else data[pattern.given]
