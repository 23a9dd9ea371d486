"""The tables of a report: each a pure function of the records."""

from __future__ import annotations

import math
from collections.abc import Iterable

from portable.validation.report import words
from portable.validation.report.names import label
from portable.validation.report.power import power_sizes
from portable.validation.report.view import (
    NOTHING,
    Cell,
    Table,
    bytes_,
    chance,
    listed,
    number,
    share,
    signed,
)
from portable.validation.verdicts import (
    FAIL,
    LEVELS,
    PASS,
    CellCheck,
    EnsembleCheck,
    NetworkCheck,
    PairedCheck,
    Run,
    SpikeCheck,
    Validation,
)


def _n(x: float, digits: int = 3) -> Cell:
    return Cell(number(x, digits), x if math.isfinite(x) else None)


def _yes(x: bool) -> Cell:
    return Cell("yes" if x else "no", verdict=PASS if x else FAIL)


def _verdict(word: str) -> Cell:
    return Cell(word, verdict=word)


def settings(v: Validation) -> Table:
    """Level 0: what each backend ran with."""
    rows = []
    for backend in v.backends:
        runs = main(v, backend)
        good = [r for r in runs if r.status == "ok"]
        methods = list(dict.fromkeys(f"{k}: {m}" for r in good for k, m in r.integrators.items()))
        rows.append(
            (
                Cell(backend),
                Cell(_same(r.simulator for r in good)),
                Cell(f"{len(good)} of {len(runs)}", len(good)),
                _n(v.dt, 6),
                Cell(_methods(methods)),
                Cell(_same(r.inputs for r in good)),
            )
        )
    return Table(
        "What each backend ran with",
        ("backend", "simulator", "runs that ended well", "dt (ms)", "integrator", "inputs"),
        tuple(rows),
    )


def _methods(methods: list[str]) -> str:
    """ "exact" if all are; else each with its population."""
    kinds = list(dict.fromkeys(m.partition(": ")[2] for m in methods))
    return kinds[0] if len(kinds) == 1 else "; ".join(methods) or NOTHING


def _same(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(x for x in values if x)) or NOTHING


def alive(v: Validation) -> Table | None:
    """Level 0: in how many runs each population still spiked in the last fifth."""
    good = {b: [r for r in main(v, b) if r.status == "ok" and r.alive] for b in v.backends}
    if not any(good.values()):
        return None
    rows = []
    for name, size in v.populations.items():
        row = [Cell(name), _n(size)]
        for b in v.backends:
            known = [r.alive[name] for r in good[b] if name in r.alive]
            row.append(
                Cell(f"{sum(known)} of {len(known)}", sum(known), PASS if all(known) else FAIL)
                if known
                else Cell(NOTHING)
            )
        rows.append(tuple(row))
    return Table(
        "Runs in which a population was alive: it spiked in the last fifth of the run",
        ("population", "cells", *v.backends),
        tuple(rows),
    )


def main(v: Validation, backend: str) -> list[Run]:
    """The runs that are compared: neither perturbed nor deviating on purpose."""
    return [r for r in v.runs if r.backend == backend and r.role == "main"]


NETWORK_COLUMNS = (
    "backend",
    "equal",
    "same program",
    "read back",
    "connections read",
    "missing",
    "largest weight error",
    "largest delay error (ms)",
    "why not read",
)


def network_row(backend: str, checks: list[NetworkCheck]) -> tuple[Cell, ...]:
    """Level 1, all runs of a backend: the worst of those that were read back."""
    read = [c for c in checks if not c.read_back]
    n = len(checks)

    def worst(values: Iterable[float]) -> Cell:
        return _n(max((x for x in values if not math.isnan(x)), default=math.nan))

    return (
        Cell(backend),
        Cell(
            f"{sum(c.equal for c in checks)} of {n}", verdict=PASS if all(c.equal for c in checks) else FAIL
        ),
        Cell(f"{sum(c.same_program for c in checks)} of {n}"),
        Cell(f"{len(read)} of {n}"),
        worst(c.connections for c in read),
        worst(c.missing for c in read),
        worst(c.weight_error for c in read),
        worst(c.delay_error for c in read),
        Cell("; ".join(dict.fromkeys(c.read_back for c in checks if c.read_back)) or NOTHING),
    )


def networks(checks: Iterable[NetworkCheck]) -> Table:
    """Level 1: every run's network as read back."""
    columns = (
        "backend",
        "seed",
        "program (sha256)",
        "same program",
        "connections",
        "missing",
        "largest weight error",
        "largest delay error (ms)",
        "read back",
        "equal",
    )
    rows = tuple(
        (
            Cell(c.backend),
            Cell(str(c.seed), c.seed),
            Cell(c.program[:12] or NOTHING, code=True),
            _yes(c.same_program),
            _n(c.connections),
            _n(c.missing),
            _n(c.weight_error),
            _n(c.delay_error),
            Cell(c.read_back or "done"),
            _yes(c.equal),
        )
        for c in checks
    )
    return Table("The network that each simulator holds, against the resolved program", columns, rows)


def cells(checks: Iterable[CellCheck]) -> Table:
    """Level 2."""
    columns = (
        "population",
        "backend",
        "verdict",
        "cell type",
        "integrators",
        "cells",
        "spikes",
        "identical",
        "spike time difference (ms)",
        "trace difference",
        "order in dt",
        "left out",
    )
    rows = tuple(
        (
            Cell(c.population),
            Cell(c.backend),
            _verdict(c.verdict),
            Cell(c.cell_type),
            Cell(" / ".join(dict.fromkeys(c.integrators))),
            _n(c.cells),
            Cell(_two(c.spikes), c.spikes[1]),
            _yes(c.identical),
            _n(c.spike_time_difference),
            Cell(f"{number(c.trace_difference)} {c.unit} ({c.variable})", _finite(c.trace_difference)),
            Cell(number(c.order, 2) if not math.isinf(c.order) else "exact", _finite(c.order)),
            Cell(", ".join(c.missing) or NOTHING),
        )
        for c in checks
    )
    return Table("Each cell type alone with frozen input, against the reference", columns, rows)


def spikes(checks: Iterable[SpikeCheck], reference: str) -> Table:
    """Level 3."""
    columns = (
        "backend",
        "seed",
        "spikes",
        "identical",
        "equal",
        "within one step",
        "first difference (ms)",
        "cell",
        f"{reference} from itself after 1e-12 (ms)",
        "SPIKE-distance",
        "after 1e-12",
        "van Rossum distance",
    )
    rows = tuple(
        (
            Cell(c.backend),
            Cell(str(c.seed), c.seed),
            Cell(_two(c.spikes), c.spikes[1]),
            _yes(c.identical),
            Cell(share(c.equal), _finite(c.equal)),
            Cell(share(c.near), _finite(c.near)),
            _n(c.time, 6),
            Cell(f"{c.population}[{c.neuron}]" if c.population else NOTHING),
            Cell("not in this run") if math.isinf(c.perturbed) else _n(c.perturbed, 6),
            _n(c.spike_distance),
            _n(c.perturbed_spike_distance),
            _n(c.van_rossum),
        )
        for c in checks
    )
    return Table(f"Spikes of the whole network with frozen input, against {reference}", columns, rows)


def paired(checks: Iterable[PairedCheck], backend: str) -> Table:
    """Level 5, paired over seeds."""
    checks = list(checks)
    sources = list(dict.fromkeys(c.margin_from for c in checks))
    extra, told = (
        (("margin from",), "") if len(sources) > 1 else ((), f"; margin: {sources[0]}" if sources else "")
    )
    columns = (
        "population",
        "statistic",
        "verdict",
        "reference",
        "SD over seeds",
        "difference",
        "90 % interval",
        "margin",
        *extra,
        "effect (SD)",
        "p of TOST",
        "p after Holm",
        "p of a difference",
        "detectable",
        "n",
    )
    rows = tuple(
        (
            Cell(c.population),
            Cell(f"{label(c.statistic)} ({c.unit})" if c.unit not in ("", "1") else label(c.statistic)),
            _verdict(c.verdict),
            _n(c.reference),
            _n(c.spread),
            Cell(signed(c.difference), _finite(c.difference)),
            Cell(f"{signed(c.interval[0], 2)} to {signed(c.interval[1], 2)}", _finite(c.interval[0])),
            Cell(f"±{number(c.margin)}", _finite(c.margin)),
            *([Cell(c.margin_from)] if extra else []),
            Cell(signed(c.effect, 2), _finite(c.effect)),
            Cell(chance(c.p_equivalence), _finite(c.p_equivalence)),
            Cell(chance(c.p_holm), _finite(c.p_holm)),
            Cell(chance(c.p_difference), _finite(c.p_difference)),
            _n(c.detectable),
            _n(c.n),
        )
        for c in checks
    )
    return Table(f"{backend}: differences paired over seeds{told}", columns, rows)


def ensembles(checks: Iterable[EnsembleCheck]) -> Table:
    """Level 5, distributions against the reference's own seeds."""
    columns = (
        "population",
        "backend",
        "statistic",
        "verdict",
        "measure",
        "between",
        "within (mean)",
        "within (SD)",
        "limit",
        "p of labels",
    )
    rows = tuple(
        (
            Cell(c.population),
            Cell(c.backend),
            Cell(label(c.statistic)),
            _verdict(c.verdict),
            Cell(f"{c.measure} ({c.unit})" if c.unit not in ("", "1") else c.measure),
            _n(c.between),
            _n(c.within),
            _n(c.within_sd),
            _n(c.limit),
            Cell(chance(c.p_permutation), _finite(c.p_permutation)),
        )
        for c in checks
    )
    return Table(
        "Distances of distributions to the reference, against those between its own seeds", columns, rows
    )


def deviations(v: Validation) -> Table:
    """What each deviation put in on purpose did."""
    columns = (
        "deviation",
        "what was changed",
        "size",
        "first caught by",
        "levels not passed",
        "first difference (ms)",
        "equal spikes",
        "largest effect (SD)",
        "statistics called different",
    )
    rows = tuple(
        (
            Cell(d.name),
            Cell(d.what),
            _n(d.size),
            Cell(
                "nothing" if d.caught is None else f"level {d.caught}, {LEVELS[d.caught]}",
                d.caught,
                FAIL if d.caught is None else PASS,
            ),
            Cell(", ".join(str(x) for x in d.failed) or NOTHING),
            _n(d.time, 5),
            Cell(share(d.equal), _finite(d.equal)),
            _n(d.largest_effect),
            Cell(listed(d.statistics, 5) or NOTHING),
        )
        for d in v.deviations
    )
    return Table("Known deviations put into a copy of the engine, and what caught them", columns, rows)


def power(v: Validation) -> Table:
    """Sizes of deviations tried, and which the statistics alone called different."""
    rows = tuple(
        (Cell(p.name), Cell(p.unit or NOTHING), Cell(power_sizes(p)), _n(p.smallest)) for p in v.power
    )
    return Table(
        "Sizes tried: ✓ called different by the statistics alone, ✗ not",
        ("deviation", "unit", "sizes", "smallest detected"),
        rows,
    )


def costs(v: Validation) -> Table:
    """Level 6: medians over seeds."""
    phases = list(dict.fromkeys(k for c in v.costs for k in c.seconds))
    rows = tuple(
        (
            Cell(c.backend),
            *(_n(c.seconds.get(k, math.nan)) for k in phases),
            _n(c.real_time_factor),
            Cell(bytes_(c.peak_memory), _finite(c.peak_memory)),
            _n(c.runs),
        )
        for c in v.costs
    )
    return Table(
        "Medians over runs",
        ("backend", *(f"{k} (s)" for k in phases), "real-time factor", "peak memory", "runs"),
        rows,
    )


def approximations(v: Validation) -> Table:
    """Everything that a backend changed on the way, once, with the number of runs."""
    counts: dict[tuple[str, str], int] = {}
    for r in v.runs:
        for line in r.approximations if r.role == "main" else ():
            counts[r.backend, line] = counts.get((r.backend, line), 0) + 1
    order = {b: i for i, b in enumerate(v.backends)}
    rows = tuple(
        (Cell(b), Cell(line), _n(n))
        for (b, line), n in sorted(counts.items(), key=lambda x: order.get(x[0][0], len(order)))
    )
    return Table(
        "Approximations: what a backend changed, and by how much", ("backend", "approximation", "runs"), rows
    )


def failed(v: Validation) -> Table:
    """Runs that did not end well."""
    rows = tuple(
        (
            Cell(r.backend),
            Cell(str(r.seed), r.seed),
            Cell(r.role),
            Cell(r.status, verdict=FAIL),
            Cell(r.message or NOTHING),
        )
        for r in words.failures(v)
    )
    return Table("Runs that did not end well", ("backend", "seed", "role", "what happened", "message"), rows)


def _two(pair: tuple[int, int]) -> str:
    return number(pair[0]) if pair[0] == pair[1] else f"{number(pair[0])} / {number(pair[1])}"


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
