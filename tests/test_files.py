"""Files that appear whole, and the one root of all caches."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from portable import caches, files

BOTH = """
import sys, time
from pathlib import Path
from portable.files import whole

place, mine, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with whole(place / "run.npz") as part:
    part.write_bytes(mine.encode())
    (place / mine).touch()
    while not (place / other).exists():  # both are in the middle of it
        time.sleep(0.01)
    assert part.read_bytes() == mine.encode()
    part.write_bytes(mine.encode() * 1000)
"""


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_two_processes_that_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", BOTH, tmp_path, *who], stderr=subprocess.PIPE, text=True)
        for who in (("a", "b"), ("b", "a"))
    ]
    assert [p.communicate()[1] for p in both] == ["", ""]
    assert [p.returncode for p in both] == [0, 0]
    assert (tmp_path / "run.npz").read_bytes() in (b"a" * 1000, b"b" * 1000)
    assert names(tmp_path) == ["a", "b", "run.npz"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.whole(target) as part:
        part.write_text(f"new {1 // 0}")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["x.json"]


def test_rights_are_those_of_open(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        files.write(tmp_path / "new", "text")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    files.write(tmp_path / "new", "text")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_link_stays_a_link_and_what_is_no_file_is_written_itself(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "real")
    files.write(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "real").read_text() == "text"
    files.write(os.devnull, "text")
    assert not Path(os.devnull).is_file()


def test_a_missing_folder_is_told_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere/x\.json"):
        files.write(tmp_path / "nowhere" / "x.json", "text")


def test_the_longest_name_that_the_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 250 + ".json")
    files.write(target, "text")
    assert target.read_text() == "text"


def test_unfinished_files_of_killed_processes_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(caches.VARIABLE, str(tmp_path))
    place = caches.folder("native")
    place.mkdir()
    killed = f"import os\nfrom portable.files import whole\nwith whole({str(place / 'y.npz')!r}): os._exit(1)"
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == 1
    (left,) = place.iterdir()
    (place / "kept.npz").write_text("")
    assert caches.made(place) == place
    assert left.exists()  # another process may still write it
    long_ago = left.stat().st_mtime - files.STALE - 1
    os.utime(left, (long_ago, long_ago))
    os.utime(place / "kept.npz", (long_ago, long_ago))
    files.sweep(place)
    assert names(place) == ["kept.npz"]


def test_every_cache_has_one_root() -> None:
    """Nobody else asks where the user's cache is."""
    package = Path(caches.__file__).parent
    for path in package.rglob("*.py"):
        if path.name != "caches.py":
            text = path.read_text(encoding="utf-8")
            assert "user_cache_dir" not in text, path
            assert '"PORTABLE_CACHE"' not in text, path


def test_nothing_else_renames_what_it_has_written() -> None:
    package = Path(files.__file__).parent
    for path in package.rglob("*.py"):
        if path.name != "files.py":
            assert "os.replace" not in path.read_text(encoding="utf-8"), path
