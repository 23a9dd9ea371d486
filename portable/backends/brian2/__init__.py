"""Brian2, in runtime mode (Cython or numpy) or as one C++ program."""

from __future__ import annotations

from pathlib import Path

from portable.backends.brian2.lower import lower
from portable.backends.brian2.plan import Brian2Plan
from portable.backends.capabilities import Capabilities
from portable.backends.contract import Lowered, RunConfig, Session, Shortfall
from portable.resolve.program import Program

TARGETS = ("auto", "cython", "numpy", "cpp_standalone")


class Brian2Backend:
    """See lower.py for the translation and execute.py for the run."""

    name = "brian2"
    capabilities = Capabilities.load(Path(__file__).parent)

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        target = config.options.get("target", "auto")
        if target not in TARGETS:
            return [Shortfall("options", "options['target']", f"must be one of {', '.join(TARGETS)}, got {target!r}")]
        if target == "cpp_standalone" and program.links:
            reason = "links are added between Brian2's steps, which a standalone program takes by itself"
            return [Shortfall("links", "options['target']", reason, "use options={'target': 'cython'}")]
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
