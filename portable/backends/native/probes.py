"""Small networks whose times tell what the parts of a run cost, on one thread. Times are those of the
processor, the least of several: what other programs take of it is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from portable.backends.capabilities import Capabilities
from portable.backends.contract import RunConfig
from portable.backends.native.execute import NativeSession
from portable.backends.native.lower import lower
from portable.backends.native.outline import Outline
from portable.library.cells import IF_curr_exp
from portable.model.connectors import (
    AllToAll,
    Connector,
    Explicit,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    OneToOne,
    StaticSynapse,
)
from portable.model.network import Network, Population, Projection, Record
from portable.model.sources import SpikeSourcePoisson
from portable.model.values import Array, Normal, Uniform
from portable.resolve.program import CellGroup, Connections, Current, PerCell, Program, TrainGroup

REPEATS = 5
PIECE = 0.012  # seconds of one measurement of a loop, about
DT = 0.1
WEIGHTS: Mapping[str, Any] = {"": 1e-6, "Normal": Normal(1e-6, 1e-7, low=0.0), "Uniform": Uniform(1e-6, 2e-6)}
LONG = 60  # steps of the longest delay
DELAYS: Mapping[str, Any] = {
    "": 0.1,
    "Normal": Normal(2.0, 0.8, low=0.1, high=LONG * DT),
    "Uniform": Uniform(0.05, DT * (LONG + 0.5)),
}


def least(work: Callable[[], Any], repeats: int = 3) -> float:
    """Processor seconds of `work`, the least of several."""
    found = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def step_seconds(session: NativeSession) -> float:
    """Processor seconds of a step, the least of several pieces."""
    session.run(64)
    steps = max(16, int(64 * PIECE / max(1e-6, least(lambda: session.run(64), 2))))
    return least(lambda: session.run(steps), REPEATS) / steps


def joined(
    connector: Connector,
    sources: int,
    targets: int,
    weight: str = "",
    delay: str = "",
    several: bool = False,
) -> Network:
    """One projection of silent cells."""
    pre, post = Population("pre", sources, IF_curr_exp()), Population("post", targets, IF_curr_exp())
    more = Population("more", targets, IF_curr_exp())
    w: Any = WEIGHTS.get(weight, 1e-6)
    if weight == "Array":
        w = Array(np.full(sources * targets, 1e-6), "nA")
    onto = [post, more] if several else post
    synapse = StaticSynapse(w, DELAYS[delay])
    return Network("joined", [pre, post, more], [Projection(pre, onto, connector, synapse)])


def connected(full: int = 1_000_000) -> Iterator[Network]:
    """Networks of about `full` connections and fewer, of every connector, in long rows and in short ones."""
    for many, each in ((full // 250, 250), (full // 50, 30)):
        n = many * each
        shuffled = np.random.default_rng(1).integers(many, size=(2, n))
        yield joined(FixedProbability(min(1.0, each / many)), many, many)
        yield joined(FixedInDegree(each), many, many)
        yield joined(FixedTotalNumber(n), many, many)
        yield joined(AllToAll(), many, each)
        yield joined(Explicit(*shuffled), many, many)
        yield joined(FixedTotalNumber(n), many, many, weight="Normal")
        yield joined(FixedTotalNumber(n), many, many, weight="Normal", delay="Normal")
        yield joined(FixedTotalNumber(n // 2), many, many, several=True)
    yield joined(OneToOne(), full // 5, full // 5)
    many, each = full // 250, 250
    n = many * each
    yield joined(FixedTotalNumber(n), many, many, weight="Uniform")
    yield joined(FixedTotalNumber(n), many, many, delay="Uniform")
    yield joined(AllToAll(), many, each, weight="Array")
    yield joined(FixedInDegree(16), 70_000 * full // 1_000_000, 70_000 * full // 1_000_000)


@dataclass(frozen=True)
class Driven:
    """Poisson sources onto `cells` silent cells: "long", rows of 1000 at one delay; "spread", of 1000 over
    LONG delays; "short", rows of SHORT at one delay; all of them in tables of LONG delays, or (alone)
    without "spread", in tables of one.
    """

    network: Network
    rows: Mapping[str, int]


SHORT = 50


def driven(cells: int, synapses: int, weight: str, alone: bool = False) -> Driven:
    rows = {"long": 1000, "spread": 1000, "short": SHORT}
    if alone:
        del rows["spread"]
    post, pops, made = Population("cells", cells, IF_curr_exp()), [], []
    for name, each in rows.items():
        n = max(64, int(synapses * (0.45 if each > SHORT else 0.1) / each))
        pops.append(Population(name, n, SpikeSourcePoisson(rate=0.0)))
        delay = DELAYS["Uniform" if name == "spread" else ""]
        synapse = StaticSynapse(WEIGHTS[weight], delay)
        made.append(Projection(pops[-1], post, FixedTotalNumber(n * each), synapse))
    return Driven(Network("driven", [post, *pops], made), rows)


def ringing(cells: int) -> Network:
    """Short rows over many delays, which are delivered into ring buffers."""
    post = Population("cells", cells, IF_curr_exp())
    pre = Population("short", 400, SpikeSourcePoisson(rate=0.0))
    synapse = StaticSynapse(WEIGHTS["Normal"], DELAYS["Uniform"])
    return Network("ringing", [post, pre], [Projection(pre, post, FixedTotalNumber(400 * SHORT), synapse)])


def many_groups(groups: int, exchanging: bool = False, record: int = 0) -> Network:
    """Populations of 64 cells each."""
    made = [Population(f"p{i}", 64, IF_curr_exp()) for i in range(groups)]
    link = [Projection(made[0], made[0], OneToOne(), StaticSynapse(1e-6, DT))] if exchanging else []
    return Network("groups", made, link, recordings=[Record(made[0][:record], "v")] if record else [])


def tied(groups: int) -> Network:
    """Populations of 64 cells, each connected to itself, weights and delays drawn."""
    made = [Population(f"p{i}", 64, IF_curr_exp()) for i in range(groups)]
    synapse = StaticSynapse(WEIGHTS["Normal"], DELAYS["Normal"])
    return Network("tied", made, [Projection(p, p, FixedTotalNumber(640), synapse) for p in made])


def poisson(cells: int, per_step: float) -> Network:
    """A Poisson source for each cell, with so many spikes a step."""
    post = Population("cells", cells, IF_curr_exp())
    pre = Population("drive", cells, SpikeSourcePoisson(rate=1000.0 * per_step / DT))
    return Network("poisson", [post, pre], [Projection(pre, post, OneToOne(), StaticSynapse(1e-6, DT))])


def firing(cells: int, current: float) -> Network:
    """Cells that fire one by one, at some 50 Hz with a current of 0.9 nA."""
    cell = IF_curr_exp(v_rest=-65.0 + 20.0 * current)
    made = Population("cells", cells, cell, initial={"v": Uniform(-65.0, -51.0)})
    return Network("firing", [made], recordings=[Record(made, "spikes")])


def alone(o: Outline, name: str, size: int) -> Program:
    """`size` cells of a group of the outline by themselves, with the receptors and currents that it has."""
    g = o.program.group(name)
    assert isinstance(g, CellGroup)
    names = {str(c.port) for c in o.program.connections if c.post == name and c.count}
    one = np.zeros(1, dtype=np.uint32)
    silent = TrainGroup("*silent", 1, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int64))
    cells = replace(
        g,
        size=size,
        parameters={k: _tiled(v, size) for k, v in g.parameters.items()},
        initial={k: _tiled(v, size) for k, v in g.initial.items()},
        refractory=g.refractory if isinstance(g.refractory, int) else np.resize(g.refractory, size),
    )
    to = tuple(Connections(p, p, "*silent", name, p, np.array([0, 1]), one, 1.0, 1) for p in sorted(names))
    injected = any(c.group == name for c in o.program.currents)
    nothing = Current(name, np.arange(size), np.array([0]), np.zeros((1, 1)))
    return Program("alone", o.program.dt, 0, (cells, silent), to, (nothing,) * injected)


def _tiled(v: PerCell, size: int) -> PerCell:
    return v if isinstance(v, float) else np.resize(v, size)


def opened(program: Program, threads: int = 1) -> NativeSession:
    """A session, made with all that is done before it: what cannot be run is looked for, the plan is made."""
    config = RunConfig(threads=threads)
    Capabilities.load(Path(__file__).parent).shortfalls(program, config)
    return NativeSession(lower(program, config).plan)
