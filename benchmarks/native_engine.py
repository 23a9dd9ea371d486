"""The native engine by itself: build and run time, ns an event and a cell update, real-time factor, start-up
of a process.

    python benchmarks/native_engine.py                               # microcircuit 0.1 (exact, compact), CUBA
    4000 python benchmarks/native_engine.py --models microcircuit:0.5 --compact --threads 1,2 --delivery
    due,ring python benchmarks/native_engine.py --models microcircuit:1.0 --compact --duration 500       #
    needs about 6 GiB python benchmarks/native_engine.py --busy                         # beside another busy
    process: 2 threads against 1

An event is one synapse delivered. "cell" is what remains for one update of one cell when nothing spikes
(threshold out of reach).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

from identity import example

from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND
from portable.resolve import resolve
from portable.resolve.program import CellGroup, Program


def program_of(model: str, compact: bool) -> Program:
    name, _, scale = model.partition(":")
    return resolve(example(name, **({"scale": float(scale)} if scale else {})), 1, 0.1, weights32=compact)


def silent(program: Program) -> Program:
    """The same without connections between cells and with a threshold that no cell reaches."""
    groups = tuple(
        replace(g, parameters={**g.parameters, "v_thresh": 1e9}) if isinstance(g, CellGroup) else g
        for g in program.groups
    )
    drives = tuple(c for c in program.connections if c.one_to_one)
    return replace(program, groups=groups, connections=drives)


def timed(program: Program, config: RunConfig, steps: int) -> tuple[float, float, Any]:
    began = time.perf_counter()
    session = BACKEND.open(BACKEND.lower(program, config).plan)
    built = time.perf_counter()
    session.run(1)
    start = time.perf_counter()
    session.run(steps)
    return built - began, time.perf_counter() - start, session


def events(program: Program, session: Any) -> int:
    """Synaptic events: each recorded spike times the synapses of its cell."""
    import numpy as np

    found = session.recorded().spikes
    total = 0
    for name, (ids, _) in found.items():
        out = sum(np.diff(c.indptr) for c in program.connections if c.pre == name)
        total += int(np.asarray(out)[ids].sum()) if ids.size else 0
    return total


def row(model: str, program: Program, threads: int, compact: bool, delivery: str, duration: float) -> None:
    steps = round(duration / program.dt)
    config = RunConfig(threads=threads, inputs="native", compact=compact, options={"delivery": delivery})
    build, run, session = timed(program, config, steps)
    bytes_ = sum(s.nbytes for s in session.synapses) / max(1, program.synapses)
    n = events(program, session)
    way = session.plan.delivery
    session.close()
    _, quiet, other = timed(silent(program), config, steps)
    other.close()
    cells = sum(g.size for g in program.cells)
    print(
        f"{model:<17}{threads:>3}{'compact' if compact else 'exact':>9}{way:>6}{build:>8.2f}{run:>9.3f}{1000 * run / duration:>8.3f}"  # noqa: E501
        f"{threads * 1e9 * quiet / (cells * steps):>8.2f}{threads * 1e9 * max(run - quiet, 0) / max(n, 1):>9.2f}{n / 1e6:>10.1f}{bytes_:>8.2f}",  # noqa: E501
        flush=True,
    )


def beside_a_busy_process(duration: float) -> None:
    program = program_of("microcircuit:0.1", False)
    steps = round(duration / program.dt)
    for busy in (0, 1, 2):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            found = [
                min(timed(program, RunConfig(threads=t, inputs="native"), steps)[1] for _ in range(3))
                for t in (1, 2)
            ]
        finally:
            for p in others:
                p.kill()
        print(f"busy processes {busy}: 1 thread {found[0]:.3f} s, 2 threads {found[1]:.3f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="microcircuit:0.1,cuba")
    parser.add_argument("--threads", default=str(min(2, os.cpu_count() or 1)))
    parser.add_argument("--delivery", default="auto")
    parser.add_argument("--duration", type=float, default=1000.0, help="ms")
    parser.add_argument("--compact", action="store_true", help="only compact mode")
    parser.add_argument("--exact", action="store_true", help="only exact mode")
    parser.add_argument("--busy", action="store_true")
    given = parser.parse_args()
    if given.busy:
        beside_a_busy_process(given.duration)
        return
    print(
        f"{'model':<17}{'thr':>3}{'weights':>9}{'how':>6}{'build s':>8}{'run s':>9}{'RTF':>8}{'ns/cell':>8}{'ns/event':>9}{'M events':>10}{'B/syn':>8}"  # noqa: E501
    )
    for model in given.models.split(","):
        for compact in (False, True):
            if (compact and given.exact) or (not compact and given.compact):
                continue
            program = program_of(model, compact)
            for threads in given.threads.split(","):
                for delivery in given.delivery.split(","):
                    row(model, program, int(threads), compact, delivery, given.duration)


if __name__ == "__main__":
    main()
