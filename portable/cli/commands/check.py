"""`portable check`."""

from __future__ import annotations

from portable.cli.command import Command

COMMAND = Command(
    name="check",
    does="portable.cli.backends:check",
    summary=(
        "List everything in MODEL that a backend cannot do. Exit code 0 it can run, 1 it cannot, 2 the "
        "model is wrong."
    ),
    options=("backend", "dt", "seed", "inputs", "integrator", "compact", "as_json", "debug"),
    model="needed",
)
