"""Network -> Program: the only place that draws random numbers."""

from __future__ import annotations

from collections.abc import Callable

from portable.errors import ModelError
from portable.model.network import Network
from portable.resolve.cells import group
from portable.resolve.couplings import couplings
from portable.resolve.derived import sampled
from portable.resolve.digest import model_hash
from portable.resolve.estimate import check_memory, estimate
from portable.resolve.grid import check_dt
from portable.resolve.injected import currents, recordings
from portable.resolve.part import Part
from portable.resolve.program import Approximation, CellGroup, Connections, Group, Program
from portable.resolve.projections import connections
from portable.resolve.threads import using

Progress = Callable[[int, int], object]


def resolve(
    network: Network,
    seed: int,
    dt: float = 0.1,
    *,
    weights32: bool = False,
    progress: Progress | None = None,
    threads: int | None = None,
    part: Part | None = None,
) -> Program:
    """Expand a network into arrays: the same network and seed give the same Program, bit for bit, whatever
    the threads.

    part: make only the connections onto its cells (resolve.part), equal to the same ones of the whole, in
    memory that goes with the part; groups are whole.

    dt: the step in ms. weights32: keep arrays of weights that a user gives as float32, as drawn ones always
    are. progress(done, total): called with numbers of synapses.
    threads: default one for each processor.
    Raises ModelError naming the object: off the grid, a connector that cannot be met, a drawn value out of
    range, too large for memory.
    """
    dt, seed = check_dt(dt), _seed(seed)
    if not isinstance(network, Network):
        raise ModelError("network", f"expected a Network, got {network!r}")
    with using(threads):
        return _resolve(network, seed, dt, weights32, progress, part)


def _resolve(
    network: Network, seed: int, dt: float, weights32: bool, progress: Progress | None, part: Part | None
) -> Program:
    sizes = estimate(network, dt, weights32=weights32, part=part)
    check_memory(sizes)
    notes: list[Approximation] = []
    groups: list[Group] = []
    offset: dict[str, int] = {}
    first = 0
    for p in network.populations:
        cells, more = group(p, seed, dt)
        groups.append(cells)
        notes += more
        offset[p.name], first = first, first + p.size
    injected, (spikes, shown) = currents(network.inputs, seed, dt), recordings(network.recordings, dt)
    links = couplings(network.links)
    joined: list[Connections] = []
    done, total, whole = 0, sizes.total_synapses, 0
    for q in network.projections:
        made, size, more = connections(q, offset, seed, dt, weights32, part)
        joined += made
        notes += more
        whole += size
        done += sizes.synapses[q.name]
        if progress is not None:
            progress(done, total)
    traces = sampled([g for g in groups if isinstance(g, CellGroup)], links, shown)
    digest = model_hash(network)
    origin = network.origin
    if origin is not None and origin.digest != digest:
        origin = None  # a changed network is no file's
    if origin is not None:
        notes += [
            Approximation(place, "as the file says", what, "see there", f"reading {origin.format}")
            for place, what in origin.notes
        ]
    return Program(
        network.name,
        dt,
        seed,
        tuple(groups),
        tuple(joined),
        injected,
        spikes,
        traces,
        tuple(notes),
        digest,
        shown=shown,
        links=links,
        origin=origin,
        part=part,
        synapses_total=whole,
    )


def _seed(seed: int) -> int:
    try:
        whole = int(seed)
    except (TypeError, ValueError):
        whole = -1
    if isinstance(seed, bool) or whole != seed or whole < 0:
        raise ModelError("seed", f"must be a whole number >= 0, got {seed!r}")
    return whole
