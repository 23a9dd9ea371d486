"""Network -> Program: the only place that draws random numbers."""

from portable.resolve.cells import values_for
from portable.resolve.estimate import Estimate, check_memory, estimate
from portable.resolve.network import resolve
from portable.resolve.program import Approximation, Program

__all__ = ["Approximation", "Estimate", "Program", "check_memory", "estimate", "resolve", "values_for"]
