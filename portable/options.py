"""The options of a run: read, checked, and settled where the user left them open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from portable.backends import registry
from portable.backends.contract import INTEGRATORS, Backend, RunConfig
from portable.backends.features import check_needs
from portable.errors import ModelError, suggestion
from portable.model.network import Network
from portable.resolve.program import Approximation, PoissonGroup, Program
from portable.units import milliseconds

# Above this many Poisson spikes a second, handing trains to another simulator costs more than it is worth.
NATIVE_INPUTS_ABOVE = 5e6


def run_config(
    program: Program,
    backend: Backend,
    threads: int | None,
    inputs: str,
    integrator: str,
    compact: bool,
    options: Mapping[str, Any] | None,
    needs: Iterable[str] = (),
) -> tuple[RunConfig, tuple[Approximation, ...]]:
    """The options of a run with the ones left to us settled, and what was asked for and is not done: threads
    of a backend that computes in one."""
    check_arguments(threads, inputs, integrator)
    if threads is None:
        threads = backend.default_threads(program)
    if inputs == "auto":
        events = sum(
            float(np.mean(g.rate)) * 1000.0 * g.size for g in program.groups if isinstance(g, PoissonGroup)
        )
        inputs = "native" if events > NATIVE_INPUTS_ABOVE else "frozen"
        if inputs == "native" and not backend.capabilities.word("sources.poisson.native"):
            inputs = "frozen"
    config = RunConfig(
        threads,
        inputs,
        integrator,
        compact,
        dict(options or {}),
        (needs,) if isinstance(needs, str) else tuple(needs),
    )
    check_needs(config.needs)
    if threads > 1 and not backend.capabilities.word("session.threads", config, program.origin is not None):
        return replace(config, threads=1), (_one_thread(backend, threads),)
    return config, ()


def _one_thread(backend: Backend, threads: int) -> Approximation:
    support = backend.capabilities.support.get("session.threads")
    reason = support.reason if support is not None else f"{backend.name} computes in one thread"
    return Approximation("threads", str(threads), "1", "none: the same numbers", reason)


def check_arguments(threads: int | None, inputs: str, integrator: str) -> None:
    """ModelError on a word that is not known; called before anything is resolved."""
    if inputs not in ("auto", "frozen", "native"):
        raise ModelError("inputs", f"must be 'auto', 'frozen' or 'native', got {inputs!r}")
    if integrator in registry.names():
        raise ModelError(
            "integrator", f"'{integrator}' is a backend of its own", f"use backend='{integrator}'"
        )
    if integrator not in INTEGRATORS:
        raise ModelError(
            "integrator", f"unknown integrator {integrator!r}", suggestion(str(integrator), INTEGRATORS)
        )
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ModelError("threads", f"must be a whole number > 0, got {threads!r}")


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
