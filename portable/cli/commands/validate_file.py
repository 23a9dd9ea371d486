"""`portable validate-file`."""

from __future__ import annotations

from portable.cli.command import Command, Given, Options, option


def _own(given: Given) -> Options:
    del given
    return {
        "jnml": option(
            "jnml", bool, False, "--jnml", help="Ask jNeuroML as well (needs Java; it gives no lines)."
        ),
        "folder": option(
            "folder",
            str,
            "",
            "--folder",
            metavar="DIR",
            help="The folder that included files may lie in. Default: that of FILE.",
            show_default=False,
        ),
    }


COMMAND = Command(
    name="validate-file",
    does="portable.cli.validate:validate_file",
    summary=(
        "List everything that is wrong in a NeuroML or LEMS file, with its line. Exit code 0 nothing, 1 "
        "something, 2 could not look."
    ),
    options=("jnml", "folder", "as_json", "debug"),
    own=_own,
    file="A NeuroML or LEMS file.",
)
