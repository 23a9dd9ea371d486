"""What a command is: its name, its help, its options, and where the function is that does it.

Only this is imported for `--help`; what does the work is imported when it is called.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import typer

from portable.backends import registry

# What is compared where nobody says (registry.compared): to find out, every backend would have to be loaded.
COMPARED = "the built-in engine and every other fast simulator that is installed"
Given = Mapping[str, Any]  # a model's run_defaults
Options = dict[str, inspect.Parameter]


def nothing(given: Given) -> Options:
    """A command without options of its own."""
    del given
    return {}


@dataclass(frozen=True)
class Command:
    """does: "module:function", called with the options by name; it returns the exit code.
    options: in the order of the help. `own` makes those that only this command has, or has otherwise than
    others; the rest are shared.
    model: whether a MODEL must be given, may be given, or is none of its arguments. file: the help of a FILE
    that it takes in place of one; word: of a NAME that it may be given.
    """

    name: str
    does: str
    summary: str
    options: tuple[str, ...]
    own: Callable[[Given], Options] = nothing
    model: Literal["needed", "optional", "none"] = "none"
    file: str = ""
    word: str = ""

    def __call__(self, **values: Any) -> int:
        """Do it, with the values of the options."""
        module, _, function = self.does.partition(":")
        code: int = getattr(importlib.import_module(module), function)(**values)
        return code

    @property
    def takes_model(self) -> bool:
        """Whether it has a MODEL among its arguments."""
        return self.model != "none"

    def parameters(self, given: Given) -> list[inspect.Parameter]:
        """Its options, with the model's run_defaults."""
        known = {**shared(given), **self.own(given)}
        return [known[name] for name in self.options]

    def arguments(self) -> list[inspect.Parameter]:
        """MODEL, FILE or NAME."""
        if self.word:
            return [_argument("word", typer.Argument("", show_default=False, metavar="NAME", help=self.word))]
        if self.file:
            return [_argument("file", typer.Argument(..., metavar="FILE", help=self.file))]
        if not self.takes_model:
            return []
        about = "A .py file that defines `network`, a .json or .yaml document, or a NeuroML or LEMS file."
        default = ... if self.model == "needed" else ""
        return [_argument("model", typer.Argument(default, show_default=False, metavar="MODEL", help=about))]


def _argument(name: str, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=str)


def option(name: str, annotation: Any, default: Any, *flags: str, **about: Any) -> inspect.Parameter:
    """One option, as typer reads it from a signature."""
    declared = typer.Option(default, *flags, **about)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=declared, annotation=annotation)


def listed(given: Given) -> str:
    """The backends that a model names, with commas between; "" if it names none."""
    backends = given.get("backends", "")
    return backends if isinstance(backends, str) else ",".join(backends)


def shared(given: Given) -> Options:
    """The options that several commands have."""
    made = [
        option(
            "backend",
            str,
            given.get("backend", registry.DEFAULT),
            "--backend",
            "-b",
            help="Which simulator: see `portable backends`.",
        ),
        option(
            "duration",
            str,
            str(given.get("duration", "1 s")),
            "--duration",
            "-t",
            help='Biological time: "500 ms", "2 s", or a number in ms.',
        ),
        option("dt", str, str(given.get("dt", "0.1 ms")), "--dt", help="Time step."),
        option(
            "seed",
            int,
            int(given.get("seed", 0)),
            "--seed",
            "-s",
            help="Draws connections, parameters and inputs; the same seed is the same network.",
        ),
        option(
            "threads",
            int | None,
            given.get("threads"),
            "--threads",
            min=1,
            help="Threads; the spikes do not depend on it.",
        ),
        option(
            "inputs",
            str,
            given.get("inputs", "auto"),
            "--inputs",
            help="Poisson trains: frozen (the same on every backend), native (the simulator's own), auto "
            "(frozen below a size).",
        ),
        option(
            "integrator",
            str,
            given.get("integrator", "auto"),
            "--integrator",
            help="For non-linear cells: auto, euler, exponential_euler, rk4, rkf45; linear cells are exact.",
        ),
        option(
            "compact",
            bool,
            False,
            "--compact",
            help="float32 for arrays of weights too (drawn ones always are).",
        ),
        option("as_json", bool, False, "--json", help="One JSON document on standard output, for machines."),
        option("debug", bool, False, "--debug", help="Show the traceback of an error."),
        option(
            "plot",
            str | None,
            None,
            "--plot",
            metavar="[FILE]",
            help="Draw a picture; FILE may be left out (.png, .pdf, .svg).",
        ),
    ]
    return {p.name: p for p in made}
