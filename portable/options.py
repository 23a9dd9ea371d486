"""The options of a run: read, checked, and settled where the user left them open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from portable.backends import registry
from portable.backends.contract import INTEGRATORS, RunConfig
from portable.errors import ModelError, suggestion
from portable.model.network import Network
from portable.resolve.program import PoissonGroup, Program
from portable.units import milliseconds

# Above this many Poisson spikes a second, handing trains to another simulator costs more than it is worth.
NATIVE_INPUTS_ABOVE = 5e6
# Cells times steps between two exchanges of spikes: below it, a step of the native engine takes about as long
# as waiting for each other.
THREADS_ABOVE = 16_000


def run_config(
    program: Program,
    backend: str,
    threads: int | None,
    inputs: str,
    integrator: str,
    compact: bool,
    options: Mapping[str, Any] | None,
) -> RunConfig:
    """The options of a run, with the ones left to us settled."""
    check_arguments(threads, inputs, integrator)
    if threads is None:
        threads = _worthwhile(program) if backend == "native" else 1
    if inputs == "auto":
        events = sum(
            float(np.mean(g.rate)) * 1000.0 * g.size for g in program.groups if isinstance(g, PoissonGroup)
        )
        inputs = "native" if events > NATIVE_INPUTS_ABOVE else "frozen"
        if inputs == "native" and "sources.poisson.native" not in registry.get(backend).capabilities.support:
            inputs = "frozen"
    return RunConfig(threads, inputs, integrator, compact, dict(options or {}))


def check_arguments(threads: int | None, inputs: str, integrator: str) -> None:
    """ModelError on a word that is not known; called before anything is resolved."""
    if inputs not in ("auto", "frozen", "native"):
        raise ModelError("inputs", f"must be 'auto', 'frozen' or 'native', got {inputs!r}")
    if integrator == "jlems":
        raise ModelError("integrator", "'jlems' is a backend of its own", "use backend='jlems'")
    if integrator not in INTEGRATORS:
        raise ModelError(
            "integrator", f"unknown integrator {integrator!r}", suggestion(str(integrator), INTEGRATORS)
        )
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ModelError("threads", f"must be a whole number > 0, got {threads!r}")


def _worthwhile(program: Program) -> int:
    """Every processor where the network is large enough, else one thread: the spikes are the same."""
    if program.links:
        return 1
    interval = min((c.delay_range()[0] for c in program.connections if c.count), default=100)
    return (
        (len(_cores()) or 1)
        if sum(g.size for g in program.cells) * min(interval, 100) >= THREADS_ABOVE
        else 1
    )


def _cores() -> list[int]:
    return (
        list(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else list(range(os.cpu_count() or 1))
    )


def step_size(dt: Any) -> float:
    """dt in ms, checked."""
    value = milliseconds(dt, "dt")
    if value <= 0:
        raise ModelError("dt", f"must be > 0 ms, got {value} ms")
    return value


def whole_steps(duration: Any, dt: float, path: str) -> int:
    """A time as a whole number of steps; refused off the grid."""
    value = milliseconds(duration, path)
    steps = round(value / dt)
    if value < 0 or abs(steps * dt - value) > 1e-6 * dt * max(1, steps) ** 0.5:
        raise ModelError(
            path,
            f"must be a whole number of steps of {dt:g} ms and 0 or more, got {value:g} ms",
            f"for example {max(1, steps) * dt:g} ms",
        )
    return steps


def time_step(network: Network, dt: Any) -> Any:
    """The step as given, else the one of the network's settings, else 0.1 ms."""
    if dt is not None:
        return dt
    settings = getattr(network, "settings", None)
    return settings.dt if settings is not None and settings.dt is not None else "0.1 ms"


def run_time(network: Network, duration: Any) -> Any:
    """The duration as given, else the one of the network's settings, else 1 s."""
    if duration is not None:
        return duration
    settings = getattr(network, "settings", None)
    return settings.duration if settings is not None and settings.duration is not None else "1 s"
