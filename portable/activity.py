"""What is being done before the first step: long work says it, and whoever shows progress listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def doing(what: str) -> None:
    """Say what takes a while from now on; nobody may be listening."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(what)


@contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[None]:
    """`tell` hears what is done meanwhile, in this thread."""
    token = _LISTENER.set(tell)
    try:
        yield
    finally:
        _LISTENER.reset(token)
