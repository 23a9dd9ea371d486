"""A network that `portable` wrote keeps its own description in an annotation: rules and distributions, which
NeuroML cannot say.
"""

from __future__ import annotations

from typing import Any

from portable.dynamics.lems.model import Model
from portable.errors import ModelError
from portable.model.network import Network
from portable.schemas.neuroml import seal
from portable.schemas.neuroml.xml import name, where


def kept_network(model: Model) -> Network | None:
    """The network of the annotation that `write_neuroml` made; None where there is none, or where a file was
    changed since, which is noted.
    """
    for file, root in model.files.items():
        for element in root:
            if name(element) == "annotation":
                from portable.schemas.neuroml.write_annotation import network_from_annotation

                try:
                    found = network_from_annotation(element)
                except ModelError as error:
                    raise error.under(str(where(element, file))) from None
                if found is None:
                    continue
                stale = _changed(model, element)
                if not stale:
                    return found
                for p in _properties(element):
                    p.getparent().remove(p)
                model.ignored.append(
                    (
                        where(element, file),
                        f"the network's rules kept there are left out: {', '.join(stale)[:200]} changed "
                        "since portable wrote them",
                    )
                )
    return None


def _properties(annotation: Any) -> list[Any]:
    return [p for p in annotation if name(p) == "property" and p.get("tag") in (seal.TAG, seal.NETWORK)]


def _changed(model: Model, annotation: Any) -> list[str]:
    value = next((p.get("value", "") for p in _properties(annotation) if p.get("tag") == seal.TAG), "")
    return seal.changed(value, {shown: path.read_bytes() for shown, path in model.paths.items()})
