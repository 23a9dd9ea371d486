"""The page of the reference cases: the matrix, every published number, and a report of each case beside
it.
"""

import json
import math
import re

import pytest
from validations import made

from portable.errors import ModelError
from portable.validation.answer import Answer
from portable.validation.cases import CASES
from portable.validation.cases.case import Published
from portable.validation.report.suite import suite_html, write_suite
from portable.validation.suite import REFERENCE, Row, Suite
from portable.validation.verdicts import DIFFERENT, EQUIVALENT, NOT_RUN


def suite(measured=8.1):
    """Two cases on three backends: one number met everywhere, one missed by nest, and a backend that did not
    run.
    """
    first, second = list(CASES)[:2]
    numbers = {
        m: (
            Published("rate of <E>", "Hz", 8.0, m, 0.5, "table 1 & text"),
            Published("CV", "", 0.8, math.nan if m > 9 else 0.81, 0.1, "eq. 2"),
        )
        for m in (measured, 12.0)
    }
    rows = (
        Row(first, "native", REFERENCE, None, 1.0, numbers[measured]),
        Row(first, "nest", DIFFERENT, 2, 0.2, numbers[12.0]),
        Row(first, "<b>", NOT_RUN, -1, math.nan, (), "not installed"),
        Row(second, "native", REFERENCE, None, 1.0, numbers[measured]),
        Row(second, "nest", EQUIVALENT, 4, 1.0, numbers[measured]),
    )
    return Suite(
        ("native", "nest", "<b>"),
        (first, second),
        rows,
        {first: Answer(*made((DIFFERENT,), seeds=2, cells=100))},
    )


def test_the_page_has_every_number_and_marks_those_that_are_missed():
    s = suite()
    page = suite_html(s, {s.cases[0]: "suite/case.html"})
    assert "3 of 4 runs of cases give the published numbers." in page
    assert "rate of &lt;E&gt; (Hz)" in page
    assert "table 1 &amp; text" in page
    assert "<b>not" not in page
    assert '<span class="mark fail"><span class="sign" aria-hidden="true">✗</span>12</span>' in page
    assert (
        '<span class="mark fail"><span class="sign" aria-hidden="true">✗</span>–</span>' in page
    )  # a number that could not be measured is not met
    assert f"<li>{s.cases[0]} on &lt;b&gt;: not installed</li>" in page
    assert page.count('href="suite/case.html"') == 1
    for name in s.cases:
        assert CASES[name].title.replace("&", "&amp;").replace("'", "&#39;") in page
        assert CASES[name].citation.doi in page
    targets, ids = set(re.findall(r'href="#([^"]+)"', page)), re.findall(r' id="([^"]+)"', page)
    assert targets <= set(ids)
    assert len(ids) == len(set(ids))
    assert suite_html(s, {s.cases[0]: "suite/case.html"}) == page


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "Nothing ran."),
        (
            None,
            "4 of 4 runs of cases give the published numbers; 1 run cannot be compared with native or "
            "differs from it.",
        ),
    ],
)
def test_the_headline(rows, said):
    s = suite()
    good = tuple(
        r if r.answer == NOT_RUN else Row(r.case, r.backend, r.answer, r.level, 1.0, s.rows[0].published)
        for r in s.rows
    )
    assert said in suite_html(Suite(s.backends, s.cases, good if rows is None else rows, {}), {})


def test_files_and_the_reports_of_the_cases(tmp_path):
    s = suite()
    paths = write_suite(s, tmp_path / "suite.html")
    assert [p.relative_to(tmp_path).as_posix() for p in paths[:4]] == [
        "suite.html",
        "suite.json",
        "suite.md",
        f"suite/{s.cases[0]}.html",
    ]
    assert all(p.stat().st_size > 300 for p in paths)
    link = re.search(r'href="(suite/[^"]+)"', paths[0].read_text(encoding="utf-8"))[1]
    assert (tmp_path / link).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    document = json.loads(
        paths[1].read_text(encoding="utf-8"), parse_constant=pytest.fail
    )  # neither NaN nor Infinity
    assert document["rows"][2]["score"] is None
    with pytest.raises(ModelError, match="no folder"):
        write_suite(s, tmp_path / "missing" / "suite.html")
