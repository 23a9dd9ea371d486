"""The options that only `portable validate` has."""

from __future__ import annotations

import inspect
from collections.abc import Callable

Make = Callable[..., inspect.Parameter]


def validation_options(make: Make, backends: str) -> dict[str, inspect.Parameter]:
    """By name; `make(name, annotation, default, *flags, **about)` makes one."""
    return {
        "backends": make(
            "backends",
            str | None,
            None,
            "--backends",
            "-b",
            help=f"Two or more, separated by commas; the first is the reference. Default: {backends}; with "
            "--suite, all that are installed (those that take minutes by name only).",
            show_default=False,
        ),
        "seeds": make(
            "seeds",
            str,
            "10",
            "--seeds",
            "-s",
            help='How many seeds (1, 2, ...), or which: "3,7,9". Statistics need three or more.',
        ),
        "warmup": make(
            "warmup",
            str | None,
            None,
            "--warmup",
            help="Left out of the statistics. Default: a tenth of the duration, at most 500 ms.",
            show_default=False,
        ),
        "inputs": make(
            "inputs",
            str,
            "frozen",
            "--inputs",
            help="frozen: the same Poisson trains everywhere, compared pair by pair. native: each backend "
            "draws its own, compared as ensembles.",
        ),
        "option": make(
            "option",
            list[str],
            [],
            "--option",
            metavar="BACKEND.NAME=VALUE",
            help="A backend's own option. Repeatable.",
        ),
        "margin": make(
            "margin",
            str | None,
            None,
            "--margin",
            help='What counts as equivalent, as a share of the reference\'s mean: "1 %". Default: twice '
            "the reference's seed-to-seed SD.",
            show_default=False,
        ),
        "power": make(
            "power",
            str,
            "full",
            "--power",
            help="Known deviations put into the native engine: full (enlarged until the statistics see "
            "them), quick (as they are), none.",
        ),
        "report": make(
            "report",
            str | None,
            None,
            "--report",
            "-r",
            metavar="FILE.html",
            help="Write the report; beside it .json, .xml (JUnit), .md and a badge (.svg).",
        ),
        "suite": make(
            "suite",
            bool,
            False,
            "--suite",
            help="Run the reference cases with published numbers in place of MODEL.",
        ),
        "case": make("case", list[str], [], "--case", help="With --suite: only this case. Repeatable."),
        "quick": make("quick", bool, False, "--quick", help="With --suite: only the cases of a few seconds."),
        "executor": make(
            "executor",
            str,
            "local",
            "--executor",
            help="local: processes on this machine. dask://HOST:PORT: the workers of a Dask cluster.",
        ),
        "workers": make(
            "workers",
            int,
            0,
            "--workers",
            min=0,
            help="Runs at a time, as far as memory goes. 0: one for each processor.",
        ),
        "time_limit": make(
            "time_limit",
            float | None,
            None,
            "--time-limit",
            metavar="SECONDS",
            help="Stop a run that takes longer; it becomes a row of the report.",
            show_default=False,
        ),
        "memory_limit": make(
            "memory_limit",
            str | None,
            None,
            "--memory-limit",
            metavar="SIZE",
            help='Memory of one run: "4 GiB".',
            show_default=False,
        ),
        "cache": make(
            "cache",
            str | None,
            None,
            "--cache",
            metavar="DIR",
            help="Where finished runs are kept; an interrupted validation goes on from there. Default: the "
            "user's cache folder.",
            show_default=False,
        ),
    }
