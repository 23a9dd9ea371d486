"""Times on the grid of whole steps: what the user gave must be on it, what was drawn is rounded and
reported. And weights in float32: what that changes is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from portable.errors import ModelError
from portable.resolve.program import Approximation, Ints
from portable.units import Floats

_FRACTION = 1e-6  # of a step: what counts as on the grid
_RELATIVE = 1e-9  # and of the number of steps: rounding errors of times that were added up


def check_dt(dt: float) -> float:
    """dt as a float. ModelError unless it is a finite number of ms > 0."""
    try:
        ms = float(dt)
    except (TypeError, ValueError):
        raise ModelError("dt", f"must be a number of ms, got {dt!r}") from None
    if not (np.isfinite(ms) and ms > 0):
        raise ModelError("dt", f"must be > 0 ms, got {ms!r}", "for example dt=0.1")
    return ms


def nearest(times: Floats, dt: float) -> Ints:
    """The nearest whole steps (halves upward)."""
    return np.floor(np.asarray(times, dtype=np.float64) / dt + 0.5).astype(np.int64)


def on_grid(times: Floats, dt: float, path: str, least: int = 0) -> Ints:
    """Times (ms) as whole steps, int64. ModelError names the first one off the grid or below `least`
    steps.
    """
    ms = np.asarray(times, dtype=np.float64).reshape(-1)
    steps = nearest(ms, dt)
    ratio = ms / dt
    bad = np.flatnonzero(np.abs(ratio - steps) > _FRACTION + _RELATIVE * np.abs(ratio))
    where = f"{path}[{bad[0]}]" if bad.size and ms.size > 1 else path
    if bad.size:
        near = [max(k, least) * dt for k in (np.floor(ratio[bad[0]]), np.ceil(ratio[bad[0]]))]
        raise ModelError(
            where,
            f"must be a whole number of steps of {dt:g} ms, got {float(ms[bad[0]])!r} ms",
            f"use {' or '.join(dict.fromkeys(f'{x:.12g}' for x in near))} ms, or another dt",
        )
    few = np.flatnonzero(steps < least)
    if few.size:
        where = f"{path}[{few[0]}]" if ms.size > 1 else path
        raise ModelError(
            where,
            f"must be at least {least * dt:g} ms ({least} step{'s' * (least != 1)}), got "
            f"{float(ms[few[0]])!r} ms",
            "use a longer time or a smaller dt",
        )
    return steps


def one_on_grid(time: float, dt: float, path: str, least: int = 0) -> int:
    """One time (ms) as whole steps."""
    return int(on_grid(np.array([time]), dt, path, least)[0])


def rounded(path: str, asked: object, dt: float, least: int) -> Approximation:
    """The note for drawn times that were rounded to the grid."""
    floor = f", at least {least}" if least else ""
    return Approximation(
        path,
        f"{asked}",
        f"the nearest whole steps of {dt:g} ms{floor}",
        f"{dt / 2:g} ms",
        "drawn times are rounded to the grid",
    )


_AT_ONCE = 1 << 20  # weights


def float32_notes(
    where: str, weights: Sequence[npt.NDArray[np.floating[Any]] | float]
) -> list[Approximation]:
    """What float32 changes of weights; nothing where it holds them all."""
    largest = 0.0
    for given in weights:
        w = np.atleast_1d(given)
        for low in range(0, w.size if w.dtype != np.float32 else 0, _AT_ONCE):
            exact = w[low : low + _AT_ONCE]
            error = np.abs(exact.astype(np.float32) - exact)
            off = error > 0
            largest = max(largest, float(np.max(error[off] / np.abs(exact[off]), initial=0.0)))
    if not largest:
        return []
    return [Approximation(where, "float64", "float32", f"relative {largest:.1e}", "compact mode")]
