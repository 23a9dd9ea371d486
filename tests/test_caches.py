"""The caches of compiled code, used by several processes at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from portable.backends import compiled
from portable.backends.nest import BACKEND as NEST

SLOW_BUILD = """
import sys, time
from pathlib import Path
from portable.backends.nest import compiled
from portable.backends.nest.plan import Nestml

place, mine, other = Path(sys.argv[1]), *sys.argv[2:]

def build(models, folder, module):
    with (place / "builds").open("a") as log:
        log.write(f"{mine}\\n")
    end = time.monotonic() + 60
    while not (place / other).exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.5)  # the other process is on its way to the same model: it looks for the module and does not find it
    made = folder / "made"
    made.write_text("a module")
    return made

compiled.missing, compiled._build = (lambda: ""), build
(place / mine).touch()
[path] = compiled.shared_objects([Nestml(name="n", text="t", digest="d")])
print(path.read_text())
"""  # noqa: E501


@pytest.mark.skipif(NEST.version() is None, reason="NEST is not installed")
def test_two_processes_build_a_nest_model_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both need it at the same time; one builds, the other waits and takes what was built."""
    monkeypatch.setenv("PORTABLE_CACHE", str(tmp_path / "cache"))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SLOW_BUILD, tmp_path, *names], stdout=subprocess.PIPE, text=True
        )
        for names in (("a", "b"), ("b", "a"))
    ]
    assert [p.communicate(timeout=120)[0] for p in both] == ["a module\n"] * 2
    assert len((tmp_path / "builds").read_text().split()) == 1


def test_a_generated_file_written_again_keeps_numbas_machine_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two processes may write the same file, one after the other; numba keeps its code by the time of
    writing.
    """
    monkeypatch.setenv("PORTABLE_CACHE", str(tmp_path))
    times = []
    for _ in range(2):
        path = compiled._write("portable_x", "x = 1\n")
        times.append(path.stat().st_mtime_ns)
        path.unlink()
        time.sleep(0.05)  # more than a tick of the file system's clock
    assert times[0] == times[1]
