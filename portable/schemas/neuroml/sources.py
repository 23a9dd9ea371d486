"""Components that only send spikes, or a rectangular current, as the sources that every backend has.
Recognised by their types' lineage; what they cannot say (recording their inner variables, other types) is
flattened like any cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from portable.dynamics.lems.instance import Builder, Instance
from portable.dynamics.lems.model import Component, Model
from portable.errors import ModelError
from portable.model.limits import MAX_MEAN
from portable.model.sources import SpikeSourceArray, SpikeSourcePoisson
from portable.schemas.neuroml.notes import Notes

LONGEST = 1e6  # s; what ends later, or begins later, does so never
Source = SpikeSourceArray | SpikeSourcePoisson
POISSON = (
    "draws its spikes as an exact Poisson process from the network's seed; jLEMS and NEURON draw "
    "theirs, at most one a step"
)


def spikes(builder: Builder, component: Component, dt: float, watched: bool, notes: Notes) -> Source | None:
    """A population's component as a source of spikes; None if it is anything else, or if its variables are
    recorded (`watched`).
    """
    if component.type == "spikeArray":
        return _array(builder, component, dt, notes)
    if watched:
        return None
    if component.type == "spikeGeneratorPoisson":
        rate = _rate(builder.build(component), "averageRate", dt)
        notes.append(str(component), POISSON)
        return SpikeSourcePoisson(f"{rate!r} Hz")
    if component.type == "SpikeSourcePoisson":
        made = builder.build(component)
        notes.append(str(component), POISSON)
        return _poisson(made, "rate", "start", dt)
    return None


def pulse(builder: Builder, component: Component, dt: float) -> tuple[float, float, float] | None:
    """(pA, start ms, stop ms) of a pulseGenerator, on the grid as LEMS tests t >= delay and t < delay +
    duration; None if it is none.
    """
    if component.type != "pulseGenerator":
        return None
    made = builder.build(component)
    delay, duration, amplitude = (_si(made, k) for k in ("delay", "duration", "amplitude"))
    if delay < 0 or duration < 0:
        raise ModelError(str(component), "delay and duration must be >= 0", "time starts at 0")
    if not math.isfinite(amplitude * 1e12):
        raise ModelError(
            str(component), f"amplitude: {amplitude:g} A is too large for a number", "is its unit right?"
        )
    return amplitude * 1e12, _up(delay, dt), _up(delay + duration, dt)


def into_synapse(
    model: Model, builder: Builder, component: Component, dt: float, notes: Notes
) -> tuple[Source, Component] | None:
    """The source and the synapse of an input that is spikes into a synapse of its own; None for any other
    input.
    """
    if component.type not in ("timedSynapticInput", "poissonFiringSynapse", "transientPoissonFiringSynapse"):
        return None
    synapse = model.component(component.attributes.get("synapse", ""), component.where, "the synapse")
    if component.type == "timedSynapticInput":
        return _array(builder, component, dt, notes), synapse
    made = builder.build(component)
    notes.append(str(component), POISSON)
    if component.type == "poissonFiringSynapse":
        return SpikeSourcePoisson(f"{_rate(made, 'averageRate', dt)!r} Hz"), synapse
    return _poisson(made, "averageRate", "delay", dt), synapse


def _array(builder: Builder, component: Component, dt: float, notes: Notes) -> SpikeSourceArray:
    scope = builder.scope
    spikes = [c for c in component.children if c.type == "spike"]
    times = np.array([scope.si(c.attributes.get("time", ""), "time", c.where, "time") for c in spikes])
    bad = np.flatnonzero((times < 0) | (times > LONGEST))
    if bad.size:
        raise ModelError(
            str(spikes[bad[0]]),
            f"time must be between 0 and {LONGEST:g} s, got {spikes[bad[0]].attributes.get('time')!r}",
            "time starts at 0",
        )
    steps = np.maximum(np.ceil(times * 1e3 / dt - 1e-6), 1.0)
    grid = np.round(steps * dt, 9)
    off = np.abs(grid - times * 1e3).max(initial=0.0)
    if off > 1e-9:
        why = f"spike times are on the grid of {dt:g} ms, the first step at or after them"
        notes.changed(str(component), why, float(off))
    return SpikeSourceArray(np.sort(grid).tolist())


def _rate(made: Instance, name: str, dt: float) -> float:
    """A rate in Hz. ModelError if it is negative, or more than the random numbers of a step can give."""
    rate = float(_si(made, name))
    if not 0 <= rate * dt * 1e-3 <= MAX_MEAN:
        raise ModelError(
            str(made.where),
            f"{name} must be between 0 and {MAX_MEAN:g} spikes a step of {dt:g} ms, got {rate:g} Hz",
            "give another rate, or a smaller step",
        )
    return rate


def _poisson(made: Instance, rate_name: str, start_name: str, dt: float) -> SpikeSourcePoisson:
    rate, start, duration = _rate(made, rate_name, dt), _si(made, start_name), _si(made, "duration")
    if start < 0 or duration < 0:
        raise ModelError(
            str(made.where),
            f"{start_name} and duration must be >= 0, got {start:g} s and {duration:g} s",
            "time starts at 0",
        )
    first, last = _up(start, dt), _up(start + duration, dt)
    return SpikeSourcePoisson(f"{rate!r} Hz", f"{first!r} ms", f"{round(last - first, 9)!r} ms")


def _up(seconds: float, dt: float) -> float:
    return round(math.ceil(min(seconds, LONGEST) * 1e3 / dt - 1e-6) * dt, 9)


def _si(made: Instance, name: str) -> Any:
    if name not in made.values:
        raise ModelError(str(made.where), made.missing.get(name, f"has no '{name}'"), f'write {name}="..."')
    return made.values[name]
