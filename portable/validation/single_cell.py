"""Cells compared on their own, with the same input on every backend: no network, so nothing amplifies a
difference.

`open_loop` takes cells out of a resolved network and gives them the spikes they received in a run of it;
`single_cell` gives any cell a fixed current and spikes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portable.dynamics.linear import linear
from portable.errors import BackendFailed, BackendUnavailable, UnsupportedError
from portable.model.cells import Cell, CellType
from portable.model.connectors import AllToAll, StaticSynapse
from portable.model.network import Injection, Network, Population, Projection, Record
from portable.model.sources import SpikeSourceArray, StepCurrentSource
from portable.resolve.program import (
    CellGroup,
    Connections,
    Current,
    Ints,
    PerCell,
    Program,
    Trace,
    TrainGroup,
)
from portable.resolve.trains import Trains
from portable.results.tables import Results, SpikeTable
from portable.simulation import run
from portable.validation.differences import Pair, compare_results

CELLS = 5  # of each population taken out of the loop
VOLTAGE = "v"


@dataclass(frozen=True)
class OpenLoop:
    """Cells of one population out of the loop, on two backends. `missing` names inputs that were not recorded
    and are left out.

    spike_time_difference: largest |t_a - t_b| (ms) of the n-th spikes of a cell; nan where a cell's numbers
    of spikes differ.
    """

    population: str
    cells: tuple[int, ...]
    pair: Pair
    spike_time_difference: float
    missing: tuple[str, ...] = ()

    def __repr__(self) -> str:
        worst = ", ".join(
            f"largest difference in {t.variable} {t.before:.3g} {t.unit}" for t in self.pair.traces
        )
        state = (
            "identical spikes"
            if self.pair.identical
            else f"spikes up to {self.spike_time_difference:g} ms apart"
        )
        return (
            f"{self.population} out of the loop ({len(self.cells)} cells), {self.pair.first} and "
            f"{self.pair.second}: {state}; {worst}"
        )


def nonlinear_groups(program: Program) -> list[str]:
    """Populations whose equations are not linear."""
    return [g.name for g in program.cells if linear(g.flat) is None]


def spike_time_difference(a: SpikeTable, b: SpikeTable) -> float:
    """Largest time (ms) between the n-th spikes of a cell in the two lists; nan if a cell's numbers of spikes
    differ.
    """
    left, right = np.lexsort((a.steps, a.ids)), np.lexsort((b.steps, b.ids))
    if not np.array_equal(a.ids[left], b.ids[right]):
        return float("nan")
    gap = np.abs(a.steps[left] - b.steps[right])
    return float(round(int(gap.max()) * a.dt, 9)) if gap.size else 0.0


def open_loop(
    program: Program,
    seen: Results,
    group: str,
    backends: Sequence[str],
    run_one: Callable[[Program, str], Results],
) -> list[OpenLoop]:
    """Compare the first cells of a population out of the loop, each backend with the first."""
    loop, cells, missing = isolate(program, seen, group)
    first, *others = (run_one(loop, name) for name in backends)
    out = []
    for other in others:
        gap = spike_time_difference(first.spikes[group], other.spikes[group])
        out.append(OpenLoop(group, cells, compare_results(first, other), gap, missing))
    return out


def isolate(program: Program, seen: Results, group: str) -> tuple[Program, tuple[int, ...], tuple[str, ...]]:
    """A program of the first cells of a group alone, each source replaced by its spikes in `seen`.
    Connections that learn keep the weights that they start with: this is about cells.

    Returns the program, the cells, and the sources whose spikes were not recorded (their connections are left
    out).
    """
    whole = program.group(group)
    assert isinstance(whole, CellGroup)
    n = min(CELLS, whole.size)
    sources, connections, missing = list[TrainGroup](), list[Connections](), list[str]()
    for i, c in enumerate(c for c in program.connections if c.post == group):
        kept = np.flatnonzero(c.targets < n)
        if not kept.size:
            continue
        row = np.searchsorted(c.indptr, kept, "right") - 1
        used, local = np.unique(row, return_inverse=True)
        trains = _trains(program, seen, c.pre, used)
        if trains is None:
            missing.append(c.pre)
            continue
        name = f"input{i}"
        sources.append(TrainGroup(name, int(used.size), *trains))
        counted = np.bincount(local, minlength=used.size)
        connections.append(
            replace(
                c,
                pre=name,
                indptr=np.concatenate([[0], np.cumsum(counted)]).astype(np.int64),
                targets=c.targets[kept].copy(),
                one_to_one=False,
                learning=None,
                weights=c.weights if isinstance(c.weights, float) else c.weights[kept].copy(),
                delays=c.delays if isinstance(c.delays, (int, np.integer)) else c.delays[kept].copy(),
            )
        )
    alone = replace(
        whole,
        size=n,
        parameters={k: _first(v, n) for k, v in whole.parameters.items()},
        initial={k: _first(v, n) for k, v in whole.initial.items()},
        refractory=whole.refractory
        if isinstance(whole.refractory, (int, np.integer))
        else whole.refractory[:n].copy(),
    )
    ids = np.arange(n, dtype=np.int64)
    variable = VOLTAGE if VOLTAGE in whole.flat.state_names else whole.flat.state_names[0]
    trace = (Trace(group, variable, ids, 1),)
    loop = replace(
        program,
        groups=(alone, *sources),
        connections=tuple(connections),
        spikes={group: ids},
        traces=trace,
        shown=trace,
        currents=tuple(x for c in program.currents if c.group == group and (x := _current(c, n)) is not None),
        approximations=(),
    )
    return loop, tuple(range(n)), tuple(dict.fromkeys(missing))


def _first(value: PerCell, n: int) -> PerCell:
    return value if np.ndim(value) == 0 else np.asarray(value)[:n].copy()


def _current(c: Current, n: int) -> Current | None:
    kept = c.ids < n
    if not kept.any():
        return None
    return replace(
        c, ids=c.ids[kept], amplitude=c.amplitude if c.amplitude.shape[0] == 1 else c.amplitude[kept]
    )


def _trains(program: Program, seen: Results, source: str, used: Ints) -> tuple[Ints, Ints] | None:
    """(indptr, steps) of the sources `used`; None if their spikes are not known."""
    group = program.group(source)
    if not isinstance(group, CellGroup):
        trains, ids, steps = Trains(group, program.dt), [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for low in range(1, seen.steps + 1, trains.longest):  # the spikes of all sources can be many
            sources, stamps = trains.spikes(low, min(trains.longest, seen.steps + 1 - low))
            kept = np.isin(sources, used)
            ids.append(np.searchsorted(used, sources[kept]))
            steps.append(stamps[kept])
        return _compressed(np.concatenate(ids), np.concatenate(steps), used.size)
    spikes = seen.spikes.get(source)
    if spikes is None or not np.isin(used, spikes.recorded).all():
        return None
    kept = np.isin(spikes.ids, used)
    return _compressed(np.searchsorted(used, spikes.ids[kept]), spikes.steps[kept], used.size)


def _compressed(ids: Ints, steps: Ints, size: int) -> tuple[Ints, Ints]:
    order = np.lexsort((steps, ids))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=size))])
    return indptr.astype(np.int64), np.asarray(steps[order], dtype=np.int64)


@dataclass(frozen=True)
class SingleCell:
    """One cell with a fixed input on several backends: results by backend, each compared with the first;
    failures by backend.
    """

    name: str
    results: dict[str, Results]
    pairs: dict[str, OpenLoop]
    failures: dict[str, str]


def single_cell(
    cell: Cell | CellType,
    backends: Sequence[str],
    *,
    current: Any = 0.0,
    weights: dict[str, Any] | None = None,
    spike_times: Sequence[float] = (),
    duration: Any = "500 ms",
    dt: Any = "0.1 ms",
    start: Any = "20 ms",
    stop: Any = None,
    integrator: str = "auto",
) -> SingleCell:
    """Give a cell a current (nA) from `start` to `stop` and spikes at `spike_times` (ms) with `weights` by
    receptor; record v and spikes.
    """
    network = probe(cell, current=current, weights=weights, spike_times=spike_times, start=start, stop=stop)
    results, pairs, failures = dict[str, Results](), dict[str, OpenLoop](), dict[str, str]()
    for name in backends:
        try:
            results[name] = run(network, name, duration, dt, integrator=integrator)
        except (UnsupportedError, BackendUnavailable, BackendFailed) as error:
            failures[name] = str(error)
            continue
        first = next(iter(results.values()))
        if results[name] is not first:
            gap = spike_time_difference(first.spikes["cell"], results[name].spikes["cell"])
            pairs[name] = OpenLoop("cell", (0,), compare_results(first, results[name]), gap)
    return SingleCell(cell.name if isinstance(cell, CellType) else cell.type.name, results, pairs, failures)


def probe(
    cell: Cell | CellType,
    *,
    current: Any = 0.0,
    weights: dict[str, Any] | None = None,
    spike_times: Sequence[float] = (),
    start: Any = "20 ms",
    stop: Any = None,
) -> Network:
    """A network of one cell ("cell") with a step of current and a source of spikes on each receptor in
    `weights`.
    """
    one = Population("cell", 1, cell)
    source = Population("input", 1, SpikeSourceArray(list(spike_times)))
    steps = (
        StepCurrentSource([start], [current])
        if stop is None
        else StepCurrentSource([start, stop], [current, 0.0])
    )
    projections = [
        Projection(source, one, AllToAll(), StaticSynapse(weight=w, delay=1.0), receptor=port)
        for port, w in (weights or {}).items()
    ]
    return Network(
        "single cell", [one, source], projections, [Injection(steps, one)], [Record(one, ("spikes", VOLTAGE))]
    )
