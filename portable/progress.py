"""Telling the user how far a run is: a bar on a terminal, the user's own function, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portable.activity import listening

Report = Callable[[int, int], None]  # (steps done, steps in all)


@contextmanager
def building(given: Report | bool | None, title: str) -> Iterator[None]:
    """While a network is drawn and built; for a bar a line says what takes its time."""
    if given is not True:
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(title) as line, listening(lambda what: line.update(f"{title}: {what}")):
        yield


@contextmanager
def reporter(given: Report | bool | None, title: str, steps: int, dt: float) -> Iterator[Report]:
    """What to call after each piece. `given`: a function, True for a bar, anything false for nothing."""
    if callable(given):
        yield given
    elif not given:
        yield lambda _done, _total: None
    else:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[now]} ms"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task(title, total=steps, now="0")
            yield lambda done, total: bar.update(task, completed=done, now=f"{done * dt:g}/{total * dt:g}")
