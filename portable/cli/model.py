"""MODEL on the command line: a Python file that defines `network`, or a file of a registered format: a JSON
or YAML document, NeuroML or LEMS, or another distribution's.

A Python file is executed: it is the user's own program. Other files never are. Where `network` is a function,
its parameters become options, with types from the annotations and help from the docstring ("scale: what it
is" lines).
"""

from __future__ import annotations

import enum
import functools
import importlib.util
import inspect
import re
import sys
import traceback
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from portable.errors import ModelError, PortableError, suggestion
from portable.schemas import formats

if TYPE_CHECKING:
    from portable.model.network import Network

PYTHON = ".py"
DEFAULTS = ("backend", "backends", "duration", "dt", "seed", "threads", "inputs", "integrator")


class ModelFileError(PortableError):
    """The user's model file raised; the message has its file and line, the cause is chained."""


@dataclass(frozen=True)
class ModelOption:
    """One parameter of the model's function: `annotation` is what the command line parses it as, `convert`
    what it then becomes.
    """

    name: str
    annotation: Any
    default: Any
    help: str
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def value(self, given: Any) -> Any:
        """What the model's function gets."""
        if isinstance(given, enum.Enum):
            return self.choices[given.value]
        if (
            self.annotation is str
            and isinstance(given, str)
            and self.default is not None
            and not isinstance(self.default, str)
        ):
            return _number(given)
        return given


@dataclass(frozen=True)
class Model:
    """A model file, read but not yet built."""

    path: Path
    source: Any  # a Network, or a function
    options: tuple[ModelOption, ...] = ()
    shared: tuple[
        str, ...
    ] = ()  # parameters of the function that the run has too (dt, seed, ...): it gets the run's
    defaults: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    executed: bool = True  # the user's own program, whose errors are told with its line; a file's name theirs

    def build(self, options: Mapping[str, Any], run: Mapping[str, Any]) -> Network:
        """The network, with the model's own options and the run's (for `shared`)."""
        from portable.model.network import Network

        made = self.source
        if callable(made) and not isinstance(made, Network):
            arguments = {o.name: o.value(options[o.name]) for o in self.options if o.name in options} | {
                n: run[n] for n in self.shared if n in run
            }
            made = (
                _guarded(self.path, lambda: self.source(**arguments))
                if self.executed
                else self.source(**arguments)
            )
        if not isinstance(made, Network):
            raise ModelError(
                f"{self.path}: network", f"must be a pt.Network or a function that returns one, got {made!r}"
            )
        return made


def find(arguments: list[str], takes_value: frozenset[str]) -> Path | None:
    """The MODEL among the arguments of a command: the first that ends like one and is no option's value."""
    skip = False
    for a in arguments:
        if skip:
            skip = False
        elif a.startswith("-"):
            skip = a in takes_value
        elif a.lower().endswith((PYTHON, *formats.suffixes())):
            return Path(a)
    return None


def load(path: Path) -> Model:
    """Read a model file. ModelError if it is none, ModelFileError with file and line if it raises."""
    if not path.is_file():
        known = (PYTHON, *formats.suffixes())
        near = [p.name for p in path.parent.glob("*") if p.suffix in known] if path.parent.is_dir() else []
        raise ModelError(str(path), "there is no such file", suggestion(path.name, near) if near else "")
    form = formats.of(path)
    if form is not None:
        return _file(path, form)
    module = _execute(path)
    if not hasattr(module, "network"):
        raise ModelError(
            str(path),
            "defines no `network`",
            "define network = pt.Network(...), or a function network(...) that returns one",
        )
    defaults = getattr(module, "run_defaults", {})
    for name in defaults:
        if name not in DEFAULTS:
            raise ModelError(f"{path}: run_defaults['{name}']", "is unknown", suggestion(name, DEFAULTS))
    about = inspect.cleandoc(module.__doc__ or "")
    if not inspect.isfunction(module.network):
        return Model(path, module.network, defaults=defaults, about=about)
    text = inspect.cleandoc(module.network.__doc__ or "")
    options, shared = _signature(module.network, text, path)
    return Model(
        path, module.network, options, shared, defaults, _prose(text, [o.name for o in options]) or about
    )


def _file(path: Path, form: formats.Format) -> Model:
    """A file of a format, which may say how long it is to be run and with which step."""
    if form.read is None:
        raise ModelError(str(path), f"is {form.title}, which is written and not read", "give another MODEL")
    options = tuple(ModelOption(name, str, "", help) for name, help in form.extras.items())
    about = f"{form.title[:1].upper()}{form.title[1:]}."
    read = functools.partial(form.read, path)
    return Model(path, read, options, form.shared, form.defaults(path), about, executed=False)


def _execute(path: Path) -> types.ModuleType:
    name = "portable_model_" + re.sub(r"\W", "_", path.stem)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # a model may import the files beside it, as when run by python
    loader = spec.loader
    _guarded(path, lambda: loader.exec_module(module))
    return module


def _guarded(path: Path, work: Any) -> Any:
    """Run the user's code; what it raises is told with the file's own line."""
    try:
        return work()
    except SyntaxError as error:
        raise ModelFileError(
            f"{error.filename}, line {error.lineno}: {error.msg}\n    {(error.text or '').strip()}"
        ) from error
    except (Exception, SystemExit) as error:
        frames = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if Path(f.filename).resolve() == path.resolve()
        ]
        kind = "" if isinstance(error, PortableError) else f"{type(error).__name__}: "
        if not frames:
            raise ModelFileError(f"{path}: {kind}{error}") from error
        last = frames[-1]
        raise ModelFileError(
            f"{path}, line {last.lineno}, in {last.name}: {kind}{error}\n    {last.line}"
        ) from error


def _signature(function: Any, text: str, path: Path) -> tuple[tuple[ModelOption, ...], tuple[str, ...]]:
    try:
        hints = typing.get_type_hints(function)
    except Exception:
        hints = {}  # a forward reference that cannot be resolved: types then come from the defaults
    options, shared = [], []
    for p in inspect.signature(function).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.kind is p.POSITIONAL_ONLY:
            raise ModelError(
                f"{path}: network", f"parameter '{p.name}' is positional only", "make it a keyword parameter"
            )
        if p.name in DEFAULTS:
            shared.append(p.name)
            continue
        options.append(_option(p, hints.get(p.name), _help(text, p.name)))
    return tuple(options), tuple(shared)


def _option(p: inspect.Parameter, hint: Any, text: str) -> ModelOption:
    """Types: bool, int, float, str, Literal, an optional one of them; anything else is text, read as a number
    where it is one.
    """
    kinds = (
        [a for a in typing.get_args(hint) if a is not type(None)]
        if typing.get_origin(hint) in (Union, types.UnionType)
        else [hint]
    )
    kind = kinds[0] if len(kinds) == 1 else None
    if hint is None and p.default not in (None, p.empty):
        kind = type(p.default)
    if typing.get_origin(kind) is Literal:
        choices = {str(a): a for a in typing.get_args(kind)}
        made = enum.Enum(p.name, {c: c for c in choices}, type=str)  # type: ignore[misc]
        default = p.default if p.default in (None, p.empty) else made(str(p.default))
        return ModelOption(p.name, made, default, text, choices)
    if kind in (bool, int, float, str):
        return ModelOption(p.name, kind, p.default, text)
    return ModelOption(p.name, str, p.default, text)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _help(text: str, name: str) -> str:
    """The docstring's text after "name:", with the lines below that are further in."""
    found = re.search(rf"^([ \t]*){re.escape(name)}\s*:\s*(.*(?:\n\1[ \t]+\S.*)*)", text, re.M)
    return " ".join(found[2].split()) if found else ""


def _prose(text: str, names: list[str]) -> str:
    """The docstring without the lines that became options' help."""
    for name in names:
        text = re.sub(rf"^([ \t]*){re.escape(name)}\s*:.*(?:\n\1[ \t]+\S.*)*\n?", "", text, flags=re.M)
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(
        p if re.search(r"^\s", p, re.M) else " ".join(p.split()) for p in paragraphs
    )  # indented ones keep their lines
