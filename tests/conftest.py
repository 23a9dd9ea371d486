"""Tests that take `backend` run on every registered one (portable.conformance.plugin).

The whole suite, or a folder of it, runs in two processes (`-n auto` of pytest-xdist, in pyproject.toml);
files and chosen tests run in one, where their output and a debugger are at hand. `-n 0` and `-n 4` overrule
that. What takes minutes is marked "long" and is not part of such a run: `python -m pytest -m long` runs it,
and so does naming its file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import rehearsal

from portable.conformance import plugin

BUILDING = pytest.StashKey[threading.Timer]()
# seconds before NEST's models are built beside a run of everything: what numba compiles to draw networks is
# then there, and is not compiled a third time
HEADSTART = 60.0
# What takes minutes on all backends together (a model compiled for each test, a process for each run): in a
# run of everything only on some backends, on all with -m long or by the file's name. By file, or file and
# model: the backends that are left out then.
SLOW_ONES = ("nest", "brian2", "jneuroml")
LONG = {
    "test_methods": ("reference", *SLOW_ONES),
    "test_stiff": ("reference", *SLOW_ONES),
    "test_sessions": ("jneuroml",),
    "test_own_equations": ("jneuroml",),
    "test_validation": ("brian2", "jneuroml"),
    "test_contract": ("jneuroml",),
    "test_conditions_events": ("jneuroml",),
    "test_draws": ("jneuroml",),
    "test_derived": ("jneuroml",),
    "test_links": ("jneuroml",),
    "test_neuroml_backends hh": ("nest",),
    "test_neuroml_backends network": ("nest", "brian2"),
    "test_neuroml_backends plastic": ("nest", "brian2"),
}
# Files of the suite that in a run of everything take Brian2's numpy target: most of their time on Brian2 is
# the C++ compiler's (4 s for each of some 50 pieces of code). The others have it not optimise (2 s), which
# changes no number: nothing is fused or reassociated in either case. With -m long all is as users have it.
WITHOUT_COMPILER = {
    "test_links", "test_own_equations", "test_meaning", "test_conditions_events", "test_derived",
    "test_draws", "test_plasticity", "test_readback", "test_neuroml_backends", "test_bad_input_runs",
}  # fmt: skip
PROCESSES = 2  # each holds up to 2 GB, and compilers and Java run beside them


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """What `-n auto` means: as many processes as there are cores, 2 at most, for whole folders; 0, no others,
    for files and chosen tests.
    """
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None  # pytest-xdist reads it
    options = config.option
    if (
        not of_folders(config)
        or options.keyword
        or getattr(options, "lf", False)  # absent with -p no:cacheprovider
        or getattr(options, "failedfirst", False)
        or options.capture == "no"
    ):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(PROCESSES, cores) if cores > 1 else 0


def of_folders(config: pytest.Config) -> bool:
    """Whether the run is of everything or of folders, and not of chosen files or tests."""
    return all(Path(config.invocation_params.dir, p).is_dir() for p in config.option.file_or_dir)


def pytest_configure(config: pytest.Config) -> None:
    plugin.join(config.pluginmanager)
    if of_folders(config) and "long" not in config.option.markexpr:
        config.pluginmanager.register(QuickBrian2())
        # NEST's generated models are compiled without optimising: the same numbers, two thirds of the time
        os.environ.setdefault("CXXFLAGS", "-O0")


class QuickBrian2:
    """Runs the Brian2 tests of some files as on a machine without a compiler, and the others with one that
    does not optimise.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        if plugin.backend_of(item) != "brian2":
            return (yield)
        from portable.backends.brian2 import build, execute

        with pytest.MonkeyPatch.context() as patch:
            if item.path.stem in WITHOUT_COMPILER:
                patch.setattr(execute, "usual_target", lambda: "numpy")
            else:
                patch.setattr(build, "COMPILER", ["-O0" if x == "-O3" else x for x in build.COMPILER])
            return (yield)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Beside a run of everything NEST's generated models are built, all at once."""
    config = session.config
    whole = of_folders(config) and not config.option.keyword and not config.option.markexpr
    if whole and "PYTEST_XDIST_WORKER" not in os.environ and not config.pluginmanager.has_plugin("rehearsal"):
        config.stash[BUILDING] = threading.Timer(HEADSTART, rehearsal.start)
        config.stash[BUILDING].daemon = True
        config.stash[BUILDING].start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (building := session.config.stash.get(BUILDING, None)) is not None:
        building.cancel()
        rehearsal.stop()  # the run was cut short


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        spec = getattr(item, "callspec", None)
        model = spec.params.get("model", "") if spec is not None else ""
        not_on = (*LONG.get(item.path.stem, ()), *LONG.get(f"{item.path.stem} {model}", ()))
        without = plugin.backend_of(item) == "brian2" and item.path.stem in WITHOUT_COMPILER
        if plugin.backend_of(item) in not_on or (without and "long" in config.option.markexpr):
            item.add_marker(pytest.mark.long)
    if of_folders(config) and "long" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = [item for share in shares(items, workers) for item in share]


def shares(items: list[pytest.Item], workers: int) -> list[list[pytest.Item]]:
    """What each process begins with (`--dist worksteal` gives each as many tests in a row): neighbours, which
    share fixtures and models; of each share the fast tier first, and in it last what NEST's models are being
    built for.
    """
    fast = [item for item in items if not item.get_closest_marker("slow")]
    slow = [item for item in items if item.get_closest_marker("slow")]
    out = []
    for left in range(workers, 0, -1):
        size, few = (len(fast) + len(slow)) // left, len(fast) // left
        mine = sorted(fast[:few], key=lambda item: plugin.backend_of(item) == "nest")
        out.append(mine + slow[: size - few])
        fast, slow = fast[few:], slow[size - few :]
    return out
