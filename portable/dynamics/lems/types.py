"""L1: the component types of LEMS as classes, one for each element of the language. Values are kept as
written.

Source: Cannon et al. 2014, doi:10.3389/fninf.2014.00079; what jLEMS 0.11 does where the paper is silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union


@dataclass(frozen=True)
class Where:
    """Where something stands: file, line, element; as text "net.nml:12: <izhikevichCell id='c'>"."""

    file: str = ""
    line: int = 0
    element: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.element}" if place and self.element else place or self.element


@dataclass(frozen=True)
class Dimension:
    """A named dimension; `exponents` of (m, l, t, i, k, n, j)."""

    name: str
    exponents: tuple[int, ...]


@dataclass(frozen=True)
class Unit:
    """A unit symbol: SI value = number * scale * 10^power + offset."""

    symbol: str
    dimension: str
    power: int = 0
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Quantity:
    """A name with a dimension: Parameter, Property, Requirement, Exposure, StateVariable. `value` is text
    with a unit, or "".
    """

    name: str
    dimension: str
    value: str = ""
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class Slot:
    """Room for other components. `kind` is Child, Children, Attachments, ComponentReference, Link,
    InstanceRequirement.
    """

    kind: str
    name: str
    type: str


@dataclass(frozen=True)
class Assign:
    variable: str
    value: str
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class EventOut:
    port: str


@dataclass(frozen=True)
class Transition:
    regime: str


Action = Union[Assign, EventOut, Transition]  # noqa: UP007


@dataclass(frozen=True)
class Case:
    """One case of a conditional variable; condition "" = otherwise."""

    condition: str
    value: str


@dataclass(frozen=True)
class DerivedVariable:
    """value, or select with reduce ("add", "multiply", ""), or cases."""

    name: str
    dimension: str
    exposure: str = ""
    value: str = ""
    select: str = ""
    reduce: str = ""
    cases: tuple[Case, ...] = ()
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class StateVariable:
    name: str
    dimension: str
    exposure: str = ""
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class OnCondition:
    test: str
    actions: tuple[Action, ...]
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class OnEvent:
    port: str
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Regime:
    """`states` are seen in the regime only, and keep their values while it is not active."""

    name: str
    initial: bool
    derivatives: tuple[Assign, ...]
    on_entry: tuple[Action, ...]
    conditions: tuple[OnCondition, ...]
    events: tuple[OnEvent, ...]
    states: tuple[StateVariable, ...] = ()


@dataclass(frozen=True)
class KineticScheme:
    """Names of the children lists of nodes and edges, and of the variables in them."""

    name: str
    nodes: str
    state_variable: str
    edges: str
    edge_source: str
    edge_target: str
    forward_rate: str
    reverse_rate: str
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True)
class Dynamics:
    states: tuple[StateVariable, ...] = ()
    derived: tuple[DerivedVariable, ...] = ()
    derivatives: tuple[Assign, ...] = ()
    on_start: tuple[Action, ...] = ()
    conditions: tuple[OnCondition, ...] = ()
    events: tuple[OnEvent, ...] = ()
    regimes: tuple[Regime, ...] = ()
    schemes: tuple[KineticScheme, ...] = ()

    @property
    def variables(self) -> tuple[StateVariable | DerivedVariable, ...]:
        """State variables, then derived ones."""
        return (*self.states, *self.derived)


@dataclass(frozen=True)
class Node:
    """An element of Structure, as it stands: With, EventConnection, ChildInstance, Tunnel, ..."""

    tag: str
    attributes: Mapping[str, str]
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class EventPort:
    name: str
    direction: str  # "in" or "out"


@dataclass(frozen=True)
class ComponentType:
    """One ComponentType as declared, without what it inherits (see inherit.py)."""

    name: str
    extends: str = ""
    parameters: tuple[Quantity, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    constants: tuple[Quantity, ...] = ()
    derived_parameters: tuple[Quantity, ...] = ()
    properties: tuple[Quantity, ...] = ()
    requirements: tuple[Quantity, ...] = ()
    exposures: tuple[Quantity, ...] = ()
    ports: tuple[EventPort, ...] = ()
    texts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    dynamics: Dynamics | None = None
    structure: tuple[Node, ...] | None = None
    where: Where = field(default=Where(), compare=False)
