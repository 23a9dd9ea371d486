"""A network as one JSON or YAML document, and back, exactly: load(save(net)) == net, floats to the last bit.

    pt.save(net, "brunel.json")        pt.load("brunel.json")        .yaml and .yml likewise

The format (version 1) is described in `schemas.table` and published as the JSON Schema
`network-1.schema.json` beside this file. Nothing in a document is executed: equations are parsed by our own
grammar, YAML tags and aliases are refused.
"""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from portable import files
from portable.errors import ModelError, suggestion
from portable.model.network import Network
from portable.schemas import read, text, write
from portable.schemas.table import FILE

_READ = {"json": text.read_json, "yaml": text.read_yaml}
_WRITE = {"json": text.write_json, "yaml": text.write_yaml}
_SUFFIX = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}


def to_document(network: Network) -> dict[str, Any]:
    """The network as plain data: dicts, lists, texts and numbers, for JSON, YAML or a database."""
    if not isinstance(network, Network):
        raise ModelError("", f"expected a Network, got {network!r}", "pass the network itself")
    return write.network_data(network)


def from_document(document: Any) -> Network:
    """The network of plain data made by to_document, or written by hand. ModelError names the place, rule,
    value and remedy.
    """
    return read.network(document)


def dumps(network: Network, format: str = "json") -> str:
    """The network as JSON or YAML text."""
    return _WRITE[_known(format)](to_document(network))


def loads(text: str | bytes, format: str = "json") -> Network:
    """The network of a JSON or YAML text. ModelError with line and column where the text itself is broken."""
    return from_document(_READ[_known(format)](_decoded(text)))


def save(network: Network, path: str | os.PathLike[str]) -> Path:
    """Write a document; the suffix (.json, .yaml, .yml) says which. The file appears whole or not at all."""
    target = Path(path)
    files.write(target, dumps(network, _format(target)))
    return target


def load(path: str | os.PathLike[str], max_bytes: int = text.MAX_BYTES) -> Network:
    """Read a document by its suffix. Files over `max_bytes` (256 MiB) are refused before they are read.

    Raises ModelError (with the file's name before the path) and OSError where the file cannot be read.
    """
    source = Path(path)
    kind = _format(source)
    size = source.stat().st_size
    if size > max_bytes:
        raise ModelError(
            source.name,
            f"has {size} bytes; at most {max_bytes} are read",
            "pass a larger max_bytes=, or let a connector draw the connections",
        )
    try:
        return loads(source.read_bytes(), kind)
    except ModelError as error:
        raise ModelError(
            f"{source.name}: {error.path}" if error.path else source.name, error.rule, error.remedy
        ) from None


def schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12) of the format."""
    found: dict[str, Any] = json.loads(resources.files("portable.schemas").joinpath(FILE).read_text("utf-8"))
    return found


def _known(format: str) -> str:
    if format not in _READ:
        raise ModelError("format", f"unknown format {format!r}", suggestion(str(format), _READ))
    return format


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIX:
        raise ModelError(path.name, f"unknown suffix '{path.suffix}'", "name it .json, .yaml or .yml")
    return _SUFFIX[suffix]


def _decoded(data: str | bytes) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelError(
            "", f"is not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}", "save it as UTF-8"
        ) from None
