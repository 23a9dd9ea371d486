"""A network that `portable` wrote keeps its own description in an annotation: rules and distributions, which NeuroML cannot say."""

from __future__ import annotations

from portable.dynamics.lems.model import Model
from portable.errors import ModelError
from portable.model.network import Network
from portable.schemas.neuroml.xml import name, where


def kept_network(model: Model) -> Network | None:
    """The network of the annotation that `write_neuroml` made; None where there is none."""
    for file, root in model.files.items():
        for element in root:
            if name(element) == "annotation":
                from portable.schemas.neuroml.write_annotation import network_from_annotation

                try:
                    found = network_from_annotation(element)
                except ModelError as error:
                    raise error.under(str(where(element, file))) from None
                if found is not None:
                    return found
    return None
