"""Generated source -> compiled module, kept on disk: a second process loads the machine code instead of
compiling.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import platformdirs

WRITTEN = 1_000_000_000  # seconds since 1970, of every generated file
_LOADED: dict[str, Any] = {}


def cache_folder() -> Path:
    """Where generated modules are kept; PORTABLE_CACHE overrides the platform's cache folder."""
    root = os.environ.get("PORTABLE_CACHE") or platformdirs.user_cache_dir("portable")
    return Path(root) / "native"


def load(source: str) -> Callable[..., Any]:
    """The function `run` of the generated source."""
    folder = Path(__file__).parent
    kernels = b"".join(
        (folder / name).read_bytes() for name in ("kernels.py", "functions.py", "../../resolve/random.py")
    )
    name = hashlib.sha256(b"\0".join((source.encode(), kernels, numba.__version__.encode()))).hexdigest()[:24]
    if name not in _LOADED:
        path = _write(f"portable_{name}", source)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        _LOADED[name] = module.run
    run: Callable[..., Any] = _LOADED[name]
    return run


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
