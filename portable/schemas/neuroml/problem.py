"""One thing that is wrong in a file, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

READER, SCHEMA, JNEUROML = "reader", "schema", "jneuroml"


@dataclass(frozen=True, order=True)
class Problem:
    """`file` as the user named it or relative to the main file's folder; line 0: of the whole file; `rule`
    says what must hold and what was found; `kind` who minds: READER (the file cannot be read), SCHEMA, or
    JNEUROML.
    """

    file: str
    line: int
    element: str
    rule: str
    kind: str = READER

    def __str__(self) -> str:
        return ": ".join(
            part
            for part in (f"{self.file}:{self.line}" if self.line else self.file, self.element, self.rule)
            if part
        )
