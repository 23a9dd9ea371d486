"""A session that starts the simulator anew for every piece: jNeuroML can neither pause nor continue, but it
repeats itself exactly.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from portable.backends.contract import Facts, Recorded
from portable.backends.jneuroml import java
from portable.backends.jneuroml.lower import JNeuroMLPlan
from portable.backends.jneuroml.outputs import EventFile, Outputs, TraceFile
from portable.backends.jneuroml.runner import run_lems
from portable.backends.placement import nearest_steps
from portable.errors import BackendFailed
from portable.resolve.program import CellGroup, Ints, Program, Trace
from portable.resolve.trains import Trains
from portable.schemas.neuroml.write_lems import LemsFiles
from portable.units import Floats


class JNeuroMLSession:
    """`run` goes from 0 to the step reached in all."""

    def __init__(self, plan: JNeuroMLPlan) -> None:
        java.found()  # says at once what is missing
        self.plan, self.now = plan, 0
        self.result = before(plan.program)
        self.seconds: dict[str, float] = {}

    def run(self, steps: int) -> None:
        reach = self.now + steps
        files = self.plan.files(reach)
        with tempfile.TemporaryDirectory(prefix="portable-lems-", ignore_cleanup_errors=True) as name:
            for file, content in files.files.items():
                data = content.encode() if isinstance(content, str) else content
                Path(name, file).write_bytes(data)
            outputs = run_lems(Path(name, files.main), self.plan.engine, timeout=self.plan.timeout)
        self.result = read(self.plan.program, files, outputs, reach)
        self.result.spikes.update(sent(self.plan, reach, self.result.spikes.keys()))
        self.now = reach
        for phase, spent in outputs.seconds.items():
            if phase != "run":  # the whole piece is timed as the run by whoever called
                self.seconds[phase] = self.seconds.get(phase, 0.0) + spent

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:  # the table refuses it
        raise AssertionError(f"{group}: {', '.join(values)} cannot change, every piece runs from the start")

    def facts(self) -> Facts:
        """One thread; the phases before the run itself, which whoever called times as a whole."""
        return Facts(1, self.plan.trains, self.seconds)

    def recorded(self) -> Recorded:
        return self.result

    def close(self) -> None:
        self.result = Recorded()


def before(program: Program) -> Recorded:
    """What is recorded before the first step: initial values."""
    none = np.zeros(0, dtype=np.int64)
    out = Recorded(dict.fromkeys(program.spikes, (none, none)))
    for t in program.traces:
        g = program.group(t.group)
        assert isinstance(g, CellGroup)
        values = np.broadcast_to(np.asarray(g.initial[t.variable], dtype=np.float64), g.size)[t.ids]
        out.traces[t.group, t.variable] = (t.ids, np.zeros(1, dtype=np.int64), values[None, :].copy())
    return out


def read(program: Program, files: LemsFiles, outputs: Outputs, steps: int) -> Recorded:
    """Spikes as steps and traces in coherent units."""
    traces = {t.declared.file: t for t in outputs.traces.values()}
    events = {e.declared.file: e for e in outputs.events.values()}
    out = Recorded()
    for file, (group, cells) in files.recorded.spikes.items():
        out.spikes[group] = _spikes(events[file], np.asarray(cells, dtype=np.int64), program.dt, steps)
    for t in program.traces:
        rows = np.arange(0, steps + 1, t.every)
        out.traces[t.group, t.variable] = (t.ids, rows, _values(t, files, traces, steps)[rows])
    return out


def sent(plan: JNeuroMLPlan, steps: int, recorded: Collection[str]) -> dict[str, tuple[Ints, Ints]]:
    """Spikes of sources that no file records, because they stand inside an input: those of the program, up to
    `steps`.
    """
    out = {}
    for name, cells in plan.program.spikes.items():
        if name in recorded or name not in plan.known:
            continue
        group = plan.program.group(name)
        assert not isinstance(group, CellGroup)
        ids, stamps = Trains(group, plan.program.dt).spikes(1, steps)
        kept = np.isin(ids, cells)
        out[name] = ids[kept], stamps[kept]
    return out


def _spikes(events: EventFile, cells: Ints, dt: float, steps: int) -> tuple[Ints, Ints]:
    stamps = nearest_steps(events.times * 1000.0, dt)
    kept = (stamps >= 1) & (stamps <= steps)  # jLEMS takes a step beyond the end
    return cells[events.selections[kept]], stamps[kept]


def _values(t: Trace, files: LemsFiles, traces: Mapping[str, TraceFile], steps: int) -> Floats:
    """(steps + 1, cells), in the order of t.ids."""
    columns = {c.cell: c for c in files.recorded.columns if (c.group, c.variable) == (t.group, t.variable)}
    out = np.empty((steps + 1, t.ids.size))
    for k, cell in enumerate(t.ids.tolist()):
        c = columns[cell]
        values = traces[c.file].values
        rows = slice(c.late, c.late + steps + 1)
        if values.shape[0] < rows.stop:
            raise BackendFailed(
                f"{c.file} has {values.shape[0]} rows, expected {rows.stop}: jNeuroML stopped before the end"
            )
        out[:, k] = values[rows, c.index - 1] * 10.0**-c.power
    return out
