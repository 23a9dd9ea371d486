"""What a backend can do, as versioned data beside its code (capabilities.toml), and what a program needs.

version = 1
backend = "nest"
distribution = "nest-simulator"        # whose installed version is shown; "" = nothing to install
install = "pip install 'portable-snn[nest]'"
origin = "NeuroML"                     # only networks that were read from such a file; left out = any
[support]                              # feature = "exact" | "lowered" | "approximate"; absent = unsupported
"cells.linear" = "exact"
[integrators]                          # the same words, for each named method
exact = "exact"
[options]                              # the backend's own options, each with a sentence
target = "..."
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from pathlib import Path

from portable.backends.contract import INTEGRATORS, RunConfig, Shortfall, chosen_integrator
from portable.dynamics.draws import draws
from portable.dynamics.expressions import Call, Expr, names, walk
from portable.dynamics.flat import Flat
from portable.dynamics.linear import linear, plain_jumps
from portable.errors import ModelError, suggestion
from portable.resolve.program import CellGroup, PoissonGroup, Program, TrainGroup

VERSION = 1
WORDS = ("exact", "lowered", "approximate")
FEATURES: Mapping[str, str] = {
    "cells.linear": "cells whose equations are linear",
    "cells.nonlinear": "cells whose equations are not linear",
    "cells.time": "equations that read the time t",
    "cells.conditions": "several conditions, or one that does not spike",
    "cells.random": "equations that draw random numbers",
    "cells.factorial": "factorials in equations",
    "cells.heterogeneous": "parameters and initial values that differ between cells",
    "cells.refractory": "refractory periods",
    "cells.compartments": "cells with several compartments",
    "receptors.jump": "receptors that add a multiple of the weight to states",
    "receptors.general": "receptors with any other event update",
    "synapses.static": "connections with fixed weights and delays",
    "sources.trains": "spike sources with given times",
    "sources.poisson.frozen": "Poisson sources with the trains that every backend gets",
    "sources.poisson.native": "Poisson sources drawn by the simulator",
    "links": "continuous coupling between cells",
    "inputs.current": "injected currents, constant or in steps",
    "record.spikes": "recorded spikes",
    "record.states": "recorded state variables",
    "session.pieces": "running in pieces",
    "session.set": "changing parameters between pieces",
    "session.threads": "several threads, with the same spikes",
    "weights.float32": "compact mode with float32 weights",
}


@dataclass(frozen=True)
class Capabilities:
    """The contents of one capabilities.toml."""

    backend: str
    distribution: str
    install: str
    support: Mapping[str, str]
    integrators: Mapping[str, str]
    options: Mapping[str, str]
    origin: str = ""

    @classmethod
    def load(cls, folder: Path) -> Capabilities:
        """Read folder/capabilities.toml; unknown keys, features and words are refused by name."""
        path = folder / "capabilities.toml"
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {
            "version",
            "backend",
            "distribution",
            "install",
            "origin",
            "support",
            "integrators",
            "options",
        }
        for key in data.keys() - known:
            raise ModelError(f"{path.name}.{key}", "unknown key", suggestion(key, known))
        if data.get("version") != VERSION:
            raise ModelError(f"{path.name}.version", f"must be {VERSION}, got {data.get('version')}")
        for table, names_ in (("support", FEATURES), ("integrators", INTEGRATORS)):
            for key, word in data.get(table, {}).items():
                if key not in names_:
                    raise ModelError(f"{path.name}.{table}.{key}", "unknown name", suggestion(key, names_))
                if word not in WORDS:
                    raise ModelError(
                        f"{path.name}.{table}.{key}", f"must be one of {', '.join(WORDS)}, got {word!r}"
                    )
        return cls(
            data["backend"],
            data["distribution"],
            data["install"],
            data["support"],
            data["integrators"],
            data.get("options", {}),
            data.get("origin", ""),
        )

    def version(self) -> str | None:
        """The simulator's installed version without importing it; None if it is not installed."""
        try:
            return distribution_version(self.distribution or "portable-snn")
        except PackageNotFoundError:
            return None

    def shortfalls(self, program: Program, config: RunConfig) -> list[Shortfall]:
        """Every need of the program that the table does not cover."""
        if self.origin and program.lems is None:
            reason = (
                f"{self.backend} runs only networks that were read from {self.origin}, and not changed since"
            )
            return [
                Shortfall("origin", f"network '{program.name}'", reason, "write it, read that, and run it")
            ]
        out, seen = [], set[tuple[str, str]]()
        for feature, where in requirements(program, config):
            if feature not in self.support and (feature, where) not in seen:
                seen.add((feature, where))
                out.append(Shortfall(feature, where, f"{self.backend} has no {FEATURES[feature]}"))
        for group in program.cells:
            method = chosen_integrator(group.flat, config)
            if config.integrator == "exact" and linear(group.flat) is None:
                why = (
                    f"the equations of {group.flat.base or group.flat.name} are not linear, so no step is "
                    "exact"
                )
                out.append(
                    Shortfall("integrators.exact", f"population '{group.name}'", why, "use integrator='auto'")
                )
            if method not in self.integrators:
                out.append(
                    Shortfall(
                        f"integrators.{method}",
                        f"population '{group.name}'",
                        f"{self.backend} has no integrator '{method}'",
                        f"it has: {', '.join(self.integrators)}",
                    )
                )
        for name in config.options:
            if name not in self.options:
                out.append(
                    Shortfall(
                        "options",
                        f"options['{name}']",
                        f"{self.backend} has no such option",
                        suggestion(name, self.options),
                    )
                )
        return out


def expressions(flat: Flat) -> Iterator[Expr]:
    """Every expression of a flat cell that can read a state."""
    yield from flat.derivatives.values()
    yield from (d.expr for d in flat.derived)
    for c in flat.conditions:
        yield c.test
        yield from (a.expr for a in c.assignments)
    for p in flat.ports:
        yield from (a.expr for a in p.assignments)


def requirements(program: Program, config: RunConfig) -> Iterator[tuple[str, str]]:
    """(feature, where) for everything the program uses."""
    used = {(c.post, c.port) for c in program.connections}
    for g in program.groups:
        where = f"population '{g.name}'"
        if isinstance(g, PoissonGroup):
            yield "sources.poisson." + ("native" if config.inputs == "native" else "frozen"), where
        elif isinstance(g, TrainGroup):
            yield "sources.trains", where
        else:
            yield from (
                (feature, where)
                for feature in _cell_needs(g, {port for post, port in used if post == g.name})
            )
    for c in program.connections:
        yield "synapses.static", f"projection '{c.projection}'"
    for link in program.links:
        yield "links", f"link '{link.source}.{link.variable}->{link.target}.{link.input}'"
    for current in program.currents:
        yield "inputs.current", f"population '{current.group}'"
    if program.spikes:
        yield "record.spikes", "recordings"
    for t in program.traces:
        yield "record.states", f"recording of '{t.group}.{t.variable}'"
    if config.compact:
        yield "weights.float32", "compact"


def _cell_needs(g: CellGroup, ports: set[str]) -> Iterator[str]:
    flat = g.flat
    yield "cells.linear" if linear(flat) is not None else "cells.nonlinear"
    if any("t" in names(e) for e in expressions(flat)):
        yield "cells.time"
    if len(flat.conditions) > 1 or any(not c.spike for c in flat.conditions):
        yield "cells.conditions"
    if any(not isinstance(v, float) for v in (*g.parameters.values(), *g.initial.values())):
        yield "cells.heterogeneous"
    if draws(expressions(flat)):
        yield "cells.random"
    if any(isinstance(x, Call) and x.fn == "factorial" for e in expressions(flat) for x in walk(e)):
        yield "cells.factorial"
    if flat.inputs:
        yield "links"
    if flat.refractory:
        yield "cells.refractory"
    if flat.compartments > 1:
        yield "cells.compartments"
    for port in flat.ports:
        if port.name in ports:
            yield "receptors.jump" if plain_jumps(port, flat) is not None else "receptors.general"
