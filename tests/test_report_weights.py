"""What a report says and shows of weights that were learnt."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from validations import made, with_weights

from portable.validation.evidence import Learnt
from portable.validation.report import figures_weights, from_json, to_json, weights
from portable.validation.report.html import html
from portable.validation.report.junit import junit
from portable.validation.report.markdown import markdown
from portable.validation.report.words import answers, matters
from portable.validation.verdicts import DIFFERENT, FAIL, IDENTICAL, WEIGHTS


@pytest.fixture(scope="module")
def both():
    return with_weights(*made((IDENTICAL, DIFFERENT), seeds=2, cells=200, populations=1))


def test_every_file_has_them(both):
    v, e = both
    page = html(v, e)
    assert 'id="level-4"' in page
    assert "Level 4: same weights" in page
    assert page.count('<figure id="weights-') == len(e.weights)
    assert "How connections learn" in page
    assert "tau_plus 20 ms, a_plus 0.01" in page
    assert "4 same weights" in markdown(v)
    back = from_json(json.loads(json.dumps(to_json(v), allow_nan=False)))
    assert repr(back) == repr(v)
    assert repr(back.weights) == repr(v.weights)
    assert back.rules == v.rules
    root = ElementTree.fromstring(junit(v).encode())
    wrong = v.backends[1 + list(v.answers.values()).index(DIFFERENT)]
    suite = next(s for s in root.iter("testsuite") if s.get("name") == wrong)
    assert (
        suite.find("testcase[@name='level 4: same weights']/failure").get("message") == "weights of forward"
    )


def test_sentences(both):
    v = both[0]
    said = {a.word: a for a in answers(v)}
    assert (
        "The weights of 1,200 connections are the same on nest and native, but for rounding: at most "
        "6e−17 nA, 3e−16 of the range of the rule's bounds, in forward (connection 3 to 17, 400 ms, seed 1)."
    ) in said[IDENTICAL].found
    bad = said[DIFFERENT]
    assert (
        "Weights of forward and E -> I/excitatory part from those of native before the spikes do: the rule "
        "is not carried out alike. The largest difference is 0.004 nA, 0.02 of the range"
    ) in bad.found
    assert "same weights (level 4)" in bad.means
    alike = replace(v, paired=tuple(replace(c, verdict="pass") for c in v.paired), ensembles=())
    assert "It matters where weights or single spikes do." in matters(alike, bad.backend)
    assert weights.sentence(v, "nobody") == ""
    last = replace(v, weights=tuple(replace(c, difference=0.0, relative=0.0) for c in v.weights))
    assert "to the last bit" in weights.sentence(last, "nest")
    assert v.level(WEIGHTS, bad.backend).verdict == FAIL


def seen(times, reference, other, gaps):
    return Learnt("p", "nA", 1, np.array(times), reference, other, gaps)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (seen([0.0, 5.0], (np.ones(3),) * 2, (np.ones(3),) * 2, {1: np.zeros(2)}), "to the last bit"),
        (
            seen([0.0, 5.0], (np.arange(3.0), np.arange(3.0)), (np.arange(3.0), np.full(3, np.nan)),
                 {1: np.array([0.0, np.inf]), 2: np.array([0.0, 1e-13])}),
            "margin 1e-12",
        ),
    ],
)  # fmt: skip
def test_figures_of_odd_weights(case, said):
    panel = figures_weights.gaps("k", case, 1, 1e-12, 2.0)
    assert said in panel.svg
    assert figures_weights.ends("e", case, ("a", "b"), 1).svg.startswith("<svg")


def test_weights_that_were_read_once_have_no_curve():
    once = seen([5.0], (np.zeros(0),) * 2, (np.zeros(0),) * 2, {1: np.zeros(1)})
    assert figures_weights.gaps("k", once, 1, math.nan) is None
    assert "mean – at the end" in figures_weights.ends("e", once, ("a", "b"), 1).label
