"""Current sources -> Currents; Record nodes -> what to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from portable.errors import ModelError
from portable.model.network import Injection, Record
from portable.model.sources import DCSource
from portable.resolve import distributions
from portable.resolve.grid import on_grid, one_on_grid
from portable.resolve.program import Current, Ints, Trace
from portable.resolve.random import stream
from portable.units import Floats


def currents(inputs: Sequence[Injection], seed: int, dt: float) -> tuple[Current, ...]:
    """One Current for each view of each injection."""
    out: list[Current] = []
    seen: dict[str, int] = {}
    for i, injection in enumerate(inputs):
        target = "+".join(repr(v) for v in injection.target)
        seen[target] = seen.get(target, 0) + 1
        # named by what it drives, so that an injection added elsewhere changes nothing here
        steps, amplitude = _course(
            injection,
            stream(seed, f"injection into {target}#{seen[target]}", "amplitude"),
            dt,
            f"inputs[{i}].source",
        )
        low = 0
        for view in injection.target:
            rows = amplitude if amplitude.shape[0] == 1 else amplitude[low : low + len(view)]
            low += len(view)
            out.append(Current(view.population.name, *_once(view.ids, rows, steps)))
    return tuple(out)


def _once(ids: Ints, amplitude: Floats, steps: Ints) -> tuple[Ints, Ints, Floats]:
    """Each cell once: one that a view names twice gets the sum of both currents."""
    cells, which = np.unique(ids, return_inverse=True)
    if cells.size == ids.size:
        return ids.astype(np.int64), steps, amplitude
    summed = np.zeros((cells.size, amplitude.shape[1]))
    np.add.at(summed, which.reshape(-1), np.broadcast_to(amplitude, (ids.size, amplitude.shape[1])))
    return cells.astype(np.int64), steps, summed


def _course(injection: Injection, key: int, dt: float, path: str) -> tuple[Ints, Floats]:
    """Steps (m,) and amplitudes (1 or cells, m) in pA."""
    source = injection.source
    if not isinstance(source, DCSource):
        return on_grid(source.times.coherent(), dt, f"{path}.times"), source.amplitudes.coherent()[None, :]
    start = one_on_grid(source.start.coherent(), dt, f"{path}.start")
    size = sum(len(v) for v in injection.target)
    amplitude = np.atleast_1d(
        np.asarray(distributions.values(source.amplitude, size, key, f"{path}.amplitude"))
    )[:, None]
    if source.stop is None:
        return np.array([start]), amplitude
    stop = one_on_grid(source.stop.coherent(), dt, f"{path}.stop")
    if stop < start:
        raise ModelError(
            f"{path}.stop", f"must not be before start, got {source.stop} and {source.start}", "swap them"
        )
    if stop == start:
        return np.array([start]), np.zeros_like(amplitude)
    return np.array([start, stop]), np.hstack([amplitude, np.zeros_like(amplitude)])


def recordings(records: Sequence[Record], dt: float) -> tuple[Mapping[str, Ints], tuple[Trace, ...]]:
    """Cells whose spikes are kept, and what results show; several records of one variable are joined."""
    spikes: dict[str, Ints] = {}
    traces: dict[tuple[str, str], Trace] = {}
    for i, record in enumerate(records):
        every = (
            1
            if record.interval is None
            else one_on_grid(record.interval.coherent(), dt, f"recordings[{i}].interval", least=1)
        )
        for view in record.target:
            name = view.population.name
            for variable in record.variables:
                if variable == "spikes":
                    spikes[name] = np.union1d(spikes.get(name, np.zeros(0, dtype=np.int64)), view.ids)
                    continue
                old = traces.get((name, variable))
                if old is not None and old.every != every:
                    raise ModelError(
                        f"recordings[{i}].interval",
                        f"'{name}'.{variable} is already recorded every {old.every * dt:g} ms, got "
                        f"{every * dt:g} ms",
                        "use one interval for one variable of a population",
                    )
                ids = view.ids if old is None else np.union1d(old.ids, view.ids)
                traces[name, variable] = Trace(name, variable, np.unique(ids).astype(np.int64), every)
    return spikes, tuple(traces.values())
