"""All of a session's connections that learn, the spikes that they need, and the calls of their pathways. No
Brian2 in here: what stands in it is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.backends.brian2.plan import Brian2Plan, Synapse, mangled
from portable.backends.brian2.plastic import Gated, Plastic, Shown
from portable.backends.brian2.signals import Heard
from portable.resolve.program import Ints
from portable.resolve.trains import Trains
from portable.units import Floats

Memory = Callable[[Any, str], npt.NDArray[Any]]  # that behind a variable of a group


class Learners:
    """Of a plan whose Synapses objects and NeuronGroups are `made`, by name. `repeats`: see `Gated`."""

    def __init__(
        self,
        plan: Brian2Plan,
        made: Mapping[str, Any],
        trains: Mapping[str, Trains],
        memory: Memory,
        repeats: bool,
    ) -> None:
        self.plan, self.made, self.trains, self.memory = plan, made, trains, memory
        mine = [s for s in plan.synapses if s.learning]
        self.of = {s.name: Plastic(s, plan.dt, partial(memory, made[s.name]), self._spikes) for s in mine}
        self.window = max((_longest(s) for s in mine), default=0)
        cells = {c.name for c in plan.cells}
        self.recent: dict[str, deque[tuple[int, npt.NDArray[np.int32]]]] = {
            n: deque() for s in mine for n in (s.source, s.target) if n in cells
        }
        self.signals = {p.signals.population for o in self.of.values() for p in o.parts.values()} - {""}
        self.recent |= {plan.placement[n].space: deque() for n in self.signals - trains.keys()}
        self.heard: dict[str, Heard] = {}
        self.gated: dict[str, Gated] = {}
        self.sources = {s.name for s in mine if s.source not in cells} if repeats else set()

    def keep(self, space: str, now: int, ids: npt.NDArray[np.int32]) -> None:
        """Spikes of a NeuronGroup, of which those of the last steps are kept."""
        kept = self.recent[space]
        kept.append((now, ids))
        while kept[0][0] <= now - self.window:
            kept.popleft()
        for population in self.signals - self.trains.keys():
            place = self.plan.placement[population]
            if place.space == space and (many := int(np.count_nonzero(place.has(ids)))):
                self._hear(population, many, now)

    def told(self, first: int, steps: int) -> Callable[[int], None]:
        """Has the connections hear, row by row, of the spikes of sources that are a third factor."""
        found = [
            (n, np.bincount(self.trains[n].spikes(first, steps)[1] - first, minlength=steps))
            for n in self.signals & self.trains.keys()
        ]

        def tell(row: int) -> None:
            for population, many in found:
                if many[row]:
                    self._hear(population, int(many[row]), first + row)

        return tell

    def _hear(self, population: str, many: int, stamp: int) -> None:
        for plastic in self.of.values():
            plastic.hear(population, many, stamp)

    def _spikes(self, population: str, first: int, steps: int) -> tuple[Ints, Ints]:
        if population in self.trains:
            return self.trains[population].spikes(first, steps)
        place = self.plan.placement[population]
        kept = [(k, ids[place.has(ids)]) for k, ids in self.recent[place.space] if k >= first]
        none = np.zeros(0, dtype=np.int64)
        ids = np.concatenate([none, *(self.plan.placement.positions(population, i) for _, i in kept)])
        return ids, np.repeat(np.array([k for k, _ in kept], dtype=np.int64), [i.size for _, i in kept])

    def calls(self, owner: str, codes: list[Any], now: Callable[[], int]) -> list[Callable[[], object]]:
        """The calls of a pathway of this name: pushing spikes, and its code, kept from what is done. Of any
        other object those that it has.
        """
        for s in self.plan.synapses:
            for p in s.learning.pathways if s.learning else ():
                if owner == f"{s.name}_{p.name}":
                    push, code = codes
                    if p.side == "signal":
                        heard = self.heard.setdefault(owner, Heard(self.of[s.name].due, code))
                        heard.code, code.namespace["_queue"] = code, heard.queue
                        return [partial(self._listen, heard, now)]
                    if owner not in self.gated:
                        repeats = s.name in self.sources and p.side == "pre"
                        queue = Shown(code.namespace["_queue"])
                        self.gated[owner] = Gated(self.of[s.name], p, code, queue, repeats)
                    gated = self.gated[owner]
                    gated.code, code.namespace["_queue"] = code, gated.queue
                    return [push, partial(self._step, gated, now, partial(self._arrive, s))]
        return codes

    @staticmethod
    def _listen(heard: Heard, now: Callable[[], int]) -> None:
        heard.step(now())

    @staticmethod
    def _step(gated: Gated, now: Callable[[], int], arrive: Callable[[Ints, Floats], None]) -> None:
        gated.step(now(), arrive)

    def _arrive(self, s: Synapse, index: Ints, sent: Floats) -> None:
        targets = self.memory(self.made[s.name], "_synaptic_post")
        np.add.at(self.memory(self.made[s.target], mangled("in", s.port)), targets[index], sent)

    def named(self, name: str) -> Plastic | None:
        """What has the program's connections of that name; None if there are none of them."""
        return next((p for p in self.of.values() if name in p.parts), None)

    def pathways(self, source: str) -> Iterator[Any]:
        """Brian2's pathways that spikes of a source enter."""
        for s in self.plan.synapses:
            if s.source == source:
                names = [p.name for p in s.learning.pathways if p.side == "pre"] if s.learning else ["pre"]
                yield from (getattr(self.made[s.name], n) for n in names)


def _longest(s: Synapse) -> int:
    assert s.learning is not None
    delays = max(p.connections.delay_range()[1] for p in s.parts)
    return max(delays, 2 * int(np.max(s.learning.dendritic)))
