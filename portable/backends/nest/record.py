"""State variables out of NEST's multimeters.

A multimeter hands over the samples of one slice of min_delay steps at the start of the next, so after a run
the last slice is missing. Those samples are read from the nodes themselves, by running the end of each run
sample by sample.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from portable.backends.nest.plan import Nodes
from portable.backends.placement import Placement
from portable.resolve.program import Ints, Trace
from portable.units import Floats

# steps: a multimeter's delay changes nothing but NEST's min_delay, of which a whole slice is read one by one
# when a run ends
SLICE = 10


class Traces:
    """One Trace: a multimeter, and the samples of the slice that it has not handed over yet."""

    def __init__(self, nest: Any, trace: Trace, cells: Nodes, nodes: Any, place: Placement) -> None:
        """nodes: those that are recorded (None for none)."""
        self.trace, self.key, self.nodes, self.place = trace, (trace.group, trace.variable), nodes, place
        self.name = cells.recordables[trace.variable]
        self.readable = cells.initial_names.get(trace.variable, "") or self.name
        start = np.broadcast_to(np.asarray(cells.group.initial[trace.variable], np.float64), cells.group.size)
        self.seen: dict[int, Floats] = {0: start[trace.ids]}
        self.column = np.full(int(trace.ids.max()) + 1 if trace.ids.size else 0, -1)
        self.column[trace.ids] = np.arange(trace.ids.size)
        self.meter: Any = None
        if nodes is not None:
            self.meter = nest.Create(
                "multimeter",
                params={
                    "interval": trace.every * place.dt,
                    "record_from": [self.name],
                    "time_in_steps": True,
                },
            )
            nest.Connect(self.meter, nodes, syn_spec={"delay": SLICE * place.dt})

    def unseen(self, end: int, min_delay: int) -> range:
        """Sample steps of the slice that ends the run at step `end`."""
        low = (end - 1) // min_delay * min_delay
        return range((low // self.trace.every + 1) * self.trace.every, end + 1, self.trace.every)

    def look(self, step: int, end: int, min_delay: int) -> None:
        """Read the sample at `step` if the multimeter will not have it when the run ends."""
        if self.nodes is not None and step in self.unseen(end, min_delay):
            self.seen[step] = np.atleast_1d(np.asarray(self.nodes.get(self.readable), dtype=np.float64))

    def read(self, now: int) -> tuple[Ints, Ints, Floats]:
        """(ids, steps, values (samples, cells)) up to step `now`."""
        every = self.trace.every
        steps = np.arange(0, now + 1, every, dtype=np.int64)
        values = np.full((steps.size, self.trace.ids.size), np.nan)
        if self.meter is not None and now:  # before the first step a multimeter has no columns
            events = self.meter.events
            rows = np.asarray(events["times"], np.int64) // every
            cells = self.place.positions(self.trace.group, events["senders"])
            values[rows, self.column[cells]] = events[self.name]
        for k, v in self.seen.items():
            values[k // every] = v
        return self.trace.ids, steps, values


def stop_quietly(nest: Any) -> None:
    """Empty the kernel after a failure, whatever state it is in."""
    with contextlib.suppress(Exception):
        nest.ResetKernel()
