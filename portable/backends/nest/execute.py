"""Plan -> NEST: a network in the kernel of this process."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from portable.backends.contract import Facts, HeldConnections, Recorded
from portable.backends.interrupts import in_pieces
from portable.backends.nest import builtin
from portable.backends.nest.feed import Feed
from portable.backends.nest.kernel import failing, part, with_refractory
from portable.backends.nest.lower import parameters_of, split
from portable.backends.nest.plan import Edges, LearningEdges, Nodes, Plan
from portable.backends.nest.plastic import CONNECT_AT_ONCE, Made, Plastic
from portable.backends.nest.record import SLICE, Traces, stop_quietly
from portable.dynamics.methods import exploded
from portable.errors import BackendFailed, ModelError, suggestion
from portable.resolve.program import Ints, PerCell, PoissonGroup
from portable.units import Floats

RECORDERS = 1.0  # ms, the delay of their connections
NOTHING = {"senders": np.zeros(0, np.int64), "times": np.zeros(0, np.int64)}  # of a recorder of no cell


class NestSession:
    """A network in NEST's kernel; contract.Session."""

    def __init__(self, nest: Any, plan: Plan) -> None:
        self.nest, self.plan, self.place = nest, plan, plan.placement
        self.now, self.prepared, self.over = 0, False, False
        self.nodes: dict[str, Any] = {}
        self.cells: dict[str, Nodes] = {c.group.name: c for c in plan.cells}
        self.values: dict[str, dict[str, PerCell]] = {
            c.group.name: dict(c.group.parameters) for c in plan.cells
        }
        self.feeds = {
            s.group.name: Feed(s, plan.dt, plan.spikes.get(s.group.name), s.group.name in plan.taught)
            for s in plan.sources
        }
        self.plastic_ones = Plastic(nest, plan, self.nodes, self.feeds)
        try:
            self._build()
        except BaseException:
            stop_quietly(nest)
            raise

    def facts(self) -> Facts:
        """NEST's own number of threads."""
        return Facts(self.plan.threads, self.plan.inputs)

    # -- building

    def _build(self) -> None:
        with failing("the kernel"):
            self.nest.ResetKernel()
            self.nest.verbosity = self.nest.VerbosityLevel.ERROR
            self.nest.set(tics_per_ms=self.plan.tics_per_ms, resolution=self.plan.dt)
            self.nest.set(local_num_threads=self.plan.threads, rng_seed=self.plan.seed)
            if self.plan.exchange:
                longest = max(self.plan.longest, SLICE) * self.plan.dt + RECORDERS
                self.nest.set(min_delay=self.plan.exchange * self.plan.dt, max_delay=longest)
        self._install()
        for cells in self.plan.cells:
            with failing(f"population '{cells.group.name}'"):
                self._create(cells)
        for source in self.plan.sources:
            if source.how in ("trains", "frozen"):
                with failing(f"population '{source.group.name}'"):
                    self._nodes(
                        source.group.name,
                        self.nest.Create(self.feeds[source.group.name].model, source.group.size),
                    )
        for edges in self.plan.edges:
            with failing(f"projection '{edges.connections.projection}'"):
                self._connect(edges)
        with failing("the recordings"):
            self._record()
            self.plastic_ones.listen()
        self.changes = sorted({int(k) for c in self.plan.currents for k in c.steps})
        self._inject()

    def _install(self) -> None:
        models = self.plan.models
        if not models:
            return
        from portable.backends.nest.compiled import shared_objects

        for path in shared_objects(list(models.values())):
            with failing(f"the generated models of {', '.join(m.name for m in models.values())}"):
                self.nest.Install(str(path))

    def _nodes(self, name: str, nodes: Any) -> None:
        if nodes[0].global_id != self.place[name].first:
            raise BackendFailed(
                f"population '{name}': NEST numbers its nodes from {nodes[0].global_id} on, the plan from "
                f"{self.place[name].first}"
            )
        self.nodes[name] = nodes

    def _create(self, cells: Nodes) -> None:
        if not cells.group.size:
            return
        name = f"{cells.model}__{len(self.nodes)}"
        self.nest.CopyModel(cells.model, name, dict(cells.scalars))
        self._nodes(cells.group.name, self.nest.Create(name, cells.group.size))
        self._set(cells.group.name, cells.arrays)

    def _set(self, group: str, arrays: Mapping[str, Any]) -> None:
        """Set arrays (one row a node) in one call."""
        if arrays:
            names, columns = list(arrays), [np.asarray(a).tolist() for a in arrays.values()]
            self.nodes[group].set([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])

    def _connect(self, edges: Edges | LearningEdges) -> None:
        c = edges.connections
        source = next((s for s in self.plan.sources if s.group.name == c.pre), None)
        native = source is not None and source.how == "native"
        if native:
            assert source is not None
            assert isinstance(source.group, PoissonGroup)
            pre = self._generators(source.group)
        else:
            pre = self.place.numbers(c.pre, np.arange(c.indptr.size - 1))
        if isinstance(edges, LearningEdges):
            self.plastic_ones.connect(edges, pre[c.sources()])
            return
        for low in range(0, c.count, CONNECT_AT_ONCE):
            high = min(low + CONNECT_AT_ONCE, c.count)
            rows = np.arange(c.indptr.size - 1)
            inside = np.diff(np.clip(c.indptr, low, high))
            self.nest.Connect(
                pre[np.repeat(rows, inside)],
                self.place.numbers(c.post, c.targets[low:high]),
                "one_to_one",
                {
                    "weight": part(c.weights, low, high, edges.port.factor),
                    "delay": part(c.delays, low, high, self.plan.dt),
                    "receptor_type": edges.port.receptor,
                },
            )

    def _generators(self, group: PoissonGroup) -> Ints:
        """NEST's Poisson generators, one for each distinct rate; the node id for each source."""
        rates, which = np.unique(
            np.broadcast_to(np.asarray(group.rate, dtype=np.float64), group.size), return_inverse=True
        )
        # NEST's first spike is stamped two steps after `start` (measured), ours one; at time 0 nothing is
        # earlier (lower says so)
        window = {"start": max(group.start - 1, 0) * self.plan.dt} | (
            {} if group.stop is None else {"stop": max(group.stop - 1, 0) * self.plan.dt}
        )
        nodes = [
            self.nest.Create("poisson_generator", params={"rate": float(r) * 1000.0, **window}) for r in rates
        ]
        self.nodes[group.name] = nodes
        return np.array([n.global_id for n in nodes], dtype=np.int64)[which.reshape(-1)]

    def _record(self) -> None:
        self.recorders: dict[str, Any] = {}
        for name, ids in self.plan.spikes.items():
            if name in self.cells and ids.size:
                self.recorders[name] = self.nest.Create("spike_recorder", params={"time_in_steps": True})
                self.nest.Connect(self.chosen(name, ids), self.recorders[name])
        self.traces = [
            Traces(
                self.nest,
                t,
                self.cells[t.group],
                self.chosen(t.group, t.ids) if t.ids.size else None,
                self.place,
            )
            for t in self.plan.traces
        ]

    def chosen(self, name: str, ids: Ints) -> Any:
        """The nodes at these positions."""
        nodes = self.nodes[name]
        if ids.size == len(nodes):
            return nodes
        if np.all(np.diff(ids) == 1):
            return nodes[int(ids[0]) : int(ids[-1]) + 1]
        return nodes[ids.tolist()]

    # -- running

    def run(self, steps: int) -> None:
        """Advance by whole steps. Ctrl-C is seen between two pieces: within one, NEST would go further than
        it says."""
        in_pieces(self.advance, steps)

    def advance(self, steps: int) -> None:
        """One piece: in runs between changes of injected current and hand-overs of source spikes."""
        self._alive()
        end = self.now + steps
        with failing("running"):
            if not self.prepared and steps:
                self.nest.Prepare()
                self.prepared = True
            while self.now < end:
                if self.now in self.changes:
                    self._inject()
                stop = self._next_stop(end)
                for name, feed in self.feeds.items():
                    if feed.needed:
                        self._hand_over(name, feed.draw(self.now + 1, stop - self.now))
                self._advance(stop, end)
        self._finite()

    def _finite(self) -> None:
        """NEST's own models raise when a state blows up; a generated one goes on, so it is looked at after
        each run.
        """
        for cells in self.plan.cells:
            for state, name in (
                cells.recordables.items() if cells.nestml is not None and cells.group.size else ()
            ):
                x = np.atleast_1d(np.asarray(self.nodes[cells.group.name].get(name), dtype=np.float64))
                t = self.now * self.plan.dt
                if problem := exploded(cells.group.flat, cells.choice.method, state, x, t):
                    raise BackendFailed(f"population '{cells.group.name}': {problem}")

    def _next_stop(self, end: int) -> int:
        stop = min([end, *(k for k in self.changes if k > self.now)])
        return min([stop, *(self.now + f.trains.longest for f in self.feeds.values() if f.needed)])

    def _advance(self, stop: int, end: int) -> None:
        """Run to `stop`. Near `end`, traces are read sample by sample (record.Traces)."""
        for k in sorted(
            {stop, *(k for t in self.traces for k in t.unseen(end, self.min_delay) if self.now < k < stop)}
        ):
            self.nest.Run((k - self.now) * self.plan.dt)
            self.now = k
            for t in self.traces:
                t.look(k, end, self.min_delay)

    @property
    def min_delay(self) -> int:
        """Steps between NEST's exchanges of spikes."""
        return max(1, round(self.nest.min_delay / self.plan.dt)) if self.traces else 1

    def _hand_over(self, name: str, drawn: tuple[Ints, Ints, Ints]) -> None:
        if name not in self.nodes or self.feeds[name].how == "native":
            return
        indptr, stamps, counts = drawn
        times, weights = stamps * self.plan.dt, counts.astype(np.float64)
        # repeats of a stamp as weights: faster to hand over than multiplicities, and every receptor that NEST
        # gets is linear in the weight
        # where connections learn, each spike is one, and is sent as neurons' are
        name_of, how_often = (
            ("spike_weights", weights)
            if self.feeds[name].model == "spike_generator"
            else ("spike_multiplicities", counts)
        )
        given = [
            {"spike_times": times[a:b], name_of: how_often[a:b]}
            for a, b in itertools.pairwise(indptr.tolist())
        ]
        self.nodes[name].set(given)

    def _inject(self) -> None:
        """Give every cell with an injected current its amplitude for the update that starts now."""
        for name in dict.fromkeys(c.group for c in self.plan.currents):
            cells = self.cells[name]
            total = np.zeros(cells.group.size)
            touched = np.zeros(cells.group.size, dtype=bool)
            for c in (c for c in self.plan.currents if c.group == name):
                touched[c.ids] = True
                column = int(np.searchsorted(c.steps, self.now, "right")) - 1
                if column >= 0:
                    np.add.at(total, c.ids, np.broadcast_to(c.amplitude[:, column], c.ids.shape))
            base = (
                np.broadcast_to(self.values[name]["i_offset"], cells.group.size)
                if cells.mapping == "builtin"
                else 0.0
            )
            amount, ids = (base + total)[touched], np.flatnonzero(touched)
            with failing(f"the current into population '{name}'"):
                if not ids.size:
                    continue
                same = bool(np.all(amount == amount[0]))
                self.chosen(name, ids).set(
                    {cells.injected: float(amount[0])}
                    if same
                    else [{cells.injected: a} for a in amount.tolist()]
                )

    # -- changing and reading

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        """Change parameters from now on; what depends on them (leak, refractory steps) is worked out
        again.
        """
        self._alive()
        if group in self.feeds:
            self._set_source(group, values)
            return
        cells = self.cells[group]
        known = {p.name for p in cells.group.flat.parameters}
        for name in values:
            if name not in known:
                raise ModelError(
                    f"population '{group}'.{name}", "is no parameter of its cells", suggestion(name, known)
                )
        new = {**self.values[group], **values}
        if cells.mapping == "builtin" and not builtin.takes(cells.choice, new, self.plan.dt):
            raise ModelError(
                f"population '{group}'",
                f"NEST's own {cells.choice.row.nest} cannot take these values of {', '.join(values)}",
                "open the session with options={'nestml': 'always'}: generated code takes any value",
            )
        changed = with_refractory(cells.group, new, self.plan.dt)
        scalars, arrays = split(
            parameters_of(cells.mapping, cells.choice, changed, new, self.plan.dt), cells.group.size
        )
        with failing(f"population '{group}'"):
            self._pause()
            if cells.group.size:
                self.nodes[group].set(scalars)
                self._set(group, arrays)
        self.values[group] = new
        self._inject()

    def _set_source(self, group: str, values: Mapping[str, float | Floats]) -> None:
        if self.feeds[group].how != "native":
            self.feeds[group].set(values, self.now)
        elif values.keys() != {"rate"} or np.size(values["rate"]) != 1 or len(self.nodes[group]) != 1:
            raise ModelError(
                f"population '{group}'",
                "native Poisson sources can only change one common rate",
                "use inputs='frozen'",
            )
        else:
            self._pause()
            self.nodes[group][0].set(rate=float(np.asarray(values["rate"]).reshape(-1)[0]) * 1000.0)

    def _pause(self) -> None:
        if self.prepared:
            self.nest.Cleanup()
            self.prepared = False

    def recorded(self) -> Recorded:
        """Everything recorded since the start."""
        out = Recorded()
        for name in self.plan.spikes:
            if name in self.feeds:
                out.spikes[name] = self.feeds[name].recorded()
            else:
                events = self.recorders[name].events if name in self.recorders else NOTHING
                out.spikes[name] = self.place.spikes_of(name, events["senders"], events["times"])
        for t in self.traces:
            out.traces[t.key] = t.read(self.now)
        return out

    def connections(self) -> Iterator[HeldConnections]:
        """What NEST says that it holds; its native Poisson generators are no connections of ours."""
        from portable.backends.nest.readback import held_connections

        self._alive()
        with failing("reading the connections back"):
            yield from held_connections(self.nest, self.plan)
            for name in self.plastic_ones.made:
                yield self._learning(name).holds()

    # -- connections that learn

    def synapses(self, name: str, variable: str) -> Floats:
        """A state of every connection at this time."""
        return self._learning(name).read(variable)

    def set_synapses(self, name: str, values: Mapping[str, float | Floats]) -> None:
        """Set states from now on."""
        self._change(name, values)

    def plastic(self, name: str, on: bool) -> None:
        """Whether weights change from now on."""
        self._change(name, {}, on)

    def _change(self, name: str, values: Mapping[str, float | Floats], on: bool | None = None) -> None:
        made = self._learning(name)
        self._pause()
        with failing(made.where):
            made.change(self.now, values, on)

    def _learning(self, name: str) -> Made:
        self._alive()
        made = self.plastic_ones.made[name]
        with failing(made.where):
            if not self.now and not self.prepared:
                self.nest.Prepare()  # NEST puts its connections in order
                self.prepared = True
            if self.plastic_ones.now < self.now or not self.now:
                self._pause()  # else recorders cannot be emptied
                self.plastic_ones.catch_up(self.now)
        return made

    def close(self) -> None:
        """Free the kernel."""
        if not self.over:
            with contextlib.suppress(Exception):
                self._pause()
            self.over = True
            self.nest.ResetKernel()

    def _alive(self) -> None:
        if self.over:
            raise BackendFailed("the session is closed")
