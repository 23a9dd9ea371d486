"""jNeuroML's own opinion of a file: `jnml -validate` of pure NeuroML, `jnml -norun` of LEMS."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from portable.backends.jneuroml import java
from portable.backends.jneuroml.complaints import complaint
from portable.backends.jneuroml.tools import Tools
from portable.errors import BackendFailed
from portable.schemas.neuroml.problem import JNEUROML, Problem

# "  Test: 10040 (Population ids in projections should exist) failed! ... Pre population id: nope in
# projection p not found"
TEST = re.compile(r"\s*Test: (\d+) \((.*)\) failed! \.\.\. (.*)")
OBJECTION = re.compile(r"\s*cvc-\S+: (.*)")


def objections(path: Path, shown: str, lems: bool, timeout: float | None = None) -> list[Problem]:
    """What jNeuroML objects to; it gives no line numbers, and of the schema only the first violation.
    BackendUnavailable without Java.
    """
    java.found()
    with tempfile.TemporaryDirectory(prefix="portable-jnml-", ignore_cleanup_errors=True) as name:
        tools = Tools(Path(name), None if timeout is None else time.monotonic() + timeout)
        try:
            asked = [str(path.resolve()), "-norun"] if lems else ["-validate", str(path.resolve())]
            with java.command() as start:
                tools.call("validate", [*start, *asked])
        except BackendFailed:
            if not tools.seconds:  # it did not come to an end
                raise
            return _problems(tools.text(), shown)
    return []


def _problems(text: str, shown: str) -> list[Problem]:
    found = [
        Problem(shown, 0, "jNeuroML", f"{t[3]} (test {t[1]}: {t[2]})", JNEUROML)
        for line in text.splitlines()
        if (t := TEST.fullmatch(line))
    ]
    found += [
        Problem(shown, 0, "jNeuroML", t[1], JNEUROML)
        for line in text.splitlines()
        if (t := OBJECTION.fullmatch(line))
    ]
    return found or [Problem(shown, 0, "jNeuroML", " ".join(complaint(text).split()), JNEUROML)]
