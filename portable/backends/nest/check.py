"""What NEST lacks beyond its table of capabilities. Imports no simulator."""

from __future__ import annotations

from portable.backends.contract import RunConfig, Shortfall
from portable.backends.nest import builtin
from portable.backends.nest.lower import tics
from portable.resolve.program import Program


def shortfalls(program: Program, config: RunConfig) -> list[Shortfall]:
    """Every one, at once."""
    out = []
    if tics(program.dt) is None:
        out.append(Shortfall("dt", "dt", f"NEST counts time in whole nanoseconds, dt {program.dt} ms is not", "use a multiple of 1e-6 ms"))
    if config.options.get("nestml", "auto") not in ("auto", "always"):
        out.append(Shortfall("options", "options['nestml']", f"must be 'auto' or 'always', got {config.options['nestml']!r}"))
    assert builtin
    return out
