"""Whether files are still as `write_neuroml` wrote them: only then does the network in their annotation say
what they say.

The annotation holds, beside the network, a digest of every file that was written with it. A digest leaves the
annotation itself out, and how lines end (so files may go through git or mail); of HDF5 it covers names,
attributes and arrays.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from portable.schemas.neuroml.hdf5 import bloated

TAG = "https://portable-snn.org/files/1"
NETWORK = "https://portable-snn.org/network/1"
END = "  </annotation>\n"
_OURS = re.compile(
    rb'\s*<property\s+tag="(?:'
    + b"|".join(re.escape(t.encode()) for t in (NETWORK, TAG))
    + rb')"\s[^<>]*/>\s*'
)
_TEXT = "neuroml_top_level"
_HDF5 = (".h5", ".hdf5")


def digest(name: str, data: bytes) -> str:
    """Of a file as it stands, by its kind. OSError if its name says HDF5 and it is none, or if its arrays are
    not in it.
    """
    return (
        _arrays(data)
        if name.endswith(_HDF5)
        else hashlib.sha256(_bare(data.replace(b"\r\n", b"\n"))).hexdigest()
    )


def sealed(files: Mapping[str, str | bytes], net: str) -> dict[str, str | bytes]:
    """The files, with the digests of all in the annotation of `net`."""
    found = {n: digest(n, d.encode() if isinstance(d, str) else d) for n, d in files.items()}
    value = escape(msgspec.json.encode(found).decode(), {'"': "&quot;", "'": "&apos;"})
    line = f'    <property tag="{TAG}" value="{value}"/>\n{END}'
    data = files[net]
    return {**files, net: data.replace(END, line, 1) if isinstance(data, str) else _with_text(data, line)}


def changed(value: str, files: Mapping[str, bytes]) -> list[str]:
    """Names of files that are not among those that were written. value: of our <property>."""
    try:
        known = set(msgspec.json.decode(value, type=dict[str, str]).values())
    except msgspec.DecodeError:
        return list(files)
    return [n for n, data in files.items() if _digest_or_none(n, data) not in known]


def _digest_or_none(name: str, data: bytes) -> str | None:
    try:
        return digest(name, data)
    except OSError:
        return None


def _bare(data: bytes) -> bytes:
    """A text without our properties in its first annotation."""
    start = data.find(b"<annotation>")
    end = data.find(b"</annotation>", start)
    return data if start < 0 or end < 0 else data[:start] + _OURS.sub(b"", data[start:end]) + data[end:]


def _arrays(data: bytes) -> str:
    import h5py

    found = hashlib.sha256()

    def take(name: str, node: Any) -> None:
        found.update(b"\0node\0" + name.encode())
        for key in sorted(node.attrs):
            value = node.attrs[key]
            text = value if isinstance(value, bytes) else str(value).encode()
            found.update(b"\0" + key.encode() + b"\0" + (_bare(text) if key == _TEXT else text))
        if isinstance(node, h5py.Dataset):
            if bloated(node):
                raise OSError(name)
            found.update(f"\0{node.dtype.str}{node.shape}\0".encode() + node[...].tobytes())

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(take)  # in the order of the names
    return found.hexdigest()


def _with_text(data: bytes, line: str) -> bytes:
    import h5py
    import numpy as np

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        attributes = file["neuroml"].attrs
        text = bytes(attributes[_TEXT]).decode().replace(END, line, 1)
        attributes.create(_TEXT, np.bytes_(text.encode()))
    return buffer.getvalue()
