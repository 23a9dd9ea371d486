"""The files of a report: schema, exact JSON, JUnit, Markdown, badge, the same bytes again, and nothing a name
can break.
"""

import dataclasses
import json
import math
import re
import sys
import tomllib
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
import validations
from validations import ANSWERS, made, with_weights

from portable.errors import ModelError
from portable.validation.evidence import Evidence
from portable.validation.report import from_json, to_json, write_report
from portable.validation.report.badge import badge
from portable.validation.report.html import html
from portable.validation.report.junit import junit
from portable.validation.report.markdown import markdown
from portable.validation.report.schema import FILE, json_schema
from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    LEVELS,
    NO_ANSWER,
    NOT_RUN,
    OPEN,
    PASS,
    LevelVerdict,
    Validation,
)

NASTY = (
    "<script>alert(1)</script>",
    "a|b`c`$x_2$",
    "]]>&\"'",
    "Zürich 神経 \x07",
    "n" * 40,
    "{{ 7*7 }}{% x %}",
)


def nasty():
    """Every free text of the records is one that HTML, XML, Markdown, mathtext or a template could take for
    its own.
    """
    v, e = made(
        (IDENTICAL, DIFFERENT, NO_ANSWER),
        seeds=3,
        names=NASTY,
        backends=("ref<i>", "a&b", "<script>x</script>", 'q"uote'),
        cells=200,
    )
    runs = tuple(
        dataclasses.replace(r, message="<script>m</script> \x00 &", approximations=("<script>ap</script>|",))
        for r in v.runs
    )
    facts = {"command": "run '<script>c</script>' ```", "nested": {"<k>": ["<v>", 1]}}
    v = dataclasses.replace(
        v, network="<script>net</script>", runs=runs, provenance=facts, notes=("<script>note</script>",)
    )
    return with_weights(v, e, NASTY[:2])


def same(a, b):
    """Equal records, where nan equals nan and the type of every number is the same."""
    return repr(dataclasses.asdict(a)) == repr(dataclasses.asdict(b))


@pytest.mark.parametrize("answers", [(IDENTICAL, EQUIVALENT), ANSWERS, (NO_ANSWER,), ()])
def test_json_is_what_the_published_schema_says(answers):
    document = to_json(made(answers, seeds=2, cells=200)[0])
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(json.dumps(document, allow_nan=False)))
    assert document["verdict"] == made(answers, seeds=2, cells=200)[0].verdict


def test_the_published_schema_is_the_one_of_the_records():
    """After a change of verdicts.py: python -m portable.validation.report.schema."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == json_schema()
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("change", [{"extra": 1}, {"validation": {}}, {"exit_code": 7}, {"verdict": "good"}])
def test_the_schema_refuses_what_it_does_not_name(change):
    document = {**to_json(made(seeds=1, cells=100)[0]), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(document)


@pytest.mark.parametrize("answers", [(IDENTICAL, EQUIVALENT), ANSWERS, ()])
def test_json_gives_the_validation_again_exactly(answers):
    v = made(answers, seeds=3, cells=300)[0]
    assert same(from_json(json.loads(json.dumps(to_json(v), allow_nan=False))), v)


def test_json_keeps_infinities_apart_from_nan():
    v = made((EQUIVALENT,), seeds=2, cells=200)[0]
    check = dataclasses.replace(
        v.cells[0], order=-math.inf, trace_difference=math.nan, errors={"a/b~": math.inf}
    )
    v = dataclasses.replace(
        v, cells=(check,), provenance={"x": {"y": [math.inf, math.nan, None, 1, 2.0, True]}}
    )
    text = json.dumps(to_json(v), allow_nan=False)
    assert json.loads(text)["validation"]["cells"][0]["order"] is None
    assert same(from_json(json.loads(text)), v)


def test_json_of_numpy_numbers_is_plain():
    v = dataclasses.replace(
        made((EQUIVALENT,), seeds=2, cells=200)[0],
        synapses=np.int64(7),
        dt=np.float64(0.1),
        provenance={"flag": np.bool_(True), "n": (np.float32(0.5),)},
    )
    document = json.loads(json.dumps(to_json(v), allow_nan=False))
    assert document["validation"]["synapses"] == 7
    assert document["validation"]["provenance"] == {"flag": True, "n": [0.5]}


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d.pop("portable_report"), "no report"),
    (lambda d: d.update(portable_report=9), "version 9"),
    (lambda d: d["validation"].pop("network"), "has no 'network'"),
    (lambda d: d["validation"].update(netwrok="x"), "unknown field 'netwrok'; did you mean 'network'"),
    (lambda d: d["validation"].update(dt="0.1"), r"validation\.dt: is '0\.1', expected int or float"),
    (lambda d: d["validation"]["levels"][0].update(level=True), r"levels\.0\.level: is True"),
    (lambda d: d["validation"]["spikes"][0].update(spikes=[1]), r"spikes\.0\.spikes: has 1 values, expected "
                                                                r"2"),
])  # fmt: skip
def test_a_broken_document_is_refused_by_place_and_rule(change, said):
    document = to_json(made((EQUIVALENT,), seeds=1, cells=100)[0])
    change(document)
    with pytest.raises(ModelError, match=said):
        from_json(document)


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ModelError, match=r"provenance\.x: is .* JSON cannot hold"):
        to_json(dataclasses.replace(made((), seeds=1, cells=50)[0], provenance={"x": object()}))


def test_junit_counts_failures_errors_and_skipped_levels():
    v = made(ANSWERS, seeds=4, cells=300)[0]
    root = ElementTree.fromstring(junit(v).encode())
    suites = {s.get("name"): s for s in root.iter("testsuite")}
    assert list(suites) == list(v.backends[1:])
    for backend, answer in v.answers.items():
        # a level 3 that fails does not count where equivalent statistics were the answer
        spared = [
            x
            for x in v.levels
            if x.backend == backend and answer == EQUIVALENT and x.level in (2, 3) and x.verdict == FAIL
        ]
        words = [NOT_RUN if x in spared else x.verdict for x in v.levels if x.backend == backend]
        suite, failed_runs = suites[backend], 4 if answer == NO_ANSWER else 0
        assert int(suite.get("tests")) == len(LEVELS) + failed_runs
        assert (
            int(suite.get("failures"))
            == words.count(FAIL) + words.count("undecided")
            == len(suite.findall("testcase/failure"))
        )
        assert int(suite.get("skipped")) == words.count(NOT_RUN) == len(suite.findall("testcase/skipped"))
        assert (
            int(suite.get("errors"))
            == words.count("not comparable") + failed_runs
            == len(suite.findall("testcase/error"))
        )
    assert int(root.get("tests")) == sum(int(s.get("tests")) for s in suites.values())
    assert (
        suites["brian2"]
        .find("testcase[@name='level 3: same spikes']/skipped")
        .get("message")
        .startswith("spikes part at")
    )


def test_junit_survives_any_text_and_a_failed_reference():
    v = nasty()[0]
    root = ElementTree.fromstring(junit(v).encode())
    assert {s.get("name") for s in root.iter("testsuite")} == set(v.backends[1:])
    failed = dataclasses.replace(v, runs=tuple(dataclasses.replace(r, status="crashed") for r in v.runs))
    assert v.backends[0] in {
        s.get("name") for s in ElementTree.fromstring(junit(failed).encode()).iter("testsuite")
    }


@pytest.mark.parametrize("answer", ANSWERS)
def test_badge_is_a_small_picture_with_the_verdict(answer):
    v = made((answer,), seeds=2, cells=100)[0]
    root = ElementTree.fromstring(badge(v))
    assert root.get("aria-label") == f"portable validate: {answer}"
    left, right = root.findall("{*}text")
    assert right.text.endswith(answer)
    assert float(right.get("x")) + float(right.get("textLength")) < float(
        root.get("width")
    )  # the words are inside
    assert float(left.get("x")) + float(left.get("textLength")) < float(right.get("x"))
    ElementTree.fromstring(badge(nasty()[0]))


def test_markdown_has_matrix_answers_and_command():
    v = made(ANSWERS, seeds=3, cells=300)[0]
    text = markdown(v, "report.html")
    assert text.startswith("# ⊘ balanced: not comparable\n")
    matrix = [line for line in text.splitlines() if line.startswith("|")][: 2 + len(LEVELS)]
    assert all(line.count("|") == len(v.backends) + 1 for line in matrix)
    assert "✗ fail" in matrix[5]
    for part in (
        v.provenance["command"],
        "`report.html`",
        "It matters where a conclusion rests on",
        "## brian2: statistically equivalent",
    ):
        assert part in text


def test_markdown_escapes():
    text = markdown(nasty()[0])
    assert "<script>" not in text.replace("run '<script>c</script>' ```", "")  # the command stands in a fence
    assert "````" in text  # longer than the fence that the command holds
    assert all(
        re.sub(r"\\\|", "", line).count("|") == 5
        for line in text.splitlines()
        if line.startswith("| level") or line.startswith("| 0 ")
    )


def test_html_escapes_every_name():
    """The only scripts are the page's own one; the texts are there, as text."""
    page = html(*nasty())
    assert page.count("<script") == page.count("</script") == 1
    assert "&lt;script&gt;net&lt;/script&gt;" in page
    for part in (
        "{{ 7*7 }}",
        "a|b`c`$x_2$",
        "&lt;script&gt;m&lt;/script&gt;",
        "&lt;script&gt;note&lt;/script&gt;",
    ):
        assert part in page
    assert "49{" not in page


def test_the_same_records_give_the_same_bytes(tmp_path):
    v, e = made((DIFFERENT,), seeds=2, cells=200)
    first = [p.read_bytes() for p in write_report(v, e, tmp_path / "a.html")]
    again = [p.read_bytes() for p in write_report(from_json(json.loads(first[1])), e, tmp_path / "a.html")]
    assert again == first


def test_files_lie_beside_the_page_and_only_they(tmp_path):
    paths = write_report(*made((IDENTICAL,), seeds=1, cells=100), tmp_path / "of.cuba.html")
    assert [p.name for p in paths] == [
        "of.cuba.html",
        "of.cuba.json",
        "of.cuba.xml",
        "of.cuba.md",
        "of.cuba.svg",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert isinstance(from_json(json.loads(paths[1].read_text(encoding="utf-8"))), Validation)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.pdf", "use 'report.html'"),
        ("missing/report.html", "no folder"),
        ("report", "use 'report.html'"),
    ],
)
def test_a_wrong_path_is_refused(name, said, tmp_path):
    with pytest.raises(ModelError, match=said):
        write_report(*made((), seeds=1, cells=50), tmp_path / name)


def test_templates_styles_and_scripts_are_packaged():
    root = FILE.parents[2]
    globs = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["portable"]
    packaged = {p for g in globs for p in (root / "portable").glob(g)}
    needed = {
        p
        for p in (root / "portable" / "validation" / "report").iterdir()
        if p.is_file() and p.suffix != ".py"
    }
    assert {p.suffix for p in needed} == {".jinja", ".css", ".js"}
    assert needed <= packaged


def test_without_jinja2_the_install_line_is_said_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ModelError, match=r"needs jinja2.*pip install 'portable-snn\[report\]'"):
        write_report(*made((), seeds=1, cells=50), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_page_of_three_backends_ten_seeds_and_eight_populations_is_small(tmp_path):
    page = write_report(
        *made((EQUIVALENT, DIFFERENT), seeds=10, populations=8, cells=8000), tmp_path / "report.html"
    )[0]
    assert page.stat().st_size < 5_000_000  # the promise of the format


@pytest.mark.parametrize(
    "case", ["nothing", "no evidence", "none ran", "one seed", "one level", "nan everywhere", "silent"]
)
def test_records_that_lack_something_still_make_a_page(case):
    v, e = made((DIFFERENT, OPEN), seeds=1 if case == "one seed" else 2, cells=100)
    if case == "nothing":
        v, e = Validation("net", "", 0.1, 100.0, ("native", "nest"), (), {}, 0, (), {}), Evidence()
    if case == "no evidence":
        e = Evidence()
    if case == "none ran":
        v, e = made((NO_ANSWER, NO_ANSWER), seeds=2, cells=100)
    if case == "one level":
        v = dataclasses.replace(
            v,
            levels=(LevelVerdict(3, "nest", PASS, "same"),),
            paired=(),
            ensembles=(),
            deviations=(),
            power=(),
            costs=(),
            cells=(),
            networks=(),
        )
        e = Evidence()
    if case == "nan everywhere":
        document = to_json(v)
        v = from_json(json.loads(json.dumps(document), parse_float=lambda _: None))
    if case == "silent":
        e = dataclasses.replace(
            e,
            distributions={k: np.zeros(0) for k in e.distributions},
            results={
                k: validations.result(v, k[0], {n: ([], []) for n in v.populations}, k[1]) for k in e.results
            },
        )
    page = html(v, e)
    for level, name in LEVELS.items():
        assert f'<section id="level-{level}"' in page
        assert name in page
    assert " nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.S)
    targets, ids = (
        set(re.findall(r'href="#([^"]+)"', re.sub(r"<svg.*?</svg>", "", page, flags=re.S))),
        re.findall(r' id="([^"]+)"', page),
    )
    assert targets <= set(ids)  # every link of the page leads somewhere
    assert len(ids) == len(set(ids))
    markdown(v), junit(v), badge(v)
