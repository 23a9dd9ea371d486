"""Synapses of a population: which can be folded into its cells, and which need a group of their own, one
element per connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portable.dynamics.lems.flatten import Attached, FlatModel, Flattener
from portable.dynamics.lems.instance import Builder, Instance
from portable.dynamics.lems.lump import lumpable
from portable.dynamics.lems.model import Component, Model, Scope
from portable.dynamics.lems.names import identifier
from portable.dynamics.lems.types import DerivedVariable
from portable.errors import ModelError
from portable.units import CURRENT

Outlet = tuple[str, Instance, str]


@dataclass
class Synapse:
    """One synapse component on a population. `folded`: one instance stands for all connections. `back`:
    events that it wants from the cell it sits on, (the cell's port, its own)."""

    component: Component
    instance: Instance
    folded: bool
    port: str
    back: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Site:
    """A population's cell while it is put together."""

    cell: Instance
    slot: str
    shown: list[str]  # what the cell takes from what is attached: i, or I, or more
    attached: Attached = field(default_factory=Attached)
    synapses: dict[tuple[str, str], Synapse] = field(default_factory=dict)
    flat: FlatModel | None = None
    start: Mapping[str, float] = field(
        default_factory=dict
    )  # values of the cell's variables at time 0, coherent


def site(cell: Instance, temperature: float | None, scope: Scope) -> Site:
    """The first Attachments slot, and the variables that the cell's paths select from it."""
    slot = next((s.name for s in cell.type.slots.values() if s.kind == "Attachments"), "")
    taken = [
        d
        for d in cell.type.dynamics.derived
        if slot and "/" in d.select and d.select.split("[")[0].split("/")[0] == slot
    ]
    shown = list(dict.fromkeys(d.select.rsplit("/", 1)[1] for d in taken))
    currents = [
        d
        for d in taken
        if d.select.endswith("/i") and scope.exponents(_dimension(cell, d), d.where) == CURRENT
    ]
    return Site(cell, slot, shown, Attached(current="i" if currents else "", temperature=temperature))


def _dimension(cell: Instance, d: DerivedVariable) -> str:
    return d.dimension or (
        cell.type.exposures[d.exposure].dimension if d.exposure in cell.type.exposures else "none"
    )


class Attacher:
    """Attaches synapses and inputs to sites."""

    def __init__(self, model: Model, builder: Builder) -> None:
        self.model, self.builder = model, builder

    def instance(
        self, s: Site, component: Component, name: str = ""
    ) -> tuple[Instance, list[tuple[str, str]]]:
        """An instance that sits on the cell, and the events it wants from it."""
        if not s.slot:
            raise ModelError(
                str(component),
                f"cannot be attached to '{s.cell.component.id}': a {s.cell.type.name} takes no synapses or "
                "inputs",
                "use a cell type with attachments, such as iafCell",
            )
        before = len(s.cell.outlets)
        made = self.builder.build(component, name or component.id, s.cell)
        back = [(mine, theirs) for mine, receiver, theirs in s.cell.outlets[before:] if receiver is made]
        del s.cell.outlets[before:]
        for variable in s.shown:
            if not made.type.exposed(variable) and not made.has(variable) and variable in ("i", "I"):
                raise ModelError(
                    str(component),
                    f"cannot be attached to '{s.cell.component.id}', which reads '{variable}' of what is "
                    f"attached and this has {', '.join(made.type.exposures) or 'nothing'}",
                    "use one with the same kind of current (…DL for dimensionless cells)",
                )
        return made, back

    def synapse(self, s: Site, component: Component, port: str = "", alone: bool = False) -> Synapse:
        """The synapse of this component on the population; folded into the cell where that is exact, unless
        `alone`.
        """
        key = component.id, port
        if key not in s.synapses:
            made, back = self.instance(s, component)
            flat = Flattener(
                self.model,
                [made],
                {id(s.cell): ""},
                Attached(temperature=s.attached.temperature),
                spiking=False,
            ).flatten()
            shown = [
                flat.symbol(made, made.type.exposed(v) or v)
                for v in s.shown
                if made.has(made.type.exposed(v) or v)
            ]
            folded = not alone and not back and bool(shown) and lumpable(flat, shown)
            name = identifier(component.id if not port else f"{component.id}_{port}")
            s.synapses[key] = Synapse(component, made, folded, name, back)
            if folded:
                s.cell.lists.setdefault(s.slot, []).append(made)
                s.attached.ports.append((made, port, name))
            else:
                s.attached.linked |= {v: f"{v}_links" for v in s.shown}
        return s.synapses[key]

    def input(self, s: Site, component: Component, rank: int) -> tuple[Instance, str]:
        """An input on some cells, and the name of the parameter that is 1 there. rank: how many of the same a
        cell has already.
        """
        name = component.id if not rank else f"{component.id}_{rank + 1}"
        made, _ = self.instance(s, component, name)
        mask = identifier(f"{name}_on")
        s.cell.lists.setdefault(s.slot, []).append(made)
        s.attached.masks[id(made)] = mask
        return made, mask
