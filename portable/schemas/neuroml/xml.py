"""XML in, safely: no entities, no network, bounded size and depth; and what is needed to say where something
stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lxml import etree

from portable.dynamics.lems.types import Where
from portable.errors import ModelError

MAX_BYTES = 1 << 30
MAX_ATTRIBUTES = 2000
# libxml2 itself stops at an attribute or text of 10 MB, at 256 levels of elements, and at entities that
# expand too much.
_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": False,
    "remove_pis": False,
}


def parse(path: Path, shown: str) -> Any:
    """The root element of a file. ModelError naming `shown` and the line: not readable, too large, not
    well-formed, a DOCTYPE.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(
                shown,
                f"has {size} bytes; at most {MAX_BYTES} are read",
                "keep long lists of connections in HDF5 (.net.nml.h5)",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            shown, f"cannot be read: {error.strerror or error}", "check the file's name and rights"
        ) from None
    return parse_bytes(data, shown)


def parse_bytes(data: bytes, shown: str) -> Any:
    """As `parse`, of text already in memory."""
    try:
        root = etree.fromstring(data, etree.XMLParser(**_OPTIONS))
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
        what = (error.msg or "not well-formed").split(", line")[0]
        raise ModelError(
            f"{shown}:{line}" if line else shown,
            f"is no well-formed XML: {what[:200]}",
            "is the file complete?",
        ) from None
    except ValueError as error:
        raise ModelError(shown, f"is no XML: {error}", "is the file complete?") from None
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise ModelError(
            f"{shown}:1",
            "has a DOCTYPE; entities and DTDs are not read",
            "remove the <!DOCTYPE ...> declaration",
        )
    return root


def name(element: Any) -> str:
    """Local name of an element; "" for comments and processing instructions."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2]


def where(element: Any, file: str) -> Where:
    """File, line and a short form of the element."""
    id = element.get("id") or element.get("name")
    shown = f"<{name(element)}{f' id={id[:40]!r}' if id else ''}>"
    return Where(file, element.sourceline or 0, shown)


def attributes(element: Any) -> dict[str, str]:
    """Attributes without namespace, in order. ModelError, without a place, if they are too many: each is
    looked for among all.
    """
    if len(element.attrib) > MAX_ATTRIBUTES:
        raise ModelError(
            "", f"has {len(element.attrib)} attributes; at most {MAX_ATTRIBUTES} are read", "is it NeuroML?"
        )
    return {k: v for k, v in element.attrib.items() if "}" not in k}
