"""Finding backends: the entry point group `portable.backends`, so that other distributions can add their
own.
"""

from __future__ import annotations

import functools
import importlib
from importlib.metadata import entry_points

from portable.backends.contract import Backend
from portable.errors import BackendNotFound, suggestion

GROUP = "portable.backends"
_BUILT_IN = {
    name: f"portable.backends.{name}:BACKEND"
    for name in ("reference", "native", "nest", "brian2", "jneuroml", "jlems")
}


@functools.cache
def _table() -> dict[str, str]:
    found = {e.name: e.value for e in entry_points(group=GROUP)}
    return {**_BUILT_IN, **found}


def names() -> list[str]:
    """Every registered backend, our own first."""
    return list(_table())


@functools.cache
def get(name: str) -> Backend:
    """The backend of that name; BackendNotFound with a suggestion and what is installed."""
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
