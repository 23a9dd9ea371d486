"""Each example read, written again, and both run by jNeuroML: is every recorded value and event the same?

    python benchmarks/neuroml_roundtrip.py --models ../shared/neuroml [--only Ex5]

Values are compared as jNeuroML prints them (float32), events to the last digit.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import portable as pt
from portable.backends.jneuroml.runner import run_lems


def compare(file: Path, folder: Path) -> str:
    net = pt.read_neuroml(file, folder=folder)
    with tempfile.TemporaryDirectory() as out:
        written = pt.write_neuroml(net, out)
        original, ours = run_lems(file, "jlems"), run_lems(written.path, "jlems")
    worst, spikes, columns = 0.0, 0, 0
    for id, trace in original.traces.items():
        other = ours.traces[id]
        if trace.values.shape != other.values.shape:
            return f"DIFFERS: {id} has shape {other.values.shape} instead of {trace.values.shape}"
        columns += trace.values.shape[1]
        worst = max(worst, float(np.max(np.abs(trace.values - other.values), initial=0.0)))
    for id, events in original.events.items():
        other = ours.events[id]
        spikes += events.times.size
        if not (
            np.array_equal(events.times, other.times) and np.array_equal(events.selections, other.selections)
        ):
            return f"DIFFERS: events of {id}"
    return (
        f"{'identical' if worst == 0.0 else 'DIFFERS'}: {columns} columns, largest difference {worst:g}; "
        f"{spikes} events"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--only", default="")
    a = parser.parse_args()
    for file in sorted((a.models / "LEMSexamples").glob("LEMS_NML2_Ex*.xml")):
        if a.only in file.name:
            try:
                print(f"{file.name:45} {compare(file, a.models)}", flush=True)
            except Exception as error:
                print(f"{file.name:45} {type(error).__name__}: {str(error)[:300]}", flush=True)


if __name__ == "__main__":
    main()
