"""NeuroML and LEMS as a format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portable.schemas.formats import Format

if TYPE_CHECKING:
    from portable.model.network import Network
    from portable.schemas.written import Written


def _read(path: Path, network: str = "", folder: str = "", dt: Any = None) -> Network:
    from portable.schemas.neuroml.available import read_neuroml

    return read_neuroml(path, network=network, dt=dt, folder=folder or None)


def _write(network: Network, out: Path, **how: Any) -> Written:
    from portable.schemas.neuroml.write import write_neuroml

    return write_neuroml(network, out, **how)


def _defaults(path: Path) -> Mapping[str, str]:
    from portable.schemas.neuroml.available import simulation_defaults

    return simulation_defaults(path)


FORMAT = Format(
    "neuroml",
    "a NeuroML or LEMS file",
    (".nml", ".xml", ".h5"),
    _read,
    _write,
    {
        "network": "Which network of the file to run, by its id, where it has several.",
        "folder": "The folder that included files may lie in. Default: that of FILE.",
    },
    ("dt",),
    _defaults,
)
