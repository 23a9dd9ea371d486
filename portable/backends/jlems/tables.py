"""What the compiled loop knows of a network besides the variables: tables in one array, by number of node,
port, kind and block.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from portable.backends.jlems.kinds import Kind

# Starts have one entry more than what they count; -1 says there is none. order: its length, then nodes in
# order of their steps, where -1 - s is kinetic scheme s. reactions, most_*: numbers that stand where others
# have an offset. delays: offset in S.
SECTIONS = (
    "node_kind",
    "node_base",
    "node_refs",
    "node_port",
    "inside_start",
    "inside",
    "order",
    "scheme_states",
    "scheme_edges",
    "states",
    "edges",
    "kind_needs",
    "kind_start",
    "kind_starts",
    "kind_regime",
    "kind_entry",
    "block_start",
    "block_ports",
    "block_regime",
    "on_event",
    "in_node",
    "in_port",
    "port_now",
    "now_code",
    "port_later",
    "later_code",
    "refs",
    "parts",
    "reactions",
    "delays",
    "most_delayed",
    "most_recorded",
)
_named: Any = namedtuple
AT = _named("At", SECTIONS)(*range(len(SECTIONS)))
# The functions of a model by the place of their address, and after them the places of those of arrays.
_NAMES = ("assign", "derive", "show", "rates", "test", "regime_rates", "regime_test")
FUNCTIONS = _named("Functions", _NAMES)(*range(len(_NAMES)))
IN_S, IN_T, IN_C = range(len(_NAMES), len(_NAMES) + 3)
BEYOND = -2  # what a test gives whose number is beyond the last
NUMBERS = frozenset({"reactions", "delays", "most_delayed", "most_recorded"})


def packed(arrays: dict[str, Any]) -> Any:
    """All tables in one array after their offsets; what `node_refs`, `refs` and `parts` point to is made
    absolute.
    """
    offsets, at = dict[str, int](), len(SECTIONS)
    for name in SECTIONS:
        if name not in NUMBERS:
            offsets[name] = at
            at += np.asarray(arrays[name]).size
    shift = {"node_refs": offsets["refs"]}
    out = np.zeros(at, dtype=np.int64)
    for i, name in enumerate(SECTIONS):
        if name in NUMBERS:
            out[i] = arrays[name]
            continue
        values = np.asarray(arrays[name]).ravel()
        out[i] = offsets[name]
        out[offsets[name] : offsets[name] + values.size] = values + shift.get(name, 0)
    out[offsets["refs"] + np.flatnonzero(arrays["into_parts"])] += offsets["parts"]
    return out


def kind_tables(kinds: list[Kind]) -> dict[str, Any]:
    """The tables of kinds, ports and blocks; blocks are numbered through all kinds, in ports as well."""
    most = max([len(k.regimes) for k in kinds], default=0)
    first, entry, starts, ports, regimes, heard = 0, [], [0], list[int](), list[int](), list[list[int]]()
    start = []
    for k in kinds:
        number = {name: i for i, name in enumerate(k.regimes)}
        start.append(first + k.start if k.start >= 0 else -1)
        of = [k.entry.get(name, -1) for name in k.regimes] + [-1] * (most - len(k.regimes))
        entry.append([first + g if g >= 0 else -1 for g in of])
        for p in k.in_ports:
            of = [k.on_event.get(p, -1), *(k.regime_event.get((r, p), -1) for r in k.regimes)] + [-1] * (
                most - len(k.regimes)
            )
            heard.append([first + g if g >= 0 else -1 for g in of])
        for b in k.blocks:
            ports += b.outs
            starts.append(len(ports))
            regimes.append(number[b.transition] if b.transition else -1)
        first += len(k.blocks)
    return {
        "kind_needs": np.array([len(k.requirements) for k in kinds]),
        "kind_start": np.array(start),
        "kind_starts": np.array([2 if k.copied else 1 for k in kinds]),
        "kind_regime": np.array([k.regime_slot if k.regimes else -1 for k in kinds]),
        "kind_entry": np.array(entry, dtype=np.int64).reshape(len(kinds), most),
        "block_start": np.array(starts),
        "block_ports": np.array(ports, dtype=np.int64),
        "block_regime": np.array(regimes, dtype=np.int64),
        "reactions": most + 1,
        "on_event": np.array(heard, dtype=np.int64).reshape(len(heard), most + 1),
    }
