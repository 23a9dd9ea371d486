"""NESTML text -> a module that NEST can install: generated and compiled once, cached by content.

The key is the model's text, the versions of NEST and NESTML, the compiler and its flags. What a network needs
and no module holds yet is built as one module: a finished .so, put in place by a rename, then for each of its
models a file that names it. Of several processes (or threads) that need the same model at a time, one builds
it and the others wait for it; different models are built side by side.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from portable import caches, files, process
from portable.activity import doing
from portable.backends.nest.plan import Nestml
from portable.errors import BackendFailed, BackendUnavailable
from portable.locks import alone

HEADERS = ("gsl/gsl_odeiv.h", "ltdl.h", "boost/version.hpp")
PACKAGES = "apt-get install g++ libgsl-dev libltdl-dev libboost-dev"
AT_ONCE = 6  # models of a module: NESTML looks through the symbols of all, which grows with their square
FLAGS = ("-O2", "-std=c++20", "-fPIC", "-fopenmp", "-ffp-contract=off", "-D_GLIBCXX_USE_CXX11_ABI=0")


def flags() -> tuple[str, ...]:
    """Ours, and behind them those of $CXXFLAGS."""
    return (*FLAGS, *shlex.split(os.environ.get("CXXFLAGS", "")))


def compiler() -> str:
    """The C++ compiler: $CXX or g++."""
    return os.environ.get("CXX", "g++")


@functools.cache
def missing() -> str:
    """What is missing to compile a generated model, with the line that installs it; "" if nothing."""
    try:
        version("nestml")
    except PackageNotFoundError:
        return "the generator NESTML is not installed: pip install 'portable-snn[nest]'"
    if shutil.which(compiler()) is None:
        return f"there is no C++ compiler '{compiler()}': {PACKAGES}"
    if headers() is None:
        return "NEST's headers are not in its package: pip install --force-reinstall nest-simulator"
    text = "".join(f"#include <{h}>\n" for h in HEADERS)
    tried = subprocess.run(
        [compiler(), "-E", "-x", "c++", "-"], input=text, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        lost = next((h for h in HEADERS if f"{h}: " in tried.stderr), "a header")
        return f"the C++ header {lost} is missing: {PACKAGES}"
    return ""


def too_old() -> str:
    """Why this NESTML generates no synapses as ours are written; "" if it does."""
    found = version("nestml")
    if int(found.split(".")[0]) >= 9:
        return ""
    return f"the generator NESTML {found} is older than 9: pip install --upgrade nestml"


def headers() -> Path | None:
    """The folder of NEST's headers, found without importing NEST."""
    spec = find_spec("nest")
    folder = Path(spec.origin).parent / "include" / "nest" if spec and spec.origin else None
    return folder if folder and folder.is_dir() else None


def folder() -> Path:
    """Where finished modules are kept."""
    return caches.folder("nest")


def key(model: Nestml) -> str:
    """What a finished module depends on."""
    parts = [
        version("nest-simulator"),
        version("nestml"),
        sys.version.split()[0],
        compiler(),
        *flags(),
        model.text,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def module_of(model: Nestml) -> Path | None:
    """The finished module that holds this model; None if there is none."""
    note = _note(model)
    try:
        path = folder() / note.read_text(encoding="utf-8")
    except OSError:
        return None
    return path if path.exists() else None


def _note(model: Nestml) -> Path:
    """Where the name of a model's module is written once that is finished."""
    return folder() / f"portable_{key(model)}.module"


def shared_objects(models: Sequence[Nestml]) -> list[Path]:
    """The modules that hold these models, each once. Those that are in no module yet go into one, together:
    to start NESTML and to read NEST's headers takes longer (some 15 s) than a model more (some 3 s).

    BackendUnavailable without a compiler, BackendFailed if it or NESTML refuses a model.
    """
    by_key = {key(m): m for m in models}
    if any(module_of(m) is None for m in by_key.values()):
        if reason := missing():
            raise BackendUnavailable(f"this network needs a NEST model made from NESTML, and {reason}")
        caches.made(folder())
        with contextlib.ExitStack() as locks:
            for name in sorted(by_key):  # in one order everywhere: nobody waits for one that waits
                locks.enter_context(alone(folder() / f"portable_{name}.lock"))
            # what another process has built while this one waited is there now
            _build_together([m for m in by_key.values() if module_of(m) is None])
    return list(dict.fromkeys(path for m in by_key.values() if (path := module_of(m)) is not None))


def _build_together(models: Sequence[Nestml]) -> None:
    for low in range(0, len(models), AT_ONCE):
        some = models[low : low + AT_ONCE]
        try:
            _finish(some)
        except BackendFailed:
            if len(some) == 1:
                raise
            for model in some:  # one at a time: the message is then of the model that was refused
                _finish([model])


def _finish(models: Sequence[Nestml]) -> None:
    """Build one module of some models, put it into its place, then note for each model where it is."""
    doing(f"NESTML and a C++ compiler make {len(models)} of its models, kept for later (half a minute)")
    digest = hashlib.sha256("\0".join(sorted(map(key, models))).encode()).hexdigest()[:16]
    path = folder() / f"portable_{digest}_module.so"
    with tempfile.TemporaryDirectory(prefix="portable-nest-") as place, files.whole(path) as part:
        shutil.copyfile(_build(models, Path(place), path.stem), part)
    for model in models:
        files.write(_note(model), path.name)


def _build(models: Sequence[Nestml], place: Path, module: str) -> Path:
    source, target = place / "nestml", place / "cpp"
    source.mkdir()
    for model in models:
        (source / f"{model.name}.nestml").write_text(model.text, encoding="utf-8")
    _call(
        process.command("portable.backends.nest.codegen", str(source), str(target), module),
        place,
        "NESTML's code generator",
    )
    out = place / f"{module}.so"
    _call(
        [
            compiler(),
            *flags(),
            f"-I{headers()}",
            f"-I{target}",
            "-shared",
            str(target / f"{module}.cpp"),
            "-o",
            str(out),
        ],
        place,
        "the C++ compiler",
    )
    return out


def _call(command: list[str], place: Path, who: str) -> None:
    """Run it; BackendFailed with the end of what it said if it fails."""
    done = subprocess.run(
        command,
        cwd=place,
        env=process.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise BackendFailed(f"{who} refused a generated model:\n{tail}")
