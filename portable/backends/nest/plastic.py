"""Connections that learn in a built network: how they are made, read, set and held still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portable.backends.nest.feed import Feed
from portable.backends.nest.plan import Edges, Plan
from portable.backends.nest.replay import Replay, Spikes
from portable.backends.nest.synapse_text import MARKS
from portable.dynamics.synapse import WEIGHT
from portable.errors import BackendFailed
from portable.resolve.program import Ints
from portable.units import Floats

LOOKED_AT = 256  # connections of a projection whose weights in NEST are compared with the replay, a time
# NEST's weights and the replay's differ by rounding: each change to 1e-16, and what a rule makes of that
CLOSE = 1e-9
PIECE = 100_000  # connections that NEST is asked about at a time


class Plastic:
    """All connections of a plan that learn. nodes and feeds are the session's."""

    def __init__(self, nest: Any, plan: Plan, nodes: Mapping[str, Any], feeds: Mapping[str, Feed]) -> None:
        self.nest, self.plan, self.nodes, self.feeds = nest, plan, nodes, feeds
        self.edges = {e.connections.name: e for e in plan.edges if e.learned}
        self.models: dict[str, str] = {}
        self.made: dict[str, Made] = {}
        self.recorders: dict[str, Any] = {}

    def model(self, edges: Edges) -> str:
        """NEST's model of these connections: the generated one with their values."""
        assert edges.learned is not None
        name = f"{edges.learned.nestml.name}__{len(self.models)}"
        self.nest.CopyModel(edges.learned.nestml.name, name, dict(edges.learned.scalars))
        self.models[edges.connections.name] = name
        return name

    def sources(self, edges: Edges, numbers: Ints) -> Ints:
        """The node of each connection's source, of which these are the numbers: where part of the delay is
        axonal, a relay that spikes that much later, one for each source and time.
        """
        assert edges.learned is not None
        axonal = edges.learned.axonal
        if axonal is None:
            return numbers
        late = np.broadcast_to(axonal, numbers.shape)
        pairs, which = np.unique(np.stack([numbers, late]), axis=1, return_inverse=True)
        which = which.reshape(-1)
        needed = np.flatnonzero(pairs[1] > 0)
        if needed.size:
            relays = self.nest.Create("parrot_neuron", int(needed.size))
            first = relays[0].global_id
            self.nest.Connect(
                pairs[0][needed],
                first + np.arange(needed.size),
                "one_to_one",
                {"weight": np.ones(needed.size), "delay": pairs[1][needed] * self.plan.dt},
            )
            pairs[0][needed] = first + np.arange(needed.size)
        found: Ints = pairs[0][which]
        return found

    def listen(self) -> None:
        """Have all spikes of both ends kept until they are replayed."""
        for e in self.edges.values():
            for name in (e.connections.pre, e.connections.post):
                if name in self.feeds:
                    self.feeds[name].heard = []
                elif name not in self.recorders:
                    self.recorders[name] = self.nest.Create("spike_recorder", params={"time_in_steps": True})
                    self.nest.Connect(self.nodes[name], self.recorders[name])
        self.made = {n: Made(self, e, self.models[n]) for n, e in self.edges.items()}

    def catch_up(self, now: int) -> None:
        """Replay what was spiked since this was last called, up to step `now`."""
        spikes: dict[str, Spikes] = {}
        for name, recorder in self.recorders.items():
            events = recorder.events
            place = self.plan.placement.positions(name, events["senders"])
            spikes[name] = place, np.asarray(events["times"], dtype=np.int64)
            recorder.n_events = 0
        ends = {n for e in self.edges.values() for n in (e.connections.pre, e.connections.post)}
        spikes |= {name: feed.new() for name, feed in self.feeds.items() if name in ends}
        slices = round(self.nest.min_delay / self.plan.dt)
        delivered = slices * (-(-now // slices) - 1)
        for made in self.made.values():
            c = made.edges.connections
            made.replay.advance(now, spikes[c.pre], spikes[c.post])
            made.replay.delivered(delivered)
            made.delivered = delivered


class Made:
    """One of the program's connections that learn, as NEST has it."""

    def __init__(self, all: Plastic, edges: Edges, model: str) -> None:
        self.nest, self.edges, self.model = all.nest, edges, model
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

    def places(self) -> Ints:
        """Which of the program's connections each of `found` is."""
        got = [
            np.atleast_1d(self.found[low : low + PIECE].get("place"))
            for low in range(0, len(self.found), PIECE)
        ]
        return np.concatenate(got).astype(np.int64)

    def look(self) -> None:
        """BackendFailed if weights in NEST are not those of the replay. Some are looked at each time, others
        the next.
        """
        n = self.edges.connections.count
        if not n:
            return
        stride = -(-n // LOOKED_AT)
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

    def change(self, now: int, values: Mapping[str, float | Floats], on: bool | None = None) -> None:
        """Set states, or switch learning, after all that is seen up to `now`: a mark on the synapses' clock
        (`synapse_text`). Of two marks the older is given up for a third: no spike of a source that is yet to
        be delivered may then lie before the newer.
        """
        learning = self.replay.learning
        if values:
            learning.set(values)
        if on is not None:
            learning.on = on
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
        states = {WEIGHT: "w", **{s.name: f"s_{s.name}" for s in learning.rule.own}}
        self.marks.append(
            (now, {**{states[n]: learning.read(n) for n in states}, "learn": float(learning.on)})
        )
        self._write()

    def _write(self) -> None:
        places = self.places()
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
