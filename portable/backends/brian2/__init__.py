"""Brian2, in runtime mode (Cython or numpy) or as one C++ program."""

from __future__ import annotations

from pathlib import Path

from portable.backends.brian2.lower import lower
from portable.backends.brian2.plan import Brian2Plan
from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.dynamics.draws import draws
from portable.resolve.program import Program

TARGETS = ("auto", "cython", "numpy", "cpp_standalone")


class Brian2Backend:
    """See lower.py for the translation and execute.py for the run."""

    name = "brian2"
    capabilities = Capabilities.load(Path(__file__).parent)

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        target = config.options.get("target", "auto")
        if target not in TARGETS:
            return [
                Shortfall(
                    "options", "options['target']", f"must be one of {', '.join(TARGETS)}, got {target!r}"
                )
            ]
        out = _drawing_events(program)
        if target == "cpp_standalone" and program.links:
            reason = "links are added between Brian2's steps, which a standalone program takes by itself"
            out.append(Shortfall("links", "options['target']", reason, "use options={'target': 'cython'}"))
        return out

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        return lower(program, config)

    def open(self, plan: Brian2Plan) -> Session:
        import portable.backends.brian2.build  # noqa: F401  first: says clearly why Brian2 cannot be imported, if so
        from portable.backends.brian2.execute import open_session

        return open_session(plan)

    def version(self) -> str | None:
        return self.capabilities.version()


def _drawing_events(program: Program) -> list[Shortfall]:
    """random() when a spike arrives: its number depends on the arrivals of the same step before it, whose
    order is Brian2's.
    """
    out = []
    for g in program.cells:
        used = {c.port for c in program.connections if c.post == g.name}
        for port in g.flat.ports:
            if port.name in used and draws(a.expr for a in port.assignments):
                reason = (
                    f"receptor '{port.name}' draws random numbers when spikes arrive, in an order that "
                    "Brian2 chooses"
                )
                out.append(
                    Shortfall(
                        "cells.random",
                        f"population '{g.name}'",
                        reason,
                        "draw in a condition, or use native or reference",
                    )
                )
    return out


BACKEND = Brian2Backend()
