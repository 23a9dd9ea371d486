"""Running a LEMS file with the jar that pyneuroml brings: by jLEMS, or exported to NEURON, compiled and run
there.

Everything happens in a temporary folder: jNeuroML writes its output files below the folder where it is
started, so the model's own folder is only read. pyneuroml itself is not imported (it takes seconds); its jar
is found by where it is installed.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from portable.backends.jneuroml import java, neuron
from portable.backends.jneuroml.complaints import complaint
from portable.backends.jneuroml.outputs import Outputs, Simulation, declared, read
from portable.backends.jneuroml.tools import Tools
from portable.dynamics.lems.network import whole_steps
from portable.errors import BackendFailed, ModelError

ENGINES = ("jlems", "neuron")
# Steps times bytes of the model's files, above which the thorough one of Java's compilers is worth its time.
# Processor time with it and without: 22 kB, 10,000 steps 5.4 s and 3.8 s; 50,000 steps 6.8 s and 14.1 s;
# 286 kB, 200 steps 3.6 s and 1.9 s; 688 kB, 600 steps 7.0 s and 6.3 s.
QUICK_WORK = 3e8
Report = Callable[[int, int], None]  # (steps done, steps in all)


def run_lems(
    main: Path,
    engine: str = "jlems",
    *,
    timeout: float | None = None,
    progress: Report | None = None,
) -> Outputs:
    """Run the LEMS simulation file `main` and return every file that its Simulation declares.

    engine: "jlems" (forward Euler), or "neuron": jNeuroML writes mod files and a Python script, which are
    compiled and run here, so use it for models that you trust. timeout: wall-clock s for all of it. progress:
    called with (steps done, steps in all).

    Raises ModelError (no such file, not XML, an output file outside the folder), BackendUnavailable (no Java,
    jar, NEURON or compiler), BackendFailed with what jNeuroML complained of. Ctrl-C and the time limit end
    all processes that were started.
    """
    if engine not in ENGINES:
        raise ModelError("engine", f"must be one of {', '.join(ENGINES)}, got {engine!r}")
    main = Path(main).resolve()
    if not main.is_file():
        raise ModelError(str(main), "there is no such file")
    java.found()  # says at once what is missing
    simulation = declared(main)
    with tempfile.TemporaryDirectory(prefix="portable-jnml-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for d in simulation.files:
            (folder / d.file).parent.mkdir(parents=True, exist_ok=True)
        tools = Tools(folder, None if timeout is None else time.monotonic() + timeout)
        watch = _watch(simulation, folder, progress)
        with java.command(quick=engine != "jlems" or _work(main, simulation) < QUICK_WORK) as start:
            if engine == "jlems":
                tools.call("run", [*start, str(main), "-nogui"], watch=watch)
            else:
                neuron.run(start, main, tools, watch)
        log = tools.text()
        try:
            return read(simulation, folder, tools.seconds, log)
        except BackendFailed as error:
            raise BackendFailed(f"{error}. {complaint(log)}") from error


def _work(main: Path, simulation: Simulation) -> float:
    """Steps times the bytes of the files beside the main one."""
    steps = simulation.length / simulation.step if simulation.step > 0 else 0.0
    parts = [p for p in main.parent.iterdir() if p.suffix in (".xml", ".nml", ".h5") and p.is_file()]
    return steps * sum(p.stat().st_size for p in parts)


def _watch(simulation: Simulation, folder: Path, progress: Report | None) -> Callable[[], None] | None:
    """Reads how far the first trace file has got; jLEMS itself says nothing while it runs."""
    traces = [folder / d.file for d in simulation.files if not d.format]
    if progress is None or simulation.step <= 0:
        return None
    total = whole_steps(simulation.length, simulation.step)

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with traces[0].open("rb") as file:
                file.seek(max(0, traces[0].stat().st_size - 65536))
                lines = file.read().split(b"\n")
            progress(min(total, round(float(lines[-2].split()[0]) / simulation.step)), total)

    return watch
