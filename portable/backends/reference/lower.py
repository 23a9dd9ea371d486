"""Program -> ReferencePlan: only the choice of the integrator of each group of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portable.backends.contract import Lowered, RunConfig, chosen_integrator
from portable.resolve.program import Program


@dataclass(frozen=True)
class ReferencePlan:
    """The program itself, and "exact", "euler", "rk4" or "rkf45" for each group of cells."""

    program: Program
    integrators: Mapping[str, str]


def lower(program: Program, config: RunConfig) -> Lowered:
    """Pure; changes nothing."""
    methods = {g.name: chosen_integrator(g.flat, config) for g in program.cells}
    return Lowered(ReferencePlan(program, methods), (), methods)
