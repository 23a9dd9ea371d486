"""Running programs of others in a folder, one after another, with one log and one deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portable import process
from portable.backends.jneuroml.complaints import complaint
from portable.errors import BackendFailed

POLL_SECONDS = 0.5


@dataclass
class Tools:
    """Runs programs one after another in a folder, with one log and one deadline (time.monotonic()) for
    all.
    """

    folder: Path
    deadline: float | None

    def __post_init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.logs: list[Path] = []

    def call(
        self,
        phase: str,
        arguments: Sequence[str],
        env: Mapping[str, str] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> str:
        """Run a program to its end and return what it printed. BackendFailed on a status other than 0, or
        past the deadline.
        """
        began = time.monotonic()
        log = self.folder / f"portable-{phase}.log"
        self.logs.append(log)
        with log.open("wb") as out:
            child = subprocess.Popen(
                arguments,
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            try:
                status = self._wait(child, watch)
            except BaseException:
                _end(child)
                raise
        self.seconds[phase] = time.monotonic() - began
        printed = log.read_text(encoding="utf-8", errors="replace")
        if status != 0:
            raise BackendFailed(f"jNeuroML failed at '{phase}': {complaint(printed)}")
        return printed

    def _wait(self, child: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> int:
        while True:
            left = None if self.deadline is None else self.deadline - time.monotonic()
            if left is not None and left <= 0:
                raise BackendFailed(
                    "jNeuroML did not end within its time limit; allow more, or simulate less"
                )
            pause = left if watch is None else POLL_SECONDS if left is None else min(left, POLL_SECONDS)
            try:
                return child.wait(pause)
            except subprocess.TimeoutExpired:
                if watch is not None:
                    watch()

    def text(self) -> str:
        """What all programs printed."""
        return "\n".join(log.read_text(encoding="utf-8", errors="replace") for log in self.logs)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The whole process group: nrnivmodl starts make, which starts compilers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:  # Windows
            child.kill()
    child.wait()


def environment() -> dict[str, str]:
    """This process's environment, with the programs of the running Python first on PATH (nrnivmodl is one of
    them).
    """
    path = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")])
    return process.environment({**os.environ, "PATH": path})
