"""`portable validate-file`: everything that is wrong in a NeuroML or LEMS file, with its line."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from portable.cli import text
from portable.errors import BackendUnavailable, ModelError

if TYPE_CHECKING:
    from portable.schemas.neuroml.problem import Problem

KINDS = {
    "reader": "keep it from being read",
    "schema": "only the schema minds",
    "jneuroml": "by jNeuroML",
}


def validate_file(*, file: str, jnml: bool, folder: str, as_json: bool) -> int:
    """0 if nothing is wrong, 1 if something is: what keeps the file from being read, what only the schema
    minds, and jNeuroML's opinion where it is asked for.
    """
    path, allowed = Path(file), Path(folder) if folder else None
    if not path.is_file():
        raise ModelError(file, "there is no such file")
    found = _found(path, file, allowed)
    if jnml:
        found += _objections(path, file)
    if as_json:
        text.as_json(
            {
                "version": 1,
                "file": file,
                "valid": not found,
                "readable": all(p.kind != "reader" for p in found),
                "problems": [asdict(p) for p in found],
            }
        )
    elif found:
        _tell(found)
    else:
        text.heading(f"{file}: nothing is wrong", "green")
    return 1 if found else 0


def _found(path: Path, file: str, allowed: Path | None) -> list[Problem]:
    """What the reader says, and what the schema says besides."""
    try:
        from portable.schemas.neuroml.read import problems
        from portable.schemas.neuroml.xsd import repeats, violations
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("portable"):
            raise
        raise BackendUnavailable(
            f"NeuroML files need {error.name}; pip install 'portable-snn[neuroml]'"
        ) from error
    main = (
        str(path.resolve().relative_to(allowed.resolve()))
        if allowed and path.resolve().is_relative_to(allowed.resolve())
        else path.name
    )
    read = [
        replace(p, file=file if p.file == main else p.file, rule=text.as_options(p.rule))
        for p in problems(path, allowed)
    ]
    return read + [v for v in violations(path, allowed) if not repeats(v, read)]


def _objections(path: Path, file: str) -> list[Problem]:
    from portable.backends.jneuroml.validate import objections
    from portable.schemas.neuroml.xml import name, parse

    try:
        lems = name(parse(path, file)) == "Lems"
    except ModelError:
        lems = False
    return objections(path, file, lems)


def _tell(found: list[Problem]) -> None:
    for kind, title in KINDS.items():
        mine = [p for p in found if p.kind == kind]
        if mine and text.on_terminal():
            text.table(
                ("file", "line", "element", "rule"),
                [(p.file, p.line or "", p.element, p.rule) for p in mine],
                f"{len(mine)} {title}",
            )
        for p in [] if text.on_terminal() else mine:
            text.say(f"{p} (only the schema minds)" if kind == "schema" else str(p))
