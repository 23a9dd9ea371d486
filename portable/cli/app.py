"""The application: the commands (command.py, commands/) as typer takes them. A command with a MODEL gets the
model's own options too, so the model file is read first.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import typer

from portable.cli import text
from portable.cli.command import Command, option
from portable.cli.commands import COMMANDS
from portable.cli.model import PYTHON, Model, ModelOption, find, load
from portable.errors import BackendFailed, ModelError, PortableError
from portable.process import read_as_programs

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
  portable rules STDP                                   a rule of plasticity, as it is written
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
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")
AUTOMATIC = "auto"  # --plot without a file


def _function(command: Command, model: Model | None) -> Callable[..., None]:
    """A function whose signature typer reads: MODEL or FILE, the command's options, the model's own (of
    commands that take one).
    """
    model = model if command.takes_model else None
    parameters = command.parameters(model.defaults if model else {})
    own = _options_of(model, command, parameters) if model else {}
    parameters = [*command.arguments(), *parameters, *(_own_parameter(k, o) for k, o in own.items())]

    def run_it(**values: Any) -> None:
        values.pop("debug", None)
        if command.takes_model:
            path = values.pop("model")
            if model is None and not (command.model == "optional" and values.get("suite")):
                raise ModelError(
                    path or "MODEL",
                    "is no model",
                    "give a .py file that defines `network`, a .json or .yaml document, or a NeuroML or "
                    "LEMS file",
                )
            options = {o.name: values.pop(key) for key, o in own.items()}
            values["options"] = {k: v for k, v in options.items() if v is not None}
            values["model"] = model
        raise typer.Exit(command(**values))

    run_it.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run_it.__annotations__ = {p.name: p.annotation for p in parameters}
    run_it.__doc__ = command.summary
    if model is not None and model.about:
        run_it.__doc__ += f"\n\n{_literal(f'{model.path.name}: {model.about}')}"
    return run_it


def _options_of(
    model: Model, command: Command, parameters: list[inspect.Parameter]
) -> dict[str, ModelOption]:
    """The model's own options. ModelError where one is the command's, too."""
    taken = {p.name for p in parameters} | {"model"}
    for o in model.options:
        if o.name in taken or f"--{_dashed(o.name)}" in _flags(parameters):
            raise ModelError(
                f"{model.path}: network",
                f"its parameter '{o.name}' is an option of `portable {command.name}`",
                "rename it",
            )
    return {"own_" + o.name: o for o in model.options}


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
    return option(key, annotation, default, flag, help=_literal(o.help), show_default=shown, **panel)


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
    for command in COMMANDS.values():
        app.command(
            command.name,
            epilog=EPILOG if command.takes_model and model is None else None,
            no_args_is_help=bool(command.arguments()) and not command.word,
        )(_function(command, model))
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


def model_path(arguments: list[str]) -> Path | None:
    """The MODEL on a command line, None if the command takes none or none is given."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None or not command.takes_model:
        return None
    with_value = [p for p in command.parameters({}) if p.annotation not in (bool, bool | None)]
    return find(arguments[1:], frozenset(_flags(with_value)))


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
