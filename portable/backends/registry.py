"""Finding backends: every folder beside this file that has a capabilities.toml, and the entry points
`portable.backends` of other distributions.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from portable.errors import BackendNotFound, ModelError, suggestion

if TYPE_CHECKING:  # a command line starts without numpy
    from portable.backends.contract import Backend

GROUP = "portable.backends"
DEFAULT = "native"  # what runs where the user names none, and what others are compared with


@functools.cache
def _table() -> dict[str, str]:
    own = sorted(p.parent.name for p in Path(__file__).parent.glob("*/capabilities.toml"))
    found = {name: f"portable.backends.{name}:BACKEND" for name in own}
    return {**found, **{e.name: e.value for e in entry_points(group=GROUP)}}


def names() -> list[str]:
    """Every registered backend: the default one, our own, then others'."""
    return sorted(_table(), key=lambda name: name != DEFAULT)


def get(name: str) -> Backend:
    """The backend of that name; BackendNotFound with a suggestion and what is installed, ModelError for what
    is no name.
    """
    if not isinstance(name, str):
        raise ModelError("backend", f"must be one name, got {name!r}", 'for example "native"')
    return _loaded(name)


def several(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names of backends to compare, checked: a sequence of them, or one text with commas between; those of
    `compared` where there is none.

    BackendNotFound for an unknown one; ModelError where there are not two or more different ones.
    """
    if not isinstance(given, Iterable):
        raise ModelError("backends", f"must be names, got {given!r}", 'for example ["native", "nest"]')
    listed = given.split(",") if isinstance(given, str) else given
    names = tuple(n.strip() if isinstance(n, str) else n for n in listed if n != "")
    names = names or tuple(compared())
    for name in names:
        get(name)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ModelError(
            "backends",
            f"needs two or more different backends, got {', '.join(names) or 'none'}",
            "for example native,nest,brian2",
        )
    return names


@functools.cache
def _loaded(name: str) -> Backend:
    if name not in _table():
        raise BackendNotFound(
            f"no backend '{name}'; {suggestion(name, _table())}; installed: {', '.join(installed())}"
        )
    module, _, attribute = _table()[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)
    return backend


def installed() -> list[str]:
    """Backends whose simulator is here, without importing it."""
    return [n for n in names() if get(n).version() is not None]


def compared() -> list[str]:
    """What a comparison takes where the user names none: the default and every other fast one that is
    installed and runs any network."""
    able = {n: get(n).capabilities for n in installed()}
    return [n for n, c in able.items() if n == DEFAULT or (c.pace == "fast" and not c.origin)]
