"""What flattening a tree of instances gives, and what is attached to the tree from outside."""

from __future__ import annotations

from dataclasses import dataclass, field

from portable.dynamics.expressions import (
    Expr,
    substitute,
)
from portable.dynamics.lems.instance import Instance
from portable.errors import ModelError
from portable.units import Dimension, coherent_power, shift

SPIKE = "spike"
REGIME = "regime"  # the state that holds the number of the active regime
Statement = tuple[str, Expr]  # (variable, value); (SPIKE, 0) for a spike


class Unavailable(ModelError):  # noqa: N818
    """A parameter, requirement or child that a component lacks: an error only where something needs it."""


@dataclass
class FlatModel:
    """What flattening gives. `symbols` maps (instance, variable) to the name here; `inputs` what is read from
    outside: name -> (instance there, variable).

    `silent` are derived variables that could not be worked out and that nothing needs: name -> why.
    """

    parameters: dict[str, tuple[float, Dimension]] = field(default_factory=dict)  # coherent
    states: dict[str, Dimension] = field(default_factory=dict)
    initial: dict[str, Expr] = field(default_factory=dict)
    derived: dict[str, tuple[Expr, Dimension]] = field(default_factory=dict)  # in order of evaluation
    derivatives: dict[str, Expr] = field(default_factory=dict)
    conditions: list[tuple[Expr, list[Statement]]] = field(default_factory=list)
    events: dict[str, list[Statement]] = field(default_factory=dict)
    inputs: dict[str, Dimension] = field(default_factory=dict)
    symbols: dict[tuple[int, str], str] = field(default_factory=dict)
    outside: dict[str, tuple[Instance, str]] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)

    def symbol(self, i: Instance, variable: str) -> str:
        """The name of an instance's variable here; "" if it has none."""
        return self.symbols.get((id(i), variable), "")

    def why(self, variable: str) -> str:
        """Why a variable is not here; "" if nothing is known of it."""
        return next((w for n, w in self.silent.items() if n.endswith(variable)), "")

    def inlined(self, expr: Expr) -> Expr:
        """The expression with derived variables replaced by what they stand for."""
        table: dict[str, Expr] = {}
        for name, (e, _) in self.derived.items():
            table[name] = substitute(e, table)
        return substitute(expr, table)


@dataclass
class Attached:
    """What is attached to a cell besides what its component holds.

    masks: instance -> name of a parameter that multiplies it (0 on cells that do not have it). linked: (slot,
    variable) -> name of the input that brings the sum over instances elsewhere. ports: (instance, its port or
    "", name of the port on the cell). current: the slot to whose `i` injected current adds, "" if there is
    none. temperature: in K, of the network.
    """

    masks: dict[int, str] = field(default_factory=dict)
    linked: dict[tuple[str, str], str] = field(default_factory=dict)
    ports: list[tuple[Instance, str, str]] = field(default_factory=list)
    current: str = ""
    temperature: float | None = None


def coherent(si: float, dimension: Dimension) -> float:
    """An SI value in our units."""
    return float(shift(si, -coherent_power(dimension)))
