"""The LEMS simulation file: includes, the run, and output files for what the network records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from portable.resolve.program import CellGroup, Program
from portable.schemas.neuroml.write_network import Placed
from portable.units import coherent_power

CORE = ("Cells.xml", "Networks.xml", "Simulation.xml", "PyNN.xml")


@dataclass(frozen=True)
class Column:
    """Column `index` (0 is the time, in s) of an output file: a variable of a cell; value * 10**-power is in
    our coherent unit.

    `late`: the value of step k stands in row k + late (jLEMS shows v of a cell with regimes one step late).
    """

    file: str
    index: int
    group: str
    variable: str
    cell: int
    power: int
    late: int = 0


@dataclass(frozen=True)
class Recorded:
    """What a run writes. spikes: file -> (group, the cell of each event id); columns of the trace files."""

    spikes: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()


def simulation(
    name: str, program: Program, steps: int, placed: Mapping[str, Placed], files: Sequence[str]
) -> tuple[str, Recorded]:
    """The text of the simulation file and what its outputs hold. Times of events and traces are in s, values
    in SI units.
    """
    lines, spikes, columns = [], dict[str, tuple[str, tuple[int, ...]]](), list[Column]()
    for n, t in enumerate(program.traces):
        file = f"{name}.{t.group}.{t.variable}.{n}.dat"
        group = program.group(t.group)
        assert isinstance(group, CellGroup)
        power = coherent_power(next(s.dimension for s in group.flat.states if s.name == t.variable))
        lines.append(f'    <OutputFile id="traces_{n}" fileName="{file}">')
        for k, i in enumerate(t.ids.tolist()):
            lines.append(f'      <OutputColumn id="c{k}" quantity="{placed[t.group].path(i)}/{t.variable}"/>')
            columns.append(Column(file, k + 1, t.group, t.variable, i, power, placed[t.group].shown_late))
        lines.append("    </OutputFile>")
    for n, (group_name, ids) in enumerate(program.spikes.items()):
        file = f"{name}.{group_name}.spikes"
        spikes[file] = (group_name, tuple(ids.tolist()))
        lines.append(f'    <EventOutputFile id="events_{n}" fileName="{file}" format="TIME_ID">')
        lines += [
            f'      <EventSelection id="{k}" select="{placed[group_name].path(i)}" eventPort="spike"/>'
            for k, i in enumerate(ids.tolist())
        ]
        lines.append("    </EventOutputFile>")
    extra = max((c.late for c in columns), default=0)  # a step more, to have the last value
    length, step = (steps + extra) * program.dt, program.dt
    head = [
        "<Lems>",
        '  <Target component="simulation"/>',
        *(f'  <Include file="{f}"/>' for f in (*CORE, *files)),
    ]
    head.append(
        f'  <Simulation id="simulation" length="{round(length, 9)!r} ms" step="{step!r} ms" '
        f'target="{name}_net" seed="{program.seed}">'
    )
    return "\n".join([*head, *lines, "  </Simulation>", "</Lems>", ""]), Recorded(spikes, tuple(columns))
