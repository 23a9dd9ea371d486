"""What a backend is held against: a run of the reference, made once for all backends and processes of a test
run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from portable.locks import alone
from portable.model.network import Network
from portable.resolve.digest import model_hash
from portable.results.storage import load_results, save_results
from portable.results.tables import Results
from portable.simulation import run

BACKEND = "reference"


class ReferenceRuns:
    """Runs of the reference, in a folder that belongs to one run of the tests: nothing in it is older than
    the code that is tested.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, network: Network, duration: float | str, **how: Any) -> Results:
        """What `run(network, "reference", duration, **how)` gives. `how`: numbers and words only."""
        asked = json.dumps([model_hash(network), duration, how], sort_keys=True)
        name = hashlib.sha256(asked.encode()).hexdigest()[:32]
        path = self.folder / f"{name}.npz"
        with alone(path.with_suffix(".lock")):
            if not path.exists():
                save_results(run(network, BACKEND, duration, **how), path)
        return load_results(path)
