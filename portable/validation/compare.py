"""Run one resolved network on several backends and say whether the spikes are identical.

The network is resolved once per seed: connections, parameters and Poisson trains are the same arrays for
every backend ("frozen inputs"). The first question is whether the spike lists are identical; only then come
fractions. Cells whose equations are not linear are also compared out of the loop (validation.single_cell), as
chaos amplifies any difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, overload

from portable.backends import registry
from portable.errors import BackendFailed, BackendUnavailable, ModelError, UnsupportedError
from portable.model.network import Network
from portable.options import step_size, whole_steps
from portable.resolve import resolve
from portable.resolve.program import Program
from portable.results.approximations import grouped
from portable.results.tables import Results
from portable.simulation import open as open_simulation
from portable.validation.differences import Pair, compare_results
from portable.validation.single_cell import OpenLoop, nonlinear_groups, open_loop

IDENTICAL, DIFFERENT, NOT_COMPARABLE = "identical", "different", "not comparable"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Side:
    """How one backend ran: version, integrator of each population, approximations, seconds per phase,
    spikes.
    """

    backend: str
    seed: int
    simulator: str
    inputs: str
    integrators: Mapping[str, str]
    approximations: tuple[str, ...]
    seconds: Mapping[str, float]
    spikes: int


@dataclass(frozen=True)
class Comparison:
    """Every backend against the first, for every seed. `failures` maps a backend that could not run to the
    reason.
    """

    network: str
    dt: float
    duration: float
    backends: tuple[str, ...]
    seeds: tuple[int, ...]
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    single_cells: tuple[OpenLoop, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """ "identical", "different", or "not comparable": a backend could not run, or there is not one spike
        to compare.
        """
        if any(not p.identical for p in self.pairs):
            return DIFFERENT
        if self.failures or not self.pairs or not any(s.spikes for s in self.sides):
            return NOT_COMPARABLE
        return IDENTICAL

    @property
    def identical(self) -> bool:
        """Whether every backend ran and gave the same spikes as the first, with at least one spike."""
        return self.verdict == IDENTICAL

    @property
    def exit_code(self) -> int:
        """0 identical, 1 different, 2 could not run or compare."""
        if self.failures:
            return 2
        return {IDENTICAL: 0, DIFFERENT: 1, NOT_COMPARABLE: 2}[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the derived numbers."""
        out = asdict(self)
        out |= {
            "version": 1,
            "verdict": self.verdict,
            "identical": self.identical,
            "failures": dict(self.failures),
        }
        out["pairs"] = [_pair(p) for p in self.pairs]
        out["single_cells"] = [
            {**asdict(s), "pair": _pair(s.pair), "spike_time_difference": s.spike_time_difference}
            for s in self.single_cells
        ]
        return out

    def __repr__(self) -> str:
        lines = [
            f"'{self.network}', {self.duration:g} ms at dt {self.dt:g} ms, seeds "
            f"{', '.join(map(str, self.seeds))}: {self.verdict}"
        ]
        lines += [f"  seed {p.seed}: {_told(p)}" for p in self.pairs]
        lines += [f"  {s!r}" for s in self.single_cells]
        lines += [f"  {name} could not run: {reason}" for name, reason in self.failures.items()]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def _pair(p: Pair) -> dict[str, Any]:
    derived = {
        "identical": p.identical,
        "spikes": list(p.spikes),
        "equal": p.equal,
        "within_one_step": p.within_one_step,
    }
    return {**asdict(p), **derived}


def _told(p: Pair) -> str:
    head = f"{p.first} and {p.second}"
    other = [s for s in p.synapses if not s.same]
    if p.divergence is None and not other:
        return f"{head}: identical, {p.spikes[0]} spikes"
    if p.divergence is None:
        s = max(other, key=lambda s: s.largest / s.scale)
        return (
            f"{head}: {p.spikes[0]} identical spikes, {s.variable} of {s.projection} up to {s.largest:.3g} "
            f"{s.unit} apart (connection {s.source} -> {s.target} at {s.time:g} ms)"
        )
    d = p.divergence
    return (
        f"{head}: different from {d.time:g} ms on ({d.population}[{d.neuron}]); {100 * p.equal:.4g} % of "
        f"{max(p.spikes)} spikes equal, "
        f"{100 * p.within_one_step:.4g} % within one step"
    )


@overload
def compare(network: Results, backends: Results) -> Pair: ...


@overload
def compare(
    network: Network,
    backends: str | Iterable[str] = (),
    duration: Any = "1 s",
    dt: Any = "0.1 ms",
    seeds: int | Iterable[int] = 0,
    *,
    threads: int | None = None,
    integrator: str = "auto",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    single_cells: bool | None = None,
    tell: Tell | None = None,
) -> Comparison: ...


def compare(
    network: Network | Results,
    backends: str | Iterable[str] | Results = (),
    duration: Any = "1 s",
    dt: Any = "0.1 ms",
    seeds: int | Iterable[int] = 0,
    *,
    threads: int | None = None,
    integrator: str = "auto",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    single_cells: bool | None = None,
    tell: Tell | None = None,
) -> Comparison | Pair:
    """Run the network on each backend, once per seed, and compare spikes, traces and recorded weights with
    those of the first backend.

    backends: names, in a sequence or with commas between; the first is compared with; by default the default
    engine and every fast one that is installed.
    options: a backend's own, by its name. single_cells: compare non-linear cells also out of the loop, with
    the same input (None = where there are any). tell: called with a line of what is being done.

    A backend that lacks a feature or its simulator, or fails, is listed in `failures`; the others are still
    compared. ModelError if the network is wrong, records no spikes, or fewer than two backends are named.

    Of two Results of one network it compares what they recorded, and gives the Pair of the two: spikes,
    traces, and weights and other states of connections that learn.
    """
    if isinstance(network, Results) or isinstance(backends, Results):
        if not (isinstance(network, Results) and isinstance(backends, Results)):
            raise ModelError("compare", "got Results and something else", "give two Results, or a network")
        return compare_results(network, backends)
    names = registry.several(backends)  # an unknown name is refused before anything runs
    chosen = (seeds,) if isinstance(seeds, int) else tuple(seeds)
    step = step_size(dt)
    steps = whole_steps(duration, step, "duration")
    _usable(network, chosen)
    bench = _Bench(network, names, steps, threads, integrator, options or {}, tell or _silent)
    for seed in chosen:
        bench.say(f"seed {seed}: resolving")
        bench.one_seed(resolve(network, seed, step), single_cells)
    return Comparison(
        network.name,
        step,
        round(steps * step, 9),
        names,
        chosen,
        tuple(bench.sides),
        tuple(bench.pairs),
        tuple(bench.loops),
        bench.failures,
        tuple(bench.notes),
    )


def _silent(line: str) -> None:
    """Tell nobody."""


@dataclass
class _Bench:
    """Runs programs on the backends and collects what `compare` reports; a backend that failed once is not
    tried again.
    """

    network: Network
    names: tuple[str, ...]
    steps: int
    threads: int | None
    integrator: str
    options: Mapping[str, Mapping[str, Any]]
    say: Tell
    failures: dict[str, str] = field(default_factory=dict)
    sides: list[Side] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    loops: list[OpenLoop] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def one_seed(self, program: Program, single_cells: bool | None) -> None:
        reference: Results | None = None
        for name in self.names:
            if name in self.failures:
                continue
            self.say(f"seed {program.seed}: {name}")
            try:
                found = self.run(program, name)
            except (UnsupportedError, BackendUnavailable, BackendFailed) as error:
                self.failures[name] = str(error)
                continue
            self.sides.append(_side(found))
            if reference is None:
                reference = found
            else:
                self.pairs.append(compare_results(reference, found))
        able = [n for n in self.names if n not in self.failures]
        if reference is None or len(able) < 2 or single_cells is False:
            return
        for group in [g.name for g in program.cells] if single_cells else nonlinear_groups(program):
            self.say(f"seed {program.seed}: {group} out of the loop")
            try:
                self.loops += open_loop(program, reference, group, able, self.run)
            except (UnsupportedError, BackendFailed) as error:  # the network itself was compared
                self.notes.append(f"seed {program.seed}: {group} was not compared out of the loop: {error}")

    def run(self, program: Program, backend: str) -> Results:
        return run_program(
            self.network,
            program,
            backend,
            self.steps,
            self.threads,
            self.integrator,
            self.options.get(backend),
        )


def run_program(
    network: Network,
    program: Program,
    backend: str,
    steps: int,
    threads: int | None,
    integrator: str,
    options: Mapping[str, Any] | None,
) -> Results:
    """Run a resolved network with its frozen inputs."""
    with open_simulation(
        network,
        backend,
        dt=program.dt,
        seed=program.seed,
        threads=threads,
        inputs="frozen",
        integrator=integrator,
        options=options,
        program=program,
    ) as sim:
        sim.advance(steps)
        return sim.results()


def _usable(network: Network, seeds: Sequence[int]) -> None:
    if not seeds:
        raise ModelError("seeds", "is empty", "give at least one seed")
    if not any("spikes" in r.variables for r in network.recordings):
        raise ModelError(
            "recordings",
            f"network '{network.name}' records no spikes, so there is nothing to compare",
            "add pt.Record(population, 'spikes')",
        )


def inputs_of(r: Results) -> str:
    """ "frozen", "native", or both where a backend treats populations differently."""
    told = r.provenance.get("inputs", "")
    return " and ".join(sorted(set(told.values()))) or "frozen" if isinstance(told, Mapping) else str(told)


def _side(r: Results) -> Side:
    p = r.provenance
    return Side(
        r.backend,
        int(p.get("seed", 0)),
        str(p.get("simulator")),
        inputs_of(r),
        dict(p.get("integrators", {})),
        tuple(grouped(r.approximations)),
        dict(p.get("seconds", {})),
        sum(len(t) for t in r.spikes.values()),
    )
