"""Which pictures there are for these records and arrays, with their captions; drawn by the figures_*.py."""

from __future__ import annotations

import math

from portable.validation.evidence import Evidence
from portable.validation.report import figures_cells, figures_cost, figures_spikes, figures_statistics, names
from portable.validation.report.view import Panel, Picture, counted, number, share
from portable.validation.verdicts import PASS, CellCheck, SpikeCheck, Validation


def _legend(v: Validation, indices: set[int]) -> tuple[tuple[str, int], ...]:
    return tuple((v.backends[i], i) for i in sorted(indices))


def cells(v: Validation, e: Evidence) -> list[tuple[bool, Picture]]:
    """Level 2: (whether it did not pass, picture), the largest differences first."""
    keys = dict.fromkeys(
        [(c.backend, c.population) for c in v.cells if c.backend in v.backends]
        + [k for k in e.cells if k[0] in v.backends]
    )
    found = []
    for n, (backend, population) in enumerate(keys):
        checks = [c for c in v.cells if (c.backend, c.population) == (backend, population)]
        index, traces = v.backends.index(backend), e.cells.get((backend, population))
        panels = (
            [figures_cells.overlay(f"cells-{n}-a", traces, (v.reference, backend), index)]
            if index and traces is not None and traces.times.size
            else []
        )
        curve = figures_cells.convergence(f"cells-{n}-b", checks[0], index) if checks else None
        panels += [curve] if curve else []
        if panels:
            bad = any(c.verdict != PASS for c in checks)
            size = max((c.trace_difference for c in checks if math.isfinite(c.trace_difference)), default=0.0)
            found.append(
                (
                    bad,
                    size,
                    Picture(
                        f"cells-{n}",
                        _cells_caption(v, backend, population, checks),
                        tuple(panels),
                        legend=_legend(v, {0, index}),
                    ),
                )
            )
    found.sort(key=lambda x: (not x[0], -x[1]))
    return [(bad, p) for bad, _, p in found]


def _cells_caption(v: Validation, backend: str, population: str, checks: list[CellCheck]) -> str:
    if backend == v.reference:
        return f"Cells of {population} alone on {backend}, the reference, in steps of different size."
    text = f"Cells of {population} alone on {v.reference} and {backend}, with the same frozen input."
    for c in checks[:1]:
        apart = (
            f", times up to {number(c.spike_time_difference)} ms apart"
            if math.isfinite(c.spike_time_difference)
            else ""
        )
        same = (
            "identical spikes"
            if c.identical
            else f"{number(c.spikes[0])} and {number(c.spikes[1])} spikes{apart}"
        )
        order = (
            "exact to rounding"
            if math.isinf(c.order)
            else f"of order {number(c.order, 2)} in dt"
            if math.isfinite(c.order)
            else ""
        )
        text += (
            f" {c.cell_type}: {same}; {c.variable} differs by at most {number(c.trace_difference)} "
            f"{c.unit} before the first spike that differs"
        )
        text += f"; {backend} is {order}." if order else "."
    return text


def spikes(v: Validation, e: Evidence) -> list[Picture]:
    """Level 3: for each backend and drawn seed rasters, the diverging cell's voltage, and the growth of the
    difference.
    """
    found = []
    for i, backend in enumerate(v.backends[1:], 1):
        checks = {c.seed: c for c in v.spikes if c.backend == backend}
        for b, seed in e.results:
            if b == backend and (v.reference, seed) in e.results:
                found.append(_rasters(v, e, i, seed, checks.get(seed)))
        for (b, seed), traces in e.around.items():
            if b == backend and traces.times.size:
                check = checks.get(seed)
                panel = figures_cells.overlay(
                    f"around-{i}-{seed}", traces, (v.reference, backend), i, check.time if check else math.nan
                )
                found.append(_with_growth(v, e, i, seed, panel))
        if not any(b == backend for b, _ in e.around):
            curve = _growth(v, e, i)
            found += [Picture(f"growth-{i}", _growth_caption(v, e, i), (curve,))] if curve else []
    return found


def _rasters(v: Validation, e: Evidence, i: int, seed: int, check: SpikeCheck | None) -> Picture:
    sides = e.results[v.reference, seed], e.results[v.backends[i], seed]
    pair = figures_spikes.rasters((f"raster-{i}-{seed}-a", f"raster-{i}-{seed}-b"), sides, check, (0, i))
    low, high = figures_spikes.window(sides[0].duration, check)
    drawn = figures_spikes.stripes(sides, check)
    all_ = sum(sides[0].spikes[r.name].recorded.size for r in drawn)
    some = sum(r.cells.size for r in drawn)
    text = (
        f"Spikes of {v.reference} and {v.backends[i]}, seed {seed}, {number(low)} to {number(high)} ms; "
        f"{number(some)} of {number(all_)} recorded cells"
    )
    text += ", evenly spaced in each population. " if some < all_ else ". "
    text += "Grey: the other side has the same spike in the same step. In colour: it has not."
    if check is not None and not check.identical:
        text += (
            f" Dashed, with a ring: the first difference, at {number(check.time, 6)} ms in cell "
            f"{check.neuron} of {check.population}; {share(check.equal)} of all spikes are equal."
        )
    elif check is not None:
        text += f" All {counted(check.spikes[0], 'spike')} are the same."
    return Picture(f"raster-{i}-{seed}", text, pair)


def _with_growth(v: Validation, e: Evidence, i: int, seed: int, panel: Panel) -> Picture:
    curve = _growth(v, e, i)
    text = (
        f"Left: the first cell that differs, seed {seed}, around that moment, on both sides, and the "
        "difference. "
        if curve
        else f"The first cell that differs, seed {seed}, around that moment."
    )
    text += f"Right: {_growth_caption(v, e, i)}" if curve else ""
    return Picture(
        f"around-{i}-{seed}", text, (panel, curve) if curve else (panel,), legend=_legend(v, {0, i})
    )


def _growth(v: Validation, e: Evidence, i: int) -> Panel | None:
    own = {seed: g for (b, seed), g in e.growth.items() if b == v.backends[i]}
    perturbed = {seed: g for (b, seed), g in e.growth.items() if b == "perturbed"}
    return figures_spikes.growth(f"growth-{i}", v.backends[i], v.reference, i, own, perturbed)


def _growth_caption(v: Validation, e: Evidence, i: int) -> str:
    n = sum(b == v.backends[i] for b, _ in e.growth)
    perturbed = {seed: g for (b, seed), g in e.growth.items() if b == "perturbed"}
    text = f"spikes of {v.backends[i]} without a partner on {v.reference} so far ({counted(n, 'seed')})"
    if not perturbed:
        return f"{text}."
    if not figures_spikes.grows(perturbed):
        return (
            f"{text}; {v.reference} after a change of 1e-12 of its start has the same spikes throughout "
            f"({counted(len(perturbed), 'seed')})."
        )
    return f"{text}; dotted: {v.reference} against itself after a change of 1e-12 of its start."


def paired(v: Validation) -> dict[str, Picture]:
    """Level 5: backend -> a figure with a panel for each statistic."""
    found = {}
    for i, backend in enumerate(v.backends[1:], 1):
        own = [c for c in v.paired if c.backend == backend]
        reach, kinds = figures_statistics.reach(own), dict.fromkeys(c.statistic for c in own)
        panels = [
            figures_statistics.paired(
                f"paired-{i}-{n}", [c for c in own if c.statistic == s], i, v.reference, reach
            )
            for n, s in enumerate(kinds)
        ]
        if panels:
            text = (
                f"{backend} against {v.reference}, paired over {counted(len(v.seeds), 'seed')}: the "
                "difference of each seed (rings), their mean (diamond) and its 90 % confidence interval (bar)"
            )
            text += (
                ", in units of each population's margin (right). An interval inside the band is "
                "equivalent (✓), one outside of it different (✗)."
            )
            found[backend] = Picture(f"paired-{i}", text, tuple(panels), legend=_legend(v, {i}))
    return found


def distributions(v: Validation, e: Evidence) -> list[Picture]:
    """Level 5: a figure for each statistic, a panel for each population."""
    found = []
    for n, statistic in enumerate(dict.fromkeys(s for s, _, _ in e.distributions)):
        panels, seen = [], set()
        for k, population in enumerate(dict.fromkeys(p for s, p, _ in e.distributions if s == statistic)):
            values = {
                v.backends.index(b): x
                for (s, p, b), x in e.distributions.items()
                if (s, p) == (statistic, population) and b in v.backends
            }
            seen |= set(values)
            panels.append(
                figures_statistics.distribution(
                    f"distribution-{n}-{k}",
                    names.label(statistic),
                    names.unit(statistic),
                    population,
                    values,
                    v.backends,
                )
            )
        text = (
            f"Distribution of {names.label(statistic)} in each population, pooled over seeds; "
            f"{v.reference} filled. Linear axes end where {share(figures_statistics.SHOWN)} of the values "
            "are shown."
        )
        found.append(Picture(f"distribution-{n}", text, tuple(panels), "small", _legend(v, seen)))
    return found


def spectra(v: Validation, e: Evidence) -> list[Picture]:
    """Level 5: power spectra, a panel for each population."""
    panels, seen = [], set()
    for k, population in enumerate(dict.fromkeys(p for p, _ in e.spectra)):
        curves = {
            v.backends.index(b): s for (p, b), s in e.spectra.items() if p == population and b in v.backends
        }
        seen |= set(curves)
        panels.append(figures_statistics.spectrum(f"spectrum-{k}", population, curves, v.backends))
    text = f"Power spectrum of each population's activity, mean over seeds; {v.reference} is the wide line."
    return [Picture("spectra", text, tuple(panels), "small", _legend(v, seen))] if panels else []


def costs(v: Validation) -> list[Picture]:
    """Level 6: bars of what was measured."""
    known = [c for c in v.costs if c.backend in v.backends]
    index = {c.backend: v.backends.index(c.backend) for c in known}
    kinds = [
        (f"{phase} time", "s", {c.backend: c.seconds.get(phase, math.nan) for c in known})
        for phase in ("build", "run")
    ]
    kinds.append(("peak memory", "MiB", {c.backend: c.peak_memory / 2**20 for c in known}))
    kinds.append(
        (
            "real-time factor",
            "seconds for one of biological time",
            {c.backend: c.real_time_factor for c in known},
        )
    )
    made = [
        figures_cost.bars(f"cost-{n}", title, unit, values, index)
        for n, (title, unit, values) in enumerate(kinds)
    ]
    panels = tuple(p for p in made if p is not None)
    text = "What each backend took, medians over runs; shorter is better."
    return [Picture("costs", text, panels, "small")] if panels else []
