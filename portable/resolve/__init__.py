"""Network -> Program: the only place that draws random numbers."""

from portable.resolve.cells import values_for
from portable.resolve.estimate import Estimate, check_memory, estimate
from portable.resolve.network import resolve
from portable.resolve.part import Chosen, Part, RoundRobin
from portable.resolve.program import Approximation, Program

__all__ = [
    "Approximation",
    "Chosen",
    "Estimate",
    "Part",
    "Program",
    "RoundRobin",
    "check_memory",
    "estimate",
    "resolve",
    "values_for",
]
