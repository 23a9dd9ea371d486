"""What a network will take, before anything of it is built."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portable.backends import registry
from portable.backends.contract import Foreseen, Foresees, Times
from portable.errors import ModelError
from portable.model.network import Network
from portable.options import run_time, step_size, time_step
from portable.resolve import Estimate, estimate
from portable.resolve.estimate import GIB
from portable.units import milliseconds, quantity


@dataclass(frozen=True)
class Prediction:
    """What a backend is expected to take for a network on this machine.

    times: seconds with one thread and with as many as a run takes by itself (`Times`).
    duration: biological ms of the run; rate: mean rate of all cells in Hz, None where the user did not say.
    left_out: what of the network is not counted.
    """

    network: str
    backend: str
    dt: float
    sizes: Estimate
    foreseen: Foreseen
    duration: float
    rate: float | None = None

    @property
    def times(self) -> tuple[Times, ...]:
        return self.foreseen.times

    @property
    def left_out(self) -> tuple[str, ...]:
        return self.foreseen.left_out

    @property
    def peak_bytes(self) -> int:
        """Peak resident memory of a process that builds and runs the network; without its recorded spikes
        where no rate is given.
        """
        f, seconds = self.foreseen, self.duration / 1000.0
        spikes = (self.rate or 0.0) * seconds * f.recorded
        return int(f.base + f.each_spike * spikes + f.each_second * seconds)

    def run_seconds(self, threads: int | None = None, rate: float | None = None) -> float:
        """Seconds of the run: with one of the numbers of threads of `times` (the last if None), at `rate` Hz
        (the prediction's own, else 0).
        """
        chosen = self.times[-1] if threads is None else next(p for p in self.times if p.threads == threads)
        return chosen.run(rate if rate is not None else self.rate or 0.0, self.duration / 1000.0)

    def __str__(self) -> str:
        known = "without the spikes that it records" if self.rate is None else f"at {self.rate:g} Hz"
        lines = [
            f"{self.network} on {self.backend}: {self.sizes.neurons:,} cells and sources, "
            f"{self.sizes.total_synapses:,} synapses; predicted for this machine, dt {self.dt:g} ms",
            f"memory: {self.peak_bytes / GIB:.2f} GiB at most, {known}",
        ]
        for t in self.times:
            many = f"{t.threads} thread{'s' * (t.threads > 1)}"
            lines.append(
                f"{many}: {_short(t.resolve + t.build)} to build ({_short(t.resolve)} to draw the network); "
                f"each biological second {_short(t.silent)}, and {_short(t.each_hz)} more for each Hz of rate"
            )
            if self.rate is not None:
                seconds = _short(t.run(self.rate, self.duration / 1000.0))
                lines.append(f"{' ' * len(many)}  {seconds} to run {self.duration:g} ms at {self.rate:g} Hz")
        return "\n".join([*lines, *(f"not counted: {x}" for x in self.left_out)])


def _short(seconds: float) -> str:
    """Two digits, in the unit that suits."""
    for unit, factor in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= 2 * factor or (unit == "s" and seconds >= 0.2):
            return f"{float(f'{seconds / factor:.2g}'):g} {unit}"
    return f"{float(f'{seconds / 1e-3:.2g}'):g} ms"


def predict(
    network: Network,
    backend: str = registry.DEFAULT,
    duration: Any = None,
    dt: Any = None,
    *,
    rate: Any = None,
    tell: Callable[[str], object] | None = None,
) -> Prediction:
    """Memory, and time to build and to run, from the network's declaration: nothing is built, so a network
    of 10^9 synapses is predicted at once.

    duration, dt: as in `run`. rate: mean rate of all cells, a number in Hz or "5 Hz"; how many spikes there
    will be is not known before a run, so without it the time is given as so much for each biological second
    and so much more for each Hz.
    The first prediction on a machine measures its processor for a minute or less, the first of a type of
    cells that type for a second; both are kept in the cache folder. `tell` gets a line for each stage of it
    (default: lines on standard error).

    Times are those of a new process whose compiled code is kept, on a machine with nothing else to do.
    ModelError where the backend predicts nothing; BackendNotFound.
    """
    if not isinstance(network, Network):
        raise ModelError("network", f"expected a Network, got {network!r}")
    adapter = registry.get(backend)
    if not isinstance(adapter, Foresees):
        able = ", ".join(n for n in registry.names() if isinstance(registry.get(n), Foresees))
        raise ModelError("backend", f"'{backend}' cannot say what a network takes", f"these can: {able}")
    mean = None if rate is None else _rate(rate)
    step = step_size(time_step(network, dt))
    length = milliseconds(run_time(network, duration), "duration")
    if length < 0:
        raise ModelError("duration", f"must be >= 0 ms, got {length:g} ms", 'for example "1 s"')
    found = adapter.foresee(network, step, tell or _said)
    return Prediction(network.name, backend, step, estimate(network, step), found, length, mean)


def _rate(given: Any) -> float:
    """Hz, checked."""
    hz = 1000.0 * quantity(given, "Hz", "rate").coherent()
    if not 0.0 <= hz < math.inf:
        raise ModelError("rate", f"must be >= 0 Hz, got {hz:g} Hz", "give the mean over all cells")
    return hz


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
