"""The sections of a report, level by level: which tables and pictures there are for these records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from portable.validation.evidence import Evidence
from portable.validation.report import gallery, names, power, tables, weights, words
from portable.validation.report.view import (
    Block,
    Cell,
    Fold,
    Line,
    Section,
    Table,
    Text,
    counted,
    number,
    share,
)
from portable.validation.verdicts import (
    CELLS,
    COMPARABLE,
    COST,
    FAIL,
    LEVELS,
    NETWORK,
    NOT_RUN,
    SPIKES,
    STATISTICS,
    UNDECIDED,
    WEIGHTS,
    Validation,
)

SHOWN = 4  # pictures of cells that did not pass and are not folded
QUESTIONS = {
    COMPARABLE: "Do all run with the same time step, class of integrator and inputs, and does the network "
    "stay alive on each? If not, nothing below means anything.",
    NETWORK: "Does each simulator hold the same connections, weights and delays?",
    CELLS: "Does each cell type alone, with the same frozen input, do the same?",
    SPIKES: "Does the whole network, with the same frozen input, give the same spikes in the same steps?",
    WEIGHTS: "Have connections that learn learnt the same? Weights are a function of spikes and rule: with "
    "the same spikes, and up to the first that differs, they are equal but for rounding.",
    STATISTICS: "If single spikes differ: are rates, irregularity and correlations the same, within stated "
    "margins?",
    COST: "What does each take? Speed and memory are shown for information; being slower is no failure of "
    "agreement.",
}


def sections(v: Validation, e: Evidence) -> tuple[Section, ...]:
    """All of them, in the order of the report."""
    made = {
        COMPARABLE: _comparable,
        NETWORK: _network,
        CELLS: _cells,
        SPIKES: _spikes,
        WEIGHTS: _weights,
        STATISTICS: _statistics,
        COST: _cost,
    }
    levels = [
        Section(
            f"level-{k}",
            f"Level {k}: {LEVELS[k]}",
            QUESTIONS[k],
            _lines(v, k),
            tuple(make(v, e)) or _nothing(v, k),
        )
        for k, make in made.items()
    ]
    levels.insert(
        STATISTICS + 1, Section("power", "What this design would have seen", "", (), tuple(_power(v)))
    )
    return (*levels, _approximations(v), _failed(v), _provenance(v))


def _lines(v: Validation, level: int) -> tuple[Line, ...]:
    """The verdict of one level for each backend; the anchor that a cell of the matrix leads to."""
    found = []
    for i, backend in enumerate(v.backends):
        verdict = v.level(level, backend)
        if verdict is not None:
            score = share(verdict.score)
            found.append(Line(anchor(level, i), backend, i, verdict.verdict, verdict.summary, score))
        elif i:
            found.append(Line(anchor(level, i), backend, i, NOT_RUN, "This level was not tried.", "–"))
    return tuple(found)


def anchor(level: int, backend: int) -> str:
    """The id of a level's verdict on the backend of that index; made of numbers, as names of backends can be
    anything.
    """
    return f"level-{level}-{backend}"


def _nothing(v: Validation, level: int) -> tuple[Block, ...]:
    return () if any(x.level == level for x in v.levels) else (Text("There are no records of this level."),)


def _comparable(v: Validation, _: Evidence) -> list[Block]:
    alive = tables.alive(v)
    return [*([tables.settings(v)] if v.backends else []), *([alive] if alive else [])]


def _network(v: Validation, _: Evidence) -> list[Block]:
    if not v.networks:
        return []
    rows = []
    for b in dict.fromkeys(c.backend for c in v.networks):
        own = [c for c in v.networks if c.backend == b]
        rows.append(tables.network_row(b, own))
    return [
        Table("Networks, over all runs", tables.NETWORK_COLUMNS, tuple(rows)),
        Fold(f"All {counted(len(v.networks), 'run')}", (tables.networks(v.networks),)),
        *([weights.rules(v)] if v.rules else []),
    ]


def _cells(v: Validation, e: Evidence) -> list[Block]:
    """Pictures of what did not pass are shown, a few of them; if all passed, the one with the largest
    difference.
    """
    table = _foldable(tables.cells(v.cells), "cells") if v.cells else []
    pictures = gallery.cells(v, e)
    first = [p for bad, p in pictures if bad][:SHOWN] or [p for _, p in pictures[:1]]
    rest = tuple(p for _, p in pictures if p not in first)
    return [*table, *first, *([Fold(f"{counted(len(rest), 'more figure')} of cells", rest)] if rest else [])]


def _spikes(v: Validation, e: Evidence) -> list[Block]:
    if not v.spikes and not e.results:
        return []
    told: list[Block] = [
        Text(f"{b}: {words.parting(v, b)}")
        for b in v.backends[1:]
        if any(c.backend == b and not c.identical for c in v.spikes)
    ]
    table = _foldable(tables.spikes(v.spikes, v.reference), "comparisons") if v.spikes else []
    return [*told, *gallery.spikes(v, e), *table]


def _foldable(table: Table, what: str, most: int = 12) -> list[Block]:
    """A table as it is, or shown on demand if it is long."""
    return [table] if len(table.rows) <= most else [Fold(f"All {len(table.rows)} {what}", (table,))]


def _weights(v: Validation, e: Evidence) -> list[Block]:
    """Where spikes are not the same, the statistics of weights at the end too."""
    told: list[Block] = [Text(f"{b}: {said}") for b in v.backends[1:] if (said := weights.sentence(v, b))]
    table = _foldable(weights.table(v.weights, v.reference), "comparisons of weights") if v.weights else []
    at_end: list[Block] = []
    for b in v.backends[1:]:
        own = [c for c in v.weights if c.backend == b]
        tests = [c for c in v.paired_weights if c.backend == b]
        if tests and not all(c.identical for c in own):
            at_end.append(Fold(f"{b}: weights at the end, paired over seeds", (tables.paired(tests, b),)))
    if v.ensemble_weights and not all(c.identical for c in v.weights):
        distances = tables.ensembles(v.ensemble_weights)
        at_end.append(Fold(f"{counted(len(distances.rows), 'distance')} of weights at the end", (distances,)))
    pictures = weights.pictures(v, e)
    rest = tuple(pictures[SHOWN:])
    more = [Fold(f"{counted(len(rest), 'more figure')} of weights", rest)] if rest else []
    return [*told, *pictures[:SHOWN], *more, *table, *at_end]


def _statistics(v: Validation, e: Evidence) -> list[Block]:
    blocks: list[Block] = []
    for b, picture in gallery.paired(v).items():
        own = [c for c in v.paired if c.backend == b]
        bad = [c for c in own if c.verdict in (FAIL, UNDECIDED)]
        equal = not any(d for c in own for d in c.differences)
        title = f"{b}: all {counted(len(own), 'check')} paired over seeds" + (
            f", {len(bad)} not passed" if bad else ", every difference is 0" if equal else ""
        )
        blocks += [] if equal else [picture]
        blocks.append(
            Fold(
                title,
                ((picture,) if equal else ()) + (tables.paired(own, b),),
                shown=len(own) <= 8 and not equal,
            )
        )
    if v.ensembles:
        blocks += _foldable(tables.ensembles(v.ensembles), "distances of distributions")
    terms = names.glossary(
        [c.statistic for c in v.paired]
        + [c.statistic for c in v.ensembles]
        + [s for s, _, _ in e.distributions]
    )
    return [
        *blocks,
        *gallery.distributions(v, e),
        *gallery.spectra(v, e),
        *([Fold(terms.caption, (terms,))] if terms.rows else []),
    ]


def _power(v: Validation) -> list[Block]:
    blocks: list[Block] = [Text(power.caught_sentence(v)), Text(power.power_sentence(v))]
    return [
        *blocks,
        *([tables.deviations(v)] if v.deviations else []),
        *([tables.power(v)] if v.power else []),
    ]


def _cost(v: Validation, _: Evidence) -> list[Block]:
    return [*gallery.costs(v), tables.costs(v)] if v.costs else []


def _approximations(v: Validation) -> Section:
    table = tables.approximations(v)
    none = "No backend reported an approximation." if v.runs else "There are no records of runs."
    blocks: tuple[Block, ...] = (
        (Text(none),) if not table.rows else tuple(_foldable(table, "approximations", 15))
    )
    return Section(
        "approximations",
        "Approximations",
        "What each backend changed on the way. Nothing is changed silently.",
        (),
        blocks,
    )


def _failed(v: Validation) -> Section:
    table = tables.failed(v)
    known = f"All {counted(len(v.runs), 'run')} ended well." if v.runs else "There are no records of runs."
    blocks: tuple[Block, ...] = (
        (Text(known),) if not table.rows else tuple(_foldable(table, "runs that failed", 15))
    )
    return Section("failed", "Runs that failed", "", (), blocks)


def _provenance(v: Validation) -> Section:
    """Versions, hashes, seeds, command: all of `provenance`, and what the records themselves say."""
    facts = {
        "model": v.network,
        "model hash": v.model_hash,
        "dt": f"{number(v.dt, 6)} ms",
        "duration": f"{number(v.duration, 6)} ms",
        "reference": v.backends[0] if v.backends else "none",
        "seeds": ", ".join(str(s) for s in v.seeds),
        **_flat(v.provenance),
    }
    rows = tuple(
        (Cell(k), Cell(x, code=k in ("model hash", "command") or "hash" in k)) for k, x in facts.items() if x
    )
    notes: tuple[Block, ...] = tuple(Text(n) for n in v.notes)
    return Section(
        "provenance",
        "Provenance",
        "What is needed to make this report again.",
        (),
        (*notes, Table("Where this comes from", ("fact", "value"), rows)),
    )


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts with joined names: {"versions": {"nest": "3.10"}} -> {"versions, nest": "3.10"}."""
    out: dict[str, str] = {}
    for key, value in data.items():
        name = f"{prefix}, {key}" if prefix else str(key)
        if isinstance(value, Mapping):
            out.update(_flat(value, name))
        else:
            out[name] = (
                value
                if isinstance(value, str)
                else ", ".join(map(str, value))
                if isinstance(value, list | tuple)
                else json.dumps(value, default=str)
            )
    return out
