"""Each level against cases whose answer is known: mathematics where there is one, runs with a known deviation
otherwise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_networks import balanced, kicked

import portable as pt
from portable.resolve import resolve
from portable.results import Results, TraceTable, sorted_spikes
from portable.validation.compare import run_program
from portable.validation.deviations import deviate
from portable.validation.jobs.job import FAILED, OK, Job, Outcome
from portable.validation.jobs.perform import perform
from portable.validation.levels.comparable import alive_seeds, comparable
from portable.validation.levels.cost import cost, same_cost
from portable.validation.levels.ran import Ran, alive, as_run, integrator_class, watched
from portable.validation.levels.same_cells import (
    EXACT,
    FACTORS,
    convergence,
    loops,
    refined,
    representatives,
    same_cells,
)
from portable.validation.levels.same_network import network_checks, same_network
from portable.validation.levels.same_spikes import chaos, growth, same_spikes, spike_check
from portable.validation.levels.same_statistics import (
    TESTED,
    ensemble_checks,
    measured,
    paired_checks,
    same_statistics,
)
from portable.validation.verdicts import FAIL, NOT_COMPARABLE, NOT_RUN, PASS, UNDECIDED, SpikeCheck

NET = balanced(60)


def results(
    spikes: dict[str, list[tuple[int, int]]], steps: int = 1000, backend: str = "native", **provenance: object
) -> Results:
    """A run with given (step, cell) spikes of ten recorded cells a population."""
    tables = {
        n: sorted_spikes([c for _, c in s], [k for k, _ in s], 0.1, np.arange(10)) for n, s in spikes.items()
    }
    about = {
        "seed": 1,
        "inputs": "frozen",
        "integrators": dict.fromkeys(spikes, "exact"),
        "sources": [],
        "seconds": {"run": 0.5, "build": 0.25},
        **provenance,
    }
    return Results("net", backend, 0.1, steps, dict.fromkeys(spikes, 10), tables, {}, about)


def ran(r: Results, seed: int = 1, **outcome: object) -> Ran:
    made = replace(r, provenance={**r.provenance, "seed": seed})
    return Ran(
        Job(NET, r.backend, seed, r.dt, r.steps),
        Outcome(OK, results=made, **{"program": "p", "memory": 1e8, **outcome}),
    )  # type: ignore[arg-type]


def two(a: Results, b: Results) -> list[Ran]:
    return [ran(a), ran(replace(b, backend="nest"))]


LIVELY = {"exc": [(10, 1), (500, 2), (950, 3)]}


# --- level 0
# ----------------------------------------------------------------------------------------------------


def test_comparable() -> None:
    found = comparable(two(results(LIVELY), results(LIVELY)), "native", "nest")
    assert (found.verdict, found.score) == (PASS, 1.0)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (results(LIVELY, integrators={"exc": "rk4"}), "exact on native, rk4 on nest"),
        (results(LIVELY, inputs="native"), "native has frozen input, nest native input"),
        (results(LIVELY, steps=2000), "nest 200 ms"),
        (results({"exc": []}), "not one spike on nest"),
        (results({"exc": [(10, 1)]}), "falls silent"),
    ],
)
def test_not_comparable_is_never_a_pass(other: Results, why: str) -> None:
    found = comparable(two(results(LIVELY), other), "native", "nest")
    assert found.verdict == NOT_COMPARABLE
    assert why in found.summary
    assert found.score < 1


def test_networks_that_die_are_conditioned_on() -> None:
    dead = results({"exc": [(10, 1)]})
    runs = [ran(r, s) for s, r in ((1, results(LIVELY)), (2, results(LIVELY)), (3, dead))]
    runs += [ran(replace(r, backend="nest"), s) for s, r in ((1, results(LIVELY)), (2, dead), (3, dead))]
    assert alive_seeds(runs, "native", "nest") == [1]
    found = comparable(runs, "native", "nest")
    assert found.verdict == PASS
    assert "seeds 2, 3" in found.summary
    # silent in the end on both sides, with the same spikes: that can be compared
    assert comparable(two(dead, dead), "native", "nest").verdict == PASS
    assert alive(dead) == {"exc": False}


def test_a_backend_that_did_not_run() -> None:
    runs = [
        ran(results(LIVELY)),
        Ran(
            Job(NET, "nest", 1, 0.1, 1000),
            Outcome(FAILED, "backend 'nest' cannot run this model:\n  - links: no"),
        ),
    ]
    found = comparable(runs, "native", "nest")
    assert found.verdict == NOT_RUN
    assert "links: no" in found.summary
    assert as_run(runs[1]).status == FAILED
    some = comparable(
        [
            *two(results(LIVELY), results(LIVELY)),
            ran(results(LIVELY), 2),
            Ran(Job(NET, "nest", 2, 0.1, 1000), Outcome(FAILED, "gone")),
        ],
        "native",
        "nest",
    )
    assert some.verdict == UNDECIDED
    assert "1 run of nest failed" in some.summary


def test_words() -> None:
    assert (
        integrator_class("gsl rkf45 (abs 1e-06, rel 1e-06 of h*dy/dt)")
        == integrator_class("rkf45")
        == "rkf45"
    )
    assert integrator_class("rk4, 10 substeps") == "rk4"
    assert integrator_class("jLEMS forward Euler") == "euler"
    assert integrator_class("a method of its own") == "a method of its own"
    assert watched(NET) == ["exc", "inh"]


# --- level 1
# ----------------------------------------------------------------------------------------------------


def test_a_simulator_that_holds_something_else() -> None:
    runs = [
        Ran(
            Job(NET, "native", 1, 0.1, 50, read_back=True),
            perform(Job(NET, "native", 1, 0.1, 50, read_back=True)),
        )
    ]
    for deviation, verdict, number in (
        ("", PASS, 0),
        ("weight", FAIL, "weights off"),
        ("delay", FAIL, "delays by 0.1 ms"),
    ):
        job = Job(NET, "native", 1, 0.1, 50, deviation=deviation, read_back=True)
        other = Ran(
            replace(job, backend="nest", deviation=""), replace(perform(job), program=runs[0].outcome.program)
        )
        checks = network_checks([*runs, other], "native", "nest")
        found = same_network(checks, (), "nest")
        assert found.verdict == verdict
        assert not number or str(number) in found.summary
    another = Ran(replace(job, backend="nest", deviation=""), perform(Job(NET, "native", 2, 0.1, 50)))
    assert (
        "another resolved network"
        in same_network(network_checks([*runs, another], "native", "nest"), (), "nest").summary
    )
    assert same_network([], (), "nest").verdict == NOT_RUN


# --- level 2
# ----------------------------------------------------------------------------------------------------


def relaxation(step: float, method: str) -> TraceTable:
    """dv/dt = -v/(10 ms) from 1, sampled every ms, by a named method: errors of known order."""
    n = round(1.0 / step)
    h = step / 10.0
    factor = {"euler": 1 - h, "rk4": 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24, "exact": np.exp(-h)}[
        method
    ] ** n
    values = factor ** np.arange(50)
    return TraceTable(np.array([0]), np.arange(50) * n, step, values[:, None], "mV")


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("rk4", 4)])
def test_orders_of_convergence(method: str, order: int) -> None:
    traces = {f: relaxation(1.0 / f, method) for f in FACTORS}
    found, errors = convergence(traces, {f: np.array([np.inf]) for f in FACTORS})
    # the next term of the error is dt/tau = 0.1 times the first, times the sampled time in units of tau
    assert found == pytest.approx(order, abs=0.1)
    assert list(errors) == ["1", "0.5", "0.25"]
    exact, _ = convergence(
        {f: relaxation(1.0 / f, "exact") for f in FACTORS}, {f: np.array([np.inf]) for f in FACTORS}
    )
    assert exact == float("inf")
    few, _ = convergence(
        traces, {f: np.array([5.0]) for f in FACTORS}
    )  # a spike after 5 ms: too little is left
    assert np.isnan(few)


def test_smaller_steps_are_the_same_input() -> None:
    program = resolve(NET, 1, 0.1)
    seen = run_program(NET, program, "native", 2000, 1, "auto", None)
    loop = loops(program, seen)[0]
    found = {f: run_program(NET, loop.programs[f], "native", 2000 * f, 1, "auto", None) for f in FACTORS}
    key = (loop.group, "v")
    first = min(float(r.spikes[loop.group].times[0]) for r in found.values() if len(r.spikes[loop.group]))
    assert first > 1.0
    for f, r in found.items():
        assert r.traces[key].times.tolist() == found[1].traces[key].times.tolist()
        before = r.traces[key].times < first
        assert np.abs(r.traces[key].values - found[1].traces[key].values)[before].max() < EXACT, f
    # one step more of delay is another input, and is seen
    late = run_program(NET, deviate(loop.programs[1], "delay"), "native", 2000, 1, "auto", None)
    assert np.abs(late.traces[key].values - found[1].traces[key].values)[before].max() > 1e-3


def test_one_population_of_each_kind() -> None:
    a, b = pt.IF_curr_exp(), pt.IF_curr_exp(tau_m="10 ms")
    populations = [pt.Population("few", 3, a), pt.Population("many", 9, a), pt.Population("other", 2, b)]
    program = resolve(
        pt.Network("kinds", populations, recordings=[pt.Record(p, "spikes") for p in populations]), 1, 0.1
    )
    assert representatives(program) == ["many", "other"]
    assert refined(program, 1) is program
    assert same_cells([], "nest").verdict == NOT_RUN


# --- level 3
# ----------------------------------------------------------------------------------------------------


def test_where_two_runs_part() -> None:
    a = results({"exc": [(10, 1), (20, 2), (30, 3)], "inh": [(15, 0)]})
    b = results({"exc": [(10, 1), (21, 2), (30, 3)], "inh": [(15, 0)]})
    c = spike_check(a, b)
    assert (c.identical, c.time, c.population, c.neuron, c.equal, c.near) == (False, 2.0, "exc", 2, 0.75, 1.0)
    # the only cell that differs spikes once on each side; identical cells are at distance 0, so the mean over
    # the three cells and one is a quarter
    assert 0 < c.spike_distance < 0.25
    assert c.van_rossum > 0
    own = spike_check(a, a, b)
    assert (own.identical, own.spike_distance, own.van_rossum, own.perturbed) == (True, 0.0, 0.0, 2.0)
    assert own.perturbed_spike_distance == c.spike_distance
    grown = growth(a, b)
    assert grown.unmatched[-1] == 2  # (20, 2) and (21, 2)
    assert grown.unmatched[np.searchsorted(grown.times, 2.0) - 1] == 0
    same = spike_check(a, a)
    assert same.identical
    assert same_spikes([same], "nest").verdict == PASS
    found = same_spikes([same, c], "nest")
    assert found.verdict == FAIL
    assert found.score == pytest.approx((1 + 0.75) / 2)
    assert "exc[2]" in found.summary


def test_sources_do_not_count() -> None:
    a = results({"exc": LIVELY["exc"], "noise": [(5, 0)]}, sources=["noise"])
    b = results({"exc": LIVELY["exc"], "noise": [(6, 0)]}, sources=["noise"])
    assert spike_check(a, b).identical


@pytest.mark.parametrize(
    ("time", "own", "words"),
    [
        (100.0, 110.0, "rounding alone can do this"),
        (10.0, 110.0, "larger than rounding"),
        (10.0, float("inf"), "changes no spike"),
        (10.0, float("nan"), ""),
    ],
)
def test_what_chaos_explains(time: float, own: float, words: str) -> None:
    said = chaos([SpikeCheck("nest", 1, (5, 5), False, 0.5, 0.6, time, "exc", 0, own)])
    assert words in said
    assert bool(said) == bool(words)


# --- level 5
# ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seeds() -> dict[str, dict[int, object]]:
    """Statistics of five seeds: as it is, with a start that differs by 1e-12, and with weights 30 %
    larger.
    """
    out: dict[str, dict[int, object]] = {"same": {}, "heavy": {}}
    for s in range(1, 6):
        program = resolve(NET, s, 0.1)
        for name, changed in (("same", program), ("heavy", deviate(program, "weight", 30.0))):
            out[name][s] = measured(
                run_program(NET, changed, "native", 10_000, 1, "auto", None), ["exc", "inh"], 100.0
            )
    return out


def test_the_same_runs_are_equivalent_and_heavier_ones_different(seeds) -> None:
    chosen = list(seeds["same"])
    same = paired_checks(seeds["same"], seeds["same"], chosen, None)
    assert {c.statistic for c in same} == set(TESTED)
    assert all(c.verdict == PASS and c.difference == 0 for c in same)
    assert same_statistics(same, [], "native", "paired", True).verdict == PASS
    assert (
        same_statistics(same, [], "native", "paired", False).verdict == NOT_COMPARABLE
    )  # equal numbers of what cannot be compared
    heavy = paired_checks(seeds["same"], seeds["heavy"], chosen, None)
    assert any(c.verdict == FAIL and c.statistic == "rate" for c in heavy)
    assert same_statistics(heavy, [], "native", "paired", True).verdict == FAIL
    wide = paired_checks(seeds["same"], seeds["heavy"], chosen, 0.9)
    assert {c.verdict for c in wide if c.statistic == "rate"} == {PASS}
    assert all("90 % of the reference's mean" in c.margin_from for c in wide)
    two_seeds = paired_checks(seeds["same"], seeds["heavy"], chosen[:2], None)
    assert {c.verdict for c in two_seeds} == {UNDECIDED}
    assert same_statistics(two_seeds, [], "native", "paired", True).verdict == UNDECIDED
    assert paired_checks(seeds["same"], seeds["same"], [], None) == []


def test_ensembles(seeds) -> None:
    same = ensemble_checks(seeds["same"], seeds["same"])
    assert same_statistics([], same, "native", "ensemble", True).verdict == PASS
    heavy = ensemble_checks(seeds["same"], seeds["heavy"])
    assert any(c.verdict == FAIL and c.statistic == "rate" for c in heavy)
    assert ensemble_checks({}, {}) == []


# --- level 6
# ----------------------------------------------------------------------------------------------------


def test_cost_is_the_median() -> None:
    runs = [
        ran(results(LIVELY, seconds={"run": s, "build": 1.0}), i, memory=m)
        for i, (s, m) in enumerate([(0.1, 1e8), (0.3, 3e8), (9.0, 2e8)])
    ]
    found = cost(runs, "native")
    assert found is not None
    assert (found.seconds, found.real_time_factor, found.peak_memory, found.runs) == (
        {"build": 1.0, "run": 0.3},
        pytest.approx(3.0),
        2e8,
        3,
    )
    assert same_cost(found, found, "native").verdict == PASS
    assert cost(runs, "nest") is None
    assert same_cost(None, found, "nest").verdict == NOT_RUN


def test_a_kicked_network_is_silent_at_the_end() -> None:
    found = pt.run(kicked(), "native", "200 ms", seed=1)
    assert len(found.spikes["cells"]) > 0
    assert alive(found) == {"cells": False}
