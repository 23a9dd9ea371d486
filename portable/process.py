"""Starting Python processes of our own, so that no file of the folder where the user stands is run as code.

`python -m MODULE` looks for modules in the current folder first: a `psutil.py` beside a downloaded document
would be executed by a command that promises to execute nothing. Here the current folder is on no path:

* `-P` (Python 3.11) leaves it out, and PYTHONSAFEPATH says the same to the processes that a child starts;
* entries of PYTHONPATH that are relative or empty (`PYTHONPATH=$PYTHONPATH:/mine` has an empty one where it
  was unset) mean the current folder or one below it, and are taken out;
* `portable` itself is loaded from where this process has it, however it was installed, and nothing else is.

The last is done by this file when it is run as a program: `python -P process.py MODULE ARGUMENTS`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Files that a library reads as a program, or as where to find one, in the folder where it is used.
READ_AS_PROGRAMS = {
    "brian_preferences": "Brian2 evaluates it as Python",
    ".numba_config.yaml": "numba takes from it where it loads compiled code from",
}


def python() -> list[str]:
    """What starts this Python, with the current folder on no path. Use it with `environment()`."""
    flags = sys.flags
    inherited = [f for f, on in (("-E", flags.ignore_environment), ("-s", flags.no_user_site)) if on]
    return [sys.executable, "-P", *inherited]


def command(module: str, *arguments: str) -> list[str]:
    """What starts one of our own modules as a program. Use it with `environment()`."""
    return [*python(), str(Path(__file__).resolve()), module, *arguments]


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """`given` (this process's environment if None) for a process of ours or one that starts Python."""
    env = {**(os.environ if given is None else given), "PYTHONSAFEPATH": "1"}
    absolute = [p for p in env.pop("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(p)]
    return {**env, "PYTHONPATH": os.pathsep.join(absolute)} if absolute else env


def leave_current_folder() -> None:
    """Take the current folder off this process's path, where it came there without being named: for a program
    of ours that was started by other means than `command`.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    meant = {os.path.abspath(p) for p in named if not os.path.isabs(p)}
    kept = {os.path.abspath(p) for p in named if os.path.isabs(p)}
    sys.path[:] = [p for p in sys.path if p and (p in kept or os.path.abspath(p) not in meant)]


def read_as_programs(folder: Path) -> dict[str, str]:
    """{file in this folder: why what it says is executed}: what a library would find there."""
    return {name: why for name, why in READ_AS_PROGRAMS.items() if (folder / name).exists()}


def _main() -> None:
    """Load the package that this file lies in, and run one of its modules as a program."""
    import importlib.util
    import runpy

    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "portable", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["portable"] = package
    spec.loader.exec_module(package)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
