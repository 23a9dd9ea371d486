"""Joins the plugin of the suite, for `python -m pytest --pyargs portable.conformance`."""

from __future__ import annotations

import pytest

from portable.conformance import plugin


def pytest_configure(config: pytest.Config) -> None:
    plugin.join(config.pluginmanager)
