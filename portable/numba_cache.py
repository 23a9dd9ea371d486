"""numba's machine code on disk, shared by processes that compile at the same time.

numba numbers the files of a function's machine codes from a list that it reads and writes without a lock: two
processes that compile one function for different types at a time may give both codes the same file, and a
third process then loads the wrong one. Several processes at a time are the rule in a validation and in tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core import caching, event

from portable.activity import doing
from portable.locks import alone


def share() -> None:
    """From now on this process reads and writes each list, and the file that it names, under a lock."""
    # numba's own name, not a public one: another version may not have it
    index = getattr(caching, "IndexDataCacheFile", None)
    if index is None or hasattr(index, "portable"):
        return
    index.save, index.load, index.portable = _locked(index.save), _locked(index.load), True
    event.register("numba:compile", _Compiling())


def _locked(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(self: Any, *arguments: Any) -> Any:
        lock = Path(f"{self._index_path}.lock")
        try:
            waiting = alone(lock)
            waiting.__enter__()
        except OSError:  # a folder that cannot be written: nothing is saved there either
            return method(self, *arguments)
        try:
            return method(self, *arguments)
        finally:
            waiting.__exit__(None, None, None)

    return locked


class _Compiling(event.Listener):  # type: ignore[misc]
    """Says what is compiled, which on a new machine takes longer than most runs."""

    def on_start(self, event: Any) -> None:
        name = event.data["dispatcher"].py_func.__name__.strip("_")
        doing(f"compiling, once on this machine ('{name}')")

    def on_end(self, event: Any) -> None:
        pass
