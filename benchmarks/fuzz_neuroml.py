"""Mutated copies of NeuroML files: each must be read, or refused with a ModelError, within seconds.

    python benchmarks/fuzz_neuroml.py --models ../shared/neuroml --minutes 2 [--seed 1]

A text that raises anything else is written to the current folder. tests/test_neuroml_bad_input.py does the same for some files of our own.
"""

from __future__ import annotations

import argparse
import collections
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import portable as pt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from test_neuroml_bad_input import FUZZED, mutated


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    files = [*sorted((a.models / "examples").glob("*.nml")), *sorted((a.models / "LEMSexamples").glob("LEMS*.xml"))]
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
            try:
                pt.read_neuroml(path, folder=folder)
                result = "read"
            except pt.ModelError:
                result = "refused"
            except Exception as error:
                result = f"{type(error).__name__}: {str(error)[:100]}"
                if not seen[result]:
                    Path(f"fuzz_{len(seen)}.nml").write_text(text, errors="replace")
            seen[result] += 1
            slowest = max(slowest, time.monotonic() - began)
    for result, count in seen.most_common():
        print(f"{count:7} {result}")
    print(f"slowest: {slowest:.2f} s")
    return int(bool(seen.keys() - {"read", "refused"}))


if __name__ == "__main__":
    sys.exit(main())
