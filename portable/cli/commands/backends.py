"""`portable backends`."""

from __future__ import annotations

from portable.cli.command import Command

COMMAND = Command(
    name="backends",
    does="portable.cli.backends:backends",
    summary="Show which simulators are installed and what each can do.",
    options=("as_json", "debug"),
)
