"""Several processes that fill numba's cache at a time: each machine code has a file of its own."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching

from portable import numba_cache


def test_two_that_save_at_a_time_get_a_file_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both read the list before either writes it: without the lock the second code takes the first one's
    file.
    """
    numba_cache.share()
    numba_cache.share()  # a second time changes nothing
    read = caching.IndexDataCacheFile._load_index

    def slow(self: Any) -> Any:
        overloads = read(self)
        time.sleep(0.1)
        return overloads

    monkeypatch.setattr(caching.IndexDataCacheFile, "_load_index", slow)
    files = [caching.IndexDataCacheFile(str(tmp_path), "f", "stamp") for _ in range(4)]
    threads = [
        threading.Thread(target=file.save, args=(f"signature {i}", f"code {i}"))
        for i, file in enumerate(files)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [files[0].load(f"signature {i}") for i in range(4)] == [f"code {i}" for i in range(4)]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    numba_cache.share()
    file = caching.IndexDataCacheFile(str(tmp_path / "absent"), "f", "stamp")
    assert file.load("signature") is None
