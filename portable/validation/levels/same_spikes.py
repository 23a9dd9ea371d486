"""Level 3: the whole network with frozen input. Identical, or where it parts, and whether rounding alone
would part there too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from portable.results.activity import Window
from portable.results.tables import Results, SpikeTable
from portable.units import Floats
from portable.validation.differences import compare_results
from portable.validation.evidence import Growth
from portable.validation.levels.ran import PERTURBED, Ran, of, sources
from portable.validation.matching import unpaired
from portable.validation.trains import mean_distances
from portable.validation.verdicts import FAIL, NOT_RUN, PASS, SPIKES, LevelVerdict, SpikeCheck

WINDOWS = 200  # of the growth curve


def only_cells(r: Results) -> Results:
    """Without the spikes of sources, which every backend was given, and without traces."""
    kept = {n: t for n, t in r.spikes.items() if n not in sources(r)}
    return Results(r.network, r.backend, r.dt, r.steps, r.sizes, kept, {}, r.provenance, r.approximations)


def spike_checks(runs: Sequence[Ran], reference: str, backend: str) -> list[SpikeCheck]:
    """One record for each seed that ran on both sides with the same, frozen, input."""
    mine, theirs = of(runs, backend), of(runs, reference)
    probes = {
        r.job.seed: r.results for r in runs if r.role == PERTURBED and r.ok and r.job.backend == reference
    }
    return [
        spike_check(theirs[s].results, mine[s].results, probes.get(s))
        for s in sorted(mine.keys() & theirs.keys())
    ]


def spike_check(reference: Results, other: Results, perturbed: Results | None = None) -> SpikeCheck:
    """Two runs of one seed. perturbed: the reference with its start changed by 1e-12."""
    pair = compare_results(only_cells(reference), only_cells(other))
    seed = int(other.provenance.get("seed", 0))
    parted, own = float("nan"), {"spike": float("nan")}
    if perturbed is not None:
        itself = compare_results(only_cells(reference), only_cells(perturbed))
        parted = itself.divergence.time if itself.divergence else float("inf")
        own = distances(reference, perturbed)
    found = distances(reference, other)
    d = pair.divergence
    where = (d.time, d.population, d.neuron) if d is not None else (float("nan"), "", -1)
    return SpikeCheck(
        other.backend,
        seed,
        pair.spikes,
        d is None,
        pair.equal,
        pair.within_one_step,
        *where,
        parted,
        found["spike"],
        found["van_rossum"],
        own["spike"],
    )


def distances(a: Results, b: Results) -> dict[str, float]:
    """Spike-train distances averaged over the cells that spike on either side, all populations together; nan
    if none does.
    """
    left, right = only_cells(a), only_cells(b)
    total, cells = {"spike": 0.0, "van_rossum": 0.0}, 0
    for name, table in left.spikes.items():
        other = right.spikes[name]
        n = np.union1d(table.ids, other.ids).size
        if n:
            mean = mean_distances(table, other, Window(0, a.steps))
            total, cells = {k: x + n * mean[k] for k, x in total.items()}, cells + n
    return {k: x / cells if cells else float("nan") for k, x in total.items()}


def same_spikes(checks: Sequence[SpikeCheck], backend: str) -> LevelVerdict:
    """PASS if the spike lists are identical for every seed."""
    if not checks:
        return LevelVerdict(SPIKES, backend, NOT_RUN, "no seed ran on both sides with the same input")
    apart = [c for c in checks if not c.identical]
    score = sum(c.equal for c in checks) / len(checks)
    if not apart:
        return LevelVerdict(
            SPIKES,
            backend,
            PASS,
            f"all {sum(c.spikes[0] for c in checks):,} spikes of {len(checks)} "
            f"seed{'s' * (len(checks) != 1)} identical",
            score,
        )
    first = min(apart, key=lambda c: c.time)
    told = (
        f"{len(apart)} of {len(checks)} seed{'s' * (len(checks) != 1)} differ, the earliest from "
        f"{first.time:g} ms on ({first.population}[{first.neuron}], seed {first.seed}); "
    )
    told += (
        f"{100 * score:.3g} % of spikes equal, {100 * sum(c.near for c in checks) / len(checks):.3g} % "
        "within one step"
    )
    return LevelVerdict(SPIKES, backend, FAIL, told + chaos(apart), score)


def chaos(apart: Sequence[SpikeCheck]) -> str:
    """What the perturbed reference says of the difference; "" where it was not run."""
    both = [(c.time, c.perturbed) for c in apart if not np.isnan(c.perturbed)]
    if not both:
        return ""
    ours, own = float(np.median([a for a, _ in both])), float(np.median([b for _, b in both]))
    if np.isinf(own):
        return (
            "; a change of 1e-12 of the start changes no spike of the reference, so this difference is "
            "larger than rounding"
        )
    if ours >= 0.8 * own:
        return (
            "; the model is chaotic: a change of 1e-12 of the start parts the reference from itself at "
            f"{own:g} ms, so rounding alone can do this"
        )
    return (
        "; the model is chaotic, but a change of 1e-12 of the start parts the reference from itself "
        f"only at {own:g} ms, so this difference is larger than rounding"
    )


def growth(a: Results, b: Results) -> Growth:
    """Spikes without a partner on the other side so far, at the end of each of WINDOWS windows."""
    left, right = only_cells(a), only_cells(b)
    edges = np.linspace(0, a.steps, WINDOWS + 1)
    lonely = np.concatenate([np.zeros(0), *(_lonely(left.spikes[n], right.spikes[n]) for n in left.spikes)])
    total = np.cumsum(np.histogram(lonely, edges)[0]).astype(np.float64)
    return Growth(edges[1:] * a.dt, total)


def _lonely(a: SpikeTable, b: SpikeTable) -> Floats:
    """Stamps of the spikes that one side has more often than the other."""
    keys, n = unpaired(*(t.steps * (1 << 32) + t.ids for t in (a, b)))
    return np.repeat(keys >> 32, n).astype(np.float64) - 0.5  # a stamp is the end of its step


def first_apart(checks: Sequence[SpikeCheck]) -> SpikeCheck | None:
    """The check whose divergence is drawn: the first seed that differs."""
    return next((c for c in checks if not c.identical), None)


def grown(
    runs: Sequence[Ran], reference: str, backends: Sequence[str], seeds: Sequence[int]
) -> Mapping[tuple[str, int], Growth]:
    """Growth curves of every other backend and of the perturbed reference, for some seeds."""
    main = of(runs, reference)
    out: dict[tuple[str, int], Growth] = {}
    for b in backends:
        mine = of(runs, b)
        out |= {(b, s): growth(main[s].results, mine[s].results) for s in seeds if s in mine and s in main}
    for r in runs:
        if (
            r.role == PERTURBED
            and r.ok
            and r.job.seed in seeds
            and r.job.seed in main
            and r.job.backend == reference
        ):
            out["perturbed", r.job.seed] = growth(main[r.job.seed].results, r.results)
    return out
