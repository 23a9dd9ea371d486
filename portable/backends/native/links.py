"""Links: before the updates of a step, variables of cells are added to inputs of others, in the order of the
program's couplings.

Every linked input is a field of its cells, and so is every variable that a link reads and that is no state: a
generated function computes it for all cells of its group. Then a coupling is a list of places to read and
places to add to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from portable.backends.native.cells import Arena
from portable.backends.native.layout import BLOCK, SEEN
from portable.resolve.program import Program

# As driver.ARRAYS, for programs with links only.
ARRAYS: dict[str, tuple[str, int]] = {
    "cleared": ("int64", 2),
    "couplings": ("int64", 2),
    "link_from": ("int64", 1),
    "link_to": ("int64", 1),
}
CALL = "couple(k, dt, cleared, couplings, link_from, link_to, F, C)"


def source(readers: Sequence[tuple[int, str]]) -> str:
    """The function that does it; `readers` are (layout, variable) of the functions that compute variables."""
    calls = [
        f"        {'if' if i == 0 else 'elif'} row[0] == {i}:\n            read_{k}_{v}(F, row[1], row[2], "
        "C, row[3], step, dt)\n"
        for i, (k, v) in enumerate(readers)
    ]
    return (
        f"""@njit(**OPTIONS)
def couple(step, dt, cleared, couplings, link_from, link_to, F, C):
    for r in range(cleared.shape[0]):
        for b in range(cleared[r, 1]):
            at = cleared[r, 0] + b * cleared[r, 2]
            for i in range({BLOCK}):
                F[at + i] = 0.0
    for r in range(couplings.shape[0]):
        row = couplings[r]
"""
        + "".join(calls)
        + """        for j in range(row[4], row[5]):
            F[link_to[j]] += F[link_from[j]]


"""
    )


def tables(
    program: Program, arena: Arena, kinds: Mapping[str, int], readers: dict[tuple[int, str], int]
) -> dict[str, Any]:
    """What `source`'s function reads, of the one part that there is. cleared (n, 3): place of a linked
    input's first block, blocks, distance; couplings (n, 6): reader or -1, its group's fields, blocks and
    scalars, low and high of the places. Numbers the readers."""
    cleared, rows, places = [], [], [(np.zeros(0, dtype=np.int64),) * 2]
    for name in dict.fromkeys(c.target for c in program.links):
        cells = arena.cells[name]
        for field in (f for f in cells.layout.fields if f in cells.group.flat.inputs):
            at = cells.offsets[0] + cells.layout.fields.index(field) * BLOCK
            cleared.append((at, int(cells.cuts[1]), len(cells.layout.fields) * BLOCK))
    done, used = set[tuple[str, str]](), 0
    for c in program.links:
        cells, reader = arena.cells[c.source], -1
        state = c.variable in cells.group.flat.state_names
        if (
            not state and (c.source, c.variable) not in done
        ):  # all that it reads is there: couplings are in order of evaluation
            done.add((c.source, c.variable))
            reader = readers.setdefault((kinds[c.source], c.variable), len(readers))
        rows.append((reader, cells.offsets[0], int(cells.cuts[1]), cells.scalars, used, used + c.pre.size))
        used += c.pre.size
        places.append(
            (
                cells.positions(c.pre, c.variable if state else SEEN + c.variable)[1],
                arena.cells[c.target].positions(c.post, c.input)[1],
            )
        )
    return {
        "cleared": np.array(cleared, dtype=np.int64).reshape(-1, 3),
        "couplings": np.array(rows, dtype=np.int64).reshape(-1, 6),
        "link_from": np.concatenate([a for a, _ in places]),
        "link_to": np.concatenate([b for _, b in places]),
    }
