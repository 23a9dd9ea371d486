"""What a node's fields hold, said once, beside the field: `p: Annotated[float, Fraction("Probability.")]`.

The node's own check, the entry of the document format with its published schema, and what reads and writes
documents are made of it (portable.schemas.nodes); so that a new connector or source needs none of these.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from portable.errors import ModelError
from portable.model.values import Array

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Field:
    """`meaning` is a sentence for whoever reads the document format."""

    meaning: str

    def check(self, given: Any, path: str) -> Any:  # noqa: ARG002
        """The value as the node keeps it. ModelError where it is not of this kind."""
        return given


@dataclass(frozen=True)
class Flag(Field):
    """Yes or no."""

    def check(self, given: Any, path: str) -> bool:
        if not isinstance(given, (bool, np.bool_)):
            raise ModelError(path, f"must be True or False, got {given!r}", "write True or False")
        return bool(given)


@dataclass(frozen=True)
class Count(Field):
    """A whole number, 0 or more."""

    def check(self, given: Any, path: str) -> int:
        if not isinstance(given, (int, np.integer)) or isinstance(given, bool) or given < 0:
            raise ModelError(
                path, f"must be a whole number >= 0, got {given!r}", "give a number of connections"
            )
        return int(given)


@dataclass(frozen=True)
class Fraction(Field):
    """A number from 0 to 1."""

    def check(self, given: Any, path: str) -> float:
        number = isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool)
        if not number or not 0 <= given <= 1:
            raise ModelError(path, f"must be between 0 and 1, got {given!r}", "a probability of 10 % is 0.1")
        return float(given)


@dataclass(frozen=True)
class Positions(Field):
    """Positions of cells in a side, counted from 0."""

    def check(self, given: Any, path: str) -> Array:
        try:
            data = np.asarray(given.values if isinstance(given, Array) else given)
        except ValueError:  # a list of lists of different lengths
            data = np.zeros((0, 0))
        whole = data.dtype.kind in "iu" or (data.dtype.kind == "f" and bool(np.all(data == np.floor(data))))
        if data.ndim == 1 and (not data.size or (whole and data.min() >= 0 and data.max() < 2**32)):
            return Array(data)
        raise ModelError(
            path,
            "must be a one-dimensional array of whole numbers >= 0",
            "give the positions of cells in their side, counted from 0",
        )


@dataclass(frozen=True)
class Amount(Field):
    """One quantity. `unit`: what a plain number means."""

    unit: str


@dataclass(frozen=True)
class Values(Amount):
    """A quantity, an array of them (one per cell or connection) or a distribution; the unit of a weight is
    its receptor's and written "".
    """


@dataclass(frozen=True)
class Series(Amount):
    """A list of quantities."""


@dataclass(frozen=True)
class Trains(Amount):
    """A list of spike times that all cells share, or one for each."""


@dataclass(frozen=True)
class Declared:
    """A field of a class and what it has where it is left out (REQUIRED: it must be given)."""

    field: Field
    default: Any


_DECLARED: dict[Any, Mapping[str, Declared]] = {}


def declared(kind: type) -> Mapping[str, Declared]:
    """The fields of a class of nodes, in order."""
    if kind in _DECLARED:
        return _DECLARED[kind]
    hints = typing.get_type_hints(kind, include_extras=True)
    parameters = inspect.signature(kind).parameters
    out = {}
    for f in fields(kind):
        said = [m for m in getattr(hints[f.name], "__metadata__", ()) if isinstance(m, Field)]
        if len(said) != 1:
            raise TypeError(f"{kind.__name__}.{f.name} does not say what it holds")
        out[f.name] = Declared(said[0], parameters[f.name].default)
    _DECLARED[kind] = out
    return out


def checked(node: Any, **given: Any) -> None:
    """Sets the fields of a node to what was given, or to what they have, checked."""
    kind = type(node)
    for name, entry in declared(kind).items():
        value = given[name] if name in given else getattr(node, name)
        object.__setattr__(node, name, entry.field.check(value, f"{kind.__name__}.{name}"))


def meaning(kind: type) -> str:
    """The first sentence of a class's docstring, in one line."""
    first = (kind.__doc__ or "").strip().split("\n\n")[0]
    line = " ".join(first.split())
    return line.partition(". ")[0].rstrip(".") + "."
