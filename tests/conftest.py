"""The `backend` fixture: every test that takes it runs on every registered backend.

A backend whose simulator is not installed is skipped. A known failure is listed in that backend's deviations.toml and is a strict
expected failure here: when it starts to pass, the entry has to go.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import portable.backends
from portable.backends import registry

FOLDER = Path(portable.backends.__file__).parent
KINDS = ("notimpl", "notyet", "never")


def deviations(name: str) -> dict[str, tuple[str, str]]:
    """{case: (kind, reason)} of one backend; `case` is a test's name, with its parameters in brackets where it has some."""
    path = FOLDER / name / "deviations.toml"
    if not path.exists():
        return {}
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("deviation", [])
    for row in rows:
        assert row["kind"] in KINDS, f"{path}: kind must be one of {KINDS}, got {row['kind']!r}"
        assert row["reason"], f"{path}: {row['case']} has no reason"
    return {row["case"]: (row["kind"], row["reason"]) for row in rows}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", registry.names(), scope="session")


@pytest.fixture
def method(backend: str) -> str:
    """The integrator with which a backend is compared to the reference: "auto", or "euler" where it has no other."""
    return "auto" if registry.get(backend).capabilities.integrators.get("exact") == "exact" else "euler"


@pytest.fixture
def printed(backend: str) -> float:
    """Relative error of recorded states: 0, or 2^-23 where a backend prints them as float32: half a unit by rounding, half by printing."""
    return 1.2e-7 if registry.get(backend).capabilities.support.get("record.states") == "approximate" else 0.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("backend")
        if not name:
            continue
        if registry.get(name).version() is None:
            item.add_marker(pytest.mark.skip(reason=f"{name} is not installed: {registry.get(name).capabilities.install}"))
        if registry.get(name).capabilities.support.get("session.pieces") == "lowered":
            item.add_marker(pytest.mark.slow)  # a process for every run, from the start for every piece
        others = "-".join(str(v) for v in item.callspec.id.split("-") if v != name)
        case = f"{item.originalname}[{others}]" if others else item.originalname
        listed = deviations(name)
        found = listed.get(case) or listed.get(item.originalname)
        if found:
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{found[0]}: {found[1]}"))
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)  # the fast tier first; the sort is stable
