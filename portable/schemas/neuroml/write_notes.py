"""What an export is not, compared with the model: the approximations that hold for the whole of it."""

from __future__ import annotations

from collections.abc import Iterator

from portable.dynamics.random_calls import draws
from portable.resolve.program import Approximation, CellGroup, Program
from portable.schemas.neuroml.write_core import NEAR


def notes(program: Program, core: list[str], early: float) -> Iterator[Approximation]:
    """core: the groups written as NeuroML's own cells. early: the steps that times are written early; 0 for
    the model's numbers.
    """
    where = f"network '{program.name}'"
    yield Approximation(
        "cells",
        "each cell's method",
        "forward Euler at dt",
        "of the order of dt",
        "jLEMS knows no other; NEURON, made from these files, has its own",
    )
    if early:
        shifted = "NeuroML's synapses act one step before ours, and its refractory cells leave one step after"
        if core:
            changed = (
                "delays one step longer, refractory periods half a step shorter in the file, for "
                f"{', '.join(core)}"
            )
            yield Approximation(
                where,
                "delays and refractory periods of the model",
                changed,
                "none in jLEMS at this dt; up to one step elsewhere",
                shifted,
            )
        late = "jLEMS adds up its clock, so a time on the grid may come a step late"
        yield Approximation(
            where, "times on the grid", f"times and delays {early:g} steps early", "none at this dt", late
        )
    else:
        error = "one step in delays, refractory periods and currents"
        yield Approximation(
            where,
            "steps as in ARCHITECTURE.md",
            "the model's numbers, as jLEMS takes them",
            error,
            'timing="nominal" was asked for',
        )
    for g in program.cells:
        yield from _cells(g, g.name in core)


def _cells(g: CellGroup, core: bool) -> Iterator[Approximation]:
    where = f"population '{g.name}'"
    if core:
        yield Approximation(
            where,
            "a spike where v >= v_thresh",
            "where v > v_thresh",
            "none unless v meets the threshold to the last bit",
            "NeuroML's cells test it so",
        )
    if core and {"CurrAlpha", "CondAlpha"} & set(g.flat.receptors.values()):
        yield Approximation(
            where,
            "e = 2.718281828...",
            "2.7182818 in NeuroML's alpha synapses",
            "1.1e-8 of every weight",
            "it is written so in PyNN.xml",
        )
    if core and g.flat.base in NEAR:
        got, error = (
            "v reaches NeuroML's synapses one step later",
            "of the order of dt, summed up from spike to spike",
        )
        yield Approximation(
            where, "synapses read v of the step before", got, error, 'types="core" was asked for'
        )
    if draws(a.expr for block in (g.flat.conditions, g.flat.ports) for x in block for a in x.assignments):
        got, error = "random() drawn by the simulator", "other draws of the same distribution"
        yield Approximation(
            where, "the random numbers of this seed", got, error, "LEMS has a stream of its own"
        )
