"""A document executes nothing: also not what lies beside it in the folder where the user stands.

The folder has a file for every top-level module that Python or an installed package has, each of which leaves
a mark when it is imported; a command that starts processes of its own must leave none.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import portable as pt
from portable import process
from portable.backends import registry
from portable.backends.jneuroml import tools

PACKAGE = Path(pt.__file__).parent
PROGRAM = Path(sysconfig.get_path("scripts"), "portable")
NAMES = {
    name
    for name in {*sys.stdlib_module_names, *importlib.metadata.packages_distributions(), "portable"}
    if name.isidentifier() and name not in sys.builtin_module_names
}
MARK = "executed"
TRAP = f"""
import builtins
with builtins.open({MARK!r}, "a") as file:
    file.write(__name__ + "\\n")
raise SystemExit("executed: " + __name__)
"""
needs_nest = pytest.mark.skipif(registry.get("nest").version() is None, reason="NEST is not installed")


def network(cell: pt.Cell | None = None) -> pt.Network:
    cells = pt.Population("a", 3, cell or pt.IF_curr_exp(i_offset="1 nA"))
    return pt.Network("n", [cells], recordings=[pt.Record(cells, "spikes")])


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with a document in it, where every import from the folder leaves a mark."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(TRAP)
    pt.save(network(), tmp_path / "model.json")
    return tmp_path


def done_in(folder: Path, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(c) for c in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (folder / MARK).exists(), (folder / MARK).read_text() + done.stderr
    return done


def test_the_trap_works(trap: Path) -> None:
    """What a process that starts with -m would have executed."""
    with pytest.raises(AssertionError):
        done_in(trap, sys.executable, "-m", "psutil")
    assert (trap / MARK).exists()


@pytest.mark.parametrize("named", [None, "", ".", f"{os.pathsep}{os.sep}nowhere"])
@pytest.mark.parametrize(
    "command", ["check --backend native", "show", "run --backend native --duration 5"], ids=lambda c: c[:5]
)
def test_a_command_with_a_document_executes_nothing_of_the_folder(
    trap: Path, command: str, named: str | None
) -> None:
    """named: PYTHONPATH, whose empty and relative entries mean the current folder."""
    if named and sys.flags.ignore_environment:
        pytest.skip("PYTHONPATH is ignored")
    name, *options = command.split()
    starts = [sys.executable, "-P", "-c", "import portable.cli as c, sys; sys.exit(c.main())"]
    path = {} if named is None else {"PYTHONPATH": named}
    if named:  # Python itself imports these from PYTHONPATH before any program begins
        for early in (*sys.stdlib_module_names, "sitecustomize", "usercustomize"):
            (trap / f"{early}.py").unlink(missing_ok=True)
        for module in ("portable", *_of_path_files()):
            (trap / f"{module}.py").unlink(missing_ok=True)
    done = done_in(trap, *(starts if named else [PROGRAM]), name, "model.json", *options, **path)
    assert done.returncode == 0, done.stderr


def _of_path_files() -> set[str]:
    """Modules that .pth files of the environment import at every start of Python."""
    lines = [
        line
        for folder in sys.path
        for file in (Path(folder).glob("*.pth") if Path(folder).is_dir() else ())
        for line in file.read_text(errors="replace").splitlines()
    ]
    return {
        m.strip().partition(".")[0]
        for line in lines
        if line.startswith("import ")
        for named in re.findall(r"(?<!_)import ([\w., ]+)|__import__\(['\"]([\w.]+)", line)
        for m in ",".join(filter(None, named)).split(",")
    }


def test_validate_executes_nothing_of_the_folder(trap: Path) -> None:
    """Each run is done in a process of its own."""
    done = done_in(
        trap, PROGRAM, "validate", "model.json", "--backends", "native,reference", "--seeds", "1",
        "--duration", "50", "--power", "none", "--cache", trap / "cache",
    )  # fmt: skip
    assert "identical" in done.stdout, done.stdout + done.stderr
    assert done.returncode in (0, 2)  # of one seed no statistics can be told


@needs_nest
def test_a_second_nest_session_executes_nothing_of_the_folder(trap: Path) -> None:
    """The second network of a process runs in another one. The program is elsewhere, as a notebook's kernel
    is."""
    code = """
import portable as pt
network = pt.load("model.json")
with pt.open(network, "nest") as first, pt.open(network, "nest") as second:
    first.run("50 ms"), second.run("50 ms")
    assert first.results().spikes["a"].times.tolist() == second.results().spikes["a"].times.tolist() != []
"""
    done = done_in(trap, sys.executable, "-P", "-c", code)
    assert done.returncode == 0, done.stderr


@needs_nest
@pytest.mark.slow
def test_nestml_executes_nothing_of_the_folder(trap: Path) -> None:
    """The code generator is a process too."""
    own = pt.cell_type(
        "Own",
        equations="dv/dt = (v_rest - v + i_ext/g)/tau : mV",
        threshold="v > -50 mV",
        reset="v = v_rest",
        parameters={"v_rest": "-65 mV", "tau": "10 ms", "g": "10 nS"},
    )
    pt.save(network(own()), trap / "own.json")
    done = done_in(
        trap,
        PROGRAM,
        "run",
        "own.json",
        "--backend",
        "nest",
        "--duration",
        "5",
        PORTABLE_CACHE=str(trap / "c"),
    )
    assert done.returncode == 0, done.stderr
    assert list(trap.glob("c/nest/*.so"))


@pytest.mark.slow
@pytest.mark.skipif(registry.get("brian2").version() is None, reason="Brian2 is not installed")
@pytest.mark.parametrize("target", ["cython", "cpp_standalone"])
def test_brian2_executes_nothing_of_the_folder(trap: Path, target: str) -> None:
    """Nor do its compilers take declarations from there."""
    for name in ("numpy.pxd", "libc.pxd", "cython.pxd", "setup.cfg"):
        (trap / name).write_text("this is no declaration")
    done = done_in(
        trap, PROGRAM, "run", "model.json", "--backend", "brian2", "--duration", "5",
        "--option", f"target={target}", XDG_CACHE_HOME=str(trap / "c"), PORTABLE_CACHE=str(trap / "c"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    registry.get("jneuroml").version() is None
    or importlib.util.find_spec("neuron") is None
    or shutil.which("nrnivmodl", path=tools.environment()["PATH"]) is None,
    reason="jNeuroML or NEURON is not installed",
)
def test_the_export_to_neuron_executes_nothing_of_the_folder(trap: Path) -> None:
    done = done_in(
        trap, PROGRAM, "run", "model.json", "--backend", "jneuroml", "--duration", "5",
        "--option", "engine=neuron",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(process.READ_AS_PROGRAMS))
def test_files_that_a_library_takes_for_a_program_are_refused(trap: Path, name: str) -> None:
    """They cannot be left unread: Brian2 reads its own when it is imported, numba at every compilation."""
    (trap / name).write_text("")
    done = done_in(trap, PROGRAM, "run", "model.json", "--backend", "native", "--duration", "5")
    assert done.returncode == 2
    assert name in done.stderr
    assert "start portable in another folder" in done.stderr


def test_a_python_model_is_a_program_and_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text("SIZE = 4")
    (tmp_path / "brian_preferences").write_text("")
    (tmp_path / "model.py").write_text(
        "import portable as pt\nfrom sizes import SIZE\n"
        "a = pt.Population('a', SIZE, pt.IF_curr_exp())\n"
        "network = pt.Network('n', [a], recordings=[pt.Record(a, 'spikes')])\n"
    )
    done = done_in(tmp_path, PROGRAM, "run", "model.py", "--backend", "native", "--duration", "5")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", ["", ".", "a/b", f"{os.pathsep}.{os.pathsep}"])
def test_relative_entries_of_pythonpath_are_not_handed_on(path: str) -> None:
    assert "PYTHONPATH" not in process.environment({"PYTHONPATH": path})
    named = os.pathsep.join(["/one", path, "/two"])
    assert process.environment({"PYTHONPATH": named})["PYTHONPATH"] == os.pathsep.join(["/one", "/two"])


def test_a_copy_that_is_not_installed_starts_its_own_modules(tmp_path: Path) -> None:
    """A source folder that only the parent's current folder led to: the child has the same one."""
    shutil.copytree(PACKAGE, tmp_path / "portable", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "portable" / "where.py").write_text(
        "import portable, sys\nprint(portable.__file__, sys.argv)"
    )
    code = (
        "import subprocess; from portable import process;"
        "subprocess.run(process.command('portable.where', 'x'), env=process.environment(), check=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split(" ", 1)[0] == str((tmp_path / "portable" / "__init__.py").resolve())
    assert "'x']" in done.stdout


def test_no_module_starts_python_by_itself() -> None:
    """One way only: whoever starts Python in the package goes through portable.process."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "process.py":
            assert "sys.executable" not in path.read_text(encoding="utf-8"), path
