"""Whether backends agree: spike by spike, trace by trace, statistic by statistic, and in pictures.

portable.validation.validate(net, ["native", "nest"], seeds=10).report("report.html")
portable.validation.assert_agree(net, ["native", "nest"], level="spikes")       in a test suite
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {"validate": "portable.validation.answer", "assert_agree": "portable.validation.agree"}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'portable.validation' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
