"""The commands, their options and help. A command with a MODEL gets the model's own options too, so the model
file is read first.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import typer

from portable.backends import registry
from portable.cli import text
from portable.cli.model import PYTHON, Model, ModelOption, find, load
from portable.cli.validation_options import validation_options
from portable.errors import BackendFailed, ModelError, PortableError
from portable.process import read_as_programs

# What is compared where nobody says (registry.compared): to find out, every backend would have to be loaded.
COMPARED = "the built-in engine and every other fast simulator that is installed"
ABOUT = """Describe a spiking network once; run it on NEST, Brian2 or the built-in engine; see that the
spikes are identical.

\b
Examples:
  portable run examples/microcircuit.py --backend native --plot
  portable run examples/microcircuit.py --help          the model's own options
  portable run brunel.py --duration "2 s" --seed 7 --out brunel.npz
  portable compare brunel.py --backends native,nest,brian2 --seed 1,2,3
  portable validate brunel.py --backends native,nest,brian2 --seeds 10 --report report.html
  portable validate --suite                             reference cases with published numbers
  portable show brunel.py --plot network.png
  portable check brunel.py --backend nest
  portable backends
  portable run LEMS_sim.xml --backend nest              NeuroML and LEMS files are models
  portable import net.nml --out model.yaml
  portable export brunel.py --out folder
  portable validate-file net.nml

\b
MODEL is a Python file that defines `network` (a pt.Network, or a function that
returns one: its parameters become options), a .json or .yaml document, or a
NeuroML or LEMS file (.nml, .xml, .net.nml.h5).

\b
Exit codes: 0 done, identical, or can run; 1 different, or cannot run;
2 could not do it (the message says why); 130 interrupted.
"""
EPILOG = "Give MODEL before --help to see the model's own options."
MODEL_COMMANDS = ("run", "compare", "validate", "show", "check", "import", "export")
FILE_COMMANDS = {"validate-file": "A NeuroML or LEMS file."}
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")
AUTOMATIC = "auto"  # --plot without a file
_P = inspect.Parameter


def _parameter(name: str, annotation: Any, default: Any, *flags: str, **about: Any) -> inspect.Parameter:
    return _P(name, _P.KEYWORD_ONLY, default=typer.Option(default, *flags, **about), annotation=annotation)


def _model_argument(needed: bool = True) -> inspect.Parameter:
    return _P(
        "model",
        _P.KEYWORD_ONLY,
        default=typer.Argument(
            ... if needed else "",
            show_default=False,
            metavar="MODEL",
            help="A .py file that defines `network`, a .json or .yaml document, or a NeuroML or LEMS file.",
        ),
        annotation=str,
    )


def _shared(given: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
    """The options that several commands have; `given` are the model's run_defaults."""
    made = [
        _parameter(
            "backend",
            str,
            given.get("backend", registry.DEFAULT),
            "--backend",
            "-b",
            help="Which simulator: see `portable backends`.",
        ),
        _parameter(
            "duration",
            str,
            str(given.get("duration", "1 s")),
            "--duration",
            "-t",
            help='Biological time: "500 ms", "2 s", or a number in ms.',
        ),
        _parameter("dt", str, str(given.get("dt", "0.1 ms")), "--dt", help="Time step."),
        _parameter(
            "seed",
            int,
            int(given.get("seed", 0)),
            "--seed",
            "-s",
            help="Draws connections, parameters and inputs; the same seed is the same network.",
        ),
        _parameter(
            "threads",
            int | None,
            given.get("threads"),
            "--threads",
            min=1,
            help="Threads; the spikes do not depend on it.",
        ),
        _parameter(
            "inputs",
            str,
            given.get("inputs", "auto"),
            "--inputs",
            help="Poisson trains: frozen (the same on every backend), native (the simulator's own), auto "
            "(frozen below a size).",
        ),
        _parameter(
            "integrator",
            str,
            given.get("integrator", "auto"),
            "--integrator",
            help="For non-linear cells: auto, euler, rk4, rkf45; linear cells are exact.",
        ),
        _parameter(
            "compact",
            bool,
            False,
            "--compact",
            help="float32 for arrays of weights too (drawn ones always are).",
        ),
        _parameter(
            "as_json", bool, False, "--json", help="One JSON document on standard output, for machines."
        ),
        _parameter("debug", bool, False, "--debug", help="Show the traceback of an error."),
        _parameter(
            "plot",
            str | None,
            None,
            "--plot",
            metavar="[FILE]",
            help="Draw a picture; FILE may be left out (.png, .pdf, .svg).",
        ),
    ]
    return {p.name: p for p in made}


def _own(given: Mapping[str, Any]) -> dict[str, dict[str, inspect.Parameter]]:
    """The options that only one command has."""
    backends, seeds = given.get("backends", ""), str(given.get("seed", 0))
    listed = backends if isinstance(backends, str) else ",".join(backends)
    return {
        "run": {
            "out": _parameter(
                "out",
                list[str],
                [],
                "--out",
                "-o",
                metavar="FILE",
                help="Save results: .npz (all), .json (summary), .pkl (neo block), .nix (neo, needs nixio). "
                "Repeatable.",
            ),
            "option": _parameter(
                "option",
                list[str],
                [],
                "--option",
                metavar="NAME=VALUE",
                help="A backend's own option: see `portable backends`. Repeatable.",
            ),
        },
        "compare": {
            "backends": _parameter(
                "backends",
                str,
                listed,
                "--backends",
                "-b",
                help="Two or more, separated by commas; the first is the reference. Default: "
                f"{listed or COMPARED}.",
                show_default=False,
            ),
            "seed": _parameter(
                "seed",
                list[str],
                [seeds],
                "--seed",
                "-s",
                help="Seeds: repeat the option, or separate by commas.",
            ),
            "single_cells": _parameter(
                "single_cells",
                bool | None,
                None,
                "--single-cells/--no-single-cells",
                help="Compare cells out of the loop too, with the same input. Default: where equations are "
                "not linear.",
            ),
            "option": _parameter(
                "option",
                list[str],
                [],
                "--option",
                metavar="BACKEND.NAME=VALUE",
                help="A backend's own option. Repeatable.",
            ),
        },
        "validate": validation_options(_parameter, listed or COMPARED),
        "export": {
            "format": _parameter(
                "format",
                str,
                "neuroml",
                "--format",
                "-f",
                help="neuroml: NeuroML 2 with the LEMS file that runs it.",
            ),
            "out": _parameter(
                "out",
                str,
                ...,
                "--out",
                "-o",
                metavar="DIR",
                help="The folder for the files; made if it is not there.",
            ),
            "simulation": _parameter(
                "simulation",
                bool,
                True,
                "--simulation/--no-simulation",
                help="Also the LEMS file that runs the network for --duration and records what it records.",
            ),
            "inputs": _parameter(
                "inputs",
                str,
                "frozen",
                "--inputs",
                help="Poisson trains: frozen (written out for --duration), native (drawn by the simulator).",
            ),
            "types": _parameter(
                "types",
                str,
                "auto",
                "--types",
                help="auto (NeuroML's cells where they do the same), core (also where nearly the same), "
                "custom (own types only).",
            ),
            "timing": _parameter(
                "timing",
                str,
                "steps",
                "--timing",
                help="steps (jLEMS at --dt spikes in our steps) or nominal (the model's numbers as they "
                "are).",
            ),
            "hdf5_above": _parameter(
                "hdf5_above",
                int,
                10_000,
                "--hdf5-above",
                min=0,
                metavar="N",
                help="Write HDF5, in float32, for more than N connections.",
            ),
        },
        "import": {
            "out": _parameter(
                "out",
                str,
                ...,
                "--out",
                "-o",
                metavar="FILE",
                help="The document to write: .yaml, .yml or .json.",
            )
        },
        "validate-file": {
            "jnml": _parameter(
                "jnml", bool, False, "--jnml", help="Ask jNeuroML as well (needs Java; it gives no lines)."
            ),
            "folder": _parameter(
                "folder",
                str,
                "",
                "--folder",
                metavar="DIR",
                help="The folder that included files may lie in. Default: that of FILE.",
                show_default=False,
            ),
        },
    }


_OPTIONS = {
    "run": (
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
    "compare": (
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
    "validate": (
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
    "show": ("dt", "plot", "as_json", "debug"),
    "check": ("backend", "dt", "seed", "inputs", "integrator", "compact", "as_json", "debug"),
    "backends": ("as_json", "debug"),
    "import": ("dt", "out", "as_json", "debug"),
    "export": (
        "format",
        "out",
        "simulation",
        "duration",
        "dt",
        "seed",
        "inputs",
        "types",
        "timing",
        "hdf5_above",
        "as_json",
        "debug",
    ),
    "validate-file": ("jnml", "folder", "as_json", "debug"),
}
_SUMMARY = {
    "run": "Run MODEL on a backend and report spikes, rates and times.",
    "compare": "Run MODEL on several backends and say whether the spikes are identical. Exit code 0 "
    "identical, 1 different, 2 could not run.",
    "validate": (
        "Run MODEL on several backends for several seeds and say whether they agree: same network, cells, "
        "spikes, statistics, cost, and what would have been "
        "detected. Exit code 0 identical or equivalent, 1 different or undecided, 2 not comparable or could "
        "not run."
    ),
    "show": "Show what MODEL is: sizes, synapses, memory, parameters, a drawing.",
    "check": "List everything in MODEL that a backend cannot do. Exit code 0 it can run, 1 it cannot, 2 the "
    "model is wrong.",
    "backends": "Show which simulators are installed and what each can do.",
    "import": "Read a NeuroML or LEMS file and save it as a document that every command takes, with all its "
    "types.",
    "export": "Write MODEL for other software: NeuroML 2 and LEMS, which jNeuroML runs with the same spikes.",
    "validate-file": "List everything that is wrong in a NeuroML or LEMS file, with its line. Exit code 0 "
    "nothing, 1 something, 2 could not look.",
}


_MODULES = {
    "run": "run",
    "compare": "compare",
    "show": "show",
    "check": "backends",
    "backends": "backends",
    "validate-file": "validate",
    "validate": "validation",
    "import": "convert",
    "export": "export",
}
_FUNCTIONS = {"validate-file": "validate_file", "import": "import_"}


def _implementation(command: str) -> Callable[..., int]:
    """The function behind a command, imported when it is called."""
    found: Callable[..., int] = getattr(
        importlib.import_module(f"portable.cli.{_MODULES[command]}"), _FUNCTIONS.get(command, command)
    )
    return found


def _command(name: str, model: Model | None) -> Callable[..., None]:
    """A function whose signature typer reads: MODEL, the command's options, the model's own (of commands that
    take one).
    """
    model = model if name in MODEL_COMMANDS else None
    given = model.defaults if model else {}
    known = {**_shared(given), **_own(given).get(name, {})}
    parameters = [known[n] for n in _OPTIONS[name]]
    taken = {p.name for p in parameters} | {"model"}
    own = {}
    for option in model.options if model else ():
        if option.name in taken or f"--{_dashed(option.name)}" in _flags(parameters):
            raise ModelError(
                f"{model.path if model else ''}: network",
                f"its parameter '{option.name}' is an option of `portable {name}`",
                "rename it",
            )
        own["own_" + option.name] = option
    parameters += [_own_parameter(key, option) for key, option in own.items()]
    if name in MODEL_COMMANDS:
        parameters.insert(0, _model_argument(name != "validate"))
    if name in FILE_COMMANDS:
        parameters.insert(
            0,
            _P(
                "file",
                _P.KEYWORD_ONLY,
                default=typer.Argument(..., metavar="FILE", help=FILE_COMMANDS[name]),
                annotation=str,
            ),
        )

    def run_it(**values: Any) -> None:
        values.pop("debug", None)
        if name in MODEL_COMMANDS:
            path = values.pop("model")
            if model is None and not (name == "validate" and values.get("suite")):
                raise ModelError(
                    path or "MODEL",
                    "is no model",
                    "give a .py file that defines `network`, a .json or .yaml document, or a NeuroML or "
                    "LEMS file",
                )
            values["options"] = {option.name: values.pop(key) for key, option in own.items()}
            values["options"] = {k: v for k, v in values["options"].items() if v is not None}
            values["model"] = model
        raise typer.Exit(_implementation(name)(**values))

    run_it.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run_it.__annotations__ = {p.name: p.annotation for p in parameters}
    run_it.__doc__ = (
        _SUMMARY[name]
        if model is None or not model.about
        else f"{_SUMMARY[name]}\n\n{_literal(f'{model.path.name}: {model.about}')}"
    )
    return run_it


def _literal(said: str) -> str:
    """A model's text for the help: "[nA]" is no markup."""
    if not text.on_terminal():
        return said
    from rich.markup import escape

    return escape(said)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _flags(parameters: list[inspect.Parameter]) -> set[str]:
    return {
        f
        for p in parameters
        for declared in (getattr(p.default, "param_decls", None) or ())
        for f in str(declared).split("/")
    }


def _own_parameter(key: str, o: ModelOption) -> inspect.Parameter:
    flag = f"--{_dashed(o.name)}"
    if o.annotation is bool:
        flag += f"/--no-{_dashed(o.name)}"
    plain = o.default is None or isinstance(o.default, (bool, int, float, str))
    default = (
        ...
        if o.required
        else (o.default if plain and not (o.annotation is str and not isinstance(o.default, str)) else None)
    )
    panel = {"rich_help_panel": "Options of the model"}
    shown = True if default is not None or o.default is None else repr(o.default)
    annotation = o.annotation | None if default is None else o.annotation
    return _parameter(key, annotation, default, flag, help=_literal(o.help), show_default=shown, **panel)


def build(model: Model | None = None) -> typer.Typer:
    """The application; `model` adds its options to the commands that take one."""
    rich: Literal["rich"] | None = (
        "rich" if text.on_terminal() else None
    )  # boxes and colours for people, plain text in a pipe
    app = typer.Typer(
        name="portable",
        help=ABOUT,
        no_args_is_help=True,
        rich_markup_mode=rich,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback(invoke_without_command=True)(_top)
    for name in _OPTIONS:
        app.command(
            name,
            epilog=EPILOG if name in MODEL_COMMANDS and model is None else None,
            no_args_is_help=name in MODEL_COMMANDS or name in FILE_COMMANDS,
        )(_command(name, model))
    return app


def _top(version: bool = typer.Option(False, "--version", help="Show the version and leave.")) -> None:
    if version:
        from portable import __version__

        text.say(f"portable {__version__}")
        raise typer.Exit(0)


def prepared(arguments: list[str]) -> list[str]:
    """`--plot` may stand without a file: it then gets the word "auto"."""
    out = []
    for i, a in enumerate(arguments):
        out.append(a)
        following = arguments[i + 1] if i + 1 < len(arguments) else ""
        if a == "--plot" and not following.lower().endswith(PICTURES):
            out.append(AUTOMATIC)
    return out


def _takes_value(command: str) -> frozenset[str]:
    known = {**_shared({}), **_own({}).get(command, {})}
    return frozenset(
        _flags([known[n] for n in _OPTIONS[command] if known[n].annotation not in (bool, bool | None)])
    )


def model_path(arguments: list[str]) -> Path | None:
    """The MODEL on a command line, None if the command takes none or none is given."""
    if not arguments or arguments[0] not in MODEL_COMMANDS:
        return None
    return find(arguments[1:], _takes_value(arguments[0]))


def _unarmed(model: Path | None) -> None:
    """A document executes nothing, and nor does what may have come with it. A Python file is a program."""
    if model is None or model.suffix.lower() in PYTHON:
        return
    for name, why in read_as_programs(Path.cwd()).items():
        raise ModelError(
            name,
            f"lies in the current folder, and {why}: {model.name} would execute it",
            "start portable in another folder, or move the file away",
        )


def run_command(arguments: list[str]) -> int:
    """Parse and run; every error becomes one message on standard error and an exit code."""
    arguments = prepared(arguments)
    debug = "--debug" in arguments or bool(os.environ.get("PORTABLE_DEBUG"))
    try:
        path = model_path(arguments)
        _unarmed(path)
        try:
            build(load(path) if path else None)(arguments, prog_name="portable")
        finally:
            sys.stdout.flush()
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 2
    except PortableError as error:
        if debug:
            traceback.print_exc()
        text.warn(f"error: {text.as_options(str(error))}")
        if isinstance(error, BackendFailed) and not debug:
            text.warn("(--debug shows the simulator's traceback)")
        return 2
    except MemoryError:
        text.warn("error: not enough memory; `portable show MODEL` estimates what a network needs")
        return 2
    except KeyboardInterrupt:
        text.warn("interrupted")
        return 130
    except BrokenPipeError:  # the reader, `head` for one, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # ours to mend; 1 would say "different" or "cannot run"
        traceback.print_exc()
        text.warn("error: this is a defect in portable, please report it with the lines above")
        return 2
    return 0
