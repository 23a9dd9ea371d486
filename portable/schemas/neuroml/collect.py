"""The first mistake of a file ends its reading; whoever wants all of them (`validate-file`) has them
collected instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portable.dynamics.lems.model import Follows
from portable.dynamics.lems.types import Where
from portable.errors import ModelError
from portable.schemas.neuroml.problem import Problem

_PLACE = re.compile(r"(?P<file>.*?):(?P<line>\d+)(?:: (?P<element><[^>]*>)(?P<rest>.*))?\Z", re.S)
_GROUP = re.compile(r"(?P<file>[^:]*)(?P<line>): (?P<element>group '.*?'|<[^>]*>)(?P<rest>.*)\Z", re.S)


TOO_DEEP = "is nested too deeply", "are there long chains of things that refer to each other?"
TOO_LARGE = "needs more memory than there is", "is there a slip in a size? Else split it"


class Collector:
    """`with collector():` around a piece of work that others do not depend on; its ModelError is raised, or
    kept with `keep`.
    """

    def __init__(self, keep: bool = False) -> None:
        self.keep = keep
        self.errors: list[ModelError] = []

    @contextmanager
    def __call__(self, where: Where | Callable[[], Where] | None = None) -> Iterator[None]:
        """`where`: the element, or what finds it, that an error belongs to which names no place in a file."""
        try:
            yield
        except (
            ModelError,
            RecursionError,
            MemoryError,
        ) as error:  # no list of limits is as long as the ways to nest things in each other
            place = str((where() if callable(where) else where) or "")
            if not isinstance(error, ModelError):
                error = ModelError(place, *(TOO_LARGE if isinstance(error, MemoryError) else TOO_DEEP))
            self._take(error if not place or placed(error) else error.under(place))

    def _take(self, error: ModelError) -> None:
        if not self.keep:
            raise error from None
        if not isinstance(error, Follows):
            self.errors.append(error)

    def problems(self, main: str) -> list[Problem]:
        """What was kept, each once, in the order of files and lines."""
        return sorted({problem(e, main) for e in self.errors})


def placed(error: ModelError) -> bool:
    """Whether an error says where in a file it is."""
    return bool(_PLACE.match(error.path) or _GROUP.match(error.path))


def problem(error: ModelError, main: str) -> Problem:
    """An error by its place. `main`: the file, where the error names none."""
    found = _PLACE.match(error.path) or _GROUP.match(error.path)
    remedy = f"; {error.remedy}" if error.remedy else ""
    if found is None:
        return Problem(
            main,
            0,
            "",
            f"{error.path}: {error.rule}{remedy}"
            if error.path and error.path != main
            else f"{error.rule}{remedy}",
        )
    rest = (found["rest"] or "").lstrip(".: ")
    return Problem(
        found["file"] or main,
        int(found["line"] or 0),
        found["element"] or "",
        f"{f'{rest}: ' if rest else ''}{error.rule}{remedy}",
    )
