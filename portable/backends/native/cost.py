"""What a network costs on this engine: how much of everything it is (`amounts`), and seconds for each
(`Costs`, found by measuring.py). A prediction is their product.

Everything is linear in its amount. What costs more where more memory is read is counted again, by how far it
is on the way from near memory to far.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from portable.backends.contract import Foreseen, Times
from portable.backends.native.layout import Layout
from portable.backends.native.lower import RING
from portable.backends.native.outline import Outline, drawn, spikes_per_step
from portable.backends.native.pace import WORTHWHILE
from portable.backends.native.parts import power_of_two
from portable.backends.native.threads import processors
from portable.model.connectors import FixedInDegree
from portable.model.synapses import PlasticSynapse
from portable.resolve.program import CellGroup, PoissonGroup

Amounts = Mapping[str, float]
Count = defaultdict[str, float]
Points = Sequence[Sequence[float]]  # (size, seconds), ascending
LIKE = {"Uniform": "Uniform", "Array": "Array"}  # others cost what a normal distribution does
RECORDED = (
    48  # bytes a recorded spike takes while results are made: numbers and stamps, as they come and sorted
)


@dataclass(frozen=True)
class Costs:
    """each: seconds for one of what is counted below. load: seconds once a process, for code that is kept on
    disk. types: by digest of a layout, (cells, seconds for each cell and step).
    gain: how many times faster all processors are than one, by phase. base: bytes of a process without a
    network.
    """

    each: Amounts
    load: Amounts
    types: Mapping[str, Points] = field(default_factory=dict)
    gain: Amounts = field(default_factory=dict)
    processors: int = 1
    base: float = 0.0

    def of(self, amounts: Amounts) -> float:
        """Seconds."""
        return sum(self.each.get(name, 0.0) * n for name, n in amounts.items())

    def faster(self, phase: str, threads: int) -> float:
        """How many times faster a phase is with so many threads than with one."""
        more = (self.gain.get(phase, 1.0) - 1.0) / max(1, self.processors - 1)
        return max(1.0, 1.0 + more * (threads - 1))

    def with_types(self, more: Mapping[str, Points]) -> Costs:
        return replace(self, types={**self.types, **more})


def interpolated(points: Points, size: float) -> float:
    """Straight lines over the logarithm of the size; constant beyond the ends."""
    if size <= points[0][0]:
        return points[0][1]
    for (a, low), (b, high) in pairwise(points):
        if size <= b:
            return low + (high - low) * math.log(size / a) / math.log(b / a)
    return points[-1][1]


def digest(layout: Layout) -> str:
    """Of a type of cells: equal types have equal code."""
    return hashlib.sha256(layout.key.encode()).hexdigest()[:16]


def to_resolve(o: Outline) -> tuple[Amounts, frozenset[str]]:
    """What resolving does, and the code that it loads."""
    out = Count(float, {"population": len(o.program.groups), "value": _drawn_cells(o)})
    code = {"resolve"}
    for q in o.network.projections:
        n, kind = o.sizes.synapses[q.name], type(q.connector).__name__
        groups = {v.population.name for v in q.post}
        sources = sum(len(v) for v in q.pre)
        out["projection"] += len(groups) * len({v.population.name for v in q.pre})
        out[f"{kind} row"] += sources + (sum(len(v) for v in q.post) if kind == FixedInDegree.__name__ else 0)
        out[f"{kind} synapse"] += n
        code.add(kind)
        for what, value in (("weight", q.synapse.weight), ("delay", q.synapse.delay)):
            if form := drawn(value):
                out[f"{what} {LIKE.get(form, 'Normal')}"] += n
                out[f"{what} row"] += sources * len(groups)
                code.add(what)
        if len(groups) > 1:
            out["several targets"] += n
            code.add("several targets")
    return out, frozenset(code)


def _drawn_cells(o: Outline) -> int:
    """Numbers of cells that differ from cell to cell."""
    return sum(
        g.size
        for g in o.program.cells
        for v in (*g.parameters.values(), *g.initial.values())
        if not isinstance(v, float)
    )


def to_build(o: Outline) -> tuple[Amounts, frozenset[str]]:
    """What the engine does for connections, all parts together, and the code that it loads."""
    out = {
        "stored": o.synapses,
        "stored weight": o.synapses if o.plan.weights else 0.0,
        "stored delay": sum(j.count for j, _ in o.stored if j.shares.size > 1),
        "scanned": o.synapses * (o.parts - 1),
        "entry": float(sum(o.senders.values()) * o.width * o.parts),
    }
    return out, frozenset({"open", o.plan.delivery} | ({"stored weight"} if o.plan.weights else set()))


def to_arrange(o: Outline) -> Amounts:
    """What it does for cells."""
    fields = sum(g.size * len(o.layouts[g.name].fields) for g in o.program.cells)
    return {
        "session": 1.0,
        "group": float(len(o.program.cells)),
        "cell": float(o.cells()),
        "field": float(fields),
    }


def held_bytes(o: Outline) -> float:
    """The engine's own arrays beside the program, at the moment when most of them are there."""
    own = -(-o.cells() // o.parts)
    each = (2 if own < 65536 else 4) + {"float64": 8, "float32": 4, "": 0}[o.plan.weights]
    ring = power_of_two(max(o.plan.delays, default=1) + 1) if o.plan.delivery == RING else 1
    each += (1 if ring <= 256 else 2) * (o.plan.delivery == RING)
    sources, channels = sum(o.senders.values()), _channels(o)
    table = sources * (o.width * (4 + 2) + 8) * o.parts  # counts, of which the ends of segments are made
    cells = sum(8 * g.size * (len(o.layouts[g.name].fields) + 2) for g in o.program.cells)
    driven = sum(8 * o.program.group(o.joints[i].post).size for i in o.plan.drives)
    return o.synapses * each + table + cells + driven + 8 * channels * o.cells() * ring


def _channels(o: Outline) -> int:
    return max([1, *(len(c.channels) for c in o.plan.cells)])


def cells_bytes(o: Outline) -> float:
    """What delivery and updates read and write of cells, of one part."""
    own = sum(g.size * len(o.layouts[g.name].fields) for g in o.program.cells)
    return 8.0 * (own + o.cells() * _channels(o)) / o.parts


def synapses_bytes(o: Outline) -> float:
    """What delivery reads from, of one part."""
    each = 6 if o.plan.weights else 2
    return (o.synapses * each + 2 * sum(o.senders.values()) * o.width) / o.parts


def of_spike(o: Outline, name: str) -> Amounts:
    """What a spike of a cell or source of this group is, all parts together."""
    if name not in o.senders:
        return {"spike": 1.0}
    events, segments = o.segments(name)
    if o.plan.delivery == RING:
        size = 8 * power_of_two(max(o.plan.delays) + 1) * _channels(o) * o.cells() / o.parts
        found = ring_events(events, size)
    else:
        kind, columns = "stored" if o.plan.weights else "equal", float((o.width - 1) * o.parts)
        found = delivered(kind, events, segments * o.parts, columns, cells_bytes(o), synapses_bytes(o))
    return {**found, "spike": 1.0, "sent": float(o.parts)}


NEAR, FAR = 8e4, 2.4e6  # bytes of a part's cells; the first are in the processor's nearest memory
READ = {"stored": (2e6, 6e7), "equal": (1e6, 2.4e7)}  # bytes of synapses, likewise
RINGS = (2.5e5, 8e6)  # bytes of a ring of arrivals, likewise


def delivered(
    kind: str, events: float, segments: float, columns: float, cells: float, size: float
) -> Amounts:
    """Events, segments that hold some, and columns where some may be, onto cells of so many bytes, from so
    many bytes of synapses. Their cost grows with the logarithms of both, from the first to the second of NEAR
    and FAR and of READ.
    """
    arrivals, source = _along(cells, (NEAR, FAR)), _along(size, READ[kind])
    out = {"column": columns, "column, many synapses": columns * source}
    for what, n in (("event", events), ("segment", segments)):
        out[f"{kind} {what}"] = n
        out[f"{kind} {what}, many cells"] = n * arrivals
        out[f"{kind} {what}, many synapses"] = n * source
        out[f"{kind} {what}, many of both"] = n * arrivals * source
    return out


def ring_events(events: float, size: float) -> Amounts:
    """Events that are added to a ring of so many bytes."""
    return {"ring event": events, "ring event, long": events * _along(size, RINGS)}


def _along(x: float, ends: tuple[float, float]) -> float:
    """0 at the first end and before, 1 at the second and beyond, logarithmic between."""
    return min(1.0, max(0.0, math.log(max(x, 1.0) / ends[0]) / math.log(ends[1] / ends[0])))


def of_sources(number: float, mean: float) -> Amounts:
    """Poisson sources with so many spikes each in a step."""
    return {"source": number, "source, fast": number * math.sqrt(mean)}


def silent_step(o: Outline, costs: Costs) -> float:
    """Seconds of a step in which no cell spikes; sources do."""
    program, threads = o.program, min(o.plan.threads, o.parts)
    amounts = Count(float)
    amounts["step"], amounts["slice"] = o.parts, o.parts * len(program.groups)
    amounts["exchange"] = o.parts / o.plan.interval
    amounts["sample"] = sum(t.ids.size / t.every for t in program.traces)
    drives = {o.joints[i].pre for i in o.plan.drives}
    for g in program.groups:
        if isinstance(g, CellGroup):
            continue
        many = spikes_per_step(g, program.dt)
        heard = g.name in o.senders or g.name in program.spikes
        if isinstance(g, PoissonGroup):
            drawn_ones = g.size * (heard + (g.name in drives))
            _add(amounts, of_sources(drawn_ones, many / g.size), 1.0)
        if heard:
            _add(amounts, of_spike(o, g.name), many)
    updates = 0.0
    for g in program.cells:
        updates += g.size * interpolated(costs.types[digest(o.layouts[g.name])], o.cells() / threads)
    return updates + costs.of(amounts)


def _add(to: Count, more: Amounts, times: float) -> None:
    for name, n in more.items():
        to[name] += times * n


def spiking_step(o: Outline, costs: Costs) -> float:
    """Seconds more of a step where all cells fire at 1 Hz."""
    return sum(1e-3 * o.program.dt * g.size * costs.of(of_spike(o, g.name)) for g in o.program.cells)


def resolve_seconds(o: Outline, costs: Costs, processors: int) -> float:
    amounts, code = to_resolve(o)
    once = costs.of({k: n for k, n in amounts.items() if k in ("population", "projection")})
    loading = sum(costs.load.get(c, 0.0) for c in code)
    return loading + once + (costs.of(amounts) - once) / costs.faster("resolve", processors)


def build_seconds(o: Outline, costs: Costs) -> float:
    amounts, code = to_build(o)
    loading = sum(costs.load.get(c, 0.0) for c in code)
    return loading + costs.of(to_arrange(o)) + costs.of(amounts) / costs.faster("build", o.plan.threads)


def times(o: Outline, costs: Costs) -> Times:
    """Of the outline's number of threads. Those of resolving are all processors, whatever that is."""
    silent, hz = silent_step(o, costs), spiking_step(o, costs)
    steps = 1000.0 / o.program.dt
    gain = costs.faster("run", o.plan.threads) if silent >= WORTHWHILE else 1.0
    return Times(
        o.plan.threads,
        resolve_seconds(o, costs, processors()),
        build_seconds(o, costs),
        steps * silent / gain,
        steps * hz / gain,
    )


def foreseen(own: Outline, one: Outline, costs: Costs) -> Foreseen:
    """What to expect. own: the network with as many threads as the engine takes by itself; one: with one."""
    program = own.program
    traces = sum(t.ids.size / t.every for t in (*program.traces, *program.shown))
    kept = sum(ids.size for name, ids in program.spikes.items() if name in own.layouts)
    both = (times(one, costs), times(own, costs))
    left_out = []
    if any(k.channel < 0 for k in own.plan.kinds):
        left_out.append("arrivals whose update depends on their order count as sums, which take less")
    if program.links:
        left_out.append("links are not counted")
    if any(isinstance(q.synapse, PlasticSynapse) for q in own.network.projections):
        left_out.append("connections that learn count as static ones, which take less time and memory")
    if any(r.synapses is not None for r in own.network.recordings):
        left_out.append("recorded weights are not counted")
    return Foreseen(
        costs.base + max(own.sizes.resolve_bytes, own.sizes.program_bytes + held_bytes(own)),
        RECORDED,
        8 * traces * 1000.0 / program.dt,
        kept,
        both[: 1 + (own.plan.threads > 1)],
        tuple(left_out),
    )
