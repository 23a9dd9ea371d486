"""The processes that do jobs: started when needed, kept for the next job of the same backend, ended when they
overrun or crash.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path

from portable import process
from portable.messages import receive, send
from portable.resolve.estimate import available_memory
from portable.validation.jobs.job import CRASHED, OUT_OF_MEMORY, TIME_LIMIT, Job, Outcome, packed

KEPT = 3  # processes for each that may work at a time: those of other backends are waiting for their turn
LEAST_FREE = 2 << 30  # bytes of memory that are left beside a job, or none waits
RECYCLED = 25  # jobs of one process, so that what a simulator leaks does not add up
SIGKILL = -9


class Child:
    """One process. `call` may be used by one thread at a time."""

    def __init__(self, backend: str) -> None:
        self.backend, self.done, self.expired = backend, 0, False
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  closed in `end`
        self.process = subprocess.Popen(
            process.command("portable.validation.jobs.worker", str(os.getpid())),
            env=process.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
        )

    def call(self, job: Job, path: Path, time_limit: float | None, memory: int) -> Outcome:
        """Do a job; its results are then at `path`. A process that dies or overruns becomes the outcome's
        status.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(time_limit, self._expire) if time_limit else None
        if watch is not None:
            watch.start()
        try:
            send(self.process.stdin, (packed(job), str(path), memory))
            outcome: Outcome = receive(self.process.stdout)
        except (EOFError, BrokenPipeError, ConnectionError):
            return self._ended(time_limit)
        finally:
            if watch is not None:
                watch.cancel()
        self.done += 1
        return outcome

    def _expire(self) -> None:
        self.expired = True
        self.process.kill()

    def _ended(self, time_limit: float | None) -> Outcome:
        code = self.process.wait()
        said = self._said()
        if self.expired:
            return Outcome(TIME_LIMIT, f"did not end within {time_limit:g} s and was stopped")
        if "MemoryError" in said or "bad_alloc" in said or "Cannot allocate memory" in said:
            return Outcome(OUT_OF_MEMORY, f"the process ran out of memory{said}")
        if code == SIGKILL:
            return Outcome(
                OUT_OF_MEMORY, "the process was killed (signal 9), as the system does when memory runs out"
            )
        return Outcome(
            CRASHED, f"the process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}{said}"
        )

    def _said(self) -> str:
        """The last lines that it printed."""
        with contextlib.suppress(OSError, ValueError):
            self.log.seek(0, 2)
            self.log.seek(max(0, self.log.tell() - 2000))
            lines = [x for x in self.log.read().decode(errors="replace").splitlines() if x.strip()]
            return f": {' / '.join(lines[-3:])[-400:]}" if lines else ""
        return ""

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """Stop the process at once."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]


class Nursery:
    """Idle processes by backend, and all that live. Safe to use from several threads.

    slots: how many may work at a time.
    """

    def __init__(self, slots: int) -> None:
        self._lock = threading.Lock()
        self._most = KEPT * slots
        self._idle: dict[str, list[Child]] = {}
        self._all: set[Child] = set()
        self._closed = False

    def idle(self, backend: str) -> bool:
        """Whether a process of that backend has nothing to do."""
        with self._lock:
            return bool(self._idle.get(backend))

    def living(self, backend: str) -> bool:
        """Whether there is a process of that backend."""
        with self._lock:
            return any(c.backend == backend for c in self._all)

    def take(self, backend: str, need: float = 0.0) -> Child:
        """An idle process of that backend, or a new one, for a job that needs so many bytes. A start takes
        seconds, so those of other backends are kept for their next jobs as long as they are few and memory is
        left.
        """
        with self._lock:
            if self._closed:
                raise InterruptedError
            chosen = self._idle[backend].pop() if self._idle.get(backend) else None
            while self._idle_ones() and (
                (chosen is None and len(self._all) >= self._most) or available_memory() < need + LEAST_FREE
            ):
                spare = self._idle_ones()[0]
                self._idle[spare.backend].remove(spare)
                self._all.discard(spare)
                spare.end()
            if chosen is None:
                chosen = Child(backend)
                self._all.add(chosen)
            return chosen

    def _idle_ones(self) -> list[Child]:
        return [c for many in self._idle.values() for c in many]

    def give(self, child: Child) -> None:
        """Back from a job; a process that is dead or worn out is not kept."""
        with self._lock:
            if child.alive and child.done < RECYCLED and not self._closed:
                self._idle.setdefault(child.backend, []).append(child)
                return
            self._all.discard(child)
        child.end()

    def close(self) -> None:
        """End every process, also those that work."""
        with self._lock:
            self._closed = True
            living, self._all = list(self._all), set()
        for child in living:
            child.end()
