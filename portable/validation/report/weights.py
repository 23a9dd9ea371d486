"""What a report says and shows of weights that are learnt: level 4, and the rules at level 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from portable.validation.evidence import Evidence, Learnt
from portable.validation.report import figures_weights
from portable.validation.report.view import NOTHING, Cell, Picture, Table, counted, listed, number, share
from portable.validation.verdicts import FAIL, PASS, Validation, WeightCheck


def sentence(v: Validation, backend: str) -> str:
    """What connections have learnt, and where it differs most."""
    checks = [c for c in v.weights if c.backend == backend]
    if not checks:
        return ""
    worst = max(checks, key=lambda c: c.relative)
    many = counted(sum(c.connections for c in checks if c.seed == checks[0].seed), "connection")
    where = (
        f"{number(worst.difference)} {worst.unit}, {number(worst.relative)} of {worst.scale_from}, "
        f"in {worst.projection} (connection {worst.source} to {worst.target}, {number(worst.time, 6)} ms, "
        f"seed {worst.seed})"
    )
    wrong = list(dict.fromkeys(c.projection for c in checks if c.verdict == FAIL))
    if wrong:
        when = "though the spikes are the same" if worst.identical else "before the spikes do"
        return (
            f"Weights of {listed(wrong)} part from those of {v.reference} {when}: the rule is not carried "
            f"out alike. The largest difference is {where}."
        )
    if all(c.verdict == PASS for c in checks):
        same = "to the last bit" if worst.difference == 0 else f"but for rounding: at most {where}"
        return f"The weights of {many} are the same on {backend} and {v.reference}, {same}."
    early = any(c.before <= c.margin for c in checks)
    known = " They are the same up to the first spike that differs." if early else ""
    return f"Weights of {many} part with the spikes; the largest difference is {where}.{known}"


def rules(v: Validation) -> Table:
    """Level 1: how connections learn."""
    rows = tuple(
        (
            Cell(r.projection),
            Cell(r.rule),
            Cell(", ".join(f"{n} {x}" for n, x in r.parameters.items()) or NOTHING),
            Cell(r.weight),
            Cell(share(r.dendritic), _known(r.dendritic)),
            Cell(r.source or NOTHING),
        )
        for r in v.rules
    )
    return Table(
        "How connections learn: part of the resolved program, whose hash is compared; weights are read "
        "back as they start",
        ("projection", "rule", "parameters", "weight at the start", "dendritic part of delays", "source"),
        rows,
    )


def table(checks: Sequence[WeightCheck], reference: str) -> Table:
    """Level 4."""
    columns = (
        "projection",
        "backend",
        "seed",
        "verdict",
        "connections",
        "times",
        "largest difference",
        "share of the range",
        "at (ms)",
        "connection",
        "before spikes part",
        "at the end",
        f"mean at the end ({reference} / this)",
        "SD at the end",
        "KS at the end",
    )
    rows = tuple(
        (
            Cell(c.projection),
            Cell(c.backend),
            Cell(str(c.seed), c.seed),
            Cell(c.verdict, verdict=c.verdict),
            _number(c.connections),
            _number(c.samples),
            Cell(f"{number(c.difference)} {c.unit}", _known(c.difference)),
            _number(c.relative),
            _number(c.time, 6),
            Cell(f"{c.source} → {c.target}"),
            _number(c.before),
            _number(c.at_end),
            Cell(" / ".join(number(x, 4) for x in c.means), _known(c.means[1])),
            Cell(" / ".join(number(x, 4) for x in c.spreads), _known(c.spreads[1])),
            _number(c.ks),
        )
        for c in checks
    )
    return Table(f"Weights of connections that learn, against {reference}{_margin(checks)}", columns, rows)


def _margin(checks: Sequence[WeightCheck]) -> str:
    told = dict.fromkeys(f"{c.margin:g} ({c.margin_from})" for c in checks if math.isfinite(c.margin))
    scales = dict.fromkeys(c.scale_from for c in checks)
    return (
        f"; shares are of {listed(scales)}; margin: {listed(told)}"
        if told
        else f"; shares are of {listed(scales)}"
    )


def pictures(v: Validation, e: Evidence) -> list[Picture]:
    """Level 4: for each backend and projection the weights at both ends, and the difference over time."""
    found = []
    for n, ((backend, projection), seen) in enumerate(e.weights.items()):
        if backend not in v.backends:
            continue
        index = v.backends.index(backend)
        checks = [c for c in v.weights if (c.backend, c.projection) == (backend, projection)]
        margin = next((c.margin for c in checks), math.nan)
        parted = min(
            (c.time for c in v.spikes if c.backend == backend and math.isfinite(c.time)), default=math.nan
        )
        names_ = (v.reference, backend)
        curve = figures_weights.gaps(f"weights-{n}-b", seen, index, margin, parted)
        panels = [figures_weights.ends(f"weights-{n}-a", seen, names_, index), *([curve] if curve else [])]
        found.append(
            Picture(
                f"weights-{n}",
                _weights_caption(v, backend, seen, bool(curve), parted),
                tuple(panels),
                legend=((v.reference, 0), (backend, index)),
            )
        )
    return found


def _weights_caption(v: Validation, backend: str, seen: Learnt, curve: bool, parted: float) -> str:
    when = "at the start and at the end" if seen.times.size > 1 else "at the end"
    text = (
        f"{'Left: weights' if curve else 'Weights'} of {seen.projection} {when}, seed {seen.seed}; "
        f"{v.reference} filled, {backend} as a line."
    )
    if curve:
        text += (
            " Right: the largest difference of any connection at each time, one line for each of "
            f"{counted(len(seen.gaps), 'seed')}; where there is no point there is no difference."
        )
        text += (
            f" Dotted: the first spike that differs, at {number(parted, 6)} ms."
            if math.isfinite(parted)
            else ""
        )
    return text


def _number(x: float, digits: int = 3) -> Cell:
    return Cell(number(x, digits), _known(x))


def _known(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
