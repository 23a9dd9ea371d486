"""Connections that learn in a built network: how they are made, read, set and held still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portable.backends.contract import HeldConnections
from portable.backends.nest.feed import Feed
from portable.backends.nest.kernel import part
from portable.backends.nest.plan import LearningEdges, Plan
from portable.backends.nest.replay import Replay, Spikes
from portable.backends.nest.synapse_text import MARKS
from portable.dynamics.synapse import WEIGHT
from portable.errors import BackendFailed
from portable.resolve.program import Ints
from portable.units import Floats

LOOKED_AT = 256  # connections of a projection whose weights in NEST are compared with the replay, a time
# NEST's weights and the replay's differ by rounding: each change to 1e-16, and what a rule makes of that
CLOSE = 1e-9
CONNECT_AT_ONCE = 2**23
PIECE = 100_000  # connections that NEST is asked about at a time


class Plastic:
    """All connections of a plan that learn. nodes and feeds are the session's."""

    def __init__(self, nest: Any, plan: Plan, nodes: Mapping[str, Any], feeds: Mapping[str, Feed]) -> None:
        self.nest, self.plan, self.nodes, self.feeds = nest, plan, nodes, feeds
        self.models: dict[str, str] = {}
        self.made: dict[str, Made] = {}
        self.recorders: dict[str, Any] = {}
        self.now = 0  # up to where spikes were replayed
        self.relays = np.zeros((3, 0), dtype=np.int64)  # of each: its node, the source's, steps between them

    def connect(self, edges: LearningEdges, sources: Ints) -> None:
        """Make the connections; sources: the node of each."""
        c, learned, port = edges.connections, edges.learned, edges.port
        assert c.learning is not None
        model = f"{learned.nestml.name}__{len(self.models)}"
        self.nest.CopyModel(learned.nestml.name, model, dict(learned.scalars))
        self.models[c.name] = model
        pre, post = self._relayed(edges, sources), self.plan.placement.numbers(c.post, c.targets)
        for low in range(0, c.count, CONNECT_AT_ONCE):
            high = min(low + CONNECT_AT_ONCE, c.count)
            self.nest.Connect(
                pre[low:high],
                post[low:high],
                "one_to_one",
                {
                    "synapse_model": model,
                    "weight": part(c.weights, low, high, 1.0),
                    "delay": part(c.learning.dendritic, low, high, self.plan.dt),
                    "receptor_type": port.receptor,
                    "place": np.arange(low, high, dtype=np.float64),
                    **{name: x[low:high] for name, x in learned.arrays.items()},
                },
            )

    def _relayed(self, edges: LearningEdges, numbers: Ints) -> Ints:
        """The node that each connection leaves: its source or, where part of the delay is axonal, a relay
        that spikes that much later, one for each source and time.
        """
        axonal = edges.learned.axonal
        if axonal is None:
            return numbers
        late = np.broadcast_to(axonal, numbers.shape)
        pairs, which = np.unique(np.stack([numbers, late]), axis=1, return_inverse=True)
        which = which.reshape(-1)
        needed = np.flatnonzero(pairs[1] > 0)
        if needed.size:
            relays = self.nest.Create("parrot_neuron", int(needed.size))
            nodes = relays[0].global_id + np.arange(needed.size)
            self.nest.Connect(
                pairs[0][needed],
                nodes,
                "one_to_one",
                {"weight": np.ones(needed.size), "delay": pairs[1][needed] * self.plan.dt},
            )
            self.relays = np.hstack([self.relays, np.stack([nodes, *pairs[:, needed]])])
            pairs[0][needed] = nodes
        found: Ints = pairs[0][which]
        return found

    def listen(self) -> None:
        """Have all spikes of both ends kept until they are replayed."""
        for name in sorted(self.plan.taught - self.feeds.keys()):
            self.recorders[name] = self.nest.Create("spike_recorder", params={"time_in_steps": True})
            # a recorder's delay changes nothing but NEST's min_delay, which it must not make smaller
            late = {"delay": self.plan.longest * self.plan.dt}
            self.nest.Connect(self.nodes[name], self.recorders[name], syn_spec=late)
        self.made = {n: Made(self, e, self.models[n]) for n, e in self.plan.learning.items()}

    def behind(self, nodes: Ints) -> tuple[Ints, Ints]:
        """The sources of connections that leave these nodes, and the steps of delay before that."""
        late = np.zeros(nodes.size, dtype=np.int64)
        if not self.relays.size:
            return nodes, late
        at = np.clip(np.searchsorted(self.relays[0], nodes), 0, self.relays.shape[1] - 1)
        relayed = self.relays[0][at] == nodes
        return np.where(relayed, self.relays[1][at], nodes), np.where(relayed, self.relays[2][at], 0)

    def catch_up(self, now: int) -> None:
        """Replay what was spiked since this was last called, up to step `now`."""
        spikes: dict[str, Spikes] = {}
        for name, recorder in self.recorders.items():
            events = recorder.events
            place = self.plan.placement.positions(name, events["senders"])
            spikes[name] = place, np.asarray(events["times"], dtype=np.int64)
            recorder.n_events = 0
        spikes |= {name: feed.new() for name, feed in self.feeds.items() if name in self.plan.taught}
        slices = round(self.nest.min_delay / self.plan.dt)
        delivered = slices * (-(-now // slices) - 1)
        for made in self.made.values():
            c = made.edges.connections
            made.replay.advance(now, delivered, spikes[c.pre], spikes[c.post])
            made.delivered = delivered
        self.now = now


class Made:
    """One of the program's connections that learn, as NEST has it."""

    def __init__(self, all: Plastic, edges: LearningEdges, model: str) -> None:
        self.all, self.nest, self.edges, self.model = all, all.nest, edges, model
        self.replay = Replay(edges.connections, all.plan.dt)
        self.delivered = 0  # what NEST's synapses have seen of their sources
        self.looks = 0
        self.marks: list[tuple[int, dict[str, Any]]] = []
        self._found: Any = None

    @property
    def found(self) -> Any:
        """NEST's connections. Asked for once NEST has put them in order, when it is first prepared."""
        if self._found is None:
            self._found = self.nest.GetConnections(synapse_model=self.model)
        return self._found

    @property
    def where(self) -> str:
        return f"projection '{self.edges.connections.projection}'"

    def told(self, *names: str) -> list[Floats]:
        """What NEST says of each of `found`."""
        pieces = [self.found[low : low + PIECE].get(list(names)) for low in range(0, len(self.found), PIECE)]
        return [
            np.concatenate(
                [np.zeros(0), *(np.atleast_1d(np.asarray(p[n], dtype=np.float64)) for p in pieces)]
            )
            for n in names
        ]

    def look(self) -> None:
        """BackendFailed if weights in NEST are not those of the replay. Some are looked at each time, others
        the next.
        """
        stride = -(-self.edges.connections.count // LOOKED_AT)
        some = self.found[self.looks % stride :: stride]
        self.looks += 1
        told = some.get(["place", "weight"])
        place = np.atleast_1d(told["place"]).astype(np.int64)
        raw, truth = np.atleast_1d(np.asarray(told["weight"], dtype=np.float64)), self.replay.held[place]
        scale = max(float(np.abs(self.replay.held).max()), 1e-300)
        wrong = np.flatnonzero(~(np.abs(raw - truth) <= CLOSE * scale))
        if wrong.size:
            i = int(wrong[0])
            raise BackendFailed(
                f"{self.where}: NEST's weight of connection {place[i]} is {raw[i]!r}, and the spikes of its "
                f"source and target give {truth[i]!r}; please report it with the network"
            )

    def read(self, variable: str) -> Floats:
        self.look()
        return self.replay.learning.read(variable)

    def holds(self) -> HeldConnections:
        """The connections as NEST has them, with the weights that they have now."""
        c, place = self.edges.connections, self.all.plan.placement
        node, target, delay, number = self.told("source", "target", "delay", "place")
        source, late = self.all.behind(node.astype(np.int64))
        return HeldConnections(
            (c.name,),
            place.positions(c.pre, source),
            place.positions(c.post, target.astype(np.int64)),
            self.read(WEIGHT)[number.astype(np.int64)],
            place.steps(delay) + late,
        )

    def change(self, now: int, values: Mapping[str, float | Floats], on: bool | None = None) -> None:
        """Set states, or switch learning, after all that is seen up to `now`: a mark on the synapses' clock
        (`synapse_text`). Of two marks the older is given up for a third: no spike of a source that is yet to
        be delivered may then lie before the newer.
        """
        learning = self.replay.learning
        if self.marks and self.marks[-1][0] == now:
            self.marks.pop()
        elif len(self.marks) == len(MARKS):
            if self.marks[-1][0] > self.delivered:
                raise BackendFailed(
                    f"{self.where}: is changed at steps {self.marks[-1][0]} and {now}, between which NEST "
                    "delivers no spikes; open the session with needs=['session.synapses.set'], so that it "
                    "delivers them every step"
                )
            self.marks.pop(0)
        if values:
            learning.set(values)
        if on is not None:
            learning.on = on
        states = {WEIGHT: "w", **{s.name: f"s_{s.name}" for s in learning.rule.own}}
        self.marks.append(
            (now, {**{states[n]: learning.read(n) for n in states}, "learn": float(learning.on)})
        )
        self._write()

    def _write(self) -> None:
        places = self.told("place")[0].astype(np.int64)
        scalars: dict[str, float] = {}
        arrays: dict[str, Floats] = {}
        for mark, (step, values) in zip(MARKS[-len(self.marks) :], self.marks, strict=True):
            scalars |= {f"set_{mark}": float(step), f"learn_{mark}": values["learn"]}
            for name, x in values.items():
                if name != "learn":
                    own = name.removeprefix("s_")
                    arrays[f"w_{mark}" if name == "w" else f"s_{mark}_{own}"] = x[places]
        for low in range(0, places.size, PIECE):
            high = min(low + PIECE, places.size)
            columns = {n: x[low:high].tolist() for n, x in arrays.items()}
            columns |= {n: [x] * (high - low) for n, x in scalars.items()}
            rows = zip(*columns.values(), strict=True)
            self.found[low:high].set([dict(zip(columns, row, strict=True)) for row in rows])
