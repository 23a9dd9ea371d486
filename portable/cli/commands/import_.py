"""`portable import`."""

from __future__ import annotations

from portable.cli.command import Command, Given, Options, option


def _own(given: Given) -> Options:
    del given
    return {
        "out": option(
            "out",
            str,
            ...,
            "--out",
            "-o",
            metavar="FILE",
            help="The document to write: .yaml, .yml or .json.",
        )
    }


COMMAND = Command(
    name="import",
    does="portable.cli.convert:import_",
    summary=(
        "Read a NeuroML or LEMS file and save it as a document that every command takes, with all its types."
    ),
    options=("dt", "out", "as_json", "debug"),
    own=_own,
    model="needed",
)
