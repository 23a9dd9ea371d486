"""Telling the user how far a run is: a bar on a terminal, the user's own function, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int], None]  # (steps done, steps in all)


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
