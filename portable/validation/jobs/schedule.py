"""Many jobs at a time: as many processes as there are processors and memory, finished runs from the cache,
failures as rows.

An executor is a function (jobs, tell) -> outcomes in the order of the jobs; `local` makes one, `dask.cluster`
another.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from portable.backends import registry
from portable.backends.capabilities import Memory
from portable.errors import ModelError
from portable.resolve.estimate import available_memory, estimate
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.children import Nursery
from portable.validation.jobs.job import Job, Outcome, key

START = 3.0  # seconds of work of a backend that are worth a process more, which takes about that to start


@dataclass(frozen=True)
class Progress:
    """Told after each job: how many are done of how many, what was done, and the seconds that are left (nan
    while unknown).
    """

    done: int
    total: int
    what: str
    left: float
    cached: bool = False


Tell = Callable[[Progress], None]
Executor = Callable[[Sequence[Job], Tell], list[Outcome]]


def memory_of(job: Job) -> float:
    """Bytes that a job is expected to need."""
    memory: Memory = registry.get(job.backend).capabilities.memory
    if job.program is not None:  # a few cells
        return memory.of(0)
    size = estimate(job.network, job.dt)
    return memory.of(size.resolve_bytes, size.total_synapses if job.read_back else 0)


Work = Callable[[Sequence[Job], Sequence[str], list[int], dict[int, Outcome], Tell], None]


def remembered(cache: Cache, jobs: Sequence[Job], tell: Tell, work: Work) -> list[Outcome]:
    """Outcomes in the order of the jobs: from the cache, and for the rest from `work`, which gets their
    places and fills in what came of them.
    """
    keys = [key(j) for j in jobs]
    outcomes: dict[int, Outcome] = {}
    for i, k in enumerate(keys):
        if (found := cache.read(k)) is not None:
            outcomes[i] = found
            tell(Progress(len(outcomes), len(jobs), jobs[i].what, float("nan"), True))
    waiting = [i for i in range(len(jobs)) if i not in outcomes]
    if waiting:
        work(jobs, keys, waiting, outcomes, tell)
    return [outcomes[i] for i in range(len(jobs))]


@dataclass
class Local:
    """Processes on this machine. workers: at a time (default: processors); time_limit: seconds of a job;
    memory_limit: bytes of a process.
    """

    cache: Cache
    workers: int = 0
    time_limit: float | None = None
    memory_limit: int = 0
    _done: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _nursery: Nursery = field(init=False)

    def __post_init__(self) -> None:
        self.slots = self.workers or _processors()
        self._nursery = Nursery(self.slots)

    def __call__(self, jobs: Sequence[Job], tell: Tell) -> list[Outcome]:
        """Do all jobs. KeyboardInterrupt ends the processes at once; what was finished is in the cache."""
        return remembered(self.cache, jobs, tell, self._work)

    def _work(
        self,
        jobs: Sequence[Job],
        keys: Sequence[str],
        waiting: list[int],
        outcomes: dict[int, Outcome],
        tell: Tell,
    ) -> None:
        slots = max(1, min(self.slots, len(waiting)))
        needs = {i: memory_of(jobs[i]) for i in waiting}
        have = float(available_memory())
        running: dict[Future[Outcome], int] = {}
        pool = ThreadPoolExecutor(slots, thread_name_prefix="portable-validation")
        try:
            while waiting or running:
                used = sum(needs[i] for i in running.values())
                while waiting and len(running) < slots:
                    place = self._next([jobs[i] for i in waiting], bool(running))
                    if place is None or (running and used + needs[waiting[place]] > have):
                        break
                    i = waiting.pop(place)
                    used += needs[i]
                    running[pool.submit(self._one, jobs[i], keys[i], needs[i])] = i
                for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    i = running.pop(future)
                    outcomes[i] = future.result()
                    tell(
                        Progress(
                            len(outcomes),
                            len(jobs),
                            jobs[i].what,
                            self._left([jobs[j] for j in (*waiting, *running.values())], slots),
                        )
                    )
        except BaseException:  # Ctrl-C: the processes are in the middle of something
            self.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End the processes. The next call starts new ones."""
        self._nursery.close()
        self._nursery = Nursery(self.slots)

    def _next(self, waiting: Sequence[Job], busy: bool) -> int | None:
        """The place of the job to do next: one whose backend has an idle process, else the first of a backend
        that has none, else the first of one whose jobs take so long that one more process pays. None: wait
        for one of those that are busy.
        """
        nursery = self._nursery
        few = dict.fromkeys(job.backend for job in waiting)
        idle = {b for b in few if nursery.idle(b)}
        new = {b for b in few if not nursery.living(b)}
        left = {b: sum(job.backend == b for job in waiting) for b in few}
        long = {b for b in few if left[b] * min(self._done.get(b, [START + 1])) > START}
        for chosen in (idle, new, long):
            place = next((i for i, job in enumerate(waiting) if job.backend in chosen), None)
            if place is not None:
                return place
        return None if busy else 0

    def _one(self, job: Job, name: str, need: float) -> Outcome:
        began = time.perf_counter()
        nursery = self._nursery
        child = nursery.take(job.backend, need)
        try:
            outcome = child.call(job, self.cache.results(name), self.time_limit, self.memory_limit)
        finally:
            nursery.give(child)
        with _lock:
            self._done[job.backend].append(time.perf_counter() - began)
        return self.cache.keep(name, outcome)

    def _left(self, jobs: Sequence[Job], slots: int) -> float:
        """Seconds for the jobs that are left, from the mean of those of the same backend (of all, where there
        was none).
        """
        every = [s for many in self._done.values() for s in many]
        mean = {b: sum(s) / len(s) for b, s in self._done.items()}
        return (
            sum(mean.get(j.backend, sum(every) / len(every)) for j in jobs) / slots if every else float("nan")
        )


_lock = threading.Lock()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes(text: str) -> int:
    """ "4 GB" or "800 MiB" as bytes; ModelError if it is no size."""
    units = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
    number = text.strip().rstrip("BKMGikmgb").strip()
    unit = text.strip()[len(number) :].strip().lower()
    try:
        size = int(float(number) * units[unit])
    except (ValueError, KeyError):
        size = 0
    if size <= 0:
        raise ModelError("memory limit", f"cannot read {text!r}", "for example '4 GiB'")
    return size
