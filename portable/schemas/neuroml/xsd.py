"""Pure NeuroML files against the XML Schema of NeuroML 2, which libNeuroML brings with it.

LEMS files have no such schema: their element names are defined by the file itself.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lxml import etree

from portable.errors import BackendUnavailable, ModelError
from portable.schemas.neuroml.problem import SCHEMA, Problem
from portable.schemas.neuroml.xml import name, parse, where

VERSION = "2.3.1"
NAMESPACE = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[\w:.-]*\w")
_ELEMENT = re.compile(r"Element '([^']*)'(, attribute '[^']*')?: ?")


def schema_file() -> Path:
    """The schema in the installed libNeuroML. BackendUnavailable, with the install line, where it is
    missing.
    """
    spec = importlib.util.find_spec("neuroml")  # finds, does not import
    for folder in (spec.submodule_search_locations if spec is not None else None) or []:
        path = Path(folder, "nml", f"NeuroML_v{VERSION}.xsd")
        if path.is_file():
            return path
    raise BackendUnavailable(
        f"the schema of NeuroML {VERSION} comes with libNeuroML 0.6 or later, which is not installed; pip "
        "install 'portable-snn[neuroml]'"
    )


@functools.cache
def schema() -> Any:
    """The compiled schema."""
    return etree.XMLSchema(etree.parse(str(schema_file())))


def violations(main: Path, folder: Path | None = None) -> list[Problem]:
    """All that the schema objects to in `main` and in the files that it includes, and the first place where
    one of them is not well-formed.

    Only files in `folder` (that of `main`) or below are looked into; that others are refused is the reader's
    to say.
    """
    folder = (folder or main.parent).resolve()
    found: list[Problem] = []
    seen: set[Path] = set()
    todo = [main.resolve()]
    while todo:
        path = todo.pop(0)
        if (
            path in seen
            or not path.is_file()
            or not path.is_relative_to(folder)
            or path.suffix in (".h5", ".hdf5")
        ):
            continue
        seen.add(path)
        shown = str(main) if path == main.resolve() else str(path.relative_to(folder))
        try:
            root = parse(path, shown)
        except ModelError as error:
            file, line = re.fullmatch(r"(.*?)(?::(\d+))?", error.path).groups()  # type: ignore[union-attr]
            found.append(Problem(file, int(line or 0), "", error.rule, SCHEMA))
            continue
        if name(root) == "neuroml":
            found += _objections(root, shown)
        for element in root:
            given = (
                element.get("href") or element.get("file")
                if name(element) in ("include", "Include")
                else None
            )
            if given:
                todo.append((path.parent / given).resolve())
    return found


def repeats(violation: Problem, read: Iterable[Problem]) -> bool:
    """Whether the reader has said what the schema objects to: of the same element, and of the attribute that
    the schema names, if it names one.
    """
    quoted = set(re.findall(r"'([\w:.-]+)'", violation.rule))
    named = re.search(r"attribute '([\w:.-]+)'", violation.rule)
    same = [p for p in read if (p.file, p.line) == (violation.file, violation.line)]
    if named is None:
        return any(p.element == violation.element or quoted & set(_WORD.findall(p.rule)) for p in same)
    return any(named[1] in _WORD.findall(p.rule) for p in same)


def _objections(root: Any, shown: str) -> list[Problem]:
    check = schema()
    if check.validate(root):
        return []
    at: dict[int, str] = {}
    for element in root.iter():
        at.setdefault(element.sourceline, where(element, shown).element if name(element) else "")
    out = []
    for entry in check.error_log:
        head = _ELEMENT.match(NAMESPACE.sub("", entry.message))
        text = NAMESPACE.sub("", entry.message)
        if head is None:
            out.append(Problem(shown, entry.line, "", text, SCHEMA))
            continue
        element = at.get(entry.line, "")
        element = element if element.startswith(f"<{head[1]}") else f"<{head[1]}>"
        out.append(
            Problem(
                shown,
                entry.line,
                element,
                (head[2] or "").lstrip(", ") + (": " if head[2] else "") + text[head.end() :],
                SCHEMA,
            )
        )
    return out


@functools.cache
def document_order() -> tuple[str, ...]:
    """Names of the elements of a NeuroML document in the order that the schema wants; () where there is no
    schema.
    """
    try:
        root = etree.parse(str(schema_file())).getroot()
    except BackendUnavailable:
        return ()
    groups = {g.get("name"): g for g in root if name(g) == "group"}
    kinds = {k.get("name"): k for k in root if name(k) == "complexType"}

    def walk(element: Any) -> list[str]:
        out: list[str] = []
        for e in element:
            if name(e) == "extension":
                base = kinds.get(e.get("base"))
                out += ([] if base is None else walk(base)) + walk(e)
            elif name(e) == "group":
                out += walk(groups[e.get("ref")])
            elif name(e) == "element":
                out.append(e.get("name"))
            else:
                out += walk(e)
        return out

    return tuple(walk(kinds["NeuroMLDocument"]))
