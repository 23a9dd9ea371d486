"""The pytest plugin of the suite: on which backends its tests run, and what is expected of each.

    python -m pytest --pyargs portable.conformance --portable-backends mine

Every test that takes `backend` runs on every registered backend (on those of --portable-backends). One whose
simulator is not installed is skipped. `needs("links")` names the features of FEATURES that a test's network
or session has: where the backend's table lacks some, the test passes if the backend refuses it with exactly
those, before anything is built. A known failure is listed in deviations.toml in the backend's folder and is a
strict expected failure: when it starts to pass, the entry has to go.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Generator
from typing import Any

import pytest

from portable.backends import registry
from portable.backends.features import FEATURES
from portable.conformance.reference import ReferenceRuns
from portable.errors import UnsupportedError

NAME = "portable-conformance"
KINDS = ("notimpl", "notyet", "never")
MARKS = (
    "needs(feature, ..., read=False): refused with exactly these where the backend lacks them (read: for a "
    "network that was read from a file)",
    "slow: takes more than a few seconds",
    "long: takes minutes",
)


def join(manager: pytest.PytestPluginManager) -> None:
    """Register this plugin, once: for the conftest.py of each folder whose tests take `backend`."""
    import portable.conformance.plugin as plugin

    if not manager.has_plugin(NAME):
        manager.register(plugin, NAME)


def pytest_configure(config: pytest.Config) -> None:
    """The marks, also where no pyproject.toml has them."""
    for mark in MARKS:
        config.addinivalue_line("markers", mark)


def deviations(name: str) -> dict[str, tuple[str, str]]:
    """{case: (kind, reason)} of one backend; `case` is a test's name, with its parameters in brackets where
    it has some.
    """
    path = registry.get(name).folder / "deviations.toml"
    if not path.exists():
        return {}
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("deviation", [])
    for row in rows:
        if row["kind"] not in KINDS or not row["reason"]:
            raise pytest.UsageError(f"{path}: {row['case']}: kind must be one of {KINDS}, with a reason")
    return {row["case"]: (row["kind"], row["reason"]) for row in rows}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The backends that run any network, or those that were named."""
    if "backend" in metafunc.fixturenames:
        told = str(metafunc.config.getoption("--portable-backends", ""))
        named = [b.strip() for b in told.split(",") if b.strip()]
        names = named or [n for n in registry.names() if not registry.get(n).capabilities.origin]
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


def backend_of(item: pytest.Item) -> str:
    """The backend that a test runs on; "" for others."""
    spec = getattr(item, "callspec", None)
    return "" if spec is None else str(spec.params.get("backend", ""))


def lacking(item: pytest.Item) -> set[str]:
    """The features that a test needs, and its backend's table has not got."""
    able = registry.get(backend_of(item)).capabilities
    missing: set[str] = set()
    for mark in item.iter_markers("needs"):
        for feature in mark.args:
            if feature not in FEATURES:
                raise pytest.UsageError(f"{item.nodeid}: needs an unknown feature {feature!r}")
            if not able.word(feature, read=mark.kwargs.get("read", False)):
                missing.add(feature)
    return missing


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips, tiers and known failures."""
    listed: dict[str, dict[str, tuple[str, str]]] = {}
    for item in items:
        name = backend_of(item)
        if not name:
            continue
        able = registry.get(name).capabilities
        if registry.get(name).version() is None:
            item.add_marker(pytest.mark.skip(reason=f"{name} is not installed: {able.install}"))
        if able.word("session.pieces") == "lowered":
            item.add_marker(pytest.mark.slow)  # a process for every run, from the start for every piece
        if lacking(item):
            continue
        spec, test = item.callspec, item.originalname  # type: ignore[attr-defined]
        others = "-".join(v for v in spec.id.split("-") if v != name)
        known = listed.setdefault(name, deviations(name))
        found = known.get(f"{test}[{others}]" if others else test) or known.get(test)
        if found:
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{found[0]}: {found[1]}"))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Where a feature is missing, the test passes if it is refused with exactly that."""
    missing = lacking(pyfuncitem) if backend_of(pyfuncitem) else set()
    try:
        result = yield
    except UnsupportedError as error:
        if not backend_of(pyfuncitem) or not _exactly(error, missing, pyfuncitem):
            raise
        return True
    if missing:
        pytest.fail(f"not refused, though {backend_of(pyfuncitem)} lacks {', '.join(sorted(missing))}")
    return result


def _exactly(error: UnsupportedError, missing: set[str], item: pytest.Item) -> bool:
    """Whether a refusal names what the table lacks and nothing else: the features that are missing, and
    methods that are not in it."""
    able = registry.get(backend_of(item)).capabilities
    told = {str(getattr(s, "feature", "")) for s in error.shortfalls}
    methods = {f for f in told if f.startswith("integrators.") and not able.word(f)}
    return bool(told) and told - methods == missing
