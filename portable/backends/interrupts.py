"""Ctrl-C between two steps of a simulator, not within one."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

PIECE_SECONDS = 0.25  # wall-clock between two looks at Ctrl-C
FIRST_PIECE = 100  # steps, when no speed is known


@contextlib.contextmanager
def held_interrupt() -> Iterator[list[int]]:
    """Inside, Ctrl-C raises nothing: the list gets an element when it was pressed, for whoever runs in pieces
    to look at between two of them. In other threads than the main one, which get no signals, it stays empty.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: asked.append(number))
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def in_pieces(advance: Callable[[int], None], steps: int) -> None:
    """Call advance(piece) until all steps are done. Ctrl-C raises KeyboardInterrupt between two pieces, which
    take about PIECE_SECONDS each.
    """
    piece = FIRST_PIECE
    with held_interrupt() as asked:
        while steps > 0 and not asked:
            piece = min(piece, steps)
            began = time.perf_counter()
            advance(piece)
            spent, steps = time.perf_counter() - began, steps - piece
            piece = max(1, min(int(piece * PIECE_SECONDS / max(spent, 1e-6)), 16 * piece))
    if asked:
        raise KeyboardInterrupt
