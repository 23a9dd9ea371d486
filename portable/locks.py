"""One process at a time: a lock that is a file, for caches that several processes fill."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process or thread holds this file. The system frees the lock of a process that was
    killed; the file stays.

    Without locks (Windows, some network file systems) nobody waits: what is put in place by a rename stays
    whole all the same.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        yield
