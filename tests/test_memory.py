"""The peak of memory, in bytes on every system."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

import portable as pt
from portable import memory

MIB = 2**20


def test_the_peak_holds_what_was_used_and_freed() -> None:
    memory.forget_peak()  # an earlier test of this process may have used more
    before = memory.peak()
    block = np.ones(200 * MIB // 8)
    del block
    used = memory.peak() - before
    assert 150 * MIB < used < 400 * MIB  # some of the 200 MiB may fit into what was free before


@pytest.mark.parametrize(("system", "factor"), [("darwin", 1), ("freebsd14", 1024)])
def test_units_of_other_systems(system: str, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc: getrusage counts bytes on macOS and KiB elsewhere."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(memory.Path, "read_text", missing)
    monkeypatch.setattr(memory.sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda _who: SimpleNamespace(ru_maxrss=5 * MIB))
    assert memory.peak() == 5 * MIB * factor


def missing(*_given: object) -> str:
    raise FileNotFoundError


def test_windows_says_the_peak_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.Path, "read_text", missing)
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=1, peak_wset=7 * MIB))
    monkeypatch.setattr(psutil, "Process", lambda: process)
    assert memory.peak() == 7 * MIB


def test_a_run_needs_no_module_that_only_unix_has() -> None:
    """Windows has neither of these: importing them fails there."""
    code = """
import sys
import psutil  # has a module of its own for each system
sys.modules["resource"] = sys.modules["fcntl"] = None
import portable as pt
a = pt.Population("a", 2, pt.IF_curr_exp(i_offset="1 nA"))
results = pt.run(pt.Network("n", [a], recordings=[pt.Record(a)]), "native", duration=50)
assert len(results.spikes["a"]) and results.provenance["peak_memory_bytes"] > 1e6
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_provenance_has_bytes() -> None:
    a = pt.Population("a", 2, pt.IF_curr_exp())
    said = pt.run(pt.Network("n", [a]), "reference", duration=1).provenance["peak_memory_bytes"]
    assert 20 * MIB < said <= memory.peak()  # Python with numpy, and not 1024 times as much
