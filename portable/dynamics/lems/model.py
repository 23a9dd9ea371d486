"""L1: a model as its files say it: dimensions, units, component types, components, what to run."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portable.dynamics.lems.types import ComponentType, Dimension, Quantity, Unit, Where
from portable.errors import ModelError, suggestion
from portable.units import shift

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$", re.A | re.S)
MAX_NUMBER = 200  # characters
# Attributes that say something of the element and not of the component.
_NOT_VALUES = frozenset({"id", "type", "name", "extends"})


class Follows(ModelError):  # noqa: N818
    """An error that another one has caused, such as a reference to a component that could not be read. Who
    collects errors leaves it out.
    """


@dataclass(frozen=True)
class Component:
    """A component as written. `attributes` are all of its attributes, known or not; `children` its
    component-valued elements in order.

    `type` is the name of its type; `tag` the element's, which may be a slot of the parent. `element` is the
    XML element, with all that we do not read in it: notes, annotations, long lists of connections.
    """

    type: str
    id: str
    tag: str
    attributes: Mapping[str, str]
    children: tuple[Component, ...] = ()
    where: Where = field(default=Where(), compare=False)
    element: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return str(self.where) or f"<{self.type} id='{self.id}'>"


class Scope:
    """Dimensions and units, and the reading of values like "10 mV" into SI."""

    def __init__(self, dimensions: Mapping[str, Dimension], units: Mapping[str, Unit]) -> None:
        self.dimensions, self.units = dimensions, units

    def exponents(self, name: str, where: Where) -> tuple[int, ...] | None:
        """Exponents of a dimension by name; None for "*", any."""
        if name == "*":
            return None
        if name in ("", "none"):
            return (0,) * 7
        if name not in self.dimensions:
            raise ModelError(str(where), f"unknown dimension '{name}'", suggestion(name, self.dimensions))
        return self.dimensions[name].exponents

    def si(self, text: str, dimension: str, where: Where, name: str) -> float:
        """The value in SI units. ModelError if it is no number, its unit is unknown or of another
        dimension.
        """
        found = _NUMBER.match(text) if len(text) <= MAX_NUMBER else None
        if not found:
            raise ModelError(
                f"{where}",
                f"{name}: cannot read {text[:60]!r} as a number with a unit",
                'write for example "10 mV"',
            )
        value = self._si(found, text, dimension, where, name)
        if not math.isfinite(value):
            raise ModelError(
                f"{where}",
                f"{name}: {text!r} is too large for a number",
                "give it smaller than 1e308 in SI units",
            )
        return value

    def _si(self, found: re.Match[str], text: str, dimension: str, where: Where, name: str) -> float:
        number, symbol = float(found[1]), found[2]
        if not symbol:
            if self.exponents(dimension, where) not in (None, (0,) * 7) and number != 0.0:
                raise ModelError(
                    f"{where}", f"{name}: must be a {dimension}, got {text!r} without a unit", "add its unit"
                )
            return number
        unit = self.units.get(symbol)
        if unit is None:
            raise ModelError(
                f"{where}", f"{name}: unknown unit '{symbol[:40]}'", suggestion(symbol, self.units)
            )
        want, own = self.exponents(dimension, where), self.exponents(unit.dimension, where)
        if want is not None and want != own:
            raise ModelError(
                f"{where}",
                f"{name}: must be a {dimension or 'plain number'}, got {text!r} which is a {unit.dimension}",
                f"give it as {dimension}",
            )
        try:
            return float(shift(number * unit.scale, unit.power)) + unit.offset
        except OverflowError:
            return math.inf


@dataclass
class Model:
    """Everything read from a file and what it includes. `types` has the core types too, `own_types` only the
    files' own, in order.

    `components` are the top-level components by id, in order; `target` the component that the file says to
    run. `files` maps each of the user's files that was read (relative to the first one's folder) to its XML
    root, `paths` to where it is.
    """

    dimensions: dict[str, Dimension] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    types: dict[str, ComponentType] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)
    constants: list[Quantity] = field(default_factory=list)
    own_types: list[str] = field(default_factory=list)
    own_dimensions: list[str] = field(default_factory=list)
    own_units: list[str] = field(default_factory=list)
    core_files: list[str] = field(default_factory=list)
    target: str = ""
    files: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    main: str = ""
    ignored: list[tuple[Where, str]] = field(default_factory=list)
    target_where: Where = field(default=Where())
    broken: set[str] = field(
        default_factory=set
    )  # where reading goes on after an error: ids of components that could not be read,
    broken_types: set[str] = field(default_factory=set)  # types,
    whole: bool = True  # and whether all includes could

    @property
    def scope(self) -> Scope:
        return Scope(self.dimensions, self.units)

    def component(self, id: str, where: Where | str, what: str) -> Component:
        """A top-level component. ModelError with a suggestion."""
        if id not in self.components:
            kind = Follows if id in self.broken or not self.whole else ModelError
            raise kind(str(where), f"{what} '{id[:60]}' does not exist", suggestion(id, self.components))
        return self.components[id]

    def unknown_type(self, name: str) -> type[ModelError]:
        """The error for a type that is not there."""
        return Follows if name in self.broken_types or not self.whole else ModelError

    def of_type(self, base: str) -> Iterator[Component]:
        """Top-level components of a type or of one that extends it."""
        return (c for c in self.components.values() if self.extends(c.type, base))

    def extends(self, type: str, base: str) -> bool:
        """Whether a type is `base` or inherits from it."""
        seen = set[str]()
        while type and type not in seen:
            if type == base:
                return True
            seen.add(type)
            found = self.types.get(type)
            type = found.extends if found else ""
        return False


def values(component: Component) -> dict[str, str]:
    """Attributes that can be values of parameters."""
    return {k: v for k, v in component.attributes.items() if k not in _NOT_VALUES}
