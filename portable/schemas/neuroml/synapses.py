"""Synapses of a population: which can be folded into its cells, and which need a group of their own, one
element per connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from portable.dynamics.lems.flat_model import Attached, FlatModel
from portable.dynamics.lems.flatten import Flattener
from portable.dynamics.lems.instance import Builder, Instance, java_order
from portable.dynamics.lems.lump import lumpable
from portable.dynamics.lems.model import Component, Model, Scope
from portable.dynamics.lems.names import identifier, unused
from portable.dynamics.lems.types import DerivedVariable, Where
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml.plastic import Learned, learned
from portable.units import CURRENT


@dataclass
class Synapse:
    """One synapse component on a population. `folded`: one instance stands for all connections. `back`:
    events that it wants from the cell it sits on, (the cell's port, its own, delay in s). `slot`: the cell's
    Attachments that it is in. `rule`: what its connections learn by, where a receptor is folded and the rest
    is theirs. `could`: there is a rule, which is not wanted."""

    component: Component
    instance: Instance
    slot: str
    folded: bool
    port: str
    back: list[tuple[str, str, float]] = field(default_factory=list)
    rule: Learned | None = None
    could: bool = False


@dataclass
class Site:
    """A population's cell while it is put together. `shown`: its Attachments, and the variables that the cell
    takes from what is in them: i, or I, or more."""

    cell: Instance
    shown: dict[str, list[str]]
    attached: Attached = field(default_factory=Attached)
    synapses: dict[tuple[str, str, str], Synapse] = field(default_factory=dict)
    flat: FlatModel | None = None
    start: Mapping[str, float] = field(
        default_factory=dict
    )  # values of the cell's variables at time 0, coherent

    def everything_attached(self) -> Iterator[Instance]:
        """What is folded into the cell."""
        for slot in self.shown:
            yield from self.cell.lists.get(slot, [])

    def link(self, slot: str) -> None:
        """Let the cell take from groups, too, what it takes from a slot."""
        first = next(iter(self.shown))
        for v in self.shown[slot]:
            self.attached.linked[slot, v] = f"{v}_links" if slot == first else f"{slot}_{v}_links"

    def linked(self, slot: str) -> dict[str, str]:
        """The variables of a slot, and the inputs of the cell that bring their sums over groups."""
        return {v: self.attached.linked[slot, v] for v in self.shown[slot]}


def site(cell: Instance, temperature: float | None, scope: Scope) -> Site:
    """Each Attachments slot with the variables that the cell's paths select from it."""
    paths: dict[str, list[DerivedVariable]] = {
        s.name: [] for s in cell.type.slots.values() if s.kind == "Attachments"
    }
    for d in cell.type.dynamics.derived:
        if "/" in d.select and (slot := d.select.split("[")[0].split("/")[0]) in paths:
            paths[slot].append(d)
    current = next(
        (
            slot
            for slot, many in paths.items()
            for d in many
            if d.select.endswith("/i") and scope.exponents(cell.type.stated(d), d.where) == CURRENT
        ),
        "",
    )
    shown = {
        slot: list(dict.fromkeys(d.select.rsplit("/", 1)[1] for d in many)) for slot, many in paths.items()
    }
    return Site(cell, shown, Attached(current=current, temperature=temperature))


class Attacher:
    """Attaches synapses and inputs to sites."""

    def __init__(self, model: Model, builder: Builder) -> None:
        self.model, self.builder = model, builder

    def slot(self, s: Site, component: Component, destination: str, where: Where) -> str:
        """The Attachments of a cell that a component goes to: those named, else those of its type."""
        if not s.shown:
            raise ModelError(
                str(component),
                f"cannot be attached to '{s.cell.component.id}': a {s.cell.type.name} takes no synapses or "
                "inputs",
                "use a cell type with attachments, such as iafCell",
            )
        if destination in s.shown:
            return destination
        if destination:
            raise ModelError(
                str(where),
                f"destination: a {s.cell.type.name} has no Attachments '{destination[:60]}'",
                suggestion(destination, s.shown),
            )
        types = s.cell.type.slots
        fitting = [n for n in s.shown if self.model.extends(component.type, types[n].type)] or list(s.shown)
        if len(fitting) > 1:
            raise ModelError(
                str(where),
                f"'{component.id[:60]}' can go to {' or '.join(fitting)} of '{s.cell.component.id}'",
                'say to which one with destination="..."',
            )
        return fitting[0]

    def instance(
        self, s: Site, component: Component, slot: str, name: str = ""
    ) -> tuple[Instance, list[tuple[str, str, float]]]:
        """An instance that sits on the cell, and the events it wants from it, as Synapse.back."""
        before = len(s.cell.outlets)
        made = self.builder.build(component, name or component.id, s.cell)
        back = [
            (mine, theirs, s.cell.lags.pop((id(made), theirs), 0.0))
            for mine, receiver, theirs in s.cell.outlets[before:]
            if receiver is made
        ]
        del s.cell.outlets[before:]
        for variable in s.shown[slot]:
            if not made.type.exposed(variable) and not made.has(variable) and variable in ("i", "I"):
                given = [v.exposure for v in made.type.dynamics.variables if v.exposure]
                raise ModelError(
                    str(component),
                    f"cannot be attached to '{s.cell.component.id}', which reads '{variable}' of what is "
                    f"attached and this has {', '.join(given) or 'nothing'}",
                    "use one with the same kind of current (…DL for dimensionless cells)",
                )
        return made, back

    def alone(self, s: Site, made: Instance, slot: str) -> FlatModel:
        """A synapse by itself, with all that the cell takes from it worked out."""
        return Flattener(
            self.model,
            [made],
            {id(s.cell): ""},
            Attached(temperature=s.attached.temperature),
            spiking=False,
            taken=[(made, v) for v in s.shown[slot]],
        ).flatten()

    def synapse(
        self,
        s: Site,
        component: Component,
        port: str,
        destination: str,
        where: Where,
        alone: bool = False,
        rules: bool = True,
    ) -> Synapse:
        """The synapse of this component on the population; folded into the cell where that is exact, unless
        `alone`; taken apart into a receptor and a rule where that is, if `rules`.
        """
        slot = self.slot(s, component, destination, where)
        key = component.id, port, slot
        if key not in s.synapses:
            made, back = self.instance(s, component, slot)
            d = made.type.dynamics
            if not d.events and not any(r.events for r in d.regimes):
                raise ModelError(
                    str(component),
                    f"a {component.type} does nothing when an event arrives",
                    "choose a synapse with OnEvent",
                )
            flat = self.alone(s, made, slot)
            shown = [symbol_of(flat, made, v) for v in s.shown[slot]]
            together = not alone and not back and bool(shown)
            folded, rule = together and lumpable(flat, shown), None
            if not back and shown and not folded:
                rule = learned(component.id, flat, shown, first_port(flat, port))
            could, rule = rule is not None and not (rules and together), rule if rules and together else None
            own = [identifier(p.name) for p in s.cell.type.ports.values() if p.direction == "in"]
            known = {*own, *(x.port for x in s.synapses.values())}
            name = unused("_".join(x for x in (component.id, destination, port) if x), known)
            folded = folded or rule is not None
            s.synapses[key] = Synapse(component, made, slot, folded, name, back, rule, could)
            if s.synapses[key].folded:
                s.cell.lists.setdefault(slot, []).append(made)
                s.attached.ports.append((made, port, name))
            else:
                s.link(slot)
        return s.synapses[key]

    def input(self, s: Site, component: Component, slot: str, rank: int) -> tuple[Instance, str]:
        """An input on some cells, and the name of the parameter that is 1 there. rank: how many of the same a
        cell has already.
        """
        name = component.id if not rank else f"{component.id}_{rank + 1}"
        made, _ = self.instance(s, component, slot, name)
        mask = unused(f"{name}_on", s.attached.masks.values())
        s.cell.lists.setdefault(slot, []).append(made)
        s.attached.masks[id(made)] = mask
        return made, mask


def first_port(flat: FlatModel, port: str) -> str:
    """The port of that name; "": the first, as jLEMS counts."""
    return identifier(port or next(iter(java_order(list(flat.events))), ""))


def symbol_of(flat: FlatModel, i: Instance, exposed: str) -> str:
    """The name in a flat model of what an instance exposes, or of its variable of that name."""
    return flat.symbol(i, i.type.exposed(exposed) or exposed)
