"""Source of the run loop of one program: which update each kind of slice calls. Pure text.

A part's arrays reach the code as addresses and shapes: 50 array arguments would cost more to unpack and to
count references of than a step of a small network takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from portable.backends.native import links
from portable.backends.native.codegen import EXTRA, HEADER, CellCode
from portable.backends.native.layout import Layout

DONE, DRAIN, GROW, OVERFLOW = (
    0,
    1,
    2,
    3,
)  # what `run` returns; DRAIN: the record is nearly full, GROW: the history is
POISSON, TRAINS = -1, -2  # kinds of slices that are no cells
KIND, FIELDS, BLOCKS, ARRIVALS, SCALARS, FIRST, SOURCE, RECORD, NUMBER, VALID = range(
    10
)  # columns of the table of slices

# name -> (type, dimensions) of a part's arrays; "" = as the program's synapses have it.
ARRAYS: dict[str, tuple[str, int]] = {
    "state": ("int64", 1),
    "out": ("int32", 3),
    "ends": ("int64", 4),
    "flags": ("int64", 2),
    "sends": ("int64", 1),
    "S": ("int64", 2),
    "F": ("float64", 1),
    "A": ("float64", 1),
    "C": ("float64", 1),
    "hits": ("int32", 1),
    "spikes": ("int32", 1),
    "position": ("int64", 1),
    "heads": ("int64", 1),
    "tails": ("int64", 1),
    "delays": ("int64", 1),
    "kinds": ("int64", 2),
    "rows": ("int64", 1),
    "segments": ("", 1),
    "targets": ("", 1),
    "weights": ("", 1),
    "lags": ("", 1),
    "where": ("int64", 1),
    "edges": ("int64", 1),
    "drives": ("int64", 2),
    "sources": ("int64", 2),
    "thresholds": ("uint32", 1),
    "table": ("int64", 2),
    "amounts": ("float64", 1),
    "u": ("uint32", 1),
    "n": ("int32", 1),
    "train_steps": ("int64", 1),
    "train_ids": ("int32", 1),
    "cursor": ("int64", 1),
    "kept": ("bool_", 1),
    "ids": ("int32", 1),
    "stamps": ("int64", 1),
    "traces": ("int64", 2),
    "trace_cells": ("int64", 1),
    "trace_columns": ("int64", 1),
    "values": ("float64", 1),
    "currents": ("int64", 2),
    "times": ("int64", 1),
    "amplitudes": ("float64", 1),
    "places": ("int64", 1),
    "columns": ("int64", 1),
}
SYNAPSES = ("segments", "targets", "weights", "lags")


def arrays(coupled: bool) -> dict[str, tuple[str, int]]:
    """The arrays of a part; those of links where there are any."""
    return {**ARRAYS, **links.ARRAYS} if coupled else ARRAYS


def program_source(
    layouts: Sequence[Layout],
    handlers: Sequence[tuple[int, str]],
    ring: bool,
    types: dict[str, str],
    readers: Sequence[tuple[int, str]] | None = None,
) -> str:
    """The whole module. `handlers` are (layout, port) of the arrivals that are handled one by one; `types` of
    the synapses' arrays; `readers` (layout, variable) of what links read beside states, None where there are
    no links."""
    parts = [HEADER, *(CellCode(layout, k).source() + "\n\n" for k, layout in enumerate(layouts))]
    if handlers:
        parts.append(_general(handlers))
    if readers is not None:
        parts.append(links.source(readers))
    parts.append(_run(layouts, bool(handlers), ring, types, readers is not None))
    used = [name for name in EXTRA if any(f"{name}(" in p for p in parts)]
    if used:
        parts.insert(1, f"from portable.backends.native.functions import {', '.join(used)}\n\n")
    return "".join(parts)


def _general(handlers: Sequence[tuple[int, str]]) -> str:
    calls = [
        f"                        {'if' if i == 0 else 'elif'} handler == {i}:\n                            "
        f"arrive_{k}_{port}(F, at, C, co, w, t)\n"
        for i, (k, port) in enumerate(handlers)
    ]
    return (
        """# Port after port, the oldest spikes first: an update that reads the state may depend on the order.
@njit(**OPTIONS)
def deliver_alone(
        stamp, dt, spikes, heads, tails, delays, kinds, rows, segments, targets, weights, where, F, C):
    t = stamp * dt
    mask, window, many = spikes.size - 1, heads.size - 1, kinds.shape[0]
    width = many * delays.size + 1
    for kind in range(many):
        if kinds[kind, 0] < 0:
            handler, co = -1 - kinds[kind, 0], kinds[kind, 2]
            for column in range(delays.size - 1, -1, -1):
                sent = stamp - delays[column]
                if sent < 1:
                    continue
                for q in range(heads[sent & window], tails[sent & window]):
                    source = int64(spikes[q & mask])
                    place = source * width + column * many + kind
                    begin, end = int64(segments[place]), int64(segments[place + 1])
                    for j in range(rows[source] + begin, rows[source] + end):
                        at = where[targets[j]]
                        w = float(weights[j] if kinds[kind, 1] < 0 else weights[kinds[kind, 1]])
"""
        + "".join(calls)
        + "\n\n"
    )


def _run(layouts: Sequence[Layout], general: bool, ring: bool, types: dict[str, str], coupled: bool) -> str:
    views = []
    for i, (name, (kind, dimensions)) in enumerate(arrays(coupled).items()):
        shape = "(" + "".join(f"shapes[p, {i}, {d}], " for d in range(dimensions)) + ")"
        views.append(f"            {name} = view(addresses[p, {i}], {shape}, np.{kind or types[name]})\n")
    take = (
        "deliver_all(k - before + 1, before, spikes, heads, tails, kinds, rows, segments, targets, weights, "
        "lags, A, cells, channels)"
        if ring
        else "pass"
    )
    due = (
        ""
        if ring
        else "\n                deliver_due(stamp, spikes, heads, tails, delays, kinds, rows, segments, "
        "targets, weights, now, cells, edges)"
    )
    due = (
        f"\n                {links.CALL}{due}" if coupled else due
    )  # after inject: a variable may read the current
    return f'''@njit(**OPTIONS)
def run(first, last, threads, start, steps, interval, dt, numbers, addresses, shapes, sync, shared_flags):
    """Parts first .. last - 1; with several threads, beside others. Returns the status and the steps done."""
    reached, end, meetings = start, start + steps, 0
    while reached < end:
        many = min(interval, end - reached)
        for p in range(first, last):
            k = reached
            reach, ring, reserve = numbers[p, 0], numbers[p, 1], numbers[p, 2]
            channels, cells = numbers[p, 3], numbers[p, 4]
{"".join(views)}            slot, before = channels * cells, state[1]
            if before > 0:
                if not collect(out, ends, sends, state[0] & 1, before, k - before + 1, spikes, position,
                               heads, tails, reach):
                    return {GROW}, k - start
                {take}
            state[0] += 1
            parity, at, kept_at, failed = state[0] & 1, 0, state[2], 0
            for j in range(many):
                stamp = k + 1
                now = A[(stamp & ring) * slot : (stamp & ring) * slot + slot]
                if currents.shape[0]:
                    inject(k, currents, times, amplitudes, places, columns, F){due}
                if drives.shape[0]:
                    drive(drives, stamp, sources, thresholds, table, amounts, now, u, n)
{_updates(layouts) if general else ""}                for s in range(S.shape[0]):
                    kind, count = S[s, {KIND}], 0
{_slices(layouts)}                    if count > hits.size:
                        failed, count = 2, hits.size
                    at, kept_at = publish(
                        hits, count, stamp, S[s, {FIRST}], S[s, {SOURCE}], S[s, {RECORD}], S[s, {NUMBER}],
                        out[p, parity], at, kept, ids, stamps, kept_at)
                    ends[p, parity, j, s] = at
                if traces.shape[0]:
                    sample(traces, trace_cells, trace_columns, stamp, state[3], F, values)
                k = stamp
            state[1], state[2] = many, kept_at
            flags[parity, p] = max(failed, 1 if kept_at + reserve > ids.size else 0)
        reached += many
        meetings += 1
        if threads > 1:
            barrier(sync, meetings * threads)
        parity, worst = (sync[8] + meetings) & 1, 0
        for p in range(shared_flags.shape[1]):
            worst = max(worst, shared_flags[parity, p])
        if worst:
            return {OVERFLOW} if worst > 1 else {DRAIN}, reached - start
    return {DONE}, reached - start
'''


def _updates(layouts: Sequence[Layout]) -> str:
    """First all equations and sums of cells whose arrivals are handled one by one, then those arrivals."""
    lines = ["                for s in range(S.shape[0]):\n"]
    for i, k in enumerate(k for k, layout in enumerate(layouts) if layout.general):
        lines.append(
            f"                    {'if' if i == 0 else 'elif'} S[s, {KIND}] == {k}:\n                       "
            f" {_call(k)}\n"
        )
    lines.append(
        "                deliver_alone(stamp, dt, spikes, heads, tails, delays, kinds, rows, segments, "
        "targets, weights, where, F, C)\n"
    )
    return "".join(lines)


def _call(k: int) -> str:
    return (
        f"update_{k}(F, S[s, {FIELDS}], S[s, {BLOCKS}], now, S[s, {ARRIVALS}], cells, C, S[s, "
        f"{SCALARS}], k, dt, S[s, {VALID}], hits)"
    )


def _slices(layouts: Sequence[Layout]) -> str:
    lines = [
        f"                    if kind == {POISSON}:\n",
        f"                        count = fire_poisson(sources[S[s, {FIELDS}]], stamp, S[s, {FIRST}], S[s, "
        f"{VALID}], thresholds, table, u, n, hits)\n",
        f"                    elif kind == {TRAINS}:\n",
        f"                        count = fire_trains(stamp, S[s, {FIELDS}], S[s, {BLOCKS}], train_steps, "
        "train_ids, cursor, s, hits)\n",
    ]
    for k, layout in enumerate(layouts):
        call = (
            f"conditions_{k}(F, S[s, {FIELDS}], S[s, {BLOCKS}], C, S[s, {SCALARS}], k, dt, S[s, {VALID}], "
            "hits)"
            if layout.general
            else _call(k)
        )
        lines.append(f"                    elif kind == {k}:\n                        count = {call}\n")
    return "".join(lines)
