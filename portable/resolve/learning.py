"""What connections that learn carry besides weight and delay: parameters and states of their rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.synapse import WEIGHT, Rule
from portable.errors import ModelError
from portable.model.network import Projection
from portable.model.synapses import PlasticSynapse
from portable.resolve import attributes
from portable.resolve.attributes import Attribute, Numbers
from portable.resolve.grid import one_on_grid
from portable.resolve.program import Approximation, PerCell, Plasticity
from portable.resolve.sides import Pattern
from portable.units import coherent_unit, shift, unit


def carried(
    synapse: PlasticSynapse, pattern: Pattern, path: str, owner: tuple[int, str]
) -> dict[str, Attribute]:
    """The numbers of parameters, and of states that are given a start, by name."""
    out = {
        n: attributes.plain(v, pattern, f"{path}.{n}", (*owner, f"parameter {n}"))
        for n, v in synapse.parameters.items()
    }
    for n, v in synapse.initial.items():
        out[n] = attributes.plain(v, pattern, f"{path}.initial['{n}']", (*owner, f"initial {n}"))
    return out


def plasticity(
    synapse: PlasticSynapse,
    values: Mapping[str, float | int | Numbers],
    weights: Any,
    delays: Any,
    path: str,
    dt: float,
) -> tuple[Plasticity, list[Approximation]]:
    """The rule with its numbers, checked. values: those of `carried`, in the connections' order."""
    rule = synapse.rule
    parameters = {p.name: _per_connection(values[p.name]) for p in rule.parameters}
    for p in rule.parameters:
        numbers = np.atleast_1d(parameters[p.name])
        bad = np.flatnonzero((p.positive & (numbers <= 0.0)) | (p.nonnegative & (numbers < 0.0)))
        if bad.size:
            sign, own = ">" if p.positive else ">=", coherent_unit(p.dimension)
            raise ModelError(
                f"{path}.{p.name}[{bad[0]}]",
                f"must be {sign} 0 {own}, got {numbers[bad[0]]:g}",
                "give the distribution a bound low=",
            )
    with np.errstate(all="ignore"):
        initial = {
            s.name: _per_connection(values[s.name] if s.name in values else evaluate(s.initial, parameters))
            for s in rule.own
        }
    _bounded(rule, parameters, weights, path)
    steps, notes = dendritic(synapse.dendritic_delay_fraction, delays, path, dt)
    return Plasticity(rule, parameters, initial, steps), notes


def _per_connection(x: Any) -> PerCell:
    return float(x) if np.ndim(x) == 0 else np.asarray(x, dtype=np.float64)


def _bounded(rule: Rule, parameters: Mapping[str, PerCell], weights: Any, path: str) -> None:
    """ModelError if a weight starts outside its bounds: the rule would move it there at the first spike."""
    if apart := outside(rule, parameters, weights):
        raise ModelError(
            f"{path}.weight",
            f"{apart[0]:g} {rule.weight_unit} is outside the bounds of '{rule.name}' (the nearest is "
            f"{apart[1]:g})",
            "change the weight, or the rule's bounds",
        )


def outside(rule: Rule, parameters: Mapping[str, PerCell], weights: Any) -> tuple[float, float] | None:
    """The first weight that its rule's bounds move, and where to, in the rule's unit; None: there is none."""
    given = np.atleast_1d(np.asarray(weights, dtype=np.float64))
    if not given.size:
        return None
    kept = np.atleast_1d(evaluate(rule.clipped_name(), {**parameters, WEIGHT: given}))
    apart = np.flatnonzero(np.abs(kept - given) > 1e-9 * np.abs(given))
    if not apart.size:
        return None
    i, power = int(apart[0]), unit(rule.weight_unit).coherent_power
    first, bound = (float(shift(x[min(i, x.size - 1)], -power)) for x in (given, kept))
    return first, bound


def signalled(made: Plasticity, p: Projection, key: int, path: str, dt: float) -> Plasticity:
    """The same with its third factor, and the stream of what it draws."""
    made = replace(made, key=key if made.rule.draws() else 0)
    if p.signal_delay is None:
        return made
    steps = one_on_grid(p.signal_delay.coherent(), dt, f"{path}.signal_delay", least=1)
    return replace(made, signal=p.signal[0].population.name, signal_delay=steps)


def dendritic(fraction: float, delays: Any, path: str, dt: float) -> tuple[int | Any, list[Approximation]]:
    """Whole dendritic steps of each delay: at least one, since what a spike of the target does cannot
    depend on the arrival that causes it.
    """
    if fraction == 1.0:
        return delays, []
    whole = np.asarray(delays, dtype=np.float64)
    steps = np.clip(np.rint(fraction * whole), 1, np.maximum(whole, 1))
    error = float(np.abs(steps - fraction * whole).max(initial=0.0))
    notes = []
    if error > 1e-9:
        notes.append(
            Approximation(
                f"{path}.dendritic_delay_fraction",
                f"{fraction:g} of the delay",
                "whole steps, at least one",
                f"{error * dt:g} ms",
                "delays are whole steps",
            )
        )
    if np.ndim(delays) == 0:
        return int(steps), notes
    return steps.astype(delays.dtype), notes
