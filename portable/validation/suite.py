"""The reference cases on every installed backend: one matrix, case x backend, with the level reached and the
score of published numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from portable.backends import registry
from portable.errors import ModelError
from portable.model.network import Network, Population
from portable.model.sources import SpikeSourcePoisson
from portable.pictures.drawing import mean_of
from portable.resolve.estimate import GIB, available_memory
from portable.results.tables import Results
from portable.validation.answer import Answer, answered
from portable.validation.cases import CASES, get
from portable.validation.cases.case import Case, Published
from portable.validation.design import Design
from portable.validation.jobs.schedule import Executor, Progress
from portable.validation.levels.ran import Ran, of
from portable.validation.study import Study
from portable.validation.verdicts import (
    DIFFERENT,
    LEVELS,
    NO_ANSWER,
    NOT_RUN,
    PASS,
    SPIKES,
    STATISTICS,
    WEIGHTS,
    Validation,
)

REFERENCE, NO_SPIKES = "reference of the row", "no spikes to compare"
Say = Callable[[str, Progress | None], None]


@dataclass(frozen=True)
class Row:
    """One cell of the matrix. level: the highest one up to which all pass, -1 for none, None for the first
    backend, which is what the others are compared with, and where there are no spikes; score: mean of the
    published numbers' scores, nan where they could not be measured."""

    case: str
    backend: str
    answer: str
    level: int | None
    score: float
    published: tuple[Published, ...]
    message: str = ""

    @property
    def met(self) -> bool:
        """Whether every published number is met."""
        return bool(self.published) and all(p.ok for p in self.published)

    @property
    def ok(self) -> bool:
        """Every published number met, by a backend that can be compared with the row's reference and does not
        differ from it.
        """
        return self.met and self.answer not in (NO_ANSWER, NOT_RUN, DIFFERENT)

    @property
    def shown(self) -> str:
        """The cell in a few words."""
        if self.answer == NOT_RUN:
            return NOT_RUN
        met = f"{sum(p.ok for p in self.published)}/{len(self.published)} numbers"
        reached = (
            ""
            if self.level is None
            else "level 0 not reached, "
            if self.level < 0
            else f"level {self.level}, "
        )
        return f"{reached}{met}, {self.score:.2f}"


@dataclass(frozen=True)
class Suite:
    """All rows; validations by case, for their reports."""

    backends: tuple[str, ...]
    cases: tuple[str, ...]
    rows: tuple[Row, ...]
    answers: Mapping[str, Answer]

    def row(self, case: str, backend: str) -> Row | None:
        return next((r for r in self.rows if r.case == case and r.backend == backend), None)

    def not_run(self) -> list[str]:
        """One line for each reason why cells are empty."""
        alike: dict[str, list[str]] = {}
        for r in self.rows:
            if r.answer == NOT_RUN:
                alike.setdefault(r.message or "no result", []).append(f"{r.case} on {r.backend}")
        return [f"{', '.join(which)}: {why}" for why, which in alike.items()]

    @property
    def exit_code(self) -> int:
        """0 if every cell that ran is as published, 1 if one is not, 2 if nothing ran."""
        ran = [r for r in self.rows if r.answer != NOT_RUN]
        return 2 if not ran else 0 if all(r.ok for r in ran) else 1

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        rows = [
            {
                **asdict(r),
                "published": [{**asdict(p), "ok": bool(p.ok), "score": float(p.score)} for p in r.published],
            }
            for r in self.rows
        ]
        about = {n: {"title": get(n).title, "citation": str(get(n).citation)} for n in self.cases}
        return {
            "version": 1,
            "backends": list(self.backends),
            "cases": about,
            "levels": {str(k): v for k, v in LEVELS.items()},
            "rows": rows,
        }

    def markdown(self) -> str:
        """The matrix and every published number."""
        lines = ["| case | " + " | ".join(self.backends) + " |", "|---" * (len(self.backends) + 1) + "|"]
        for name in self.cases:
            cells = [(r.shown if (r := self.row(name, b)) else "-") for b in self.backends]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines += ["", *(f"- not run: {line}" for line in self.not_run())] if self.not_run() else []
        for name in self.cases:
            case = get(name)
            lines += [
                "",
                f"## {name}: {case.title}",
                "",
                f"{case.citation}",
                "",
                "| quantity | published | margin | " + " | ".join(self.backends) + " |",
            ]
            lines.append("|---" * (len(self.backends) + 3) + "|")
            lines += self._numbers(name)
        return "\n".join(lines) + "\n"

    def _numbers(self, name: str) -> list[str]:
        rows = {b: r for b in self.backends if (r := self.row(name, b)) and r.published}
        if not rows:
            return []
        first = next(iter(rows.values())).published
        lines = []
        for i, p in enumerate(first):
            found = [
                (
                    f"{r.published[i].measured:.5g}{'' if r.published[i].ok else ' (not met)'}"
                    if (r := rows.get(b))
                    else "-"
                )
                for b in self.backends
            ]
            lines.append(
                f"| {p.quantity} ({p.unit}) | {p.published:.5g} | {p.margin:.3g} | "
                + " | ".join(found)
                + " |"
            )
        return lines


def run_suite(
    executor: Executor, say: Say, backends: Sequence[str] = (), cases: Sequence[str] = (), quick: bool = False
) -> Suite:
    """Run the cases. backends: the first is the reference of each row (default: all installed that do not
    take minutes, the default engine first).

    ModelError on an unknown case, BackendNotFound on an unknown backend.
    """
    named = bool(backends)
    installed = registry.installed()
    names = tuple(backends) or (
        *registry.compared(),
        *(b for b in installed if b != registry.DEFAULT and _pace(b) == "slow"),
    )
    for b in names:
        registry.get(b)
    chosen = [get(c) for c in cases] or [c for c in CASES.values() if c.quick or not quick]
    if not chosen:
        raise ModelError("cases", "none is left", "leave out --quick")
    rows: list[Row] = []
    answers: dict[str, Answer] = {}
    for case in chosen:
        network = case.network()
        left_out = {b: why for b in names if (why := _left_out(case, network, b, named))}
        able = [b for b in names if b not in left_out]
        if able:
            found, answers[case.name] = _case(case, network, able, executor, say)
            rows += found
        rows += [Row(case.name, b, NOT_RUN, -1, float("nan"), (), why) for b, why in left_out.items()]
    return Suite(names, tuple(c.name for c in chosen), tuple(rows), answers)


def _left_out(case: Case, network: Network, backend: str, named: bool) -> str:
    """Why a backend does not get a case; "" if it does. A case says what the default engine takes."""
    able, default = registry.get(backend).capabilities, registry.get(registry.DEFAULT).capabilities
    if not (named or case.quick or able.pace == "fast"):
        return "too slow for this case unless it is named"
    events = sum(_rate(p) for p in network.populations) * case.duration / 1000.0
    if not named and events > able.limits.get("input_spikes", float("inf")):
        return f"{events / 1e6:.0f} million input spikes to hand over: too slow unless it is named"
    need = case.memory * able.memory.per_byte / default.memory.per_byte
    have = available_memory() / GIB
    return "" if need <= have else f"needs about {need:.3g} GiB of memory, {have:.3g} GiB are available"


def _pace(backend: str) -> str:
    return str(registry.get(backend).capabilities.pace)


def _rate(p: Population) -> float:
    """Spikes a second of a population of Poisson sources, 0 of others."""
    return p.size * 1000.0 * mean_of(p.cell.rate) if isinstance(p.cell, SpikeSourcePoisson) else 0.0


def _case(
    case: Case, network: Network, backends: Sequence[str], executor: Executor, say: Say
) -> tuple[list[Row], Answer]:
    design = Design(
        network,
        tuple(backends),
        case.seeds,
        case.dt,
        round(case.duration / case.dt),
        case.warmup,
        integrator=case.integrator,
        options={b: dict(o) for b, o in case.options.items() if b in backends},
        power="none",
        orders=False,
    )
    study = Study(design, executor, lambda line, progress: say(f"{case.name}: {line}", progress))
    answer = answered(study)
    return [_row(case, b, study.runs, answer.validation) for b in backends], answer


def _row(case: Case, backend: str, runs: Sequence[Ran], v: Validation) -> Row:
    mine = of(runs, backend)
    missing = [s for s in case.seeds if s not in mine]
    if missing:
        why = next((r.outcome for r in runs if r.job.backend == backend and not r.ok), None)
        return Row(
            case.name,
            backend,
            NOT_RUN,
            -1,
            float("nan"),
            (),
            f"{why.status}: {' '.join(why.message.split())}" if why else "no result",
        )
    results: list[Results] = [mine[s].results for s in case.seeds]
    published = tuple(case.check(results))
    score = sum(p.score for p in published) / len(published) if published else float("nan")
    if backend == v.reference:
        return Row(case.name, backend, REFERENCE, None, score, published)
    if not any(
        sum(r.spikes.values()) for r in v.runs if r.backend in (backend, v.reference)
    ):  # potentials below threshold
        return Row(case.name, backend, NO_SPIKES, None, score, published)
    return Row(case.name, backend, v.answers[backend], reached(v, backend), score, published)


def reached(v: Validation, backend: str) -> int:
    """The highest level up to which every one passes; identical spikes have the same statistics, however few
    they are. -1 for none.
    """
    passed = {x.level for x in v.levels if x.backend == backend and x.verdict == PASS}
    if SPIKES in passed:
        passed.add(STATISTICS)
    if any(x.level == WEIGHTS and x.backend == backend and x.verdict == NOT_RUN for x in v.levels):
        passed.add(WEIGHTS)  # nothing learns, or nothing was read
    level = -1
    while level + 1 in passed and level < STATISTICS:
        level += 1
    return level
