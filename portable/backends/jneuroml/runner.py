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
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portable import process
from portable.backends.jneuroml.complaints import complaint
from portable.backends.jneuroml.outputs import Outputs, Simulation, declared, read
from portable.errors import BackendFailed, BackendUnavailable, ModelError

ENGINES = ("jlems", "neuron")
INSTALL = "apt install default-jre-headless; pip install 'portable-snn[neuroml]'"
# One short run at a time: the serial collector starts 0.3 s sooner; no window is ever wanted.
JAVA_FLAGS = ("-Djava.awt.headless=true", "-XX:+UseSerialGC")
POLL_SECONDS = 0.5
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
            from portable.backends.jneuroml.neuron import run

            run(start, main, tools, watch)
        log = tools.text()
        try:
            return read(simulation, folder, tools.seconds, log)
        except BackendFailed as error:
            raise BackendFailed(f"{error}. {complaint(log)}") from error


@dataclass
class Tools:
    """Runs programs one after another in a folder, with one log and one deadline (time.monotonic()) for
    all.
    """

    folder: Path
    deadline: float | None

    def __post_init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.logs: list[Path] = []

    def call(
        self,
        phase: str,
        arguments: Sequence[str],
        env: Mapping[str, str] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> str:
        """Run a program to its end and return what it printed. BackendFailed on a status other than 0, or
        past the deadline.
        """
        began = time.monotonic()
        log = self.folder / f"portable-{phase}.log"
        self.logs.append(log)
        with log.open("wb") as out:
            child = subprocess.Popen(
                arguments,
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            try:
                status = self._wait(child, watch)
            except BaseException:
                _end(child)
                raise
        self.seconds[phase] = time.monotonic() - began
        printed = log.read_text(encoding="utf-8", errors="replace")
        if status != 0:
            raise BackendFailed(f"jNeuroML failed at '{phase}': {complaint(printed)}")
        return printed

    def _wait(self, child: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> int:
        while True:
            left = None if self.deadline is None else self.deadline - time.monotonic()
            if left is not None and left <= 0:
                raise BackendFailed(
                    "jNeuroML did not end within its time limit; allow more, or simulate less"
                )
            pause = left if watch is None else POLL_SECONDS if left is None else min(left, POLL_SECONDS)
            try:
                return child.wait(pause)
            except subprocess.TimeoutExpired:
                if watch is not None:
                    watch()

    def text(self) -> str:
        """What all programs printed."""
        return "\n".join(log.read_text(encoding="utf-8", errors="replace") for log in self.logs)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The whole process group: nrnivmodl starts make, which starts compilers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _watch(simulation: Simulation, folder: Path, progress: Report | None) -> Callable[[], None] | None:
    """Reads how far the first trace file has got; jLEMS itself says nothing while it runs."""
    traces = [folder / d.file for d in simulation.files if not d.format]
    if progress is None or simulation.step <= 0:
        return None
    total = round(simulation.length / simulation.step)

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with traces[0].open("rb") as file:
                file.seek(max(0, traces[0].stat().st_size - 65536))
                lines = file.read().split(b"\n")
            progress(min(total, round(float(lines[-2].split()[0]) / simulation.step)), total)

    return watch


def environment() -> dict[str, str]:
    """This process's environment, with the programs of the running Python first on PATH (nrnivmodl is one of
    them).
    """
    path = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")])
    return process.environment({**os.environ, "PATH": path})
