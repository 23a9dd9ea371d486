"""`portable compare`: the same network on several backends, spike by spike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portable.cli import text
from portable.cli.model import Model
from portable.cli.run import options_by_backend
from portable.errors import ModelError
from portable.validation.compare import DIFFERENT, IDENTICAL, NOT_COMPARABLE, Comparison, Side
from portable.validation.compare import compare as compare_backends

_COLOURS = {IDENTICAL: "green", DIFFERENT: "red", NOT_COMPARABLE: "yellow"}


def compare(
    model: Model,
    options: Mapping[str, Any],
    *,
    backends: str,
    seed: Sequence[str],
    option: Sequence[str],
    as_json: bool,
    **how: Any,
) -> int:
    """Compare and tell. Returns 0 identical, 1 different, 2 a backend could not run."""
    names = [b for b in backends.replace(" ", "").split(",") if b]
    seeds = _whole_numbers(seed)
    network = model.build(options, {**how, "seed": seeds[0], "backend": names[0] if names else ""})
    tell = None if as_json or not text.on_terminal() else text.warn
    found = compare_backends(
        network,
        names,
        how["duration"],
        how["dt"],
        seeds,
        threads=how["threads"],
        integrator=how["integrator"],
        options=options_by_backend(option),
        single_cells=how["single_cells"],
        tell=tell,
    )
    if as_json:
        text.as_json(found.to_dict())
    else:
        report(found)
    return found.exit_code


def _whole_numbers(given: Sequence[str]) -> list[int]:
    try:
        seeds = [int(s) for item in given for s in str(item).split(",") if s.strip()]
    except ValueError:
        raise ModelError(
            "--seed", f"must be whole numbers, got {', '.join(map(str, given))}", "for example --seed 1,2,3"
        ) from None
    if not seeds:
        raise ModelError("--seed", "is empty", "for example --seed 1,2,3")
    return seeds


def report(c: Comparison) -> None:
    """The comparison for people: the verdict last, where the eye is."""
    text.heading(f"{c.network}: {c.duration:g} ms at dt {c.dt:g} ms, each backend against {c.backends[0]}")
    columns = (
        "seed",
        "backends",
        "spikes (first)",
        "(second)",
        "identical",
        "equal (%)",
        "within 1 step (%)",
        "first difference",
    )
    rows = []
    for p in c.pairs:
        d = p.divergence
        first = (
            ""
            if d is None
            else f"{d.time:g} ms, {d.population}[{d.neuron}]: {d.spikes[0]} and {d.spikes[1]} spikes"
        )
        rows.append(
            (
                str(p.seed),
                f"{p.first}, {p.second}",
                *p.spikes,
                p.identical,
                100 * p.equal,
                100 * p.within_one_step,
                first,
            )
        )
    if rows:
        text.table(columns, rows)
    _differing(c)
    _traces(c)
    _synapses(c)
    _sides(c.sides)
    for name, reason in c.failures.items():
        text.say(f"{name} could not run: {reason}")
    for note in c.notes:
        text.say(note)
    counted = max((s.spikes for s in c.sides), default=0)
    text.heading(
        f"verdict: {c.verdict}" + ("" if counted else " (there is not one spike)"), _COLOURS[c.verdict]
    )


def _differing(c: Comparison) -> None:
    rows = [
        (str(p.seed), p.second, q.population, q.cells, *q.spikes, *q.rates, q.equal, q.near)
        for p in c.pairs for q in p.populations if not q.identical
    ]  # fmt: skip
    if rows:
        columns = (
            "seed",
            "backend",
            "population",
            "cells",
            "spikes (first)",
            "(second)",
            "Hz (first)",
            "(second)",
            "equal",
            "within 1 step",
        )
        text.table(columns, rows, f"populations that differ ({c.backends[0]} first)")


def _traces(c: Comparison) -> None:
    rows = [
        (
            str(p.seed),
            f"{p.first}, {p.second}",
            f"{t.population}.{t.variable}",
            f"{t.before:.3g} {t.unit}",
            f"{t.largest:.3g} {t.unit}",
            f"{t.time:g} ms, cell {t.neuron}",
        )
        for p in c.pairs
        for t in p.traces
    ]
    if rows:
        text.table(
            ("seed", "backends", "trace", "largest before spikes differ", "largest", "at"),
            rows,
            "recorded variables, absolute differences",
        )
    loops = []
    for s in c.single_cells:
        t = s.pair.traces[0] if s.pair.traces else None
        voltage = f"{t.before:.3g} {t.unit}" if t else "-"
        loops.append(
            (
                str(s.pair.seed),
                f"{s.pair.first}, {s.pair.second}",
                s.population,
                len(s.cells),
                *s.pair.spikes,
                s.pair.identical,
                s.spike_time_difference,
                voltage,
            )
        )
    if loops:
        columns = (
            "seed",
            "backends",
            "population",
            "cells",
            "spikes (first)",
            "(second)",
            "identical",
            "spike times (ms)",
            "largest in v",
        )
        text.table(columns, loops, "cells out of the loop, with the same input (non-linear cells)")
    missing = sorted({m for s in c.single_cells for m in s.missing})
    if missing:
        text.say(f"left out of the loop, as their spikes were not all recorded: {', '.join(missing)}")


def _synapses(c: Comparison) -> None:
    rows = [
        (
            str(p.seed),
            f"{p.first}, {p.second}",
            f"{s.projection}.{s.variable}",
            f"{s.before:.3g} {s.unit}",
            f"{s.largest:.3g} {s.unit}",
            f"{s.time:g} ms, {s.source} -> {s.target}",
            s.same,
        )
        for p in c.pairs
        for s in p.synapses
    ]
    if rows:
        columns = (
            "seed",
            "backends",
            "connections",
            "largest before spikes differ",
            "largest",
            "at",
            "same but for rounding",
        )
        text.table(columns, rows, "connections that learn, absolute differences")


def _sides(sides: Sequence[Side]) -> None:
    seen = dict.fromkeys(
        (s.backend, s.simulator, ", ".join(sorted({f"{m}" for m in s.integrators.values()})) or "-", s.inputs)
        for s in sides
    )
    text.table(("backend", "version", "integration", "inputs"), list(seen))
    changed: dict[str, list[str]] = {}
    for s in sides:
        for a in s.approximations:
            if s.backend not in changed.setdefault(a, []):
                changed[a].append(s.backend)
    for a, backends in changed.items():
        text.say(f"approximation ({', '.join(backends)}): {a}")
