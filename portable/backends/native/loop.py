"""The run loop, compiled once for all models: what differs between models reaches it as tables, and the code
of their cells by address.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from portable.backends.addresses import OPTIONS, invoke, view
from portable.backends.native.kernels import (
    collect,
    drive,
    fire_poisson,
    fire_trains,
    inject,
    order,
    publish,
    rise,
    sample,
)
from portable.backends.native.layout import BLOCK
from portable.backends.native.tables import (
    AHEAD_OF_TIME,
    ALONE,
    ARRAYS,
    AS_DUE,
    AT,
    COUPLING,
    DONE,
    DRAIN,
    GROW,
    LEARN,
    ONE_BY_ONE,
    OVERFLOW,
    PART,
    POISSON,
    SLEEPING,
    SLICE,
    STATE,
    TRAINS,
)
from portable.backends.native.waiting import barrier

FLOAT = 8  # bytes
LEARNING = 8 * len(LEARN)  # bytes of a row of `learning`
TABLE, SHAPES = 8 * len(ARRAYS), 8 * len(ARRAYS) * 4  # bytes of a part's row of addresses, of shapes


# fmt: off
@njit(**OPTIONS)
def run(  # type: ignore[no-untyped-def]
    first, last, threads, start, steps, interval, dt, numbers, addresses, shapes, sync, shared_flags,
    table_at, shapes_at,
):
    """Parts first .. last - 1; with several threads, beside others. Returns the status and the steps done.

    numbers (part, PART); addresses (part, array) and shapes (part, array, dimension) in the order of ARRAYS,
    and where those two tables lie themselves, for delivery.py.
    """
    reached, end, meetings = start, start + steps, 0
    while reached < end:
        many = min(interval, end - reached)
        for p in range(first, last):
            k, at, of = reached, addresses[p], shapes[p]
            here, sizes = table_at + p * TABLE, shapes_at + p * SHAPES
            ring, channels, cells = numbers[p, PART.ring], numbers[p, PART.channels], numbers[p, PART.cells]
            state = view(at[AT.state], (of[AT.state, 0],), np.int64)
            out = view(at[AT.out], (of[AT.out, 0], of[AT.out, 1], of[AT.out, 2]), np.int32)
            shape = of[AT.ends]
            ends = view(at[AT.ends], (shape[0], shape[1], shape[2], shape[3]), np.int64)
            flags = view(at[AT.flags], (of[AT.flags, 0], of[AT.flags, 1]), np.int64)
            sends = view(at[AT.sends], (of[AT.sends, 0],), np.int64)
            S = view(at[AT.S], (of[AT.S, 0], of[AT.S, 1]), np.int64)
            F = view(at[AT.F], (of[AT.F, 0],), np.float64)
            hits = view(at[AT.hits], (of[AT.hits, 0],), np.int32)
            todo = view(at[AT.todo], (of[AT.todo, 0],), np.int32)
            awake = view(at[AT.awake], (of[AT.awake, 0],), np.int32)
            mark = view(at[AT.mark], (of[AT.mark, 0],), np.int64)
            spikes = view(at[AT.spikes], (of[AT.spikes, 0],), np.int32)
            position = view(at[AT.position], (of[AT.position, 0],), np.int64)
            heads = view(at[AT.heads], (of[AT.heads, 0],), np.int64)
            tails = view(at[AT.tails], (of[AT.tails, 0],), np.int64)
            kinds = view(at[AT.kinds], (of[AT.kinds, 0], of[AT.kinds, 1]), np.int64)
            drives = view(at[AT.drives], (of[AT.drives, 0], of[AT.drives, 1]), np.int64)
            sources = view(at[AT.sources], (of[AT.sources, 0], of[AT.sources, 1]), np.int64)
            thresholds = view(at[AT.thresholds], (of[AT.thresholds, 0],), np.uint32)
            table = view(at[AT.table], (of[AT.table, 0], of[AT.table, 1]), np.int64)
            amounts = view(at[AT.amounts], (of[AT.amounts, 0],), np.float64)
            u = view(at[AT.u], (of[AT.u, 0],), np.uint32)
            n = view(at[AT.n], (of[AT.n, 0],), np.int32)
            train_steps = view(at[AT.train_steps], (of[AT.train_steps, 0],), np.int64)
            train_ids = view(at[AT.train_ids], (of[AT.train_ids, 0],), np.int32)
            cursor = view(at[AT.cursor], (of[AT.cursor, 0],), np.int64)
            kept = view(at[AT.kept], (of[AT.kept, 0],), np.bool_)
            ids = view(at[AT.ids], (of[AT.ids, 0],), np.int32)
            stamps = view(at[AT.stamps], (of[AT.stamps, 0],), np.int64)
            traces = view(at[AT.traces], (of[AT.traces, 0], of[AT.traces, 1]), np.int64)
            trace_cells = view(at[AT.trace_cells], (of[AT.trace_cells, 0],), np.int64)
            trace_columns = view(at[AT.trace_columns], (of[AT.trace_columns, 0],), np.int64)
            values = view(at[AT.values], (of[AT.values, 0],), np.float64)
            currents = view(at[AT.currents], (of[AT.currents, 0], of[AT.currents, 1]), np.int64)
            times = view(at[AT.times], (of[AT.times, 0],), np.int64)
            amplitudes = view(at[AT.amplitudes], (of[AT.amplitudes, 0],), np.float64)
            places = view(at[AT.places], (of[AT.places, 0],), np.int64)
            columns = view(at[AT.columns], (of[AT.columns, 0],), np.int64)
            cleared = view(at[AT.cleared], (of[AT.cleared, 0], of[AT.cleared, 1]), np.int64)
            couplings = view(at[AT.couplings], (of[AT.couplings, 0], of[AT.couplings, 1]), np.int64)
            link_from = view(at[AT.link_from], (of[AT.link_from, 0],), np.int64)
            link_to = view(at[AT.link_to], (of[AT.link_to, 0],), np.int64)
            codes = view(at[AT.codes], (of[AT.codes, 0],), np.int64)
            learning = view(at[AT.learning], (of[AT.learning, 0], of[AT.learning, 1]), np.int64)
            slot, before = channels * cells, state[STATE.steps]
            if before > 0:
                if not collect(out, ends, sends, state[STATE.exchanges] & 1, before, k - before + 1, spikes,
                               position, heads, tails, numbers[p, PART.reach]):
                    return GROW, k - start
                if numbers[p, PART.ahead]:
                    invoke(codes[AHEAD_OF_TIME], (here, sizes, k - before + 1, before, cells, channels))
            if learning.shape[0]:
                learn(learning, codes, at, spikes, heads, tails, state, k, slot, ring, 2)
            state[STATE.exchanges] += 1
            parity, sent, kept_at, failed = state[STATE.exchanges] & 1, 0, state[STATE.kept], 0
            for j in range(many):
                stamp = k + 1
                place = (stamp & ring) * slot
                arrivals = at[AT.A] + FLOAT * place
                if currents.shape[0]:
                    inject(k, currents, times, amplitudes, places, columns, F)
                if couplings.shape[0]:  # after inject: a variable may read the current
                    couple(k, dt, cleared, couplings, link_from, link_to, F, at[AT.F], at[AT.C], codes)
                woken = rise(awake, stamp, mark, todo) if mark.size else 0
                if not numbers[p, PART.ahead] and kinds.shape[0]:
                    woken = invoke(codes[AS_DUE], (here, sizes, stamp, arrivals, slot, cells, woken))
                if drives.shape[0]:
                    now = view(arrivals, (slot,), np.float64)
                    drive(drives, stamp, sources, thresholds, table, amounts, now, u, n)
                if of[AT.where, 0]:  # first all equations and sums of cells whose arrivals come one by one
                    for s in range(S.shape[0]):
                        if S[s, SLICE.kind] == ALONE:
                            step_of(codes[S[s, SLICE.update]], S[s], at, arrivals, cells, k, dt, hits.size)
                    invoke(codes[ONE_BY_ONE], (here, sizes, stamp, dt))
                for s in range(S.shape[0]):
                    kind = S[s, SLICE.kind]
                    if kind == POISSON:
                        count = fire_poisson(sources[S[s, SLICE.fields]], stamp, S[s, SLICE.first],
                                             S[s, SLICE.valid], thresholds, table, u, n, hits)
                    elif kind == TRAINS:
                        count = fire_trains(stamp, S[s, SLICE.fields], S[s, SLICE.blocks], train_steps,
                                            train_ids, cursor, s, hits)
                    elif kind == SLEEPING:
                        code = codes[S[s, SLICE.conditions]]
                        count = visit(code, S[s], at, arrivals, cells, k, dt, hits.size, woken)
                        order(hits, min(count, hits.size))
                    else:
                        code = S[s, SLICE.conditions if kind == ALONE else SLICE.update]
                        count = step_of(codes[code], S[s], at, arrivals, cells, k, dt, hits.size)
                    if count > hits.size:
                        failed, count = 2, hits.size
                    if count:
                        sent, kept_at = publish(
                            hits, count, stamp, S[s, SLICE.first], S[s, SLICE.source], S[s, SLICE.record],
                            S[s, SLICE.number], out[p, parity], sent, kept, ids, stamps, kept_at)
                        for r in range(learning.shape[0]):
                            if learning[r, LEARN.slice] == s and learning[r, LEARN.note]:
                                invoke(codes[learning[r, LEARN.note]], (at[AT.learning] + LEARNING * r,
                                       at[AT.PF], at[AT.PI], at[AT.hits], count, stamp))
                    ends[p, parity, j, s] = sent
                if traces.shape[0]:
                    sample(traces, trace_cells, trace_columns, stamp, state[STATE.traced], F, values)
                k = stamp
            state[STATE.steps], state[STATE.kept] = many, kept_at
            full = kept_at + numbers[p, PART.reserve] > ids.size
            flags[parity, p] = max(failed, 1 if full else 0)
        reached += many
        meetings += 1
        if threads > 1:
            barrier(sync, meetings * threads)
        parity, worst = (sync[8] + meetings) & 1, 0
        for p in range(shared_flags.shape[1]):
            worst = max(worst, shared_flags[parity, p])
        if worst:
            return OVERFLOW if worst > 1 else DRAIN, reached - start
    return DONE, reached - start
# fmt: on


@njit(**OPTIONS)
def learn(learning, codes, at, spikes, heads, tails, state, now, slot, ring, full):  # type: ignore[no-untyped-def]
    """What the clocks of synapses that learn see up to step `now`, instant by instant, which does not depend
    on how a run is cut into pieces. Then those blocks are brought up to `now` whose fullest history has more
    than 1/full of its entries in use; full = 0: all.
    """
    mask, window = spikes.size - 1, heads.size - 1
    for clock in range(state[STATE.learned] + 1, now + 1):
        for r in range(learning.shape[0]):
            stamp = clock - learning[r, LEARN.signal_delay]
            if learning[r, LEARN.hear] and stamp > 0:
                low, high = heads[stamp & window], tails[stamp & window]
                if low < high:
                    heard = at[AT.learning] + LEARNING * r, at[AT.PF], at[AT.PI], at[AT.spikes]
                    invoke(codes[learning[r, LEARN.hear]], (*heard, mask, low, high, clock, 0))
            stamp = clock - learning[r, LEARN.axonal]
            if stamp < 1:
                continue
            low, high = heads[stamp & window], tails[stamp & window]
            if low < high:
                arrays = at[AT.learning] + LEARNING * r, at[AT.PF], at[AT.PI], at[AT.PT], at[AT.PL]
                due = at[AT.spikes], mask, low, high
                invoke(codes[learning[r, LEARN.deliver]], (*arrays, *due, at[AT.A], slot, ring, stamp))
    state[STATE.learned] = now
    for r in range(learning.shape[0]):
        row = learning[r]
        unseen = row[LEARN.signals] - row[LEARN.first_signal]
        nearly = row[LEARN.most] * full > row[LEARN.room] or unseen * full > row[LEARN.signal_room]
        if row[LEARN.flush] and (full == 0 or nearly):
            arrays = at[AT.learning] + LEARNING * r, at[AT.PF], at[AT.PI], at[AT.PT], at[AT.PL]
            invoke(codes[row[LEARN.flush]], (*arrays, now))


@njit(**OPTIONS)
def say(at, rows, clock, spikes):  # type: ignore[no-untyped-def]
    """Spikes of a third factor that no population sends, seen at an instant, for these rows of `learning`."""
    codes = view(at[AT.codes], (1,), np.int64)
    for r in rows:
        row = at[AT.learning] + LEARNING * r
        hear = view(row, (len(LEARN),), np.int64)[LEARN.hear]
        invoke(codes[hear], (row, at[AT.PF], at[AT.PI], at[AT.spikes], 0, 0, 0, clock, spikes))


@njit(**OPTIONS)
def settle(first, last, now, numbers, addresses, shapes):  # type: ignore[no-untyped-def]
    """Between two calls of `run`: parts know all spikes up to step `now`, and their synapses that learn are
    up to date. GROW if a history of spikes is too short, and then nothing is changed of that part.
    """
    for p in range(first, last):
        at, of = addresses[p], shapes[p]
        state = view(at[AT.state], (of[AT.state, 0],), np.int64)
        spikes = view(at[AT.spikes], (of[AT.spikes, 0],), np.int32)
        heads = view(at[AT.heads], (of[AT.heads, 0],), np.int64)
        tails = view(at[AT.tails], (of[AT.tails, 0],), np.int64)
        codes = view(at[AT.codes], (of[AT.codes, 0],), np.int64)
        learning = view(at[AT.learning], (of[AT.learning, 0], of[AT.learning, 1]), np.int64)
        before = state[STATE.steps]
        if before > 0:
            out = view(at[AT.out], (of[AT.out, 0], of[AT.out, 1], of[AT.out, 2]), np.int32)
            shape = of[AT.ends]
            ends = view(at[AT.ends], (shape[0], shape[1], shape[2], shape[3]), np.int64)
            sends = view(at[AT.sends], (of[AT.sends, 0],), np.int64)
            position = view(at[AT.position], (of[AT.position, 0],), np.int64)
            if not collect(
                out,
                ends,
                sends,
                state[STATE.exchanges] & 1,
                before,
                now - before + 1,
                spikes,
                position,
                heads,
                tails,
                numbers[p, PART.reach],
            ):
                return GROW
            state[STATE.steps] = 0
        learn(
            learning,
            codes,
            at,
            spikes,
            heads,
            tails,
            state,
            now,
            numbers[p, PART.channels] * numbers[p, PART.cells],
            numbers[p, PART.ring],
            0,
        )
    return DONE


@njit(**OPTIONS, forceinline=True)
def step_of(code, row, at, arrivals, cells, step, dt, room):  # type: ignore[no-untyped-def]
    """Call `update` or `conditions` of a slice (row of S); the number of spikes, which are in `hits`."""
    return invoke(
        code,
        (
            at[AT.F] + FLOAT * row[SLICE.fields],
            row[SLICE.blocks],
            arrivals + FLOAT * row[SLICE.arrivals],
            cells,
            at[AT.C] + FLOAT * row[SLICE.scalars],
            step,
            dt,
            row[SLICE.valid],
            at[AT.hits],
            room,
        ),
    )


@njit(**OPTIONS)
def visit(code, row, at, arrivals, cells, step, dt, room, many):  # type: ignore[no-untyped-def]
    """Call `visit` of a slice for the `many` cells in `todo`; the number of spikes, which are in `hits`."""
    return invoke(
        code,
        (
            at[AT.F] + FLOAT * row[SLICE.fields],
            arrivals,
            cells,
            at[AT.C] + FLOAT * row[SLICE.scalars],
            step,
            dt,
            row[SLICE.valid],
            at[AT.hits],
            room,
            at[AT.todo],
            many,
            row[SLICE.arrivals],
            at[AT.since],
            at[AT.powers] + FLOAT * row[SLICE.powers],
            at[AT.awake],
        ),
    )


@njit(**OPTIONS)
def couple(step, dt, cleared, couplings, link_from, link_to, F, fields, scalars, codes):  # type: ignore[no-untyped-def]
    """Links: variables of cells are added to inputs of others, in the order of the program's couplings.
    fields and scalars are addresses.
    """
    for r in range(cleared.shape[0]):
        for b in range(cleared[r, 1]):
            at = cleared[r, 0] + b * cleared[r, 2]
            for i in range(BLOCK):
                F[at + i] = 0.0
    for r in range(couplings.shape[0]):
        row = couplings[r]
        if row[COUPLING.reader]:
            group = fields + FLOAT * row[COUPLING.fields], row[COUPLING.blocks]
            invoke(codes[row[COUPLING.reader]], (*group, scalars + FLOAT * row[COUPLING.scalars], step, dt))
        for j in range(row[COUPLING.low], row[COUPLING.high]):
            F[link_to[j]] += F[link_from[j]]
