"""The answer in plain words, made from the records: what was asked, what each backend answered, what it
means, and whether a difference matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from portable.validation.report.names import label
from portable.validation.report.view import (
    NOTHING,
    SIGNS,
    TONES,
    counted,
    listed,
    number,
    share,
    short,
    signed,
)
from portable.validation.report.weights import sentence
from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    LEVELS,
    NO_ANSWER,
    NOT_COMPARABLE,
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
    Run,
    SpikeCheck,
    Validation,
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One backend's answer: the word, what was found, what it means for the reader, and whether the
    difference matters ("" if there is none).
    """

    backend: str
    index: int
    word: str
    found: str
    means: str
    matters: str = ""

    @property
    def sign(self) -> str:
        return SIGNS.get(self.word, "")

    @property
    def tone(self) -> str:
        return TONES.get(self.word, "none")


def question(v: Validation) -> str:
    """What was asked."""
    others = listed(v.backends[1:]) or "no other backend"
    cells = sum(v.populations.values())
    what = (
        f"{counted(cells, 'cell')} in {counted(len(v.populations), 'population')}, "
        f"{counted(v.synapses, 'synapse')}"
    )
    how = f"{number(v.duration)} ms in steps of {number(v.dt, 6)} ms, {counted(len(v.seeds), 'seed')}"
    verb = "Does" if len(v.backends) == 2 else "Do"
    return f"{verb} {others} give what {v.reference} gives for “{v.network}” ({what}; {how})?"


def headline(v: Validation) -> str:
    """The answer in one line."""
    groups = {
        word: [b for b in v.backends[1:] if v.answers.get(b, NO_ANSWER) == word]
        for word in (IDENTICAL, EQUIVALENT, OPEN, DIFFERENT, NO_ANSWER)
    }
    say = {
        IDENTICAL: ("gives the same spikes as", "give the same spikes as"),
        EQUIVALENT: ("is statistically equivalent to", "are statistically equivalent to"),
        OPEN: ("is not decided against", "are not decided against"),
        DIFFERENT: ("differs from", "differ from"),
        NO_ANSWER: ("could not be compared with", "could not be compared with"),
    }
    parts = [
        f"{listed(names)} {say[word][len(names) > 1]} {v.reference}"
        for word, names in groups.items()
        if names
    ]
    return "; ".join(parts) + "." if parts else "No backend was compared."


def answers(v: Validation) -> tuple[Answer, ...]:
    """One Answer for each backend but the reference."""
    return tuple(_answer(v, b, i) for i, b in enumerate(v.backends) if i)


def _answer(v: Validation, backend: str, index: int) -> Answer:
    word = v.answers.get(backend, NO_ANSWER)
    made = {
        IDENTICAL: _identical,
        EQUIVALENT: _equivalent,
        DIFFERENT: _different,
        OPEN: _open,
        NO_ANSWER: _none,
    }[word]
    found, means, matter = made(v, backend)
    failed = failures(v, backend)
    if failed and word != NO_ANSWER:
        found += (
            f" {len(failed)} of {counted(len(_runs(v, backend)), 'run')} did not end well and "
            f"{'is' if len(failed) == 1 else 'are'} left out."
        )
    return Answer(backend, index, word, found, means, matter)


def _identical(v: Validation, backend: str) -> tuple[str, str, str]:
    checks = [c for c in v.spikes if c.backend == backend]
    spikes = sum(c.spikes[0] for c in checks)
    found = (
        f"All {counted(spikes, 'spike')} of {counted(len(checks), 'seed')} fall in the same step on "
        f"{backend} and on {v.reference}."
        if checks
        else _summary(v, SPIKES, backend)
    )
    learnt = sentence(v, backend)
    return (
        f"{found} {learnt}".strip(),
        f"For this model, what was computed on one holds on the other, spike for spike: {backend} and "
        f"{v.reference} can be exchanged.",
        "",
    )


def _equivalent(v: Validation, backend: str) -> tuple[str, str, str]:
    n = _statistics(v, backend)
    found = f"{parting(v, backend)} {_agreeing(n)}".strip() or _summary(v, STATISTICS, backend)
    means = (
        "Single spike times are not the same, so do not compare trial by trial. What rests on the "
        "statistics below holds within their margins."
    )
    return found, means, ""


def _different(v: Validation, backend: str) -> tuple[str, str, str]:
    failed = [v_ for v_ in v.levels if v_.backend == backend and v_.verdict == FAIL]
    said = (parting(v, backend), sentence(v, backend), _agreeing(_statistics(v, backend)))
    found = " ".join(x for x in said if x) or " ".join(_sentence(x.summary) for x in failed)
    levels = listed(f"{LEVELS[x.level]} (level {x.level})" for x in failed)
    means = f"Results of {backend} must not stand in for those of {v.reference} in this model." + (
        f" Not passed: {levels}." if levels else ""
    )
    return found, means, matters(v, backend)


def _open(v: Validation, backend: str) -> tuple[str, str, str]:
    open_ = [x for x in v.levels if x.backend == backend and x.verdict == UNDECIDED]
    if any(r.role == "main" for r in (*failures(v, backend), *failures(v, v.reference))):
        return (
            " ".join(_sentence(x.summary) for x in open_[:1]),
            "Some of the runs that were asked for failed. What the others gave is shown below; it is not "
            "the answer for all of them.",
            "",
        )
    found = f"{parting(v, backend)} {_agreeing(_statistics(v, backend))}".strip() or " ".join(
        _sentence(x.summary) for x in open_
    )
    more = (
        f"With {counted(len(v.seeds), 'seed')} of {number(v.duration)} ms the intervals are too wide to "
        "call it equivalent or different"
    )
    return found, f"{more}: more seeds or longer runs would decide. Until then, take it as not shown.", ""


def _none(v: Validation, backend: str) -> tuple[str, str, str]:
    failed = failures(v, backend)
    if failed:
        first = failed[0]
        found = (
            f"{len(failed)} of {counted(len(_runs(v, backend)), 'run')} did not end well; seed "
            f"{first.seed}: {first.status}{f', {first.message}' if first.message else ''}."
        )
    else:
        first_level = min(
            (x for x in v.levels if x.backend == backend and x.verdict in (NOT_COMPARABLE, NOT_RUN, FAIL)),
            key=lambda x: x.level,
            default=None,
        )
        found = (
            f"Level {first_level.level}, {first_level.name}: {_sentence(first_level.summary)}"
            if first_level
            else "There is no result of it."
        )
    if any(c.backend == backend for c in v.spikes):
        return (
            found,
            "This is not a pass. What was measured all the same is shown below, but it speaks neither for "
            f"nor against {backend} until that is mended.",
            "",
        )
    return found, f"Nothing is known about whether {backend} agrees. This is not a pass.", ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def matters(v: Validation, backend: str) -> str:
    """Whether a difference matters: what of the statistics is outside its margin, and by how much."""
    level = v.level(STATISTICS, backend)
    n = _statistics(v, backend)
    if level is None or level.verdict in (NOT_RUN, NOT_COMPARABLE) or not n.total:
        return (
            "Whether it matters for rates and other statistics was not tested: there is no result at level 5."
        )
    if n.failed:
        worst = max(n.paired, key=lambda c: abs(c.effect) if math.isfinite(c.effect) else 0.0, default=None)
        told = f"It matters where a conclusion rests on {_names(n)}"
        if worst is None:
            return f"{told}: the distance to the reference's seeds is beyond their own spread."
        size = (
            f"{signed(worst.difference)}{with_unit(worst.unit)} against "
            f"{number(worst.reference)}{with_unit(worst.unit)}, {number(abs(worst.effect), 2)} times the "
            f"spread of {v.reference}'s seeds"
        )
        return f"{told}. Largest effect: {label(worst.statistic)} of {worst.population}, {size}."
    if n.open:
        return (
            f"Nothing is shown to be outside its margin, but {counted(n.open, 'statistic')} of {n.total} "
            "could not be decided."
        )
    learnt = v.level(WEIGHTS, backend)
    what = "weights or single spikes" if learnt and learnt.verdict == FAIL else "single spikes or their order"
    return (
        f"It does not show in the statistics: all {n.total} are within their margins. It matters where "
        f"{what} do."
    )


@dataclass(frozen=True)
class Tally:
    """Checks of level 5 of one backend by verdict; `paired` and `ensembles` are those that failed."""

    total: int
    passed: int
    failed: int
    open: int
    paired: tuple[PairedCheck, ...]
    ensembles: tuple[EnsembleCheck, ...]


def _statistics(v: Validation, backend: str) -> Tally:
    pairs, groups = (
        [c for c in v.paired if c.backend == backend],
        [c for c in v.ensembles if c.backend == backend],
    )
    words = [c.verdict for c in pairs] + [c.verdict for c in groups]
    bad, far = tuple(c for c in pairs if c.verdict == FAIL), tuple(c for c in groups if c.verdict == FAIL)
    return Tally(
        len(words),
        words.count(PASS),
        words.count(FAIL),
        len(words) - words.count(PASS) - words.count(FAIL),
        bad,
        far,
    )


def _names(n: Tally) -> str:
    """ "rate of E and CV of E and I"; where there are many populations they are counted."""
    found: dict[str, dict[str, None]] = {}
    for statistic, population in [(c.statistic, c.population) for c in n.paired] + [
        (c.statistic, c.population) for c in n.ensembles
    ]:
        found.setdefault(label(statistic), {})[population] = None
    return listed(
        f"{s} of {listed(names) if len(names) <= 3 else counted(len(names), 'population')}"
        for s, names in found.items()
    )


def _agreeing(n: Tally) -> str:
    if not n.total:
        return ""
    if n.passed == n.total:
        return f"All {counted(n.total, 'check')} of statistics are within their margins."
    parts = [f"{n.passed} of {counted(n.total, 'check')} of statistics are within their margins"]
    parts += [f"{n.failed} {'is' if n.failed == 1 else 'are'} outside"] if n.failed else []
    parts += [f"{n.open} could not be decided"] if n.open else []
    return ", ".join(parts) + "."


def parting(v: Validation, backend: str) -> str:
    """Where the spikes first part, and whether rounding alone would do as much."""
    checks = [c for c in v.spikes if c.backend == backend]
    parted = [c for c in checks if not c.identical]
    if not parted:
        return f"Spikes are identical in {counted(len(checks), 'seed')}." if checks else ""
    first = min(parted, key=lambda c: c.time if math.isfinite(c.time) else math.inf)
    where = (
        f"Spikes part in {len(parted)} of {counted(len(checks), 'seed')}, first at "
        f"{number(first.time, 5)} ms (seed {first.seed}, cell {first.neuron} of {first.population})"
    )
    worst = min(c.equal for c in parted)
    return (
        f"{where}; {_worst(worst, len(parted))} of the spikes are equal. {chaos(parted, v.reference)}".strip()
    )


def _worst(equal: float, seeds: int) -> str:
    return f"in the worst seed {share(equal)}" if seeds > 1 else share(equal)


def chaos(parted: list[SpikeCheck], reference: str) -> str:
    """How the divergence compares with that of the reference from itself after a change of 1e-12."""
    known = [c for c in parted if not math.isnan(c.perturbed) and math.isfinite(c.time)]
    tried = [c for c in known if math.isfinite(c.perturbed)]
    if known and not tried:
        return (
            f"{reference} does not part from itself in this run after a change of 1e-12 "
            f"({counted(len(known), 'seed')}), so rounding alone does not explain it."
        )
    if not tried:
        return ""
    later = [c for c in tried if c.time >= 0.5 * c.perturbed]
    own, other = (
        sorted(c.perturbed for c in tried)[len(tried) // 2],
        sorted(c.time for c in tried)[len(tried) // 2],
    )
    both = (
        f"{reference} parts from itself at {number(own, 4)} ms after a change of 1e-12 (median of "
        f"{counted(len(tried), 'seed')}; this backend: {number(other, 4)} ms)"
    )
    if len(later) == len(tried):
        return f"The model is chaotic: {both}, so rounding is enough to explain it."
    return (
        f"{both}; this backend parts earlier than half that time in {len(tried) - len(later)} of "
        f"{len(tried)}, so rounding alone does not explain it."
    )


def failures(v: Validation, backend: str = "") -> list[Run]:
    """Runs that did not end well."""
    return [r for r in v.runs if r.status != "ok" and backend in ("", r.backend)]


def _runs(v: Validation, backend: str) -> list[Run]:
    return [r for r in v.runs if r.backend == backend]


def matrix_cell(level: LevelVerdict | None) -> str:
    """The word of a cell of the matrix with its score."""
    if level is None:
        return "not tried"
    score = share(level.score)
    return (
        f"{level.verdict}, {score}"
        if score != NOTHING and level.verdict in (PASS, FAIL, UNDECIDED)
        else level.verdict
    )


def title(v: Validation) -> str:
    return f"{short(v.network, 60)}: {v.verdict}"


def _summary(v: Validation, level: int, backend: str) -> str:
    found = v.level(level, backend)
    return _sentence(found.summary) if found else ""


def with_unit(unit: str) -> str:
    return "" if unit in ("", "1") else f" {unit}"
