"""`portable compare`."""

from __future__ import annotations

from portable.cli.command import COMPARED, Command, Given, Options, listed, option


def _own(given: Given) -> Options:
    return {
        "backends": option(
            "backends",
            str,
            listed(given),
            "--backends",
            "-b",
            help="Two or more, separated by commas; the first is the reference. Default: "
            f"{listed(given) or COMPARED}.",
            show_default=False,
        ),
        "seed": option(
            "seed",
            list[str],
            [str(given.get("seed", 0))],
            "--seed",
            "-s",
            help="Seeds: repeat the option, or separate by commas.",
        ),
        "single_cells": option(
            "single_cells",
            bool | None,
            None,
            "--single-cells/--no-single-cells",
            help="Compare cells out of the loop too, with the same input. Default: where equations are "
            "not linear.",
        ),
        "option": option(
            "option",
            list[str],
            [],
            "--option",
            metavar="BACKEND.NAME=VALUE",
            help="A backend's own option. Repeatable.",
        ),
    }


COMMAND = Command(
    name="compare",
    does="portable.cli.compare:compare",
    summary=(
        "Run MODEL on several backends and say whether the spikes are identical. Exit code 0 identical, "
        "1 different, 2 could not run."
    ),
    options=(
        "backends",
        "duration",
        "dt",
        "seed",
        "threads",
        "integrator",
        "single_cells",
        "option",
        "as_json",
        "debug",
    ),
    own=_own,
    model="needed",
)
