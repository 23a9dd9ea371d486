"""Program -> NativePlan: integrators, buffers for arrivals, kinds of connections. Pure: no numba, no arrays
of synapses touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from portable.backends.contract import Lowered, RunConfig
from portable.backends.placement import Placement, side_by_side
from portable.dynamics.emit import emit
from portable.dynamics.expressions import Expr
from portable.dynamics.linear import plain_jumps
from portable.dynamics.methods import Method, choose
from portable.resolve.grid import float32_notes
from portable.resolve.program import (
    Approximation,
    CellGroup,
    Connections,
    Plasticity,
    PoissonGroup,
    Program,
)

MAX_INTERVAL = 16  # steps between two exchanges of spikes, at most
MAX_WEIGHT_KINDS = 6  # above it weights are stored per synapse even if each projection has only one
RING, DUE, EVENTS = "ring", "due", "events"
CPU, CUDA = "cpu", "cuda"
# Groups of at most so many cells carry what any of their type can use (every receptor's arrivals, an injected
# current): one code for all of them; a larger one has only what it uses, which is less to read at every step.
FEW_CELLS = 256
SHORT_SEGMENT = 3.0  # synapses; shorter segments are read faster all at once into ring buffers


@dataclass(frozen=True)
class CellPlan:
    """How one group of cells is integrated. `channels` are buffers of summed weights: {state: jump as
    expression of `weight`}; `ports` maps a port that is used to its channel, or to -1 where each arrival is
    handled alone."""

    group: str
    method: Method
    channels: tuple[Mapping[str, Expr], ...]
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Kind:
    """Synapses that are delivered by one loop: into `channel`, or (channel -1) through `port` of `group`;
    `weight` if all have one.
    """

    channel: int
    group: str
    port: str
    weight: float | None


@dataclass(frozen=True)
class NativePlan:
    """Everything the engine needs. `connections[i]` is the Kind of program.connections[i], None for a Poisson
    drive or one that learns, which are `plastic`. reach: the longest delay, of all.
    """

    program: Program
    threads: int
    compact: bool
    delivery: str
    cells: tuple[CellPlan, ...]
    kinds: tuple[Kind, ...]
    connections: tuple[int | None, ...]
    drives: tuple[int, ...]
    interval: int
    delays: tuple[int, ...]
    plastic: tuple[int, ...]
    reach: int
    weights: str  # "float64", "float32" or "" where every kind has one weight
    device: str
    placement: Placement  # by which spikes are recorded: all populations one after another


def lower(program: Program, config: RunConfig) -> Lowered:
    """Pure. The only approximation of numbers it can make is float32 weights in compact mode."""
    cells = tuple(_cell(g, program, config) for g in program.cells)
    by_name = {c.group: c for c in cells}
    drives = tuple(i for i, c in enumerate(program.connections) if _is_drive(c, program, by_name))
    plastic = tuple(i for i, c in enumerate(program.connections) if c.learning is not None and c.count)
    rest = [i for i, c in enumerate(program.connections) if i not in {*drives, *plastic} and c.count]
    approximations: list[Approximation] = []
    weights = _weights(program, rest, by_name, config, approximations)
    kinds: dict[Kind, int] = {}
    where: list[int | None] = [None] * len(program.connections)
    for i in sorted(rest, key=lambda i: _port_order(program.connections[i], program)):
        where[i] = kinds.setdefault(_kind(program.connections[i], by_name, bool(weights)), len(kinds))
    delays = _delays(program, rest)
    backs = [int(np.min(_learning(program, i).dendritic)) for i in plastic]
    interval = max(1, min([*delays, *backs, MAX_INTERVAL]))
    reach = max([1, *delays, *(program.connections[i].delay_range()[1] for i in plastic)])
    reach = max([reach, *(_learning(program, i).signal_delay for i in plastic)])
    device = config.options.get("device", CPU)
    threads = 1 if program.links or device == CUDA else config.threads
    if device == CUDA:
        approximations += _on_device(program, cells, rest)
    elif threads != config.threads:
        approximations.append(
            Approximation(
                "threads",
                str(config.threads),
                "1",
                "none: the same numbers",
                "links reach any cell at every step; networks with links run on one thread",
            )
        )
    delivery = config.options.get("delivery", "auto") if device == CPU else DUE
    if delivery == "auto":
        delivery = _faster(program, rest, threads, len(delays))
    if delivery == RING and (plastic or any(k.channel < 0 for k in kinds)):
        delivery = DUE  # so that sums do not depend on when spikes are exchanged
    plan = NativePlan(
        program,
        threads,
        config.compact,
        delivery,
        cells,
        tuple(kinds),
        tuple(where),
        drives,
        interval,
        delays,
        plastic,
        reach,
        weights,
        device,
        Placement(side_by_side((g.name, g.size) for g in program.groups), program.dt, program.spikes),
    )
    return Lowered(plan, tuple(approximations), {c.group: c.method.described for c in cells})


def _on_device(program: Program, cells: tuple[CellPlan, ...], rest: list[int]) -> list[Approximation]:
    """What a device computes otherwise than a processor."""
    out = []
    weights = [program.connections[i].weights for i in rest]
    if float32_notes("weights", [w if isinstance(w, np.ndarray) else float(w) for w in weights]):
        out.append(
            Approximation(
                "weights",
                "summed in one order",
                "summed in any order",
                "some 1e-16 of the sum, other in each run",
                "threads of a device add at the same time; weights that float32 holds have exact sums",
            )
        )
    if any(c.method.name != "exact" for c in cells):
        out.append(
            Approximation(
                "functions",
                "the processor's exp, log, ...",
                "the device's",
                "one or two units in the last place of each",
                "a device has mathematical functions of its own",
            )
        )
    return out


def _cell(g: CellGroup, program: Program, config: RunConfig) -> CellPlan:
    flat = g.flat
    method = choose(flat, config.integrator, config.options.get("rkf45_tolerance"))
    channels: dict[str, int] = {}
    jumps: list[Mapping[str, Expr]] = []
    ports: dict[str, int] = {}
    for port in flat.ports:
        used = any(c.post == g.name and c.port == port.name and c.count for c in program.connections)
        added = plain_jumps(port, flat) if used or g.size <= FEW_CELLS else None
        if added is None:
            if used:
                ports[port.name] = -1
            continue
        key = "; ".join(f"{s} += {emit(e)}" for s, e in sorted(added.items()))
        if key not in channels:
            channels[key] = len(jumps)
            jumps.append(added)
        if used:
            ports[port.name] = channels[key]
    return CellPlan(g.name, method, tuple(jumps), ports)


def _learning(program: Program, i: int) -> Plasticity:
    found = program.connections[i].learning
    assert found is not None
    return found


def _port_order(c: Connections, program: Program) -> int:
    post = program.group(c.post)
    assert isinstance(post, CellGroup)
    return [p.name for p in post.flat.ports].index(c.port)


def _is_drive(c: Connections, program: Program, cells: Mapping[str, CellPlan]) -> bool:
    """A Poisson source for every cell, drawn inside the update: one delay, and arrivals that add up."""
    pre, post = program.group(c.pre), program.group(c.post)
    if not (
        isinstance(pre, PoissonGroup)
        and c.learning is None
        and c.one_to_one
        and c.count == pre.size == post.size
        and cells[c.post].ports[c.port] >= 0
    ):
        return False
    low, high = c.delay_range()
    return low == high


def _kind(c: Connections, cells: Mapping[str, CellPlan], stored: bool) -> Kind:
    channel = cells[c.post].ports[c.port]
    weight = None if stored else float(c.weights)
    return Kind(channel, c.post if channel < 0 else "", c.port if channel < 0 else "", weight)


def _weights(
    program: Program,
    rest: list[int],
    cells: Mapping[str, CellPlan],
    config: RunConfig,
    out: list[Approximation],
) -> str:
    chosen = [program.connections[i] for i in rest]
    arrays = [c.weights for c in chosen if isinstance(c.weights, np.ndarray)]
    single = {
        (cells[c.post].ports[c.port], c.weights) for c in chosen if not isinstance(c.weights, np.ndarray)
    }
    # Where arrivals are handled one by one, all of a port are of one kind, so that the oldest come first
    # whatever their weights.
    alone = [
        (p, w)
        for p, w in {
            ((c.post, c.port), float(c.weights))
            for c in chosen
            if np.ndim(c.weights) == 0 and cells[c.post].ports[c.port] < 0
        }
    ]
    ordered = len(alone) == len({p for p, _ in alone})
    if not arrays and len(single) <= MAX_WEIGHT_KINDS and ordered:
        return ""
    notes = float32_notes("weights", [*arrays, *(float(w) for _, w in single)])
    if notes and not config.compact:
        return "float64"
    out += notes
    return "float32"


def _delays(program: Program, rest: list[int]) -> tuple[int, ...]:
    """The distinct delays; where delays vary, every value between the smallest and the largest."""
    found: set[int] = set()
    for i in rest:
        low, high = program.connections[i].delay_range()
        found.update((low,) if low == high else range(low, high + 1))
    return tuple(sorted(found))


def _faster(program: Program, rest: list[int], threads: int, delays: int) -> str:
    sources = sum(program.group(n).size for n in {program.connections[i].pre for i in rest})
    return faster(sum(program.connections[i].count for i in rest), sources, delays, threads)


def faster(synapses: float, sources: int, delays: int, threads: int) -> str:
    """How so many synapses of so many cells are delivered where the user did not say."""
    return DUE if synapses >= SHORT_SEGMENT * sources * delays * threads or delays <= 2 else RING
