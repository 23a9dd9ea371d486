"""`portable validate-file`: everything that is wrong in a NeuroML or LEMS file, with its line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from portable.cli import text
from portable.errors import BackendUnavailable, ModelError


def validate_file(*, file: str, jnml: bool, folder: str, as_json: bool) -> int:
    """0 if nothing is wrong, 1 if something is. The schema first, then our reader, then jNeuroML where it is
    asked for.
    """
    path, allowed = Path(file), Path(folder) if folder else None
    if not path.is_file():
        raise ModelError(file, "there is no such file")
    try:
        from portable.schemas.neuroml.problem import Problem
        from portable.schemas.neuroml.read import problems
        from portable.schemas.neuroml.xsd import violations
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("portable"):
            raise
        raise BackendUnavailable(
            f"NeuroML files need {error.name}; pip install 'portable-snn[neuroml]'"
        ) from error
    found = violations(path, allowed)
    known = {(p.file, p.line) for p in found}
    main = (
        str(path.resolve().relative_to(allowed.resolve()))
        if allowed and path.resolve().is_relative_to(allowed.resolve())
        else path.name
    )
    read = [
        Problem(file if p.file == main else p.file, p.line, p.element, p.rule)
        for p in problems(path, allowed)
    ]
    found += [
        p for p in read if (p.file, p.line) not in known
    ]  # what the schema objects to, the reader does too
    if jnml:
        from portable.backends.jneuroml.validate import objections
        from portable.schemas.neuroml.xml import name, parse

        try:
            lems = name(parse(path, file)) == "Lems"
        except ModelError:
            lems = False
        found += objections(path, file, lems)
    if as_json:
        text.as_json({"version": 1, "file": file, "valid": not found, "problems": [asdict(p) for p in found]})
    elif found and text.on_terminal():
        text.table(
            ("file", "line", "element", "rule"),
            [(p.file, p.line or "", p.element, p.rule) for p in found],
            f"{len(found)} problems",
        )
    elif found:
        for p in found:
            text.say(str(p))
    else:
        text.heading(f"{file}: nothing is wrong", "green")
    return 1 if found else 0
