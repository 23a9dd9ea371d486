"""The report of a validation: one HTML file, and beside it JSON, JUnit XML, Markdown and a badge.

    write_report(validation, evidence, "report.html")     -> report.html, report.json, report.xml, report.md,
    report.svg from_json(json.load(open("report.json")))             the validation again

Records become sentences (words.py), tables (tables.py) and figures (gallery.py, figures_*.py); sections.py
puts them in order (view.py), html.py and markdown.py write them. The same records and arrays give the same
bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from portable.errors import ModelError
from portable.files import write_together
from portable.validation.evidence import Evidence
from portable.validation.report.document import from_json, to_json
from portable.validation.verdicts import Validation

__all__ = ["from_json", "to_json", "write_report"]


def write_report(validation: Validation, evidence: Evidence, path: str | Path) -> list[Path]:
    """Write the report; all files or, if one cannot be made, none. Returns their paths, the page first.

    ModelError where `path` is no HTML file's name, its folder is missing, or jinja2 is not installed.
    """
    from portable.validation.report.badge import badge
    from portable.validation.report.html import html
    from portable.validation.report.junit import junit
    from portable.validation.report.markdown import markdown

    target = checked_path(path)
    texts = {
        target: html(validation, evidence),
        target.with_suffix(".json"): json.dumps(
            to_json(validation), indent=1, ensure_ascii=False, allow_nan=False
        )
        + "\n",
        target.with_suffix(".xml"): junit(validation),
        target.with_suffix(".md"): markdown(validation, target.name),
        target.with_suffix(".svg"): badge(validation),
    }
    write_texts(texts)
    return list(texts)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write them all, or none. What is no Unicode (half a surrogate pair in a name) becomes "?"."""
    write_together({place: text.encode("utf-8", "replace") for place, text in texts.items()})


def checked_path(path: str | Path) -> Path:
    """Where a page can be written; ModelError if it cannot."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ModelError(
            str(path),
            "is no name of an HTML file",
            f"use '{target.with_suffix('.html').name}'" if target.name else "end it with .html",
        )
    if not target.parent.is_dir():
        raise ModelError(str(path), f"there is no folder '{target.parent}'", "make it first")
    return target
