"""The sentences of a report say what the records say, and no more."""

import dataclasses
import math
import re

import pytest
from validations import made

from portable.validation.report import power, view, words
from portable.validation.report.canvas import power_of_ten
from portable.validation.report.html import html, matrix
from portable.validation.report.names import label
from portable.validation.report.tables import alive, deviations, network_row, paired
from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    LEVELS,
    NO_ANSWER,
    NOT_RUN,
    OPEN,
    NetworkCheck,
    Power,
)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0.0, "0"),
        (-0.5, "−0.5"),
        (1234567.0, "1,234,567"),
        (0.00012, "0.00012"),
        (1.234e-9, "1.23e−9"),
        (12345.6, "12,346"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (3.14159, "3.14"),
    ],
)
def test_numbers(number, said):
    assert view.number(number) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "100"), (0.999999, ">\u00a099.99"), (1e-9, "<\u00a00.01"), (0.0, "0"), (0.33334, "33.33")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share, said):
    assert view.share(share) == f"{said}\u00a0%"
    assert view.share(math.nan) == "–"


def test_lists_and_names():
    assert view.listed([]) == ""
    assert view.listed(["a"]) == "a"
    assert view.listed("abc") == "a, b and c"
    assert view.listed("abcdefghij", 4) == "a, b, c and 7 more"
    assert view.counted(1, "seed") == "1 seed"
    assert view.counted(1000, "seed") == "1,000 seeds"
    assert view.short("x" * 40) == "x" * 16 + "…" + "x" * 5
    assert view.bytes_(2.0**31) == "2 GiB"
    assert [label(s) for s in ("cv", "peak_frequency", "isi", "my_own")] == [
        "CV",
        "peak frequency",
        "ISI",
        "my_own",
    ]


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (1e-3, "10⁻³"),
        (1.0, "1"),
        (10.0, "10"),
        (1e12, "10¹²"),
        (5e-13, "5·10⁻¹³"),
        (0.02, "0.02"),
        (2000.0, "2000"),
        (0.0, ""),
    ],
)
def test_labels_of_log_axes(x, said):
    assert power_of_ten(x) == said


def test_the_headline_names_every_backend_once_with_its_answer():
    v = made((IDENTICAL, EQUIVALENT, DIFFERENT, OPEN, NO_ANSWER), seeds=3, cells=200)[0]
    said = words.headline(v)
    assert said == (
        "nest gives the same spikes as native; brian2 is statistically equivalent to native; jneuroml is "
        "not decided against native; "
        "neuron differs from native; other could not be compared with native."
    )
    assert (
        words.headline(made((IDENTICAL, IDENTICAL), seeds=1, cells=100)[0])
        == "nest and brian2 give the same spikes as native."
    )
    assert words.headline(made((), seeds=1, cells=100)[0]) == "No backend was compared."


def test_the_question_has_sizes_and_seeds():
    said = words.question(made((IDENTICAL,), seeds=1, cells=1000)[0])
    assert (
        said
        == "Does nest give what native gives for “balanced” (1,000 cells in 2 populations, 80,000 synapses; "
        "1,000 ms in steps of 0.1 ms, 1 seed)?"
    )


def answer(v):
    (found,) = words.answers(v)
    return found


def test_identical_counts_the_spikes():
    v = made((IDENTICAL,), seeds=2, cells=200)[0]
    a = answer(v)
    assert (
        a.found
        == f"All {sum(c.spikes[0] for c in v.spikes):,} spikes of 2 seeds fall in the same step on nest and "
        "on native."
    )
    assert a.matters == ""


def test_chaos_is_said_only_where_the_reference_parts_from_itself_as_early():
    v = made((EQUIVALENT,), seeds=5, cells=200)[0]
    assert "The model is chaotic" in answer(v).found
    assert "rounding is enough" in answer(v).found
    early = dataclasses.replace(v, spikes=tuple(dataclasses.replace(c, time=1.0) for c in v.spikes))
    assert (
        "earlier than half that time in 5 of 5, so rounding alone does not explain it" in answer(early).found
    )
    never = dataclasses.replace(v, spikes=tuple(dataclasses.replace(c, perturbed=math.inf) for c in v.spikes))
    assert "native does not part from itself in this run" in answer(never).found
    untried = dataclasses.replace(
        v, spikes=tuple(dataclasses.replace(c, perturbed=math.nan) for c in v.spikes)
    )
    assert "rounding" not in answer(untried).found


def test_different_says_what_is_outside_and_the_largest_effect():
    v = made((DIFFERENT,), seeds=10, cells=200)[0]
    failed = [c for c in v.paired if c.verdict == FAIL]
    worst = max(failed, key=lambda c: abs(c.effect))
    said = answer(v).matters
    assert said.startswith("It matters where a conclusion rests on ")
    assert all(label(c.statistic) in said for c in failed)
    assert (
        f"Largest effect: {label(worst.statistic)} of {worst.population}, {view.signed(worst.difference)}"
        in said
    )
    assert f"{len(failed) + sum(c.verdict == FAIL for c in v.ensembles)} are outside" in answer(v).found


def test_different_without_statistics_does_not_say_that_it_does_not_matter():
    v = made((DIFFERENT,), seeds=3, cells=200)[0]
    untested = dataclasses.replace(
        v,
        paired=(),
        ensembles=(),
        levels=tuple(dataclasses.replace(x, verdict=NOT_RUN) if x.level == 4 else x for x in v.levels),
    )
    assert (
        answer(untested).matters
        == "Whether it matters for rates and other statistics was not tested: there is no result at level 5."
    )
    fine = dataclasses.replace(
        v, paired=tuple(dataclasses.replace(c, verdict="pass") for c in v.paired), ensembles=()
    )
    assert answer(fine).matters.startswith(
        "It does not show in the statistics: all 8 are within their margins."
    )


def test_a_backend_that_did_not_run_tells_how_it_ended():
    a = answer(made((NO_ANSWER,), seeds=3, cells=200)[0])
    assert (
        a.found
        == "3 of 3 runs did not end well; seed 1: killed, the process ended with signal 9 (out of memory) "
        "after 12.4 s."
    )
    assert "not a pass" in a.means


def test_what_cannot_be_compared_is_said_with_its_level_even_where_spikes_were():
    v = made((EQUIVALENT,), seeds=3, cells=200)[0]
    levels = tuple(
        dataclasses.replace(x, verdict="not comparable", summary="other integrators")
        if x.level in (0, 4)
        else x
        for x in v.levels
    )
    a = answer(dataclasses.replace(v, levels=levels, answers={"nest": NO_ANSWER}))
    assert a.found == "Level 0, comparable at all: other integrators."
    assert a.means.startswith("This is not a pass.")
    assert words.matrix_cell(levels[0]) == "not comparable"
    assert words.matrix_cell(v.levels[0]) == "pass, 100\u00a0%"


def test_power_names_the_smallest_size_seen_and_what_was_missed():
    v = made((EQUIVALENT,), seeds=10, cells=200)[0]
    said = power.power_sentence(v)
    assert "weights larger 1 %, threshold higher 0.05 mV;" in said
    assert "they would have missed refractory period longer (up to 4 steps)." in said
    one = dataclasses.replace(
        v, power=(Power("delay", "steps", (1.0,), (False,)), Power("euler", "", (1.0,), (True,)))
    )
    assert power.power_sentence(one).endswith(
        "the smallest of the sizes tried: euler; they would have missed delay (1 step)."
    )
    assert "not measured" in power.power_sentence(dataclasses.replace(v, power=()))


def test_deviations_are_counted_once_at_their_own_size():
    v = made((EQUIVALENT,), seeds=2, cells=200)[0]
    missed = dataclasses.replace(v.deviations[0], caught=None, failed=())
    larger = dataclasses.replace(missed, size=10.0, caught=4, failed=(4,))
    v = dataclasses.replace(v, deviations=(*v.deviations[1:], larger, missed))
    assert (
        power.caught_sentence(v)
        == "Of 5 known deviations put into a copy of the engine, 4 were caught, 4 of them by exact "
        "comparison (levels 0 to 4); not caught: refractory."
    )
    assert len(deviations(v).rows) == 6


def test_the_matrix_has_every_level_and_leads_to_its_section():
    v, e = made((IDENTICAL, DIFFERENT), seeds=2, cells=100)
    rows = matrix(v)
    assert [r["level"] for r in rows] == list(LEVELS)
    page = html(v, e)
    for row in rows:
        for cell in row["cells"]:
            assert re.search(rf'<li id="{cell.anchor}"', page)
            assert cell.sign in "✓✗?⊘–"  # never the colour alone


def test_a_population_that_died_is_marked():
    v = made((DIFFERENT,), seeds=3, cells=100)[0]
    row = alive(v).rows[0]
    assert [c.text for c in row] == ["E", "80", "3 of 3", "2 of 3"]
    assert row[3].sign == "✗"


def test_networks_read_back_in_part_say_so():
    checks = [
        NetworkCheck("nest", 1, "c3", True, 10, 0, 0.0, 0.0),
        NetworkCheck("nest", 2, "c3", True, 0, 0, math.nan, math.nan, "not for this seed"),
    ]
    assert [c.text for c in network_row("nest", checks)] == [
        "nest",
        "2 of 2",
        "2 of 2",
        "1 of 2",
        "10",
        "0",
        "0",
        "0",
        "not for this seed",
    ]
    checks.append(NetworkCheck("nest", 3, "c3", True, 9, 1, 0.25, 0.1))
    assert [c.text for c in network_row("nest", checks)][:2] == ["nest", "2 of 3"]
    assert network_row("nest", checks)[6].text == "0.25"


def test_the_source_of_the_margin_is_a_column_only_where_it_differs():
    checks = list(made((EQUIVALENT,), seeds=4, cells=100)[0].paired)
    assert "half the reference's SD over seeds" in paired(checks, "nest").caption
    mixed = [dataclasses.replace(checks[0], margin_from="the user"), *checks[1:]]
    assert "margin from" in paired(mixed, "nest").columns
    assert {len(r) for t in (paired(checks, "nest"), paired(mixed, "nest")) for r in t.rows} == {14, 15}
    assert [len(t.columns) for t in (paired(checks, "nest"), paired(mixed, "nest"))] == [14, 15]
