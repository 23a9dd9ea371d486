"""Starting jNeuroML's jar: where Java and the jar are, and what makes a start short.

A start spends most of its time on reading thousands of classes and compiling what soon ends. Where Java can
(13 or later), the first start leaves an archive of the classes in the cache, which the following ones map
into memory; and short runs are compiled by the quick one of Java's two compilers (measured, a network of 20
cells for 100 ms: 2.8 s of processor time with both, 1.7 s by the quick one, 1.3 s with the archive, too).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from portable import caches
from portable.errors import BackendUnavailable
from portable.files import whole

# One short run at a time: the serial collector starts 0.3 s sooner; no window is ever wanted; what a Java
# does not know of these is passed over.
FLAGS = ("-Djava.awt.headless=true", "-XX:+UseSerialGC", "-XX:+IgnoreUnrecognizedVMOptions")
QUICK = "-XX:TieredStopAtLevel=1"


def jar() -> Path | None:
    """jNeuroML's jar in the installed pyneuroml; None if there is none."""
    spec = importlib.util.find_spec("pyneuroml")  # finds, does not import
    folders = spec.submodule_search_locations if spec is not None else None
    found = [
        p
        for folder in folders or []
        for p in sorted(Path(folder, "lib").glob("jNeuroML-*-jar-with-dependencies.jar"))
    ]
    return found[-1] if found else None


def jar_version() -> str | None:
    """jNeuroML's version, from the name of its jar."""
    path = jar()
    found = re.match(r"jNeuroML-(.+)-jar-with", path.name) if path is not None else None
    return found[1] if found else None


def launcher() -> str | None:
    """The Java launcher: that of JAVA_HOME, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    return (shutil.which("java", path=str(Path(home, "bin"))) if home else None) or shutil.which("java")


def found() -> tuple[str, Path]:
    """The launcher and the jar. BackendUnavailable, with the install line, where one is missing."""
    program, path = launcher(), jar()
    if program is None:
        raise BackendUnavailable(
            "jNeuroML needs Java, and there is none on PATH; apt install default-jre-headless"
        )
    if path is None:
        raise BackendUnavailable(
            "jNeuroML's jar comes with pyneuroml, which is not installed; pip install 'portable-snn[neuroml]'"
        )
    return program, path


@contextlib.contextmanager
def command(quick: bool = True) -> Iterator[list[str]]:
    """What starts jnml, without its arguments; quick: for runs of a few seconds. A start that has ended well
    when the block ends leaves the archive for the next ones. BackendUnavailable as in `found`.
    """
    program, path = found()
    flags = [*FLAGS, *([QUICK] if quick else [])]
    archive = _archive(program, path)
    with contextlib.ExitStack() as until_the_end:
        if archive is not None and not archive.exists():
            flags += [
                f"-XX:ArchiveClassesAtExit={until_the_end.enter_context(whole(archive))}",
                "-Xlog:disable",
            ]
        elif archive is not None and archive.stat().st_size:  # an empty one is of a Java that makes none
            flags += [f"-XX:SharedArchiveFile={archive}", "-Xlog:disable"]
        yield [program, *flags, "-jar", str(path)]


def _archive(program: str, path: Path) -> Path | None:
    """Where the archive of this Java and this jar is kept; None where nothing can be. Java does not map one
    that another Java or jar has made.
    """
    try:
        of = [Path(os.path.realpath(program)), path]
        key = hashlib.sha256(repr([(str(p), p.stat().st_mtime_ns) for p in of]).encode()).hexdigest()
        return caches.made(caches.folder("jneuroml")) / f"classes-{key[:16]}.jsa"
    except OSError:
        return None
