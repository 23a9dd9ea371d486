"""Runs on the workers of a Dask cluster: the same processes as on this machine, results sent back into this
machine's cache.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portable import files
from portable.errors import BackendUnavailable, ModelError
from portable.validation.jobs.cache import Cache
from portable.validation.jobs.children import Nursery
from portable.validation.jobs.job import CRASHED, FAILED, OK, Job, Outcome, code_digest, packed
from portable.validation.jobs.schedule import Progress, Tell, remembered

CONNECT = 15.0  # seconds to wait for the scheduler


@functools.cache
def _nursery() -> Nursery:
    """The processes of this worker."""
    return Nursery(1)


def on_worker(job: Job, time_limit: float | None, memory: int, code: str) -> tuple[Outcome, bytes]:
    """Do a job on a worker: the outcome, and the bytes of its results' file."""
    if code_digest() != code:
        return Outcome(FAILED, "the worker has another version of portable; install the same one there"), b""
    child = _nursery().take(job.backend)
    with tempfile.TemporaryDirectory(prefix="portable-") as folder:
        path = Path(folder) / "results.npz"
        try:
            outcome = child.call(job, path, time_limit, memory)
        finally:
            _nursery().give(child)
        return outcome, path.read_bytes() if outcome.status == OK else b""


@dataclass
class Cluster:
    """An executor (see schedule) on the workers of the Dask scheduler at `address` ("host:port")."""

    cache: Cache
    address: str
    time_limit: float | None = None
    memory_limit: int = 0

    def __call__(self, jobs: Sequence[Job], tell: Tell) -> list[Outcome]:
        """Do all jobs. Ctrl-C takes back what has not begun; what was finished is in the cache."""
        return remembered(self.cache, jobs, tell, self._work)

    def _work(
        self,
        jobs: Sequence[Job],
        keys: Sequence[str],
        waiting: list[int],
        outcomes: dict[int, Outcome],
        tell: Tell,
    ) -> None:
        distributed = _distributed()
        began, first = time.perf_counter(), len(outcomes)
        with self._client(distributed) as client:
            # not pure: a job that failed before is tried again, as it is on this machine
            futures = {
                client.submit(
                    on_worker,
                    packed(jobs[i]),
                    self.time_limit,
                    self.memory_limit,
                    code_digest(),
                    pure=False,
                    retries=0,
                ): i
                for i in waiting
            }
            try:
                for future in distributed.as_completed(futures, loop=client.loop):
                    i = futures[future]
                    outcomes[i] = self._finished(future, keys[i])
                    done = len(outcomes) - first
                    left = (time.perf_counter() - began) / done * (len(waiting) - done)
                    tell(Progress(len(outcomes), len(jobs), jobs[i].what, left))
            except BaseException:
                client.cancel(list(futures))
                raise

    def _client(self, distributed: Any) -> Any:
        try:
            return distributed.Client(self.address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ModelError(
                f"dask://{self.address}",
                f"there is no Dask scheduler: {error or type(error).__name__}",
                "start one with `dask scheduler` and workers with `dask worker`",
            ) from error

    def _finished(self, future: Any, name: str) -> Outcome:
        try:
            outcome, data = future.result()
        except Exception as error:  # the worker died, or what it did was taken back
            return Outcome(CRASHED, f"the worker was lost: {type(error).__name__}: {error}")
        if outcome.status == OK:
            files.write(self.cache.results(name), data)
        return self.cache.keep(name, outcome)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise BackendUnavailable(
            "a Dask cluster needs the package distributed; pip install 'portable-snn[dask]'"
        ) from error
    return distributed
