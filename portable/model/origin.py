"""Where a network comes from, if it was read from a file of another format."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Origin(Protocol):
    """What a reader leaves with the network that it made; nobody but that format's own reader, writer and
    backends looks further into it.

    format: its name ("NeuroML"). digest: of the network that was made (resolve.digest.model_hash): a network
    that was changed since comes from no file. notes: (where in the file, what) reading changed or chose, told
    as approximations. path: the file; part: which network of it; folder: what the file may refer to.
    """

    @property
    def format(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def notes(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def path(self) -> Path: ...
    @property
    def part(self) -> str: ...
    @property
    def folder(self) -> Path: ...
