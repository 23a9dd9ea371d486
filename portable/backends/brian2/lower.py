"""Program -> Brian2Plan: populations of one kind joined, synapses by target and port, inputs, and the numbers
of every cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from portable.backends.brian2.code import generate, summed
from portable.backends.brian2.pathways import learned
from portable.backends.brian2.plan import (
    Brian2Plan,
    Code,
    Drive,
    Layer,
    Member,
    Neurons,
    Part,
    Source,
    Synapse,
    joined,
    mangled,
)
from portable.backends.contract import Lowered, RunConfig
from portable.backends.placement import Place, Placement
from portable.dynamics.evaluate import evaluate
from portable.dynamics.flat import Flat
from portable.dynamics.linear import linear, propagator, structure
from portable.dynamics.methods import Method, choose
from portable.dynamics.steps import local, quantities
from portable.resolve.program import (
    Approximation,
    CellGroup,
    Connections,
    Coupling,
    Current,
    Ints,
    PerCell,
    PoissonGroup,
    Program,
    TrainGroup,
)
from portable.units import Floats

LONGEST = 2**31 - 1
_NO_CODE = Code((), (), (), (), {}, False, False)


def lower(program: Program, config: RunConfig) -> Lowered:
    """Pure. Populations with the same flat form become one NeuronGroup, so a network compiles and steps as
    few objects as a hand-written script would."""
    methods = {g.name: choose(g.flat, config.integrator) for g in program.cells}
    cells = tuple(
        _cells(f"pt_cells_{i}", groups, methods[groups[0].name], program)
        for i, groups in enumerate(_alike(program.cells, methods))
    )
    drives, rest = _drives(program, cells)
    inputs = _inputs(program, config, rest)
    cells = tuple(_driven(c, drives, inputs) for c in cells)
    sources = _sources(program, rest)
    cells = tuple(_with_code(c, program) for c in cells)
    joint: tuple[Neurons | Source, ...] = (*cells, *sources)
    places = {m.name: Place(x.name, m.offset, m.size) for x in joint for m in x.members}
    synapses = _synapses(rest, cells, places, program.dt)
    target = str(config.options.get("target", "auto"))
    alone = target == "cpp_standalone" and any(s.learning for s in synapses)
    plan = Brian2Plan(
        program.name,
        program.dt,
        program.seed,
        cells,
        sources,
        synapses,
        program.spikes,
        program.traces,
        Placement(places, program.dt, program.spikes),
        inputs,
        target,
        1 if alone else config.threads,
        program.groups,
        _links(program, places),
    )
    return Lowered(
        plan,
        (*_approximations(config, inputs), *_orders(synapses, cells), *(_alone(config) if alone else ())),
        {n: m.described for n, m in methods.items()},
    )


def _alike(groups: Iterable[CellGroup], methods: Mapping[str, Method]) -> list[list[CellGroup]]:
    found: dict[tuple[str, Method], list[CellGroup]] = {}
    for g in groups:
        found.setdefault((g.flat.text(), methods[g.name]), []).append(g)
    return list(found.values())


def _members(groups: Iterable[CellGroup | PoissonGroup | TrainGroup]) -> tuple[Member, ...]:
    out, offset = [], 0
    for g in groups:
        out.append(Member(g.name, offset, g.size, g.key if isinstance(g, CellGroup) else 0))
        offset += g.size
    return tuple(out)


def _cells(name: str, groups: list[CellGroup], method: Method, program: Program) -> Neurons:
    flat, members = groups[0].flat, _members(groups)
    refractory: int | Ints = 0
    if flat.refractory:
        steps = joined([(np.asarray(g.refractory, dtype=np.float64), g.size) for g in groups])
        refractory = within(np.asarray(steps))
    return Neurons(
        name, sum(g.size for g in groups), flat, method, members,
        {p.name: joined([(g.parameters[p.name], g.size) for g in groups]) for p in flat.parameters},
        {s: joined([(g.initial[s], g.size) for g in groups]) for s in flat.state_names},
        refractory, _NO_CODE, _currents(program, members), (),
    )  # fmt: skip


def within(steps: Ints | Floats) -> int | Ints:
    """Refractory steps as Brian2's 32-bit integers hold them: a period of more than 2^31 - 1 steps outlasts
    any run, as the longest one does.
    """
    whole = np.minimum(np.asarray(steps), LONGEST).astype(np.int64)
    return int(whole) if whole.ndim == 0 else whole


def _currents(program: Program, members: tuple[Member, ...]) -> tuple[Current, ...]:
    offset = {m.name: m.offset for m in members}
    return tuple(replace(c, ids=c.ids + offset[c.group]) for c in program.currents if c.group in offset)


def _drives(program: Program, cells: tuple[Neurons, ...]) -> tuple[list[Drive], list[Connections]]:
    """Poisson drive one to one is handed over as counts per step and cell; every other connection becomes
    synapses.
    """
    drives, rest = [], []
    for c in program.connections:
        pre = program.group(c.pre)
        target = next((m for x in cells for m in x.members if m.name == c.post), None)
        flat = next((x.flat for x in cells if target in x.members), None)
        port = flat.port(c.port) if flat else None
        direct = (
            c.learning is None
            and c.one_to_one
            and isinstance(pre, PoissonGroup)
            and isinstance(c.delays, (int, np.integer))
        )
        if (
            direct
            and target
            and flat
            and port
            and summed(port, flat) is not None
            and isinstance(pre, PoissonGroup)
        ):
            weights = float(c.weights) if np.ndim(c.weights) == 0 else np.asarray(c.weights, dtype=np.float64)
            drives.append(Drive(pre, target, c.port, weights, int(np.asarray(c.delays))))
        else:
            rest.append(c)
    return drives, rest


def _inputs(program: Program, config: RunConfig, rest: list[Connections]) -> dict[str, str]:
    """Brian2 draws a Poisson population itself where it only drives cells one to one and nobody records
    it.
    """
    shared = {c.pre for c in rest} | set(program.spikes)
    shared |= {c.learning.signal for c in rest if c.learning}
    native = {
        g.name
        for g in program.groups
        if isinstance(g, PoissonGroup) and g.name not in shared and config.inputs == "native"
    }
    return {
        g.name: "given" if isinstance(g, TrainGroup) else "native" if g.name in native else "frozen"
        for g in program.groups
        if not isinstance(g, CellGroup)
    }


def _driven(cells: Neurons, drives: list[Drive], inputs: Mapping[str, str]) -> Neurons:
    """The cells with their drives: handed over, or in layers that Brian2 draws."""
    mine = [d for d in drives if cells.member(d.target.name) is d.target]
    layers: list[Layer] = []
    for d in (d for d in mine if inputs[d.source.name] == "native"):
        free = next(
            (
                i
                for i, x in enumerate(layers)
                if x.port == d.port and all(o.target is not d.target for o in x.drives)
            ),
            None,
        )
        if free is None:
            layers.append(Layer(d.port, (d,)))
        else:
            layers[free] = Layer(d.port, (*layers[free].drives, d))
    return replace(
        cells, drives=tuple(d for d in mine if inputs[d.source.name] != "native"), layers=tuple(layers)
    )


def drive_numbers(cells: Neurons, rates: Mapping[str, PerCell], dt: float) -> dict[str, PerCell]:
    """weight_i, mean_i (spikes a step), on_i and off_i (first update and first no more) of every layer i.
    `rates` in 1/ms by population.
    """
    out: dict[str, PerCell] = {}
    for i, layer in enumerate(cells.layers):
        parts: dict[str, list[tuple[PerCell, int]]] = {"weight": [], "mean": [], "on": [], "off": []}
        by_target = {d.target.name: d for d in layer.drives}
        for m in cells.members:
            d = by_target.get(m.name)
            stop = None if d is None else d.source.stop
            parts["weight"].append((d.weights if d else 0.0, m.size))
            parts["mean"].append((np.asarray(rates[d.source.name]) * dt if d else 0.0, m.size))
            parts["on"].append((float(d.source.start + d.delay) if d else 0.0, m.size))
            parts["off"].append((float(stop + d.delay) if d and stop is not None else 1e18, m.size))
        out |= {f"{k}_{i}": joined(v) for k, v in parts.items()}
    return out


def _sources(program: Program, rest: list[Connections]) -> tuple[Source, ...]:
    used = {c.pre for c in rest if c.count}  # without a connection nothing reads its spikes
    groups = tuple(g for g in program.groups if not isinstance(g, CellGroup) and g.name in used)
    return (Source("pt_source", sum(g.size for g in groups), _members(groups), groups),) if groups else ()


def _with_code(cells: Neurons, program: Program) -> Neurons:
    names = {m.name for m in cells.members}
    used = {c.port for c in program.connections if c.post in names}
    ports = tuple(p.name for p in cells.flat.ports if p.name in used)
    linked = tuple(
        n for n in cells.flat.inputs if any(c.input == n and c.target in names for c in program.links)
    )
    code = generate(
        cells.flat,
        cells.method,
        program.dt,
        ports,
        bool(cells.currents),
        tuple(x.port for x in cells.layers),
        linked,
    )
    return replace(cells, code=code)


def _links(program: Program, places: Mapping[str, Place]) -> tuple[Coupling, ...]:
    out = []
    for c in program.links:
        source, target = places[c.source], places[c.target]
        ends = c.pre + source.first, c.post + target.first
        out.append(Coupling(source.space, c.variable, target.space, c.input, *ends))
    return tuple(out)


def _synapses(
    rest: list[Connections], cells: tuple[Neurons, ...], places: Mapping[str, Place], dt: float
) -> tuple[Synapse, ...]:
    table: dict[tuple[str, str, str, str], list[Part]] = {}
    for c in rest:
        if c.count:
            pre, post = places[c.pre], places[c.post]
            rule = c.learning.rule.text() + " ".join(c.learning.parameters) if c.learning else ""
            table.setdefault((pre.space, post.space, c.port, rule), []).append(Part(c, pre.first, post.first))
    out = []
    for i, ((source, target, port, rule), parts) in enumerate(table.items()):
        code, flat = next((x.code, x.flat) for x in cells if x.name == target)
        weights = {
            float(p.connections.weights) if np.ndim(p.connections.weights) == 0 else None for p in parts
        }
        delays = {int(d) if np.ndim(d := p.connections.delays) == 0 else None for p in parts}
        on_pre = code.events.get(port, (f"{mangled('in', port)}_post += w",))
        out.append(
            Synapse(
                f"pt_synapses_{i}",
                source,
                target,
                port,
                on_pre,
                tuple(parts),
                None if rule else _only(weights),
                _only(delays),
                [p.name for p in flat.ports].index(port),
                learned(tuple(parts), on_pre, port in code.events, dt) if rule else None,
            )
        )
    return tuple(out)


def _only(found: set[Any]) -> Any:
    return next(iter(found)) if len(found) == 1 else None


def numbers(cells: Neurons, parameters: Mapping[str, PerCell], dt: float) -> dict[str, PerCell]:
    """Value of every name in cells.code.values (and steps_left), for these parameters: one float, or one per
    cell.
    """
    values: dict[str, PerCell] = dict(parameters)
    for d in cells.flat.constants:
        values[d.name] = evaluate(d.expr, values)
    out = {mangled("p", n): v for n, v in values.items() if mangled("p", n) in cells.code.values}
    if cells.code.function:
        found = quantities(cells.flat, cells.method, values, dt)
        out |= {local(n): v for n, v in found.items() if local(n) in cells.code.values}
    if cells.method.name == "exact":
        out |= _propagators(cells, values, dt)
    return out | (_random_keys(cells) if "cell" in cells.code.values else {})


def _random_keys(cells: Neurons) -> dict[str, PerCell]:
    """What random() is a function of besides the step: the population's key in two halves, that a float64
    holds, and the position in it.
    """
    keys = [(float(m.key & 0xFFFFFFFF), float(m.key >> 32), m.size) for m in cells.members]
    return {
        "key_low": joined([(low, n) for low, _, n in keys]),
        "key_high": joined([(high, n) for _, high, n in keys]),
        "cell": np.concatenate([np.arange(m.size, dtype=np.float64) for m in cells.members]),
    }


def _propagators(cells: Neurons, values: Mapping[str, PerCell], dt: float) -> dict[str, PerCell]:
    system = linear(cells.flat)
    assert system is not None
    reads = structure(system).reads
    out: dict[str, PerCell] = {}
    for letters, held in (("PQR", ()), ("HST", cells.flat.held)):
        step = propagator(system, values, dt, held)
        for i, state in enumerate(step.states):
            found = {f"{letters[0]}_{i}_{j}": step.P[:, i, j] for j in map(step.states.index, reads[state])}
            found |= {f"{letters[1]}_{i}": step.Q[:, i], f"{letters[2]}_{i}": step.R[:, i]}
            out |= {
                n: float(v[0]) if bool(np.all(v == v[0])) else v
                for n, v in found.items()
                if n in cells.code.values
            }
    return out


def refractory_steps(flat: Flat, parameters: Mapping[str, PerCell], dt: float) -> int | Ints:
    """Whole steps of the refractory period for these parameters."""
    if not flat.refractory:
        return 0
    values: dict[str, PerCell] = dict(parameters)
    for d in flat.constants:
        values[d.name] = evaluate(d.expr, values)
    steps = np.rint(np.asarray(evaluate(flat.refractory.duration, values)) / dt).astype(np.int64)
    return within(steps)


def _approximations(config: RunConfig, inputs: Mapping[str, str]) -> Iterable[Approximation]:
    for name, how in inputs.items():
        if config.inputs == "native" and how == "frozen":
            yield Approximation(
                f"population '{name}'.inputs",
                "native",
                "frozen",
                "none: the trains that every backend gets",
                "its spikes are recorded or go to several cells; Brian2's PoissonGroup fires at most once a "
                "step",
            )


def _alone(config: RunConfig) -> Iterable[Approximation]:
    if config.threads > 1:
        yield Approximation(
            "threads",
            str(config.threads),
            "1",
            "none: the same numbers, only slower",
            "the order in which Brian2's threads add up arrivals rounds the sums of weights that are learned",
        )


def _orders(synapses: tuple[Synapse, ...], cells: tuple[Neurons, ...]) -> Iterable[Approximation]:
    """Where the order of arrivals within a step matters, and is not that of semantics."""
    found: dict[tuple[str, str], int] = {}
    for s in synapses:
        found[s.target, s.port] = found.get((s.target, s.port), 0) + 1
    for c in cells:
        for port in c.code.events:
            if found.get((c.name, port), 0) > 1:
                yield Approximation(
                    f"populations {', '.join(m.name for m in c.members)}: receptor '{port}'",
                    "arrivals of one step from the oldest on",
                    "those of one kind of source after those of another",
                    "none if the update does not depend on the order of arrivals within a step",
                    "Brian2 serves one Synapses object after another",
                )
