"""Validations made by hand, for the tests of reports: seeded, in the shape that a real one has, with every
kind of answer.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from portable.results import Results, sorted_spikes
from portable.validation.evidence import Evidence, Growth, Learnt, Spectrum, Traces
from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    NO_ANSWER,
    NOT_COMPARABLE,
    NOT_RUN,
    OPEN,
    PASS,
    UNDECIDED,
    WEIGHTS,
    CellCheck,
    Cost,
    DeviationCheck,
    EnsembleCheck,
    LearningRule,
    LevelVerdict,
    NetworkCheck,
    PairedCheck,
    Power,
    Run,
    SpikeCheck,
    Validation,
    WeightCheck,
)

DT, CELLS = 0.1, (("E", 0.8), ("I", 0.2))
STATISTICS = {"rate": "Hz", "cv": "", "lv": "", "correlation": ""}
TYPICAL = {"rate": 8.0, "cv": 0.85, "lv": 0.9, "correlation": 0.02}
ANSWERS = (IDENTICAL, EQUIVALENT, DIFFERENT, OPEN, NO_ANSWER)
SHIFT = {
    IDENTICAL: 0.0,
    EQUIVALENT: 0.02,
    DIFFERENT: 0.9,
    OPEN: 0.35,
    NO_ANSWER: 0.0,
}  # of the spread over seeds


def made(
    answers=(IDENTICAL, EQUIVALENT),
    seeds=10,
    populations=2,
    cells=4000,
    duration=1000.0,
    names=None,
    backends=None,
    seed=0,
):
    """(Validation, Evidence) of a reference and one backend for each answer."""
    rng = np.random.default_rng(seed)
    backends = backends or ("native", "nest", "brian2", "neuron", "jneuroml", "other")[: len(answers) + 1]
    layers = ("L23", "L4", "L5", "L6", "L7", "L8")
    names = names or tuple(
        f"{layers[k // 2] if populations > 2 else ''}{CELLS[k % 2][0]}" for k in range(populations)
    )
    sizes = {n: max(8, int(cells * CELLS[k % 2][1] / max(1, populations / 2))) for k, n in enumerate(names)}
    by_backend = dict(zip(backends[1:], answers))
    ran = [b for b, a in by_backend.items() if a != NO_ANSWER]
    numbers = tuple(range(1, seeds + 1))
    spikes = tuple(
        c for b in ran for c in spike_checks(rng, b, by_backend[b], numbers, names, sizes, duration)
    )
    paired = tuple(
        c
        for b in ran
        if by_backend[b] != IDENTICAL
        for c in paired_checks(rng, b, by_backend[b], numbers, names)
    )
    v = Validation(
        "balanced",
        "9f2c61" + "ab" * 29,
        DT,
        duration,
        backends,
        numbers,
        sizes,
        cells * 80,
        tuple(levels(by_backend, spikes, paired)),
        by_backend,
        runs=tuple(runs(rng, backends, by_backend, numbers, names, sizes)),
        networks=tuple(
            NetworkCheck(
                b,
                s,
                "c3" * 32,
                True,
                cells * 80,
                0,
                0.0,
                0.0,
                "" if b != "neuron" else "the simulator does not tell",
            )
            for b in ran
            for s in numbers
        ),
        cells=tuple(cell_check(rng, b, n, by_backend[b]) for b in ran for n in names),
        spikes=spikes,
        paired=paired,
        ensembles=tuple(
            ensemble_checks(rng, [b for b in ran if by_backend[b] in (DIFFERENT, OPEN)], by_backend, names)
        ),
        deviations=deviations(names),
        power=power(),
        costs=tuple(costs(rng, backends, ran, seeds)),
        notes=("Sources are frozen: every backend got the same input spikes.",),
        provenance={
            "date": "2026-11-25T21:40:00+00:00",
            "python": "3.11.7",
            "machine": "x86_64, 2 cores",
            "versions": {"portable-snn": "0.1.0", "nest": "3.10.0", "brian2": "2.9.0", "numpy": "2.3.1"},
            "command": "portable validate examples/cuba.py --backends "
            + ",".join(backends)
            + f" --seeds {seeds}",
        },
    )
    return v, evidence(rng, v, by_backend, ran)


def runs(rng, backends, by_backend, seeds, names, sizes):
    for b in backends:
        for s in seeds:
            if by_backend.get(b) == NO_ANSWER:
                status, message = (
                    ("killed", "the process ended with signal 9 (out of memory) after 12.4 s")
                    if s % 2
                    else ("time limit", "no answer within 600 s")
                )
                yield Run(b, s, "main", status, message)
                continue
            lines = (
                ()
                if b == "native"
                else (
                    "projections[0].delay: 1.53 ms became whole steps of 0.1 ms, largest error 0.05 ms: "
                    "delays are on the grid",
                )
            )
            lines += (
                ("sources[0]: 1000 Poisson sources became given spike times, largest error 0: frozen input",)
                if b == "brian2"
                else ()
            )
            counts = {n: int(rng.poisson(8.0 * size)) for n, size in sizes.items()}
            yield Run(
                b,
                s,
                "main",
                "ok",
                "",
                f"{b} {1 + len(b) % 4}.{len(b)}",
                "frozen",
                dict.fromkeys(names, "exact"),
                lines,
                {"build": 0.4, "run": 1.0},
                2.0**29,
                counts,
                {n: not (s == 2 and by_backend.get(b) == DIFFERENT) for n in names},
                f"{b}-{s}",
                s > 1,
            )


def cell_check(rng, backend, name, answer):
    exact = answer in (IDENTICAL, EQUIVALENT)
    errors = {
        str(dt): (3e-3 if answer == DIFFERENT else 1e-7)
        * (dt / 0.1) ** (1 if answer == DIFFERENT else 4)
        * rng.uniform(0.95, 1.05)
        for dt in (0.0125, 0.025, 0.05, 0.1)
    }
    return CellCheck(
        backend,
        name,
        "IF_curr_exp",
        1,
        20,
        ("exact", "exact" if exact else "euler"),
        (412, 412 if exact else 409),
        exact,
        0.0 if exact else math.nan,
        rng.uniform(1e-13, 4e-13) if exact else 0.04,
        "v",
        "mV",
        math.inf if answer == IDENTICAL else 4.02 if exact else 1.03,
        {} if answer == IDENTICAL else errors,
        (),
        FAIL if answer == DIFFERENT else PASS,
    )


def spike_checks(rng, backend, answer, seeds, names, sizes, duration):
    total = int(sum(sizes.values()) * 8 * duration / 1000)
    for s in seeds:
        n = total + int(rng.normal(0, 90))
        if answer == IDENTICAL:
            yield SpikeCheck(
                backend, s, (n, n), True, 1.0, 1.0, perturbed=float(rng.normal(0.25, 0.03) * duration)
            )
        else:
            own = duration * (0.03 if answer == DIFFERENT else float(rng.normal(0.27, 0.04)))
            equal = 0.04 if answer == DIFFERENT else rng.uniform(0.3, 0.36)
            yield SpikeCheck(
                backend,
                s,
                (n, n + int(rng.normal(0, 40))),
                False,
                equal,
                equal + 0.01,
                round(own, 1),
                names[-1],
                sizes[names[-1]] // 3,
                round(float(rng.normal(0.25, 0.03) * duration), 1),
            )


def paired_checks(rng, backend, answer, seeds, names):
    for statistic, unit in STATISTICS.items():
        for k, name in enumerate(names):
            level = TYPICAL[statistic] * (1 + 0.2 * k)
            spread = 0.04 * level
            shift = (
                SHIFT[answer] * spread * (1 if answer != DIFFERENT or statistic in ("rate", "cv") else 0.05)
            )
            x = shift + rng.normal(0, spread * (0.6 if answer == OPEN else 0.25), len(seeds))
            yield paired_check(backend, name, statistic, unit, level, spread, x, seeds)


def paired_check(backend, name, statistic, unit, level, spread, x, seeds):
    n, margin = len(x), 0.5 * spread if len(x) > 1 else math.nan
    if n < 2:
        low = high = p_eq = p_diff = detectable = math.nan
    else:
        se = float(np.std(x, ddof=1)) / math.sqrt(n)
        half = se * stats.t.ppf(0.95, n - 1)
        low, high = float(x.mean() - half), float(x.mean() + half)
        p_eq = float(
            max(stats.t.sf((x.mean() + margin) / se, n - 1), stats.t.cdf((x.mean() - margin) / se, n - 1))
        )
        p_diff, detectable = float(stats.ttest_1samp(x, 0.0).pvalue), 2.5 * se
    verdict = (
        NOT_RUN
        if n < 2
        else PASS
        if -margin < low and high < margin
        else FAIL
        if low > margin or high < -margin
        else UNDECIDED
    )
    return PairedCheck(
        backend,
        name,
        statistic,
        unit,
        n,
        level,
        spread,
        float(np.mean(x)),
        (low, high),
        margin,
        "half the reference's SD over seeds",
        p_eq,
        min(1.0, 2 * p_eq) if n > 1 else math.nan,
        p_diff,
        float(np.mean(x)) / spread,
        detectable,
        verdict,
        tuple(float(d) for d in x),
        seeds,
    )


def ensemble_checks(rng, backends, by_backend, names):
    for b in backends:
        for n in names:
            for statistic, unit in STATISTICS.items():
                within, sd = 0.03, 0.008
                between = within + (
                    2.8 * sd if by_backend[b] == DIFFERENT and statistic == "rate" else 0.4 * sd
                )
                yield EnsembleCheck(
                    b,
                    n,
                    statistic,
                    "Wasserstein",
                    unit,
                    between,
                    within,
                    sd,
                    within + 2 * sd,
                    float(rng.uniform(0.01, 0.8)),
                    PASS if between <= within + 2 * sd else FAIL,
                )


def deviations(names):
    return (
        DeviationCheck("refractory", "refractory period one step longer", 2, (2, 3), 12.4, 0.11, (), 0.21),
        DeviationCheck("delays", "all delays one step later", 1, (1, 3), 9.1, 0.08, (), 0.13),
        DeviationCheck(
            "weights", "all weights 1 % larger", 1, (1, 3, 5), 15.0, 0.2, (f"{names[0]} rate",), 2.4
        ),
        DeviationCheck(
            "threshold",
            "threshold 0.1 mV higher",
            2,
            (2, 3, 5),
            4.4,
            0.05,
            tuple(f"{n} rate" for n in names),
            3.1,
        ),
        DeviationCheck("euler", "forward Euler", 0, (0, 2, 3), 8.8, 0.06, (), 0.4),
    )


def power():
    return (
        Power("weights larger", "%", (0.25, 0.5, 1.0, 2.0), (False, False, True, True)),
        Power("threshold higher", "mV", (0.025, 0.05, 0.1), (False, True, True)),
        Power("refractory period longer", "steps", (1.0, 2.0, 4.0), (False, False, False)),
    )


def costs(rng, backends, ran, seeds):
    for k, b in enumerate(x for x in backends if x in ran or x == backends[0]):
        seconds = {
            "resolve": 0.21,
            "lower": 0.05,
            "build": 0.4 + k * 1.2,
            "run": 0.3 + 2.1 * k + float(rng.uniform(0, 0.1)),
            "collect": 0.02,
        }
        yield Cost(b, seconds, seconds["run"], 2.0**28 * (1 + k), seeds)


def levels(by_backend, spikes, paired):
    for b, answer in by_backend.items():
        if answer == NO_ANSWER:
            yield LevelVerdict(
                0,
                b,
                NOT_COMPARABLE,
                "no run ended well: the process was killed, or ran into its time limit",
                0.0,
            )
            for level in range(1, 7):
                yield LevelVerdict(level, b, NOT_RUN, "nothing to compare")
            continue
        own, stat = [c for c in spikes if c.backend == b], [c for c in paired if c.backend == b]
        same = answer == IDENTICAL
        yield LevelVerdict(0, b, PASS, "same dt, inputs and class of integrator; alive in all runs", 1.0)
        yield LevelVerdict(
            1, b, PASS, f"connections, weights and delays are equal in all {len(own)} runs", 1.0
        )
        yield LevelVerdict(
            2,
            b,
            FAIL if answer == DIFFERENT else PASS,
            "traces agree to rounding"
            if answer != DIFFERENT
            else "v differs by up to 0.04 mV: forward Euler against an exact step",
            1.0 if answer != DIFFERENT else 0.0,
        )
        score = float(np.mean([c.equal for c in own])) if own else math.nan
        yield LevelVerdict(
            3,
            b,
            PASS if same else FAIL,
            "all spikes are the same" if same else f"spikes part at {min(c.time for c in own):g} ms",
            score,
        )
        word = PASS if same else {EQUIVALENT: PASS, DIFFERENT: FAIL, OPEN: UNDECIDED}[answer]
        good = sum(c.verdict == PASS for c in stat)
        yield LevelVerdict(4, b, NOT_RUN, "no connection of this network learns")
        yield LevelVerdict(
            5,
            b,
            word,
            "follows from identical spikes"
            if same
            else f"{good} of {len(stat)} statistics within their margins",
            1.0 if same else good / max(1, len(stat)),
        )
        yield LevelVerdict(6, b, PASS, "measured, for information")


def evidence(rng, v, by_backend, ran):
    names, sizes, steps = list(v.populations), v.populations, round(v.duration / DT)
    base = trains(rng, sizes, steps)
    results, growth, around, cells, pooled, spectra = {}, {}, {}, {}, {}, {}
    results[v.reference, 1] = result(v, v.reference, base, 1)
    for b in ran:
        checks = {c.seed: c for c in v.spikes if c.backend == b}
        check = checks[1]
        results[b, 1] = result(v, b, base if check.identical else parted(rng, base, check, steps), 1)
        for s, c in checks.items():
            growth[b, s] = curve(rng, v.duration, c.time, c.spikes[0])
            growth["perturbed", s] = curve(rng, v.duration, c.perturbed, c.spikes[0])
        if not check.identical:
            t = np.round(np.arange(check.time - 20, check.time + 20, DT), 9)
            around[b, 1] = Traces(
                check.population, check.neuron, "v", "mV", t, *voltages(rng, t, check.time, by_backend[b])
            )
        for n in names:
            t = np.round(np.arange(0, 500, DT), 9)
            cells[b, n] = Traces(n, 3, "v", "mV", t, *voltages(rng, t, math.inf, by_backend[b]))
    for k, b in enumerate((v.reference, *ran)):
        draw = np.random.default_rng(1 if by_backend.get(b, IDENTICAL) == IDENTICAL else 5 + k)
        shift = 1 + 0.04 * SHIFT[by_backend.get(b, IDENTICAL)]
        for j, n in enumerate(names):
            pooled["rate", n, b] = draw.gamma(3.0, 2.7 * (1 + 0.2 * j) * shift, 1500)
            pooled["cv", n, b] = draw.normal(0.85, 0.12, 1500) * shift
            pooled["correlation", n, b] = draw.normal(0.02, 0.05, 1500)
            pooled["isi", n, b] = draw.lognormal(math.log(80 / shift), 0.9, 3000)
            f = np.linspace(0, 1000, 2001)
            spectra[n, b] = Spectrum(
                f,
                (8 + 60 * np.exp(-(((f - 60 - 5 * j) / 14) ** 2)) + 30 / (1 + f / 20))
                * draw.gamma(30, 1 / 30, f.size),
            )
    return Evidence(results, growth, around, cells, pooled, spectra)


def with_weights(v, e, names=("forward", "E -> I/excitatory")):
    """The same of a network in which two projections learn."""
    rng = np.random.default_rng(4)
    checks, seen = [], {}
    for b, answer in v.answers.items():
        if answer == NO_ANSWER:
            continue
        word = {IDENTICAL: PASS, EQUIVALENT: PASS, DIFFERENT: FAIL, OPEN: UNDECIDED}[answer]
        size = 3e-16 if answer == IDENTICAL else 0.02
        for n in names:
            checks += [weight_check(b, n, s, word, size, answer == IDENTICAL) for s in v.seeds]
            times = np.linspace(0.0, v.duration, 11)
            start, end = np.sort(rng.uniform(0.02, 0.18, 600)), np.sort(rng.beta(0.6, 0.6, 600) * 0.2)
            gaps = {s: np.concatenate([[0.0], size * rng.uniform(0.2, 1, 10)]) for s in v.seeds}
            seen[b, n] = Learnt(n, "nA", v.seeds[0], times, (start, end), (start, end * (1 - size)), gaps)
    words = {c.backend: c.verdict for c in checks}
    levels = tuple(
        replace(x, verdict=words[x.backend], summary="weights of forward")
        if x.level == WEIGHTS and x.backend in words
        else x
        for x in v.levels
    )
    rules = tuple(
        LearningRule(
            n, "STDP", {"tau_plus": "20 ms", "a_plus": "0.01"}, "Uniform(20 pA, 180 pA)", 0.5, "a paper"
        )
        for n in names
    )
    return replace(v, levels=levels, rules=rules, weights=tuple(checks)), replace(e, weights=seen)


def weight_check(backend, name, seed, word, size, identical):
    return WeightCheck(
        backend, seed, name, "STDP", 600, 11, "nA", 0.2, "the range of the rule's bounds", identical,
        0.2 * size, size, size if word != UNDECIDED else math.nan, size, 400.0, 3, 17,
        (0.11, 0.11 + 0.2 * size),
        (0.1, 0.1), (0.05, 0.05), 0.1, 0.01, 1e-12, "rounding of sums of changes", word,
    )  # fmt: skip


def trains(rng, sizes, steps):
    """Irregular spikes with a slow common rhythm: {population: (ids, steps)}."""
    rate = 8.0 * DT / 1000 * (1 + 0.9 * np.sin(2 * np.pi * np.arange(1, steps + 1) * DT / 70))
    out = {}
    for n, size in sizes.items():
        per_step = rng.poisson(rate * size)
        out[n] = (rng.integers(0, size, per_step.sum()), np.repeat(np.arange(1, steps + 1), per_step))
    return out


def parted(rng, base, check, steps):
    """The same up to the divergence; after it more and more spikes are some steps away."""
    out, first = {}, round(check.time / DT)
    for n, (ids, at) in base.items():
        chance = np.clip((at - first) / (0.1 * steps), 0, 0.95)
        moved = rng.random(at.size) < chance
        out[n] = (ids, np.clip(at + moved * rng.integers(1, 300, at.size), 1, steps))
    ids, at = out[check.population]
    out[check.population] = (np.append(ids, check.neuron), np.append(at, first))
    return out


def result(v, backend, spikes, seed):
    tables = {n: sorted_spikes(ids, at, DT, np.arange(v.populations[n])) for n, (ids, at) in spikes.items()}
    return Results(v.network, backend, DT, round(v.duration / DT), v.populations, tables, {}, {"seed": seed})


def curve(rng, duration, start, spikes):
    t = np.arange(10.0, duration + 1e-9, 10.0)
    if not math.isfinite(start):
        return Growth(t, np.zeros(t.size))
    grown = np.where(
        t < start,
        0.0,
        np.minimum(0.65 * spikes * t / duration, np.exp((t - start) / 12.0) * rng.uniform(1, 3)),
    )
    return Growth(t, np.round(np.maximum.accumulate(grown)))


def voltages(rng, t, time, answer):
    """A noisy approach to threshold with resets; the other side leaves by rounding, then at `time` by a
    spike.
    """
    drive = -62 + 9 * np.sin(t / 9.0) + 1.5 * np.sin(t / 1.7)
    reference = np.where(drive > -55.5, -65.0, drive)
    noise = 0.02 if answer == DIFFERENT else 1e-13
    gap = (
        0.0
        if answer == IDENTICAL
        else noise * np.sin(t / 6.0 + rng.uniform(0, 6)) * (1 + rng.normal(0, 0.1, t.size))
    )
    after = t >= time
    return reference, reference + gap + np.where(
        after, -6 * np.exp(-(t - np.where(after, time, t)) / 8.0), 0.0
    )
