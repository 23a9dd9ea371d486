"""Finding file formats: our own, and the entry points `portable.formats` of other distributions.

A format is one value, `FORMAT = Format("toy", ...)`, in a module that imports little: what reading and
writing need is imported when it is asked for.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from portable.errors import ModelError, suggestion

if TYPE_CHECKING:  # a command line starts without numpy
    from portable.model.network import Network
    from portable.schemas.written import Written

GROUP = "portable.formats"
OWN = {
    "json": "portable.schemas.plain:JSON",
    "yaml": "portable.schemas.plain:YAML",
    "neuroml": "portable.schemas.neuroml.format:FORMAT",
}


def _nothing(_path: Path) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Format:
    """A way to write a model down. `name` is what `portable export --format` takes, `title` what a file of it
    is; `suffixes` are of file names, in lower case.

    read(path, **extras) gives the Network, write(network, out, **how) the files that it made; None: it
    cannot. `extras` are the reader's own arguments (texts) with their help, which become options of the
    command line, `shared` those that it takes of the run (dt). defaults(path): what the file says of how it
    is run (duration, dt), as texts. `whole`: such a file says all that a Network is.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Callable[..., Network] | None = None
    write: Callable[..., Written] | None = None
    extras: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    defaults: Callable[[Path], Mapping[str, str]] = _nothing
    whole: bool = False


@functools.cache
def known() -> Mapping[str, Format]:
    """Every registered format by its name: our own, then others'."""
    table = OWN | {e.name: e.value for e in entry_points(group=GROUP)}
    out = {}
    for name, value in table.items():
        module, _, attribute = value.partition(":")
        out[name] = getattr(importlib.import_module(module), attribute)
    return out


def get(name: str) -> Format:
    """The format of that name. ModelError with a suggestion."""
    if name not in known():
        raise ModelError("format", f"unknown format {name!r}", suggestion(name, known()))
    return known()[name]


def of(path: Path) -> Format | None:
    """The format of a file by its suffix; None where no format has it."""
    return next((f for f in known().values() if path.suffix.lower() in f.suffixes), None)


def suffixes(whole: bool = False) -> tuple[str, ...]:
    """Suffixes of the files that can be read, or of those only that say all that a Network is."""
    return tuple(s for f in known().values() if f.read and (f.whole or not whole) for s in f.suffixes)
