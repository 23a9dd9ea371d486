"""Backend jlems beside jLEMS itself, on the NeuroML project's examples: are the traces the same to
rounding?

    python benchmarks/jlems_mode.py --models ../shared/neuroml [--only Ex5] [--out table.md]

Every example is run by jNeuroML's jar in a temporary copy, to which one output file is added with all lines
of its displays, so that examples which only plot are compared too. jLEMS prints float32: the value and the
decimal printed may each be half a unit away from the float32 between them, 1.2e-7 of the value in all, which
is a large part of a column that hardly varies. So the difference relative to a column's range is given after
that is taken off; an example passes where both it and the difference relative to the largest value stay below
1e-6, and every recorded event is at the same step. "Other float32" counts samples that do not round to the
number printed.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath

import numpy as np
from lxml import etree

import portable as pt
from portable.backends.jlems.run import run_jlems
from portable.backends.jneuroml.runner import run_lems
from portable.schemas.neuroml.xml import name

PASS = 1e-6
PRINTED = 2.0**-23  # see above
LINES = "portable_lines.dat"


@dataclass
class Row:
    """One example: largest differences over its columns, and samples that round to another float32."""

    columns: int = 0
    of_value: float = 0.0
    of_range: float = 0.0
    other: int = 0
    samples: int = 0
    events: int = 0
    early: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)

    @property
    def verdict(self) -> str:
        if self.early:
            return self.early
        return "pass" if max(self.of_value, self.of_range) <= PASS else "FAIL"

    def add(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        if ours.size != theirs.size:
            self.early = f"FAIL: {ours.size} samples instead of {theirs.size}"
            return
        off = np.abs(ours - theirs)
        largest, spread = float(np.abs(theirs).max()), float(np.ptp(theirs))
        self.columns += 1
        self.of_value = max(self.of_value, float(off.max()) / largest if largest else float(off.max() > 0))
        self.of_range = max(
            self.of_range,
            float(np.maximum(off - PRINTED * np.abs(theirs), 0).max()) / (spread or largest or 1.0),
        )
        self.other += int(np.count_nonzero(ours.astype(np.float32) != theirs.astype(np.float32)))
        self.samples += ours.size


def with_lines(file: Path) -> None:
    """Add an output file with the quantities of all lines of displays."""
    tree = etree.parse(file)
    for simulation in [e for e in tree.iter() if name(e) == "Simulation" and e.get("target")]:
        lines = [e.get("quantity") for e in simulation.iter() if name(e) == "Line"]
        space = etree.QName(simulation).namespace
        out = etree.SubElement(
            simulation,
            f"{{{space}}}OutputFile" if space else "OutputFile",
            id="portable_lines",
            fileName=LINES,
        )
        for i, quantity in enumerate(lines):
            etree.SubElement(
                out, f"{{{space}}}OutputColumn" if space else "OutputColumn", id=f"l{i}", quantity=quantity
            )
    tree.write(file)


def compare(models: Path, example: str) -> Row:
    row = Row()
    with tempfile.TemporaryDirectory(prefix="portable-jlems-") as folder:
        for part in ("examples", "LEMSexamples"):
            shutil.copytree(models / part, Path(folder, part), copy_function=shutil.copyfile)
        for made in Path(folder).rglob("*"):
            made.chmod(0o755 if made.is_dir() else 0o644)
        file = Path(folder, "LEMSexamples", example)
        with_lines(file)
        began = time.perf_counter()
        theirs = run_lems(file, "jlems")
        java = time.perf_counter() - began
        source = pt.read_neuroml(file, folder=folder).origin
        began = time.perf_counter()
        ours = run_jlems(source.model, source.network, source.simulation, source.context)
        row.seconds = java, time.perf_counter() - began
    columns = {(normpath(f), id): v for (f, id), v in ours.columns.items()}
    spikes = {(normpath(f), id): v for (f, id), v in ours.events.items()}
    for trace in theirs.traces.values():
        for k, column in enumerate(trace.declared.columns):
            row.add(columns[normpath(trace.declared.file), column.id], trace.values[:, k])
    for events in theirs.events.values():
        for column in events.declared.columns:
            a, b = spikes[normpath(events.declared.file), column.id], events[column.id]
            row.events += b.size
            if a.size != b.size or np.abs(a - b).max(initial=0.0) > 0.1 * source.simulation.step:
                row.early = f"FAIL: events of {column.path}"
    return row


def table(models: Path, only: str) -> list[str]:
    lines = [
        "example | columns | of largest value | of range, without printing | other float32 | events | jLEMS "
        "s | ours s | verdict",
        "---|---|---|---|---|---|---|---|---",
    ]
    passed, files = (
        0,
        [f for f in sorted((models / "LEMSexamples").glob("LEMS_NML2_Ex*.xml")) if only in f.name],
    )
    print("\n".join(lines), flush=True)
    for file in files:
        try:
            r = compare(models, file.name)
            line = (
                f"{r.columns} | {r.of_value:.1e} | {r.of_range:.1e} | {r.other} of {r.samples} | "
                f"{r.events} | {r.seconds[0]:.1f} | {r.seconds[1]:.1f} | {r.verdict}"
            )
            passed += r.verdict == "pass"
        except Exception as error:
            line = (
                f"- | - | - | - | - | - | - | not run: {type(error).__name__}: "
                f"{' '.join(str(error).split())[:200]}"
            )
        lines.append(f"{file.stem.removeprefix('LEMS_NML2_')} | {line}")
        print(lines[-1], flush=True)
    lines.append(f"\n{passed} of {len(files)} within {PASS:g}")
    print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True, help="folder with LEMSexamples/ and examples/")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    a = parser.parse_args()
    lines = table(a.models.resolve(), a.only)
    if a.out:
        a.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
