"""Our own documents as formats: JSON and YAML say all that a Network is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from portable.schemas.formats import Format

if TYPE_CHECKING:
    from portable.model.network import Network
    from portable.schemas.written import Written


def _read(path: Path) -> Network:
    from portable.schemas.document import load

    return load(path)


def _write(suffix: str, network: Network, out: Path) -> Written:
    from portable.schemas.document import save
    from portable.schemas.written import Written

    path = save(network, out if out.suffix else out / f"{network.name}{suffix}")
    return Written(path.parent, (path.name,), path.name, ())


JSON = Format("json", "a JSON document", (".json",), _read, partial(_write, ".json"), whole=True)
YAML = Format("yaml", "a YAML document", (".yaml", ".yml"), _read, partial(_write, ".yaml"), whole=True)
