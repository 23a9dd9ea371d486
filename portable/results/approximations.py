"""Approximations told briefly: those of one kind on one line."""

from __future__ import annotations

from collections.abc import Iterable

from portable.resolve.program import Approximation


def grouped(approximations: Iterable[Approximation]) -> list[str]:
    """One line for each (what it became, largest error, reason), naming the first place and the number of
    others.
    """
    alike: dict[tuple[str, str, str], list[Approximation]] = {}
    for a in dict.fromkeys(approximations):
        alike.setdefault((a.got, a.largest_error, a.reason), []).append(a)
    lines = []
    for (got, error, reason), (first, *more) in alike.items():
        where = f"{first.where} and {len(more)} more" if more else f"{first.where}: {first.asked}"
        lines.append(f"{where} became {got}, largest error {error}: {reason}")
    return lines
