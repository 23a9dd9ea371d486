"""Level 4: what connections that learn have learnt.

A weight is a function of spikes and of the rule. So with the same spikes it is the same number but for
rounding, on backends that are exact. Where spikes differ, weights must still be the same up to the first
spike that does, and after it their distributions at the end are compared as other statistics are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portable.backends import registry
from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import names
from portable.dynamics.synapse import WEIGHT
from portable.model.synapses import PlasticSynapse
from portable.resolve.program import Ints
from portable.results.synapses import SynapseTable
from portable.units import Floats, Quantity, shift, unit
from portable.validation.differences import CLOSE, compare_results, largest
from portable.validation.equivalence import KS, distances
from portable.validation.levels.ran import Ran, of
from portable.validation.levels.same_spikes import only_cells
from portable.validation.verdicts import (
    FAIL,
    NOT_RUN,
    PASS,
    UNDECIDED,
    WEIGHTS,
    EnsembleCheck,
    LevelVerdict,
    PairedCheck,
    WeightCheck,
)

ROUNDING = "rounding of sums of changes"


def weight_checks(
    runs: Sequence[Ran], reference: str, backend: str, paired: bool = True
) -> list[WeightCheck]:
    """A record for each seed that ran on both sides and each projection whose weights are known on both."""
    mine, theirs = of(runs, backend), of(runs, reference)
    return [
        check
        for s in sorted(mine.keys() & theirs.keys())
        for check in _checks(theirs[s], mine[s], backend, paired)
    ]


def _checks(reference: Ran, other: Ran, backend: str, paired: bool) -> list[WeightCheck]:
    a, b = reference.results, other.results
    both = [k for k, t in a.synapses.items() if k[1] == WEIGHT and k in b.synapses and len(t)]
    if not both:
        return []
    apart = compare_results(only_cells(a), only_cells(b)).divergence
    until = a.steps + 1 if apart is None else apart.step
    exact = paired and all(_exact(r.job.backend) for r in (reference, other))
    rules = {p.name: p.synapse for p in reference.job.network.projections}
    return [
        _check(a.synapses[k], b.synapses[k], rules.get(k[0]), k[0], backend, other.job.seed, until, exact)
        for k in both
    ]


def _exact(backend: str) -> bool:
    """Whether a backend's weights are those of the rule; a name that is not there is a run made by hand."""
    if backend not in registry.names():
        return True
    table = registry.get(backend).capabilities
    return all(table.word(f) in ("exact", "lowered") for f in ("synapses.plastic", "session.synapses"))


def _check(
    a: SynapseTable,
    b: SynapseTable,
    synapse: Any,
    projection: str,
    backend: str,
    seed: int,
    until: int,
    exact: bool,
) -> WeightCheck:
    a, b = shared(a, b)
    size, size_from = scale(a, synapse)
    values = (a.values, b.values)
    worst = largest(*values)
    row, column = worst.place
    early = values[0].shape[0] if until > int(a.steps[-1]) else int(np.searchsorted(a.steps, until))
    before = largest(values[0][:early], values[1][:early]).size / size if early else float("nan")
    identical = early == values[0].shape[0]
    ends = [np.asarray(v[-1], dtype=np.float64) for v in values]
    verdict = UNDECIDED if not exact else FAIL if before > CLOSE else PASS if identical else UNDECIDED
    return WeightCheck(
        backend=backend,
        seed=seed,
        projection=projection,
        rule=synapse.type.name if isinstance(synapse, PlasticSynapse) else "",
        connections=len(a),
        samples=int(a.steps.size),
        unit=a.unit,
        scale=size,
        scale_from=size_from,
        identical=identical,
        difference=worst.size,
        relative=worst.size / size,
        before=before,
        at_end=largest(ends[0][None], ends[1][None]).size / size,
        time=float(a.times[row]),
        source=int(a.sources[column]),
        target=int(a.targets[column]),
        values=(float(values[0][row, column]), float(values[1][row, column])),
        means=(float(ends[0].mean()), float(ends[1].mean())),
        spreads=(_spread(ends[0]), _spread(ends[1])),
        start=float(a.values[0].mean()) if a.steps[0] == 0 else float("nan"),
        ks=_apart(ends),
        margin=CLOSE if exact else float("nan"),
        margin_from=ROUNDING if exact else "none: not the same spikes, or not exact",
        verdict=verdict,
    )


def shared(a: SynapseTable, b: SynapseTable) -> tuple[SynapseTable, SynapseTable]:
    """The samples that both have, as a program that runs once tells its last ones only."""
    if not (np.array_equal(a.sources, b.sources) and np.array_equal(a.targets, b.targets)):
        return _absent(a), _absent(b, float("inf"))
    steps: Ints = np.intersect1d(a.steps, b.steps)
    return _at(a, steps), _at(b, steps)


def _spread(x: Floats) -> float:
    return float(x.std()) if np.isfinite(x).all() else float("nan")


def _apart(ends: Sequence[Floats]) -> float:
    """The distance of two distributions; nan where one has no numbers."""
    known = [np.sort(x[np.isfinite(x)]) for x in ends]
    return float(distances(known, KS)[0, 1]) if all(x.size for x in known) else float("nan")


def _at(t: SynapseTable, steps: Ints) -> SynapseTable:
    kept = np.isin(t.steps, steps)
    return SynapseTable(t.sources, t.targets, t.steps[kept], t.dt, t.values[kept], t.unit)


def _absent(t: SynapseTable, value: float = 0.0) -> SynapseTable:
    """Other connections on the two sides: no weight is anything like the other's."""
    none = np.zeros(1, dtype=np.int64)
    return SynapseTable(none, none, t.steps[-1:], t.dt, np.full((1, 1), value), t.unit)


def scale(t: SynapseTable, synapse: Any) -> tuple[float, str]:
    """What differences are relative to, in the table's unit: the range of the bounds where the rule has two
    that are the same for all connections, else the largest weight.
    """
    if isinstance(synapse, PlasticSynapse) and None not in synapse.rule.bounds:
        known = {n: v.coherent() for n, v in synapse.parameters.items() if isinstance(v, Quantity)}
        bounds = [b for b in synapse.rule.bounds if b is not None and not names(b) - known.keys()]
        if len(bounds) == 2:
            power = unit(t.unit).coherent_power
            low, high = (float(shift(evaluate(b, known), -power)) for b in bounds)
            if high != low:
                return abs(high - low), "the range of the rule's bounds"
    top = float(np.abs(t.values).max(initial=0.0))
    return (top if 0.0 < top < np.inf else 1.0), "the largest weight"


def same_weights(
    checks: Sequence[WeightCheck],
    paired: Sequence[PairedCheck],
    ensembles: Sequence[EnsembleCheck],
    backend: str,
    learns: Sequence[str],
    unread: str = "",
) -> LevelVerdict:
    """FAIL if weights part by more than rounding before any spike does, or one statistic of the weights at
    the end is different; PASS if spikes are the same and weights within rounding, or all statistics are
    equivalent.
    """
    if not learns:
        return LevelVerdict(WEIGHTS, backend, NOT_RUN, "no connection of this network learns")
    mine = [c for c in checks if c.backend == backend]
    if not mine:
        return LevelVerdict(WEIGHTS, backend, NOT_RUN, unread or "no weights were read on both sides")
    wrong = [c for c in mine if c.verdict == FAIL]
    score = 1.0 - len(wrong) / len(mine)
    worst = max(wrong or mine, key=lambda c: c.relative)
    names = list(dict.fromkeys(c.projection for c in mine))
    if wrong:
        return LevelVerdict(WEIGHTS, backend, FAIL, _wrong(wrong, worst, mine), score)
    if all(c.verdict == PASS for c in mine):
        times = max(c.samples for c in mine)
        told = (
            f"weights of {', '.join(names)} equal to rounding, at most {worst.relative:.2g} of "
            f"{worst.scale_from} apart (read {times} time{'s' * (times != 1)}; margin {CLOSE:g}: {ROUNDING})"
        )
        return LevelVerdict(WEIGHTS, backend, PASS, told, 1.0)
    decide: list[PairedCheck | EnsembleCheck] = [
        *paired,
        *(e for e in ensembles if e.measure == KS and (not paired or e.verdict == FAIL)),
    ]
    good = [c for c in decide if c.verdict == PASS]
    bad = [c for c in decide if c.verdict == FAIL]
    what = ", ".join(
        f"{c.statistic} of {c.population}" for c in (bad or [c for c in decide if c not in good])[:4]
    )
    early = [c.before for c in mine if not np.isnan(c.margin + c.before)]
    told = "weights equal to rounding up to the first spike that differs, then " if early else "weights with "
    told += f"{_largest(worst)}; at the end {len(good)} of {len(decide)} statistics of weights are equivalent"
    verdict = FAIL if bad else PASS if decide and len(good) == len(decide) else UNDECIDED
    more = f"; different: {what}" if bad else f"; undecided: {what}" if verdict == UNDECIDED and what else ""
    return LevelVerdict(
        WEIGHTS, backend, verdict, told + more, len(good) / len(decide) if decide else float("nan")
    )


def unread_of(runs: Sequence[Ran], backend: str) -> str:
    """Why there are no weights of a backend; "" if there are, or it did not run."""
    mine = of(runs, backend)
    if not mine or any(k[1] == WEIGHT for r in mine.values() for k in r.results.synapses):
        return ""
    return f"{backend} cannot be asked for weights that its connections have learnt"


def _wrong(wrong: Sequence[WeightCheck], worst: WeightCheck, mine: Sequence[WeightCheck]) -> str:
    which = list(dict.fromkeys(c.projection for c in wrong))
    seeds = len({c.seed for c in wrong}), len({c.seed for c in mine})
    when = "though the spikes are the same" if worst.identical else "before any spike differs"
    early = max(wrong, key=lambda c: c.before).before
    return (
        f"weights of {', '.join(which)} differ in {seeds[0]} of {seeds[1]} seeds {when}, by {early:.3g} of "
        f"{worst.scale_from} (margin {CLOSE:g}: {ROUNDING}); {_largest(worst)}"
    )


def _largest(c: WeightCheck) -> str:
    return (
        f"largest difference {c.difference:.4g} {c.unit} ({c.relative:.3g} of {c.scale_from}) in "
        f"{c.projection}, connection {c.source} -> {c.target} at {c.time:g} ms (seed {c.seed}: "
        f"{c.values[0]:.6g} and {c.values[1]:.6g})"
    )
