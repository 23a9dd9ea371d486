"""Cell types and receptor types that a user can call, and the cells they make."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from portable.dynamics.component import ComponentType, Parameter
from portable.dynamics.flat import Flat, flatten, receptor_parameter
from portable.errors import ModelError, suggestion
from portable.frozen import Frozen
from portable.model.values import Array, Value, extremes, value
from portable.units import quantity


@dataclass(frozen=True, eq=False)
class ReceptorType:
    """A synaptic kernel type; calling it makes a receptor: pt.CurrExp(tau_syn="5 ms")."""

    component: ComponentType
    definition: Mapping[str, Any] | None = None  # the text a user gave, kept for documents

    @property
    def name(self) -> str:
        return self.component.name

    def __call__(self, **parameters: Any) -> Receptor:
        return Receptor(self, _read(self.name, {p.name: p for p in self.component.parameters}, parameters))

    def __repr__(self) -> str:
        return f"ReceptorType({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReceptorType) and self.component == other.component

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Receptor:
    """A receptor with its parameters."""

    type: ReceptorType
    parameters: Mapping[str, Value]

    def __hash__(self) -> int:
        return hash((self.type, tuple(sorted(self.parameters))))

    def __repr__(self) -> str:
        return f"{self.type.name}({_arguments(self.parameters)})"


@dataclass(frozen=True, eq=False)
class CellType:
    """A type of cell; calling it makes a cell: pt.IF_curr_exp(tau_m="20 ms", receptors={"slow":
    pt.CurrExp(tau_syn=100)}).
    """

    component: ComponentType
    receptors: Mapping[str, ReceptorType] = field(default_factory=dict)
    definition: Mapping[str, Any] | None = None
    defaults: Mapping[str, str] = field(
        default_factory=dict
    )  # of receptor parameters, where they differ from the receptor type's

    @property
    def name(self) -> str:
        return self.component.name

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter of the type with its own receptors, by name."""
        return {p.name: p for p in _flat(self, self.receptors).parameters}

    def __call__(self, *, receptors: Mapping[str, Receptor] | None = None, **parameters: Any) -> Cell:
        """Make a cell. `receptors` adds to the type's own. ModelError on an unknown or missing parameter or
        wrong unit.
        """
        extra = dict(receptors or {})
        for port, receptor in extra.items():
            path = f"{self.name}.receptors['{port}']"
            if not isinstance(receptor, Receptor):
                raise ModelError(
                    path,
                    f"expected a receptor, got {receptor!r}",
                    "write for example pt.CurrExp(tau_syn='5 ms')",
                )
            if port in self.receptors:
                raise ModelError(path, "is already a receptor of this type", "give it another name")
            for name, v in receptor.parameters.items():
                parameters[receptor_parameter(port, name)] = v
        kinds = {**self.receptors, **{port: r.type for port, r in extra.items()}}
        return self.make(kinds, parameters, self.name)

    def make(self, receptors: Mapping[str, ReceptorType], parameters: Mapping[str, Any], path: str) -> Cell:
        """The cell with exactly these receptors, of all its parameters by their names on the cell; errors are
        named under `path`.
        """
        flat = _flat(self, receptors)
        return Cell(self, Frozen(receptors), _read(path, {p.name: p for p in flat.parameters}, parameters))

    def __repr__(self) -> str:
        return f"CellType({self.name!r}: {', '.join(self.parameters)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CellType) and self._key() == other._key()

    def _key(self) -> tuple[object, ...]:
        return self.component, list(self.receptors.items()), dict(self.defaults)

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Cell:
    """A cell type with parameters: every parameter is present, as a quantity, an array or a distribution."""

    type: CellType
    receptors: Mapping[str, ReceptorType]
    parameters: Mapping[str, Value]

    @property
    def flat(self) -> Flat:
        """The flat form (L2) that backends lower."""
        return _flat(self.type, self.receptors)

    def __hash__(self) -> int:
        return hash((self.type, tuple(self.receptors)))

    def __repr__(self) -> str:
        return f"{self.type.name}({_arguments(self.parameters)})"

    def with_parameters(self, **changes: Any) -> Cell:
        """The same cell with some parameters changed."""
        known = {p.name: p for p in self.flat.parameters}
        return Cell(self.type, self.receptors, _read(self.type.name, known, {**self.parameters, **changes}))


def _arguments(parameters: Mapping[str, Value]) -> str:
    return ", ".join(f"{k}={v if not isinstance(v, Array) else repr(v)}" for k, v in parameters.items())


def _flat(cell: CellType, receptors: Mapping[str, ReceptorType]) -> Flat:
    return _flatten(cell, tuple(receptors.items()))


@functools.lru_cache(maxsize=512)
def _flatten(cell: CellType, receptors: tuple[tuple[str, ReceptorType], ...]) -> Flat:
    flat = flatten(cell.component, {port: r.component for port, r in receptors})
    if not cell.defaults:
        return flat
    changed = {
        n: quantity(q, p.unit) for n, q in cell.defaults.items() for p in flat.parameters if p.name == n
    }
    return replace(
        flat, parameters=tuple(replace(p, default=changed.get(p.name, p.default)) for p in flat.parameters)
    )


def _read(owner: str, known: Mapping[str, Parameter], given: Mapping[str, Any]) -> Mapping[str, Value]:
    out: dict[str, Value] = {}
    for name in given:
        if name not in known:
            raise ModelError(f"{owner}.{name}", "is no parameter of this type", suggestion(name, known))
    for name, p in known.items():
        if name not in given and p.default is None:
            raise ModelError(
                f"{owner}.{name}", "has no default and no value was given", f"give it in {p.unit}"
            )
        out[name] = value(given.get(name, p.default), p.unit, f"{owner}.{name}")
        low = extremes(out[name])[0]
        if (p.positive and low <= 0 and low != -float("inf")) or (
            p.nonnegative and low < 0 and low != -float("inf")
        ):
            shown = out[name] if not isinstance(out[name], Array) else f"an array with {low} in it"
            raise ModelError(
                f"{owner}.{name}",
                f"must be {'>' if p.positive else '>='} 0 {p.unit}, got {shown}",
                "give a positive value",
            )
    return Frozen(out)
