"""Names of a flat cell's variables: the path of the instance and the variable, shortened by what says
nothing, unique, and allowed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable

from portable.dynamics.lems.instance import Instance
from portable.dynamics.text import TAKEN

# Steps on the way that every cell has.
_PLAIN = frozenset(
    {
        "biophysicalProperties",
        "membraneProperties",
        "intracellularProperties",
        "ionChannel",
        "biophysicalProperties2CaPools",
        "membraneProperties2CaPools",
        "intracellularProperties2CaPools",
    }
)
MAX_NAME = 100  # characters


def identifier(text: str) -> str:
    """A text as a name of ours: letters, digits and _, a letter first, no _ last, none that has a meaning.

    The name of a longer text ends in a digest of it, so that texts that begin alike have names of their own.
    """
    name = re.sub(r"\W", "_", text, flags=re.A).lstrip("_").rstrip("_") or "x"
    if not name[0].isalpha():
        name = f"n{name}"
    if len(name) > MAX_NAME:
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"{name[: MAX_NAME - 9].rstrip('_')}_{digest}"
    return f"{name}_0" if name in TAKEN else name


def unused(text: str, used: Container[str]) -> str:
    """As `identifier`, with _2, _3, ... where that name is used."""
    name, n = identifier(text), 2
    while name in used:
        name, n = identifier(f"{text}_{n}"), n + 1
    return name


class Namer:
    """Gives every (instance, variable) a name. Variables of a single root have their own names, those inside
    it a prefix.
    """

    def __init__(self, roots: Iterable[Instance]) -> None:
        self.roots = list(roots)
        self.used: dict[str, tuple[int, str]] = {}
        self.given: dict[tuple[int, str], str] = {}
        self.prefix: dict[int, str] = {}
        if len(self.roots) == 1:  # its own variables keep their names, whatever else would like to have them
            (root,) = self.roots
            for v in root.type.dynamics.variables:
                self.name(root, v.name)

    def name(self, i: Instance, variable: str) -> str:
        key = (id(i), variable)
        if key not in self.given:
            for candidate in self._candidates(i, variable):
                if candidate not in self.used:
                    self.used[candidate] = key
                    self.given[key] = candidate
                    break
        return self.given[key]

    def input(self, name: str, at: Instance) -> str:
        """The name of what is read from outside."""
        key = (id(at), f"input {name}")
        start = identifier(f"{self.prefix.get(id(at), '')}{name}")
        tried, n = start, 2
        while self.used.get(tried, key) != key:
            tried, n = identifier(f"{start}_{n}"), n + 1
        self.used[tried] = key
        return tried

    def port(self, i: Instance, port: str) -> str:
        """The name of a root's port."""
        prefix = self.prefix.get(id(i), "")
        return identifier(f"{prefix}{port}" if prefix else port)

    def _candidates(self, i: Instance, variable: str) -> Iterable[str]:
        path: list[str] = []
        at: Instance | None = i
        while at is not None and at not in self.roots:
            path.insert(0, at.name)
            at = at.parent
        start = self.prefix.get(id(at), "") if at is not None else ""
        if at is None:
            path = path[-1:] if len(path) == 1 else path  # above the root: the context of the whole
        short = [p for p in path if p not in _PLAIN]
        yield identifier(start + "_".join([*short, variable]))
        yield identifier(start + "_".join([*path, variable]))
        n = 2
        while True:
            yield identifier(start + "_".join([*path, variable, str(n)]))
            n += 1
