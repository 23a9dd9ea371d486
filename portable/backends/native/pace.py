"""How many threads work and for how long, and where a thread starts."""

from __future__ import annotations

import contextlib
import os
from typing import Any

# seconds of one compiled call: between two of them Ctrl-C is seen and the number of threads settled
STRETCH = 0.03
SHORT = STRETCH / 16  # of a trial of the other number of threads
RARELY = 64  # stretches between two trials, at most
FEW = 16  # steps of the first stretch, when no speed is known
# Seconds of a step by one thread, below which others are not called: waking them, and waiting for each other
# at every exchange, would take longer than they save.
WORTHWHILE = 10e-6


class Pace:
    """How many threads work, and for how many steps: all threads, or one where steps are short, or where
    others keep the processors busy so that waiting for each other costs more than it brings. What is computed
    does not depend on it.

    One begins. The other way is tried in short stretches, more and more rarely as the present one keeps
    winning. After a change to all threads stretches start short, since beside busy processes a stretch of all
    can take many times longer than planned.
    """

    def __init__(self, threads: int) -> None:
        self.threads, self.together = threads, False
        self.speed = {True: 0.0, False: 0.0}  # steps a second, together or alone
        self.length = SHORT
        self.gap = {True: 4, False: 4}  # stretches together (alone) before a trial of the other
        self.left = 2  # the first stretch touches all memory for the first time: it tells no speed

    def next(self) -> tuple[int, int]:
        """(threads, steps) of the next stretch."""
        trial = self.threads > 1 and self.left <= 0 and (self.together or self._long())
        together = self.together != trial
        speed = self.speed[together] or self.speed[not together]
        seconds = SHORT if trial else self.length
        return self.threads if together else 1, max(FEW, int(speed * seconds))

    def _long(self) -> bool:
        """Whether one thread's steps take so long that more can be faster."""
        return self.speed[False] * WORTHWHILE < 1.0

    def report(self, threads: int, steps: int, seconds: float) -> None:
        """Learn from a stretch."""
        together = threads > 1
        self.speed[together] = steps / max(seconds, 1e-9)
        self.left -= 1
        trial = together != self.together
        slower = (
            bool(self.speed[not self.together]) and self.speed[self.together] < self.speed[not self.together]
        )
        if slower and (trial or self.together):
            self.gap[self.together] = 4
            self.together, self.length = not self.together, SHORT
            self.left = self.gap[self.together]
            self.gap[self.together] = min(2 * self.gap[self.together], RARELY)
        elif trial:
            self.gap[self.together] = min(2 * self.gap[self.together], RARELY)
            self.left = self.gap[self.together]
        else:
            self.length = min(2 * self.length, STRETCH)


def placed(number: int, code: Any, *arguments: Any) -> Any:
    """Call `code` in this thread, started on a processor of its own: Linux may leave two new threads on one
    for 50 ms, which is long for them to wait for each other. It is not bound to that processor."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        with contextlib.suppress(OSError):  # not allowed in some sandboxes; only speed depends on it
            os.sched_setaffinity(0, {allowed[number % len(allowed)]})
            os.sched_setaffinity(0, allowed)
    return code(*arguments)
