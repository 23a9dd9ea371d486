"""The report in a real browser, headless: no messages on the console, every figure there, light and dark,
wide and narrow, and in print.
"""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib import image
from test_report import nasty
from validations import ANSWERS, made

from portable.validation.report import write_report

CHROMIUM = next(
    (
        p
        for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
        if p
    ),
    None,
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")]

# Looks at the page from inside and sends what it finds to the page around it, which shows it to --dump-dom.
# The page is in a frame of the wanted width, as a browser's own window cannot be made narrower than 500
# pixels.
PROBE = r"""<script>
addEventListener("load", function () {
  document.querySelectorAll("details").forEach(function (d) { d.open = true; });
  var boxes = function (what) { return Array.from(document.querySelectorAll(what)).map(function (x) {
    var r = x.getBoundingClientRect(); return [x.id || x.getAttribute("aria-label") || x.textContent.slice(0, 30), r.width, r.height, r.left, r.right]; }); };
  var sorted = {}, tables = Array.from(document.querySelectorAll("table.sortable")).filter(function (t) { return t.querySelector("th.number button"); });
  tables.sort(function (a, b) { return b.rows.length - a.rows.length; });
  var press = tables[0].querySelector("th.number button"), column = press.parentNode.cellIndex;
  press.focus(); sorted.focused = document.activeElement === press; press.click(); sorted.up = press.parentNode.getAttribute("aria-sort"); press.click();
  sorted.down = press.parentNode.getAttribute("aria-sort");
  sorted.values = Array.from(tables[0].tBodies[0].rows).map(function (r) { return Number(r.cells[column].dataset.sort); });
  var theme = document.getElementById("theme"), before = getComputedStyle(document.body).backgroundColor; theme.click();
  var after = getComputedStyle(document.body).backgroundColor; theme.click();
  parent.postMessage(JSON.stringify({figures: boxes("figure"), panels: boxes(".panel svg"), images: boxes(".panel image"), width: document.documentElement.scrollWidth, inner: innerWidth,
    unlabelled: document.querySelectorAll("svg:not([role=img]), svg[aria-label='']").length, sorted: sorted, colours: [before, after], theme: theme.getAttribute("aria-label"),
    text: Array.from(document.querySelectorAll(".panel svg text")).map(function (x) { return x.getBoundingClientRect().height; }),
    resources: performance.getEntriesByType("resource").map(function (x) { return x.name.slice(0, 60); })}), "*");
});
</script></body>"""  # noqa: E501
AROUND = r"""<!DOCTYPE html><link rel="icon" href="data:,"><style>body {{ margin: 0 }} iframe {{ border: 0; width: {width}px; height: {height}px }}</style><script>
addEventListener("message", function (m) {{ var out = document.createElement("script"); out.type = "application/json"; out.id = "probe";
  out.textContent = m.data.replace(/</g, "\\u003c"); document.body.appendChild(out); }});
</script><body><iframe src="{source}"></iframe></body>"""  # noqa: E501


def chromium(tmp_path, *options):
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr",
        "--v=0",
        "--virtual-time-budget=8000",
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)


def console(stderr):
    """What the page said: lines such as [...:INFO:CONSOLE:12] "text", source: ..."""
    return [line for line in stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module", params=["every answer", "nasty names"])
def page(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    v, e = made(ANSWERS, seeds=4, cells=400) if request.param == "every answer" else nasty()
    return write_report(v, e, folder / "report.html")[0]


def framed(page, tmp_path, width, height):
    """The address of a page that shows the report in a frame of that size."""
    around = tmp_path / f"around-{width}.html"
    around.write_text(AROUND.format(width=width, height=height, source=page.as_uri()), encoding="utf-8")
    return around.as_uri()


def probed(page, tmp_path, width):
    copy = tmp_path / "probed.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    run = chromium(tmp_path, "--window-size=1280,900", "--dump-dom", framed(copy, tmp_path, width, 900))
    found = re.search(r'<script type="application/json" id="probe">(.*?)</script>', run.stdout, flags=re.S)
    assert found, run.stderr[-2000:]
    return json.loads(found[1]), run.stderr


def test_a_console_message_would_be_seen(tmp_path):
    """The check below must be able to fail: a page with an error and a refused request gives messages."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; script-src '
        '\'unsafe-inline\'"><img src="https://example.org/x.png"><script>nothing()</script>'
    )
    said = console(chromium(tmp_path, "--dump-dom", bad.as_uri()).stderr)
    assert any("nothing is not defined" in line for line in said)
    assert any("Content Security Policy" in line for line in said)


@pytest.mark.parametrize("width", [1280, 400])
def test_every_figure_is_there_and_the_console_is_silent(page, tmp_path, width):
    found, stderr = probed(page, tmp_path, width)
    assert console(stderr) == []
    text = page.read_text(encoding="utf-8")
    assert len(found["figures"]) == text.count("<figure") > 8
    assert len(found["panels"]) == text.count('<div class="panel">') > 15
    for name, w, h, left, right in (*found["figures"], *found["panels"]):
        assert w > 150, name  # px; the smallest panel is made for 240
        assert h > 60, name
        assert left >= 0, name
        assert right <= width, name
    assert len(found["images"]) >= 2
    assert all(w > 50 and h > 50 for _, w, h, *_ in found["images"])
    assert found["unlabelled"] == 0
    assert found["width"] <= found["inner"] == width  # nothing makes the page itself scroll sideways
    assert np.median(found["text"]) > 8  # px from line to line: labels can be read
    assert found["resources"] == []


def test_tables_sort_and_the_theme_switches(page, tmp_path):
    found, _ = probed(page, tmp_path, 1280)
    assert found["sorted"]["focused"]
    assert (found["sorted"]["up"], found["sorted"]["down"]) == ("ascending", "descending")
    assert len(set(found["sorted"]["values"])) > 1
    assert found["sorted"]["values"] == sorted(found["sorted"]["values"], reverse=True)
    assert found["colours"][0] == "rgb(255, 255, 255)"
    assert found["colours"][1] == "rgb(20, 23, 27)"
    assert found["theme"] == "Switch to dark colours"


@pytest.mark.parametrize("width", [1280, 400])
def test_light_and_dark_are_drawn(page, tmp_path, width):
    means = {}
    for mode, options in {"light": [], "dark": ["--blink-settings=preferredColorScheme=0"]}.items():
        target = tmp_path / f"{mode}.png"
        chromium(
            tmp_path,
            "--window-size=1280,2400",
            f"--screenshot={target}",
            *options,
            framed(page, tmp_path, width, 2400),
        )
        pixels = image.imread(target)[:, :width, :3]
        assert pixels.std() > 0.05  # not blank
        means[mode] = float(pixels.mean())
    assert means["light"] > 0.8
    assert means["dark"] < 0.3


def test_print_has_all_sections_and_opens_what_is_folded(page, tmp_path):
    target = tmp_path / "report.pdf"
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={target}", page.as_uri())
    pdf = target.read_bytes()
    assert pdf.startswith(b"%PDF")
    sections = page.read_text(encoding="utf-8").count("<section")
    assert (
        len(re.findall(rb"/Type\s*/Page\b", pdf)) >= sections - 3
    )  # a page at least for each but the short ones, which share


def test_nothing_is_asked_for_from_outside(page):
    text = re.sub(r"data:[^\"')]+", "", page.read_text(encoding="utf-8"))
    head = text.partition("</head>")[0]
    assert "http" not in head.replace("http-equiv", "")
    assert re.findall(r"(?:src|srcset|data|poster|action)=[\"']", text) == []
    assert all(target.startswith("#") or not target for target in re.findall(r'href="([^"]*)"', text))
    assert not re.search(r"url\((?!#)|@import|@font-face", text)
