"""A stable fingerprint of a network: what it means, not how it was written down."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from portable.dynamics.flat import Flat
from portable.dynamics.synapse import Rule
from portable.model.cells import Cell
from portable.model.links import Link
from portable.model.network import Network, Population, Projection, Record, Synapses, View
from portable.model.synapses import SynapseType
from portable.model.values import Array
from portable.resolve.program import Connections, Program


def model_hash(network: Network) -> str:
    """sha256 (hex) over everything that decides the network apart from its seed. The same in every process
    and platform.
    """
    digest = hashlib.sha256(b"portable network 1")
    for part in _parts(network):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def program_digest(program: Program) -> str:
    """sha256 (hex) over everything that is simulated: cells, parameters, initial values, connections, inputs,
    links, dt. Not what is recorded.
    """
    digest = hashlib.sha256(b"portable program 1")
    for part in _parts((program.dt, program.groups, program.connections, program.currents, program.links)):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(item: Any) -> Iterator[bytes]:
    match item:
        case Array():
            yield b"array " + item.unit.encode()
            yield np.ascontiguousarray(item.values, dtype="<f8").tobytes()
        case np.ndarray():
            yield f"{item.dtype.str} {item.shape}".encode()
            yield np.ascontiguousarray(item).tobytes()
        case Flat():
            yield item.text().encode()
        case Rule():
            yield item.text().encode()
        case SynapseType():
            yield item.rule().text().encode()
        case Cell():
            yield item.flat.text().encode()
            yield from _parts(dict(item.parameters))
        case View():
            yield b"view " + item.population.name.encode()
            yield np.ascontiguousarray(item.ids, dtype="<i8").tobytes()
        case Link():
            yield b"link"
            yield from _parts(
                (item.source.name, item.variable, item.target.name, item.input, item.pre, item.post)
            )
        case Population():
            yield b"population"
            for x in (item.name, item.size, item.cell, dict(item.initial)):
                yield from _parts(x)
        case Mapping():
            yield f"mapping {len(item)}".encode()
            for k in sorted(item):
                yield str(k).encode()
                yield from _parts(item[k])
        case tuple() | list():
            yield f"sequence {len(item)}".encode()
            for x in item:
                yield from _parts(x)
        case _ if dataclasses.is_dataclass(item):
            yield type(item).__name__.encode()
            for f in dataclasses.fields(item):
                if isinstance(item, Network) and (
                    f.name in ("settings", "origin") or (f.name == "links" and not item.links)
                ):
                    # how it is run and where it comes from; networks without links have the fingerprint that
                    # they had before there were any
                    continue
                if isinstance(item, Record) and f.name == "synapses" and item.synapses is None:
                    continue
                if isinstance(item, Synapses) and f.name == "given":
                    continue
                if isinstance(item, Projection) and f.name.startswith("signal") and not item.signal:
                    continue
                if isinstance(item, Connections) and f.name == "learning" and item.learning is None:
                    continue  # likewise
                yield f.name.encode()
                yield from _parts(getattr(item, f.name))
        case np.integer():
            yield repr(int(item)).encode()
        case np.floating():
            yield repr(float(item)).encode()
        case None | bool() | int() | float() | str():
            yield f"{type(item).__name__} {item!r}".encode()
        case _:
            raise TypeError(f"cannot fingerprint {type(item).__name__}")
