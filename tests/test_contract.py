"""The contract between the core and its backends: what a table of capabilities says is what happens, and the
core knows no backend by name.
"""

from __future__ import annotations

import ast
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.backends import registry
from portable.backends.capabilities import Capabilities
from portable.backends.contract import RunConfig

CORE = Path(pt.__file__).parent
WORDS = {"native", "reference"}  # also words of ours: whose Poisson trains, what a comparison is made with


def small(cells: int = 3) -> pt.Network:
    a = pt.Population("a", cells, pt.IF_curr_exp(i_offset="1 nA"), initial={"v": pt.Uniform(-65, -50)})
    varied = pt.StaticSynapse(pt.Normal(0.01, 0.001), pt.Uniform(1.0, 2.0))
    made = pt.Projection(a, a, pt.FixedInDegree(min(50, cells)), varied)
    return pt.Network("small", [a], [made], recordings=[pt.Record(a, "spikes"), pt.Record(a[:1], "v")])


def test_the_core_names_no_backend() -> None:
    """No string of the core is a backend's name, but the default's in the registry. The two names that are
    words of ours as well must not be compared with anything called a backend or a name."""
    found = []
    for path in CORE.rglob("*.py"):
        place = path.relative_to(CORE)
        if (place.parts[0] == "backends" and len(place.parts) > 2) or place.parts[0] == "schemas":
            continue
        if place.as_posix() == "cli/validate.py":  # jNeuroML as a validator of files, which --jnml asks for
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value in set(registry.names()) - WORDS:
                found.append(f"{place}:{node.lineno}: {node.value!r}")
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                told = any(
                    word in ast.unparse(s).rpartition(".")[2] for s in sides for word in ("backend", "name")
                )
                named = [c for s in sides for c in ast.walk(s) if isinstance(c, ast.Constant)]
                if told and any(c.value in WORDS for c in named):
                    found.append(f"{place}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


TABLE = """
version = 2
backend = "mine"
distribution = ""
install = "nothing"
[support]
"cells.linear" = "exact"
"session.pieces" = { word = "lowered", unless = { mode = ["b", "c"] }, reason = "not in that mode", remedy = "use a" }
[integrators]
exact = "exact"
[limits]
delay_steps = 12
[options]
mode = { about = "how", values = ["a", "b", "c"], default = "b" }
speed = { about = "of light", above = 1, unit = "knots" }
"""  # noqa: E501


def table(folder: Path, change: tuple[str, str] = ("", "")) -> Capabilities:
    (folder / "capabilities.toml").write_text(TABLE.replace(*change) if change[0] else TABLE)
    return Capabilities.load(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("cells.linear", "cells.liner"), r"support.cells.liner: unknown name; did you mean 'cells.linear'"),
        (
            ('"exact"\n"session', '"exactly"\n"session'),
            r"support.cells.linear: must be one of exact, lowered",
        ),
        (
            ("unless = { mode", "unless = { mood"),
            r"pieces.unless.mood: unknown name; did you mean 'mode'",
        ),
        ((', reason = "not in that mode"', ""), r"session.pieces.reason: is missing"),
        (("delay_steps", "delay_step"), r"limits.delay_step: unknown name"),
        (("version = 2", "version = 1"), r"version: must be 2, got 1"),
        (("[limits]", "pase = 1\n[limits]"), r"integrators.pase: unknown name"),
        (('install = "nothing"', 'install = "nothing"\npace = "quick"'), r"pace: must be one of fast, slow"),
        (("values =", "valves ="), r"options.mode.valves: unknown name; did you mean 'values'"),
    ],
)
def test_a_table_is_refused_by_name(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(pt.ModelError, match=said):
        table(tmp_path, change)


def test_conditions_limits_and_options_of_a_table(tmp_path: Path) -> None:
    able = table(tmp_path)
    program = _resolved()

    def lacks(**how: object) -> dict[str, str]:
        config = RunConfig(options=how.pop("options", {}), **how)  # type: ignore[arg-type]
        return {s.feature: str(s) for s in able.shortfalls(program, config)}

    assert able.word("session.pieces", RunConfig(options={"mode": "a"})) == "lowered"
    assert able.word("session.pieces", RunConfig()) == ""  # the default mode
    assert "not in that mode; use a" in lacks(needs=("session.pieces",))["session.pieces"]
    assert "session.pieces" not in lacks(needs=("session.pieces",), options={"mode": "a"})
    assert "session.threads" in lacks(threads=2)
    assert "session.threads" not in lacks()
    assert "steps, and mine has at most 12" in lacks()["limits.delay_steps"]
    assert "must be one of a, b, c, got 'd'" in lacks(options={"mode": "d"})["options"]
    assert "must be a number of knots > 1, got 1" in lacks(options={"speed": 1})["options"]
    assert "did you mean 'speed'" in lacks(options={"sped": 1})["options"]


def _resolved():  # type: ignore[no-untyped-def]
    from portable.resolve import resolve

    return resolve(small(), 1, 0.1)


def test_needs_of_a_session_are_refused_before_it_is_built() -> None:
    with pytest.raises(pt.ModelError, match=r"needs: unknown feature 'session.peaces'; did you mean"):
        pt.check(small(), "reference", needs=["session.peaces"])
    standalone = {"target": "cpp_standalone"}
    assert pt.check(small(), "brian2", options=standalone) == []
    found = pt.check(small(), "brian2", options=standalone, needs=["session.pieces", "session.set"])
    assert [s.feature for s in found] == ["session.pieces", "session.set"]
    assert pt.check(small(), "brian2", needs=["session.pieces", "session.set", "session.connections"]) == []


def test_threads_that_did_not_run_are_not_told(backend: str) -> None:
    """Provenance says what ran, and what was asked for and not done is an approximation."""
    results = pt.run(small(), backend, "1 ms", threads=2, integrator="auto")
    notes = [a for a in results.approximations if a.where == "threads"]
    assert results.provenance["threads"] == (1 if notes else 2)
    assert [(a.asked, a.got) for a in notes] in ([], [("2", "1")])


def test_approximations_are_told_once(backend: str) -> None:
    results = pt.run(small(), backend, "1 ms")
    assert len(results.approximations) == len(set(results.approximations)) >= 1  # the rounded delays


def test_the_state_before_the_first_step_is_recorded(backend: str) -> None:
    v = pt.run(small(), backend, 0, seed=1).traces["a", "v"]
    assert v.steps.tolist() == [0]
    np.testing.assert_array_equal(v.values[0], _resolved().group("a").initial["v"][:1])


@pytest.mark.parametrize("second", [False, True])
def test_an_interrupted_session_and_its_simulator_agree(backend: str, second: bool) -> None:
    """Ctrl-C leaves a session where its simulator is, also in a second session of a simulator that has
    one kernel a process: no spike is later than the end, and going on gives what one run gives."""
    net, steps = small(300), 400
    if registry.get(backend).capabilities.word("session.pieces") != "exact":
        pytest.skip("it cannot go on after a piece")
    whole = pt.run(net, backend, steps * 0.1, seed=3)
    with pt.open(net, backend, seed=4) as first:
        if not second:
            first.close()
        with pt.open(net, backend, seed=3) as sim:
            timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                sim.advance(10_000_000)
            timer.join()
            reached = sim.steps
            results = sim.results()
            assert results.steps == reached
            assert results.spikes["a"].steps.max(initial=0) <= reached
            assert results.traces["a", "v"].steps[-1] == reached
            if reached < steps:
                sim.advance(steps - reached)
            table = sim.results().spikes["a"]
    early = table.steps <= steps
    np.testing.assert_array_equal(table.steps[early], whole.spikes["a"].steps)
    np.testing.assert_array_equal(table.ids[early], whole.spikes["a"].ids)


def test_approximations_of_one_kind_are_one_line() -> None:
    """Rounded delays of twenty projections are told once, with their number."""
    a = pt.Population("a", 4, pt.IF_curr_exp())
    made = [
        pt.Projection(
            a, a, pt.AllToAll(), pt.StaticSynapse(0.1, pt.Uniform(1.0, 2.0 + 0.01 * i)), name=f"p{i}"
        )
        for i in range(20)
    ]
    results = pt.run(pt.Network("many", [a], made), "reference", "1 ms")
    assert len(results.approximations) == 20
    (line,) = [x for x in repr(results).splitlines() if "approximation" in x]
    assert "and 19 more" in line
