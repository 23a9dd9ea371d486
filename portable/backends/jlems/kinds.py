"""What one component type is to jLEMS at run time: its variables, exposures, ports and blocks of actions,
each with a number.

jLEMS builds some instances from its own shallow copy of their type (`copied`): those of a population, of a
structure's ChildInstance and of an event connection's receiver, and their single children. The copy runs
OnStart twice, shows exposures under the name of their variable, and hides inherited exposures that no
variable is linked to. Requirements and paths look a name up among exposures first, so this decides what they
read. (jLEMS 0.14.0, classes StateType, StateInstance, ComponentRegime.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from portable.dynamics.lems.inherit import FullType
from portable.dynamics.lems.instance import java_order
from portable.dynamics.lems.model import Model
from portable.dynamics.lems.types import Action, Assign, DerivedVariable, Dynamics, EventOut, Transition


@dataclass(frozen=True)
class Block:
    """Assignments in order, then events out, then a transition ("" = none, and outside regimes); the order of
    jLEMS whatever the file's. Outs are numbers of out ports.
    """

    assigns: tuple[Assign, ...]
    outs: tuple[int, ...]
    transition: str


@dataclass(eq=False)
class Kind:
    """A component type as built by jLEMS. `slots` are offsets of variables, `exposed` of exposures; both in
    one stretch of `width` numbers.

    Offset 0 is the instance's own copy of time. `in_ports` are in jLEMS's order (the first one is used where
    none is named); out ports may have one name twice, of which events leave by the last but unnamed
    connections start at the first, as in jLEMS.
    """

    number: int
    type: FullType
    copied: bool
    requirements: tuple[str, ...]
    slots: dict[str, int]
    exposed: dict[str, int]
    shown: tuple[tuple[int, int], ...]  # (exposure, variable) to copy at the end of a step
    paths: tuple[DerivedVariable, ...]
    width: int
    in_ports: tuple[str, ...]
    out_ports: tuple[str, ...]
    regimes: tuple[str, ...]
    blocks: list[Block] = field(default_factory=list)
    start: int = -1
    conditions: tuple[int, ...] = ()
    on_event: dict[str, int] = field(default_factory=dict)
    entry: dict[str, int] = field(default_factory=dict)
    regime_conditions: dict[str, tuple[int, ...]] = field(default_factory=dict)
    regime_event: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def regime_slot(self) -> int:
        """Offset of the number of the active regime; the last of the stretch."""
        return self.width - 1

    @property
    def initial(self) -> int:
        """The regime marked initial; the first in jLEMS's order where none is."""
        marked = [r.name for r in self.type.dynamics.regimes if r.initial]
        return self.regimes.index(marked[-1]) if marked else 0

    def out_port(self, name: str) -> int | None:
        """Number of an out port, "" = the first one; None if there is none."""
        if not name:
            return 0 if self.out_ports else None
        return max((i for i, p in enumerate(self.out_ports) if p == name), default=None)

    def in_port(self, name: str) -> int | None:
        """Number of an in port, "" = the first one; None if there is none."""
        if not name:
            return 0 if self.in_ports else None
        return self.in_ports.index(name) if name in self.in_ports else None


def has_dynamics(model: Model, type: FullType) -> bool:
    """Whether a type or one it inherits from has Dynamics; without, jLEMS gives it no requirements and no
    exposures.
    """
    return any(model.types[t].dynamics is not None for t in type.lineage)


def _assigned(d: Dynamics) -> list[str]:
    blocks = [d.on_start, *(c.actions for c in d.conditions), *(e.actions for e in d.events)]
    for r in d.regimes:
        blocks += [r.on_entry, *(c.actions for c in r.conditions), *(e.actions for e in r.events)]
    rates = [a.variable for a in (*d.derivatives, *(a for r in d.regimes for a in r.derivatives))]
    return rates + [a.variable for b in blocks for a in b if isinstance(a, Assign)]


def make_kind(number: int, model: Model, type: FullType, copied: bool) -> Kind:
    """The kind of a type."""
    d, dynamic = type.dynamics, has_dynamics(model, type)
    requirements = tuple(r for r in type.requirements if r != "t") if dynamic else ()
    fixed = (*type.parameters, *type.constants, *type.derived_parameters, *type.properties)
    variables = [*((v.name, v.exposure) for v in d.states), *((v.name, v.exposure) for v in d.derived)]
    linked = [
        (exposure or name, name) for name, exposure in variables if exposure or name in type.exposures
    ]  # the same name is enough for jLEMS
    linked += [(p, p) for p in type.properties]
    if copied:
        linked = [(variable, exposure) for exposure, variable in linked]
        exposures = [e for e, _ in linked]
    else:
        exposures = [*(type.exposures if dynamic else ()), *(e for e, _ in linked)]
    named = [
        "t",
        *requirements,
        *fixed,
        *(name for name, _ in variables),
        *_assigned(d),
        *(v for _, v in linked),
    ]
    slots = {n: i for i, n in enumerate(dict.fromkeys(named))}
    exposed = {n: len(slots) + i for i, n in enumerate(dict.fromkeys(exposures))}
    shown = tuple({exposed[e]: slots[v] for e, v in linked}.items())
    paths = tuple(v for v in d.derived if v.select)
    regimes = tuple(java_order([r.name for r in d.regimes]))
    heard = java_order(
        [
            *dict.fromkeys(
                [e.port for e in d.events]
                + [p.name for p in type.ports.values() if p.direction == "in" and d.regimes]
            )
        ]
    )
    ins = tuple(
        dict.fromkeys([*heard, *(p.name for p in type.ports.values() if p.direction == "in" and dynamic)])
    )
    kind = Kind(
        number,
        type,
        copied,
        requirements,
        slots,
        exposed,
        shown,
        paths,
        len(slots) + len(exposed) + 1,
        ins,
        _out_ports(d, heard, regimes, copied),
        regimes,
    )
    _blocks(kind)
    return kind


def _outs(actions: tuple[Action, ...]) -> list[str]:
    return [a.port for a in actions if isinstance(a, EventOut)]


def _out_ports(d: Dynamics, heard: list[str], regimes: tuple[str, ...], copied: bool) -> tuple[str, ...]:
    """Ports in the order in which jLEMS meets them in actions; those of regimes only where they are not there
    yet.
    """
    by_port = {e.port: e.actions for e in d.events}
    out = _outs(d.on_start) * (2 if copied else 1)
    out += [p for h in heard if h in by_port for p in _outs(by_port[h])]
    out += [p for c in d.conditions for p in _outs(c.actions)]
    of_name = {r.name: r for r in d.regimes}
    for name in regimes:
        r = of_name[name]
        events = {e.port: e.actions for e in r.events}
        for p in [
            *_outs(r.on_entry),
            *(p for h in java_order([*events]) for p in _outs(events[h])),
            *(p for c in r.conditions for p in _outs(c.actions)),
        ]:
            if p not in out:
                out.append(p)
    return tuple(out)


def _blocks(kind: Kind) -> None:
    """Number every list of actions of a kind."""
    d = kind.type.dynamics

    def add(actions: tuple[Action, ...], regime: bool = False) -> int:
        if not actions:
            return -1
        outs = tuple(n for n in (kind.out_port(p) for p in _outs(actions)) if n is not None)
        to = [a.regime for a in actions if isinstance(a, Transition)]
        kind.blocks.append(
            Block(tuple(a for a in actions if isinstance(a, Assign)), outs, to[-1] if to and regime else "")
        )
        return len(kind.blocks) - 1

    kind.start = add(d.on_start)
    kind.conditions = tuple(add(c.actions) for c in d.conditions)
    kind.on_event = {e.port: add(e.actions) for e in d.events}
    for r in d.regimes:
        kind.entry[r.name] = add(r.on_entry, True)
        kind.regime_conditions[r.name] = tuple(add(c.actions, True) for c in r.conditions)
        for e in r.events:
            kind.regime_event[r.name, e.port] = add(e.actions, True)
