"""Telling how far a validation is: a bar on a terminal, lines in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from portable.cli import text
from portable.validation.jobs.schedule import Progress
from portable.validation.study import Say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


@contextmanager
def telling(quiet: bool) -> Iterator[Say]:
    """Progress with the time that is left: a bar on a terminal, lines of standard error elsewhere, nothing
    with --json.
    """
    if quiet:
        yield lambda _line, _progress: None
        return
    try:
        if text.on_terminal():
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Shown

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[what]}"),
            )
            with Shown(*columns, transient=True) as bar:
                yield _on_bar(bar)
        else:
            yield _in_lines()
    except KeyboardInterrupt:
        text.warn("interrupted: what was finished is kept, and the same command goes on from there")
        raise


def _on_bar(bar: Bar) -> Say:
    task = bar.add_task("", total=1, what="")

    def say(line: str, progress: Progress | None) -> None:
        if progress is None:
            bar.reset(task, description=line, total=1, what="")
        else:
            bar.update(
                task,
                description=line,
                completed=progress.done,
                total=progress.total,
                what=f"{progress.what}{_remaining(progress)}",
            )

    return say


def _in_lines() -> Say:
    """One line for each round, and one for each tenth of it."""
    shown = -1

    def say(line: str, progress: Progress | None) -> None:
        nonlocal shown
        if progress is None:
            shown = -1
            text.warn(line)
        elif 10 * progress.done // progress.total != shown:
            shown = 10 * progress.done // progress.total
            text.warn(
                f"  {progress.done}/{progress.total} "
                f"{progress.what}{' (kept from before)' if progress.cached else _remaining(progress)}"
            )

    return say


def _remaining(progress: Progress) -> str:
    if not progress.left > 0:
        return ""
    seconds = round(progress.left)
    return f", about {seconds} s left" if seconds < 100 else f", about {round(seconds / 60)} min left"
