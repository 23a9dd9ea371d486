"""Spike sources: given trains and Poisson sources, as NeuroML's own spikeArray and SpikeSourcePoisson, or as
sources with attached times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from portable.resolve.program import Ints, PoissonGroup, TrainGroup
from portable.schemas.neuroml.write_attachments import SOURCE, SPIKE
from portable.schemas.neuroml.write_core import distinct
from portable.schemas.neuroml.write_network import InputList, Placed, input_lists, placed, spikes_of
from portable.units import Floats

FOREVER = 1e9  # ms


@dataclass(frozen=True)
class Sources:
    """A group of sources: where they are, components of the network file, components of our own types,
    attachments.
    """

    placed: Placed
    components: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    lists: tuple[InputList, ...] = ()


def _times(steps: Ints, dt: float, early: float) -> Floats:
    return np.asarray(np.round((steps - early) * dt, 9))


def trains(group: TrainGroup, prefix: str, dt: float, early: float, most: int) -> Sources:
    """Given trains: one spikeArray for each distinct train, or sources of our own type where there are more
    than `most` of them.

    early: steps taken off every time, so that a spike comes in its step whatever the rounding of jLEMS's
    clock.
    """
    texts = [spikes_of(group.indptr, group.steps, i) for i in range(group.size)]
    keys = [x.tobytes() for x in texts]
    kinds = {k: n for n, k in enumerate(dict.fromkeys(keys))}
    if len(kinds) > most:
        return _attached(group, prefix, dt, early)
    part = np.array([kinds[k] for k in keys], dtype=np.int64)
    sizes, components, populations = np.bincount(part), [], []
    for k, n in kinds.items():
        name, own = (group.name, prefix) if len(kinds) == 1 else (f"{prefix}{n}", f"{prefix}{n}_")
        train = "".join(
            f'<spike id="{m}" time="{t!r} ms"/>'
            for m, t in enumerate(_times(np.frombuffer(k, dtype=np.int64), dt, early).tolist())
        )
        components.append(f'  <spikeArray id="{own}train">{train}</spikeArray>\n')
        populations.append((name, f"{own}train", int(sizes[n])))
    one = len(kinds) == 1
    return Sources(
        Placed(tuple(populations), None if one else part, None if one else placed(part)), tuple(components)
    )


def _attached(group: TrainGroup, prefix: str, dt: float, early: float) -> Sources:
    where = Placed(((group.name, f"{prefix}source", group.size),), attached="spikes")
    ids = np.repeat(np.arange(group.size), np.diff(group.indptr))
    lists = (
        tuple(input_lists(f"{prefix}spikes", f"{prefix}spike", where, ids, _times(group.steps, dt, early)))
        if ids.size
        else ()
    )
    return Sources(where, (), (f'<{SOURCE} id="{prefix}source"/>', f'<{SPIKE} id="{prefix}spike"/>'), lists)


def native(group: PoissonGroup, prefix: str, dt: float) -> Sources:
    """Poisson sources that the simulator draws: SpikeSourcePoisson, one component and population for each
    distinct rate.
    """
    rows, part = distinct([group.rate], group.size)
    start, end = group.start * dt, FOREVER if group.stop is None else group.stop * dt
    components, populations, sizes = [], [], np.bincount(part, minlength=rows.shape[0])
    for n, rate in enumerate(rows[:, 0].tolist()):
        name, own = (group.name, prefix) if rows.shape[0] == 1 else (f"{prefix}{n}", f"{prefix}{n}_")
        shown = f'start="{start!r} ms" duration="{end - start!r} ms" rate="{rate * 1000!r} Hz"'
        components.append(f'  <SpikeSourcePoisson id="{own}source" {shown}/>\n')
        populations.append((name, f"{own}source", int(sizes[n])))
    one = rows.shape[0] == 1
    return Sources(
        Placed(tuple(populations), None if one else part, None if one else placed(part)), tuple(components)
    )
