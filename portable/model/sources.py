"""Sources of spikes (they stand in a Population's place of a cell) and of current.

Their fields say what they hold (portable.model.fields): the document format is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from portable.errors import ModelError
from portable.model.fields import Amount, Series, Trains, Values
from portable.model.values import Array, Value, extremes, value
from portable.units import Quantity, quantity


@dataclass(frozen=True, init=False)
class SpikeSourceArray:
    """A source of spikes at given times.

    In ms, on the grid, > 0: one list for every cell, or a list of lists, one a cell. `spike_times` is a tuple
    of Arrays: of length 1 (shared) or one per cell.
    """

    spike_times: Annotated[
        tuple[Array, ...],
        Trains("One train that all cells share, or one per cell; times in ms, > 0.", "ms"),
    ]

    def __init__(self, spike_times: Sequence[Any]) -> None:
        path = "SpikeSourceArray.spike_times"
        if isinstance(spike_times, str) or not hasattr(spike_times, "__len__"):
            raise ModelError(
                path,
                f"expected a list of times, got {spike_times!r}",
                "write [1.0, 2.5] or one such list per cell",
            )
        if (
            isinstance(spike_times, (tuple, list))
            and spike_times
            and isinstance(spike_times[0], (list, tuple, np.ndarray, Array))
        ):
            trains = tuple(_train(t, f"{path}[{i}]") for i, t in enumerate(spike_times))
        else:
            trains = (_train(spike_times, path),)
        object.__setattr__(self, "spike_times", trains)

    def __repr__(self) -> str:
        return (
            f"SpikeSourceArray({len(self.spike_times)} train{'s' * (len(self.spike_times) != 1)}, "
            f"{sum(map(len, self.spike_times))} spikes)"
        )


def _train(times: Any, path: str) -> Array:
    read = value(times if isinstance(times, str) or len(times) else np.zeros(0), "ms", path)
    if not isinstance(read, Array):
        raise ModelError(path, f"expected a list of times, got {times!r}", "write [1.0, 2.5]")
    data = read.coherent()
    if data.size and data.min() <= 0:
        raise ModelError(
            path, f"spike times must be > 0 ms, got {data.min()} ms", "the first possible spike is at dt"
        )
    return read


@dataclass(frozen=True, init=False)
class SpikeSourcePoisson:
    """Independent Poisson spike trains.

    rate in Hz (one, or per cell), active from start (ms) for duration (ms; None = for ever). More than one
    spike of a cell in one step count as that many spikes with the same stamp.
    """

    rate: Annotated[Value, Values("Rate in Hz.", "Hz")]
    start: Annotated[Quantity, Amount("Active from this time (ms).", "ms")]
    duration: Annotated[Quantity | None, Amount("Active for this time (ms); left out, for ever.", "ms")]

    def __init__(self, rate: Any = 1.0, start: Any = 0.0, duration: Any = None) -> None:
        object.__setattr__(self, "rate", value(rate, "Hz", "SpikeSourcePoisson.rate"))
        if extremes(self.rate)[0] < 0:
            raise ModelError(
                "SpikeSourcePoisson.rate",
                f"must be 0 Hz or more, got {self.rate}",
                "bound the distribution with low=0, or give a positive rate",
            )
        object.__setattr__(self, "start", quantity(start, "ms", "SpikeSourcePoisson.start"))
        object.__setattr__(
            self,
            "duration",
            None if duration is None else quantity(duration, "ms", "SpikeSourcePoisson.duration"),
        )
        if self.start.value < 0 or (self.duration and self.duration.value < 0):
            raise ModelError(
                "SpikeSourcePoisson",
                f"start and duration must be >= 0 ms, got {self.start} and {self.duration}",
                "time starts at 0 ms",
            )


@dataclass(frozen=True, init=False)
class DCSource:
    """A constant current.

    In nA (one, or one per target cell), from start to stop (ms; None = for ever).
    """

    amplitude: Annotated[Value, Values("Current in nA, one or one per target cell.", "nA")]
    start: Annotated[Quantity, Amount("Switched on at (ms).", "ms")]
    stop: Annotated[Quantity | None, Amount("Switched off at (ms); left out, never.", "ms")]

    def __init__(self, amplitude: Any, start: Any = 0.0, stop: Any = None) -> None:
        object.__setattr__(self, "amplitude", value(amplitude, "nA", "DCSource.amplitude"))
        object.__setattr__(self, "start", quantity(start, "ms", "DCSource.start"))
        object.__setattr__(self, "stop", None if stop is None else quantity(stop, "ms", "DCSource.stop"))
        if self.start.value < 0 or (self.stop and self.stop.coherent() < self.start.coherent()):
            raise ModelError(
                "DCSource",
                f"needs 0 <= start <= stop, got {self.start} and {self.stop}",
                "time starts at 0 ms",
            )


@dataclass(frozen=True, init=False)
class StepCurrentSource:
    """A current that takes amplitudes[i] from times[i] on; 0 before."""

    times: Annotated[Array, Series("Times in ms, increasing.", "ms")]
    amplitudes: Annotated[Array, Series("Currents in nA.", "nA")]

    def __init__(self, times: Sequence[Any], amplitudes: Sequence[Any]) -> None:
        t, a = (
            value(times, "ms", "StepCurrentSource.times"),
            value(amplitudes, "nA", "StepCurrentSource.amplitudes"),
        )
        if not isinstance(t, Array) or not isinstance(a, Array):
            raise ModelError(
                "StepCurrentSource",
                f"times and amplitudes must be lists, got {t!r} and {a!r}",
                "for example [0, 100] and [0.1, 0.5]",
            )
        if len(t) != len(a):
            raise ModelError(
                "StepCurrentSource",
                f"times and amplitudes must be lists of one length, got {len(t)} and {len(a)}",
                "give each time its amplitude",
            )
        if len(t) and t.coherent()[0] < 0:
            raise ModelError(
                "StepCurrentSource.times", f"must be >= 0 ms, got {t.coherent()[0]} ms", "time starts at 0 ms"
            )
        if np.any(np.diff(t.coherent()) <= 0):
            raise ModelError("StepCurrentSource.times", "must increase", "sort them")
        object.__setattr__(self, "times", t)
        object.__setattr__(self, "amplitudes", a)


SPIKE_SOURCES = (SpikeSourceArray, SpikeSourcePoisson)
CURRENT_SOURCES = (DCSource, StepCurrentSource)
