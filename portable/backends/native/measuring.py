"""Measuring what `cost` counts: small networks (probes.py) are resolved, built and run, and the seconds for
one of each amount are fitted to their times.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import nnls

from portable.backends.native import probes, synapses
from portable.backends.native.cost import (
    READ,
    Amounts,
    Costs,
    Points,
    delivered,
    of_sources,
    ring_events,
    to_arrange,
    to_build,
    to_resolve,
)
from portable.backends.native.outline import Outline, outline
from portable.backends.native.probes import DT, LONG, SHORT, least, opened, step_seconds
from portable.backends.native.threads import processors
from portable.errors import BackendFailed
from portable.model.connectors import FixedTotalNumber
from portable.model.network import Network
from portable.process import command, environment
from portable.resolve import resolve

CELLS = (2_000, 16_000, 60_000)  # numbers at which cells are measured
RATES = (0.01, 0.3, 1.0, 3.0, 10.0)  # spikes of a Poisson source in a step
Tell = Callable[[str], object]


def updates(o: Outline, name: str, besides: float = 0.0, sizes: Sequence[int] = CELLS) -> Points:
    """Seconds of an update of one cell of a group, by the number of cells. besides: of the step around it."""
    found: list[tuple[float, float]] = []
    for size in sizes:
        if not found or found[-1][1] * size < 0.2:  # a step of less than that
            seconds = step_seconds(opened(probes.alone(o, name, size))) - besides
            found.append((size, max(seconds, 0.0) / size))
    return found


def fit(rows: Sequence[tuple[Amounts, float]]) -> dict[str, float]:
    """Seconds for one of each amount, none negative: the least sum of relative errors, so that one
    measurement that was disturbed does not move all (weighted least squares, again and again).
    """
    names = sorted({n for amounts, _ in rows for n, x in amounts.items() if x})
    matrix = np.array([[amounts.get(n, 0.0) / seconds for n in names] for amounts, seconds in rows])
    scale, weights = np.abs(matrix).max(axis=0), np.ones(len(rows))
    found = np.zeros(len(names))
    for _ in range(20):
        found, _ = nnls(matrix / scale * weights[:, None], weights)
        weights = np.maximum(np.abs(matrix / scale @ found - 1.0), 0.02) ** -0.5
    return dict(zip(names, (float(x) for x in found / scale), strict=True))


def measure(tell: Tell, full: int = 1_000_000, sizes: Sequence[int] = CELLS) -> Costs:
    """Everything but types of cells. full: connections of the networks that are resolved; sizes: in cells."""
    for network in (*probes.connected(60_000), probes.ringing(500), probes.firing(100, 0.9)):
        _session(network).run(32)  # compiles or loads all code that is measured
    tell("measuring: connections")
    each = _connections(full)
    tell("measuring: steps and sources")
    each |= _steps() | _sources(sizes[1]) | {"spike": _spike(sizes[1])}
    tell("measuring: delivery")
    each |= _delivery(sizes, min(1.0, full / 1e6))
    tell("measuring: threads, and a new process")
    gain = _gains(full)
    loads, base = fresh()
    return Costs(each, loads, {}, gain, processors(), base)


def _connections(full: int) -> dict[str, float]:
    """Of resolving and building, by what `cost` counts."""
    drawn, built, arranged = [], [], []
    for network in (*probes.connected(full), *map(probes.many_groups, (1, 9)), probes.tied(17)):
        o = outline(network, DT, 1)
        drawn.append((to_resolve(o)[0], least(partial(resolve, network, 1, DT, threads=1))))
        s = _session(network)
        arguments = s.plan, s.parts.bases, s.parts.sources, s.parts.places, s.parts.count, 1
        seconds = least(partial(synapses.build, *arguments))
        if o.cells() > 5000:
            built.append((to_build(o)[0], seconds))
        if not network.projections or o.cells() > 100_000:
            whole = least(partial(opened, s.program))
            arranged.append((to_arrange(o), max(1e-4, whole - seconds)))
    return fit(drawn) | fit(built) | fit(arranged)


def _session(network: Network) -> Any:
    return opened(resolve(network, 1, DT))


def _steps() -> dict[str, float]:
    """Of a step without connections, of a group, of an exchange of spikes, of a sample."""
    rows = []
    for groups, exchanging, record in (
        (1, False, 0),
        (9, False, 0),
        (33, False, 0),
        (1, True, 0),
        (1, False, 64),
    ):
        s = _session(probes.many_groups(groups, exchanging, record))
        amounts = {"step": 1.0, "slice": groups, "exchange": 1 / s.plan.interval, "sample": record}
        rows.append((amounts, step_seconds(s)))
    return fit(rows)


def _sources(size: int) -> dict[str, float]:
    """Of drawing a Poisson source and adding its spikes."""
    silent = outline(probes.poisson(size, 1.0), DT, 1)
    quiet = step_seconds(opened(probes.alone(silent, "cells", size)))
    found = [(rate, step_seconds(_session(probes.poisson(size, rate))) - quiet) for rate in RATES]
    return fit([(of_sources(size, rate), seconds) for rate, seconds in found if seconds > 0.2 * quiet])


def _spike(size: int) -> float:
    """Of a spike that nobody receives."""
    quiet = step_seconds(_session(probes.firing(size, 0.0)))
    busy = _session(probes.firing(size, 1.4))
    busy.run(200)
    seconds = step_seconds(busy)
    spikes = sum(stamps.size for _, stamps in busy.recorded().spikes.values()) / busy.now
    return float(max(0.0, seconds - quiet) / max(spikes, 1e-9))


@dataclass(frozen=True)
class _Spikes:
    """What one spike is, and seconds of a step with so many of them, and without."""

    amounts: Amounts
    many: float
    busy: float
    quiet: float


def _delivery(sizes: Sequence[int], scale: float) -> dict[str, float]:
    """Of a spike that is sent, an event, a segment that is not empty, a place where one may be; by what is
    stored and how much of it there is. scale: of the largest amounts of synapses. All is measured twice, and
    the least counts: other programs may slow memory for seconds. Spikes whose time is lost in that of a step
    without any tell nothing.
    """
    rows = []
    for a, b in zip(*(list(_delivered(sizes, scale)) for _ in range(2)), strict=True):
        busy, quiet = min(a.busy, b.busy), min(a.quiet, b.quiet)
        if busy > 1.2 * quiet:
            rows.append((a.amounts, (busy - quiet) / a.many))
    return fit(rows)


def _delivered(sizes: Sequence[int], scale: float) -> Iterator[_Spikes]:
    for weight, kind in (("Normal", "stored"), ("", "equal")):
        near, far = sizes[0], sizes[-1]
        for size, some, one in zip(READ[kind], (sizes, (near, far)), (near, far), strict=True):
            many = int(size / (6 if weight else 2) * scale)
            yield from _spikes(probes.driven(one, many, weight, alone=True), one, kind, 1)
            for cells in some:
                yield from _spikes(probes.driven(cells, many, weight), cells, kind, LONG)
    for cells in (500, 2000, 16_000):
        s = _session(probes.ringing(cells))
        found = ring_events(SHORT, float(s.parts.arrays[0]["A"].nbytes))
        each = max(32.0, cells / SHORT)
        yield _Spikes({**found, "sent": 1.0}, each, _busy(s, "short", each), step_seconds(s))


def _spikes(made: probes.Driven, cells: int, kind: str, columns: int) -> Iterator[_Spikes]:
    """Of each population of probes.driven."""
    s = _session(made.network)
    size = float(sum(x.targets.nbytes + x.weights.nbytes + x.segments.nbytes for x in s.parts.synapses))
    held = float(s.parts.arena.fields[0].nbytes + s.parts.arrays[0]["A"].nbytes)
    quiet = step_seconds(s)
    for name, row in made.rows.items():
        segments = LONG if name == "spread" else 1
        amounts = {**delivered(kind, row, segments, columns, held, size), "sent": 1.0}
        many = min(4.0 * made.network.population(name).size, max(16.0, 3 * cells / row))
        yield _Spikes(amounts, many, _busy(s, name, many), quiet)


def _busy(s: Any, name: str, many: float) -> float:
    """Seconds of a step in which `many` of a population of Poisson sources spike."""
    s.set(name, {"rate": many / s.program.group(name).size / DT})
    seconds = step_seconds(s)
    s.set(name, {"rate": 0.0})
    return seconds


def _gains(full: int) -> dict[str, float]:
    """How many times faster all processors are than one. Resolving and building: by the processors' seconds,
    so that other programs do not count. A run, whose threads wait for each other: by the clock.
    """
    many = processors()
    if many == 1:
        return {}
    network = probes.joined(FixedTotalNumber(2 * full), 4000, 40_000, "Normal", "Normal")
    program = resolve(network, 1, DT)
    drawn = [least(partial(resolve, network, 1, DT, threads=n)) for n in (1, many)]
    built = [least(partial(opened, program, n)) for n in (1, many)]
    ran = []
    for threads in (1, many):
        s, found = opened(program, threads), []
        s.run(2000)
        for _ in range(5):
            began = time.perf_counter()
            s.run(400)
            found.append(time.perf_counter() - began)
        ran.append(min(found))
    shared = {"resolve": many * drawn[0] / drawn[1], "build": many * built[0] / built[1]}
    gains = {**shared, "run": ran[0] / ran[1]}
    return {k: min(max(1.0, x), float(many)) for k, x in gains.items()}


def fresh(times: int = 3) -> tuple[dict[str, float], float]:
    """Seconds for loading code in a new process, the least of several, and the bytes that one takes
    (loading.py).
    """
    found = [_fresh() for _ in range(times)]
    return {k: min(f["load"][k] for f in found) for k in found[0]["load"]}, float(found[0]["base"])


def _fresh() -> Any:
    done = subprocess.run(
        command("portable.backends.native.loading"),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else done.returncode
        raise BackendFailed(f"calibration: a new process failed: {why}") from error
