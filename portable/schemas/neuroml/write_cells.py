"""A flat cell as a LEMS ComponentType of its own, which jLEMS steps as our forward Euler does
(ARCHITECTURE.md, "What a step means").

jLEMS takes a step k-1 -> k in this order: delayed events that are due; attachments; then the cell: derived
variables from the states of k-1, all derivatives at once, conditions in the order written. So

* each connection's synapse only carries its weight: it shows in `amount` what arrived in this step, and the
  cell adds the sum to its own state after the derivatives, as our arrivals do. Every state is the cell's, and
  can be recorded;
* `free` is 0 while the cell is refractory; held states then have the derivative 0 and lose their arrivals;
* conditions see the new states: derived variables that they read are written out, or taken to states set just
  before;
* `t` in an equation is the time at the start of the step, kept in the state `now`.

A value that differs between cells arrives as an attachment too (one `inputW` a cell), so a population stays
one population.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from portable.dynamics.component import Assign, OnCondition
from portable.dynamics.expressions import Cmp, Expr, Name, Num, Where, names, substitute
from portable.dynamics.flat import INJECTED, Flat, Port
from portable.dynamics.linear import ONE, affine
from portable.dynamics.random_calls import unnumbered
from portable.errors import ModelError
from portable.resolve.program import CellGroup, PerCell
from portable.schemas.neuroml.write_attachments import Shown
from portable.schemas.neuroml.write_expressions import Line, Writer
from portable.schemas.neuroml.write_units import Units
from portable.units import CURRENT, NONE, TIME, VOLTAGE, Dimension, unit

ALWAYS = "1 .gt. 0"
ATTACHED = "synapses"
NAME = "@NAME@"  # stands for the type's name until it is known that no other type has these lines
RESERVED = frozenset({"t", "id", "type", "name", "spike", "in", "i", "weight", ATTACHED})


@dataclass(frozen=True)
class Values:
    """The numbers a cell needs: LEMS name -> (dimension, value of all cells or array of one a cell), in
    coherent units.
    """

    same: dict[str, tuple[Dimension, float]] = field(default_factory=dict)
    varying: dict[str, tuple[Dimension, PerCell]] = field(default_factory=dict)


@dataclass(frozen=True)
class CustomType:
    """A ComponentType with those of its attachments, with NAME for its name, and the values its component
    must give.
    """

    lines: tuple[str, ...]
    values: Values
    ports: Mapping[str, Dimension]  # port -> dimension of its weight; its synapse type is <name>_to_<port>
    approximate_ports: tuple[str, ...] = ()  # ports that take several arrivals of one step as one
    shown: Shown = field(default_factory=lambda: Shown(NAME, {}))  # what attachments show
    arrived: Mapping[str, str] = field(default_factory=dict)  # port -> as what it shows weights that arrive
    counts: Mapping[str, str] = field(default_factory=dict)  # and their number


def weight_dimension(port: Port) -> Dimension:
    return unit(port.weight_unit).dimension


def custom_type(group: CellGroup, units: Units, dt: float) -> CustomType:
    """The type of a group's cells; dt in ms, for the refractory period. ModelError if an equation cannot be
    written.
    """
    return _Type(group, units, dt).made()


class _Type:
    """Writes one type; `states` are the helper states that it needs beside the cell's own."""

    def __init__(self, group: CellGroup, units: Units, dt: float) -> None:
        self.group, self.flat, self.units, self.dt = group, unnumbered(group.flat), units, dt
        flat = self.flat
        dims = {p.name: p.dimension for p in flat.parameters} | {
            d.name: d.dimension for d in (*flat.constants, *flat.derived)
        }
        dims |= {s.name: s.dimension for s in flat.states} | {INJECTED: CURRENT, "t": TIME}
        self.w = Writer(units, dims, f"population '{group.name}'", set(dims) | RESERVED)
        states = set(flat.state_names)
        if ATTACHED in states:
            raise ModelError(
                f"population '{group.name}'", f"a state cannot be called '{ATTACHED}' in LEMS", "rename it"
            )
        self.w.rename = {n: self.w.fresh(n + "_") for n in dims if n in RESERVED - {"t"} - states}
        self.helpers: dict[str, Dimension] = {}
        self.conditions: list[str] = []
        self.start: list[tuple[str, str]] = []
        self.values = Values()
        self.arrived = {p.name: self.w.fresh(f"arrived_{p.name}") for p in flat.ports}
        self.count = {p.name: self.w.fresh(f"events_{p.name}") for p in flat.ports if not additive(flat, p)}
        for p in flat.ports:
            dims[self.arrived[p.name]] = weight_dimension(p)
        self.refractory = flat.refractory is not None and bool(np.any(np.asarray(group.refractory) > 0))
        self.spiked = ""
        self.free = self.helper_name("free", NONE) if self.refractory else ""
        self.free_at = self.helper("free_at", TIME, "(0 - {})", 1e9) if self.refractory else ""

    def helper_name(self, stem: str, d: Dimension) -> str:
        name = self.w.fresh(stem)
        self.w.symbols[name] = d
        return name

    def helper(self, stem: str, d: Dimension, initial: str = "{}", value: float = 0.0) -> str:
        """A state of our own, and its value at the start."""
        name = self.helper_name(stem, d)
        self.helpers[name] = d
        self.start.append((name, initial.format(self.w._literal(value, d))))
        return name

    def value(self, name: str, d: Dimension, number: PerCell) -> None:
        array = np.asarray(number, dtype=np.float64)
        if array.ndim == 0 or np.all(array == array.flat[0]):
            self.values.same[name] = (d, float(array.flat[0] if array.ndim else array))
        else:
            self.values.varying[name] = (d, array)

    def made(self) -> CustomType:
        flat, w = self.flat, self.w
        reads_time = any(
            "t" in names(e) for e in [*flat.derivatives.values(), *(d.expr for d in flat.derived)]
        )
        now = self.helper("now", TIME) if reads_time else ""
        w.rename = {**w.rename, "t": now} if now else w.rename
        derived, rates = self._derived(), self._rates()
        w.rename = {k: v for k, v in w.rename.items() if k != "t"}
        general = self._arrivals()
        spiking = sum(c.spike for c in flat.conditions)
        for c in flat.conditions:
            self._condition(c, spiking > 1)
        if spiking > 1:
            self._on(f"{self.spiked} .gt. 0.5", [(self.spiked, "0")], '<EventOut port="spike"/>')
        if not spiking:  # jLEMS connects an input only to a cell that could send events
            self._on("0 .gt. 1", [], '<EventOut port="spike"/>')
        if now:
            self._on(ALWAYS, [(now, "t")])
        self._values()
        ports = {p.name: weight_dimension(p) for p in flat.ports}
        return CustomType(
            (*self._attachments(), *self._element(derived, rates)),
            self.values,
            ports,
            tuple(general),
            self._shown(),
            self.arrived,
            self.count,
        )

    def _values(self) -> None:
        known, flat = self.group.values(), self.flat
        read: set[str] = set()
        for e in self._expressions():
            read |= names(e)
        dims = {p.name: p.dimension for p in flat.parameters} | {d.name: d.dimension for d in flat.constants}
        for name in known:
            if name in read:
                self.value(self.w.rename.get(name, name), dims[name], known[name])
        for s in flat.states:
            start = self.helper_name(f"{s.name}_0", s.dimension)
            self.value(start, s.dimension, self.group.initial[s.name])
            self.start.append((self._name(s.name), start))
        if self.refractory:
            # free again in the update that ends after the last held one: half a step beyond it, whatever the
            # rounding of t
            self.value(
                self.free_at + "_refractory", TIME, (np.asarray(self.group.refractory) + 0.5) * self.dt
            )

    def _expressions(self) -> Iterable[Expr]:
        flat = self.flat
        yield from flat.derivatives.values()
        yield from (d.expr for d in flat.derived)
        yield from (flat.inlined(a.expr) for c in flat.conditions for a in c.assignments)
        yield from (flat.inlined(a.expr) for p in flat.ports for a in p.assignments)
        yield from (flat.inlined(c.test) for c in flat.conditions)

    def _name(self, name: str) -> str:
        return self.w.rename.get(name, name)

    # -- derived variables and derivatives

    def _derived(self) -> list[str]:
        out = []
        if self.refractory:
            out += _line(
                Line(self.free, NONE, "1", ((f"t .lt. {self.free_at}", f"t .geq. {self.free_at}", "0"),)),
                self.units,
            )
        for d in self.flat.derived:
            text = (
                self.w.number(d.expr)
                if not isinstance(d.expr, Num)
                else self.w._literal(d.expr.value, d.dimension)
            )
            out += self._taken()
            out += _line(Line(self._name(d.name), d.dimension, text), self.units)
        return out

    def _taken(self) -> list[str]:
        return [text for line in self.w.take() for text in _line(line, self.units)]

    def _rates(self) -> tuple[list[str], list[str]]:
        """Derived variables that the derivatives need, and the derivatives; every state has one (NEURON wants
        it).
        """
        before, out = [], []
        for s in self.flat.states:
            d = s.dimension.over(TIME)
            expr = self.flat.derivatives.get(s.name, Num(0.0, d))
            if self.refractory and s.name in self.flat.held:
                expr = Where(_greater(self.free), expr, Num(0.0, d))
            text = (
                self.w._literal(0.0, d)
                if isinstance(expr, Num) and expr.value == 0.0
                else self.w.number(expr)
            )
            before += self._taken()
            out.append(f'<TimeDerivative variable="{self._name(s.name)}" value="{text}"/>')
        return before, out

    # -- what happens at the end of a step

    def _on(self, test: str, assignments: Iterable[tuple[str, str]], events: str = "") -> None:
        inside = "".join(f'<StateAssignment variable="{n}" value="{v}"/>' for n, v in assignments)
        self.conditions.append(f'<OnCondition test="{test}">{inside}{events}</OnCondition>')

    def _flush(self) -> None:
        """Variables that conditions need become states, set now."""
        for line in self.w.take():
            self.helpers[line.name] = line.dimension
            self.start.append((line.name, self.w._literal(0.0, line.dimension)))
            self._on(ALWAYS, [(line.name, line.default)])
            seen = ""
            for test, opposite, value in line.cases:
                self._on(f"{test} .and. {seen}" if seen else test, [(line.name, value)])
                seen = f"{seen} .and. {opposite}" if seen else opposite

    def _arrivals(self) -> list[str]:
        general = []
        for p in self.flat.ports:
            if p.name in self.count:
                general.append(p.name)
                continue
            for state, added in (p.jumps() or {}).items():
                text = self.w.number(substitute(added, {"weight": Name(self.arrived[p.name])}))
                self._flush()
                test = f"{self.free} .gt. 0.5" if self.refractory and state in self.flat.held else ALWAYS
                self._on(test, [(self._name(state), f"{self._name(state)} + {text}")])
        for name in general:
            port = self.flat.port(name)
            assert port is not None
            table: dict[str, Expr] = {"weight": Name(self.arrived[name])}
            self._event(
                f"{self.count[name]} .gt. 0.5",
                tuple(Assign(a.variable, substitute(a.expr, table)) for a in port.assignments),
            )
        return general

    def _snapshots(self, assignments: tuple[Assign, ...]) -> dict[str, Expr]:
        """Derived variables that later assignments read keep their values of the start of the block, in
        states.
        """
        table: dict[str, Expr] = {}
        for n in dict.fromkeys(
            n for a in assignments[1:] for n in sorted(names(a.expr) & {d.name for d in self.flat.derived})
        ):
            text = self.w.number(self.flat.inlined(Name(n)))
            self._flush()
            table[n] = Name(self.helper(f"at_{n}", self.w.symbols[n]))
            self._on(ALWAYS, [(self.w.number(table[n]), text)])
        return table

    def _assigned(self, i: int, a: Assign, table: dict[str, Expr]) -> str:
        """The text of an assignment's value; what it needs is in w.lines."""
        expr = self.flat.inlined(a.expr) if i == 0 else substitute(a.expr, table)
        zero = isinstance(expr, Num) and expr.value == 0.0
        return self.w._literal(0.0, self.w.symbols[a.variable]) if zero else self.w.number(expr)

    def _event(self, test: str, assignments: tuple[Assign, ...]) -> None:
        """A port whose update reads states: one condition an assignment; one to a held state is lost while
        refractory.
        """
        table = self._snapshots(assignments)
        for i, a in enumerate(assignments):
            text = self._assigned(i, a, table)
            self._flush()
            held = self.refractory and a.variable in self.flat.held
            self._on(
                f"({test}) .and. ({self.free} .gt. 0.5)" if held else test, [(self._name(a.variable), text)]
            )

    def _condition(self, c: OnCondition, several: bool) -> None:
        """A condition's assignments in order, each seeing those before, derived variables as they were at the
        start; then the spike.

        With `several` spiking conditions it is only noted: jLEMS loses the connections of a type that has
        more than one EventOut.
        """
        if several and not self.spiked:
            self.spiked = self.helper("spiked", NONE)
        test = self.w.truth(self.flat.inlined(c.test))
        self._flush()
        if c.spike and self.refractory:
            test = f"{test} .and. ({self.free} .gt. 0.5)"
        table = self._snapshots(c.assignments)
        made: list[tuple[str, str]] = []
        for i, a in enumerate(c.assignments):
            text = self._assigned(i, a, table)
            if (
                self.w.lines and i > 0
            ):  # it chooses by states that this block has changed: the rest waits for them
                fired = self.helper("fired", NONE)
                self._on(ALWAYS, [(fired, "0")])
                self._on(test, [*made, (fired, "1")])
                made, test = [], f"{fired} .gt. 0.5"
            self._flush()
            made.append((self._name(a.variable), text))
        if c.spike and self.refractory:
            made.append((self.free_at, f"t + {self.free_at}_refractory"))
        if c.spike and several:
            made.append((self.spiked, "1"))
        self._on(test, made, '<EventOut port="spike"/>' if c.spike and not several else "")

    # -- the element

    def _element(self, derived: list[str], rates: tuple[list[str], list[str]]) -> list[str]:
        flat, u = self.flat, self.units
        still = [
            f'    <TimeDerivative variable="{n}" value="{self.w._literal(0.0, d.over(TIME))}"/>'
            for n, d in self.helpers.items()
        ]
        base = (
            "baseCellMembPot"
            if any(s.name == "v" and s.dimension == VOLTAGE for s in flat.states)
            else "baseSpikingCell"
        )
        out = [f'<ComponentType name="{NAME}" extends="{base}">']
        out += [
            f'  <Parameter name="{n}" dimension="{u.dimension(d)}"/>'
            for n, (d, _) in self.values.same.items()
        ]
        out += [
            f'  <Constant name="{n}" dimension="{u.dimension(d)}" value="{u.number(v, d)}"/>'
            for (v, d), n in self.w.constants.items()
        ]
        out.append(f'  <Attachments name="{ATTACHED}" type="{NAME}_input"/>')
        out += [
            f'  <Exposure name="{self._name(s.name)}" dimension="{u.dimension(s.dimension)}"/>'
            for s in flat.states
            if not (base == "baseCellMembPot" and s.name == "v")
        ]
        out.append("  <Dynamics>")
        out += [
            f'    <StateVariable name="{self._name(s.name)}" dimension="{u.dimension(s.dimension)}" '
            f'exposure="{self._name(s.name)}"/>'
            for s in flat.states
        ]
        out += [
            f'    <StateVariable name="{n}" dimension="{u.dimension(d)}"/>' for n, d in self.helpers.items()
        ]
        out += [f"    {line}" for line in (*self._selected(), *derived, *rates[0], *rates[1])]
        out += still
        out.append("    <OnStart>")
        out += [f'      <StateAssignment variable="{n}" value="{v}"/>' for n, v in self.start]
        out.append("    </OnStart>")
        out += [f"    {line}" for line in self.conditions]
        return [*out, "  </Dynamics>", "</ComponentType>"]

    def _shown(self) -> Shown:
        names: dict[str, Dimension] = {"i": CURRENT}
        names |= {self.arrived[p.name]: weight_dimension(p) for p in self.flat.ports}
        names |= dict.fromkeys(self.count.values(), NONE)
        return Shown(NAME, names | {n: d for n, (d, _) in self.values.varying.items()})

    def _attachments(self) -> list[str]:
        shown, u = self._shown(), self.units
        out = [*shown.base(u), *shown.pulse("i", u)]
        for p in self.flat.ports:
            out += shown.arrival(p.name, self.arrived[p.name], self.count.get(p.name, ""), u)
        return out + [line for n in self.values.varying for line in shown.value(n, u)]

    def _selected(self) -> list[str]:
        """Sums over the attachments: injected current, arrivals of each port, values that differ between
        cells.
        """
        out = []
        for n, d in self._shown().names.items():
            name = self._name(INJECTED) if n == "i" else n
            out.append(
                f'<DerivedVariable name="{name}" dimension="{self.units.dimension(d)}" '
                f'select="{ATTACHED}[*]/{n}" reduce="add"/>'
            )
        return out


def additive(flat: Flat, port: Port) -> bool:
    """Whether arrivals of one step can be summed first: they only add multiples of their weights to states,
    whatever these are.
    """
    jumps = port.jumps()
    if jumps is None:
        return False
    for expr in map(flat.inlined, jumps.values()):
        parts = affine(expr, frozenset({"weight"}))
        if names(expr) & (set(flat.state_names) | {"t"}) or parts is None:
            return False
        if parts.get(ONE, Num(0.0)) != Num(0.0):  # added once for each arrival, and to none without one
            return False
    return True


def _greater(name: str) -> Expr:
    return Cmp(">", Name(name), Num(0.5))


def _line(line: Line, units: Units) -> list[str]:
    """A variable; always conditional, even with one case: jLEMS evaluates every DerivedVariable before the
    conditional ones.
    """
    d = units.dimension(line.dimension)
    out = [f'<ConditionalDerivedVariable name="{line.name}" dimension="{d}">']
    out += [f'  <Case condition="{test}" value="{value}"/>' for test, _, value in line.cases]
    return [*out, f'  <Case value="{line.default}"/>', "</ConditionalDerivedVariable>"]
