"""NEST 3.10: its own models where one is exactly the cell, generated NESTML for every other."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.resolve.program import Program


@dataclass(frozen=True)
class Nest:
    """The backend; `portable.backends.contract.Backend`."""

    name: str = "nest"
    folder: Path = Path(__file__).parent
    capabilities: Capabilities = field(default_factory=lambda: Capabilities.load(Path(__file__).parent))

    def default_threads(self, program: Program) -> int:  # noqa: ARG002
        return 1

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        """What NEST lacks beyond the table: a grid it cannot have, a cell that NESTML cannot say, a missing
        compiler.
        """
        from portable.backends.nest.check import shortfalls

        return shortfalls(program, config)

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        """Translate to a `plan.Plan`."""
        from portable.backends.nest.lower import lower

        return lower(program, config)

    def open(self, plan: object) -> Session:
        """Build in NEST."""
        from portable.backends.nest.opening import open_session

        return open_session(plan)  # type: ignore[arg-type]

    def version(self) -> str | None:
        """The installed NEST, None if there is none."""
        try:
            return version(self.capabilities.distribution)
        except PackageNotFoundError:
            return None


BACKEND = Nest()
