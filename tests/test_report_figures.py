"""The figures of a report: what is drawn is what the arrays say, and the SVG fits into a page of any
colour.
"""

import dataclasses
import itertools
import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from validations import made, paired_check

import portable as pt
from portable.results import Results, sorted_spikes
from portable.validation.evidence import Evidence, Growth, Spectrum, Traces
from portable.validation.report import (
    figures_cells,
    figures_cost,
    figures_spikes,
    figures_statistics,
    from_json,
    gallery,
    to_json,
    write_report,
)
from portable.validation.report.canvas import COLOURS, panel, thinned, tint
from portable.validation.verdicts import CellCheck, SpikeCheck

CELL = CellCheck(
    "nest",
    "E",
    "IF",
    1,
    5,
    ("exact", "euler"),
    (3, 3),
    False,
    0.1,
    0.02,
    "v",
    "mV",
    1.02,
    {"0.1": 4e-3, "0.05": 2e-3, "0.025": 1e-3},
)


def results(backend, ids, steps, cells=100):
    return Results(
        "net",
        backend,
        0.1,
        1000,
        {"E": cells},
        {"E": sorted_spikes(ids, steps, 0.1, np.arange(cells))},
        {},
        {},
    )


def texts(svg):
    return [t.text for t in ElementTree.fromstring(svg).iter("text")]


def test_colours_are_the_themes_and_ids_are_unique():
    def draw(figure):
        axis = figure.add_subplot()
        for i in range(len(COLOURS)):
            axis.plot([0, 1], [0, i], color=tint(i))
        axis.scatter(np.arange(2000) % 7, np.arange(2000) % 11, rasterized=True, c=tint(0))
        axis.set_title("a $b$ <script> & \x07")

    a, b = panel("one", "what & <who>", 3, 2, draw), panel("two", "x", 3, 2, draw)
    assert not re.search(r"#0101|#000000|font-family|DejaVu", a.svg)
    assert all(f"var(--c{i})" in a.svg for i in range(len(COLOURS)))
    assert "currentColor" in a.svg
    assert 'aria-label="what &amp; &lt;who&gt;"' in a.svg
    assert "a $b$ <script> & �" in texts(a.svg)
    assert a.svg.count("<image") == 1
    first, second = (set(re.findall(r' id="([^"]+)"', x.svg)) for x in (a, b))
    assert first
    assert not first & second
    assert (
        set(re.findall(r'(?:url\(|href=")#([^")]+)', a.svg)) == first
    )  # every id is used, every use has its id
    assert panel("one", "what & <who>", 3, 2, draw).svg == a.svg


def test_a_users_style_changes_nothing():
    import matplotlib

    before = figures_cost.bars("k", "run time", "s", {"native": 1.0}, {"native": 0}).svg
    with matplotlib.rc_context(
        {"font.size": 30, "axes.facecolor": "red", "axes.prop_cycle": "cycler('color', 'r')"}
    ):
        assert figures_cost.bars("k", "run time", "s", {"native": 1.0}, {"native": 0}).svg == before
        assert matplotlib.rcParams["font.size"] == 30


def test_thinning_keeps_every_peak():
    times = np.arange(20_000) * 0.1
    values = np.zeros(20_000)
    values[[7, 9_999, 19_990]] = 40.0, -80.0, 55.0
    t, v = thinned(times, values)
    assert t.size <= 700
    assert np.all(np.diff(t) > 0)
    assert {40.0, -80.0, 55.0} <= set(v)


def test_spikes_without_a_partner_are_the_coloured_ones():
    a, b = results("native", [1, 2, 3], [10, 20, 30]), results("nest", [1, 2, 3], [10, 21, 30])
    rows = figures_spikes.stripes((a, b), None)
    left, right = figures_spikes.dots(a, b, rows, (0, 100)), figures_spikes.dots(b, a, rows, (0, 100))
    assert left.partner.tolist() == [True, False, True]
    assert right.times[~right.partner].tolist() == [2.1]
    assert np.all(np.diff(left.heights) < 0)  # the first cell is on top
    svgs = figures_spikes.rasters(("a", "b"), (a, b), None, (0, 1))
    assert "1 of them without a partner on nest" in svgs[0].label
    assert "var(--c1)" in svgs[1].svg


def test_the_diverging_cell_is_drawn_whatever_is_left_out():
    a = results("native", [4321], [50], cells=5000)
    b = results("nest", [4321], [51], cells=5000)
    check = SpikeCheck("nest", 1, (1, 1), False, 0.0, 1.0, 5.0, "E", 4321, 7.0)
    (row,) = figures_spikes.stripes((a, b), check)
    assert 4321 in row.cells
    assert row.cells.size <= figures_spikes.ROWS + 1
    assert "first difference, 5 ms" in texts(figures_spikes.rasters(("a", "b"), (a, b), check, (0, 1))[0].svg)


@pytest.mark.parametrize(
    ("duration", "time", "span"),
    [
        (800.0, 300.0, (0.0, 800.0)),
        (5000.0, 2000.0, (1600.0, 2600.0)),
        (5000.0, 100.0, (0.0, 1000.0)),
        (5000.0, 4990.0, (4000.0, 5000.0)),
        (5000.0, math.nan, (0.0, 1000.0)),
    ],
)
def test_a_long_run_is_drawn_around_its_divergence(duration, time, span):
    assert (
        figures_spikes.window(duration, SpikeCheck("nest", 1, (1, 1), False, 0.0, 0.0, time, "E", 0)) == span
    )


def test_growth_is_drawn_only_where_there_is_a_difference():
    t = np.arange(10.0, 110.0, 10.0)
    none, some = Growth(t, np.zeros(10)), Growth(t, np.arange(10.0))
    assert figures_spikes.growth("k", "nest", "native", 1, {1: none}, {1: some}) is None
    assert figures_spikes.growth("k", "nest", "native", 1, {}, {}) is None
    assert "native, start changed by 1e-12" not in texts(
        figures_spikes.growth("k", "nest", "native", 1, {1: some}, {1: none}).svg
    )
    svg = figures_spikes.growth("k", "nest", "native", 1, {1: some}, {1: some}).svg
    assert {"native, start changed by 1e-12", "nest", "spikes without a partner so far"} <= set(texts(svg))


@pytest.mark.parametrize(
    ("order", "said"), [(1.02, "order 1"), (math.inf, "exact to rounding"), (math.nan, "order not known")]
)
def test_convergence_says_the_order(order, said):
    found = figures_cells.convergence("k", dataclasses.replace(CELL, order=order), 1)
    assert said in texts(found.svg)
    assert {"dt (ms)", "largest error (mV)", "0.025"} <= set(texts(found.svg))
    assert (
        figures_cells.convergence("k", dataclasses.replace(CELL, errors={"0.1": 0.0, "0.05": math.nan}), 1)
        is None
    )


def test_an_exact_trace_says_that_there_is_no_difference():
    t = np.arange(0, 10, 0.1)
    same = figures_cells.overlay(
        "k", Traces("E", 0, "v", "mV", t, np.sin(t), np.sin(t)), ("native", "nest"), 1
    )
    assert "no difference, to the last bit" in texts(same.svg)
    other = figures_cells.overlay(
        "k", Traces("E", 0, "v", "mV", t, np.sin(t), np.sin(t) + 1e-9), ("native", "nest"), 1, mark=5.0
    )
    assert "|difference| (mV)" in texts(other.svg)
    assert "largest 1e−9 mV" in other.label


def test_histograms_share_bins_and_count_everything():
    rng = np.random.default_rng(3)
    v = rng.normal(5, 1, 4000)
    edges = figures_statistics._edges(v, False)
    assert edges[0] == v.min()
    assert np.mean(v <= edges[-1]) >= figures_statistics.SHOWN
    counts = rng.poisson(4, 2000) * 2.5  # rates of runs of 400 ms
    edges = figures_statistics._edges(counts, False)
    held = [np.unique(counts[(counts >= a) & (counts < b)]).size for a, b in itertools.pairwise(edges)]
    assert np.histogram(counts, edges)[0].sum() == counts.size
    assert set(held[:-1]) == {
        1
    }  # as many possible values in each bin, so there are no gaps that the model does not have
    skewed = rng.lognormal(3, 1.3, 4000)
    assert figures_statistics._skewed(skewed)
    assert np.allclose(
        np.diff(np.log(figures_statistics._edges(skewed, True))),
        np.log(skewed.max() / skewed.min()) / figures_statistics.BINS,
    )


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0], [math.nan, math.inf], [1e-9, 1e9], [-1.0, 2.0]])
def test_odd_distributions_are_drawn(values):
    found = figures_statistics.distribution(
        "k", "rate", "Hz", "E", {0: np.array(values), 1: np.array(values)}, ("native", "nest")
    )
    assert "rate (Hz)" in texts(found.svg)
    assert ("no values" in texts(found.svg)) == (not np.isfinite(values).any())


def test_spectra_are_thinned_on_a_log_axis_and_keep_their_mean():
    f = np.linspace(0, 1000, 20_001)
    s = Spectrum(f, 1 + np.exp(-(((f - 60) / 5) ** 2)))
    x, y = figures_statistics._by_octave(s)
    assert x.size <= figures_statistics.POINTS
    assert abs(x[np.argmax(y)] - 60) < 4  # a point there stands for 3 Hz
    assert "largest at" in figures_statistics.spectrum("k", "E", {0: s}, ("native",)).label
    assert "no values" in texts(
        figures_statistics.spectrum("k", "E", {0: Spectrum(np.zeros(0), np.zeros(0))}, ("native",)).svg
    )


def test_paired_differences_show_margins_verdicts_and_what_is_beyond():
    far = paired_check(
        "nest", "E", "rate", "Hz", 8.0, 0.4, np.full(5, 9.0) + np.arange(5) * 1e-3, (1, 2, 3, 4, 5)
    )
    near = paired_check("nest", "I", "rate", "Hz", 8.0, 0.4, np.arange(5) * 1e-3, (1, 2, 3, 4, 5))
    one = paired_check("nest", "X", "rate", "Hz", 8.0, 0.4, np.array([0.1]), (1,))
    reach = figures_statistics.reach([far, near, one])
    assert reach == 8.0  # 45 margins away is beyond any axis that shows the band
    said = texts(figures_statistics.paired("k", [far, near, one], 1, "native", reach).svg)
    assert {"✗  ±0.2 Hz", "✓  ±0.2 Hz", "no margin: too few seeds"} <= set(said)


def test_a_bar_for_each_known_cost():
    found = figures_cost.bars(
        "k", "run time", "s", {"native": 1.5, "nest": math.nan}, {"native": 0, "nest": 1}
    )
    assert {"native", "1.5"} <= set(texts(found.svg))
    assert "nest" not in texts(found.svg)
    assert figures_cost.bars("k", "run time", "s", {"native": math.nan}, {"native": 0}) is None


def test_every_figure_has_a_caption_and_a_label():
    v, e = made(seeds=2, cells=200)
    pictures = (
        [p for _, p in gallery.cells(v, e)]
        + gallery.spikes(v, e)
        + list(gallery.paired(v).values())
        + gallery.distributions(v, e)
        + gallery.spectra(v, e)
        + gallery.costs(v)
    )
    assert len({p.id for p in pictures}) == len(pictures) >= 12
    for p in pictures:
        assert len(p.caption) > 30
        assert p.panels
        assert all(len(x.label) > 20 for x in p.panels)
    assert not gallery.spikes(v, Evidence())


@pytest.mark.slow
def test_the_report_of_a_real_validation(tmp_path):
    """Two backends, two seeds: the reference and native give identical spikes (the house's first promise),
    and the page says so.
    """
    from portable.validation.answer import validate

    cells = pt.Population("E", 30, pt.IF_curr_exp(tau_m=10.0), initial={"v": pt.Uniform(-65, -52)})
    noise = pt.Population("noise", 30, pt.SpikeSourcePoisson(rate=3000.0))
    projections = [
        pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse(0.25, 1.0)),
        pt.Projection(cells, cells, pt.FixedInDegree(5), pt.StaticSynapse(0.1, 1.5)),
    ]
    net = pt.Network("small", [cells, noise], projections, recordings=[pt.Record(cells, "spikes")])
    answer = validate(net, ["native", "reference"], 2, 150.0, 0.1, power="none", cache=tmp_path / "cache")
    page, document, *_ = write_report(answer.validation, answer.evidence, tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "reference gives the same spikes as native." in text
    assert text.count("<figure") >= 7  # a cell, rasters, four or more distributions, spectra, costs
    assert repr(from_json(json.loads(document.read_text(encoding="utf-8")))) == repr(answer.validation)
    assert to_json(from_json(to_json(answer.validation))) == to_json(answer.validation)
