"""Networks whose connections learn, validated: weights are compared, and a wrong rule is caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_networks import balanced, plastic, stdp

import portable as pt
from portable.resolve import resolve
from portable.resolve.digest import program_digest
from portable.results import Results, sorted_spikes
from portable.results.synapses import SynapseTable
from portable.validation import validate
from portable.validation.assemble import answer
from portable.validation.deviations import DEVIATIONS, deviate
from portable.validation.differences import CLOSE, compare_results
from portable.validation.jobs.job import OK, Job, Outcome
from portable.validation.jobs.learnt import SAMPLES, VALUES, learning, sampled, unrecorded
from portable.validation.jobs.perform import perform
from portable.validation.levels.final_weights import distribution_checks, learnt
from portable.validation.levels.power import deviation_check
from portable.validation.levels.ran import Ran
from portable.validation.levels.same_network import network_checks, rules_of, same_network
from portable.validation.levels.same_weights import same_weights, scale, unread_of, weight_checks
from portable.validation.single_cell import isolate
from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    NETWORK,
    NOT_RUN,
    OPEN,
    PASS,
    SPIKES,
    UNDECIDED,
    WEIGHTS,
    LevelVerdict,
    NetworkCheck,
)

STEPS = 1000
NET = plastic()


def job(network: pt.Network = NET, backend: str = "reference", **more: Any) -> Job:
    return Job(network, backend, 1, 0.1, STEPS, learnt=sampled(500, STEPS), **more)


def done(job: Job, backend: str) -> Ran:
    """A run, as one of a backend of that name: a simulator that is wrong does not say so."""
    return Ran(replace(job, backend=backend, deviation="", network=NET), perform(job))


@pytest.fixture(scope="module")
def right() -> Ran:
    return done(job(read_back=True), "reference")


def verdict(right: Ran, other: Ran) -> LevelVerdict:
    runs = [right, other]
    checks = weight_checks(runs, right.job.backend, other.job.backend)
    at_end = distribution_checks(runs, right.job.backend, other.job.backend, True, None)
    return same_weights(checks, *at_end, other.job.backend, learning(NET))


# --- what is right passes


def test_weights_that_nobody_asked_for_are_read_and_equal(right: Ran) -> None:
    other = done(job(backend="native", read_back=True), "native")
    found = verdict(right, other)
    assert found.verdict == PASS, found.summary
    assert "forward, back equal to rounding" in found.summary
    assert f"margin {CLOSE:g}: rounding of sums of changes" in found.summary
    table = other.results.weights["forward"]
    assert table.steps.tolist() == [0, *sampled(500, STEPS)]
    assert np.abs(table.values[-1] - table.values[0]).max() > 0.01  # nA: something was learnt
    # level 1: what the simulator holds is as drawn, although it is not any more when the run ends
    held = same_network(network_checks([right, other], "reference", "native"), (), "native", rules_of(NET))
    assert held.verdict == PASS, held.summary
    assert "before anything was learnt, all equal" in held.summary
    assert "forward, back learn by STDP (tau_plus 20 ms, tau_minus 20 ms, a_plus 0.01," in held.summary


def test_recorded_weights_are_not_read_again() -> None:
    net = plastic(recorded=True)
    assert unrecorded(net) == []
    table = perform(job(net)).results.weights["back"]
    assert table.steps.tolist() == list(range(0, STEPS + 1, 100))
    assert learning(balanced(20)) == []


def test_when_weights_are_read() -> None:
    few = sampled(100, 1000)
    assert few[-1] == 1000
    assert len(few) <= SAMPLES
    assert {500, 250, 125, 62, 31, 15} <= set(few)
    assert sampled(VALUES, 1000) == (1000,)
    assert sampled(1, 1) == (1,)


def test_cells_alone_do_not_learn() -> None:
    program = resolve(NET, 1, 0.1)
    seen = pt.run(NET, "reference", "20 ms", seed=1)
    alone, _, missing = isolate(program, seen, "cells")
    assert not missing
    assert all(c.learning is None for c in alone.connections)


# --- what is wrong is caught


def reversed_order() -> Any:
    """The order on coincidence: traces jump before the handlers of the same instant read them."""
    range_, v = "(w_max - w_min)", "(weight - w_min)/(w_max - w_min)"
    return pt.synapse_type(
        "STDP",
        parameters=dict(pt.STDP.definition["parameters"]),
        equations="dx/dt = -x/tau_plus : 1\ndy/dt = -y/tau_minus : 1",
        on_post=f"y += 1; weight += {range_}*a_plus*(1 - {v})^mu_plus*x",
        on_pre=f"x += 1; weight -= {range_}*a_minus*({v})^mu_minus*y",
        bounds=("w_min", "w_max"),
    )


WRONG: dict[str, Callable[[], Any]] = {
    "order on coincidence": lambda: stdp(reversed_order()),
    "dendritic share": lambda: stdp(dendritic_delay_fraction=0.5),
    "tau_plus 1 % longer": lambda: stdp(tau_plus="20.2 ms"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_caught(name: str, right: Ran) -> None:
    other = done(job(plastic(WRONG[name]())), "other")
    found = verdict(right, other)
    assert found.verdict == FAIL, found.summary
    assert found.summary.startswith("weights of ")
    worst = max(weight_checks([right, other], "reference", "other"), key=lambda c: c.relative)
    assert worst.projection in ("forward", "back")
    assert worst.relative > 1e-6
    assert f"largest difference {worst.difference:.4g} nA ({worst.relative:.3g} of the range" in found.summary
    assert (
        f"in {worst.projection}, connection {worst.source} -> {worst.target} at {worst.time:g} ms"
        in found.summary
    )
    # the table says the same
    a, b = (r.results.weights[worst.projection] for r in (right, other))
    assert np.abs(a.values - b.values).max() == worst.difference == pytest.approx(worst.relative * 0.2)


@pytest.mark.parametrize("name", ["memory", "dendritic", "coincidence"])
def test_deviations_of_rules(name: str, right: Ran) -> None:
    """The same three, put into a resolved network of any rule; the other deviations leave rules alone."""
    other = done(job(deviation=name), "native")
    assert verdict(right, other).verdict == FAIL
    base = replace(right, job=replace(right.job, backend="native"))
    found = deviation_check(
        name, 1.0, {1: base}, {1: replace(other, job=replace(other.job, deviation=name))}, [], []
    )
    assert WEIGHTS in found.failed
    assert NETWORK not in found.failed
    static = resolve(balanced(20), 1, 0.1)
    assert DEVIATIONS[name].apply(static, 1.0) is None
    short_term = resolve(
        plastic(pt.TsodyksMarkram("50 pA", "0.1 ms")), 1, 0.1
    )  # no trace of the target, no delay
    assert (DEVIATIONS[name].apply(short_term, 1.0) is None) == (name != "memory")


def test_a_delay_deviates_in_its_dendritic_part() -> None:
    program = resolve(plastic(stdp(dendritic_delay_fraction=0.5)), 1, 0.1)
    late = deviate(program, "delay", 2.0)
    for a, b in zip(program.connections, late.connections, strict=True):
        assert np.all(b.delays == np.asarray(a.delays) + 2)
        if a.learning is not None and b.learning is not None:
            assert np.all(b.learning.dendritic == np.asarray(a.learning.dendritic) + 2)


def test_other_weights_at_the_start_are_another_network(right: Ran) -> None:
    heavy = done(job(deviation="weight", read_back=True), "other")
    heavy = replace(heavy, outcome=replace(heavy.outcome, program=right.outcome.program))
    found = same_network(network_checks([right, heavy], "reference", "other"), (), "other", rules_of(NET))
    assert found.verdict == FAIL
    assert "weights off by up to 1.8" in found.summary  # pA: 1 % of 180


def test_a_whole_validation_with_a_wrong_rule() -> None:
    """A simulator that holds the network that was drawn, and learns otherwise."""

    def execute(jobs: Sequence[Job], _tell: Any) -> list[Outcome]:
        return [mistaken(j) if j.backend == "reference" and j.program is None else perform(j) for j in jobs]

    def mistaken(asked: Job) -> Outcome:
        wrong = replace(asked, network=plastic(stdp(tau_plus="20.2 ms")))
        return replace(perform(wrong), program=program_digest(resolve(asked.network, asked.seed, asked.dt)))

    v = validate(NET, ("native", "reference"), 1, "60 ms", power="none", executor=execute).validation
    assert v.level(NETWORK, "reference").verdict == PASS
    assert v.level(WEIGHTS, "reference").verdict == FAIL
    assert v.answers == {"reference": DIFFERENT}
    assert v.exit_code == 1
    assert {c.projection for c in v.weights} == {"forward", "back"}
    assert [r.rule for r in v.rules] == ["STDP", "STDP"]
    assert any("keep the weights that they start with" in n for n in v.notes)


# --- made by hand


def made(
    weights: np.ndarray, spikes: Sequence[tuple[int, int]] = ((500, 1),), backend: str = "a", seed: int = 1
) -> Ran:
    """A run of NET with weights (samples, 40) of "forward", the last ones at its end."""
    values = np.atleast_2d(weights)
    steps = (
        np.linspace(0, STEPS, values.shape[0]).astype(np.int64) if values.shape[0] > 1 else np.array([STEPS])
    )
    table = SynapseTable(np.arange(40) // 4, np.arange(40) % 20, steps, 0.1, values, "nA")
    trains = {"cells": sorted_spikes([c for _, c in spikes], [k for k, _ in spikes], 0.1, np.arange(20))}
    results = Results(
        "plastic",
        backend,
        0.1,
        STEPS,
        {"cells": 20},
        trains,
        {},
        {"seed": seed},
        (),
        {("forward", "weight"): table},
    )
    return Ran(Job(NET, backend, seed, 0.1, STEPS), Outcome(OK, results=results))


RNG = np.random.default_rng(3)
START = RNG.uniform(0.02, 0.18, 40)


def judged(a: Sequence[Ran], b: Sequence[Ran], paired: bool = True) -> LevelVerdict:
    runs = [*a, *b]
    checks = weight_checks(runs, "a", "b", paired)
    return same_weights(checks, *distribution_checks(runs, "a", "b", paired, None), "b", learning(NET))


def test_where_and_when() -> None:
    a = np.stack([START, START + 0.01, START + 0.02])
    b = a.copy()
    b[1, 7] += 3e-3
    b[2, 9] -= 1e-9
    c = weight_checks([made(a), made(b, backend="b")], "a", "b")[0]
    assert (c.time, c.source, c.target, c.samples, c.identical) == (50.0, 1, 7, 3, True)
    assert c.difference == pytest.approx(3e-3)
    assert (c.scale, c.scale_from) == (pytest.approx(0.2), "the range of the rule's bounds")
    assert c.relative == c.before == pytest.approx(0.015)
    assert c.at_end == pytest.approx(5e-9)
    assert c.verdict == FAIL
    assert c.ks == pytest.approx(1 / 40)
    rounding = a + 1e-14 * RNG.normal(size=a.shape) * 0.2
    assert judged([made(a)], [made(rounding, backend="b")]).verdict == PASS


def test_weights_part_before_spikes_do_or_with_them() -> None:
    a = np.stack([START, START + 0.01, START + 0.02])
    b = a.copy()
    b[2] += 1e-3
    late, early = (
        ((500, 1), (800, 3)),
        ((500, 1), (300, 3)),
    )  # other spikes after, and before, the second sample
    with_them = judged([made(a)], [made(b, late, "b")])
    assert with_them.verdict == UNDECIDED  # one seed
    assert with_them.summary.startswith(
        "weights equal to rounding up to the first spike that differs, then largest"
    )
    b[1, 0] += 1e-6
    before = judged([made(a)], [made(b, late, "b")])
    assert before.verdict == FAIL
    assert "before any spike differs, by 5e-06 of" in before.summary
    assert judged([made(a)], [made(b, early, "b")]).verdict == UNDECIDED
    alone = judged([made(a[-1])], [made(b[-1], early, "b")])  # nothing known of the time before
    assert alone.summary.startswith("weights with largest difference")


def runs_of(backend: str, shift: float, seeds: int = 6) -> list[Ran]:
    """Weights with what a seed brings, the same on both sides, and what chaos makes of it; spikes differ."""
    spikes = ((500, 1),) if backend == "a" else ((400, 2),)
    out = []
    for s in range(1, seeds + 1):
        common, own = (np.random.default_rng(x).normal(size=40) for x in ([s], [s, ord(backend)]))
        out.append(made(START + shift + 0.01 * common + 0.003 * own, spikes, backend, s))
    return out


def test_distributions_at_the_end_where_spikes_differ() -> None:
    a = runs_of("a", 0.0)
    assert judged(a, runs_of("b", 0.0)).verdict == PASS
    far = judged(a, runs_of("b", 0.02))
    assert far.verdict == FAIL
    assert "different: mean weight of forward" in far.summary
    assert judged(a[:2], runs_of("b", 0.0)[:2]).verdict == UNDECIDED
    wide = distribution_checks([*a, *runs_of("b", 0.0005)], "a", "b", True, 0.1)
    assert {t.verdict for t in wide[0]} == {PASS}
    assert all("10 % of the reference's mean" in t.margin_from for t in wide[0])
    # own inputs: ensembles alone
    tests, distances = distribution_checks([*a, *runs_of("b", 0.02)], "a", "b", False, None)
    assert tests == []
    assert {e.measure for e in distances} == {"KS", "Wasserstein"}
    assert judged(a, runs_of("b", 0.0), paired=False).verdict == PASS
    assert judged(a, runs_of("b", 0.05), paired=False).verdict == FAIL


def test_nothing_to_compare() -> None:
    assert same_weights([], [], [], "b", []).verdict == NOT_RUN
    bare = made(START, backend="b")
    bare = replace(bare, outcome=replace(bare.outcome, results=replace(bare.results, synapses={})))
    assert weight_checks([made(START), bare], "a", "b") == []
    why = unread_of([bare], "b")
    found = same_weights([], [], [], "b", ["forward"], why)
    assert found.verdict == NOT_RUN
    assert found.summary == "b cannot be asked for weights that its connections have learnt"
    assert unread_of([made(START)], "a") == ""


def test_other_connections_and_missing_numbers_are_no_pass() -> None:
    a, b = made(START), made(START, backend="b")
    table = b.results.weights["forward"]
    for changed in (
        replace(table, targets=table.targets[::-1].copy()),
        replace(table, values=np.where(np.arange(40) == 3, np.nan, table.values)),
    ):
        other = replace(
            b,
            outcome=replace(b.outcome, results=replace(b.results, synapses={("forward", "weight"): changed})),
        )
        found = weight_checks([a, other], "a", "b")[0]
        assert (found.verdict, found.relative) == (FAIL, np.inf)


def test_what_differences_are_relative_to() -> None:
    table = SynapseTable(np.zeros(1, int), np.zeros(1, int), np.array([1]), 0.1, np.array([[-0.3]]), "nA")
    p = NET.projections[1].synapse
    assert scale(table, p)[0] == pytest.approx(0.2)
    no_upper = plastic(pt.STDP_power("50 pA", 1.0, w_ref="1 pA")).projections[1].synapse
    assert scale(table, no_upper) == (0.3, "the largest weight")
    drawn = plastic(stdp(w_max=pt.Uniform("200 pA", "300 pA"))).projections[1].synapse
    assert scale(table, drawn)[1] == "the largest weight"
    assert scale(replace(table, values=np.zeros((1, 1))), None)[0] == 1.0


def test_for_the_pictures() -> None:
    a = np.stack([START, START + 0.01])
    b = a + np.array([[0.0], [0.002]])
    runs = [made(x, backend=n, seed=s) for s in (1, 2) for n, x in (("a", a), ("b", b))]
    found = learnt(runs, "a", "b")["forward"]
    assert found.seed == 1
    assert found.times.tolist() == [0.0, 100.0]
    assert set(found.gaps) == {1, 2}
    assert found.gaps[2].tolist() == pytest.approx([0.0, 0.01])
    assert np.array_equal(found.reference[0], np.sort(START))
    assert found.other[1].size == 40


# --- answers and results


def test_answers() -> None:
    def levels(spikes: str, weights: str, statistics: str = PASS) -> list[LevelVerdict]:
        words = (PASS, PASS, PASS, spikes, weights, statistics)
        return [LevelVerdict(i, "b", w, "") for i, w in enumerate(words)]

    assert answer(levels(PASS, PASS)) == IDENTICAL
    assert answer(levels(PASS, NOT_RUN)) == IDENTICAL
    assert answer(levels(PASS, FAIL)) == DIFFERENT
    assert answer(levels(FAIL, PASS)) == EQUIVALENT
    assert answer(levels(FAIL, UNDECIDED)) == OPEN
    assert answer(levels(FAIL, UNDECIDED, FAIL)) == DIFFERENT
    assert (SPIKES, WEIGHTS) == (3, 4)


def test_results_are_compared_with_their_synapses() -> None:
    a = np.stack([START, START + 0.01])
    b = a.copy()
    b[1, 5] += 1e-3
    pair = compare_results(made(a).results, made(b, backend="b").results)
    s = pair.synapses[0]
    assert (s.projection, s.variable, s.time, s.source, s.target) == ("forward", "weight", 100.0, 1, 5)
    assert s.largest == s.before == pytest.approx(1e-3)
    assert pair.divergence is None
    assert not pair.identical
    assert compare_results(made(a).results, made(a + 1e-16, backend="b").results).identical
    with pytest.raises(pt.ModelError, match=r"weight of 'forward'.*different connections or sample times"):
        compare_results(made(a).results, made(np.stack([START] * 3), backend="b").results)


def test_a_network_check_names_no_rule_where_nothing_learns() -> None:
    found = same_network([NetworkCheck("b", 1, "p", True, 5, 0, 0.0, 0.0)], (), "b")
    assert "learn" not in found.summary


def test_cells_alone_of_a_network_that_records_weights() -> None:
    net = plastic(recorded=True)
    program = resolve(net, 1, 0.1)
    alone, _, _ = isolate(program, pt.run(net, "reference", "20 ms", seed=1), "cells")
    found = perform(replace(job(net), program=alone, steps=100))
    assert found.status == OK, found.message
    assert [len(t) for t in found.results.synapses.values()] == [0, 0]


def test_compare_of_two_results_and_of_a_network() -> None:
    net = plastic(recorded=True)
    a, b = (pt.run(net, name, "30 ms", seed=1, inputs="frozen") for name in ("native", "reference"))
    pair = pt.compare(a, b)
    assert pair.identical
    assert {s.projection for s in pair.synapses} == {"forward", "back"}
    with pytest.raises(pt.ModelError, match="give two Results"):
        pt.compare(a, "native")  # type: ignore[call-overload]
    found = pt.compare(net, ["native", "reference"], "30 ms", seeds=1)
    assert found.identical
    assert [s["projection"] for s in found.to_dict()["pairs"][0]["synapses"]] == ["forward", "back"]
    wrong = replace(b, synapses={k: replace(t, values=t.values + 1e-6) for k, t in b.synapses.items()})
    told = replace(found, pairs=(pt.compare(a, wrong),))
    assert told.verdict == "different"
    assert "identical spikes, weight of" in repr(told)
    assert "up to 1e-06 nA apart (connection" in repr(told)
