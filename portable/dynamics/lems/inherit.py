"""A component type with all that it inherits.

Parameters, ports, slots and the like accumulate from the base on; Dynamics and Structure of a type replace
those of its base as a whole (26 of the 26 core examples that depend on it agree with jLEMS under this rule).
A type may redeclare a constant as a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from portable.dynamics.lems.model import Model
from portable.dynamics.lems.types import (
    ComponentType,
    DerivedVariable,
    Dynamics,
    EventPort,
    Node,
    Quantity,
    Slot,
    StateVariable,
    Where,
)
from portable.errors import ModelError, suggestion


@dataclass
class FullType:
    """Everything that a component of this type has, by name."""

    name: str
    lineage: tuple[str, ...]
    parameters: dict[str, Quantity] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Quantity] = field(default_factory=dict)
    derived_parameters: dict[str, Quantity] = field(default_factory=dict)
    properties: dict[str, Quantity] = field(default_factory=dict)
    requirements: dict[str, Quantity] = field(default_factory=dict)
    exposures: dict[str, Quantity] = field(default_factory=dict)
    ports: dict[str, EventPort] = field(default_factory=dict)
    texts: dict[str, None] = field(default_factory=dict)
    paths: dict[str, None] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    dynamics: Dynamics = field(default_factory=Dynamics)
    structure: tuple[Node, ...] = ()
    where: Where = field(default=Where())

    def add(self, t: ComponentType) -> None:
        """Put a type's own declarations over those of its base."""
        for q in t.parameters:
            self.constants.pop(q.name, None)
            self.parameters[q.name] = q
        for q in t.constants:
            self.parameters.pop(q.name, None)
            self.constants[q.name] = q
        self.fixed.update(t.fixed)
        for mine, theirs in (
            (self.derived_parameters, t.derived_parameters),
            (self.properties, t.properties),
            (self.requirements, t.requirements),
            (self.exposures, t.exposures),
        ):
            mine.update({q.name: q for q in theirs})
        self.ports.update({p.name: p for p in t.ports})
        self.texts.update(dict.fromkeys(t.texts))
        self.paths.update(dict.fromkeys(t.paths))
        self.slots.update({s.name: s for s in t.slots})
        if t.dynamics is not None:
            self.dynamics = t.dynamics
        if t.structure is not None:
            self.structure = t.structure
        self.where = t.where

    def exposed(self, name: str) -> str:
        """The variable behind an exposure; "" if there is none."""
        for v in self.dynamics.variables:
            if v.exposure == name:
                return v.name
        return ""

    def variable(self, name: str) -> StateVariable | DerivedVariable | None:
        """The state or derived variable of a name; where both are declared the derived one counts."""
        return next((v for v in reversed(self.dynamics.variables) if v.name == name), None)

    def stated(self, variable: StateVariable | DerivedVariable) -> str:
        """The name of a variable's dimension: its own, else its exposure's."""
        exposure = self.exposures.get(variable.exposure)
        return variable.dimension or (exposure.dimension if exposure is not None else "none")


class Types:
    """Full types of a model, worked out once each."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._made: dict[str, FullType] = {}

    def __getitem__(self, name: str) -> FullType:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: str) -> bool:
        return name in self.model.types

    def _make(self, name: str) -> FullType:
        lineage, at = list[str](), name
        while at:
            if at not in self.model.types:
                where = self.model.types[lineage[-1]].where if lineage else Where()
                raise self.model.unknown_type(at)(
                    str(where), f"unknown component type '{at[:60]}'", suggestion(at, self.model.types)
                )
            if at in lineage:
                raise ModelError(
                    str(self.model.types[at].where),
                    f"inherits from itself: {' -> '.join([*lineage, at])}",
                    "break the circle of extends=",
                )
            lineage.append(at)
            at = self.model.types[at].extends
        full = FullType(name, tuple(lineage))
        for ancestor in reversed(lineage):
            full.add(self.model.types[ancestor])
        return full
