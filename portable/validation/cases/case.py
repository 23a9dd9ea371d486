"""A reference case: a network, how to run it, and the published numbers that its results must give."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portable.backends import registry
from portable.model.network import Network
from portable.results.tables import Results
from portable.simulation import run


@dataclass(frozen=True)
class Published:
    """One number of the literature or of a closed form beside the measured one.

    `margin` is the largest |measured - published| that passes, in `unit`; `why` says where the number and the
    margin come from.
    """

    quantity: str
    unit: str
    published: float
    measured: float
    margin: float
    why: str

    @property
    def ok(self) -> bool:
        """Within the margin; nan (nothing to measure) never is."""
        return abs(self.measured - self.published) <= self.margin

    @property
    def score(self) -> float:
        """1 within the margin; beyond it exp(1 - |difference|/margin), so 0.37 at twice the margin; 0 for nan
        and for any difference where the margin is 0."""
        if self.ok:
            return 1.0
        if math.isnan(self.measured) or self.margin == 0:
            return 0.0
        return math.exp(1.0 - abs(self.measured - self.published) / self.margin)

    def __str__(self) -> str:
        mark = "ok" if self.ok else "NOT ok"
        return (
            f"{self.quantity}: {self.measured:.6g} {self.unit}, published {self.published:.6g} +- "
            f"{self.margin:.3g}: {mark}"
        )


@dataclass(frozen=True)
class Citation:
    """Where a case comes from."""

    authors: str
    year: int
    title: str
    journal: str
    doi: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}), {self.title}, {self.journal}, doi:{self.doi}"


Check = Callable[[Sequence[Results]], list[Published]]


@dataclass(frozen=True)
class Case:
    """A network with published numbers.

    `check` takes the results of one backend, one for each of `seeds`, each `duration` ms long at steps of
    `dt` ms, the first `warmup` ms of which it leaves out. quick: a few seconds on the native engine. memory:
    GiB that the native engine needs; NEST takes about three times as much where there are many synapses.
    options: of the backend, by its name.
    """

    name: str
    title: str
    citation: Citation
    network: Callable[[], Network]
    check: Check
    duration: float
    dt: float = 0.1
    seeds: tuple[int, ...] = (1,)
    warmup: float = 0.0
    quick: bool = True
    memory: float = 2.0
    integrator: str = "auto"
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def run_case(case: Case, backend: str = registry.DEFAULT, network: Network | None = None) -> list[Results]:
    """The case's runs on one backend in this process, one for each seed; `network` stands in for the case's
    own.
    """
    net = case.network() if network is None else network
    options = case.options.get(backend)
    return [
        run(net, backend, case.duration, case.dt, seed, integrator=case.integrator, options=options)
        for seed in case.seeds
    ]
