"""How much memory this process has used, wherever it runs."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

HAS_LIMIT = find_spec("resource") is not None  # not on Windows


def forget_peak() -> None:
    """Begin to measure the peak anew (Linux only)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Peak resident memory in bytes since the start of this process, or since `forget_peak`."""
    with suppress(OSError, ValueError, StopIteration):
        line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    import psutil

    now = psutil.Process().memory_info()
    if (peak_wset := getattr(now, "peak_wset", None)) is not None:  # Windows
        return int(peak_wset)
    with suppress(ImportError):
        import resource

        # in bytes on macOS, in KiB elsewhere
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(largest) * (1 if sys.platform == "darwin" else 1024)
    return int(now.rss)


def limit(size: int) -> None:
    """Refuse memory beyond `size` bytes, so that this process fails and not another one. Where HAS_LIMIT."""
    import resource

    import numpy as np
    from scipy.linalg import expm

    # OpenBLAS, of which numpy and scipy have one each, gets its buffers at first use, and where it is refused
    # them it asks again for ever.
    some = np.ones((64, 64))
    expm(np.linalg.solve(some + 64 * np.eye(64), some @ some))
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
