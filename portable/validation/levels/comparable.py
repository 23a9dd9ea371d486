"""Level 0: whether two backends can be compared at all. If not, nothing that follows is a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portable.results.tables import Results
from portable.validation.compare import inputs_of
from portable.validation.levels.ran import MAIN, Ran, integrator_class, lives, of
from portable.validation.verdicts import COMPARABLE, NOT_COMPARABLE, NOT_RUN, PASS, UNDECIDED, LevelVerdict


def comparable(runs: Sequence[Ran], reference: str, backend: str, mode: str = "paired") -> LevelVerdict:
    """Same dt and duration, same class of integrator, same input, and a network that is alive on both sides
    for at least one seed.

    UNDECIDED where some of the runs failed: what the others say is not the answer for all seeds that were
    asked for. mode "ensemble": each side was asked to draw its own input, so whose it is makes no difference.
    """
    mine, theirs = of(runs, backend), of(runs, reference)
    if not mine or not theirs:
        who = backend if not mine else reference
        why = next(
            (
                f"{r.outcome.status}: {_first_line(r.outcome.message)}"
                for r in runs
                if r.job.backend == who and not r.ok
            ),
            "no run",
        )
        return LevelVerdict(COMPARABLE, backend, NOT_RUN, f"{who} could not run ({why})", 0.0)
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        return LevelVerdict(COMPARABLE, backend, NOT_RUN, "there is no seed that ran on both sides", 0.0)
    checks = {
        "same dt and duration": _grid(theirs[shared[0]].results, mine[shared[0]].results),
        "same integrators": _methods(theirs[shared[0]].results, mine[shared[0]].results),
        "same input": _inputs(theirs[shared[0]].results, mine[shared[0]].results) if mode == "paired" else "",
        "alive": _alive(theirs, mine, shared),
    }
    wrong = [why for why in checks.values() if why]
    score = 1.0 - len(wrong) / len(checks)
    if wrong:
        return LevelVerdict(COMPARABLE, backend, NOT_COMPARABLE, "; ".join(wrong), score)
    notes = []
    short = [r for r in runs if r.role == MAIN and not r.ok and r.job.backend in (reference, backend)]
    if short:
        whose = dict.fromkeys(r.job.backend for r in short)
        notes.append(
            f"{len(short)} run{'s' * (len(short) != 1)} of {' and '.join(whose)} failed "
            f"({short[0].outcome.status}); the same command runs them again"
        )
    dead = [s for s in shared if not (lives(theirs[s].results) and lives(mine[s].results))]
    if dead:
        notes.append(
            f"silent at the end for seeds {', '.join(map(str, dead))}, which are left out of the statistics"
        )
    told = "; ".join(["same dt, integrators and input, alive on both sides", *notes])
    return LevelVerdict(COMPARABLE, backend, UNDECIDED if short else PASS, told, score)


def alive_seeds(runs: Sequence[Ran], reference: str, backend: str) -> list[int]:
    """Seeds for which both sides ran and were alive at the end."""
    mine, theirs = of(runs, backend), of(runs, reference)
    return [
        s for s in sorted(mine.keys() & theirs.keys()) if lives(theirs[s].results) and lives(mine[s].results)
    ]


def _grid(a: Results, b: Results) -> str:
    if (a.dt, a.steps) == (b.dt, b.steps):
        return ""
    return (
        f"{a.backend} ran {a.duration:g} ms in steps of {a.dt:g} ms, {b.backend} {b.duration:g} ms in "
        f"steps of {b.dt:g} ms"
    )


def _methods(a: Results, b: Results) -> str:
    left, right = (r.provenance.get("integrators", {}) for r in (a, b))
    other = {
        n: (integrator_class(left[n]), integrator_class(right[n]))
        for n in left
        if n in right and integrator_class(left[n]) != integrator_class(right[n])
    }
    if not other:
        return ""
    pairs: dict[tuple[str, str], list[str]] = {}
    for name, pair in other.items():
        pairs.setdefault(pair, []).append(name)
    told = "; ".join(
        f"{', '.join(names)}: {one} on {a.backend}, {two} on {b.backend}"
        for (one, two), names in pairs.items()
    )
    return f"different integrators ({told}); choose one that both have with --integrator"


def _inputs(a: Results, b: Results) -> str:
    left, right = inputs_of(a), inputs_of(b)
    return (
        ""
        if left == right or "none" in (left, right)
        else f"{a.backend} has {left} input, {b.backend} {right} input"
    )


def _alive(a: Mapping[int, Ran], b: Mapping[int, Ran], seeds: Sequence[int]) -> str:
    for side in (a, b):
        if not any(len(t) for s in seeds for t in side[s].results.spikes.values()):
            return f"there is not one spike on {side[seeds[0]].job.backend}"
    if any(lives(a[s].results) and lives(b[s].results) for s in seeds):
        return ""
    same = all(_equal(a[s].results, b[s].results) for s in seeds)
    return "" if same else "the network falls silent before the end on one side or the other for every seed"


def _equal(a: Results, b: Results) -> bool:
    return all(
        len(t) == len(b.spikes[n])
        and bool((t.steps == b.spikes[n].steps).all() and (t.ids == b.spikes[n].ids).all())
        for n, t in a.spikes.items()
    )


def _first_line(text: str) -> str:
    lines = [x.strip(" -") for x in text.splitlines() if x.strip()]
    return lines[1] if len(lines) > 1 and lines[0].endswith(":") else (lines or ["no message"])[0]
