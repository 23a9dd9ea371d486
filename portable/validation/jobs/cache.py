"""Finished runs by their key: a .npz of results and a .json of the rest, in a folder that can be deleted at
any time.

Both are written under another name and renamed when whole, the .json last, so a run that was killed leaves
nothing that looks finished.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from portable import caches, files
from portable.errors import ModelError
from portable.results.storage import load_results
from portable.validation.jobs.job import OK, Outcome
from portable.validation.readback import ReadBack


class Cache:
    """A folder of finished runs."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = Path(folder) if folder is not None else caches.folder("validation")
        try:
            caches.made(self.folder)
        except OSError as error:
            raise ModelError(
                str(self.folder),
                f"cannot hold the finished runs: {error.strerror}",
                f"give another folder with --cache or {caches.VARIABLE}",
            ) from error

    def results(self, key: str) -> Path:
        """Where the results of a job are, or go."""
        return self.folder / f"{key}.npz"

    def read(self, key: str) -> Outcome | None:
        """The outcome of a finished job; None if there is none, or one that cannot be read (it is then made
        again).
        """
        about = self.folder / f"{key}.json"
        if not about.is_file():
            return None
        try:
            data = json.loads(about.read_text(encoding="utf-8"))
            held = data.pop("read_back")
            return Outcome(
                **data,
                results=load_results(self.results(key)),
                read_back=ReadBack(**{**held, "absent": tuple(held["absent"])}) if held else None,
                cached=True,
            )
        except (OSError, ValueError, TypeError, KeyError, EOFError, ModelError):
            return None

    def keep(self, key: str, outcome: Outcome) -> Outcome:
        """Finish a job whose results are at results(key): the outcome with its results. Only what went well
        is kept.
        """
        if outcome.status != OK:
            return outcome
        about = asdict(replace(outcome, results=None, cached=False))
        del about["results"], about["cached"]
        files.write(self.folder / f"{key}.json", json.dumps(about))
        return replace(outcome, results=load_results(self.results(key)))
