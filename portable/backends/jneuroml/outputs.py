"""What a LEMS simulation writes: the files that it declares, and their contents once it has run."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from portable.errors import BackendFailed, ModelError
from portable.resolve.program import Ints
from portable.units import Floats

PLAIN_NAME = re.compile(r"[\w .,+=@()\-]+(/[\w .,+=@()\-]+)*")
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True)
class Column:
    """What is recorded: an OutputColumn (`path` is its quantity, such as pop[0]/v) or an EventSelection
    (`path` selects the cell).
    """

    id: str
    path: str
    port: str = ""


@dataclass(frozen=True)
class Declared:
    """One OutputFile, or EventOutputFile (`format` TIME_ID or ID_TIME); `file` is relative to the folder
    where it runs.
    """

    id: str
    file: str
    columns: tuple[Column, ...]
    format: str = ""


@dataclass(frozen=True)
class Simulation:
    """The parts of a LEMS Simulation that say what comes out. length, step: s, 0 where they could not be
    read.
    """

    files: tuple[Declared, ...] = ()
    length: float = 0.0
    step: float = 0.0


@dataclass(frozen=True, eq=False)
class TraceFile:
    """An OutputFile: times (n,) in s, values (n, columns) in SI units as printed (jLEMS prints float32,
    NEURON seven digits).
    """

    declared: Declared
    times: Floats
    values: Floats

    def __getitem__(self, column: str) -> Floats:
        """The values of a column by its id, or by its quantity."""
        for i, c in enumerate(self.declared.columns):
            if column in (c.id, c.path):
                return np.asarray(self.values[:, i])
        raise KeyError(column)


@dataclass(frozen=True, eq=False)
class EventFile:
    """An EventOutputFile: times (n,) in s and `selections` (n,), the position of each event's EventSelection
    in declared.columns.
    """

    declared: Declared
    times: Floats
    selections: Ints

    def __getitem__(self, selection: str) -> Floats:
        """The event times of one EventSelection by its id, or by the path of the cell (all its ports)."""
        wanted = [i for i, c in enumerate(self.declared.columns) if selection in (c.id, c.path)]
        if not wanted:
            raise KeyError(selection)
        return np.asarray(self.times[np.isin(self.selections, wanted)])


@dataclass(frozen=True, eq=False)
class Outputs:
    """Everything that a LEMS simulation wrote, by the ids of the OutputFiles and EventOutputFiles."""

    simulation: Simulation
    traces: dict[str, TraceFile] = field(default_factory=dict)
    events: dict[str, EventFile] = field(default_factory=dict)
    seconds: dict[str, float] = field(
        default_factory=dict
    )  # wall-clock of each phase: "run", and for NEURON "export", "compile"
    log: str = ""


def declared(main: Path) -> Simulation:
    """What the simulation in `main` (and in the LEMS files that it includes) declares. ModelError on a file
    name outside the folder.
    """
    found: dict[str, Simulation] = {}
    target = ""
    for element in _elements(main, set()):
        if _tag(element) == "Target":
            target = target or element.get("component", "")
        else:
            found[element.get("id", "")] = _simulation(element, main)
    if target in found:
        return found[target]
    if len(found) == 1:
        return next(iter(found.values()))
    return Simulation(tuple(f for s in found.values() for f in s.files))


def _simulation(element: ET.Element, main: Path) -> Simulation:
    files = [_declared(e, main) for e in element if _tag(e) in ("OutputFile", "EventOutputFile")]
    names = [f.file for f in files] + [f"{'events' if f.format else 'traces'} id {f.id}" for f in files]
    for name in names:
        if names.count(name) > 1:
            raise ModelError(
                f"{main.name}: Simulation '{element.get('id', '')}'",
                f"two output files are {name}",
                "give each its own name and id",
            )
    return Simulation(tuple(files), _seconds(element.get("length", "")), _seconds(element.get("step", "")))


def _declared(element: ET.Element, main: Path) -> Declared:
    name = element.get("fileName", "")
    where = f"{main.name}: {_tag(element)} '{element.get('id', '')}'"
    # A model is read, and must not write: not outside the folder where it runs.
    text = str(PurePosixPath(element.get("path", "") or ".") / name)
    if not name or not PLAIN_NAME.fullmatch(text) or ".." in text.split("/"):
        raise ModelError(
            f"{where}.fileName", f"must be a plain relative name, got {text!r}", "for example results/v.dat"
        )
    path = "quantity" if _tag(element) == "OutputFile" else "select"
    columns = tuple(
        Column(e.get("id", ""), e.get(path, ""), e.get("eventPort", ""))
        for e in element
        if _tag(e) in ("OutputColumn", "EventSelection")
    )
    return Declared(
        element.get("id", ""), text, columns, element.get("format", "") if path == "select" else ""
    )


def _tag(element: ET.Element) -> str:
    name = element.tag.rpartition("}")[2]
    return element.get("type", name) if name == "Component" else name


def _elements(path: Path, seen: set[Path]) -> Iterator[ET.Element]:
    """The Target and Simulation elements of a LEMS file and its includes. Networks in pure NeuroML cannot
    have any and are not read.
    """
    if path in seen or not path.is_file():  # not there: one of the core types, which are in the jar
        return
    seen.add(path)
    depth = 0
    try:
        for event, element in ET.iterparse(path, events=("start", "end")):
            depth += 1 if event == "start" else -1
            if event == "start" and depth == 1 and _tag(element) == "neuroml":
                return
            if event == "end" and depth == 1:
                if _tag(element) == "Include" and element.get("file", "").endswith(".xml"):
                    yield from _elements((path.parent / element.get("file", "")).resolve(), seen)
                elif _tag(element) in ("Target", "Simulation"):
                    yield element
                    continue
                element.clear()
    except ET.ParseError as error:
        raise ModelError(f"{path.name}:{error.position[0]}", f"not well-formed XML: {error}") from error


def _seconds(text: str) -> float:
    found = re.fullmatch(r"\s*([-+.\deE]*\d[.]?)\s*(s|ms|us)\s*", text)
    try:
        return float(found[1]) * SECONDS[found[2]] if found else 0.0
    except ValueError:
        return 0.0


def read(simulation: Simulation, folder: Path, seconds: dict[str, float], log: str) -> Outputs:
    """Parse every declared file in `folder`. BackendFailed where one is missing or has not the declared
    columns.
    """
    out = Outputs(simulation, seconds=seconds, log=log)
    for d in simulation.files:
        path = folder / d.file
        if not path.is_file():
            raise BackendFailed(f"jNeuroML wrote no file {d.file} (OutputFile '{d.id}')")
        if d.format:
            out.events[d.id] = _events(d, path)
        else:
            out.traces[d.id] = _traces(d, path)
    return out


def _traces(d: Declared, path: Path) -> TraceFile:
    width = len(d.columns) + 1
    table = numbers(path)
    if table.size % width:
        raise BackendFailed(
            f"{d.file} has {table.size} numbers, not rows of {width}: the time and the columns of "
            f"OutputFile '{d.id}'"
        )
    table = table.reshape(-1, width)
    return TraceFile(d, table[:, 0].copy(), table[:, 1:])


def numbers(path: Path) -> Floats:
    """All numbers of a text file, in order, as float64. BackendFailed where something is not a number."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", DeprecationWarning
            )  # numpy < 2.3 only warns of what it cannot read
            return np.fromstring(path.read_text(encoding="ascii"), dtype=np.float64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise BackendFailed(f"{path.name}: not a table of numbers: {error}") from error


def _events(d: Declared, path: Path) -> EventFile:
    words = path.read_text(encoding="utf-8").split()
    first, second = words[0::2], words[1::2]
    ids, times = (second, first) if d.format == "TIME_ID" else (first, second)
    index = {c.id: i for i, c in enumerate(d.columns)}
    try:
        selections = np.array([index[i] for i in ids], dtype=np.int64)
        when = np.array(times, dtype=np.float64)
    except (KeyError, ValueError) as error:
        raise BackendFailed(
            f"{d.file}: not the {d.format} rows of EventOutputFile '{d.id}': {error}"
        ) from error
    order = np.argsort(when, kind="stable")
    return EventFile(d, when[order], selections[order])
