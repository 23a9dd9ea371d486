"""From a network to results: resolve, check, lower, open, run."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from portable.backends import registry
from portable.backends.contract import Backend, Lowered, RunConfig, Session, Shortfall
from portable.errors import BackendFailed, BackendUnavailable, ModelError, PortableError, UnsupportedError
from portable.memory import peak
from portable.model.network import Network, Population, View, side
from portable.model.values import Array
from portable.options import check_arguments, run_config, run_time, step_size, time_step, whole_steps
from portable.progress import Report, reporter
from portable.resolve import resolve, values_for
from portable.resolve.derived import Samples, dimension
from portable.resolve.program import CellGroup, PoissonGroup, Program
from portable.results.tables import Results, TraceTable, sorted_spikes
from portable.units import coherent_unit, milliseconds

PIECE_SECONDS = 0.25  # wall-clock between two progress reports


def run(
    network: Network,
    backend: str = "native",
    duration: Any = None,
    dt: Any = None,
    seed: int = 0,
    *,
    threads: int | None = None,
    inputs: str = "auto",
    integrator: str = "auto",
    compact: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: Report | bool | None = None,
) -> Results:
    """Run a network and return what it recorded.

    duration, dt: ms or "1 s"; left out, what the network's settings say (a NeuroML simulation), else 1 s and
    0.1 ms. threads: default 1 (native: all processors for a large network). inputs: "frozen" (every backend
    gets the same Poisson trains), "native" (the simulator draws its own), "auto" (frozen below a size).
    integrator: "auto", "exact", "euler", "rk4", "rkf45", "jlems" (native, networks read from NeuroML: jLEMS
    step by step).
    compact: float32 weights. progress: True for a bar, or a function of (steps done, steps in all).

    Raises ModelError, UnsupportedError (all shortfalls at once), BackendNotFound, BackendUnavailable,
    BackendFailed. Ctrl-C returns what was recorded so far, with provenance["interrupted"] = True.
    """
    duration, dt = run_time(network, duration), time_step(network, dt)
    steps = whole_steps(duration, step_size(dt), "duration")
    with open(
        network,
        backend,
        dt=dt,
        seed=seed,
        threads=threads,
        inputs=inputs,
        integrator=integrator,
        compact=compact,
        options=options,
    ) as sim:
        try:
            sim.advance(steps, progress)
        except KeyboardInterrupt:
            warnings.warn(
                f"interrupted at {sim.time:g} ms of {milliseconds(duration, 'duration'):g} ms", stacklevel=2
            )
        return sim.results()


def open(
    network: Network,
    backend: str = "native",
    *,
    dt: Any = None,
    seed: int = 0,
    threads: int | None = None,
    inputs: str = "auto",
    integrator: str = "auto",
    compact: bool = False,
    options: Mapping[str, Any] | None = None,
    program: Program | None = None,
) -> Simulation:
    """Build a network in a backend and return a session to run in pieces; use it in a `with` block. Arguments
    as in `run`.

    `program` gives an already resolved network (of the same network, seed and dt), to run it on several
    backends.
    """
    adapter = registry.get(backend)
    if adapter.version() is None:
        raise BackendUnavailable(
            f"backend '{backend}' needs a simulator that is not installed; {adapter.capabilities.install}"
        )
    check_arguments(threads, inputs, integrator)
    started = time.perf_counter()
    if program is None:
        program = resolve(network, seed, step_size(time_step(network, dt)), weights32=compact)
    config = run_config(program, backend, threads, inputs, integrator, compact, options)
    resolved = time.perf_counter()
    problems = [*adapter.capabilities.shortfalls(program, config), *adapter.check(program, config)]
    if problems:
        raise UnsupportedError(backend, problems)
    lowered = adapter.lower(program, config)
    done = time.perf_counter()
    session = _guarded(backend, lambda: adapter.open(lowered.plan))
    phases = {"resolve": resolved - started, "lower": done - resolved, "build": time.perf_counter() - done}
    return Simulation(network, program, adapter, config, lowered, session, phases)


def check(
    network: Network,
    backend: str,
    *,
    dt: Any = None,
    seed: int = 0,
    threads: int | None = None,
    inputs: str = "auto",
    integrator: str = "auto",
    compact: bool = False,
    options: Mapping[str, Any] | None = None,
) -> list[Shortfall]:
    """Everything in the network that the backend cannot do; [] if it can run it. Needs no simulator."""
    adapter = registry.get(backend)
    program = resolve(network, seed, step_size(time_step(network, dt)), weights32=compact)
    config = run_config(program, backend, threads, inputs, integrator, compact, options)
    return [*adapter.capabilities.shortfalls(program, config), *adapter.check(program, config)]


def _guarded(backend: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (PortableError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        raise BackendFailed(f"backend '{backend}' failed: {type(error).__name__}: {error}") from error


class Simulation:
    """A network built in a backend, advancing in pieces.

        with pt.open(net, "native") as sim:
            sim.run("100 ms")
            sim.set(exc, tau_m="10 ms")
            sim.run("100 ms")
            results = sim.results()

    Two pieces give exactly what one run of both would. Ctrl-C raises KeyboardInterrupt between two steps; the
    session goes on working.
    """

    def __init__(
        self,
        network: Network,
        program: Program,
        backend: Backend,
        config: RunConfig,
        lowered: Lowered,
        session: Session,
        phases: dict[str, float],
    ) -> None:
        self.network, self.program, self.backend, self.config = network, program, backend, config
        self.lowered, self.session, self.phases = lowered, session, {**phases, "run": 0.0}
        self.steps, self.interrupted, self._closed = 0, False, False
        self._now: dict[str, dict[str, Any]] = {g.name: dict(g.parameters) for g in program.cells}
        self._changes: dict[
            str, list[tuple[int, dict[str, Any]]]
        ] = {}  # by population: (step, all parameters from then on)

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Simulation({self.network.name!r} on {self.backend.name} at {self.time:g} ms)"

    @property
    def time(self) -> float:
        """Biological time reached, in ms."""
        return float(np.round(self.steps * self.program.dt, 9))

    def run(self, duration: Any, progress: Report | bool | None = None) -> Simulation:
        """Advance by `duration` (ms or "100 ms"). Returns self."""
        self.advance(whole_steps(duration, self.program.dt, "duration"), progress)
        return self

    def advance(self, steps: int, progress: Report | bool | None = None) -> None:
        """Advance by whole steps, in pieces of about PIECE_SECONDS of wall-clock time."""
        self._usable()
        with reporter(
            progress, f"{self.network.name} on {self.backend.name}", steps, self.program.dt
        ) as report:
            left = steps
            piece = steps if getattr(self.session, "single_run", False) else min(steps, 100)
            while left > 0:
                piece = min(piece, left)
                began = time.perf_counter()
                try:
                    _guarded(self.backend.name, partial(self.session.run, piece))
                except KeyboardInterrupt:
                    self.interrupted = True
                    self.phases["run"] += time.perf_counter() - began
                    self.steps = self._reached()
                    raise
                spent = time.perf_counter() - began
                self.phases["run"] += spent
                self.steps, left = self.steps + piece, left - piece
                report(steps - left, steps)
                piece = max(1, min(int(piece * PIECE_SECONDS / max(spent, 1e-6)), 16 * piece))

    def _reached(self) -> int:
        """Steps that the session has taken: a piece that was interrupted may be done in part."""
        for name in ("now", "step"):
            if hasattr(self.session, name):
                return int(getattr(self.session, name))
        return self.steps

    def set(self, target: Population | View, **parameters: Any) -> None:
        """Change parameters of a population or view from now on: sim.set(exc, tau_m="10 ms")."""
        self._usable()
        if "session.set" not in self.backend.capabilities.support:
            raise UnsupportedError(
                self.backend.name,
                [
                    Shortfall(
                        "session.set", "set", f"{self.backend.name} cannot change parameters during a run"
                    )
                ],
            )
        view = side(target, "set.target")[0]
        name = view.population.name
        self.network.population(name)
        wide = {k: _widened(v, view) for k, v in parameters.items()}
        given = values_for(self.network, self.program.seed, name, wide, self.program.dt)
        group = self.program.group(name)
        if len(view) != group.size:
            given = {k: self._merged(group, view, k, v) for k, v in given.items()}
        self._now.setdefault(name, {}).update(given)
        _guarded(self.backend.name, lambda: self.session.set(name, given))
        if isinstance(group, CellGroup):
            self._changes.setdefault(name, []).append((self.steps, dict(self._now[name])))

    def _merged(self, group: Any, view: View, parameter: str, new: Any) -> Any:
        """The present values of the whole population with those of the view replaced."""
        old = self._now.get(group.name, {}).get(parameter)
        full = np.array(
            np.broadcast_to(np.asarray(group.rate if old is None else old, dtype=np.float64), group.size)
        )
        full[view.ids] = np.broadcast_to(new, group.size)[view.ids]
        return full

    def results(self) -> Results:
        """Everything recorded up to now."""
        self._usable()
        began = time.perf_counter()
        raw = _guarded(self.backend.name, self.session.recorded)
        p, dt = self.program, self.program.dt
        none = np.zeros(0, dtype=np.int64)
        found = {name: raw.spikes.get(name, (none, none)) for name in p.spikes}
        spikes = {
            name: sorted_spikes(found[name][0], found[name][1], dt, ids) for name, ids in p.spikes.items()
        }
        samples = Samples(p, raw.traces, self._changes, self.steps)
        traces = {}
        for t in p.shown:
            steps, values = samples.read(t)
            group = p.group(t.group)
            assert isinstance(group, CellGroup)
            traces[t.group, t.variable] = TraceTable(
                t.ids, steps, dt, values, coherent_unit(dimension(group.flat, t.variable))
            )
        self.phases["collect"] = time.perf_counter() - began
        sizes = {g.name: g.size for g in p.groups}
        return Results(
            p.name,
            self.backend.name,
            dt,
            self.steps,
            sizes,
            spikes,
            traces,
            self._provenance(),
            (*p.approximations, *self.lowered.approximations),
        )

    def _provenance(self) -> dict[str, Any]:
        from importlib.metadata import version

        return {
            "portable": version("portable-snn"),
            "backend": self.backend.name,
            "simulator": self.backend.version(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.platform(),
            "seed": self.program.seed,
            "model_hash": self.program.model_hash,
            "threads": getattr(self.session, "threads", self.config.threads),
            "inputs": self._inputs(),
            "integrators": dict(self.lowered.integrators),
            "compact": self.config.compact,
            "options": dict(self.config.options),
            "seconds": {**self.phases, **getattr(self.session, "seconds", {})},
            "interrupted": self.interrupted,
            "synapses": self.program.synapses,
            "sources": [g.name for g in self.program.groups if not isinstance(g, CellGroup)],
            "peak_memory_bytes": peak(),
        }

    def _inputs(self) -> str | dict[str, str]:
        """ "frozen" or "native"; by population where a backend treated them differently."""
        said = getattr(self.session, "inputs", None)
        by_population = dict(said) if isinstance(said, Mapping) else {}
        words = set(by_population.values())
        return (
            by_population
            if len(words) > 1
            else words.pop()
            if words
            else "none"
            if not self._sources()
            else self.config.inputs
        )

    def _sources(self) -> bool:
        return any(isinstance(g, PoissonGroup) for g in self.program.groups)

    def _usable(self) -> None:
        if self._closed:
            raise ModelError(
                "Simulation", "is closed", "open it again, or read results() before the end of the with block"
            )

    def close(self) -> None:
        """Free the simulator."""
        if not self._closed:
            self._closed = True
            self.session.close()


def _widened(given: Any, view: View) -> Any:
    """One value per cell of a view, as one per cell of its population (the cells outside the view are not
    used).
    """
    many = isinstance(given, (Array, list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not many or len(given) != len(view):
        return given
    index = np.zeros(view.population.size, dtype=np.int64)
    index[view.ids] = np.arange(len(view))
    return Array(given.values[index], given.unit) if isinstance(given, Array) else [given[i] for i in index]
