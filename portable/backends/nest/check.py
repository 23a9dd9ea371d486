"""What NEST lacks beyond its table of capabilities. Imports no simulator."""

from __future__ import annotations

from portable.backends.contract import RunConfig, Shortfall
from portable.backends.nest import builtin, compiled, generated, synapses
from portable.backends.nest.integration import STEPS
from portable.backends.nest.lower import tics
from portable.backends.nest.text import FUNCTIONS
from portable.dynamics.expressions import Call, walk
from portable.dynamics.methods import choose
from portable.resolve.program import Program


def shortfalls(program: Program, config: RunConfig) -> list[Shortfall]:
    """Every one, at once."""
    out = []
    if tics(program.dt) is None:
        out.append(
            Shortfall(
                "dt",
                "dt",
                f"NEST counts time in whole nanoseconds, dt {program.dt} ms is not",
                "use a multiple of 1e-6 ms",
            )
        )
    texts = []
    for group in program.cells:
        if builtin.choose(group, program, config) is not None:
            continue
        where = f"population '{group.name}'"
        if {
            e.fn for x in group.flat.expressions() for e in walk(x) if isinstance(e, Call)
        } - FUNCTIONS.keys():
            continue  # the table of capabilities says so
        if reason := generated.problem(
            group.flat, {c.port for c in program.connections if c.post == group.name}
        ):
            out.append(
                Shortfall(
                    "receptors.general",
                    where,
                    reason,
                    "write it as sums of weights, or use native or reference",
                )
            )
        elif (method := choose(group.flat, config.integrator)).name in STEPS:  # else the table says so
            texts.append((where, generated.model(group.flat, method)[0]))
    for c in program.connections:
        if c.learning is None or not c.count or c.learning.rule.draws():  # draws are refused by the table
            continue
        where = f"projection '{c.projection}'"
        if reason := synapses.problem(c.learning.rule):
            out.append(
                Shortfall("synapses.plastic", where, reason, "write it otherwise, or use native or reference")
            )
        else:
            texts.append((where, synapses.model(c.learning.rule)[0]))
    for where, text in texts:
        if compiled.module_of(text) is not None:
            continue
        reason = compiled.missing() or (compiled.too_old() if text.name.endswith("_synapse") else "")
        if reason:
            out.append(
                Shortfall(
                    "compiler", where, f"its equations need a NEST model made from NESTML, and {reason}"
                )
            )
    return out
