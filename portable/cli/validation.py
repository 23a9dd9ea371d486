"""`portable validate`: whether backends agree on a model, level by level, and the report of it."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from portable.backends import registry
from portable.cli import text
from portable.cli.model import Model
from portable.cli.run import options_by_backend
from portable.cli.telling import telling
from portable.errors import ModelError
from portable.memory import HAS_LIMIT
from portable.validation.answer import validate as simulate
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.schedule import Executor, Local, memory_bytes
from portable.validation.verdicts import LEVELS, Validation

COLOURS = {
    "identical spikes": "green",
    "statistically equivalent": "green",
    "undecided": "yellow",
    "different": "red",
    "not comparable": "red",
}


def validate(
    *,
    backends: str | None,
    seeds: str,
    report: str | None,
    suite: bool,
    case: Sequence[str],
    quick: bool,
    executor: str,
    workers: int,
    time_limit: float | None,
    memory_limit: str | None,
    cache: str | None,
    option: Sequence[str],
    margin: str | None,
    as_json: bool,
    model: Model | None = None,
    options: Mapping[str, Any] | None = None,
    **how: Any,
) -> int:
    """Run, tell, write the report. Returns the exit code."""
    _writable(report)
    run = chosen_executor(executor, workers, time_limit, memory_limit, cache)
    with contextlib.closing(run) if isinstance(run, Local) else contextlib.nullcontext():
        if suite:
            from portable.cli.suite import run_suite

            return run_suite(
                backends=backends, cases=case, quick=quick, executor=run, report=report, as_json=as_json
            )
        assert model is not None
        if case or quick:
            raise ModelError(
                "--case" if case else "--quick",
                "goes with --suite",
                "leave it out, or leave MODEL out and add --suite",
            )
        # a model's own may be a list
        chosen = backends or model.defaults.get("backends") or registry.compared()
        names = [b.strip() for b in (chosen.split(",") if isinstance(chosen, str) else chosen) if b.strip()]
        network = model.build(options or {}, how)
        with telling(quiet=as_json) as say:
            answer = simulate(
                network,
                names,
                chosen_seeds(seeds),
                **how,
                options=options_by_backend(option),
                margin=share(margin),
                executor=run,
                say=say,
            )
        if as_json:
            from portable.validation.report import to_json

            text.as_json(to_json(answer.validation))
        else:
            told(answer.validation)
        if report:
            for path in answer.report(report):
                text.warn(f"written {path}")
        return answer.validation.exit_code


def chosen_seeds(given: str) -> int | list[int]:
    """ "10": ten seeds; "3,7": these."""
    try:
        found = [int(s) for s in given.split(",") if s.strip()]
    except ValueError:
        found = []
    if not found:
        raise ModelError("--seeds", f"cannot read {given!r}", "give a number of seeds, or a list: 3,7,9")
    return found[0] if len(found) == 1 and "," not in given else found


def share(given: str | None) -> float | None:
    """ "1 %" or "0.01" as 0.01."""
    if given is None:
        return None
    try:
        return float(given.rstrip("% ")) / (100.0 if given.rstrip().endswith("%") else 1.0)
    except ValueError:
        raise ModelError("--margin", f"cannot read {given!r}", 'write "1 %" or 0.01') from None


def chosen_executor(
    name: str, workers: int, time_limit: float | None, memory_limit: str | None, cache: str | None
) -> Executor:
    """Where runs are done."""
    limit = memory_bytes(memory_limit) if memory_limit else 0
    if limit and not HAS_LIMIT:
        raise ModelError("--memory-limit", "this system has none for a process", "leave it out")
    if time_limit is not None and time_limit <= 0:
        raise ModelError("--time-limit", f"must be > 0 s, got {time_limit:g}", "leave it out for no limit")
    if name == "local":
        return Local(Cache(cache), workers, time_limit, limit)
    if name.startswith("dask://"):
        from portable.validation.jobs.dask import Cluster

        return Cluster(Cache(cache), name.removeprefix("dask://"), time_limit, limit)
    raise ModelError(
        "--executor", f"must be local or dask://HOST:PORT, got {name!r}", "local runs on this machine"
    )


def _writable(report: str | None) -> None:
    if report is None:
        return
    path = Path(report)
    if path.suffix.lower() != ".html":
        raise ModelError(
            "--report",
            f"must be a name that ends in .html, got '{report}'",
            "the other files are written beside it",
        )
    if not path.parent.is_dir():
        raise ModelError("--report", f"there is no folder '{path.parent}'", "make it first")
    if importlib.util.find_spec("jinja2") is None:
        raise ModelError(
            "--report", "needs jinja2, which is not installed", "pip install 'portable-snn[report]'"
        )


def told(v: Validation) -> None:
    """The answer for people."""
    others = v.backends[1:]
    text.heading(
        f"{v.network}: {sum(v.populations.values()):,} cells and sources, {v.synapses:,} synapses, "
        f"{v.duration:g} ms at dt {v.dt:g} ms, {len(v.seeds)} seed{'s' * (len(v.seeds) != 1)}, against "
        f"{v.reference}"
    )
    rows = [(f"{n} {name}", *(_cell(v, n, b) for b in others)) for n, name in LEVELS.items()]
    text.table(("level", *others), rows)
    for b in others:
        text.heading(f"{b}: {v.answers[b]}", COLOURS.get(v.answers[b], "cyan"))
        for level in (x for x in v.levels if x.backend == b):
            text.say(f"  {level.level} {level.verdict}: {level.summary}")
    own = [d for d in v.deviations if d.size == 1.0]
    if own:
        columns = (
            "deviation put into native",
            "first caught by level",
            "first spike that differs (ms)",
            "spikes equal (%)",
            "largest effect (SD)",
        )
        caught = [
            (
                d.what,
                "none" if d.caught is None else f"{d.caught} {LEVELS[d.caught]}",
                d.time,
                100 * d.equal,
                d.largest_effect,
            )
            for d in own
        ]
        text.table(columns, caught)
    for p in v.power:
        seen = (
            f"from {p.smallest:g} {p.unit} on"
            if p.smallest == p.smallest
            else f"not up to {max(p.sizes):g} {p.unit}"
        )
        text.say(f"statistics alone would have seen {p.name}: {seen.strip()}")
    for line in failures(v):
        text.say(line)
    for note in v.notes:
        text.say(note)
    text.heading(f"verdict: {v.verdict}", COLOURS.get(v.verdict, "cyan"))


def failures(v: Validation) -> list[str]:
    """Runs that did not end well, those of one backend and message together."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for r in v.runs:
        if r.status != "ok":
            alike.setdefault((r.backend, r.status, r.message), []).append(
                f"seed {r.seed}{'' if r.role == 'main' else f' ({r.role})'}"
            )
    return [
        f"{b}: {status}, {which[0]}{f' and {len(which) - 1} more' if len(which) > 1 else ''}: {message}"
        for (b, status, message), which in alike.items()
    ]


def _cell(v: Validation, level: int, backend: str) -> str:
    found = v.level(level, backend)
    if found is None:
        return "-"
    return found.verdict if found.score != found.score else f"{found.verdict} ({100 * found.score:.3g} %)"
