"""`portable show`."""

from __future__ import annotations

from portable.cli.command import Command

COMMAND = Command(
    name="show",
    does="portable.cli.show:show",
    summary="Show what MODEL is: sizes, synapses, memory, parameters, a drawing.",
    options=("dt", "plot", "as_json", "debug"),
    model="needed",
)
