"""The native engine on a CUDA device (options={"device": "cuda"}): the same plan and the same arrays.

One kernel runs many steps: deliver.py's functions are the same for all networks, code.py writes the loop with
the bodies that codegen.py wrote for the types of cells, session.py moves arrays and reads spikes. It needs
numba-cuda with a device, or numba's simulator (NUMBA_ENABLE_CUDASIM=1), which is for tests and very slow.
"""

from __future__ import annotations

import os

from portable.errors import BackendUnavailable


def simulated() -> bool:
    """Whether numba's simulator stands in for a device."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def needed() -> None:
    """BackendUnavailable, with the reason and what to do, where there is no device."""
    try:
        from numba import cuda

        if simulated() or cuda.is_available():
            return
        why = "there is no CUDA device, or its driver does not answer"
    except ImportError as error:
        why = str(error)
    raise BackendUnavailable(
        f"native, device 'cuda': {why}; leave the option out, or where there is a device install "
        "'numba-cuda[cu12]'"
    )
