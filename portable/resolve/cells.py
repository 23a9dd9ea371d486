"""Populations -> groups: parameters and initial values of cells, rates and trains of sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Expr, names, substitute
from portable.dynamics.flat import Flat
from portable.dynamics.random_calls import draws as numbered_draws
from portable.dynamics.random_calls import numbered
from portable.errors import ModelError
from portable.model.cells import Cell
from portable.model.limits import MAX_MEAN
from portable.model.network import Network, Population
from portable.model.sources import SpikeSourceArray, SpikeSourcePoisson
from portable.model.values import Array, Value, value
from portable.resolve import distributions
from portable.resolve.grid import nearest, on_grid, one_on_grid, rounded
from portable.resolve.program import Approximation, CellGroup, Group, Ints, PerCell, PoissonGroup, TrainGroup
from portable.resolve.random import draw_all, stream
from portable.units import Quantity, coherent_unit


def group(p: Population, seed: int, dt: float) -> tuple[Group, list[Approximation]]:
    """One population. ModelError names `population '<name>'.<what>`."""
    match p.cell:
        case Cell():
            return _cells(p, p.cell, seed, dt)
        case SpikeSourcePoisson():
            return _poisson(p, p.cell, seed, dt), []
        case SpikeSourceArray():
            return _trains(p, p.cell, dt), []


def _cells(p: Population, cell: Cell, seed: int, dt: float) -> tuple[CellGroup, list[Approximation]]:
    path = f"population '{p.name}'"
    parameters = drawn(p, cell.parameters, seed)
    flat, key = numbered(cell.flat), stream(seed, p.name, "random")
    known = with_constants(flat, parameters)
    initial: dict[str, PerCell] = {}
    for s in flat.states:
        where = f"{path}.initial['{s.name}']"
        if s.name in p.initial:
            initial[s.name] = distributions.values(
                p.initial[s.name], p.size, stream(seed, p.name, f"initial {s.name}"), where
            )
        else:
            with np.errstate(all="ignore"):  # of a branch that is not taken; what is taken must be finite
                initial[s.name] = _per_cell(
                    evaluate(s.initial, {**known, **_draws_at_start(s.initial, p.size, key)})
                )
        _finite(initial[s.name], where)
    steps, notes = refractory(p, cell, known, dt)
    return CellGroup(p.name, p.size, flat, parameters, initial, steps, key), notes


def _draws_at_start(expr: Expr, size: int, key: int) -> dict[str, PerCell]:
    """The numbers that random() gives in an initial value, one a cell."""
    cells, none = np.arange(size), np.zeros(size, dtype=np.int64)
    return {name: draw_all(np.uint64(key), cells, 0, none, number) for number, name in numbered_draws([expr])}


def drawn(p: Population, given: Mapping[str, Value], seed: int) -> dict[str, PerCell]:
    """Parameters as numbers, each from its own stream, checked."""
    assert isinstance(p.cell, Cell)
    signs = {x.name: x for x in p.cell.flat.parameters}
    out: dict[str, PerCell] = {}
    for name, v in given.items():
        path = f"population '{p.name}'.{name}"
        out[name] = distributions.values(v, p.size, stream(seed, p.name, name), path)
        least = -np.inf
        if signs[name].positive:
            least = np.nextafter(0.0, 1.0)
        elif signs[name].nonnegative:
            least = 0.0
        _at_least(
            out[name],
            least,
            path,
            f"{'>' if signs[name].positive else '>='} 0 {coherent_unit(signs[name].dimension)}",
        )
    return out


def _at_least(numbers: PerCell, least: float, path: str, rule: str) -> None:
    bad = np.flatnonzero(np.atleast_1d(numbers) < least)
    if bad.size:
        raise ModelError(
            f"{path}[{bad[0]}]",
            f"must be {rule}, drew {np.atleast_1d(numbers)[bad[0]]:g} for cell {bad[0]}",
            "give the distribution a bound low=",
        )


def _finite(numbers: PerCell, path: str) -> None:
    bad = np.flatnonzero(~np.isfinite(np.atleast_1d(numbers)))
    if bad.size:
        raise ModelError(
            path,
            f"is {np.atleast_1d(numbers)[bad[0]]} for cell {bad[0]}",
            "check the parameters that it is computed from",
        )


def _per_cell(x: Any) -> PerCell:
    return float(x) if np.ndim(x) == 0 else np.asarray(x, dtype=np.float64)


def with_constants(flat: Flat, parameters: Mapping[str, PerCell]) -> dict[str, PerCell]:
    """Parameters and the constants derived from them."""
    known = dict(parameters)
    with np.errstate(all="ignore"):
        for d in flat.constants:
            known[d.name] = _per_cell(evaluate(d.expr, known))
    return known


def refractory(
    p: Population, cell: Cell, known: Mapping[str, PerCell], dt: float
) -> tuple[int | Ints, list[Approximation]]:
    """The refractory period in whole steps, and a note if it was drawn and so rounded."""
    flat = cell.flat
    if flat.refractory is None:
        return 0, []
    duration = _per_cell(evaluate(flat.refractory.duration, known))
    # the user's parameters that it reads, through derived constants
    table = {d.name: d.expr for d in flat.constants}
    expr = flat.refractory.duration
    while names(expr) & table.keys():
        expr = substitute(expr, table)
    read = sorted(names(expr))
    path = f"population '{p.name}'.{read[0] if len(read) == 1 else 'refractory'}"
    _finite(duration, path)
    if np.any(np.asarray(duration) < 0):
        raise ModelError(path, f"the refractory period must be >= 0 ms, got {np.min(duration):g} ms")
    random = [n for n in read if not isinstance(cell.parameters[n], (Quantity, Array))]
    if random:
        steps: int | Ints = nearest(np.atleast_1d(duration), dt)
        return steps, [rounded(path, ", ".join(f"{n}={cell.parameters[n]}" for n in random), dt, 0)]
    if isinstance(duration, float):
        return one_on_grid(duration, dt, path), []
    return on_grid(duration, dt, path), []


def _poisson(p: Population, cell: SpikeSourcePoisson, seed: int, dt: float) -> PoissonGroup:
    path = f"population '{p.name}'"
    rate = distributions.values(cell.rate, p.size, stream(seed, p.name, "rate"), f"{path}.rate")
    _rates(rate, path, dt)
    start = one_on_grid(cell.start.coherent(), dt, f"{path}.start", least=0)
    stop = None
    if cell.duration is not None:
        stop = start + one_on_grid(cell.duration.coherent(), dt, f"{path}.duration", least=0)
    return PoissonGroup(p.name, p.size, rate, start, stop, stream(seed, p.name, "poisson"))


def _rates(rate: PerCell, path: str, dt: float) -> None:
    _at_least(rate, 0.0, f"{path}.rate", ">= 0 1/ms")
    top = float(np.max(rate))
    if top * dt > MAX_MEAN:
        raise ModelError(
            f"{path}.rate",
            f"{top * 1000:g} Hz is {top * dt:g} spikes a step, at most {MAX_MEAN:g} can be drawn",
            "use a smaller dt or split the drive over several sources",
        )


def _trains(p: Population, cell: SpikeSourceArray, dt: float) -> TrainGroup:
    path, many = f"population '{p.name}'.spike_times", len(cell.spike_times) > 1
    parts = [
        np.sort(on_grid(t.coherent(), dt, f"{path}[{i}]" if many else path, least=1))
        for i, t in enumerate(cell.spike_times)
    ]
    if not many:
        parts = parts * p.size
    indptr = np.concatenate([[0], np.cumsum([x.size for x in parts])]).astype(np.int64)
    return TrainGroup(p.name, p.size, indptr, np.concatenate(parts).astype(np.int64))


def values_for(
    network: Network, seed: int, population: str, given: Mapping[str, Any], dt: float
) -> dict[str, PerCell]:
    """New parameter values of a population (sim.set), read, drawn and checked by the rules of `resolve`:
    coherent numbers.

    Distributions come from the stream that the parameter had at the start. ModelError on an unknown name,
    wrong unit, size or value, or a refractory period off the grid.
    """
    p = network.population(population)
    if isinstance(p.cell, SpikeSourcePoisson) and set(given) == {"rate"}:
        rate = value(given["rate"], "Hz", f"population '{p.name}'.rate")
        numbers = distributions.values(
            rate, p.size, stream(seed, p.name, "rate"), f"population '{p.name}'.rate"
        )
        _rates(numbers, f"population '{p.name}'", dt)
        return {"rate": numbers}
    if not isinstance(p.cell, Cell):
        known = "rate" if isinstance(p.cell, SpikeSourcePoisson) else "nothing"
        raise ModelError(
            f"population '{p.name}'",
            f"{', '.join(given)} cannot be set on a {type(p.cell).__name__}",
            f"it has: {known}",
        )
    changed = p.cell.with_parameters(**given)
    out = drawn(p, {n: changed.parameters[n] for n in given}, seed)
    everything = {**drawn(p, p.cell.parameters, seed), **out}
    refractory(p, changed, with_constants(p.cell.flat, everything), dt)
    return out
