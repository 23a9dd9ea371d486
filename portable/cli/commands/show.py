"""`portable show`."""

from __future__ import annotations

from portable.backends import registry
from portable.cli.command import Command, Given, Options, option


def _own(given: Given) -> Options:
    return {
        "predict": option(
            "predict",
            bool,
            False,
            "--predict",
            help="Also say what the model takes on this machine: memory, and seconds to build and to run. "
            "Nothing is built. The first time measures the processor for a minute or less, and keeps what "
            "it finds.",
        ),
        "mean_rate": option(
            "mean_rate",
            str | None,
            None,
            "--mean-rate",
            metavar="HZ",
            help="With --predict: mean rate of all cells, which nobody knows before a run. Without it the "
            "time is told as so much for each biological second and so much more for each Hz.",
        ),
        "backend": option(
            "backend",
            str,
            given.get("backend", registry.DEFAULT),
            "--backend",
            "-b",
            help="With --predict: what is to run it.",
        ),
    }


COMMAND = Command(
    name="show",
    does="portable.cli.show:show",
    summary="Show what MODEL is: sizes, synapses, memory, parameters, a drawing; what it will take.",
    options=("dt", "predict", "mean_rate", "duration", "backend", "plot", "as_json", "debug"),
    own=_own,
    model="needed",
)
