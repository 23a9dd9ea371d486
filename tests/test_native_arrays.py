"""A part's arrays are all that a run of the native engine reads and changes: put into another session of the
same plan they go on as the first would have, to the last bit.
"""

from __future__ import annotations

import pytest
from test_links_model import ORDERED, graph

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND
from portable.backends.native.execute import NativeSession
from portable.backends.native.tables import ARRAYS
from portable.resolve import resolve

SHARED = ("flags", "ends", "out")  # one array of all parts


def conductances() -> pt.Network:
    exc, inh = pt.Population("exc", 150, pt.IF_cond_exp()), pt.Population("inh", 50, pt.IF_curr_exp())
    noise = pt.Population("noise", 150, pt.SpikeSourcePoisson(rate=900.0))
    given = pt.Population("given", 2, pt.SpikeSourceArray([[3.0, 61.0], [4.0, 70.0]]))
    up = pt.StaticSynapse(pt.Normal("6 nS", "1 nS", low="0 nS"), pt.Uniform("0.5 ms", "3 ms"))
    return pt.Network(
        "conductances",
        [exc, inh, noise, given],
        [
            pt.Projection(exc, exc, pt.FixedProbability(0.1), up),
            pt.Projection(exc, inh, pt.FixedInDegree(20), pt.StaticSynapse(0.2, 1.5)),
            pt.Projection(noise, exc, pt.OneToOne(), pt.StaticSynapse("8 nS", "0.5 ms")),
            pt.Projection(given, exc[:40], pt.AllToAll(), up),
        ],
        [pt.Injection(pt.StepCurrentSource([10, 60, 80], [0.3, 0.8, 0.0]), inh)],
        [pt.Record([exc, inh], "spikes"), pt.Record(exc[::7], "v", interval=0.5)],
    )


def ordered() -> pt.Network:
    source = pt.Population("s", 30, pt.SpikeSourcePoisson(rate=200.0))
    cells = pt.Population("c", 70, ORDERED())
    delays = pt.Uniform("0.1 ms", "4 ms")
    return pt.Network(
        "ordered",
        [source, cells],
        [
            pt.Projection(source, cells, pt.FixedProbability(0.3), pt.StaticSynapse(w, delays), port)
            for port, w in (("in", 0.01), ("up", 0.02))
        ],
        recordings=[pt.Record(cells, "w", interval=1.0), pt.Record(source, "spikes")],
    )


def pulses() -> pt.Network:
    """Cells that sleep between arrivals."""
    source = pt.Population("s", 20, pt.SpikeSourcePoisson(rate=20.0))
    cells = pt.Population("c", 130, pt.IF_curr_exp())
    projection = pt.Projection(source, cells, pt.FixedProbability(0.2), pt.StaticSynapse(4.0, 1.0))
    return pt.Network("pulses", [source, cells], [projection], recordings=[pt.Record(cells[:100], "spikes")])


MODELS = {
    "conductances": (conductances, "auto", 1),
    "ring buffers": (conductances, "ring", 1),
    "three threads": (conductances, "due", 3),
    "links": (lambda: graph(60, 200, 60), "auto", 1),
    "ordered arrivals": (ordered, "auto", 1),
    "from event to event": (pulses, "events", 1),
}


def _later(session: NativeSession, step: int) -> tuple[dict, dict]:
    """The spikes after a step, in order, and the last samples of all traces, bit by bit."""
    found = session.recorded()
    spikes = {
        k: sorted(zip(stamps[stamps > step].tolist(), ids[stamps > step].tolist(), strict=True))
        for k, (ids, stamps) in found.spikes.items()
    }
    return spikes, {k: values[-1].tobytes() for k, (_, _, values) in found.traces.items()}


@pytest.mark.parametrize("name", MODELS)
def test_the_arrays_are_the_whole_state(name: str) -> None:
    make, delivery, threads = MODELS[name]
    program = resolve(make(), 4, 0.1)
    plan = BACKEND.lower(program, RunConfig(threads=threads, options={"delivery": delivery})).plan
    whole, first, second = (NativeSession(plan) for _ in range(3))
    try:
        whole.run(500)
        first.run(263)  # in the middle of an interval between exchanges, with spikes under way
        for p, (mine, others) in enumerate(zip(second.parts.arrays, first.parts.arrays, strict=True)):
            for array in ARRAYS:
                if array == "codes" or (p and array in SHARED):
                    continue
                if mine[array].shape == others[array].shape:
                    mine[array][...] = others[array]  # what is elsewhere known by this array
                else:
                    assert array not in ("F", "C", *SHARED), array
                    mine[array] = others[array].copy()
        second.now = first.now
        second.run(237)
        (truth, end), (spikes, last) = (_later(session, 263) for session in (whole, second))
        assert sum(map(len, truth.values())) > 20
        assert spikes == truth
        assert last == end
    finally:
        for session in (whole, first, second):
            session.close()
