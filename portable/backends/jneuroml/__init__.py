"""jNeuroML through the jar that pyneuroml brings: jLEMS itself, or NEURON by jNeuroML's export. An oracle,
not a fast backend.
"""

from __future__ import annotations

from pathlib import Path

from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.backends.jneuroml.java import jar_version, launcher
from portable.backends.jneuroml.lower import JNeuroMLPlan, lower, shortfalls
from portable.resolve.program import Program


class JNeuroMLBackend:
    """The program written as NeuroML and LEMS (lower.py), run in a process of its own and read back
    (execute.py).
    """

    name = "jneuroml"
    folder = Path(__file__).parent
    capabilities = Capabilities.load(folder)

    def default_threads(self, program: Program) -> int:  # noqa: ARG002
        return 1

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        if self.capabilities.shortfalls(program, config):
            return []  # the table says it better than the writer of files
        return shortfalls(program, config)

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        return lower(program, config)

    def open(self, plan: JNeuroMLPlan) -> Session:
        from portable.backends.jneuroml.execute import JNeuroMLSession

        return JNeuroMLSession(plan)

    def version(self) -> str | None:
        """jNeuroML's version; None where its jar or Java is missing."""
        return jar_version() if launcher() is not None else None


BACKEND = JNeuroMLBackend()
