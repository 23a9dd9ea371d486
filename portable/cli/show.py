"""`portable show`: what a model is, without running it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portable.cli import text
from portable.cli.model import Model
from portable.errors import ModelError
from portable.model.cells import Cell
from portable.model.network import All, Network, Population, Projection, Record, Synapses, View
from portable.model.synapses import PlasticSynapse
from portable.model.values import Array, Clipped, Lognormal, Normal, Uniform
from portable.options import step_size
from portable.prediction import Prediction
from portable.prediction import predict as predicted
from portable.resolve import Estimate, estimate


def show(
    model: Model,
    options: Mapping[str, Any],
    *,
    dt: str,
    predict: bool,
    mean_rate: str | None,
    duration: str,
    backend: str,
    plot: str | None,
    as_json: bool,
) -> int:
    """Sizes, synapse counts, memory, parameters; a prediction with --predict, a drawing with --plot."""
    network = model.build(options, {"dt": dt})
    found = estimate(network, step_size(dt))
    if mean_rate is not None and not predict:
        raise ModelError("--mean-rate", f"{mean_rate} is of a prediction", "give --predict too")
    expected = predicted(network, backend, duration, dt, rate=mean_rate) if predict else None
    if as_json:
        foreseen = {} if expected is None else {"prediction": foretold(expected)}
        text.as_json({**described(network, found), **foreseen})
    else:
        report(network, found, model.about)
        if expected is not None:
            text.say(f"\n{expected}")
    if plot:
        from portable.pictures.drawing import draw_network

        path = Path(f"{model.path.stem}_network.png") if plot == "auto" else Path(plot)
        draw_network(network, path, dt=step_size(dt))
        text.warn(f"drawn {path}")
    return 0


def foretold(p: Prediction) -> dict[str, Any]:
    """A prediction as plain data: bytes, seconds, Hz, ms. run_seconds: null without a rate."""
    return {
        "backend": p.backend,
        "duration": p.duration,
        "rate": p.rate,
        "peak_bytes": p.peak_bytes,
        "threads": [
            {
                "threads": t.threads,
                "resolve_seconds": t.resolve,
                "build_seconds": t.build,
                "seconds_each_second": t.silent,
                "seconds_each_second_and_hz": t.each_hz,
                "run_seconds": None if p.rate is None else p.run_seconds(t.threads),
            }
            for t in p.times
        ],
        "left_out": list(p.left_out),
    }


def described(network: Network, found: Estimate) -> dict[str, Any]:
    """The model as plain data, for machines."""
    populations = [
        {
            "name": p.name,
            "size": p.size,
            "cell": kind(p),
            "parameters": {k: shown(v) for k, v in parameters(p).items() if v is not None},
            "initial": {k: shown(v) for k, v in p.initial.items()},
        }
        for p in network.populations
    ]
    projections = [
        {
            "name": p.name,
            "connector": repr(p.connector),
            "receptor": p.receptor,
            "weight": shown(p.synapse.weight),
            "delay": shown(p.synapse.delay),
            "synapses": found.synapses[p.name],
            **({"learning": learning(p, p.synapse)} if isinstance(p.synapse, PlasticSynapse) else {}),
        }
        for p in network.projections
    ]
    memory = {
        "program_bytes": found.program_bytes,
        "resolve_bytes": found.resolve_bytes,
        "native_bytes": found.native_bytes,
    }
    return {
        "version": 1,
        "network": network.name,
        "neurons": found.neurons,
        "synapses": found.total_synapses,
        "memory": memory,
        "populations": populations,
        "projections": projections,
        "inputs": [
            {
                "source": type(i.source).__name__,
                "values": {k: shown(v) for k, v in _fields(i.source).items() if v is not None},
                "target": _views(i.target),
            }
            for i in network.inputs
        ],
        **(
            {
                "links": [
                    {
                        "name": x.name,
                        "source": x.source.name,
                        "variable": x.variable,
                        "target": x.target.name,
                        "input": x.input,
                        "couplings": len(x),
                    }
                    for x in network.links
                ]
            }
            if network.links
            else {}
        ),
        "recordings": [
            {**_target(r), "variables": list(r.variables), "interval": shown(r.interval)}
            for r in network.recordings
        ],
    }


def report(network: Network, found: Estimate, about: str) -> None:
    """The model for people."""
    text.heading(network.name)
    if about:
        text.say(about.split("\n\n")[0] + "\n")
    text.table(
        ("population", "cells", "type", "starting values"),
        [(p.name, p.size, kind(p), _listed(p.initial)) for p in network.populations],
    )
    for label, names, values in _by_type(network):
        text.say(f"{label} ({', '.join(names)}): {values}")
    text.say()
    rows = [
        (
            p.name,
            connector(p),
            shown(p.synapse.weight),
            shown(p.synapse.delay),
            found.synapses[p.name],
            found.synapses[p.name] / sum(len(v) for v in p.post),
        )
        for p in network.projections
    ]
    if rows:
        text.table(("projection", "connector", "weight", "delay", "synapses", "in-degree"), rows)
    learn = [
        (p.name, p.synapse.type.name, _listed(_rule(p, p.synapse)))
        for p in network.projections
        if isinstance(p.synapse, PlasticSynapse)
    ]
    if learn:
        text.table(("learns", "rule", "parameters"), learn)
        text.say("portable rules shows the library's rules in full\n")
    if network.inputs:
        text.table(
            ("current", "values", "into"),
            [(type(i.source).__name__, _listed(_fields(i.source)), _views(i.target)) for i in network.inputs],
        )
    if network.links:
        text.table(
            ("link", "reads", "into", "couplings"),
            [
                (x.name, f"{x.source.name}.{x.variable}", f"{x.target.name}.{x.input}", len(x))
                for x in network.links
            ],
        )
    recorded: dict[str, list[str]] = {}
    for r in network.recordings:
        every = f" every {shown(r.interval)}" if r.interval else ""
        recorded.setdefault(f"{', '.join(r.variables)}{every}", []).append(
            _views(r.target) if r.synapses is None else _connections(r.synapses)
        )
    for what, targets in recorded.items():
        text.say(f"records {what} of {', '.join(targets)}")
    text.say(f"\n{found.neurons:,} cells, {found.total_synapses:,} synapses")
    text.say(
        f"memory (estimated): network {text.size(found.program_bytes)}, at most "
        f"{text.size(found.resolve_bytes)} while it is drawn, native engine {text.size(found.native_bytes)}"
    )


def learning(p: Projection, s: PlasticSynapse) -> dict[str, Any]:
    """How connections learn, as plain data."""
    return {
        "rule": s.type.name,
        "parameters": {k: shown(v) for k, v in s.parameters.items()},
        "initial": {k: shown(v) for k, v in s.initial.items()},
        "dendritic_delay_fraction": s.dendritic_delay_fraction,
        **({"signal": _views(p.signal), "signal_delay": shown(p.signal_delay)} if p.signal else {}),
    }


def _rule(p: Projection, s: PlasticSynapse) -> dict[str, Any]:
    """What a rule is told, by name; the delay's parts where it has two."""
    axonal = s.dendritic_delay_fraction != 1.0
    more = {"dendritic_delay_fraction": s.dendritic_delay_fraction} if axonal else {}
    initial = {f"initial {k}": v for k, v in s.initial.items()}
    third = {"signal": _views(p.signal), "signal_delay": p.signal_delay} if p.signal else {}
    return {**s.parameters, **initial, **more, **third}


def _target(r: Record) -> dict[str, str]:
    if r.synapses is None:
        return {"target": _views(r.target)}
    sides = {"pre": r.synapses.pre, "post": r.synapses.post}
    return {
        "projection": r.synapses.projection,
        **{k: _views(views) for k, views in sides.items() if views is not None},
    }


def _connections(s: Synapses) -> str:
    """ "projection 'forward' from exc[:3]"."""
    start = "" if s.pre is None else f" from {_views(s.pre)}"
    return f"projection '{s.projection}'{start}" + ("" if s.post is None else f" to {_views(s.post)}")


def kind(p: Population) -> str:
    return p.cell.type.name if isinstance(p.cell, Cell) else type(p.cell).__name__


def parameters(p: Population) -> Mapping[str, Any]:
    """The parameters of a population's cells or sources."""
    return p.cell.parameters if isinstance(p.cell, Cell) else _fields(p.cell)


def _fields(node: Any) -> dict[str, Any]:
    return {k: getattr(node, k) for k in node.__dataclass_fields__}


def _by_type(network: Network) -> list[tuple[str, list[str], str]]:
    """(type, populations, parameters), populations with the same parameters together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for p in network.populations:
        groups.setdefault((kind(p), _listed(parameters(p))), []).append(p.name)
    return [(label, names, values) for (label, values), names in groups.items()]


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} = {shown(v)}" for k, v in values.items() if v is not None)


def _views(side: tuple[View, ...]) -> str:
    return ", ".join(v.population.name if v.index == All else repr(v) for v in side)


def connector(p: Projection) -> str:
    """The connector in few words: FixedInDegree(n=800)."""
    c = p.connector
    values = {k: getattr(c, k) for k in c.__dataclass_fields__}
    defaults = {k: f.default for k, f in c.__dataclass_fields__.items()}
    told = [
        f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}"
        for k, v in values.items()
        if v != defaults[k] and not isinstance(v, Array)
    ]
    return f"{type(c).__name__}({', '.join(told)})"


def shown(v: Any) -> str:
    """A value in few words: "20 ms", "normal 1.5 ± 0.75 ms, from 0.1 ms"."""
    match v:
        case None:
            return "-"
        case Array():
            return (
                f"{len(v)} values, {v.values.min():g} to {v.values.max():g} {v.unit}"
                if len(v)
                else "no values"
            )
        case Uniform(low, high):
            return f"uniform {shown(low)} to {shown(high)}"
        case Normal(mean, sd, low, high) | Lognormal(mean, sd, low, high):
            name = "normal" if isinstance(v, Normal) else "lognormal"
            bounds = (f", from {shown(low)}" if low is not None else "") + (
                f", up to {shown(high)}" if high is not None else ""
            )
            return f"{name} {shown(mean)} ± {shown(sd)}{bounds}"
        case Clipped(of, low, high):
            return f"{shown(of)} clipped to {shown(low)} ... {shown(high)}"
        case tuple():
            return f"{len(v)} trains" if len(v) != 1 else "1 train"
    unit, number = getattr(v, "unit", "1"), getattr(v, "value", v)
    return f"{number:g}" + ("" if unit == "1" else f" {unit}") if isinstance(number, (int, float)) else str(v)
