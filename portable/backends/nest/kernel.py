"""NEST's module and its errors, and small sums that `execute` needs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.errors import BackendFailed, BackendUnavailable, ModelError
from portable.resolve.program import CellGroup, PerCell
from portable.units import Floats


def simulator() -> Any:
    """The `nest` module, imported without its banner. BackendUnavailable if it is not there."""
    quiet = os.environ.get("PYNEST_QUIET")
    os.environ["PYNEST_QUIET"] = "1"
    try:
        import nest
    except ImportError as error:
        raise BackendUnavailable(
            f"NEST cannot be imported ({error}); pip install 'portable-snn[nest]'"
        ) from error
    finally:
        if quiet is None:
            del os.environ["PYNEST_QUIET"]
    nest.verbosity = nest.VerbosityLevel.ERROR
    return nest


@contextlib.contextmanager
def failing(element: str) -> Iterator[None]:
    """Errors of NEST become BackendFailed that names what was being built or run."""
    try:
        yield
    except (KeyboardInterrupt, BackendFailed, ModelError):
        raise
    except Exception as error:
        raise BackendFailed(f"NEST failed at {element}: {type(error).__name__}: {error}") from error


def part(values: Any, low: int, high: int, factor: float) -> Floats:
    """values[low:high] * factor as float64; one number is repeated."""
    if np.ndim(values) == 0:
        return np.full(high - low, float(values) * factor)
    found = np.asarray(values[low:high], dtype=np.float64)
    return found if factor == 1.0 else found * factor


def with_refractory(group: CellGroup, values: Mapping[str, PerCell], dt: float) -> CellGroup:
    steps = group.refractory
    if group.flat.refractory is not None:
        table: dict[str, Any] = dict(values)
        for d in group.flat.constants:
            table[d.name] = evaluate(d.expr, table)
        exact = np.asarray(evaluate(group.flat.refractory.duration, table), dtype=np.float64) / dt
        whole = np.rint(exact)
        if np.any(np.abs(exact - whole) > 1e-6):
            raise ModelError(
                f"population '{group.name}'", f"the refractory period must be whole steps of {dt} ms"
            )
        steps = int(whole) if whole.ndim == 0 else whole.astype(np.int64)
    return replace(group, parameters=dict(values), refractory=steps)
