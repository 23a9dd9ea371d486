"""The run of every model: events, initialisation and steps in jLEMS's order. What differs between models, the
functions of its kinds, is called by address (code.py), so this is compiled once.

S: time of the step, time of the event queue, a failure, then all variables. T: tables, found by the offsets
at its start (tables.py). C: counts and working memory. F: addresses, of the model's functions in the order of
FUNCTIONS and of S, T and C. HT, HQ: pending events. EV: recorded events.
"""

from __future__ import annotations

import numba
import numpy as np

from portable.backends.addresses import OPTIONS, invoke
from portable.backends.jlems.kernels import pop, push, scheme_step
from portable.backends.jlems.tables import AT, BEYOND, FUNCTIONS, IN_C, IN_S, IN_T

njit = numba.njit(**OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)

NOW, QUEUE, FAILED = 0, 1, 2
PENDING, EVER, RECORDED, STEP, RANDOM, STACK = 0, 1, 2, 3, 4, 8
DEEPEST = 4096
PORT, RECEIVE, REGIME_EVENT, TRANSITION = 0, 1, 2, 3


@njit
def assign(F, g, b):  # type: ignore[no-untyped-def]
    """The assignments of block g."""
    invoke(F[FUNCTIONS.assign], (g, b, F[IN_S], F[IN_C]))


@njit
def derive(F, k, b, r):  # type: ignore[no-untyped-def]
    """The derived variables of a kind."""
    invoke(F[FUNCTIONS.derive], (k, b, r, F[IN_S], F[IN_T], F[IN_C]))


@njit
def show(F, k, b):  # type: ignore[no-untyped-def]
    """What others see of a kind."""
    invoke(F[FUNCTIONS.show], (k, b, F[IN_S]))


@njit
def put(C, sp, what, x, y):  # type: ignore[no-untyped-def]
    at = STACK + 3 * sp
    C[at], C[at + 1], C[at + 2] = what, x, y
    return sp + 1


@njit
def tail(sp, g, n, T, C):  # type: ignore[no-untyped-def]
    """After the assignments of block g of node n: its events out, in order, then its transition; the last
    goes on the stack first.
    """
    if T[T[AT.block_regime] + g] >= 0:
        sp = put(C, sp, TRANSITION, n, T[T[AT.block_regime] + g])
    start, stop = T[T[AT.block_start] + g], T[T[AT.block_start] + g + 1]
    for j in range(stop - start):
        sp = put(C, sp, PORT, T[T[AT.node_port] + n] + T[T[AT.block_ports] + stop - 1 - j], 0)
    return sp


@njit
def drain(sp, S, T, C, F, HT, HQ, EV):  # type: ignore[no-untyped-def]
    """Deliver what is on the stack. A spike without delay is received within its sender's action, and so is
    what that sets off.
    """
    while sp > 0:
        if sp > DEEPEST - 64:
            S[FAILED] = 1.0
            return
        sp -= 1
        at = STACK + 3 * sp
        what, x, y = C[at], C[at + 1], C[at + 2]
        g, n = -1, x
        if what == PORT:
            at = T[T[AT.port_now] + x] + y
            if at < T[T[AT.port_now] + x + 1]:
                sp = put(C, sp, PORT, x, y + 1)
                sp = put(C, sp, RECEIVE, T[T[AT.now_code] + at], 0)
            else:
                for j in range(T[T[AT.port_later] + x], T[T[AT.port_later] + x + 1]):
                    push(HT, HQ, C, S[QUEUE] + S[T[AT.delays] + j], T[T[AT.later_code] + j])
        elif what == RECEIVE and x < 0:
            if C[RECORDED] < EV.shape[0]:
                EV[C[RECORDED], 0], EV[C[RECORDED], 1] = -1 - x, C[STEP]
            C[RECORDED] += 1
        elif what == RECEIVE:
            n = T[T[AT.in_node] + x]
            if T[T[AT.kind_regime] + T[T[AT.node_kind] + n]] >= 0:
                sp = put(C, sp, REGIME_EVENT, x, 0)
            g = T[T[AT.on_event] + T[T[AT.in_port] + x] * T[AT.reactions]]
        elif what == REGIME_EVENT:
            n = T[T[AT.in_node] + x]
            active = int(S[T[T[AT.node_base] + n] + T[T[AT.kind_regime] + T[T[AT.node_kind] + n]]])
            g = T[T[AT.on_event] + T[T[AT.in_port] + x] * T[AT.reactions] + 1 + active]
        else:
            k = T[T[AT.node_kind] + n]
            S[T[T[AT.node_base] + n] + T[T[AT.kind_regime] + k]] = y
            g = T[T[AT.kind_entry] + k * (T[AT.reactions] - 1) + y]
        if g >= 0:
            assign(F, g, T[T[AT.node_base] + n])
            sp = tail(sp, g, n, T, C)


@njit
def finish(g, n, S, T, C, F, HT, HQ, EV):  # type: ignore[no-untyped-def]
    """The events and the transition of block g of node n, whose assignments are done."""
    drain(tail(0, g, n, T, C), S, T, C, F, HT, HQ, EV)


@njit
def require(k, b, r, S, T):  # type: ignore[no-untyped-def]
    for q in range(T[T[AT.kind_needs] + k]):
        S[b + 1 + q] = S[T[r + q]]


@njit
def begin(n, full, S, T, C, F, HT, HQ, EV):  # type: ignore[no-untyped-def]
    """One of jLEMS's passes of initialisation over a node."""
    k, b, r = T[T[AT.node_kind] + n], T[T[AT.node_base] + n], T[T[AT.node_refs] + n]
    require(k, b, r, S, T)
    if full:
        derive(F, k, b, r)
    g = T[T[AT.kind_start] + k]
    if g >= 0:
        for _ in range(T[T[AT.kind_starts] + k]):
            assign(F, g, b)
            finish(g, n, S, T, C, F, HT, HQ, EV)
    if T[T[AT.kind_regime] + k] >= 0:
        g = T[T[AT.kind_entry] + k * (T[AT.reactions] - 1) + int(S[b + T[T[AT.kind_regime] + k]])]
        if g >= 0:
            assign(F, g, b)
            finish(g, n, S, T, C, F, HT, HQ, EV)
    show(F, k, b)


@njit
def initialize(roots, S, T, C, F, HT, HQ, EV):  # type: ignore[no-untyped-def]
    """Three passes over each node, and between them all that is inside it with three passes each time, down
    to the leaves.
    """
    todo = np.zeros((256, 3), np.int64)
    for i in range(roots.size):
        sp = 1
        todo[0, 0], todo[0, 1], todo[0, 2] = roots[i], 0, -1
        while sp > 0:
            n, phase, at = todo[sp - 1, 0], todo[sp - 1, 1], todo[sp - 1, 2]
            if at < 0:
                begin(n, phase > 0, S, T, C, F, HT, HQ, EV)
                if phase == 2:
                    sp -= 1
                    continue
                at = 0
            start = T[T[AT.inside_start] + n]
            if at < T[T[AT.inside_start] + n + 1] - start:
                todo[sp - 1, 2] = at + 1
                todo[sp, 0], todo[sp, 1], todo[sp, 2] = T[T[AT.inside] + start + at], 0, -1
                sp += 1
            else:
                todo[sp - 1, 1], todo[sp - 1, 2] = phase + 1, -1


@njit
def advance(k, n, b, dt, S, T, C, F, HT, HQ, EV):  # type: ignore[no-untyped-def]
    """Rates together, then conditions in order, each with all that it sets off."""
    invoke(F[FUNCTIONS.rates], (k, b, dt, F[IN_S], F[IN_C]))
    c = np.int64(0)
    while True:
        g = invoke(F[FUNCTIONS.test], (k, c, b, F[IN_S], F[IN_C]))
        if g == BEYOND:
            return
        if g >= 0:
            finish(g, n, S, T, C, F, HT, HQ, EV)
        c += 1


@njit
def regime(k, n, b, dt, S, T, C, F, HT, HQ, EV):  # type: ignore[no-untyped-def]
    """The active regime's own step: rates one after the other, then its conditions, all of them even after a
    transition.
    """
    a = np.int64(S[b + T[T[AT.kind_regime] + k]])
    invoke(F[FUNCTIONS.regime_rates], (k, a, b, dt, F[IN_S], F[IN_C]))
    c = np.int64(0)
    while True:
        g = invoke(F[FUNCTIONS.regime_test], (k, a, c, b, F[IN_S], F[IN_C]))
        if g == BEYOND:
            return
        if g >= 0:
            finish(g, n, S, T, C, F, HT, HQ, EV)
        c += 1


@njit
def whole(S, T, C, F, HT, HQ, EV, dt):  # type: ignore[no-untyped-def]
    """One step of all: events that are due, then every node in order."""
    t = S[NOW]
    while C[PENDING] > 0 and HT[0] <= t:
        drain(put(C, 0, RECEIVE, pop(HT, HQ, C), 0), S, T, C, F, HT, HQ, EV)
    S[QUEUE] = t
    for i in range(T[T[AT.order]]):
        n = T[T[AT.order] + 1 + i]
        if n >= 0:
            k, b, r = T[T[AT.node_kind] + n], T[T[AT.node_base] + n], T[T[AT.node_refs] + n]
            S[b] = t
            require(k, b, r, S, T)
            derive(F, k, b, r)
            advance(k, n, b, dt, S, T, C, F, HT, HQ, EV)
            show(F, k, b)
            if T[T[AT.kind_regime] + k] >= 0:
                regime(k, n, b, dt, S, T, C, F, HT, HQ, EV)
        else:
            n = -1 - n
            a, e = T[T[AT.scheme_states] + n], T[T[AT.scheme_edges] + n]
            scheme_step(
                S,
                T,
                T[AT.states] + 2 * a,
                T[T[AT.scheme_states] + n + 1] - a,
                T[AT.edges] + 4 * e,
                T[T[AT.scheme_edges] + n + 1] - e,
                dt,
            )


@numba.njit(**OPTIONS)
def run(first, last, dt, roots, S, T, C, F, HT, HQ, EV, columns, every, samples):  # type: ignore[no-untyped-def]
    """Steps first..last-1, of which step 0 initialises; the next one to do, earlier than last where a buffer
    has to grow.
    """
    for step in range(first, last):
        if (
            C[PENDING] + T[AT.most_delayed] > HT.size
            or C[RECORDED] + T[AT.most_recorded] > EV.shape[0]
            or S[FAILED] != 0.0
        ):
            return step
        C[STEP] = step
        if step == 0:
            initialize(roots, S, T, C, F, HT, HQ, EV)
        else:
            whole(S, T, C, F, HT, HQ, EV, dt)
        for i in range(columns.size):
            if step % every[i] == 0:
                samples[i, step // every[i]] = S[columns[i]]
        S[NOW] += dt
    return last
