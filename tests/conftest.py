"""The `backend` fixture: every test that takes it runs on every registered backend.

A backend whose simulator is not installed is skipped. A known failure is listed in that backend's
deviations.toml and is a strict expected failure here: when it starts to pass, the entry has to go.

The whole suite, or a folder of it, runs in two processes (`-n auto` of pytest-xdist, in pyproject.toml);
files and chosen tests run in one, where their output and a debugger are at hand. `-n 0` and `-n 4` overrule
that. What takes minutes is marked "long" and is not part of such a run: `python -m pytest -m long` runs it,
and so does naming its file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from portable.backends import registry
from portable.conformance.reference import ReferenceRuns

KINDS = ("notimpl", "notyet", "never")
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


def deviations(name: str) -> dict[str, tuple[str, str]]:
    """{case: (kind, reason)} of one backend; `case` is a test's name, with its parameters in brackets where
    it has some.
    """
    path = registry.get(name).folder / "deviations.toml"
    if not path.exists():
        return {}
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("deviation", [])
    for row in rows:
        assert row["kind"] in KINDS, f"{path}: kind must be one of {KINDS}, got {row['kind']!r}"
        assert row["reason"], f"{path}: {row['case']} has no reason"
    return {row["case"]: (row["kind"], row["reason"]) for row in rows}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        names = [
            n for n in registry.names() if not registry.get(n).capabilities.origin
        ]  # those for any network
        metafunc.parametrize("backend", names, scope="session")


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> ReferenceRuns:
    """`reference(network, duration, seed=, integrator=, ...)`: the run of the reference, computed once for
    all backends and, with pytest-xdist, for all its processes.
    """
    base = tmp_path_factory.getbasetemp()
    return ReferenceRuns((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "reference")


@pytest.fixture
def method(backend: str) -> str:
    """The integrator with which a backend is compared to the reference: "auto", or "euler" where it has no
    other.
    """
    return "auto" if registry.get(backend).capabilities.word("integrators.exact") == "exact" else "euler"


@pytest.fixture
def printed(backend: str) -> float:
    """Relative error of recorded states: 0, or 2^-23 where a backend prints them as float32: half a unit by
    rounding, half by printing.
    """
    return 1.2e-7 if registry.get(backend).capabilities.word("record.states") == "approximate" else 0.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if of_folders(config) and "long" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("backend")
        if not name:
            continue
        if registry.get(name).version() is None:
            item.add_marker(
                pytest.mark.skip(reason=f"{name} is not installed: {registry.get(name).capabilities.install}")
            )
        if registry.get(name).capabilities.word("session.pieces") == "lowered":
            item.add_marker(pytest.mark.slow)  # a process for every run, from the start for every piece
        others = "-".join(str(v) for v in item.callspec.id.split("-") if v != name)
        case = f"{item.originalname}[{others}]" if others else item.originalname
        listed = deviations(name)
        found = listed.get(case) or listed.get(item.originalname)
        if found:
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{found[0]}: {found[1]}"))
    items.sort(
        key=lambda item: item.get_closest_marker("slow") is not None
    )  # the fast tier first; the sort is stable
