"""NeuroML's own component types, read as data from the jar that the installed `pyneuroml` brings. None is
coded by hand.
"""

from __future__ import annotations

import functools
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from portable.dynamics.lems.model import Model
from portable.errors import BackendUnavailable
from portable.schemas.neuroml import declare, xml

FOLDER = "NeuroML2CoreTypes/"
INSTALL = "NeuroML's core types are in the package pyneuroml: pip install 'portable-snn[neuroml]'"


def jar() -> Path:
    """The jar of the installed pyneuroml, found without importing it. BackendUnavailable with the install
    line if there is none.
    """
    try:
        files = distribution("pyneuroml").files or []
    except PackageNotFoundError:
        raise BackendUnavailable(INSTALL) from None
    for f in files:
        if f.name.startswith("jNeuroML") and f.suffix == ".jar":
            return Path(str(f.locate()))
    raise BackendUnavailable(INSTALL)


@functools.lru_cache(maxsize=1)
def texts() -> dict[str, bytes]:
    """Name -> contents of the core files: Cells.xml, Channels.xml, ..."""
    with zipfile.ZipFile(jar()) as archive:
        names = [n for n in archive.namelist() if n.startswith(FOLDER) and n.endswith(".xml")]
        return {n[len(FOLDER) :]: archive.read(n) for n in names}


@functools.lru_cache(maxsize=1)
def model() -> Model:
    """All core dimensions, units and types. Do not change it: `copy` gives one to add to."""
    out = Model()
    for file, data in texts().items():
        root = xml.parse_bytes(data, file)
        for element in root:
            declare.declaration(out, element, file)
    return out


def copy() -> Model:
    """A model that has the core types and nothing else."""
    known = model()
    return Model(dict(known.dimensions), dict(known.units), dict(known.types))
