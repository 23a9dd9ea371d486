"""`portable export`: a model as files of other software."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from portable.cli import text
from portable.cli.model import Model
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml.write import Written, write_neuroml

FORMATS = ("neuroml",)


def export(
    model: Model, options: Mapping[str, Any], *, format: str, out: str, as_json: bool, **how: Any
) -> int:
    """Write the files and tell what they are, and what in them is not as in the model."""
    if format not in FORMATS:
        raise ModelError("--format", f"unknown format '{format}'", suggestion(format, FORMATS))
    network = model.build(options, how)
    made = write_neuroml(network, out, **how)
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
