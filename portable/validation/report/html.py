"""The report as one HTML file that needs nothing else: styles, script and pictures are inside, and it asks
for nothing from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from types import ModuleType
from typing import Any

from portable.errors import ModelError
from portable.pictures.figure import COLOURS
from portable.validation.evidence import Evidence
from portable.validation.report import power, words
from portable.validation.report.sections import anchor, sections
from portable.validation.report.view import SIGNS, TONES, Section, clean
from portable.validation.verdicts import LEVELS, NOT_RUN, Validation

INSTALL = "pip install 'portable-snn[report]'"


@dataclass(frozen=True)
class Entry:
    """A cell of the matrix."""

    text: str
    sign: str
    tone: str
    anchor: str


def html(v: Validation, e: Evidence) -> str:
    """The page. ModelError with the install line where jinja2 is missing."""
    template_engine()  # before the figures are drawn
    return page(
        "template.html.jinja",
        v=v,
        title=words.title(v),
        headline=words.headline(v),
        question=words.question(v),
        answers=words.answers(v),
        badge=SIGNS.get(v.verdict, ""),
        tone=TONES.get(v.verdict, "none"),
        matrix=matrix(v),
        power=power.power_sentence(v),
        sections=[_named(s) for s in sections(v, e)],
        version=_version(v),
        date=v.provenance.get("date", ""),
    )


def page(template: str, **facts: Any) -> str:
    """A page with the styles and the script in it; everything else that is put into it is escaped."""
    jinja2 = template_engine()
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        loader=jinja2.FunctionLoader(_file),
    )
    environment.globals["kind"] = lambda b: type(b).__name__
    return clean(environment.get_template(template).render(css=_css(), js=_file("script.js"), **facts))


def template_engine() -> ModuleType:
    """jinja2, which comes with the extra `report`."""
    try:
        import jinja2
    except ImportError:
        raise ModelError("", "the HTML report needs jinja2, which is not installed", INSTALL) from None
    return jinja2


def matrix(v: Validation) -> list[dict[str, Any]]:
    """Level x backend."""
    rows = []
    for level, name in LEVELS.items():
        found = [(i, v.level(level, b)) for i, b in enumerate(v.backends) if i]
        entries = [
            Entry(
                words.matrix_cell(x),
                SIGNS[x.verdict if x else NOT_RUN],
                TONES[x.verdict if x else NOT_RUN],
                anchor(level, i),
            )
            for i, x in found
        ]
        rows.append({"level": level, "name": name, "cells": entries})
    return rows


def _named(s: Section) -> dict[str, Any]:
    """A section and its short name in the navigation."""
    head, colon, tail = s.title.partition(": ")
    short = {"power": "Power", "failed": "Failed"}.get(
        s.id, f"{head.removeprefix('Level ')} {tail.removeprefix('same ').split()[0]}" if colon else s.title
    )
    return {
        "id": s.id,
        "title": s.title,
        "nav": short,
        "question": s.question,
        "lines": s.lines,
        "blocks": s.blocks,
    }


def _version(v: Validation) -> str:
    versions = v.provenance.get("versions", {})
    return str(versions.get("portable-snn", "")) if isinstance(versions, dict) else ""


def _css() -> str:
    chips = "".join(f".c{i} {{ --chip: var(--c{i % len(COLOURS)}); }}\n" for i in range(3 * len(COLOURS)))
    return _file("style.css").replace("DARK", _file("dark.css").strip()) + chips


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
