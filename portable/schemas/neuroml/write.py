"""Write a network as NeuroML: `pt.write_neuroml(net, "folder/")`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from portable.errors import ModelError
from portable.files import write_together
from portable.model.network import Network
from portable.model.settings import RunSettings
from portable.resolve import resolve
from portable.resolve.digest import model_hash
from portable.resolve.program import Approximation
from portable.schemas.neuroml.origin import as_written, for_run, network_only
from portable.schemas.neuroml.source import lems_source
from portable.schemas.neuroml.write_lems import SPLIT, LemsFiles, write_lems
from portable.schemas.written import Written
from portable.units import milliseconds

HDF5_ABOVE = 10_000  # connections


def write_neuroml(
    network: Network,
    folder: str | os.PathLike[str],
    *,
    simulation: bool = True,
    duration: Any = None,
    dt: Any = None,
    seed: int = 0,
    types: str = "auto",
    timing: str = "steps",
    inputs: str = "frozen",
    hdf5_above: int | None = HDF5_ABOVE,
    split: int = SPLIT,
    keep: bool = True,
) -> Written:
    """Write a network as NeuroML 2 with LEMS, for jNeuroML (`jnml LEMS_<name>.xml -nogui`) and whatever reads
    its files.

    The network is resolved with `seed` and written out: connections, drawn numbers, Poisson trains of
    `duration`. Its rules are kept too, in an annotation from which `read_neuroml` restores an equal Network
    (keep=False leaves it out).

    A network that was read from NeuroML and not changed since is written as it was read: its own types, notes
    and annotations, and its own Simulation unless duration or dt are given.

    simulation: also write the LEMS file that runs it for `duration` at `dt` (ms or "1 s"; left out, the
    network's settings, else 1 s and 0.1 ms) and records what the network records.
    types: "auto" uses NeuroML's own cells where jLEMS does the same with them and writes component types of
    our own for others; "core" uses them also where spikes move by a few steps; "custom" writes own types
    only. timing: "steps" writes times so that jLEMS at this dt spikes in the same steps as we do with forward
    Euler; "nominal" writes the model's numbers. inputs: "frozen" (the trains of this seed) or "native"
    Poisson sources.
    hdf5_above: with more connections the network goes into a .net.nml.h5, in float32 (None: never). split:
    where the cells of a population differ, write up to so many NeuroML populations for it.

    Connections that learn are written as synapse types of ours, onto cells of our own types whatever `types`
    says; with at most `split` different sets of parameters (and of delays, where a rule sees the target's
    spikes). A third factor, weights that drift and what is done every so often cannot be written.

    jNeuroML's export to NEURON can run what is written with types="core", timing="nominal" of IF_curr_* and
    IF_cond_* cells with a refractory period of two steps or more; our own types are not for it.

    All files appear whole or none does. Raises ModelError for what NeuroML cannot say, and what `resolve`
    raises.
    """
    if not isinstance(network, Network):
        raise ModelError("", f"expected a Network, got {network!r}", "pass the network itself")
    settings = network.settings or RunSettings()
    source = lems_source(network.origin)
    if (
        source is not None
        and duration is None
        and dt is None
        and simulation
        and source.digest == model_hash(network)
    ):
        return _saved(as_written(source), Path(folder))
    duration = duration if duration is not None else settings.duration or "1 s"
    dt = dt if dt is not None else settings.dt or "0.1 ms"
    step = milliseconds(dt, "dt")
    if step <= 0:
        raise ModelError("dt", f"must be > 0 ms, got {step} ms")
    steps = _steps(duration, step) if simulation else None
    program = resolve(network, seed, step)
    source = lems_source(program.origin)
    if source is not None:
        return _saved(
            for_run(source, program, steps) if steps is not None else network_only(source), Path(folder)
        )
    kept = network if keep else None
    made = write_lems(
        program,
        steps=steps,
        network=kept,
        types=types,
        timing=timing,
        inputs=inputs,
        split=split,
        hdf5_above=hdf5_above,
    )
    unwritten = tuple(
        Approximation(
            f"recordings of projection '{r.synapses.projection}'",
            ", ".join(r.variables),
            "nothing",
            "all of it",
            "what connections have is not written into the Simulation",
        )
        for r in network.recordings
        if r.synapses is not None and simulation
    )
    return _saved(replace(made, approximations=(*made.approximations, *unwritten)), Path(folder))


def _saved(made: LemsFiles, target: Path) -> Written:
    save(made, target)
    main = made.main or next((n for n in made.files if n.endswith((".net.nml", ".nml.h5"))), made.network)
    return Written(target, tuple(made.files), main, made.approximations)


def _steps(duration: Any, dt: float) -> int:
    value = milliseconds(duration, "duration")
    steps = round(value / dt)
    if value < 0 or abs(steps * dt - value) > 1e-6 * dt * max(1, steps) ** 0.5:
        raise ModelError(
            "duration",
            f"must be a whole number of steps of {dt:g} ms, got {value:g} ms",
            f"for example {max(1, steps) * dt:g} ms",
        )
    return steps


def save(made: LemsFiles, folder: Path) -> None:
    """Write the files into a folder, which is made where it is not there. All are complete before the first
    gets its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_together({folder / name: data for name, data in made.files.items()})
