"""The spikes of sources, chunk by chunk: what generators get before NEST runs on, and what was emitted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from portable.backends.nest.plan import Source
from portable.errors import ModelError
from portable.resolve.program import Ints, PoissonGroup
from portable.resolve.trains import Trains
from portable.units import Floats


class Feed:
    """One group of sources. `keep` are the positions whose spikes are recorded (None: not recorded). taught:
    connections learn from them, so all are kept until `new` is called, and each takes the way of neurons'.
    """

    def __init__(self, source: Source, dt: float, keep: Ints | None, taught: bool = False) -> None:
        self.how, self.keep = source.how, keep
        self.trains = Trains(source.group, dt)
        self.kept: list[tuple[Ints, Ints]] = []
        self.heard: list[tuple[Ints, Ints]] | None = [] if taught else None  # all spikes since `new`

    @property
    def model(self) -> str:
        """NEST's model of the sources that get their spikes handed over."""
        return "spike_generator" if self.heard is None else "spike_train_injector"

    @property
    def needed(self) -> bool:
        """Whether spikes must be worked out here at all."""
        return self.how in ("trains", "frozen") or self.keep is not None

    def set(self, values: Mapping[str, float | Floats], now: int) -> None:
        """Change the rate (1/ms)."""
        group = self.trains.group
        for name in values:
            if name != "rate" or not isinstance(group, PoissonGroup):
                raise ModelError(
                    f"population '{group.name}'.{name}",
                    "cannot be changed while running",
                    "only the rate of Poisson sources can",
                )
        self.trains.set_rate(values["rate"], now)

    def draw(self, first: int, steps: int) -> tuple[Ints, Ints, Ints]:
        """Spikes stamped first .. first+steps-1, as Trains.by_source gives them; what is recorded of them is
        kept.
        """
        indptr, stamps, counts = self.trains.by_source(first, steps)
        if self.keep is not None or self.heard is not None:
            ids = np.repeat(np.repeat(np.arange(self.trains.size), np.diff(indptr)), counts)
            when = np.repeat(stamps, counts)
            if self.heard is not None:
                self.heard.append((ids, when))
            if self.keep is not None:
                wanted = np.isin(ids, self.keep) if self.keep.size < self.trains.size else slice(None)
                self.kept.append((ids[wanted], when[wanted]))
        return indptr, stamps, counts

    def new(self) -> tuple[Ints, Ints]:
        """(positions, stamps) of all spikes since this was last called."""
        found, self.heard = _joined(self.heard or []), []
        return found

    def recorded(self) -> tuple[Ints, Ints]:
        """(positions, stamps) so far."""
        return _joined(self.kept)


def _joined(parts: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *(a for a, _ in parts)]), np.concatenate([none, *(b for _, b in parts)])
