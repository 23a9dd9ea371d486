"""A backend of another distribution: found by its entry point, it gets all that our own get, and the shipped
suite runs on it in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "third_party"
MODEL = """
import portable as pt

def network():
    cells = pt.Population("cells", 4, pt.IF_curr_exp(i_offset="1 nA"))
    return pt.Network("four", [cells], recordings=[pt.Record(cells, "spikes")])
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install` would leave it: the package, and its entry point in a .dist-info."""
    folder: Path = tmp_path_factory.mktemp("third_party")
    shutil.copytree(PACKAGE / "mine", folder / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / "portable_mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: portable-mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[portable.backends]\nmine = mine:BACKEND\n")
    (folder / "model.py").write_text(MODEL)
    return folder


SUITE = (
    "-m",
    "pytest",
    "--pyargs",
    "portable.conformance",
    "--portable-backends=mine",
    "-p",
    "no:cacheprovider",
    "-n0",
)
COMMAND = ("-c", "import sys; from portable.cli import main; sys.exit(main())")


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(home)}
    env.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, *arguments], cwd=home, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_shipped_suite_passes(home: Path) -> None:
    done = run(home, *SUITE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout
    assert "xfailed" not in done.stdout


@pytest.mark.slow
def test_a_defect_is_found(home: Path, tmp_path: Path) -> None:
    """With delays one step late, the tests of delays fail; with a false word in its table, those of that."""
    broken = tmp_path / "broken"
    shutil.copytree(home, broken)
    path = broken / "mine" / "__init__.py"
    path.write_text(path.read_text().replace("self.now + int(d)", "self.now + int(d) + 1"))
    table = broken / "mine" / "capabilities.toml"
    table.write_text(table.read_text().replace("[support]", '[support]\n"sources.poisson.frozen" = "exact"'))
    done = run(broken, *SUITE, "-k", "test_delay or test_frozen_network_equals_reference")
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert any("test_delay" in test for test in failed), done.stdout
    assert any("test_frozen_network" in test for test in failed), done.stdout


def test_it_is_a_backend_as_ours_are(home: Path) -> None:
    listed = run(home, *COMMAND, "backends")
    assert "mine" in listed.stdout, listed.stderr
    told = run(home, *COMMAND, "run", "model.py", "--backend", "mine", "-t", "50 ms")
    assert "four on mine 1.0: 50 ms" in told.stdout, told.stderr
    same = run(home, *COMMAND, "compare", "model.py", "--backends", "reference,mine", "-t", "50 ms")
    assert same.returncode == 0, same.stdout + same.stderr
