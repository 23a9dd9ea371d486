"""What reading changed or chose: what is alike is told once, with the number of places."""

from __future__ import annotations

from collections.abc import Iterable

Note = tuple[str, str]  # (where in the file, what)


class Notes:
    """Notes in the order in which they were made."""

    def __init__(self, notes: Iterable[Note] = ()) -> None:
        self._notes = list(notes)
        self._changes: dict[str, tuple[list[str], list[float]]] = {}

    def append(self, place: str, what: str) -> None:
        """One note."""
        self._notes.append((place, what))

    def extend(self, notes: Iterable[Note]) -> None:
        """Several."""
        self._notes += notes

    def changed(self, place: str, what: str, by: float) -> None:
        """Times were changed by up to `by` ms; `what` says why and names no place: others are alike."""
        places, changes = self._changes.setdefault(what, ([], []))
        places.append(place)
        changes.append(by)

    def told(self) -> list[Note]:
        """All, each once; alike changes as one, at the first of their places, with the largest change."""
        joined = [
            (
                places[0],
                f"{what}: changed by up to {max(changes):.3g} ms{_others(len(places) - 1)}",
            )
            for what, (places, changes) in self._changes.items()
        ]
        return list(dict.fromkeys([*self._notes, *joined]))


def _others(count: int) -> str:
    return f", here and in {count} other place{'s' * (count > 1)}" if count else ""
