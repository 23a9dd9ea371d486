"""Delivery "events" of the native engine, in which cells sleep, against the clock-driven engine; the bound
below which a cell may sleep, against its whole future.
"""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND, events
from portable.backends.native.cells import Arena
from portable.backends.native.kernels import order
from portable.backends.native.lower import NativePlan
from portable.resolve import resolve
from portable.resolve.program import Program

CELLS = {
    "exp": (pt.IF_curr_exp(tau_syn_E=2.0, tau_syn_I=7.0, tau_refrac=1.5), 1.5),
    "alpha": (pt.IF_curr_alpha(tau_syn_E=3.0, i_offset=0.2), 0.9),
    "delta": (pt.IF_curr_delta(tau_refrac=0.0), 3.0),
    "two variables": (
        pt.cell_type(
            "adapting",
            equations="""
                dv/dt = (v_rest - v + g*(1 mV) - w)/tau : mV
                dg/dt = -g/tau_g : 1
                dw/dt = (v - v_rest - w)/tau_w : mV
            """,
            parameters={
                "v_rest": "-60 mV", "tau": "10 ms", "tau_g": "4 ms", "tau_w": "90 ms", "theta": "-54 mV",
            },
            threshold="v > theta", reset="v = v_rest; w = w + 1 mV",
            events={"excitatory": "g = g + weight"}, initial={"v": "v_rest"},
        )(),
        6.0,
    ),
    "a reset that draws": (
        pt.cell_type(
            "drawing", equations="dv/dt = (v_rest - v)/tau : mV",
            parameters={"v_rest": "-60 mV", "tau": "10 ms"}, threshold="v > -52 mV",
            reset="v = v_rest - random(8 mV)", initial={"v": "v_rest"},
            events={"excitatory": "v = v + weight"},
        )(),
        3.0,
    ),
}  # fmt: skip


def network(kind: str) -> pt.Network:
    """Two populations, of which one fires seldom; inputs far apart (a sleep of more than LONGEST steps), and
    many at once.
    """
    cell, weight = CELLS[kind]
    rng = np.random.default_rng(5)
    trains = [np.sort(rng.uniform(1, 200, rng.integers(1, 12))) for _ in range(60)]
    sources = pt.Population("sources", 60, pt.SpikeSourceArray([np.round(t, 1).tolist() for t in trains]))
    a, b = pt.Population("a", 300, cell), pt.Population("b", 70, cell)
    synapse = pt.StaticSynapse(pt.Normal(weight, weight / 4, low=0), pt.Uniform(0.1, 4.0))
    return pt.Network(
        kind,
        [sources, a, b],
        [
            pt.Projection(sources, [a, b], pt.FixedInDegree(6), synapse),
            pt.Projection(a, [a, b], pt.FixedInDegree(3), synapse),
        ],
        recordings=[pt.Record([a, b], "spikes"), pt.Record(a[5:8], "v")],
    )


def ran(program: Program, delivery: str, pieces: tuple[int, ...], threads: int = 1, change: bool = False):  # type: ignore[no-untyped-def]
    plan = BACKEND.lower(program, RunConfig(threads=threads, options={"delivery": delivery})).plan
    sim = BACKEND.open(plan)
    sim._pace.together, sim._pace.left = threads > 1, np.inf
    for n, steps in enumerate(pieces):
        if change and n:
            sim.set("a", {"v_rest": -58.0 - 2 * n})
        sim.run(steps)
    out = sim.recorded()
    asleep = {name: c.powers is not None for name, c in sim.parts.arena.cells.items()}
    sim.close()
    return out, asleep


def same(one, other) -> int:  # type: ignore[no-untyped-def]
    """The spikes, which are the same in both, and how many."""
    total = 0
    for name in one.spikes:
        pair = [np.stack(x.spikes[name])[:, np.lexsort(x.spikes[name])] for x in (one, other)]
        np.testing.assert_array_equal(*pair)
        total += pair[0].shape[1]
    np.testing.assert_array_equal(one.traces["a", "v"][2], other.traces["a", "v"][2])
    return total


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("threads", [1, 3])
def test_the_spikes_of_the_clock(kind: str, threads: int) -> None:
    """Recorded cells stay awake, so that their traces are those of the clock to the last bit."""
    program = resolve(network(kind), 3, 0.1)
    clock, _ = ran(program, "due", (2200,))
    found, asleep = ran(program, "events", (2200,), threads)
    assert asleep == {"a": True, "b": True}
    assert same(clock, found) > 100


@pytest.mark.parametrize("change", [False, True])
def test_pieces_and_changes(change: bool) -> None:
    program = resolve(network("exp"), 3, 0.1)
    pieces = (1, 7, 600, 1, 1391)
    clock, _ = ran(program, "due", pieces, change=change)
    found, _ = ran(program, "events", pieces, change=change)
    assert same(clock, found) > 100


def arena(cell: pt.Cell, **more: object) -> Arena:
    cells = pt.Population("cells", 300, cell, **more)
    plan = BACKEND.lower(
        resolve(pt.Network("net", [cells]), 1, 0.1), RunConfig(options={"delivery": "events"})
    ).plan
    assert isinstance(plan, NativePlan)
    return Arena(plan, 1)


@pytest.mark.parametrize("kind", CELLS)
def test_the_bound_holds_for_ever_and_a_product_of_powers_is_the_steps(kind: str) -> None:
    """From random states: the greatest potential of 20,000 steps is never above the bound, and reaches it
    where it is a single state that differs from rest.
    """
    c = arena(CELLS[kind][0]).cells["cells"]
    assert c.powers is not None
    what = events.watched(c.layout, c.values)
    assert isinstance(what, events.Watched)
    numbers = c.powers.numbers
    p, r, v = c.powers.p[0], c.powers.r[0], c.powers.states.index(what.state)
    n = len(p)
    of = numbers[1 : 1 + 3 * n].reshape(n, 3)
    rng = np.random.default_rng(1)
    x = of[:, :1] + rng.normal(size=(n, 200)) * rng.choice([0.0, 5.0, -20.0], (n, 200))
    over = x - of[:, :1]
    bound = of[v, 0] + (over * np.where(over > 0, of[:, 1:2], of[:, 2:])).sum(axis=0)
    most, now = np.full(200, -np.inf), x
    for step in range(1, 20_001):
        now = p @ now + r[:, None]
        most = np.maximum(most, now[v])
        if step == 1300:
            settled = c.powers.settle(dict(zip(c.powers.states, x, strict=True)), np.full(200, 1300))
            np.testing.assert_allclose(
                np.stack([settled[s] for s in c.powers.states]), now, rtol=1e-12, atol=1e-12
            )
    assert np.all(most <= bound + 1e-9)
    alone = (np.count_nonzero(over, axis=0) == 1) & (bound > of[v, 0] + 1e-3)
    assert alone.any()
    np.testing.assert_allclose(most[alone], bound[alone], rtol=1e-9)


@pytest.mark.parametrize(
    ("cell", "more", "why"),
    [
        (pt.IF_cond_exp(), {}, "not integrated exactly"),
        (pt.IF_curr_exp(tau_m=pt.Uniform(9, 11)), {}, "different time constants"),
        (pt.IF_curr_exp(v_thresh=pt.Uniform(-51, -50)), {}, "thresholds"),
        (
            pt.cell_type(
                "clock", equations="dx/dt = 1/tau : 1", parameters={"tau": "1 ms"}, threshold="x > 2",
                reset="x = 0",
            )(),
            {},
            "come to rest",
        ),
    ],
)  # fmt: skip
def test_who_cannot_sleep_is_updated_by_the_clock(cell: pt.Cell, more: dict[str, object], why: str) -> None:
    c = arena(cell, **more).cells["cells"]
    assert c.powers is None
    reason = events.watched(c.layout, c.values)
    assert isinstance(reason, str)
    assert why in reason


def test_the_results_say_who_slept() -> None:
    a, b = (pt.Population(n, 2, cell) for n, cell in (("a", pt.IF_curr_exp()), ("b", pt.IF_cond_exp())))
    noise = pt.Population("noise", 2, pt.SpikeSourcePoisson(100.0))
    c = pt.Population("c", 2, pt.IF_curr_exp())
    driven = pt.Projection(noise, c, pt.OneToOne(), pt.StaticSynapse(0.1, 1.0))
    follower = pt.cell_type(
        "follower", equations="dx/dt = (other - x)/tau : mV", parameters={"tau": "5 ms"},
        threshold="x > 1 mV", reset="x = 0 mV", inputs={"other": "mV"},
    )  # fmt: skip
    d, e = pt.Population("d", 2, pt.IF_curr_exp()), pt.Population("e", 2, follower())
    net = pt.Network("net", [a, b, c, d, e, noise], [driven], links=[pt.Link(d, "v", e, "other")])
    r = pt.run(net, "native", "1 ms", options={"delivery": "events"})
    assert r.provenance["integrators"] == {
        "a": "exact, from event to event",
        "b": "rk4, by the clock: it is not integrated exactly",
        "c": "exact, by the clock: Poisson spikes may arrive at every step",
        "d": "exact, by the clock: links read or feed it",
        "e": "rk4, by the clock: links read or feed it",
    }


def test_spikes_are_sorted() -> None:
    rng = np.random.default_rng(2)
    for n in (0, 1, 2, 3, 10, 1000):
        hits = rng.integers(0, 500, n + 5).astype(np.int32)
        wanted = np.concatenate([np.sort(hits[:n]), hits[n:]])
        order(hits, n)
        np.testing.assert_array_equal(hits, wanted)
