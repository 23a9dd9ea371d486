"""What writing a model down has made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from portable.resolve.program import Approximation


@dataclass(frozen=True, repr=False)
class Written:
    """What was written: the files, the one to run or to open (`main`), and everything that is not as in the
    model.
    """

    folder: Path
    files: tuple[str, ...]
    main: str
    approximations: tuple[Approximation, ...]

    @property
    def path(self) -> Path:
        """The main file."""
        return self.folder / self.main

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{n} ({_size((self.folder / n).stat().st_size) if (self.folder / n).exists() else 'gone'})"
            for n in self.files
        )
        notes = "".join(
            f"\n  {a.where}: {a.got} instead of {a.asked}; error: {a.largest_error}"
            for a in self.approximations
        )
        return f"Written({str(self.folder)!r}, main {self.main!r}: {sizes}){notes}"


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]
    return f"{count:.3g} GB"
