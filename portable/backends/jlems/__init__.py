"""jLEMS step by step: forward Euler over the tree of instances, children first, with the lag of requirements
that this brings. It runs networks that were read from NeuroML.

An import can so be proved apart from integration error: what this gives and what jLEMS writes agree to
rounding. The order of operations is that of jLEMS 0.14.0 (the `jNeuroML` jar of pyneuroml), found by reading
it and checked against its output. lower.py lays the file's own model out (pure), code.py writes its
functions, execute.py and run.py run them.
"""

from __future__ import annotations

from pathlib import Path

from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.backends.jlems.lower import JlemsPlan, lower, shortfalls
from portable.resolve.program import Program


class JlemsBackend:
    """The file's own model, not the network's flat form."""

    name = "jlems"
    folder = Path(__file__).parent
    capabilities = Capabilities.load(folder)

    def default_threads(self, program: Program) -> int:  # noqa: ARG002
        return 1

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        return shortfalls(program, config)

    def lower(self, program: Program, config: RunConfig) -> Lowered:  # noqa: ARG002
        return lower(program)

    def open(self, plan: JlemsPlan) -> Session:
        from portable.backends.jlems.execute import JlemsSession

        return JlemsSession(plan)

    def version(self) -> str | None:
        return self.capabilities.version()


BACKEND = JlemsBackend()
