"""Links -> Couplings: positions as arrays, in an order in which what is read has been computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from portable.model.links import Link, ordered
from portable.model.populations import Population
from portable.model.values import Array
from portable.resolve.program import Coupling, Ints


def couplings(links: Sequence[Link]) -> tuple[Coupling, ...]:
    """One Coupling for each link."""
    return tuple(
        Coupling(
            x.source.name, x.variable, x.target.name, x.input, _ints(x.pre, x.source), _ints(x.post, x.target)
        )
        for x in ordered(links)
    )


def _ints(positions: Array | None, population: Population) -> Ints:
    return (
        np.arange(population.size, dtype=np.int64) if positions is None else positions.values.astype(np.int64)
    )
