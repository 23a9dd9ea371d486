"""A pytest plug-in for users' own test suites (entry point pytest11): the fixture `assert_agree`.

    def test_my_model(assert_agree):
        assert_agree(network(), level="spikes")

    pytest --portable-backends native,nest --portable-report reports/

Nothing heavy is imported before the fixture is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own in --help."""
    group = parser.getgroup("portable", "agreement of simulators (portable)")
    group.addoption(
        "--portable-backends",
        metavar="NAMES",
        default="",
        help="Backends that assert_agree compares, the first with the others (default: native and every "
        "other fast one that is installed), and that portable.conformance tests (default: all).",
    )
    group.addoption(
        "--portable-report",
        metavar="DIR",
        default="",
        help="Where assert_agree writes a report of each test that fails.",
    )


@pytest.fixture
def assert_agree(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """portable.validation.assert_agree with the backends of --portable-backends; skips where fewer than two
    are installed.
    """
    from portable.backends import registry
    from portable.validation.agree import assert_agree as check

    named = [b.strip() for b in request.config.getoption("--portable-backends").split(",") if b.strip()]
    backends = named or registry.compared()
    folder = request.config.getoption("--portable-report")

    def bound(network: Any, level: str = "spikes", **how: Any) -> Any:
        if len(how.get("backends", backends)) < 2:
            pytest.skip("no second simulator is installed to compare with")
        if folder and "report" not in how:
            Path(folder).mkdir(parents=True, exist_ok=True)
            how["report"] = Path(folder) / (re.sub(r"\W+", "_", request.node.name).strip("_") + ".html")
        return check(network, how.pop("backends", backends), level, **how)

    return bound
