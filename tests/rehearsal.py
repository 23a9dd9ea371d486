"""The models that the suite has NEST compile, built in one go: NESTML is started and NEST's headers are read
once for all of them, where one test after another takes some 15 s of processor time for each.

    PYTHONPATH=tests python -m pytest -p rehearsal -n 0 portable/conformance --portable-backends nest

Each test goes as far as the plan that it hands to NEST, and is skipped there. conftest.py starts this beside
a run of everything; a test that needs a model while it is being built waits for it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portable import process
from portable.backends.nest import compiled, opening
from portable.backends.nest.plan import Nestml, Plan

FOLDER = Path(__file__).parent
# without what is not in a run of everything
ARGUMENTS = ("--portable-backends", "nest", "--ignore-glob=*test_methods.py", "--ignore-glob=*test_stiff.py")
ALSO = (
    "test_nest.py::test_a_generated_model_equals_the_built_in",
    "test_nest.py::test_several_generated_models_in_one_network",
    "test_neuroml_backends.py::test_the_same_spikes_as_on_native[nest-regimes]",
    "test_bad_input_runs.py::test_numerical_blow_up_names_the_cell[nest]",
)
_MODELS: dict[str, Nestml] = {}


_PROCESSES: list[subprocess.Popen[bytes]] = []


def start() -> None:
    """Begin in a process of its own, where there is a compiler."""
    if compiled.missing():
        return
    command = [*process.python(), "-m", "pytest", "-p", "rehearsal", "-p", "no:cacheprovider", "-n", "0"]
    suite = FOLDER.parent / "portable" / "conformance"
    _PROCESSES.append(
        subprocess.Popen(
            [*command, str(suite), *(str(FOLDER / test) for test in ALSO), *ARGUMENTS],
            cwd=FOLDER.parent,
            env={**process.environment(), "PYTHONPATH": str(FOLDER)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )


def stop() -> None:
    """End it, where it still works."""
    for one in _PROCESSES:
        if one.poll() is None:
            one.terminate()


def _note(plan: Plan) -> Any:
    _MODELS.update(plan.models)
    pytest.skip("rehearsed")


def pytest_configure() -> None:
    """As a plugin: no test reaches NEST. Where this file is only imported, nothing changes."""
    opening.open_session = _note  # type: ignore[assignment]


def pytest_sessionfinish() -> None:
    """Build what was noted and is in no module yet."""
    models = list(_MODELS.values())
    for low in range(0, len(models), compiled.AT_ONCE):  # whoever waits for one of them waits for a few only
        compiled.shared_objects(models[low : low + compiled.AT_ONCE])
    print(f"{len(_MODELS)} models", file=sys.stderr)
