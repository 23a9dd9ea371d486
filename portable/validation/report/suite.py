"""The report of the reference cases: one page with the matrix case x backend and every published number, and
a report of each case.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from portable.validation.cases import get
from portable.validation.report import checked_path, write_report, write_texts
from portable.validation.report.html import Entry, page
from portable.validation.report.view import NOTHING, SIGNS, TONES, Cell, Table, counted, number
from portable.validation.suite import Row, Suite
from portable.validation.verdicts import FAIL, NOT_RUN, PASS


def write_suite(suite: Suite, path: str | Path) -> list[Path]:
    """The matrix as .html, .json and .md, and a report of each case in a folder beside them, named after the
    page. The files, the page first.

    ModelError as of write_report.
    """
    target = checked_path(path)
    folder = target.with_suffix("")
    reports = {name: folder / f"{name}.html" for name in suite.cases if name in suite.answers}
    texts = {
        target: suite_html(suite, {name: f"{folder.name}/{p.name}" for name, p in reports.items()}),
        target.with_suffix(".json"): json.dumps(
            _finite(suite.to_dict()), indent=1, ensure_ascii=False, allow_nan=False
        )
        + "\n",
        target.with_suffix(".md"): suite.markdown(),
    }
    write_texts(texts)
    written = list(texts)
    for name, place in reports.items():
        folder.mkdir(exist_ok=True)
        written += write_report(suite.answers[name].validation, suite.answers[name].evidence, place)
    return written


def suite_html(suite: Suite, reports: dict[str, str]) -> str:
    """The page. reports: case -> where its report is, seen from the page."""
    ran = [r for r in suite.rows if r.answer != NOT_RUN]
    good = sum(r.ok for r in ran)
    verdict = NOT_RUN if not ran else PASS if good == len(ran) else FAIL
    asked = (
        f"Do {counted(len(suite.cases), 'case')} of the literature give their published numbers on "
        f"{counted(len(suite.backends), 'backend')}?"
    )
    apart = [r for r in ran if r.met and not r.ok]
    more = (
        f"; {counted(len(apart), 'run')} cannot be compared with {suite.backends[0]} or "
        f"differ{'s' * (len(apart) == 1)} from it"
        if apart
        else ""
    )
    headline = (
        f"{sum(r.met for r in ran)} of {counted(len(ran), 'run')} of cases give the published numbers{more}."
        if ran
        else "Nothing ran."
    )
    return page(
        "suite.html.jinja",
        suite=suite,
        title=f"Reference cases: {headline}",
        headline=headline,
        question=asked,
        badge=SIGNS[verdict],
        tone=TONES[verdict],
        version="",
        date="",
        matrix=[
            {"name": n, "anchor": f"case-{i}", "cells": [_entry(suite.row(n, b)) for b in suite.backends]}
            for i, n in enumerate(suite.cases)
        ],
        left_out=suite.not_run(),
        sections=[_case(suite, n, i, reports.get(n, "")) for i, n in enumerate(suite.cases)],
    )


def _entry(row: Row | None) -> Entry:
    if row is None:
        return Entry(NOTHING, SIGNS[NOT_RUN], TONES[NOT_RUN], "")
    word = NOT_RUN if row.answer == NOT_RUN else PASS if row.ok else FAIL
    return Entry(row.shown, SIGNS[word], TONES[word], "")


def _case(suite: Suite, name: str, index: int, report: str) -> dict[str, Any]:
    case, rows = get(name), {b: r for b in suite.backends if (r := suite.row(name, b)) and r.published}
    first = next(iter(rows.values())).published if rows else ()
    lines = tuple(
        (
            Cell(f"{p.quantity} ({p.unit})" if p.unit else p.quantity),
            Cell(number(p.published, 4), _known(p.published)),
            Cell(f"±{number(p.margin)}", _known(p.margin)),
            *(_measured(r, i) for r in rows.values()),
            Cell(p.why),
        )
        for i, p in enumerate(first)
    )
    columns = ("quantity", "published", "margin", *rows, "where the number and its margin come from")
    blocks = [Table("Published numbers, and what each backend gave", columns, lines)] if lines else []
    return {
        "id": f"case-{index}",
        "title": f"{name}: {case.title}",
        "nav": name,
        "citation": str(case.citation),
        "blocks": blocks,
        "report": report,
    }


def _measured(row: Row, i: int) -> Cell:
    p = row.published[i]
    return Cell(number(p.measured, 4), _known(p.measured), PASS if p.ok else FAIL)


def _known(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _finite(x: Any) -> Any:
    """The same with null for nan and infinity, which JSON does not have."""
    if isinstance(x, dict):
        return {k: _finite(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [_finite(v) for v in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x
