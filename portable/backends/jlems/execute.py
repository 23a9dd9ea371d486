"""A JlemsPlan as a session: advances in pieces, gives spikes as steps and traces in coherent units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from portable.backends.contract import Facts, Recorded
from portable.backends.jlems.lower import JlemsPlan
from portable.backends.jlems.run import Run
from portable.resolve.program import Ints
from portable.units import Floats


class JlemsSession:
    """Step 0, with jLEMS's initialisation, is done when the session is made. One thread."""

    def __init__(self, plan: JlemsPlan) -> None:
        self.made = plan
        self._run = Run(plan.plan, plan.dt, plan.seed, plan.slots, plan.every)
        self._run.advance(0)
        self.now = 0

    def run(self, steps: int) -> None:
        try:
            self._run.advance(steps)
        finally:
            self.now = self._run.done

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:  # the table refuses it
        raise AssertionError(f"{group}: {', '.join(values)} cannot change: the file's own model runs")

    def facts(self) -> Facts:
        """One thread."""
        return Facts()

    def recorded(self) -> Recorded:
        """Traces are what jLEMS would write at each step, derived variables with the lag that they have
        there.
        """
        out = Recorded()
        for t, first, power in self.made.traces:
            values = (
                np.stack([self._run.sampled(first + i) for i in range(t.ids.size)], axis=1)
                if t.ids.size
                else np.zeros((0, 0))
            )
            out.traces[t.group, t.variable] = (
                t.ids,
                np.arange(values.shape[0]) * t.every,
                values * 10.0**-power,
            )
        who, when = self._run.events()
        number = 0
        for group, ids in self.made.recorders:
            mine = (who >= number) & (who < number + len(ids)) & (when > 0)
            out.spikes[group] = (_positions(ids, who[mine] - number), when[mine])
            number += len(ids)
        return out

    def close(self) -> None:
        del self._run


def _positions(ids: Ints, which: Ints) -> Ints:
    return np.asarray(ids)[which]
