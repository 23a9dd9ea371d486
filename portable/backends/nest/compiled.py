"""NESTML text -> a module that NEST can install: generated and compiled once, cached by content (one model a
module).

The key is the model's text, the versions of NEST and NESTML, the compiler and its flags; an entry is a
finished .so, put in place by a rename. Of several processes (or threads) that need the same one at a time,
one builds it and the others wait for it; different models are built side by side.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from portable import process
from portable.backends.nest.plan import Nestml
from portable.errors import BackendFailed, BackendUnavailable
from portable.locks import alone

HEADERS = ("gsl/gsl_odeiv.h", "ltdl.h", "boost/version.hpp")
PACKAGES = "apt-get install g++ libgsl-dev libltdl-dev libboost-dev"
FLAGS = ("-O2", "-std=c++20", "-fPIC", "-fopenmp", "-ffp-contract=off", "-D_GLIBCXX_USE_CXX11_ABI=0")


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


def headers() -> Path | None:
    """The folder of NEST's headers, found without importing NEST."""
    spec = find_spec("nest")
    folder = Path(spec.origin).parent / "include" / "nest" if spec and spec.origin else None
    return folder if folder and folder.is_dir() else None


def folder() -> Path:
    """Where finished modules are kept: $PORTABLE_CACHE/nest or the user's cache folder."""
    import platformdirs

    base = os.environ.get("PORTABLE_CACHE")
    return (Path(base) if base else Path(platformdirs.user_cache_dir("portable-snn"))) / "nest"


def key(model: Nestml) -> str:
    """What a finished module depends on."""
    parts = [
        version("nest-simulator"),
        version("nestml"),
        sys.version.split()[0],
        compiler(),
        *FLAGS,
        model.text,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def path_of(model: Nestml) -> Path:
    """Where the module of this model is or will be."""
    return folder() / f"portable_{key(model)}_module.so"


def shared_object(model: Nestml) -> Path:
    """The module, built if it is not in the cache (about 20 s). BackendUnavailable without a compiler,
    BackendFailed if it refuses.
    """
    path = path_of(model)
    if path.exists():
        return path
    if reason := missing():
        raise BackendUnavailable(f"this network needs a NEST model made from NESTML, and {reason}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_suffix(".lock")), tempfile.TemporaryDirectory(prefix="portable-nest-") as place:
        if not path.exists():  # nobody has built it while this process waited
            built = _build(model, Path(place), path.stem)
            temporary = path.with_suffix(f".{os.getpid()}.part")
            shutil.copyfile(built, temporary)
            os.replace(temporary, path)
    return path


def _build(model: Nestml, place: Path, module: str) -> Path:
    source, target = place / "nestml", place / "cpp"
    source.mkdir()
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
            *FLAGS,
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
