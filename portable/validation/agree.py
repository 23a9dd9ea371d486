"""`assert_agree`: agreement of backends as a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from portable.errors import ModelError, suggestion
from portable.model.network import Network
from portable.validation.answer import Answer, validate
from portable.validation.verdicts import (
    CELLS,
    COMPARABLE,
    EQUIVALENT,
    FAIL,
    IDENTICAL,
    NETWORK,
    PASS,
    SPIKES,
    STATISTICS,
    WEIGHTS,
)

NAMES = {
    "network": (COMPARABLE, NETWORK),
    "cells": (COMPARABLE, NETWORK, CELLS),
    "spikes": (COMPARABLE, NETWORK, CELLS, SPIKES),
    "weights": (COMPARABLE, NETWORK, CELLS, SPIKES, WEIGHTS),
    "statistics": (COMPARABLE, NETWORK, STATISTICS),
}


def assert_agree(
    network: Network,
    backends: str | Iterable[str] = (),
    level: str = "spikes",
    seeds: int | Iterable[int] | None = None,
    duration: Any = None,
    dt: Any = None,
    *,
    report: str | Path | None = None,
    **how: Any,
) -> Answer:
    """AssertionError, with every verdict, unless all backends agree with the first up to `level`.

    level: "network" (same connections), "cells" (each cell type alone), "spikes" (identical spikes, and no
    weights that were learnt otherwise), "weights" (and they were read on all), or "statistics" (identical
    spikes or equivalent statistics). seeds: default 1, and 5 for statistics. report:
    an .html file that is written if they do not agree.
    how: as in `validate`; known deviations are not tried (power="none") unless it says so. Returns the
    answer.
    """
    __tracebackhide__ = True  # pytest shows the caller
    if level not in NAMES:
        raise ModelError(
            "assert_agree.level",
            f"must be one of {', '.join(NAMES)}, got {level!r}",
            suggestion(str(level), NAMES),
        )
    chosen = seeds if seeds is not None else 5 if level == "statistics" else 1
    answer = validate(network, backends, chosen, duration, dt, **{"power": "none", **how})
    v = answer.validation
    wrong = [b for b in v.backends[1:] if not _agrees(answer, b, level)]
    if not wrong:
        return answer
    written = f"\nreport: {answer.report(report)[0]}" if report is not None else ""
    raise AssertionError(f"{', '.join(wrong)} and {v.reference} do not agree up to '{level}'\n{v!r}{written}")


def _agrees(answer: Answer, backend: str, level: str) -> bool:
    v = answer.validation
    if level == "statistics":
        return v.answers[backend] in (IDENTICAL, EQUIVALENT)
    learnt = v.level(WEIGHTS, backend)
    if level == "spikes" and learnt is not None and learnt.verdict == FAIL:
        return False
    return all((found := v.level(n, backend)) is not None and found.verdict == PASS for n in NAMES[level])
