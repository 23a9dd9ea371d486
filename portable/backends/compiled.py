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

from portable import caches
from portable.files import whole

WRITTEN = 1_000_000_000  # seconds since 1970, of every generated file
_LOADED: dict[str, ModuleType] = {}


def cache_folder() -> Path:
    """Where generated modules are kept."""
    return caches.folder("native")


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
            caches.made(folder)
            with whole(path) as part:
                part.write_text(source, encoding="utf-8")
                os.utime(part, (WRITTEN, WRITTEN))
            return path
        except OSError:
            continue
    raise OSError("no folder to keep generated code in; set PORTABLE_CACHE to one that can be written")
