"""The command line: portable run, compare, show, check, backends.

Exit codes: 0 done (compare: identical; check: can run), 1 the answer is no (compare: different; check: cannot
run), 2 could not run (wrong model, missing simulator, wrong usage), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from portable.process import leave_current_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. Imports little until the command is known."""
    if arguments is None:  # a program of its own, and not a call from the user's
        leave_current_folder()
    from portable.cli.app import run_command

    return run_command(list(sys.argv[1:] if arguments is None else arguments))
