"""The process that does jobs: `portable.validation.jobs.worker PARENT` (see process.py), one backend each,
told what to do through its standard input.

Results go into files; messages (`portable.messages`) carry the rest, to and from `children` at the other end
of the pipes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from portable.memory import limit
from portable.messages import receive, send


def _end_with(parent: int) -> None:
    """Leave when the parent is gone, also in the middle of a run."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def serve(parent: int) -> None:
    """Answer until the pipe closes: (job, path, memory limit) -> Outcome, whose results are in a file at
    `path`.

    parent: the process that started this one; told, since it may be gone before this one can ask.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a simulator prints must not get between the answers
    from portable.results.storage import save_results
    from portable.validation.jobs.perform import perform

    while True:
        try:
            job, path, memory = receive(sys.stdin.buffer)
        except EOFError:
            return
        if memory:
            limit(memory)
        outcome = perform(job)
        if outcome.results is not None:
            save_results(outcome.results, Path(path))
        send(answers, replace(outcome, results=None))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
