"""`portable run`."""

from __future__ import annotations

from portable.cli.command import Command, Given, Options, option


def _own(given: Given) -> Options:
    del given
    return {
        "out": option(
            "out",
            list[str],
            [],
            "--out",
            "-o",
            metavar="FILE",
            help="Save results: .npz (all), .json (summary), .pkl (neo block), .nix (neo, needs nixio). "
            "Repeatable.",
        ),
        "option": option(
            "option",
            list[str],
            [],
            "--option",
            metavar="NAME=VALUE",
            help="A backend's own option: see `portable backends`. Repeatable.",
        ),
    }


COMMAND = Command(
    name="run",
    does="portable.cli.run:run",
    summary="Run MODEL on a backend and report spikes, rates and times.",
    options=(
        "backend",
        "duration",
        "dt",
        "seed",
        "threads",
        "inputs",
        "integrator",
        "compact",
        "option",
        "out",
        "plot",
        "as_json",
        "debug",
    ),
    own=_own,
    model="needed",
)
