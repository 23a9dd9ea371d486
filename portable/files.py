"""Files that appear whole or not at all, whoever else writes the same one at that moment."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PART = ".part"
STALE = 24 * 3600.0  # seconds after which an unfinished file belongs to nobody: longer than any is written


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The name under which to write `path`; the file gets its own name when the block has ended well.

    Until then `path` is what it was, and after an error it still is. The name is used by this call only (two
    processes that write one file never meet), lies in the same folder and has the same suffix. Rights and
    links are those that open(path, "w") would leave: the umask's for a new file, the old ones otherwise, and
    a symbolic link stays one. What is no regular file (/dev/stdout) is written itself.

    OSError where the folder is missing or cannot be written, with the name that was asked for.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield target
        return
    part = target.with_name(f".{secrets.token_hex(8)}{PART}{target.suffix}")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        if target.exists():
            shutil.copymode(target, part)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file whole; text as UTF-8."""
    with whole(path) as part:
        part.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_together(contents: Mapping[Path, str | bytes]) -> None:
    """Write several files: all are complete before the first gets its name, and where one cannot get its own,
    those that were not there before are taken back.
    """
    before = {path for path in contents if path.exists()}
    try:
        with contextlib.ExitStack() as waiting:
            for path, content in contents.items():
                part = waiting.enter_context(whole(path))
                part.write_bytes(content if isinstance(content, bytes) else content.encode())
    except BaseException:
        for path in contents.keys() - before:
            path.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left unfinished in a folder of ours."""
    for left in folder.glob(f".*{PART}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()
