"""Program -> JNeuroMLPlan: what is to be written as NeuroML and LEMS. The files themselves depend on the
length of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from portable.backends.contract import Lowered, RunConfig, Shortfall
from portable.dynamics.methods import choose
from portable.dynamics.random_calls import draws
from portable.errors import ModelError
from portable.resolve.program import Approximation, CellGroup, PoissonGroup, Program
from portable.schemas.neuroml.source import lems_source
from portable.schemas.neuroml.write_lems import LemsFiles, write_lems

# jLEMS takes our own types in exactly our steps; jNeuroML's export to NEURON knows NeuroML's best.
DEFAULT_TYPES = {"jlems": "custom", "neuron": "auto"}
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

    @property
    def trains(self) -> dict[str, str]:
        """Where the trains of each group of sources come from: a file of its own has its own generators."""
        poisson = "native" if lems_source(self.program.origin) is not None else self.inputs
        return {
            g.name: poisson if isinstance(g, PoissonGroup) else "given"
            for g in self.program.groups
            if not isinstance(g, CellGroup)
        }

    @property
    def known(self) -> set[str]:
        """The groups of sources whose spikes are the program's, and need no file to be recorded."""
        return {name for name, how in self.trains.items() if how in ("given", "frozen")}

    def files(self, steps: int) -> LemsFiles:
        """The files of a run of so many steps from the start: of a network that was read from NeuroML, the
        model as its file has it.

        Of others, times are shifted so that jLEMS acts in the steps of ARCHITECTURE.md.
        """
        source = lems_source(self.program.origin)
        if source is not None:
            from portable.schemas.neuroml.origin import for_run

            return for_run(source, self.program, steps)
        return write_lems(
            self.program,
            steps=steps,
            types=self.types,
            inputs=self.inputs,
            timing="steps" if self.engine == "jlems" else "nominal",
        )


def shortfalls(program: Program, config: RunConfig) -> list[Shortfall]:
    """A method that is not there, and what cannot be written as LEMS."""
    engine = config.options.get("engine", "jlems")
    found = []
    allowed = ("auto", "euler") if engine == "jlems" else ("auto",)
    if config.integrator not in allowed:
        reason = (
            f"{METHOD[engine]} is the only method of engine '{engine}', and '{config.integrator}' was "
            "asked for"
        )
        found.append(
            Shortfall(f"integrators.{config.integrator}", "integrator", reason, "use integrator='auto'")
        )
    learning = [c for c in program.connections if c.learning is not None]
    if engine == "neuron" and learning and lems_source(program.origin) is None:
        reason = "their synapses are types of ours, which jNeuroML's export to NEURON does not take"
        where = f"projection '{learning[0].projection}'"
        found.append(Shortfall("synapses.plastic", where, reason, "use options={'engine': 'jlems'}"))
    try:
        _plan(program, config).files(1)
    except ModelError as error:
        found.append(Shortfall("neuroml.export", error.path, error.rule, error.remedy))
    return found


def _plan(program: Program, config: RunConfig) -> JNeuroMLPlan:
    engine = config.options.get("engine", "jlems")
    types = config.options.get("types", DEFAULT_TYPES[engine])
    return JNeuroMLPlan(program, engine, types, config.inputs, config.options.get("timeout"))


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
    kept = {group for group, _ in files.recorded.spikes.values()} | plan.known
    for name in sorted(program.spikes.keys() - kept):
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
        asked = choose(g.flat, config.integrator).name
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
    drawing = [name for name, how in plan.trains.items() if how == "native"]
    drawing += [g.name for g in program.cells if draws(g.flat.expressions())]
    for name in drawing:
        notes.append(
            Approximation(
                f"population '{name}'",
                f"random numbers of seed {program.seed}",
                "the simulator's own, whatever the seed",
                "other draws of the same distribution",
                "jNeuroML takes no seed",
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
