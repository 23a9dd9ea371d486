"""`portable export`: a model as files of other software."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from portable.cli import text
from portable.cli.model import Model
from portable.errors import ModelError
from portable.schemas import formats
from portable.schemas.written import Written

RUN = ("duration", "dt", "seed")  # what a format need not take: it is no part of a network
# What is meant where the user says nothing.
SILENT = {"simulation": True, "inputs": "frozen", "types": "auto", "timing": "steps", "hdf5_above": 10_000}


def export(
    model: Model, options: Mapping[str, Any], *, format: str, out: str, as_json: bool, **how: Any
) -> int:
    """Write the files and tell what they are, and what in them is not as in the model."""
    able = {name: f.write for name, f in formats.known().items() if f.write is not None}
    if format not in able:
        raise ModelError("--format", f"unknown format '{format}'", f"known: {', '.join(able)}")
    write = able[format]
    network = model.build(options, how)
    made = write(network, Path(out), **_taken(format, write, how))
    if as_json:
        text.as_json(
            {
                "folder": str(made.folder),
                "main": made.main,
                "files": list(made.files),
                "approximations": [asdict(a) for a in made.approximations],
            }
        )
    else:
        report(made)
    return 0


def _taken(format: str, write: Callable[..., Written], how: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a format takes. ModelError if the user has set another one."""
    parameters = inspect.signature(write).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(how)
    names = {p.name for p in parameters}
    for name, value in how.items():
        if name not in names and name not in RUN and value != SILENT.get(name):
            option = f"--{name.replace('_', '-')}"
            raise ModelError(option, f"means nothing for --format {format}", "leave it out")
    return {name: value for name, value in how.items() if name in names}


def report(made: Written) -> None:
    """Files with their sizes, then the approximations."""
    text.heading(str(made.folder))
    text.table(
        ["file", "bytes", ""],
        [[n, (made.folder / n).stat().st_size, "main" if n == made.main else ""] for n in made.files],
    )
    if made.approximations:
        text.table(
            ["where", "asked", "got", "largest error"],
            [[a.where, a.asked, a.got, a.largest_error] for a in made.approximations],
            "Approximations",
        )
    if made.main.startswith("LEMS_"):
        text.say(f"run it: jnml {made.path} -nogui")
