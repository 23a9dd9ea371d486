"""Links: before the updates of a step, variables of cells are added to inputs of others, in the order of the
program's couplings.

Every linked input is a field of its cells, and so is every variable that a link reads and that is no state: a
generated function computes it for all cells of its group. Then a coupling is a list of places to read and
places to add to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portable.backends.native.cells import Arena
from portable.backends.native.layout import BLOCK, SEEN
from portable.backends.native.tables import COUPLING
from portable.resolve.program import Program


def tables(program: Program, arena: Arena, reader: Callable[[str, str], int]) -> dict[str, Any]:
    """What loop.couple reads, of the one part that there is where a program has links. cleared (n, 3): place
    of a linked input's first block, blocks, distance; couplings: tables.Coupling. reader(group, variable) is
    the number of the code that computes a variable."""
    cleared, rows, places = [], [], [(np.zeros(0, dtype=np.int64),) * 2]
    for name in dict.fromkeys(c.target for c in program.links):
        cells = arena.cells[name]
        for field in (f for f in cells.layout.fields if f in cells.group.flat.inputs):
            at = cells.offsets[0] + cells.layout.fields.index(field) * BLOCK
            cleared.append((at, int(cells.cuts[1]), len(cells.layout.fields) * BLOCK))
    done, used = set[tuple[str, str]](), 0
    for c in program.links:
        cells, code = arena.cells[c.source], 0
        state = c.variable in cells.group.flat.state_names
        if (
            not state and (c.source, c.variable) not in done
        ):  # all that it reads is there: couplings are in order of evaluation
            done.add((c.source, c.variable))
            code = reader(c.source, c.variable)
        rows.append((code, cells.offsets[0], int(cells.cuts[1]), cells.scalars, used, used + c.pre.size))
        used += c.pre.size
        places.append(
            (
                cells.positions(c.pre, c.variable if state else SEEN + c.variable)[1],
                arena.cells[c.target].positions(c.post, c.input)[1],
            )
        )
    return {
        "cleared": np.array(cleared, dtype=np.int64).reshape(-1, 3),
        "couplings": np.array(rows, dtype=np.int64).reshape(-1, len(COUPLING)),
        "link_from": np.concatenate([a for a, _ in places]),
        "link_to": np.concatenate([b for _, b in places]),
    }
