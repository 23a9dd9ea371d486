"""The plan of every backend for every standard cell, as text that a reader can check: what changes in a
translation is seen before a simulator runs it.

    PORTABLE_GOLDEN=write python -m pytest tests/test_golden.py     writes them again; read the difference
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_plans import plan_text

import portable as pt
from portable.backends import registry
from portable.backends.contract import RunConfig
from portable.library.cells import CELLS
from portable.resolve import resolve

FOLDER = Path(__file__).parent / "golden"
JUMPS = ("IF_curr_delta", "Izhikevich")


def network(name: str) -> pt.Network:
    """Two cells with a current, a source on each receptor and one connection back."""
    cells = pt.Population("cells", 2, getattr(pt, name)())
    source = pt.Population("source", 1, pt.SpikeSourceArray([1.0, 2.5]))
    weight = 1.0 if name in JUMPS else 0.01
    return pt.Network(
        name,
        [cells, source],
        [
            pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse(weight, 1.0), "excitatory"),
            pt.Projection(cells, cells, pt.OneToOne(), pt.StaticSynapse([weight, 2 * weight], [0.3, 0.7])),
        ],
        [pt.Injection(pt.DCSource(0.5, start=1.0), cells[:1])],
        [pt.Record(cells, ["spikes", "v"])],
    )


def native_code(plan: Any) -> str:
    """The functions that the engine compiles for the plan's cells."""
    from portable.backends.native.codegen import CellCode
    from portable.backends.native.layout import arrange

    [cells] = plan.cells
    group = plan.program.group(cells.group)
    return CellCode(arrange(cells, group, plan.program.dt, injected=True)[0]).source()


# What a backend generates from the plan when it builds it.
CODE: dict[str, Callable[[Any], str]] = {"native": native_code}


def made(backend: str, cell: str) -> str:
    program = resolve(network(cell), seed=1, dt=0.1)
    of = registry.get(backend)
    config = RunConfig(integrator="auto" if of.capabilities.integrators.get("exact") else "euler")
    lowered = of.lower(program, config)
    code = CODE[backend](lowered.plan) if backend in CODE else ""
    notes = "".join(f"approximation: {a.where}: {a.asked} -> {a.got}\n" for a in lowered.approximations)
    return plan_text(lowered.plan) + notes + ("\n" + code if code else "")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backend_name", ["native", "nest", "brian2", "jneuroml"])
def test_plan(backend_name: str, cell: str) -> None:
    path = FOLDER / backend_name / f"{cell}.txt"
    text = made(backend_name, cell)
    if os.environ.get("PORTABLE_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"the plan of {cell} on {backend_name} has changed"
