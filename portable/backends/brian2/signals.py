"""Spikes of a third factor: which connections of a Synapses object see them in which step. No Brian2 in here.

All connections of one of the program's see a spike at one instant of their clocks, which is another step of
Brian2's for each dendritic delay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from portable.resolve.program import Connections, Ints

Some = npt.NDArray[np.int32]  # connections of an object


@dataclass
class Signals:
    """Spikes of the third factor of one of the program's connections, by the instant at which they are seen.
    groups: its connections in the object, by the dendritic steps of their delays.
    """

    population: str
    delay: int
    groups: list[tuple[int, Some]]
    waiting: dict[int, int] = field(default_factory=dict)

    @staticmethod
    def of(c: Connections, first: int) -> Signals:
        """Of connections that are first .. of their object."""
        assert c.learning is not None
        back: Ints = np.broadcast_to(np.asarray(c.learning.dendritic, dtype=np.int64), c.count)
        order = np.argsort(back, kind="stable")
        different, start = np.unique(back[order], return_index=True)
        parts = np.split(np.asarray(order + first, dtype=np.int32), start[1:])
        groups = list(zip(different.tolist(), parts, strict=True))
        return Signals(c.learning.signal, c.learning.signal_delay, groups)

    def add(self, instant: int, many: int) -> None:
        """So many spikes that are seen then."""
        self.waiting[instant] = self.waiting.get(instant, 0) + many

    def due(self, step: int) -> list[tuple[Some, int]]:
        """(connections, spikes that they see) in a step. What is older than any delay is forgotten."""
        if not self.waiting:
            return []
        for instant in [i for i in self.waiting if i <= step - self.groups[-1][0]]:
            del self.waiting[instant]
        return [(some, n) for back, some in self.groups if (n := self.waiting.get(step + 1 - back, 0))]


class Heard:
    """A pathway's code at spikes of the third factor. `due`: as Signals', of the object. `queue` stands where
    Brian2's is.
    """

    def __init__(self, due: Callable[[int], list[tuple[Some, int]]], code: Callable[[], object]) -> None:
        self.due, self.code, self.queue = due, code, Queue()

    def step(self, now: int) -> None:
        """What is due in a step."""
        for some, many in self.due(now):
            self.queue.some = some
            for _ in range(many):
                self.code()


class Queue:
    """Shows the connections that see a spike."""

    some: Some = np.zeros(0, dtype=np.int32)

    def peek(self) -> Some:
        """Brian2's name."""
        return self.some

    def advance(self) -> None:
        """Brian2's name."""
