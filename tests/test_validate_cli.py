"""`portable validate` on the command line: what it prints, writes and returns, bad input, an interrupted run
that goes on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portable.cli import main

TESTS = Path(__file__).parent
MODEL = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from small_networks import balanced

def network(cells: int = 40):
    return balanced(cells)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "balanced.py"
    path.write_text(MODEL)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("runs"))


def command(model: Path, runs: str, *more: str) -> list[str]:
    return [
        "validate",
        str(model),
        "--backends",
        "native,reference",
        "--seeds",
        "2",
        "--duration",
        "100 ms",
        "--cache",
        runs,
        *more,
    ]


def test_prints_and_writes(
    model: Path, runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(model, runs, "--power", "quick", "--report", str(tmp_path / "report.html"))) == 0
    out, err = capsys.readouterr()
    assert "verdict: identical spikes" in out
    assert "3 same spikes" in out
    assert "refractory periods one step longer" in out
    assert "networks" in err
    assert "written" in err
    assert {p.name for p in tmp_path.iterdir()} == {
        "report.html",
        "report.json",
        "report.xml",
        "report.md",
        "report.svg",
    }
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["portable_report"] == 1
    assert data["validation"]["answers"] == {"reference": "identical spikes"}


def test_json_alone_on_standard_output(model: Path, runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(model, runs, "--power", "none", "--json", "--cells", "30")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation"]["network"] == "balanced"
    assert json.loads(out)["validation"]["populations"]["exc"] == 24
    assert err == ""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seeds", "many"], "--seeds: cannot read 'many'"),
        (["--margin", "much"], "--margin: cannot read 'much'"),
        (["--margin", "200 %"], "margin: must be a share of the mean between 0 and 1, got 2.0"),
        (["--report", "report.pdf"], "must be a name that ends in .html"),
        (["--report", "no/such/report.html"], "there is no folder 'no/such'"),
        (["--executor", "slurm"], "must be local or dask://HOST:PORT"),
        (["--memory-limit", "4 apples"], "cannot read '4 apples'"),
        (["--time-limit", "0"], "must be > 0 s"),
        (["--option", "native.delivery"], "write BACKEND.NAME=VALUE"),
        (["--option", "nest.nestml=always"], "is no backend of this validation"),
        (["--backends", "native"], "needs two or more different backends"),
        (["--backends", "native,nst"], "did you mean 'nest'"),
        (["--quick"], "goes with --suite"),
        (["--power", "max"], "must be one of full, quick, none"),
    ],
)
def test_bad_input_is_one_line_and_2(
    model: Path, runs: str, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(model, runs, *more)) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert err.count("error:") == 1
    assert out == ""


def test_a_report_that_cannot_be_made_is_refused_before_the_work(
    model: Path, runs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(command(model, runs, "--report", "report.html")) == 2
    out, err = capsys.readouterr()
    assert "needs jinja2, which is not installed; pip install 'portable-snn[report]'" in err
    assert "networks" not in err
    assert out == ""


def test_no_model_and_unknown_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--seeds", "3"]) == 2
    assert "is no model" in capsys.readouterr().err
    assert main(["validate", "--suite", "--case", "lif-f-y"]) == 2
    assert "did you mean 'lif-f-i'" in capsys.readouterr().err


def test_one_case_of_the_suite(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "validate",
                "--suite",
                "--case",
                "lif-psp",
                "--backends",
                "native,reference",
                "--cache",
                runs,
                "--report",
                str(tmp_path / "suite.html"),
            ]
        )
        == 0
    )
    out, _ = capsys.readouterr()
    row = next(line for line in out.splitlines() if line.startswith("lif-psp"))
    assert row.count("10/10 numbers") == 2
    rows = json.loads((tmp_path / "suite.json").read_text())["rows"]
    assert [r["backend"] for r in rows] == ["native", "reference"]
    assert all(p["ok"] for r in rows for p in r["published"])
    assert "lif-psp" in (tmp_path / "suite.html").read_text()


def test_ctrl_c_and_on_from_there(model: Path, tmp_path: Path) -> None:
    """Interrupted while one run goes on for long: 130, no process left, and the finished runs are not run
    again.
    """
    given = [
        "--backends",
        "native,reference",
        "--seeds",
        "1",
        "--duration",
        "3 s",
        "--power",
        "none",
        "--cache",
        str(tmp_path),
        "--cells",
        "35",
    ]
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from portable.cli import main; sys.exit(main(sys.argv[1:]))",
            "validate",
            str(model),
            *given,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    deadline = time.monotonic() + 90
    while not list(tmp_path.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    finished = len(list(tmp_path.glob("*.json")))
    assert finished >= 1
    run.send_signal(signal.SIGINT)
    said = run.stderr.read()
    assert run.wait(timeout=60) == 130
    assert "the same command goes on from there" in said
    ours = list(Path("/proc").glob("[0-9]*/environ")) if sys.platform == "linux" else []
    assert not ours or not any(_child_of(int(p.parent.name), run.pid) for p in ours)
    assert main(["validate", str(model), *given[:-2], "--cells", "35", "--duration", "100 ms"]) == 0


def _child_of(pid: int, parent: int) -> bool:
    try:
        return (
            int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
            and pid != os.getpid()
        )
    except (OSError, ValueError):
        return False
