"""Level 2: cells of each type alone, with the input that they had in the reference's run: no network, so
nothing amplifies a difference.

The same cells are run with dt, dt/2, dt/4 and dt/8 and the same input at the same times: the errors against
the finest step say of which order each backend's integration is, without another backend to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from portable.backends import registry
from portable.resolve.program import CellGroup, Connections, Current, Group, Program, TrainGroup
from portable.results.tables import Results, TraceTable
from portable.units import Floats
from portable.validation.differences import compare_results
from portable.validation.evidence import Traces
from portable.validation.levels.ran import integrator_class
from portable.validation.single_cell import isolate, spike_time_difference
from portable.validation.verdicts import CELLS, FAIL, NOT_COMPARABLE, NOT_RUN, PASS, CellCheck, LevelVerdict

FACTORS = (1, 2, 4, 8)
LONGEST = 300.0  # ms of a run
# Largest difference of a trace that passes, relative to 100 units: backends add the same terms in different
# order, which is 1e-16 a step and grows with the square root of the steps to 1e-14; adaptive methods then
# take other substeps, within their tolerance of 1e-6.
TOLERANCE = 1e-6
EXACT = 1e-9  # errors below it do not depend on dt: the method is exact to rounding


@dataclass(frozen=True)
class Loop:
    """Cells out of the loop: the program by factor of refinement, the cells, and inputs that are not
    known.
    """

    group: str
    programs: Mapping[int, Program]
    cells: tuple[int, ...]
    missing: tuple[str, ...]


def representatives(program: Program) -> list[str]:
    """One population of each cell type and set of parameters, the largest; none that links feed, as they need
    the others.
    """
    fed = {c.target for c in program.links}
    kinds: dict[object, CellGroup] = {}
    for g in program.cells:
        kind = (
            g.flat.text(),
            tuple((k, v if np.ndim(v) == 0 else "varies") for k, v in sorted(g.parameters.items())),
        )
        if g.name not in fed and g.size and (kind not in kinds or g.size > kinds[kind].size):
            kinds[kind] = g
    return [g.name for g in kinds.values()]


def loops(program: Program, seen: Results) -> list[Loop]:
    """Every representative out of the loop, with the input of its first cells in `seen`."""
    out = []
    for name in representatives(program):
        loop, cells, missing = isolate(program, seen, name)
        out.append(
            Loop(name, {f: refined(replace(loop, links=(), origin=None), f) for f in FACTORS}, cells, missing)
        )
    return out


def refined(program: Program, factor: int) -> Program:
    """The same program in steps `factor` times smaller, every spike, delay and current at the time where it
    was.
    """
    if factor == 1:
        return program
    groups = tuple(_group(g, factor) for g in program.groups)
    connections = tuple(_delayed(c, factor) for c in program.connections)
    currents = tuple(_slower(c, factor) for c in program.currents)
    traces = tuple(replace(t, every=t.every * factor) for t in program.traces)
    return replace(
        program,
        dt=program.dt / factor,
        groups=groups,
        connections=connections,
        currents=currents,
        traces=traces,
        shown=traces,
    )


def _group(g: Group, factor: int) -> Group:
    if isinstance(g, TrainGroup):
        return replace(g, steps=g.steps * factor)
    return replace(g, refractory=g.refractory * factor) if isinstance(g, CellGroup) else g


def _delayed(c: Connections, factor: int) -> Connections:
    return replace(
        c,
        delays=c.delays.astype(np.uint16) * np.uint16(factor)
        if isinstance(c.delays, np.ndarray)
        else int(c.delays) * factor,
    )


def _slower(c: Current, factor: int) -> Current:
    return replace(c, steps=c.steps * factor)


def cell_check(loop: Loop, reference: Results, mine: Mapping[int, Results]) -> tuple[CellCheck, Traces]:
    """The record and the trace of one cell for a picture. `mine` maps factors to this backend's runs, 1 among
    them.
    """
    other, group = mine[1], loop.programs[1].group(loop.group)
    assert isinstance(group, CellGroup)
    pair = compare_results(reference, other)
    (name, variable), left = next((k, t) for k, t in reference.traces.items() if k[0] == loop.group)
    right = other.traces[name, variable]
    gap = pair.traces[0].before if pair.traces else float("nan")
    order, errors = convergence(
        {f: r.traces[name, variable] for f, r in mine.items()},
        {f: _first_spikes(r, loop.group, len(loop.cells)) for f, r in mine.items()},
    )
    methods = tuple(str(r.provenance.get("integrators", {}).get(loop.group, "")) for r in (reference, other))
    agree = pair.identical and gap <= TOLERANCE + _printing(reference.backend, left) + _printing(
        other.backend, right
    )
    check = CellCheck(
        other.backend,
        loop.group,
        group.flat.base or group.flat.name,
        int(other.provenance.get("seed", 0)),
        len(loop.cells),
        (methods[0], methods[1]),
        pair.spikes,
        pair.identical,
        spike_time_difference(reference.spikes[loop.group], other.spikes[loop.group]),
        gap,
        variable,
        left.unit,
        order,
        errors,
        loop.missing,
        PASS if agree else FAIL,
    )
    worst = int(np.argmax(np.nan_to_num(np.abs(left.values - right.values)).max(axis=0)))
    return check, Traces(
        loop.group,
        int(left.ids[worst]),
        variable,
        left.unit,
        left.times,
        left.values[:, worst],
        right.values[:, worst],
    )


def _printing(backend: str, trace: TraceTable) -> float:
    """What a record may be off by where a backend prints it in float32: half a unit for rounding, half for
    the text.
    """
    printed = registry.get(backend).capabilities.word("record.states") == "approximate"
    return float(np.abs(trace.values).max(initial=0.0)) * 2.0**-23 if printed else 0.0


def _first_spikes(r: Results, group: str, cells: int) -> Floats:
    """Time (ms) of each cell's first spike, inf without one."""
    table = r.spikes[group]
    out = np.full(cells, np.inf)
    np.minimum.at(out, table.ids, table.times)
    return out


def convergence(
    traces: Mapping[int, TraceTable], first: Mapping[int, Floats]
) -> tuple[float, dict[str, float]]:
    """(order, {dt: largest error against the finest run}), before each cell's first spike in any of the runs.

    The order is that of the two largest steps; inf where errors are at rounding, nan where there is too
    little to see.
    """
    finest = max(traces)
    if finest == 1:
        return float("nan"), {}
    stop = np.min(list(first.values()), axis=0)
    best = traces[finest]
    free = best.times[:, None] < stop[None, :] - 1e-9
    errors: dict[str, float] = {}
    for f in sorted(traces)[:-1]:
        gap = np.abs(traces[f].values - best.values)[free]
        errors[f"{traces[f].dt:g}"] = float(gap.max()) if gap.size else float("nan")
    sizes, found = np.array([float(d) for d in errors]), np.array(list(errors.values()))
    if np.isnan(found).any() or np.count_nonzero(free) < 10:
        return float("nan"), errors
    if found.max() < EXACT:
        return float("inf"), errors
    if found.size < 2 or found.min() <= 0:
        return float("nan"), errors
    return order(found[0] / found[1], sizes[0] / best.dt, sizes[1] / best.dt), errors


def order(ratio: float, first: float, second: float) -> float:
    """The order p of a method whose errors at two steps, `first` and `second` times the finest, have this
    ratio; nan if there is none.

    Against the finest run, and not the solution, an error of order p is C (dt^p - h^p): the ratio is (first^p
    - 1)/(second^p - 1).
    """

    def excess(p: float) -> float:
        return float((first**p - 1.0) / (second**p - 1.0) - ratio)

    low, high = 1e-3, 12.0
    return float(brentq(excess, low, high)) if excess(low) < 0 < excess(high) else float("nan")


def same_cells(checks: Sequence[CellCheck], backend: str) -> LevelVerdict:
    """PASS if every cell type gives identical spikes and traces within TOLERANCE."""
    mine = [c for c in checks if c.backend == backend]
    if not mine:
        return LevelVerdict(CELLS, backend, NOT_RUN, "no cell could be taken out of the network")
    wrong = [c for c in mine if c.verdict != PASS]
    score = 1.0 - len(wrong) / len(mine)
    other = [c for c in wrong if integrator_class(c.integrators[0]) != integrator_class(c.integrators[1])]
    if wrong:
        c = wrong[0]
        apart = (
            f"spike times up to {c.spike_time_difference:g} ms apart"
            if not np.isnan(c.spike_time_difference)
            else f"{c.spikes[0]} and {c.spikes[1]} spikes"
        )
        told = (
            f"{c.cell_type} in {c.population} alone: {'identical spikes' if c.identical else apart}, "
            f"{c.variable} up to {c.trace_difference:.3g} {c.unit} apart"
        )
        if other:
            return LevelVerdict(
                CELLS,
                backend,
                NOT_COMPARABLE,
                f"{told}, with different integrators ({c.integrators[0]}; {c.integrators[1]})",
                score,
            )
        return LevelVerdict(CELLS, backend, FAIL, told, score)
    worst = max(mine, key=lambda c: c.trace_difference)
    told = (
        f"{len(mine)} cell type{'s' * (len(mine) != 1)} alone: identical spikes, {worst.variable} at "
        f"most {worst.trace_difference:.2g} {worst.unit} apart"
    )
    return LevelVerdict(CELLS, backend, PASS, told, score)
