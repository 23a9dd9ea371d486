"""From finished runs to the answer: every level's verdict for every backend, and the arrays for the
pictures.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from portable.backends import registry
from portable.resolve.digest import model_hash
from portable.results.tables import Results
from portable.units import Floats
from portable.validation.evidence import Evidence, Spectrum
from portable.validation.jobs.learnt import learning
from portable.validation.levels.comparable import alive_seeds, comparable
from portable.validation.levels.cost import cost, same_cost
from portable.validation.levels.final_weights import distribution_checks, learnt
from portable.validation.levels.power import powers
from portable.validation.levels.ran import as_run, of, watched
from portable.validation.levels.same_cells import same_cells
from portable.validation.levels.same_network import absent_of, network_checks, rules_of, same_network
from portable.validation.levels.same_spikes import first_apart, grown, same_spikes
from portable.validation.levels.same_statistics import (
    DISTRIBUTIONS,
    ensemble_checks,
    mean_spectrum,
    paired_checks,
    pooled,
    same_statistics,
)
from portable.validation.levels.same_weights import same_weights, unread_of, weight_checks
from portable.validation.study import Study
from portable.validation.verdicts import (
    CELLS,
    COMPARABLE,
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    NETWORK,
    NO_ANSWER,
    NOT_RUN,
    OPEN,
    PASS,
    SPIKES,
    STATISTICS,
    UNDECIDED,
    WEIGHTS,
    EnsembleCheck,
    LevelVerdict,
    PairedCheck,
    Validation,
    WeightCheck,
)  # fmt: skip

PACKAGES = (
    "portable-snn",
    "numpy",
    "scipy",
    "numba",
    "elephant",
)


def packages(backends: Iterable[str]) -> list[str]:
    """Distributions whose versions are told: those that every run uses, and the backends' own."""
    own = [registry.get(b).capabilities for b in backends]
    return list(dict.fromkeys((*PACKAGES, *(d for c in own for d in (c.distribution, *c.packages) if d))))


def assembled(study: Study) -> tuple[Validation, Evidence]:
    """The records and the evidence of a study whose rounds are done."""
    p = study.plan
    others = p.backends[1:]
    spikes = [c for b in others for c in study.spikes(b)]
    networks = {b: network_checks(study.runs, p.reference, b) for b in p.backends}
    costs = {b: cost(study.runs, b) for b in p.backends}
    rules = rules_of(p.network)
    levels: list[LevelVerdict] = []
    paired: list[PairedCheck] = []
    ensembles: list[EnsembleCheck] = []
    weights: list[WeightCheck] = []
    paired_weights: list[PairedCheck] = []
    ensemble_weights: list[EnsembleCheck] = []
    for b in others:
        first = comparable(study.runs, p.reference, b, p.mode)
        levels.append(first)
        levels.append(same_network(networks[b], absent_of(study.runs, b), b, rules))
        levels.append(
            same_cells(study.cells, b)
            if first.verdict != NOT_RUN
            else LevelVerdict(CELLS, b, NOT_RUN, "there is no run to compare")
        )
        levels.append(
            same_spikes(study.spikes(b), b)
            if p.mode == "paired"
            else LevelVerdict(
                SPIKES, b, NOT_RUN, "each backend draws its own input, so spikes cannot be the same"
            )
        )
        found = weight_checks(study.runs, p.reference, b, p.mode == "paired")
        at_end = distribution_checks(study.runs, p.reference, b, p.mode == "paired", p.margin)
        levels.append(same_weights(found, *at_end, b, learning(p.network), unread_of(study.runs, b)))
        weights += found
        paired_weights += at_end[0]
        ensemble_weights += at_end[1]
        tests, distances = _statistics(study, b)
        paired += tests
        ensembles += distances
        levels.append(same_statistics(tests, distances, b, p.mode, first.verdict in (PASS, UNDECIDED)))
        levels.append(same_cost(costs[b], costs[p.reference], b))
    answers = {b: answer([v for v in levels if v.backend == b]) for b in others}
    synapses = next((int(r.results.provenance.get("synapses", 0)) for r in study.runs if r.ok), 0)
    validation = Validation(
        p.network.name,
        model_hash(p.network),
        p.dt,
        p.duration,
        p.backends,
        p.seeds,
        {q.name: q.size for q in p.network.populations},
        synapses,
        tuple(levels),
        answers,
        tuple(as_run(r) for r in study.runs),
        tuple(c for many in networks.values() for c in many),
        tuple(study.cells),
        tuple(spikes),
        tuple(paired),
        tuple(ensembles),
        tuple(study.deviations),
        powers(study.deviations),
        tuple(c for c in costs.values() if c is not None),
        tuple(study.notes),
        _provenance(study),
        rules,
        tuple(weights),
        tuple(paired_weights),
        tuple(ensemble_weights),
    )
    return validation, _evidence(study)


def _statistics(study: Study, backend: str) -> tuple[list[PairedCheck], list[EnsembleCheck]]:
    p = study.plan
    theirs, mine = of(study.runs, p.reference), of(study.runs, backend)
    seeds = alive_seeds(study.runs, p.reference, backend)
    a, b = ({s: study.measured(side[s]) for s in seeds} for side in (theirs, mine))
    paired = paired_checks(a, b, seeds, p.margin) if p.mode == "paired" else []
    return paired, ensemble_checks(a, b)


def answer(levels: Sequence[LevelVerdict]) -> str:
    """One backend's answer from its verdicts. A network that is not the reference's, or a side that cannot be
    compared, decides first.
    """
    by_level = {v.level: v.verdict for v in levels}
    if by_level.get(COMPARABLE) not in (PASS, UNDECIDED):
        return NO_ANSWER
    if FAIL in (by_level.get(NETWORK), by_level.get(WEIGHTS)):
        return DIFFERENT
    if by_level[COMPARABLE] == UNDECIDED:  # some runs failed: the others can say no, and not yes
        return DIFFERENT if by_level.get(STATISTICS) == FAIL else OPEN
    if by_level.get(SPIKES) == PASS and by_level.get(WEIGHTS) != UNDECIDED:
        return IDENTICAL
    if by_level.get(WEIGHTS) == UNDECIDED and by_level.get(STATISTICS) != FAIL:
        return OPEN
    return {PASS: EQUIVALENT, FAIL: DIFFERENT}.get(by_level.get(STATISTICS, ""), OPEN)


def _evidence(study: Study) -> Evidence:
    p = study.plan
    others = p.backends[1:]
    drawn = {p.seeds[0], *(c.seed for b in others if (c := first_apart(study.spikes(b))) is not None)}
    kept: dict[tuple[str, int], Results] = {
        (b, s): r.results for b in p.backends for s, r in of(study.runs, b).items() if s in drawn
    }
    names = watched(p.network)
    distributions: dict[tuple[str, str, str], Floats] = {}
    spectra: dict[tuple[str, str], Spectrum] = {}
    for b in p.backends:
        runs = list(of(study.runs, b).values())
        if not runs:
            continue
        found = [study.measured(r) for r in runs]
        distributions |= {(d, n, b): pooled(found, d, n) for d in DISTRIBUTIONS for n in names}
        spectra |= {(n, b): mean_spectrum([r.results for r in runs], n, p.warmup) for n in names}
    growth = grown(study.runs, p.reference, others, sorted(drawn)) if p.mode == "paired" else {}
    weights = {(b, n): found for b in others for n, found in learnt(study.runs, p.reference, b).items()}
    return Evidence(kept, growth, study.around, study.traces, distributions, spectra, weights)


def _provenance(study: Study) -> dict[str, Any]:
    p = study.plan
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "command": " ".join(sys.argv),
        "machine": platform.platform(),
        "processors": os.cpu_count() or 1,
        "python": platform.python_version(),
        "versions": {n: v for n in packages(p.backends) if (v := _version(n))},
        "warmup": p.warmup,
        "inputs": p.inputs,
        "mode": p.mode,
        "integrator": p.integrator,
        "threads": p.threads,
        "options": {b: dict(o) for b, o in p.options.items()},
        "margin": p.margin,
        "power": p.power,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
