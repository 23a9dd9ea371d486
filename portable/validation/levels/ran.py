"""Finished runs, as the levels read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portable.backends.contract import INTEGRATORS
from portable.model.cells import Cell
from portable.model.network import Network
from portable.results.approximations import grouped
from portable.results.tables import Results
from portable.validation.compare import inputs_of
from portable.validation.jobs.job import OK, Job, Outcome
from portable.validation.verdicts import Run

MAIN, PERTURBED = "main", "perturbed"
TAIL = 0.2  # a population that did not spike in the last fifth of a run has fallen silent


@dataclass(frozen=True)
class Ran:
    """A job and its outcome."""

    job: Job
    outcome: Outcome
    key: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome.status == OK

    @property
    def results(self) -> Results:
        assert self.outcome.results is not None
        return self.outcome.results

    @property
    def role(self) -> str:
        if not self.job.deviation:
            return MAIN
        return PERTURBED if self.job.deviation == "start" else f"deviation {self.job.deviation}"


def alive(results: Results) -> dict[str, bool]:
    """By population of cells whose spikes are recorded: whether it spiked in the last fifth of the run."""
    after = results.steps - round(TAIL * results.steps)
    return {
        name: bool(len(t)) and int(t.steps[-1]) > after
        for name, t in results.spikes.items()
        if name not in sources(results)
    }


def lives(results: Results) -> bool:
    """Whether any population of cells did."""
    return any(alive(results).values())


def sources(results: Results) -> frozenset[str]:
    """Populations of spike sources: given to every backend, so there is nothing to compare."""
    return frozenset(results.provenance.get("sources", ()))


def watched(network: Network) -> list[str]:
    """Populations of cells whose spikes are recorded, in the order of the network."""
    recorded = {v.population.name for r in network.recordings if "spikes" in r.variables for v in r.target}
    return [p.name for p in network.populations if p.name in recorded and isinstance(p.cell, Cell)]


def integrator_class(described: str) -> str:
    """The method in a backend's own words ("gsl rkf45 (abs 1e-06, ...)" is rkf45); the words themselves if
    none is named.
    """
    words = described.lower().replace(",", " ").replace("(", " ").split()
    return next((w for w in words if w in INTEGRATORS), described)


def as_run(ran: Ran) -> Run:
    """The record of a run."""
    job, outcome = ran.job, ran.outcome
    if outcome.results is None:
        return Run(
            job.backend,
            job.seed,
            ran.role,
            outcome.status,
            outcome.message,
            key=ran.key,
            peak_memory=outcome.memory,
            cached=outcome.cached,
        )
    r = outcome.results
    p = r.provenance
    return Run(
        job.backend,
        job.seed,
        ran.role,
        outcome.status,
        outcome.message,
        str(p.get("simulator")),
        inputs_of(r),
        dict(p.get("integrators", {})),
        tuple(grouped(r.approximations)),
        {k: float(v) for k, v in p.get("seconds", {}).items()},
        outcome.memory,
        {n: len(t) for n, t in r.spikes.items()},
        alive(r),
        ran.key,
        outcome.cached,
    )


def of(runs: Sequence[Ran], backend: str) -> dict[int, Ran]:
    """The main runs of a backend that went well, by seed."""
    return {r.job.seed: r for r in runs if r.job.backend == backend and r.role == MAIN and r.ok}
