"""Level 4, where spikes are not the same: distributions of the weights at the end; and arrays for the
pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from portable.dynamics.synapse import WEIGHT
from portable.units import Floats
from portable.validation.equivalence import KS, PairedTest, ensemble_populations, paired_populations
from portable.validation.evidence import Learnt
from portable.validation.levels.ran import Ran, of
from portable.validation.levels.same_weights import scale, shared
from portable.validation.verdicts import EnsembleCheck, PairedCheck

STATISTICS = ("mean weight", "SD of weights")
DRAWN = 4000  # weights of a distribution that are kept for its picture
_OWN = tuple(f.name for f in fields(PairedTest))


def ends(runs: Mapping[int, Ran]) -> dict[int, Mapping[str, Floats]]:
    """By seed: the final weights of each projection whose weights are known."""
    return {
        s: {
            k[0]: np.asarray(t.values[-1]) for k, t in r.results.synapses.items() if k[1] == WEIGHT and len(t)
        }
        for s, r in runs.items()
    }


def distribution_checks(
    runs: Sequence[Ran], reference: str, backend: str, paired: bool, margin: float | None
) -> tuple[list[PairedCheck], list[EnsembleCheck]]:
    """Weights at the end: their mean and SD paired over seeds, and the distance of their distributions."""
    theirs, mine = ends(of(runs, reference)), ends(of(runs, backend))
    seeds = sorted(theirs.keys() & mine.keys())
    names = [n for n in (theirs[seeds[0]] if seeds else ()) if all(n in mine[s] for s in seeds)]
    if not names:
        return [], []
    unit = {n: of(runs, reference)[seeds[0]].results.synapses[n, WEIGHT].unit for n in names}
    tests = []
    for statistic in STATISTICS if paired else ():
        measure = np.mean if statistic == STATISTICS[0] else np.std
        sides = [
            {n: np.array([float(measure(side[s][n])) for s in seeds]) for n in names}
            for side in (theirs, mine)
        ]
        margins = margin and {n: margin * abs(float(v.mean())) for n, v in sides[0].items()}
        for n, test in paired_populations(sides[0], sides[1], margins).items():
            about = {f: getattr(test, f) for f in _OWN}
            if margin is not None:
                about["margin_from"] = f"{100 * margin:g} % of the reference's mean, as asked"
            tests.append(
                PairedCheck(
                    backend=backend,
                    population=n,
                    statistic=statistic,
                    unit=unit[n],
                    seeds=tuple(seeds),
                    **about,
                )
            )
    found = ensemble_populations(
        {n: [w[n] for w in theirs.values()] for n in names}, {n: [w[n] for w in mine.values()] for n in names}
    )
    return tests, [
        EnsembleCheck(
            backend, n, "weight", measure, unit[n] if measure != KS else "",
            t.between, t.within, t.within_sd, t.limit, t.p_permutation, t.verdict,
        )
        for (n, measure), t in found.items()
    ]  # fmt: skip


def learnt(runs: Sequence[Ran], reference: str, backend: str) -> dict[str, Learnt]:
    """By projection, for the pictures: distributions of the first seed, and the largest difference of any."""
    mine, theirs = of(runs, backend), of(runs, reference)
    out: dict[str, Learnt] = {}
    for s in sorted(mine.keys() & theirs.keys()):
        rules = {p.name: p.synapse for p in theirs[s].job.network.projections}
        for (name, variable), t in theirs[s].results.synapses.items():
            other = mine[s].results.synapses.get((name, variable))
            if variable != WEIGHT or other is None or not len(t):
                continue
            a, b = shared(t, other)
            gap = np.abs(a.values - b.values).max(axis=1) / scale(a, rules.get(name))[0]
            if name not in out:
                sides = tuple(tuple(_thinned(v[i]) for i in (0, -1)) for v in (a.values, b.values))
                out[name] = Learnt(name, a.unit, s, a.times, sides[0], sides[1], {s: gap})  # type: ignore[arg-type]
            elif np.array_equal(out[name].times, a.times):
                out[name].gaps[s] = gap
    return out


def _thinned(values: Floats) -> Floats:
    v = np.sort(values)
    return v if v.size <= DRAWN else v[np.linspace(0, v.size - 1, DRAWN).astype(np.int64)]
