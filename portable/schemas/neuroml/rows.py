"""Long lists of alike elements, read by column: 100,000 connections take no 100,000 calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from portable.schemas.neuroml.xml import name

MANY = 500  # elements; fewer are asked one by one
_INNER = re.compile(r">\s*[^<\s]")


class Rows(Sequence[Any]):
    """The children of an element that have one tag, in order."""

    def __init__(self, parent: Any, tag: str, count: int) -> None:
        self.parent, self.tag, self.size = parent, tag, count
        self._elements: list[Any] | None = None
        self._text: str | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: Any) -> Any:
        return self.elements[i]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.elements)

    @property
    def elements(self) -> list[Any]:
        """The elements themselves, made when they are asked for."""
        if self._elements is None:
            self._elements = list(self.parent.iterchildren(self.tag))
        return self._elements

    def column(self, attribute: str) -> list[str | None]:
        """One attribute of all, None where it is missing."""
        found: list[str | None] = re.findall(f' {attribute}="([^"]*)"', self.text) if self.text else []
        if self.text and len(found) in (0, self.size):  # written anew, a value holds no quotation mark
            missing: list[str | None] = [None] * self.size
            return found or missing
        return [e.get(attribute) for e in self.elements]

    @property
    def text(self) -> str:
        """The parent as text, "" where more than elements and plain attributes is in it: reading it by
        pattern is then not safe.
        """
        if self._text is None:
            written = (
                str(etree.tostring(self.parent, encoding="unicode", with_tail=False))
                if self.size >= MANY
                else ""
            )
            alone = (
                written.count("<") == self.size + 2 == written.count(f"<{name(self.parent[0])} ") + 2
            )  # no comments, nothing inside
            plain = alone and "&" not in written and not _INNER.search(written)
            self._text = written.partition(">")[2] if plain else ""
        return self._text


def _path(tag: str, rest: str, form: str = "{}") -> Any:
    namespace, _, local = tag.rpartition("}")
    step = f"n:{local}" if namespace else local
    return etree.XPath(
        form.format(step + rest), namespaces={"n": namespace[1:]} if namespace else None, smart_strings=False
    )


def column(elements: Sequence[Any], attribute: str) -> list[str | None]:
    """One attribute of many elements."""
    return elements.column(attribute) if isinstance(elements, Rows) else [e.get(attribute) for e in elements]


def by_tag(parent: Any) -> dict[str, Sequence[Any]]:
    """The children by local name, in order of first appearance; comments are left out."""
    first = next((e for e in parent if name(e)), None)
    if first is None:
        return {}
    count = int(_path(first.tag, "", "count({})")(parent))
    if count == len(parent):
        return {name(first): Rows(parent, first.tag, count)}
    groups: dict[str, list[Any]] = {}
    for e in parent:
        if name(e):
            groups.setdefault(name(e), []).append(e)
    return dict(groups)
