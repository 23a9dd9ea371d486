"""Generated source -> module compiled by numba, kept on disk: a second process loads the machine code instead
of compiling.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numba
import platformdirs

WRITTEN = 1_000_000_000  # seconds since 1970, of every generated file
_LOADED: dict[str, ModuleType] = {}


def cache_folder() -> Path:
    """Where generated modules are kept; PORTABLE_CACHE overrides the platform's cache folder."""
    root = os.environ.get("PORTABLE_CACHE") or platformdirs.user_cache_dir("portable")
    return Path(root) / "native"


def load(source: str, *imported: Path) -> ModuleType:
    """The module of the generated source. imported: the files of what it calls, which numba compiles into it
    and whose changes it would not notice.
    """
    parts = [source.encode(), numba.__version__.encode(), *(file.read_bytes() for file in imported)]
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
    if name not in _LOADED:
        path = _write(f"portable_{name}", source)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        _LOADED[name] = module
    return _LOADED[name]


def _write(stem: str, source: str) -> Path:
    """The file of that source. numba keeps machine code by the file's time of writing: a fixed one, since the
    name tells the content.

    So it stays valid where two processes write the same file, one after the other, while the first is
    compiling it.
    """
    for folder in (cache_folder(), None):
        try:
            folder = folder or Path(
                tempfile.mkdtemp(prefix="portable-")
            )  # ours alone: a shared folder could hold another's code
            path = folder / f"{stem}.py"
            if path.exists() and path.read_text(encoding="utf-8") == source:
                return path
            folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_text(source, encoding="utf-8")
            os.utime(temporary, (WRITTEN, WRITTEN))
            temporary.replace(path)
            return path
        except OSError:
            continue
    raise OSError("no folder to keep generated code in; set PORTABLE_CACHE to one that can be written")
