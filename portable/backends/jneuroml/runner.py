"""Running a LEMS file with the jar that pyneuroml brings: by jLEMS, or exported to NEURON, compiled and run
there.

Everything happens in a temporary folder: jNeuroML writes its output files below the folder where it is
started, so the model's own folder is only read. pyneuroml itself is not imported (it takes seconds); its jar
is found by where it is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from portable.backends.jneuroml import neuron
from portable.backends.jneuroml.complaints import complaint
from portable.backends.jneuroml.outputs import Outputs, Simulation, declared, read
from portable.backends.jneuroml.tools import Tools
from portable.dynamics.lems.network import whole_steps
from portable.errors import BackendFailed, BackendUnavailable, ModelError

ENGINES = ("jlems", "neuron")
INSTALL = "apt install default-jre-headless; pip install 'portable-snn[neuroml]'"
# One short run at a time: the serial collector starts 0.3 s sooner; no window is ever wanted.
JAVA_FLAGS = ("-Djava.awt.headless=true", "-XX:+UseSerialGC")
Report = Callable[[int, int], None]  # (steps done, steps in all)


def jar() -> Path | None:
    """jNeuroML's jar in the installed pyneuroml; None if there is none."""
    spec = importlib.util.find_spec("pyneuroml")  # finds, does not import
    folders = spec.submodule_search_locations if spec is not None else None
    found = [
        p
        for folder in folders or []
        for p in sorted(Path(folder, "lib").glob("jNeuroML-*-jar-with-dependencies.jar"))
    ]
    return found[-1] if found else None


def jar_version() -> str | None:
    """jNeuroML's version, from the name of its jar."""
    path = jar()
    found = re.match(r"jNeuroML-(.+)-jar-with", path.name) if path is not None else None
    return found[1] if found else None


def java() -> str | None:
    """The Java launcher: that of JAVA_HOME, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    return (shutil.which("java", path=str(Path(home, "bin"))) if home else None) or shutil.which("java")


def command() -> list[str]:
    """What starts jnml, without its arguments. BackendUnavailable, with the install line, where Java or the
    jar is missing.
    """
    launcher, path = java(), jar()
    if launcher is None:
        raise BackendUnavailable(
            "jNeuroML needs Java, and there is none on PATH; apt install default-jre-headless"
        )
    if path is None:
        raise BackendUnavailable(
            "jNeuroML's jar comes with pyneuroml, which is not installed; pip install 'portable-snn[neuroml]'"
        )
    return [launcher, *JAVA_FLAGS, "-jar", str(path)]


def run_lems(
    main: Path, engine: str = "jlems", *, timeout: float | None = None, progress: Report | None = None
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
    start = command()
    simulation = declared(main)
    with tempfile.TemporaryDirectory(prefix="portable-jnml-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for d in simulation.files:
            (folder / d.file).parent.mkdir(parents=True, exist_ok=True)
        tools = Tools(folder, None if timeout is None else time.monotonic() + timeout)
        watch = _watch(simulation, folder, progress)
        if engine == "jlems":
            tools.call("run", [*start, str(main), "-nogui"], watch=watch)
        else:
            neuron.run(start, main, tools, watch)
        log = tools.text()
        try:
            return read(simulation, folder, tools.seconds, log)
        except BackendFailed as error:
            raise BackendFailed(f"{error}. {complaint(log)}") from error


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
