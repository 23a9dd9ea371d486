"""Program -> ReferencePlan: only the choice of the integrator of each group of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portable.backends.contract import Lowered, RunConfig
from portable.dynamics.methods import Method, choose
from portable.resolve.program import Program


@dataclass(frozen=True)
class ReferencePlan:
    """The program itself, and the method of each group of cells."""

    program: Program
    methods: Mapping[str, Method]


def lower(program: Program, config: RunConfig) -> Lowered:
    """Pure; changes nothing."""
    methods = {g.name: choose(g.flat, config.integrator) for g in program.cells}
    return Lowered(ReferencePlan(program, methods), (), {n: m.described for n, m in methods.items()})
