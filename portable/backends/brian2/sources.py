"""The frozen input spikes of a run, a window of steps at a time. No Brian2 in here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from portable.backends.brian2.plan import Source
from portable.resolve.program import Ints
from portable.resolve.trains import Trains


def events(
    source: Source, trains: Mapping[str, Trains], first: int, steps: int
) -> tuple[npt.NDArray[np.int32], Ints]:
    """(positions in the source, start of each step): positions of stamp first+r are
    ids[start[r]:start[r+1]], sorted.
    """
    found = [trains[m.name].spikes(first, steps) for m in source.members]
    ids = np.concatenate([at + m.offset for m, (at, _) in zip(source.members, found, strict=True)])
    rows = np.concatenate([stamps for _, stamps in found]) - first
    if len(found) > 1:
        order = np.lexsort((ids, rows))
        ids, rows = ids[order], rows[order]
    return ids.astype(np.int32), np.searchsorted(rows, np.arange(steps + 1))
