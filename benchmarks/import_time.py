"""How long `import portable`, declaring a network, and loading what a run needs take. Each in 7 fresh
interpreters, median in ms.

python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

CASES = {
    "python alone": "pass",
    "import portable": "import portable",
    "declare a network": "import portable as pt; pt.Network('n', [pt.Population('a', 8, pt.IF_curr_exp())])",
    "ready to run (numba)": "import portable as pt; pt.run",
}


def milliseconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    for name, code in CASES.items():
        milliseconds(code)  # bytecode and disk cache
        print(f"{name:22s} {statistics.median(milliseconds(code) for _ in range(7)):7.0f} ms")


if __name__ == "__main__":
    main()
