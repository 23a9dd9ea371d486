"""The verdicts as JUnit XML, for the pages that CI systems make: a suite for each backend, a case for each
level and each run that failed.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from portable.validation.report import words
from portable.validation.report.view import clean
from portable.validation.verdicts import (
    CELLS,
    EQUIVALENT,
    FAIL,
    LEVELS,
    NOT_COMPARABLE,
    NOT_RUN,
    SPIKES,
    UNDECIDED,
    LevelVerdict,
    Validation,
)

# An undecided level is a failure, one that cannot be compared an error: neither is a pass.
_TAGS = {FAIL: "failure", UNDECIDED: "failure", NOT_COMPARABLE: "error", NOT_RUN: "skipped"}


def junit(v: Validation) -> str:
    """The document."""
    root = ET.Element("testsuites", name=clean(f"portable validate {v.network}"))
    for backend in v.backends[1:]:
        suite = ET.SubElement(root, "testsuite", name=clean(backend))
        facts = ET.SubElement(suite, "properties")
        for name, value in (
            ("network", v.network),
            ("reference", v.reference),
            ("model hash", v.model_hash),
            ("answer", v.answers.get(backend, "")),
        ):
            ET.SubElement(facts, "property", name=name, value=clean(value))
        for level in LEVELS:
            _level(suite, v, backend, level, v.level(level, backend))
    for r in words.failures(v):
        suite = _suite(root, r.backend)
        case = ET.SubElement(
            suite,
            "testcase",
            classname=clean(f"{v.network}.{r.backend}"),
            name=clean(f"run of seed {r.seed}, {r.role}"),
        )
        ET.SubElement(case, "error", type=clean(r.status), message=clean(r.message)).text = clean(r.message)
    _count(root, [s for s in root if s.tag == "testsuite"])
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, backend: str) -> ET.Element:
    found = next((s for s in root if s.get("name") == clean(backend)), None)
    return found if found is not None else ET.SubElement(root, "testsuite", name=clean(backend))


def _level(suite: ET.Element, v: Validation, backend: str, level: int, found: LevelVerdict | None) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=clean(f"{v.network}.{backend}"), name=f"level {level}: {LEVELS[level]}"
    )
    verdict, summary = (found.verdict, found.summary) if found else (NOT_RUN, "this level was not tried")
    tag = _TAGS.get(verdict)
    if verdict == FAIL and level in (CELLS, SPIKES) and v.answers.get(backend) == EQUIVALENT:
        # equivalence was enough for the answer, and has to be for a CI system that takes its exit code from
        # here
        tag = "skipped"
    if tag is None:
        ET.SubElement(case, "system-out").text = clean(summary)
    elif tag == "skipped":
        ET.SubElement(case, tag, message=clean(summary))
    else:
        ET.SubElement(case, tag, type=verdict, message=clean(summary)).text = clean(summary)


def _count(root: ET.Element, suites: list[ET.Element]) -> None:
    for node in (*suites, root):
        counts = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
        for name, tag in counts.items():
            node.set(name, str(sum(1 for _ in node.iter(tag))))
