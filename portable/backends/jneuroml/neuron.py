"""The jNeuroML -> NEURON path in three steps: export, compile the mod files, run the exported script.

jnml's own -run does the same, but hides which step failed and prints the environment when it finds no NEURON.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from portable import process
from portable.backends.jneuroml.complaints import complaint
from portable.backends.jneuroml.tools import Tools, environment
from portable.errors import BackendFailed, BackendUnavailable

# jNeuroML 0.14 declares these functions of NEURON in every mod file that draws random numbers. From NEURON 9
# on they come with other
# types from NEURON's own header, and the second declaration does not compile.
DECLARATIONS = ("double nrn_random_pick(void* r);\n", "void* nrn_random_arg(int argpos);\n")


def run(start: Sequence[str], main: Path, tools: Tools, watch: Callable[[], None] | None) -> None:
    """Leaves the declared output files in tools.folder. `start`: what starts jnml."""
    env, compiler = environment(), compiler_of_mod_files()
    printed = tools.call("export", [*start, str(main), "-neuron", "-nogui", "-outputdir", str(tools.folder)])
    scripts = list(tools.folder.glob("*_nrn.py"))
    if len(scripts) != 1:
        raise BackendFailed(f"jNeuroML exported no script for NEURON: {complaint(printed)}")
    mods = list(tools.folder.glob("*.mod"))
    for mod in mods:
        _since_neuron_9(mod)
    if mods:
        tools.call("compile", [compiler], env)
    tools.call("run", [*process.python(), str(scripts[0])], env, watch)


def compiler_of_mod_files() -> str:
    """The path of nrnivmodl. BackendUnavailable, with the install line, where it or what it needs is
    missing.
    """
    path = environment()["PATH"]
    found = shutil.which("nrnivmodl", path=path)
    if importlib.util.find_spec("neuron") is None or found is None:
        raise BackendUnavailable(
            "jNeuroML's export to NEURON needs NEURON and its nrnivmodl; pip install neuron"
        )
    if shutil.which("make", path=path) is None or not any(
        shutil.which(c, path=path) for c in ("g++", "c++", "clang++")
    ):
        raise BackendUnavailable(
            "jNeuroML's export to NEURON needs make and a C++ compiler; apt install g++ make"
        )
    return found


def _since_neuron_9(mod: Path) -> None:
    """Take DECLARATIONS out of a mod file where NEURON's header has them."""
    if int(version("neuron").partition(".")[0]) < 9:
        return
    text = before = mod.read_text(encoding="utf-8")
    for line in DECLARATIONS:
        text = text.replace(line, "")
    if text != before:
        mod.write_text(text, encoding="utf-8")
