"""The same validation on a real local cluster of two workers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_networks import balanced

from portable.errors import ModelError
from portable.validation import validate
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.dask import Cluster
from portable.validation.jobs.job import FAILED, Job
from portable.validation.report.markdown import markdown
from portable.validation.verdicts import IDENTICAL

distributed = pytest.importorskip("distributed")


def test_two_workers_give_the_same_report(tmp_path: Path) -> None:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        away = validate(
            balanced(40),
            ("native", "reference"),
            2,
            "100 ms",
            power="quick",
            executor=Cluster(Cache(tmp_path / "away"), address),
        )
        used = {w for k, w in cluster.scheduler.workers.items()}
        assert len(used) == 2
        # kept on this side: nothing is sent again
        again = validate(
            balanced(40),
            ("native", "reference"),
            2,
            "100 ms",
            power="quick",
            executor=Cluster(Cache(tmp_path / "away"), "127.0.0.1:1"),
        )
        slow = Cluster(Cache(tmp_path / "slow"), address, time_limit=1.0)
        assert slow([Job(balanced(40), "reference", 1, 0.1, 10**6)], lambda _: None)[0].status == "time limit"
    here = validate(
        balanced(40), ("native", "reference"), 2, "100 ms", power="quick", cache=tmp_path / "here"
    )
    assert (
        away.validation.answers
        == again.validation.answers
        == here.validation.answers
        == {"reference": IDENTICAL}
    )
    pages = [page(x) for x in (away, here)]
    assert pages[0] == pages[1]


def page(answer) -> str:
    """The Markdown of a report without what a machine decides: seconds, memory, dates, commands."""
    text = markdown(answer.validation)
    lines = [
        x
        for x in text.splitlines()
        if not re.search(r"level 6| s |MiB|second|date|command|machine|real-time", x)
    ]
    return "\n".join(lines)


def test_no_scheduler_and_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portable.validation.jobs.dask.CONNECT", 2.0)
    with pytest.raises(ModelError, match=r"dask://127\.0\.0\.1:1: there is no Dask scheduler"):
        validate(
            balanced(40),
            ("native", "reference"),
            1,
            "10 ms",
            power="none",
            executor=Cluster(Cache(tmp_path), "127.0.0.1:1"),
        )
    from portable.validation.jobs.dask import on_worker

    outcome, data = on_worker(Job(balanced(40), "native", 1, 0.1, 10), None, 0, "another")
    assert (outcome.status, data) == (FAILED, b"")
    assert "another version" in outcome.message
