"""L1, the hierarchical form: component types with the meaning of LEMS.

A `ComponentType` says what a cell, a receptor (synaptic kernel) or an input *is*: parameters, state
variables, derivatives, derived variables, conditions, events. Standard types and users' own are made by the
same text reader (`dynamics.text`) and are the same objects; `dynamics.flat` joins a cell with its receptors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portable.dynamics.expressions import Expr
from portable.frozen import Frozen
from portable.units import Dimension, Quantity, unit


@dataclass(frozen=True)
class Parameter:
    """A named constant of a component; `unit` is what a plain float means."""

    name: str
    unit: str
    default: Quantity | None = None
    description: str = ""
    positive: bool = False  # time constants, capacitances: 0 or less is refused
    nonnegative: bool = False

    @property
    def dimension(self) -> Dimension:
        return unit(self.unit).dimension


@dataclass(frozen=True)
class StateVariable:
    """A variable with memory; `initial` is LEMS' OnStart, an expression of parameters."""

    name: str
    unit: str
    initial: Expr

    @property
    def dimension(self) -> Dimension:
        return unit(self.unit).dimension


@dataclass(frozen=True)
class Derived:
    """A variable computed from others at any time; with `constant` it reads parameters only (LEMS
    DerivedParameter).
    """

    name: str
    expr: Expr
    dimension: Dimension


@dataclass(frozen=True)
class Assign:
    """variable = expr, inside OnCondition or OnEvent."""

    variable: str
    expr: Expr


@dataclass(frozen=True)
class OnCondition:
    """When `test` holds at the end of a step: assignments in order, and a spike if `spike`. Level-triggered,
    as in LEMS.
    """

    test: Expr
    assignments: tuple[Assign, ...] = ()
    spike: bool = False


@dataclass(frozen=True)
class OnEvent:
    """What an arriving spike does; the name `weight` is the connection's weight."""

    port: str
    assignments: tuple[Assign, ...]
    weight_unit: str


@dataclass(frozen=True)
class Refractory:
    """After a spike the `held` states do not move for round(duration/dt) whole updates (semantics.md, step
    4).
    """

    duration: Expr
    held: tuple[str, ...]


@dataclass(frozen=True)
class ComponentType:
    """One type of cell or receptor.

    `requires` are names that the parent provides (a conductance receptor reads `v`); `exposes` is what a
    receptor adds to the parent, keyed by the parent's name for the sum (`i_syn`). `inputs` are names whose
    value links give, constant over a step (0 where nothing is linked). `integrator` is the method this model
    is defined with, where the publication fixes one (Izhikevich: forward Euler).
    """

    name: str
    kind: str  # "cell" or "receptor"
    parameters: tuple[Parameter, ...]
    states: tuple[StateVariable, ...] = ()
    derived: tuple[Derived, ...] = ()
    derivatives: Mapping[str, Expr] = field(default_factory=dict)
    conditions: tuple[OnCondition, ...] = ()
    events: tuple[OnEvent, ...] = ()
    refractory: Refractory | None = None
    requires: Mapping[str, Dimension] = field(default_factory=dict)
    inputs: Mapping[str, Dimension] = Frozen()
    compartments: int = (
        1  # more than one: the equations here stand for a cell that only some backends can run
    )
    exposes: Mapping[str, Expr] = field(default_factory=dict)
    integrator: str = ""
    description: str = ""
    source: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)  # {"PyNN": ..., "NEST": ..., "NeuroML": ...}

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)
