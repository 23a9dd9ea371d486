"""`portable validate`."""

from __future__ import annotations

from portable.cli.command import COMPARED, Command, Given, Options, listed, option


def _own(given: Given) -> Options:
    return {
        "backends": option(
            "backends",
            str | None,
            None,
            "--backends",
            "-b",
            help="Two or more, separated by commas; the first is the reference. Default: "
            f"{listed(given) or COMPARED}; with --suite, all that are installed (those that take minutes by "
            "name only).",
            show_default=False,
        ),
        "seeds": option(
            "seeds",
            str,
            "10",
            "--seeds",
            "-s",
            help='How many seeds (1, 2, ...), or which: "3,7,9". Statistics need three or more.',
        ),
        "warmup": option(
            "warmup",
            str | None,
            None,
            "--warmup",
            help="Left out of the statistics. Default: a tenth of the duration, at most 500 ms.",
            show_default=False,
        ),
        "inputs": option(
            "inputs",
            str,
            "frozen",
            "--inputs",
            help="frozen: the same Poisson trains everywhere, compared pair by pair. native: each backend "
            "draws its own, compared as ensembles.",
        ),
        "option": option(
            "option",
            list[str],
            [],
            "--option",
            metavar="BACKEND.NAME=VALUE",
            help="A backend's own option. Repeatable.",
        ),
        "margin": option(
            "margin",
            str | None,
            None,
            "--margin",
            help='What counts as equivalent, as a share of the reference\'s mean: "1 %". Default: twice '
            "the reference's seed-to-seed SD.",
            show_default=False,
        ),
        "power": option(
            "power",
            str,
            "full",
            "--power",
            help="Known deviations put into the native engine: full (enlarged until the statistics see "
            "them), quick (as they are), none.",
        ),
        "report": option(
            "report",
            str | None,
            None,
            "--report",
            "-r",
            metavar="FILE.html",
            help="Write the report; beside it .json, .xml (JUnit), .md and a badge (.svg).",
        ),
        "suite": option(
            "suite",
            bool,
            False,
            "--suite",
            help="Run the reference cases with published numbers in place of MODEL.",
        ),
        "case": option("case", list[str], [], "--case", help="With --suite: only this case. Repeatable."),
        "quick": option(
            "quick", bool, False, "--quick", help="With --suite: only the cases of a few seconds."
        ),
        "executor": option(
            "executor",
            str,
            "local",
            "--executor",
            help="local: processes on this machine. dask://HOST:PORT: the workers of a Dask cluster.",
        ),
        "workers": option(
            "workers",
            int,
            0,
            "--workers",
            min=0,
            help="Runs at a time, as far as memory goes. 0: one for each processor.",
        ),
        "time_limit": option(
            "time_limit",
            float | None,
            None,
            "--time-limit",
            metavar="SECONDS",
            help="Stop a run that takes longer; it becomes a row of the report.",
            show_default=False,
        ),
        "memory_limit": option(
            "memory_limit",
            str | None,
            None,
            "--memory-limit",
            metavar="SIZE",
            help='Memory of one run: "4 GiB".',
            show_default=False,
        ),
        "cache": option(
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


COMMAND = Command(
    name="validate",
    does="portable.cli.validation:validate",
    summary=(
        "Run MODEL on several backends for several seeds and say whether they agree: same network, "
        "cells, spikes, statistics, cost, and what would have been detected. Exit code 0 identical or "
        "equivalent, 1 different or undecided, 2 not comparable or could not run."
    ),
    options=(
        "backends",
        "seeds",
        "duration",
        "dt",
        "warmup",
        "inputs",
        "integrator",
        "option",
        "margin",
        "power",
        "report",
        "suite",
        "case",
        "quick",
        "executor",
        "workers",
        "time_limit",
        "memory_limit",
        "cache",
        "as_json",
        "debug",
    ),
    own=_own,
    model="optional",
)
