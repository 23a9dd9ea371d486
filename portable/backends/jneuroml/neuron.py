"""The jNeuroML -> NEURON path in three steps: export, compile the mod files, run the exported script.

jnml's own -run does the same, but hides which step failed and prints the environment when it finds no NEURON.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from portable.backends.jneuroml.runner import Tools, environment
from portable.errors import BackendFailed, BackendUnavailable


def run(start: Sequence[str], main: Path, tools: Tools, watch: Callable[[], None] | None) -> None:
    """Leaves the declared output files in tools.folder. `start`: what starts jnml."""
    env = environment()
    compiler = shutil.which("nrnivmodl", path=env["PATH"])
    if importlib.util.find_spec("neuron") is None or compiler is None:
        raise BackendUnavailable("jNeuroML's export to NEURON needs NEURON and its nrnivmodl; pip install neuron")
    if shutil.which("make", path=env["PATH"]) is None or not any(shutil.which(c, path=env["PATH"]) for c in ("g++", "c++", "clang++")):
        raise BackendUnavailable("jNeuroML's export to NEURON needs make and a C++ compiler; apt install g++ make")
    printed = tools.call("export", [*start, str(main), "-neuron", "-nogui", "-outputdir", str(tools.folder)])
    scripts = list(tools.folder.glob("*_nrn.py"))
    if len(scripts) != 1:
        from portable.backends.jneuroml.complaints import complaint

        raise BackendFailed(f"jNeuroML exported no script for NEURON: {complaint(printed)}")
    if any(tools.folder.glob("*.mod")):
        tools.call("compile", [compiler], env)
    tools.call("run", [sys.executable, str(scripts[0])], env, watch)
