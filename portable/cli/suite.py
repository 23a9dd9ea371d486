"""`portable validate --suite`: the reference cases with published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from portable.cli import text
from portable.cli.telling import telling
from portable.validation.jobs.schedule import Executor
from portable.validation.suite import Suite
from portable.validation.suite import run_suite as simulate


def run_suite(
    *,
    backends: str | None,
    cases: Sequence[str],
    quick: bool,
    executor: Executor,
    report: str | None,
    as_json: bool,
) -> int:
    """Run, print the matrix, write the reports. Returns the exit code."""
    names = [b.strip() for b in (backends or "").split(",") if b.strip()]
    with telling(quiet=as_json) as say:
        suite = simulate(executor, say, names, cases, quick)
    if as_json:
        text.as_json(suite.to_dict())
    else:
        told(suite)
    if report:
        from portable.validation.report.suite import write_suite

        files = write_suite(suite, report)
        for path in (p for p in files if p.parent == Path(report).parent):
            text.warn(f"written {path}")
        text.warn(f"written the reports of {len(suite.answers)} cases, in {Path(report).with_suffix('')}/")
    return suite.exit_code


def told(suite: Suite) -> None:
    """The matrix, and what was not met."""
    text.table(
        ("case", *suite.backends),
        [(n, *((r.shown if (r := suite.row(n, b)) else "-") for b in suite.backends)) for n in suite.cases],
    )
    missed = [
        (r.case, r.backend, p.quantity, p.published, p.margin, p.measured, p.unit)
        for r in suite.rows
        for p in r.published
        if not p.ok
    ]
    if missed:
        text.table(
            ("case", "backend", "quantity", "published", "margin", "measured", "unit"),
            missed,
            "numbers that are not met",
        )
    for line in suite.not_run():
        text.say(f"not run: {line}")
    text.say(
        "level: the highest one up to which a backend agrees with the first (3 same spikes, 4 same weights, "
        "5 same statistics); then numbers met of those published, mean score"
    )
