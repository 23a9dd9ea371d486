"""The one place of everything that is kept to save work: compiled models, finished runs.

$PORTABLE_CACHE, else the user's cache folder of the platform. All of it can be deleted at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

from portable.files import sweep

VARIABLE = "PORTABLE_CACHE"
_swept: set[Path] = set()


def folder(name: str) -> Path:
    """Where `name` (a backend, "validation") keeps what it has made. It may not be there yet."""
    root = os.environ.get(VARIABLE)
    if not root:
        from platformdirs import user_cache_dir

        root = user_cache_dir("portable-snn")
    return Path(root) / name


def made(place: Path) -> Path:
    """The folder, made if it is not there, without what a killed process left unfinished in it. OSError where
    it cannot be made.
    """
    place.mkdir(parents=True, exist_ok=True)
    if place not in _swept:
        sweep(place)
        _swept.add(place)
    return place
