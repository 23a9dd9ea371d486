"""Mutated copies of NeuroML files: each must be read, or refused with a ModelError, within seconds.

    python benchmarks/fuzz_neuroml.py --models ../shared/neuroml --minutes 2 [--seed 1] [--out folder]

Each text is read, checked for the native backend, and all of its problems are listed; one that raises
anything else, or takes longer than LIMIT, is written to the folder. tests/test_neuroml_fuzz.py does the same
for a bounded number.
"""

from __future__ import annotations

import argparse
import collections
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import portable as pt
from portable.schemas.neuroml.read import problems

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from mutations import mutated
from neuroml_texts import FUZZED

LIMIT = 10  # s


class TooLong(BaseException):
    """Not an Exception, so that nobody takes it for one of his own."""


def outcome(path: Path, folder: Path) -> str:
    """ "read", "refused", or what went wrong and where."""
    signal.alarm(LIMIT)
    try:
        try:
            net = pt.read_neuroml(path, folder=folder)
            pt.check(net, "native", dt=net.settings.dt if net.settings else None)
            result = "read"
        except (pt.ModelError, pt.BackendUnavailable):
            result = "refused"
        found = problems(path, folder)
        if result == "read" and len(found) > 1000:
            result = "more than 1000 problems"
    except (Exception, TooLong) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        result = f"{type(error).__name__}: {str(error)[:100]} at {Path(last.filename).name}:{last.lineno}"
    finally:
        signal.alarm(0)
    return result


def _too_long(*_: object) -> None:
    raise TooLong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", type=Path, required=True, help="folder with examples/*.nml and LEMSexamples/LEMS*.xml"
    )
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out", type=Path, default=Path(), help="where texts that were neither read nor refused go"
    )
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("error", RuntimeWarning)
    signal.signal(signal.SIGALRM, _too_long)
    files = [
        *sorted((a.models / "examples").glob("*.nml")),
        *sorted((a.models / "LEMSexamples").glob("LEMS*.xml")),
    ]
    texts = [*FUZZED, *(f.read_text() for f in files)]
    seen: collections.Counter[str] = collections.Counter()
    rng, end, slowest = random.Random(a.seed), time.monotonic() + 60 * a.minutes, 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(a.models / "examples", folder / "examples")
        (folder / "main").mkdir()
        path = folder / "main" / "bad.nml"
        while time.monotonic() < end:
            text = mutated(rng.choice(texts), rng)
            path.write_text(text, errors="replace")
            began = time.monotonic()
            result = outcome(path, folder)
            if result not in ("read", "refused") and not seen[result]:
                (a.out / f"fuzz_{a.seed}_{len(seen)}.nml").write_text(text, errors="replace")
            seen[result] += 1
            slowest = max(slowest, time.monotonic() - began)
    for result, count in seen.most_common():
        print(f"{count:7} {result}")
    print(f"slowest: {slowest:.2f} s")
    return int(bool(seen.keys() - {"read", "refused"}))


if __name__ == "__main__":
    sys.exit(main())
