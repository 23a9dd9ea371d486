"""Addresses of cells: "../pop[3]", "pop[3]", "../pop/3/comp", "pop/3", or a bare number; many at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.dynamics.lems.model import Follows
from portable.dynamics.lems.network import Ints
from portable.dynamics.lems.types import Where
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml.rows import column
from portable.schemas.neuroml.xml import where

# population, then [index] or /id, then the component's name, which says nothing new
ADDRESS = re.compile(r"^(?:\.\.?/)*([A-Za-z_]\w*)(?:\[(\d{1,18})\]|/(\d{1,18})(?:/[\w.-]*)?)$", re.M | re.A)
_ALIKE = re.compile(r"((?:\.\.?/)*([A-Za-z_]\w*)[/\[])(\d+)(\]|(?:/[\w.-]*)?)", re.A)
_DIGITS = re.compile(r"(?:\d{1,10}\n)+", re.A)


@dataclass(frozen=True)
class Place:
    """What can be addressed: sizes of populations, and for lists whose instances are not numbered 0, 1, ...
    their ids.
    """

    sizes: Mapping[str, int]
    ids: Mapping[str, Ints]
    broken: frozenset[str] = frozenset()  # populations that could not be read

    def known(self, population: str, place: Where, attribute: str) -> None:
        """ModelError if there is no such population."""
        if population not in self.sizes:
            kind = Follows if population in self.broken else ModelError
            raise kind(
                str(place),
                f"{attribute + ': ' if attribute else ''}there is no population '{population[:60]}'",
                suggestion(population, self.sizes),
            )

    def cells(self, elements: Sequence[Any], attribute: str, file: str) -> tuple[tuple[str, ...], Ints, Ints]:
        """(populations, which of them, position there) of one attribute of many elements. ModelError on the
        first that leads nowhere.
        """
        given = column(elements, attribute)
        texts = [t for t in given if t is not None]
        if len(texts) < len(given):
            raise ModelError(
                str(where(elements[given.index(None)], file)),
                f"must have {attribute}=",
                f'write {attribute}="../pop/0/cell"',
            )
        alike = self._alike(texts)
        if alike is not None:
            return alike
        joined = "\n".join(texts)
        found = ADDRESS.findall(joined)
        if len(found) != len(texts) or joined.count("\n") >= len(
            texts
        ):  # an attribute may have a line end in it, as &#10;
            bad = next(i for i, t in enumerate(texts) if not ADDRESS.fullmatch(t))
            raise ModelError(
                str(where(elements[bad], file)),
                f"{attribute}: cannot read {texts[bad][:80]!r} as a cell",
                'write "../pop/0/cell" or "../pop[0]"',
            )
        names, indices, ids = zip(*found) if found else ((), (), ())
        populations = tuple(dict.fromkeys(names))
        which = np.zeros(len(found), dtype=np.int64)
        if len(populations) > 1:
            number = {p: i for i, p in enumerate(populations)}
            which = np.array([number[n] for n in names], dtype=np.int64)
        position = np.array([int(a or b) for a, b in zip(indices, ids, strict=True)], dtype=np.int64)
        by_id = np.array([not a for a in indices], dtype=bool)
        for k, p in enumerate(populations):
            mine = which == k
            if p not in self.sizes:
                self.known(p, where(elements[int(np.flatnonzero(mine)[0])], file), attribute)
            if p in self.ids:
                position[mine & by_id] = self._numbered(p, position[mine & by_id])
            bad_ids = mine & ((position >= self.sizes[p]) | (position < 0))
            if bad_ids.any():
                i = int(np.flatnonzero(bad_ids)[0])
                raise ModelError(
                    str(where(elements[i], file)),
                    f"{attribute}: population '{p}' has no cell {texts[i]!r}",
                    f"it has {self.sizes[p]}, numbered from 0",
                )
        return populations, which, position

    def _alike(self, texts: list[str]) -> tuple[tuple[str, ...], Ints, Ints] | None:
        """As `cells`, where all are "../pop/<number>/cell" of one population, or all "../pop[<number>]"; None
        where they are not, or one is wrong.
        """
        head = _ALIKE.fullmatch(texts[0]) if texts else None
        if not head or head[2] not in self.sizes or head[2] in self.ids:
            return None
        before, after = head[1], head[4]
        joined = "\n".join(texts) + "\n"
        if joined.count(before) != len(texts) or joined.count(f"{after}\n") != len(texts):
            return None
        digits = joined.replace(before, "").replace(f"{after}\n", "\n")
        if not _DIGITS.fullmatch(digits):
            return None
        position = np.fromstring(digits, dtype=np.int64, sep="\n")
        if position.size != len(texts) or position.max() >= self.sizes[head[2]]:
            return None
        return (head[2],), np.zeros(position.size, dtype=np.int64), position

    def _numbered(self, population: str, ids: Ints) -> Ints:
        known = self.ids[population]
        order = np.argsort(known, kind="stable")
        at = np.minimum(np.searchsorted(known[order], ids), known.size - 1)
        return np.where(known[order][at] == ids, order[at], -1)

    def one(self, text: str, place: Where) -> tuple[str, int, str]:
        """(population, position, rest of the path) of a recorded quantity such as "pop[0]/v" or
        "pop/0/cell/bio/.../q".
        """
        parts = [p for p in text.split("/") if p not in ("", ".", "..")]
        if parts and parts[0] not in self.sizes and "[" not in parts[0] and len(parts) > 1:
            parts = parts[1:]  # "net1/pop[0]/v"
        head = re.fullmatch(r"([A-Za-z_]\w*)(?:\[(\d{1,18})\])?", parts[0], re.A) if parts else None
        if not head or head[1] not in self.sizes:
            raise ModelError(
                str(place),
                f"cannot find {text[:80]!r}",
                suggestion(head[1] if head else text[:40], self.sizes),
            )
        population, rest = head[1], parts[1:]
        if head[2] is not None:
            position = int(head[2])
        elif rest and re.fullmatch(r"\d{1,18}", rest[0], re.A):
            position = int(rest[0])
            position = (
                int(self._numbered(population, np.array([position]))[0])
                if population in self.ids
                else position
            )
            rest = (
                rest[2:]
                if len(rest) > 2
                else rest[2:]
                if len(rest) == 2 and rest[1] not in ("v", "V")
                else rest[1:]
            )
        else:
            raise ModelError(
                str(place),
                f"{text[:80]!r} does not say which cell of '{population}'",
                f'write "{population}[0]/..."',
            )
        if not 0 <= position < self.sizes[population]:
            raise ModelError(
                str(place),
                f"population '{population}' has no cell {position}",
                f"it has {self.sizes[population]}, numbered from 0",
            )
        return population, position, "/".join(rest)
