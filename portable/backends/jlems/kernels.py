"""Compiled code that every model shares: the queue of delayed events, the step of a kinetic scheme."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

PENDING, EVER = 0, 1  # places in C, as in loop.py
SMALL = 1e-12  # of jLEMS: a rate matrix is halved until its largest element is below, and then squared back


@numba.njit(cache=True)
def push(times: Any, queue: Any, C: Any, time: float, code: int) -> None:
    """Add an event to the heap: `times`, and `queue` = (order of coming, code). Events of one time leave in
    the order in which they came.
    """
    n, order = C[PENDING], C[EVER]
    C[PENDING] += 1
    C[EVER] += 1
    while n > 0:
        above = (n - 1) >> 1
        if times[above] <= time:
            break
        times[n], queue[n, 0], queue[n, 1] = times[above], queue[above, 0], queue[above, 1]
        n = above
    times[n], queue[n, 0], queue[n, 1] = time, order, code


@numba.njit(cache=True)
def pop(times: Any, queue: Any, C: Any) -> int:
    """Take the first event off the heap."""
    out = queue[0, 1]
    C[PENDING] -= 1
    last = C[PENDING]
    time, order, code = times[last], queue[last, 0], queue[last, 1]
    n = 0
    while 2 * n + 1 < last:
        below = 2 * n + 1
        if below + 1 < last and (
            times[below + 1] < times[below]
            or (times[below + 1] == times[below] and queue[below + 1, 0] < queue[below, 0])
        ):
            below += 1
        if time < times[below] or (time == times[below] and order < queue[below, 0]):
            break
        times[n], queue[n, 0], queue[n, 1] = times[below], queue[below, 0], queue[below, 1]
        n = below
    times[n], queue[n, 0], queue[n, 1] = time, order, code
    return int(out)


@numba.njit(cache=True)
def scheme_step(S: Any, T: Any, states: int, n: int, edges: int, m: int, dt: float) -> None:
    """Occupancies of a kinetic scheme after dt: times exp(Q dt), the exponential by halving and squaring.

    T holds at `states` n pairs: where an occupancy is shown, and its own variable, which is set; at `edges` m
    of (source, target, forward rate, reverse rate).
    """
    q = np.zeros((n, n))
    for e in range(m):
        at = edges + 4 * e
        a, b, forward, reverse = T[at], T[at + 1], S[T[at + 2]], S[T[at + 3]]
        q[a, a] -= forward
        q[b, a] += forward
        q[b, b] -= reverse
        q[a, b] += reverse
    largest = 0.0
    for i in range(n):
        for j in range(n):
            q[i, j] *= dt
            largest = max(largest, abs(q[i, j]))
    halvings, factor = 0, 1.0
    while largest * factor > SMALL:
        factor *= 0.5
        halvings += 1
    q *= factor
    square = np.empty((n, n))
    for _ in range(halvings):  # with q = exp(x) - 1: exp(2x) - 1 = 2q + q^2
        for i in range(n):
            for j in range(n):
                total = 0.0
                for k in range(n):
                    total += q[i, k] * q[k, j]
                square[i, j] = total
        for i in range(n):
            for j in range(n):
                q[i, j] = (q[i, j] + q[i, j]) + square[i, j]
    before = np.empty(n)
    for i in range(n):
        before[i] = S[T[states + 2 * i]]
        q[i, i] += 1.0
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += q[i, j] * before[j]
        S[T[states + 2 * i + 1]] = total
