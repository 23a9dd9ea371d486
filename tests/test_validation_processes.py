"""Which process does a job: starts take seconds, so that there are few of them; memory is for those that
work.
"""

from __future__ import annotations

import itertools

import pytest

import portable as pt
from portable.validation.jobs import children, schedule
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.children import LEAST_FREE, Nursery
from portable.validation.jobs.job import OK, Job, Outcome
from portable.validation.jobs.schedule import Local

NET = pt.Network("n", [pt.Population("c", 1, pt.IF_curr_exp())])


class Process:
    """In the place of a child: does nothing, at once."""

    def __init__(self, backend: str) -> None:
        self.backend, self.done, self.alive, self.ended = backend, 0, True, False

    def call(self, *_: object) -> Outcome:
        self.done += 1
        return Outcome(OK, "")

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    found: list[Process] = []

    def start(backend: str) -> Process:
        found.append(Process(backend))
        return found[-1]

    monkeypatch.setattr(children, "Child", start)
    monkeypatch.setattr(children, "available_memory", lambda: 10 * LEAST_FREE)
    return found


def test_three_backends_and_two_slots_start_three_processes(started, tmp_path, monkeypatch):
    """Jobs that take no time, in the order of a validation: seed after seed, backend after backend."""
    local = Local(Cache(tmp_path), workers=2)
    monkeypatch.setattr(type(local.cache), "keep", lambda _self, _name, outcome: outcome)
    monkeypatch.setattr(schedule, "memory_of", lambda _: 1.0)
    jobs = [
        Job(NET, b, seed, 0.1, 1) for seed, b in itertools.product(range(12), ("native", "nest", "brian2"))
    ]
    assert [o.status for o in local(jobs, lambda _: None)] == [OK] * 36
    names = [p.backend for p in started]
    assert set(names) == {"native", "nest", "brian2"}
    assert len(names) <= 6  # while nothing is known of a backend's jobs, both slots may start one
    local.close()
    assert all(p.ended for p in started)


def test_one_is_waited_for_where_jobs_are_short_and_started_where_they_are_long(started, tmp_path):
    local = Local(Cache(tmp_path), workers=4)
    local._nursery.take("native")  # it is busy
    waiting = [Job(NET, "native", seed, 0.1, 1) for seed in range(10)]
    local._done["native"] += [0.1]
    assert local._next(waiting, True) is None
    assert local._next(waiting, False) == 0
    assert local._next([*waiting, Job(NET, "nest", 1, 0.1, 1)], True) == 10
    local._done["native"][:] = [5.0]
    assert local._next(waiting, True) == 0
    assert len(started) == 1


def test_memory_is_for_those_that_work(started, monkeypatch):
    nursery = Nursery(2)
    free = [10 * LEAST_FREE]
    monkeypatch.setattr(children, "available_memory", lambda: free[0])
    for name in ("a", "b", "c"):
        nursery.give(nursery.take(name))
    assert [p.ended for p in started] == [False] * 3
    assert nursery.take("b", LEAST_FREE) is started[1]
    assert not started[0].ended
    free[0] = 2 * LEAST_FREE
    assert nursery.take("d", 1.5 * LEAST_FREE) is started[3]
    assert [p.ended for p in started] == [True, False, True, False]  # idle ones; b works


def test_there_are_never_more_than_a_few(started):
    nursery = Nursery(1)
    for name in "abcdefgh":
        nursery.give(nursery.take(name))
    assert sum(not p.ended for p in started) == children.KEPT
