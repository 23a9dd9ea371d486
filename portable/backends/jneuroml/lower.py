"""Program -> JNeuroMLPlan: what is to be written as NeuroML and LEMS. The files themselves depend on the
length of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from portable.backends.capabilities import FEATURES, requirements
from portable.backends.contract import Lowered, RunConfig, Shortfall, chosen_integrator
from portable.errors import ModelError
from portable.resolve.program import Approximation, Program
from portable.schemas.neuroml.write_lems import LemsFiles, write_lems

ENGINES = ("jlems", "neuron")
TYPES = ("auto", "core", "custom")
# jLEMS takes our own types in exactly our steps; jNeuroML's export to NEURON knows NeuroML's best.
DEFAULT_TYPES = {"jlems": "custom", "neuron": "auto"}
# What LEMS can say, and what we cannot write in it.
ONLY_AS_READ = ("links", "cells.random", "cells.compartments")
METHOD = {"jlems": "jLEMS forward Euler", "neuron": "NEURON"}


@dataclass(frozen=True)
class JNeuroMLPlan:
    """The program, what runs it, as which types its cells are written, where its Poisson trains come from,
    and the wall-clock limit of a run in s (None: none)."""

    program: Program
    engine: str
    types: str
    inputs: str
    timeout: float | None

    def files(self, steps: int) -> LemsFiles:
        """The files of a run of so many steps from the start: of a network that was read from NeuroML, the
        model as its file has it.

        Of others, times are shifted so that jLEMS acts in the steps of ARCHITECTURE.md.
        """
        if self.program.lems is not None:
            from portable.schemas.neuroml.origin import for_run

            return for_run(self.program, steps)
        return write_lems(
            self.program,
            steps=steps,
            types=self.types,
            inputs=self.inputs,
            timing="steps" if self.engine == "jlems" else "nominal",
        )


def shortfalls(program: Program, config: RunConfig) -> list[Shortfall]:
    """Options that make no sense, a method that is not there, and what LEMS cannot say."""
    found = []
    engine, limit = config.options.get("engine", "jlems"), config.options.get("timeout")
    if engine not in ENGINES:
        return [
            Shortfall("options", "options['engine']", f"must be one of {', '.join(ENGINES)}, got {engine!r}")
        ]
    if config.options.get("types", "custom") not in TYPES:
        return [
            Shortfall(
                "options",
                "options['types']",
                f"must be one of {', '.join(TYPES)}, got {config.options['types']!r}",
            )
        ]
    if limit is not None and (_seconds(limit) is None or _seconds(limit) <= 0):  # type: ignore[operator]
        found.append(
            Shortfall("options", "options['timeout']", f"must be a number of seconds > 0, got {limit!r}")
        )
    allowed = ("auto", "euler") if engine == "jlems" else ("auto",)
    if config.integrator not in allowed:
        reason = (
            f"{METHOD[engine]} is the only method of engine '{engine}', and '{config.integrator}' was "
            "asked for"
        )
        found.append(
            Shortfall(f"integrators.{config.integrator}", "integrator", reason, "use integrator='auto'")
        )
    needs = list(dict.fromkeys(requirements(program, config)))
    if program.lems is None:
        reason = (
            "not written as NeuroML; only a network that was read from NeuroML runs with it, as its "
            "file has it"
        )
        unwritten = [
            Shortfall(f, where, f"{FEATURES[f]}: {reason}") for f, where in needs if f in ONLY_AS_READ
        ]
        if unwritten:
            return [*found, *unwritten]
    elif engine == "jlems":
        found += [
            Shortfall(
                f, where, "jLEMS has no cells with several compartments", "use options={'engine': 'neuron'}"
            )
            for f, where in needs
            if f == "cells.compartments"
        ]
    try:
        _plan(program, config).files(1)
    except ModelError as error:
        found.append(Shortfall("neuroml.export", error.path, error.rule, error.remedy))
    return found


def _seconds(given: object) -> float | None:
    """A number, also one from a command line ("60")."""
    try:
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _plan(program: Program, config: RunConfig) -> JNeuroMLPlan:
    engine = config.options.get("engine", "jlems")
    types = config.options.get("types", DEFAULT_TYPES[engine])
    return JNeuroMLPlan(program, engine, types, config.inputs, _seconds(config.options.get("timeout")))


def lower(program: Program, config: RunConfig) -> Lowered:
    """See JNeuroMLPlan. Approximations: those of the export, the method of each group, and the digits of what
    is read back.
    """
    plan = _plan(program, config)
    method = METHOD[plan.engine]
    files = plan.files(1)
    notes = [
        a for a in files.approximations if a not in program.approximations and a.got != "forward Euler at dt"
    ]
    kept = {group for group, _ in files.recorded.spikes.values()}
    for name in program.spikes.keys() - kept:
        notes.append(
            Approximation(
                f"recorded spikes of '{name}'",
                "all spikes",
                "none",
                "all of them",
                "they stand for spikes inside an input, which no file of LEMS records",
            )
        )
    for g in program.cells:
        asked = chosen_integrator(g.flat, config)
        if plan.engine != "jlems" or asked != "euler":
            notes.append(
                Approximation(
                    f"population '{g.name}'",
                    f"integrator '{asked}'",
                    method,
                    "of the order of dt",
                    "the simulator has no other; compare runs at dt and dt/2",
                )
            )
    if program.traces:
        digits = "float32" if plan.engine == "jlems" else "seven digits"
        notes.append(
            Approximation(
                "recorded states",
                "float64",
                digits,
                "1.2e-7 of the value" if plan.engine == "jlems" else "5e-7 of the value",
                "the simulator prints no more",
            )
        )
    return Lowered(plan, tuple(notes), {g.name: method for g in program.cells})
