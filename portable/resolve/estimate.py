"""How large a network will be, before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from portable.dynamics.expressions import names
from portable.errors import ModelError
from portable.model.cells import Cell
from portable.model.network import Network, Projection
from portable.model.sources import SpikeSourceArray
from portable.model.synapses import PlasticSynapse
from portable.model.values import Array
from portable.resolve import distributions
from portable.resolve.connectors import RULES, count
from portable.resolve.part import Part
from portable.resolve.projections import sides
from portable.units import Quantity

GIB = 1024.0**3
_KEPT = 12  # bytes a connection of a part, while those of its ranges of rows are joined
_ENGINE = 2.0  # the native engine holds its own sorted copy beside the Program while it builds


@dataclass(frozen=True)
class Estimate:
    """Sizes before building. `synapses` (expected number) and `bytes_of` (arrays) by projection name;
    `transient` is what the largest projection needs besides while it is drawn, `learning` what an engine
    keeps of all connections that learn beside their arrays: a weight each, and their own states."""

    neurons: int
    synapses: dict[str, int]
    bytes_of: dict[str, int]
    groups_bytes: int
    transient: int
    learning: int = 0

    @property
    def total_synapses(self) -> int:
        return sum(self.synapses.values())

    @property
    def program_bytes(self) -> int:
        """The finished Program."""
        return self.groups_bytes + sum(self.bytes_of.values())

    @property
    def resolve_bytes(self) -> int:
        """Peak while resolving."""
        return self.program_bytes + self.transient

    @property
    def native_bytes(self) -> int:
        """Peak of the arrays while the native engine builds; `predict` has the process around them too."""
        return int(_ENGINE * self.program_bytes) + self.learning

    def __str__(self) -> str:
        return (
            f"{self.neurons} cells, {self.total_synapses} synapses, {self.program_bytes / GIB:.2f} GiB "
            f"(native engine {self.native_bytes / GIB:.2f} GiB)"
        )


def estimate(network: Network, dt: float, *, weights32: bool = False, part: Part | None = None) -> Estimate:
    """Count cells and (expected) synapses and the bytes that they take, of a part those onto its cells. Exact
    but for connectors that draw the number.
    """
    offset, first = {}, 0
    for p in network.populations:
        offset[p.name], first = first, first + p.size
    synapses, sizes, transient, learning = {}, {}, 0, 0
    for q in network.projections:
        n = synapses[q.name] = count(q.connector, sides(q, offset, part))
        each = _bytes_each(q, dt, weights32)
        learning += 8 * n * _states_each(q)
        rows = (
            8
            * sum({v.population.name: v.population.size + 1 for v in q.pre}.values())
            * len({v.population.name for v in q.post})
        )
        sizes[q.name] = n * each + rows
        transient = max(transient, n * (_transient_each(q) + (_KEPT if part is not None else 0)))
    groups = sum(_group_bytes(p.size, p.cell) for p in network.populations)
    return Estimate(first, synapses, sizes, groups, transient, learning)


def _bytes_each(q: Projection, dt: float, weights32: bool) -> int:
    """Bytes of one connection: target, weight and delay, and what a rule has of its own, where they vary."""
    target = 2 if max(v.population.size for v in q.post) <= 65536 else 4
    wide = isinstance(q.synapse.weight, Array) and not weights32
    weight = 0 if isinstance(q.synapse.weight, Quantity) else 8 if wide else 4
    own = 8 * _varying_each(q)
    match q.synapse.delay:
        case Quantity():
            return target + weight + own
        case Array() as given:
            top = float(given.coherent().max(initial=0.0))
        case distribution:
            top = distributions.spec(distribution, f"projection '{q.name}'.delay").bound()
    axonal = isinstance(q.synapse, PlasticSynapse) and q.synapse.dendritic_delay_fraction != 1.0
    return target + weight + own + (1 if top < 255.5 * dt else 2) * (2 if axonal else 1)


def _varying(s: PlasticSynapse) -> frozenset[str]:
    """The parameters of a rule that differ between connections."""
    return frozenset(n for n, v in s.parameters.items() if not isinstance(v, Quantity))


def _varying_each(q: Projection) -> int:
    """Numbers that each connection has of its rule: parameters, and states whose start differs."""
    s = q.synapse
    if not isinstance(s, PlasticSynapse):
        return 0
    varied = _varying(s)
    given = {n: not isinstance(v, Quantity) for n, v in s.initial.items()}
    return len(varied) + sum(given.get(x.name, bool(names(x.initial) & varied)) for x in s.rule.own)


def _states_each(q: Projection) -> int:
    """Numbers that an engine keeps of each connection that learns: its weight, and states of its own."""
    s = q.synapse
    return 1 + len(s.rule.own_all(_varying(s)).own) if isinstance(s, PlasticSynapse) else 0


def _transient_each(q: Projection) -> int:
    """Bytes a connection that are given back when the projection is done."""
    rule = RULES[type(q.connector)].TRANSIENT
    arrays = isinstance(q.synapse.weight, Array) or isinstance(q.synapse.delay, Array)
    # int64 permutations and copies in their order
    moved = 28 if arrays or len({v.population.name for v in q.pre}) < len(q.pre) else 0
    # unsorted targets beside the sorted ones
    copied = 4 if len({v.population.name for v in q.post}) > 1 else 0
    # several arrays in a new order beside themselves, and the list of places
    numbers = _varying_each(q) + (not isinstance(q.synapse.weight, Quantity))
    sorted_ = 8 * (1 + numbers) if numbers > 1 and not isinstance(q.synapse.delay, Quantity) else 0
    return max(moved, rule, sorted_) + copied


def _group_bytes(size: int, cell: object) -> int:
    if isinstance(cell, Cell):
        varied = sum(not isinstance(v, Quantity) for v in cell.parameters.values())
        return 8 * size * (varied + 2 * len(cell.flat.states))
    if isinstance(cell, SpikeSourceArray):
        spikes = sum(len(t) for t in cell.spike_times)
        return 8 * (size + spikes * (size if len(cell.spike_times) == 1 else 1))
    return 16 * size


def available_memory() -> int:
    """Bytes that can be had now: the machine's, or less where a control group limits this process."""
    free = int(psutil.virtual_memory().available)
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        if limit != "max":
            free = min(free, int(limit) - int((folder / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return max(free, 0)


def check_memory(found: Estimate, available_bytes: int | None = None, *, native: bool = False) -> None:
    """ModelError with the numbers if the network does not fit (with `native`: if the native engine's copy
    does not).
    """
    need = found.native_bytes if native else found.resolve_bytes
    have = available_memory() if available_bytes is None else available_bytes
    if need > have:
        largest = max(found.bytes_of, key=lambda k: found.bytes_of[k], default="")
        raise ModelError(
            "network",
            f"{found.neurons} cells and {found.total_synapses} synapses need {need / GIB:.2f} GiB of "
            f"memory, {have / GIB:.2f} GiB are available",
            f"the largest projection is '{largest}' with {found.synapses.get(largest, 0)} synapses; make "
            "the network smaller",
        )
