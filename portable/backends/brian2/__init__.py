"""Brian2, in runtime mode (Cython or numpy) or as one C++ program."""

from __future__ import annotations

from pathlib import Path

from portable.backends.brian2.lower import lower
from portable.backends.brian2.plan import Brian2Plan
from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.resolve.program import Program


class Brian2Backend:
    """See lower.py for the translation and execute.py for the run."""

    name = "brian2"
    folder = Path(__file__).parent
    capabilities = Capabilities.load(folder)

    def default_threads(self, program: Program) -> int:  # noqa: ARG002
        return 1

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:  # noqa: ARG002
        return []

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        return lower(program, config)

    def open(self, plan: Brian2Plan) -> Session:
        import portable.backends.brian2.build  # noqa: F401  first: says clearly why Brian2 cannot be imported, if so
        from portable.backends.brian2.execute import open_session

        return open_session(plan)

    def version(self) -> str | None:
        return self.capabilities.version()


BACKEND = Brian2Backend()
