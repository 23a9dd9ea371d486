"""`validate`: run a network on several backends and say, level by level, whether they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portable.model.network import Network
from portable.validation.assemble import assembled
from portable.validation.design import design
from portable.validation.evidence import Evidence
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.schedule import Executor, Local
from portable.validation.study import Say, Study
from portable.validation.verdicts import Validation


@dataclass(frozen=True)
class Answer:
    """What `validate` returns: the records, and the arrays for the pictures."""

    validation: Validation
    evidence: Evidence

    def report(self, path: str | Path) -> list[Path]:
        """Write the report (.html) with its .json, .xml, .md and .svg beside it; the files."""
        from portable.validation.report import write_report

        return write_report(self.validation, self.evidence, path)

    def __repr__(self) -> str:
        return repr(self.validation)


def validate(
    network: Network,
    backends: str | Iterable[str] = (),
    seeds: int | Iterable[int] = 10,
    duration: Any = None,
    dt: Any = None,
    *,
    warmup: Any = None,
    inputs: str = "frozen",
    integrator: str = "auto",
    threads: int = 1,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    margin: float | None = None,
    power: str = "full",
    executor: Executor | None = None,
    cache: str | Path | None = None,
    say: Say | None = None,
) -> Answer:
    """Compare backends on a network; the first is the reference.

    backends: their names, in a sequence or with commas between.
    seeds: how many (1, 2, ...), or which. duration, dt: as in `run`. warmup: left out of statistics (default:
    a tenth, at most 500 ms).
    inputs: "frozen" (the same input spikes everywhere: levels 3 to 5 are paired) or "native" (each backend
    draws its own: ensembles).
    margin: what counts as equivalent, as a share of the reference's mean (0.01 = 1 %); default: twice the
    reference's seed-to-seed SD.
    power: "full", "quick" or "none". executor: default processes on this machine. cache: folder of finished
    runs, so that an interrupted validation goes on where it was. say: told what is being done.

    A backend that cannot run, crashes, hangs or runs out of memory is a row of the answer, not its end.
    ModelError on wrong arguments.
    """
    plan = design(
        network,
        backends,
        seeds,
        duration,
        dt,
        warmup=warmup,
        inputs=inputs,
        integrator=integrator,
        threads=threads,
        options=options,
        margin=margin,
        power=power,
    )
    own = Local(Cache(cache)) if executor is None else None
    try:
        return answered(Study(plan, executor or own, say or (lambda _line, _progress: None)))  # type: ignore[arg-type]
    finally:
        if own is not None:
            own.close()


def answered(study: Study) -> Answer:
    """All rounds of a study, and what they say."""
    return Answer(*assembled(study.rounds()))
