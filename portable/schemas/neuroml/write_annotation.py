"""The network as its author wrote it, kept in the NeuroML file: rules, distributions and units that NeuroML
has no words for.

The <annotation> of the <neuroml> element has a <property> whose tag is ours and whose value is our own JSON
document of the Network; importing our files gives back an equal Network. (jLEMS refuses elements of other
namespaces there, but takes properties.)
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import msgspec

from portable.errors import ModelError
from portable.model.network import Network
from portable.schemas import document, read, text
from portable.schemas.neuroml.seal import NETWORK as TAG


def annotation(network: Network) -> str:
    """<annotation> with the network's document."""
    data = msgspec.json.encode(document.to_document(network)).decode()
    value = escape(
        data, {'"': "&quot;", "'": "&apos;"}
    )  # both: jLEMS's own XML reader takes no apostrophes round an attribute
    return f'  <annotation>\n    <property tag="{TAG}" value="{value}"/>\n  </annotation>\n'


def network_from_annotation(root: Any) -> Network | None:
    """The Network kept in a parsed NeuroML file (its root element, lxml or ElementTree), None where there is
    none. ModelError if it is broken.
    """
    for found in root.iter():
        if (
            found.get("tag") == TAG
            and isinstance(found.tag, str)
            and found.tag.rpartition("}")[2] == "property"
        ):
            try:
                return read.network(text.read_json(found.get("value", "")))
            except ModelError as error:
                raise error.under("annotation/property") from None
    return None
