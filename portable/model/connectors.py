"""Which cells a projection connects. `resolve.connectors` expands them; here they are data.

A new connector is a class here, whose fields say what they hold, and its rule, a file of that folder. The
document format, the published schema and the checks are made of the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from portable.errors import ModelError
from portable.model.fields import Count, Flag, Fraction, Positions, Values, checked
from portable.model.values import Array

_Multapses = Annotated[bool, Flag("Whether one pair of cells may be connected more than once.")]
_SelfConnections = Annotated[bool, Flag("Whether a cell may be connected to itself.")]


@dataclass(frozen=True)
class Connector:
    """What all connectors are."""

    def __post_init__(self) -> None:
        checked(self)


@dataclass(frozen=True)
class AllToAll(Connector):
    """Every source to every target.

    Where both are the same population, `allow_self_connections` says whether i -> i is made.
    """

    allow_self_connections: _SelfConnections = True


@dataclass(frozen=True)
class OneToOne(Connector):
    """Source i to target i.

    Both sides must have one size.
    """


@dataclass(frozen=True)
class FixedProbability(Connector):
    """Each possible connection exists with probability p.

    Independently of all others.
    """

    p: Annotated[float, Fraction("Probability.")]
    allow_self_connections: _SelfConnections = True


@dataclass(frozen=True)
class FixedInDegree(Connector):
    """Every target gets n connections.

    From sources drawn at random, with replacement (multapses) unless told otherwise.
    """

    n: Annotated[int, Count("Connections per target.")]
    allow_multapses: _Multapses = True
    allow_self_connections: _SelfConnections = True


@dataclass(frozen=True)
class FixedTotalNumber(Connector):
    """n connections between pairs drawn at random.

    With replacement (multapses) unless told otherwise.
    """

    n: Annotated[int, Count("Connections.")]
    allow_multapses: _Multapses = True
    allow_self_connections: _SelfConnections = True


@dataclass(frozen=True, init=False)
class Explicit(Connector):
    """Connections given one by one.

    As arrays of source and target positions in the two sides (0-based), in any order. Weights and delays of
    the synapse may then be arrays of the same length.
    """

    pre: Annotated[Array, Positions("Source positions, counted from 0 over the whole side.")]
    post: Annotated[Array, Positions("Target positions.")]

    def __init__(self, pre: Any, post: Any) -> None:
        checked(self, pre=pre, post=post)
        if len(self.pre) != len(self.post):
            raise ModelError(
                "Explicit",
                f"pre and post must have one length, got {len(self.pre)} and {len(self.post)}",
                "entry i of both is connection i",
            )


CONNECTORS = (AllToAll, OneToOne, FixedProbability, FixedInDegree, FixedTotalNumber, Explicit)


@dataclass(frozen=True)
class StaticSynapse:
    """A synapse of constant weight.

    A weight (in the unit of the receptor: nA, uS or mV) and a delay (ms, whole steps >= dt), each a number,
    an array, or a distribution.
    """

    weight: Annotated[
        Any, Values("Weight in the unit of the receptor (nA, uS or mV for the standard cells).", "")
    ] = 0.0
    delay: Annotated[Any, Values("Delay in ms, at least one time step.", "ms")] = 1.0
