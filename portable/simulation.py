"""From a network to results: resolve, check, lower, open, run."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, cast

import numpy as np

from portable import learning
from portable.activity import doing
from portable.backends import registry
from portable.backends.contract import (
    Backend,
    HeldConnections,
    Learns,
    Lowered,
    ReadsBack,
    RunConfig,
    Session,
    Shortfall,
)
from portable.backends.features import FEATURES
from portable.dynamics.synapse import check_trace
from portable.errors import BackendFailed, BackendUnavailable, ModelError, PortableError, UnsupportedError
from portable.learning import Orders, Recorder, Regular
from portable.memory import peak
from portable.model.network import Network, Population, Projection, View, side
from portable.model.synapses import PlasticSynapse
from portable.model.values import Array
from portable.options import check_arguments, run_config, run_time, step_size, time_step, whole_steps
from portable.progress import Report, building, reporter
from portable.resolve import resolve, values_for
from portable.resolve.derived import Samples, dimension
from portable.resolve.program import Approximation, CellGroup, Program
from portable.results.synapses import SynapseTable
from portable.results.tables import Results, TraceTable, sorted_spikes
from portable.units import Floats, coherent_unit, milliseconds

PIECE_SECONDS = 0.25  # wall-clock between two progress reports


def run(
    network: Network,
    backend: str = registry.DEFAULT,
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
    0.1 ms. threads: default what the backend says (native: all processors for a large network). inputs:
    "frozen" (every backend gets the same Poisson trains), "native" (the simulator draws its own), "auto"
    (frozen below a size).
    integrator: "auto", "exact", "euler", "exponential_euler", "rk4" or "rkf45".
    compact: float32 for arrays of weights too (drawn ones always are). progress: True for a bar, or a
    function of (steps done, steps in all).

    Raises ModelError, UnsupportedError (all shortfalls at once), BackendNotFound, BackendUnavailable,
    BackendFailed. Ctrl-C returns what was recorded so far, with provenance["interrupted"] = True.
    """
    duration, dt = run_time(network, duration), time_step(network, dt)
    steps = whole_steps(duration, step_size(dt), "duration")
    with building(progress, f"{network.name} on {backend}"):
        built = open(
            network,
            backend,
            dt=dt,
            seed=seed,
            threads=threads,
            inputs=inputs,
            integrator=integrator,
            compact=compact,
            options=options,
        )
    with built as sim:
        try:
            sim.advance(steps, progress)
        except KeyboardInterrupt:
            warnings.warn(
                f"interrupted at {sim.time:g} ms of {milliseconds(duration, 'duration'):g} ms", stacklevel=2
            )
        return sim.results()


def open(
    network: Network,
    backend: str = registry.DEFAULT,
    *,
    dt: Any = None,
    seed: int = 0,
    threads: int | None = None,
    inputs: str = "auto",
    integrator: str = "auto",
    compact: bool = False,
    options: Mapping[str, Any] | None = None,
    program: Program | None = None,
    needs: Iterable[str] = (),
) -> Simulation:
    """Build a network in a backend and return a session to run in pieces; use it in a `with` block. Arguments
    as in `run`.

    `needs` names what the session will be asked for, so that a backend that cannot do it is refused before
    anything is built: "session.pieces", "session.set", "session.connections". What is not named is refused
    when it is asked for.
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
        doing("drawing the connections")
        program = resolve(network, seed, step_size(time_step(network, dt)), weights32=compact)
    config, notes = run_config(
        program, adapter, threads, inputs, integrator, compact, options, learning.needs(network, needs)
    )
    resolved = time.perf_counter()
    problems = [*adapter.capabilities.shortfalls(program, config), *adapter.check(program, config)]
    if problems:
        raise UnsupportedError(backend, problems)
    lowered = adapter.lower(program, config)
    done = time.perf_counter()
    doing("building")
    session = _guarded(backend, lambda: adapter.open(lowered.plan))
    phases = {"resolve": resolved - started, "lower": done - resolved, "build": time.perf_counter() - done}
    approximations = (*program.approximations, *notes, *lowered.approximations)
    return Simulation(network, program, adapter, config, lowered, session, phases, approximations)


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
    needs: Iterable[str] = (),
) -> list[Shortfall]:
    """Everything in the network that the backend cannot do; [] if it can run it. Needs no simulator.

    `needs`: what a session will be asked for besides one run, as in `open`.
    """
    adapter = registry.get(backend)
    program = resolve(network, seed, step_size(time_step(network, dt)), weights32=compact)
    config, _ = run_config(
        program, adapter, threads, inputs, integrator, compact, options, learning.needs(network, needs)
    )
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
        approximations: tuple[Approximation, ...] = (),
    ) -> None:
        self.network, self.program, self.backend, self.config = network, program, backend, config
        self.lowered, self.session, self.phases = lowered, session, {**phases, "run": 0.0}
        self.approximations = approximations
        self.interrupted, self._closed = False, False
        self.began = datetime.now(UTC).isoformat(timespec="seconds")
        self._now: dict[str, dict[str, Any]] = {g.name: dict(g.parameters) for g in program.cells}
        self._orders = Orders(program)
        self._recorder = Recorder(network, program, self._orders)
        self._regular = Regular(network, program)
        if self._recorder.wanted and not session.now:
            self._recorder.sample(0, self._read)
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
    def steps(self) -> int:
        """Steps that the session has taken."""
        return self.session.now

    def can(self, feature: str) -> str:
        """How the backend does something ("session.set"), with these options, for this network: "exact",
        "lowered", "approximate", or "" where it cannot.
        """
        return str(self.backend.capabilities.word(feature, self.config, self.program.origin is not None))

    def _require(self, feature: str, where: str) -> None:
        """UnsupportedError, in the words of the table, where the backend has not got it."""
        if not self.can(feature):
            support = self.backend.capabilities.support.get(feature)
            why = support.reason if support else f"{self.backend.name} has no {FEATURES[feature]}"
            short = Shortfall(feature, where, why, support.remedy if support else "")
            raise UnsupportedError(self.backend.name, [short])

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
            if steps and self.steps:
                self._require("session.pieces", "run")
            left = steps
            piece = min(steps, 100) if self.can("session.pieces") == "exact" else steps
            while left > 0:
                stops = self._recorder.next(self.steps), self._regular.next(self.steps)
                stop = min((s for s in stops if s is not None), default=None)
                now = min(piece, left) if stop is None else min(piece, left, stop - self.steps)
                began = time.perf_counter()
                try:
                    _guarded(self.backend.name, partial(self.session.run, now))
                except KeyboardInterrupt:
                    self.interrupted = True
                    self.phases["run"] += time.perf_counter() - began
                    raise
                spent = time.perf_counter() - began
                self.phases["run"] += spent
                left -= now
                if stop is not None:
                    self._regular.act(self.steps, self._read, cast(Learns, self.session).set_synapses)
                    self._recorder.sample(self.steps, self._read)
                report(steps - left, steps)
                piece = max(1, min(int(now * PIECE_SECONDS / max(spent, 1e-6)), 16 * piece))

    def _read(self, name: str, variable: str) -> Floats:
        return cast(Learns, self.session).synapses(name, variable)

    def synapses(self, projection: Projection | str, variable: str = "weight") -> SynapseTable:
        """A state of the connections of a projection that learns, now: after everything that their clocks
        have seen, spikes of targets included. In source-target order.
        """
        self._usable()
        p = learning.projection(self.network, projection, "synapses")
        assert isinstance(p.synapse, PlasticSynapse)
        check_trace(p.synapse.rule, variable, f"projection '{p.name}'")
        self._require("session.synapses", f"projection '{p.name}'")
        o = self._orders.of(p)
        found: SynapseTable = _guarded(
            self.backend.name,
            lambda: learning.table(o, p, variable, self.steps, self.program.dt, self._read),
        )
        return found

    def weights(self, projection: Projection | str) -> SynapseTable:
        """The weights of a projection that learns, now; as `synapses`."""
        return self.synapses(projection, "weight")

    def plastic(self, projection: Projection | str, on: bool) -> None:
        """Whether the weights of a projection change from now on. Traces and other states go on."""
        self._usable()
        p = learning.projection(self.network, projection, "plastic")
        self._require("session.plastic", f"projection '{p.name}'")
        for c in self._orders.of(p).of:
            _guarded(self.backend.name, partial(cast(Learns, self.session).plastic, c.name, bool(on)))
        (self._regular.off.discard if on else self._regular.off.add)(p.name)

    def signal(self, projection: Projection | str, spikes: int = 1) -> None:
        """The third factor of a projection's rule: as many spikes as a reward is worth, from outside, which
        the connections see at the next step.
        """
        self._usable()
        p = learning.projection(self.network, projection, "signal")
        assert isinstance(p.synapse, PlasticSynapse)
        if not p.synapse.rule.signal:
            raise ModelError(
                f"projection '{p.name}'", f"'{p.synapse.type.name}' has no third factor", "see its rule"
            )
        if not isinstance(spikes, (int, np.integer)) or isinstance(spikes, bool) or spikes < 1:
            raise ModelError(
                "signal.spikes", f"must be a whole number > 0, got {spikes!r}", "leave it out for one"
            )
        self._require("session.signal", f"projection '{p.name}'")
        for c in self._orders.of(p).of:
            _guarded(self.backend.name, partial(cast(Learns, self.session).signal, c.name, int(spikes)))

    def _set_synapses(self, which: Projection, values: Mapping[str, Any]) -> None:
        p = learning.projection(self.network, which, "set")
        self._require("session.synapses.set", f"projection '{p.name}'")
        o = self._orders.of(p)
        by_name: dict[str, dict[str, Any]] = {}
        for variable, new in values.items():
            for name, x in learning.given(o, p, variable, new).items():
                by_name.setdefault(name, {})[variable] = x
        for name, given in by_name.items():
            _guarded(self.backend.name, partial(cast(Learns, self.session).set_synapses, name, given))

    def set(self, target: Population | View | Projection, **parameters: Any) -> None:
        """Change parameters of a population or view from now on: sim.set(exc, tau_m="10 ms"). Of a projection
        that learns, weights and other states of its connections: sim.set(stdp, weight="0.1 nA"), one value
        or one for each in source-target order, as sim.weights(stdp) gives them.
        """
        self._usable()
        if isinstance(target, Projection):
            self._set_synapses(target, parameters)
            return
        self._require("session.set", "set")
        view = side(target, "set.target")[0]
        name = view.population.name
        self.network.population(name)
        wide = {k: _widened(v, view) for k, v in parameters.items()}
        given = values_for(self.network, self.program.seed, name, wide, self.program.dt)
        group = self.program.group(name)
        if len(view) != group.size:
            given = {k: self._merged(group, view, k, v) for k, v in given.items()}
        _guarded(self.backend.name, lambda: self.session.set(name, given))
        self._now.setdefault(name, {}).update(given)  # not what was refused
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

    def connections(self) -> Iterator[HeldConnections]:
        """The connections as the simulator holds them; UnsupportedError where it cannot be asked."""
        self._usable()
        self._require("session.connections", "connections")
        return cast(ReadsBack, self.session).connections()

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
            self.approximations,
            dict(self._recorder.samples),
        )

    def _provenance(self) -> dict[str, Any]:
        from importlib.metadata import version

        facts = self.session.facts()
        return {
            "portable": version("portable-snn"),
            "backend": self.backend.name,
            "simulator": self.backend.version(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.platform(),
            "began": self.began,
            "seed": self.program.seed,
            "model_hash": self.program.model_hash,
            "threads": facts.threads,
            "inputs": self._inputs(facts.inputs),
            "integrators": dict(self.lowered.integrators),
            "compact": self.config.compact,
            "options": dict(self.config.options),
            "seconds": {**self.phases, **facts.seconds},
            "interrupted": self.interrupted,
            "synapses": self.program.synapses,
            "sources": [g.name for g in self.program.groups if not isinstance(g, CellGroup)],
            "peak_memory_bytes": peak(),
        }

    def _inputs(self, by_population: Mapping[str, str]) -> str | dict[str, str]:
        """ "frozen" or "native"; by population where they differ; "none" without Poisson sources."""
        drawn = {name: word for name, word in by_population.items() if word != "given"}
        words = set(drawn.values())
        return drawn if len(words) > 1 else words.pop() if words else "none"

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
    if isinstance(given, Array):
        return Array(given.values[index], given.unit)
    return given[index] if isinstance(given, np.ndarray) else [given[i] for i in index]
