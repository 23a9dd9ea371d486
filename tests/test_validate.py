"""A whole validation: the answer, what a backend that differs or cannot run does to it, deviations, and what
is kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_networks import balanced, kicked

import portable as pt
from portable.backends import registry
from portable.errors import BackendNotFound, ModelError
from portable.validation import assert_agree, validate
from portable.validation.jobs.schedule import Progress
from portable.validation.verdicts import (
    COMPARABLE,
    DIFFERENT,
    EQUIVALENT,
    IDENTICAL,
    NO_ANSWER,
    OPEN,
    PASS,
    SPIKES,
    STATISTICS,
)

needs_nest = pytest.mark.skipif(registry.get("nest").version() is None, reason="NEST is not installed")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def test_reference_and_native_with_deviations(runs: Path) -> None:
    told: list[str] = []
    answer = validate(
        balanced(60),
        ("native", "reference"),
        3,
        "200 ms",
        power="quick",
        cache=runs,
        say=lambda line, progress: told.append(line if progress is None else progress.what),
    )
    v, evidence = answer.validation, answer.evidence
    assert v.answers == {"reference": IDENTICAL}, repr(v)
    assert v.verdict == IDENTICAL
    assert v.exit_code == 0
    assert [d.name for d in v.deviations] == ["refractory", "delay", "weight", "threshold", "euler"]
    assert all(d.caught is not None and d.caught <= SPIKES for d in v.deviations)
    assert {d.name: d.caught for d in v.deviations if d.name in ("delay", "weight")} == {
        "delay": 1,
        "weight": 1,
    }  # read back
    assert {p.name for p in v.power} == {d.name for d in v.deviations}
    assert {"networks", "cells alone", "statistics"} <= set(told)
    assert {r.role for r in v.runs} == {"main", "perturbed", *(f"deviation {d.name}" for d in v.deviations)}
    assert set(v.costs[0].seconds) >= {"resolve", "build", "run"}
    assert set(evidence.results) == {("native", 1), ("reference", 1)}
    assert evidence.distributions["isi", "exc", "native"].size > 100
    assert np.array_equal(evidence.spectra["exc", "native"].power, evidence.spectra["exc", "reference"].power)
    assert repr(v).splitlines()[0].startswith("Validation of 'balanced' (200 ms")
    began: list[Progress] = []
    again = validate(
        balanced(60),
        ("native", "reference"),
        3,
        "200 ms",
        power="quick",
        cache=runs,
        say=lambda _line, p: began.append(p) if p else None,
    )
    assert all(p.cached for p in began)  # nothing is run twice
    assert again.validation.answers == v.answers


def test_equal_spikes_have_equal_statistics_also_for_one_seed(runs: Path) -> None:
    net = pt.Network(
        "one",
        [a := pt.Population("a", 5, pt.IF_cond_exp(), initial={"v": -60})],
        inputs=[pt.Injection(pt.DCSource("2 nA"), a)],
        recordings=[pt.Record(a, "spikes")],
    )
    v = validate(net, ("native", "reference"), 1, "100 ms", power="none", cache=runs).validation
    assert v.answers == {"reference": IDENTICAL}
    assert v.level(STATISTICS, "reference").verdict == PASS
    assert "equal for every seed" in v.level(STATISTICS, "reference").summary


@needs_nest
def test_own_inputs_are_compared_as_ensembles(runs: Path) -> None:
    v = validate(
        balanced(60), ("native", "nest"), 5, "400 ms", inputs="native", power="none", cache=runs
    ).validation
    assert v.level(SPIKES, "nest").verdict == "not run"
    assert not v.spikes
    assert not v.paired
    assert v.level(COMPARABLE, "nest").verdict == PASS
    assert {r.inputs for r in v.runs if r.backend == "nest"} == {"native"}
    apart = [sum(r.spikes.values()) for r in v.runs if r.seed == 1]
    assert apart[0] != apart[1]  # other trains, so other spikes
    assert {e.measure for e in v.ensembles} == {"KS", "Wasserstein"}
    assert v.level(STATISTICS, "nest").verdict in (PASS, "undecided")
    assert v.answers["nest"] in (EQUIVALENT, OPEN)


@needs_nest
def test_nest_integrates_conductances_otherwise(runs: Path) -> None:
    cell = pt.IF_cond_exp()
    a = pt.Population("a", 30, cell, initial={"v": pt.Uniform(-65, -50)})
    noise = pt.Population("noise", 30, pt.SpikeSourcePoisson("2 kHz"))
    net = pt.Network(
        "cond",
        [a, noise],
        [pt.Projection(noise, a, pt.OneToOne(), pt.StaticSynapse("6 nS", "0.1 ms"))],
        recordings=[pt.Record(a, "spikes")],
    )
    v = validate(net, ("native", "nest"), 3, "200 ms", power="none", cache=runs).validation
    assert v.answers == {"nest": NO_ANSWER}
    assert v.exit_code == 2
    assert "rk4 on native, rkf45 on nest" in v.level(COMPARABLE, "nest").summary
    assert all(x.verdict != PASS or x.level not in (COMPARABLE, STATISTICS) for x in v.levels)


def test_what_is_too_large_to_be_read_back_is_told(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portable.validation.study.READ_BACK", 10)
    v = validate(balanced(40), ("native", "reference"), 1, "20 ms", power="none", cache=runs).validation
    assert v.level(1, "reference").verdict == PASS
    assert "not read back" in v.level(1, "reference").summary
    assert any("connections were not read back" in n for n in v.notes)
    assert all(c.read_back for c in v.networks)


def test_a_backend_that_cannot_run_is_a_row(runs: Path) -> None:
    v = validate(
        balanced(60),
        ("native", "reference", "brian2"),
        1,
        "50 ms",
        power="none",
        cache=runs,
        options={"brian2": {"target": "nonsense"}},
    ).validation
    assert v.answers["reference"] == IDENTICAL
    assert v.answers["brian2"] == NO_ANSWER
    assert [r.status for r in v.runs if r.backend == "brian2"] == [
        "not installed" if registry.get("brian2").version() is None else "unsupported"
    ]
    alone = validate(
        balanced(60),
        ("brian2", "native"),
        1,
        "50 ms",
        power="none",
        cache=runs,
        options={"brian2": {"target": "nonsense"}},
    ).validation
    assert alone.answers == {"native": NO_ANSWER}  # the reference itself did not run
    assert any("the reference, gave no result" in n for n in alone.notes)


def test_a_network_that_falls_silent(runs: Path) -> None:
    v = validate(kicked(), ("native", "reference"), 3, "100 ms", power="none", cache=runs).validation
    assert v.answers == {"reference": IDENTICAL}
    assert "silent at the end for seeds 1, 2, 3" in v.level(COMPARABLE, "reference").summary
    none = validate(kicked("0 Hz"), ("native", "reference"), 1, "100 ms", power="none", cache=runs).validation
    assert none.answers == {"reference": NO_ANSWER}


@pytest.mark.parametrize(
    ("arguments", "path", "words"),
    [
        ({"backends": ("native",)}, "backends", "two or more"),
        ({"backends": ("native", "native")}, "backends", "different"),
        ({"seeds": 0}, "seeds", "got 0"),
        ({"seeds": [1, 1]}, "seeds", "different whole numbers"),
        ({"seeds": [1.5]}, "seeds", "whole numbers"),
        ({"duration": "0.15 ms"}, "duration", "whole number of steps"),
        ({"warmup": "2 s"}, "warmup", "less than the duration"),
        ({"inputs": "auto"}, "inputs", "frozen"),
        ({"integrator": "rk5"}, "integrator", "unknown integrator 'rk5'"),
        ({"margin": 5.0}, "margin", "1 % is 0.01"),
        ({"power": "some"}, "power", "full, quick, none"),
        ({"options": {"nest": {}}}, "options['nest']", "no backend of this validation"),
    ],
)
def test_wrong_arguments(arguments: dict, path: str, words: str) -> None:
    given = {"backends": ("native", "reference"), "seeds": 3, "duration": "1 s", **arguments}
    with pytest.raises(ModelError) as error:
        validate(balanced(20), **given)
    assert error.value.path == path
    assert words in str(error.value)


def test_nothing_recorded_and_unknown_backends() -> None:
    silent = pt.Network("silent", [pt.Population("a", 1, pt.IF_curr_exp())])
    with pytest.raises(ModelError, match="records no spikes of cells"):
        validate(silent, ("native", "reference"))
    with pytest.raises(BackendNotFound, match="did you mean 'nest'"):
        validate(balanced(20), ("native", "nst"))


def test_assert_agree(runs: Path, tmp_path: Path) -> None:
    answer = assert_agree(balanced(60), ("native", "reference"), duration="100 ms", cache=runs)
    assert answer.validation.seeds == (1,)
    assert_agree(
        balanced(60), ("native", "reference"), "statistics", seeds=[1, 2, 3], duration="200 ms", cache=runs
    )
    with pytest.raises(AssertionError, match="brian2 and native do not agree up to 'network'"):
        assert_agree(
            balanced(60),
            ("native", "brian2"),
            "network",
            duration="50 ms",
            cache=runs,
            options={"brian2": {"target": "nonsense"}},
            report=tmp_path / "r.html",
        )
    assert (tmp_path / "r.html").is_file()
    with pytest.raises(ModelError, match="did you mean 'spikes'"):
        assert_agree(balanced(60), ("native", "reference"), "spike")


pytest_plugins = ["pytester"]


def test_the_plug_in(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pytester.makepyfile(
        """
        from small_networks import balanced

        def test_same(assert_agree):
            assert_agree(balanced(40), duration="50 ms")

        def test_other(assert_agree):
            assert_agree(balanced(40), duration="50 ms", backends=("native", "reference"), options={"reference": {"no": 1}})
        """  # noqa: E501
    )
    found = pytester.runpytest_subprocess(
        "--portable-backends", "native,reference", "--portable-report", "failed", "-p", "no:xdist"
    )
    found.assert_outcomes(passed=1, failed=1)
    found.stdout.fnmatch_lines(["*do not agree up to 'spikes'*"])
    assert (pytester.path / "failed" / "test_other.html").is_file()
    assert not (pytester.path / "failed" / "test_same.html").exists()


def test_different_networks_are_different() -> None:
    from portable.validation.assemble import answer
    from portable.validation.verdicts import FAIL, LevelVerdict

    def levels(**verdicts: str) -> list[LevelVerdict]:
        names = ("comparable", "network", "cells", "spikes", "weights", "statistics")
        return [LevelVerdict(i, "nest", verdicts.get(n, PASS), "") for i, n in enumerate(names)]

    assert answer(levels()) == IDENTICAL
    assert answer(levels(spikes=FAIL)) == EQUIVALENT
    assert answer(levels(spikes=FAIL, statistics=FAIL)) == DIFFERENT
    assert answer(levels(spikes=FAIL, statistics="undecided")) == OPEN
    assert (
        answer(levels(network=FAIL)) == DIFFERENT
    )  # also with the same spikes: something that did not matter in this run
    assert answer(levels(comparable="not comparable")) == NO_ANSWER
    assert answer([]) == NO_ANSWER
    # some runs failed: the others cannot say yes for them
    assert answer(levels(comparable="undecided")) == OPEN
    assert answer(levels(comparable="undecided", spikes=FAIL, statistics=FAIL)) == DIFFERENT
