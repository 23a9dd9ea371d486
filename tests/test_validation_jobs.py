"""Runs in processes of their own: kept, resumed, limited; what dies is a status and not the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_networks import balanced

import portable as pt
from portable.errors import ModelError
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.children import Child
from portable.validation.jobs.job import CRASHED, FAILED, OK, OUT_OF_MEMORY, TIME_LIMIT, UNSUPPORTED, Job, key
from portable.validation.jobs.schedule import Local, Progress, memory_bytes


def job(backend: str = "native", seed: int = 1, steps: int = 500, **more: object) -> Job:
    return Job(balanced(40), backend, seed, 0.1, steps, **more)  # type: ignore[arg-type]


@pytest.fixture
def local(tmp_path: Path):
    made = Local(Cache(tmp_path / "runs"))
    yield made
    made.close()


def silent(_: Progress) -> None:
    """Nobody listens."""


def test_the_same_spikes_as_in_this_process_and_kept(local: Local) -> None:
    told: list[Progress] = []
    jobs = [job(), job(seed=2), job("reference")]
    first = local(jobs, told.append)
    here = pt.run(balanced(40), "native", 50.0, 0.1, seed=1, inputs="frozen")
    for name, table in here.spikes.items():
        assert np.array_equal(first[0].results.spikes[name].steps, table.steps)
        assert np.array_equal(first[2].results.spikes[name].ids, table.ids)
    assert sum(len(t) for t in here.spikes.values()) > 0
    assert [p.done for p in told] == [1, 2, 3]
    assert all(p.total == 3 and p.left >= 0 for p in told)
    assert told[-1].left == 0
    assert all(o.memory > 5e7 and o.seconds > 0 and not o.cached for o in first)
    again = local(jobs, silent)
    assert all(o.cached for o in again)
    assert again[0].results.spikes["exc"].steps.tolist() == first[0].results.spikes["exc"].steps.tolist()
    assert again[0].memory == first[0].memory


def test_the_key_is_of_everything_that_decides() -> None:
    base = job()
    others = [
        job(seed=2),
        job("reference"),
        job(steps=501),
        job(integrator="euler"),
        job(deviation="weight"),
        job(deviation="weight", size=2.0),
        job(read_back=True),
        job(inputs="native"),
        job(options={"delivery": "ring"}),
        job(traces=(("exc", "v", 0),)),
        replace(base, network=balanced(41)),
        replace(base, dt=0.05),
    ]
    keys = {key(j) for j in (base, *others)}
    assert len(keys) == len(others) + 1
    assert key(job()) == key(base)


def test_a_network_that_cannot_run_is_a_row(local: Local) -> None:
    net = pt.Network(
        "blown",
        [cells := pt.Population("cells", 1, pt.HH_cond_exp())],
        inputs=[pt.Injection(pt.DCSource("500 nA"), cells)],
        recordings=[pt.Record(cells, "spikes")],
    )
    out = local(
        [Job(net, "native", 1, 1.0, 500, integrator="euler"), job("native", options={"nothing": 1}), job()],
        silent,
    )
    assert (out[0].status, out[1].status, out[2].status) == (FAILED, UNSUPPORTED, OK)
    assert "cells" in out[0].message
    assert "nothing" in out[1].message


@pytest.mark.parametrize(("number", "status"), [(signal.SIGSEGV, CRASHED), (signal.SIGKILL, OUT_OF_MEMORY)])
def test_a_process_that_dies(tmp_path: Path, number: int, status: str) -> None:
    child = Child("reference")
    try:
        assert child.call(job("reference", steps=10), tmp_path / "a.npz", None, 0).status == OK  # it is up
        threading.Timer(0.5, os.kill, (child.process.pid, number)).start()
        outcome = child.call(job("reference", steps=10**6), tmp_path / "b.npz", 60.0, 0)
        assert outcome.status == status
        assert f"signal {int(number)}" in outcome.message
        assert not child.alive
    finally:
        child.end()


def test_a_run_that_takes_too_long(tmp_path: Path) -> None:
    local = Local(Cache(tmp_path), time_limit=2.0)
    try:
        out = local([job("reference", steps=10**6)], silent)
        assert out[0].status == TIME_LIMIT
        assert "2 s" in out[0].message
    finally:
        local.close()


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mappings on Linux only")
def test_a_run_that_takes_too_much_memory(tmp_path: Path) -> None:
    local = Local(Cache(tmp_path), memory_limit=1_000_000_000)
    try:
        a = pt.Population("a", 60_000, pt.IF_curr_exp())
        net = pt.Network(
            "large",
            [a],
            [
                pt.Projection(
                    a, a, pt.FixedInDegree(2000), pt.StaticSynapse(pt.Uniform("1 pA", "2 pA"), "1 ms")
                )
            ],
            recordings=[pt.Record(a, "spikes")],
        )
        assert local([Job(net, "native", 1, 0.1, 10)], silent)[0].status == OUT_OF_MEMORY
        assert local([job()], silent)[0].status == OK
    finally:
        local.close()


def test_half_written_runs_are_made_again(local: Local) -> None:
    one = job()
    assert local([one], silent)[0].status == OK
    results, about = local.cache.results(key(one)), local.cache.folder / f"{key(one)}.json"
    for damage in (
        lambda: results.write_bytes(results.read_bytes()[:100]),
        lambda: about.write_text("{"),
        about.unlink,
    ):
        damage()
        out = local([one], silent)[0]
        assert out.status == OK
        assert not out.cached
    assert local([one], silent)[0].cached


def test_an_interrupted_parent_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    """Killed without a chance to clean up: its processes end by themselves, and the finished runs are not run
    again.
    """
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_validation_jobs import job
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.schedule import Local
jobs = [job(seed=1, steps=50), job(seed=2, steps=50), job("reference", seed=3, steps=10**6)]
Local(Cache({str(tmp_path)!r}))(jobs, lambda p: print(p.done, p.cached, flush=True))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline().split() == ["1", "False"]
    assert parent.stdout.readline().split() == ["2", "False"]
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert gone
    local = Local(Cache(tmp_path))
    try:
        out = local([job(seed=1, steps=50), job(seed=2, steps=50)], silent)
        assert all(o.cached for o in out)
    finally:
        local.close()


def test_ctrl_c_ends_the_processes(tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_validation_jobs import job
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.schedule import Local
print("up", flush=True)
Local(Cache({str(tmp_path)!r}))([job("reference", steps=10**6)], lambda p: None)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    deadline = time.monotonic() + 60
    while not psutil.Process(parent.pid).children() and time.monotonic() < deadline:
        time.sleep(0.1)
    children = psutil.Process(parent.pid).children(recursive=True)
    parent.send_signal(signal.SIGINT)
    assert parent.wait(timeout=60) != 0
    parent.stdout.close()
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_sizes_and_folders(tmp_path: Path) -> None:
    assert memory_bytes("4 GiB") == 4 * 2**30
    assert memory_bytes("800MB") == 800_000_000
    for wrong in ("", "lots", "-1 GB", "4 apples"):
        with pytest.raises(ModelError, match="memory limit"):
            memory_bytes(wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot hold the finished runs"):
        Cache(tmp_path / "file" / "folder")
