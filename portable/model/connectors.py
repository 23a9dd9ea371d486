"""Which cells a projection connects. `resolve` expands them; here they are data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from portable.errors import ModelError
from portable.model.values import Array


@dataclass(frozen=True)
class AllToAll:
    """Every source to every target; where both are the same population, `allow_self_connections` says whether
    i -> i is made.
    """

    allow_self_connections: bool = True


@dataclass(frozen=True)
class OneToOne:
    """Source i to target i; both sides must have one size."""


@dataclass(frozen=True)
class FixedProbability:
    """Each possible connection exists with probability `p`, independently."""

    p: float
    allow_self_connections: bool = True

    def __post_init__(self) -> None:
        if (
            not isinstance(self.p, (int, float, np.integer, np.floating))
            or isinstance(self.p, bool)
            or not 0 <= self.p <= 1
        ):
            raise ModelError(
                "FixedProbability.p",
                f"must be between 0 and 1, got {self.p!r}",
                "a probability of 10 % is 0.1",
            )


@dataclass(frozen=True)
class FixedInDegree:
    """Every target gets `n` connections from sources drawn at random, with replacement (multapses) unless
    told otherwise.
    """

    n: int
    allow_multapses: bool = True
    allow_self_connections: bool = True

    def __post_init__(self) -> None:
        _count("FixedInDegree.n", self.n)


@dataclass(frozen=True)
class FixedTotalNumber:
    """`n` connections between pairs drawn at random, with replacement (multapses) unless told otherwise."""

    n: int
    allow_multapses: bool = True
    allow_self_connections: bool = True

    def __post_init__(self) -> None:
        _count("FixedTotalNumber.n", self.n)


@dataclass(frozen=True, init=False)
class Explicit:
    """Connections given as arrays of source and target positions in the two sides (0-based), in any order.

    Weights and delays of the synapse may then be arrays of the same length.
    """

    pre: Array
    post: Array

    def __init__(self, pre: Any, post: Any) -> None:
        for name, given in (("pre", pre), ("post", post)):
            object.__setattr__(
                self,
                name,
                _positions(f"Explicit.{name}", given.values if isinstance(given, Array) else given),
            )
        if len(self.pre) != len(self.post):
            raise ModelError(
                "Explicit",
                f"pre and post must have one length, got {len(self.pre)} and {len(self.post)}",
                "entry i of both is connection i",
            )


def _positions(path: str, given: Any) -> Array:
    try:
        data = np.asarray(given)
    except ValueError:  # a list of lists of different lengths
        data = np.zeros((0, 0))
    whole = data.dtype.kind in "iu" or (data.dtype.kind == "f" and bool(np.all(data == np.floor(data))))
    if data.ndim == 1 and (not data.size or (whole and data.min() >= 0 and data.max() < 2**32)):
        return Array(data)
    raise ModelError(
        path,
        "must be a one-dimensional array of whole numbers >= 0",
        "give the positions of cells in their side, counted from 0",
    )


def _count(path: str, n: object) -> None:
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
        raise ModelError(path, f"must be a whole number >= 0, got {n!r}", "give a number of connections")


Connector = Union[AllToAll, OneToOne, FixedProbability, FixedInDegree, FixedTotalNumber, Explicit]  # noqa: UP007


@dataclass(frozen=True)
class StaticSynapse:
    """A weight (in the unit of the receptor: nA, uS or mV) and a delay (ms, whole steps >= dt), each a
    number, an array, or a distribution."""

    weight: Any = 0.0
    delay: Any = 1.0
