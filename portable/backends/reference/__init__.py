"""The reference backend: numpy, short, slow, obviously right. Newcomers copy it, tests trust it."""

from __future__ import annotations

from pathlib import Path

from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.backends.reference.lower import ReferencePlan, lower
from portable.resolve.program import Program


class ReferenceBackend:
    """Runs the flat form as it stands; see execute.py."""

    name = "reference"
    folder = Path(__file__).parent
    capabilities = Capabilities.load(folder)

    def default_threads(self, program: Program) -> int:  # noqa: ARG002
        return 1

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:  # noqa: ARG002
        return []

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        return lower(program, config)

    def open(self, plan: ReferencePlan) -> Session:
        from portable.backends.reference.execute import ReferenceSession

        return ReferenceSession(plan)

    def version(self) -> str | None:
        return self.capabilities.version()


BACKEND = ReferenceBackend()
