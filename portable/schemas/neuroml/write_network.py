"""Populations, projections and inputs as NeuroML text, made from arrays: no element objects, no loop beyond
one join per projection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from portable.resolve.program import Connections, Current, Ints
from portable.units import Floats

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placed:
    """Where the cells of a group are: populations (id, component, size), and for each cell its population and
    its place there.

    synapses: for each population the component of every port; weight: how many of our units one of the
    synapse's weights is;
    late: steps that are added to a delay, so that the arrival acts when ours does.
    """

    populations: tuple[tuple[str, str, int], ...]
    part: Whole | None = None  # None: one population, in order
    place: Whole | None = None
    synapses: tuple[Mapping[str, str], ...] = ()
    weight: float = 1.0
    late: float = 0.0
    attached: str = "synapses"
    shown_late: int = 0  # steps after which jLEMS shows a recorded value
    listed: bool = False  # the populations are lists of instances, as in HDF5
    pulse: str = ""  # the type of its current pulses, where it is not pulseGenerator

    def path(self, i: int) -> str:
        """The cell's path in the network: "exc[3]", or "exc/3/exc_cell" of a list of instances."""
        part, place = (
            (0, i) if self.part is None or self.place is None else (int(self.part[i]), int(self.place[i]))
        )
        population, component, _ = self.populations[part]
        return f"{population}/{place}/{component}" if self.listed else f"{population}[{place}]"

    def parts(self, ids: npt.NDArray[np.integer]) -> tuple[Whole, Whole]:
        """Population and place of many cells."""
        if self.part is None or self.place is None:
            return np.zeros(ids.size, dtype=np.int64), ids.astype(np.int64)
        return self.part[ids], self.place[ids]


def placed(sizes: Whole) -> Whole:
    """The place of every cell in its part: the how-manieth of that part it is."""
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    place = np.empty_like(order)
    place[order] = np.arange(order.size) - np.searchsorted(ordered, ordered, "left")
    return place


@dataclass(frozen=True)
class Projection:
    """What one <projection> holds: connections of one pair of populations through one synapse; delays in
    ms.
    """

    id: str
    pre: str
    post: str
    synapse: str
    sources: Whole
    targets: Whole
    weights: Floats | float
    delays: Floats | float

    @property
    def size(self) -> int:
        return int(self.sources.size)


def projections(
    c: Connections, pre: Placed, post: Placed, dt: float, early: float, name: str
) -> Iterator[Projection]:
    """The projections of a block of connections, one per pair of populations. `early`: steps off every delay,
    against the rounding of t.
    """
    sources, targets = c.sources(), c.targets
    weights: Floats | float = (
        c.weights / post.weight
        if isinstance(c.weights, float)
        else np.asarray(c.weights, dtype=np.float64) / post.weight
    )
    delays: Floats | float
    if isinstance(c.delays, (int, np.integer)):
        delays = float(np.round((int(c.delays) + post.late - early) * dt, 9))
    else:
        delays = np.round((c.delays.astype(np.float64) + (post.late - early)) * dt, 9)
    if len(pre.populations) == 1 and len(post.populations) == 1:
        synapse = post.synapses[0][c.port]
        yield Projection(
            name,
            pre.populations[0][0],
            post.populations[0][0],
            synapse,
            sources.astype(np.int64),
            targets.astype(np.int64),
            weights,
            delays,
        )
        return
    (a, i), (b, j) = pre.parts(sources), post.parts(targets)
    pair = a * len(post.populations) + b
    order = np.argsort(pair, kind="stable")
    bounds = np.flatnonzero(np.diff(pair[order])) + 1
    for n, chosen in enumerate(np.split(order, bounds)):
        if chosen.size:
            p, q = int(a[chosen[0]]), int(b[chosen[0]])
            part = [x if isinstance(x, float) else x[chosen] for x in (weights, delays)]
            yield Projection(
                f"{name}_{n}",
                pre.populations[p][0],
                post.populations[q][0],
                post.synapses[q][c.port],
                i[chosen],
                j[chosen],
                part[0],
                part[1],
            )


def _texts(values: Floats | float, count: int) -> list[str]:
    """Shortest texts that read back to the same numbers; few distinct values are written once."""
    if isinstance(values, float):
        return [repr(values)] * count
    if values.size:
        some = np.unique(values[:: max(1, values.size // 1000)])
        if some.size < 300:
            distinct, inverse = np.unique(values, return_inverse=True)
            if distinct.size * 4 < values.size:
                table = np.array([repr(x) for x in distinct.tolist()], dtype=object)
                return list(table[inverse.reshape(-1)])
    return list(map(repr, values.tolist()))


def projection_text(p: Projection) -> str:
    """<projection> with its <connectionWD>s."""
    head = (
        f'    <projection id="{p.id}" presynapticPopulation="{p.pre}" postsynapticPopulation="{p.post}" '
        f'synapse="{p.synapse}">\n'
    )
    weights, delays = _texts(p.weights, p.size), _texts(p.delays, p.size)
    before, middle = f'" preCellId="../{p.pre}[', f']" postCellId="../{p.post}['
    rows = [
        f'      <connectionWD id="{k}{before}{i}{middle}{j}]" weight="{w}" delay="{d} ms"/>\n'
        for k, i, j, w, d in zip(
            range(p.size), p.sources.tolist(), p.targets.tolist(), weights, delays, strict=True
        )
    ]
    return head + "".join(rows) + "    </projection>\n"


@dataclass(frozen=True)
class InputList:
    """What one <inputList> holds: a component attached to cells (places in the population), scaled by
    `weights` where it has some.
    """

    id: str
    component: str
    population: str
    destination: str
    targets: Whole
    weights: Floats | None = None

    def text(self) -> str:
        """<inputList> with its <input>s."""
        head = f'    <inputList id="{self.id}" population="{self.population}" component="{self.component}">\n'
        before, after = f'" target="../{self.population}[', f']" destination="{self.destination}"'
        if self.weights is None:
            rows = [
                f'      <input id="{n}{before}{i}{after}/>\n' for n, i in enumerate(self.targets.tolist())
            ]
        else:
            pairs = enumerate(zip(self.targets.tolist(), self.weights.tolist(), strict=True))
            rows = [f'      <inputW id="{n}{before}{i}{after} weight="{w!r}"/>\n' for n, (i, w) in pairs]
        return head + "".join(rows) + "    </inputList>\n"


def input_lists(
    name: str, component: str, where: Placed, ids: npt.NDArray[np.integer], weights: Floats | None = None
) -> list[InputList]:
    """The lists that attach a component to cells, one for each population."""
    part, place = where.parts(ids)
    out = []
    for q in np.unique(part).tolist():
        here = np.flatnonzero(part == q)
        identity = name if len(where.populations) == 1 else f"{name}_{q}"
        out.append(
            InputList(
                identity,
                component,
                where.populations[q][0],
                where.attached,
                place[here],
                None if weights is None else weights[here],
            )
        )
    return out


@dataclass
class Pulses:
    """Injected currents as pulse generators: components, and the lists that attach them."""

    components: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)  # components of our own types
    lists: list[InputList] = field(default_factory=list)

    def add(self, c: Current, name: str, where: Placed, dt: float, late: float, last: int) -> None:
        """One pulse for each piece of a current. jLEMS lets a pulse act in the step after its time: `late`
        steps (0.5) make that the same step.
        """
        for j in range(c.steps.size):
            amplitude: Floats = np.broadcast_to(c.amplitude[:, j], c.ids.size)
            if not np.any(amplitude):
                continue
            start, end = int(c.steps[j]), int(c.steps[j + 1]) if j + 1 < c.steps.size else last
            if end <= start:
                continue
            equal = bool(np.all(amplitude == amplitude[0]))
            identity = f"{name}_{j}"
            size = repr(float(amplitude[0])) if equal else "1.0"
            delay, duration = float(np.round((start + late) * dt, 9)), float(np.round((end - start) * dt, 9))
            numbers = (
                f'id="{identity}" delay="{delay!r} ms" duration="{duration!r} ms" amplitude="{size} pA"/>'
            )
            if where.pulse:
                self.own.append(f"<{where.pulse} {numbers}")
            else:
                self.components.append(f"  <pulseGenerator {numbers}\n")
            self.lists += input_lists(
                f"inject_{identity}", identity, where, c.ids, None if equal else amplitude
            )


def spikes_of(indptr: Ints, steps: Ints, i: int) -> Ints:
    return steps[indptr[i] : indptr[i + 1]]
