"""L2, the flat form: what every backend consumes.

One `Flat` per cell class: the cell with its receptors folded in, every expression in coherent units (ms, mV,
pA, pF, nS), names unique, derived variables in order of evaluation. One step k -> k+1 (semantics.md):

1. the ODEs take one step over dt, `held` states not moving while refractory;
2. arrivals: for each event of a port, its assignments with `weight` (an assignment to a held state is lost
  while refractory);
3. conditions in order; the one with `spike` stamps k+1 and starts the refractory period. It is not tested at
  the end of an
   update in which the cell was refractory (as in Brian2 and in LEMS' refractory regimes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from portable.dynamics.component import (
    Assign,
    ComponentType,
    Derived,
    OnCondition,
    Parameter,
    Refractory,
    StateVariable,
)
from portable.dynamics.dimensions import dimension_of
from portable.dynamics.emit import emit
from portable.dynamics.expressions import MAX_CHAIN, Bin, Expr, Name, Num, children, names, substitute, walk
from portable.errors import ModelError, suggestion
from portable.units import CURRENT, TIME, Dimension, coherent_unit, describe

MAX_TERMS = 20_000  # of a derived variable with all that it reads written out
INJECTED = "i_ext"  # the sum of injected currents (pA), constant over a step


@dataclass(frozen=True)
class FlatState:
    """A state variable: its dimension and its initial value as an expression of parameters."""

    name: str
    dimension: Dimension
    initial: Expr


@dataclass(frozen=True)
class Port:
    """A receptor type of the cell: what an arriving spike of `weight` (in coherent units) does."""

    name: str
    weight_unit: str
    assignments: tuple[Assign, ...]

    def jumps(self) -> dict[str, Expr] | None:
        """{state: coefficient c} if every assignment is `state = state + c` with c an expression of weight
        and parameters only, so that arrivals add up in any order; None otherwise."""
        out: dict[str, Expr] = {}
        for a in self.assignments:
            match a.expr:
                case _ if a.variable in out:
                    return None
                case x if (c := _added(x, a.variable)) is not None:
                    out[a.variable] = c
                case _:
                    return None
        return out


def _added(expr: Expr, variable: str) -> Expr | None:
    if (
        isinstance(expr, Bin)
        and expr.op == "+"
        and expr.a == Name(variable)
        and variable not in names(expr.b)
    ):
        return expr.b
    return None


@dataclass(frozen=True)
class Flat:
    """A flat cell class. `constants` are derived from parameters only and evaluated once per cell; `derived`
    read states.
    """

    name: str
    parameters: tuple[Parameter, ...]
    constants: tuple[Derived, ...]
    states: tuple[FlatState, ...]
    derived: tuple[Derived, ...]
    derivatives: Mapping[str, Expr]
    conditions: tuple[OnCondition, ...]
    ports: tuple[Port, ...]
    refractory: Refractory | None
    integrator: str = ""
    base: str = ""  # the cell type's name, and the receptors' by port: what NEST's recognition starts from
    receptors: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Dimension] = field(default_factory=dict)  # what links give, constant over a step
    compartments: int = 1

    @property
    def held(self) -> tuple[str, ...]:
        return self.refractory.held if self.refractory else ()

    @property
    def state_names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.states)

    @property
    def recordable(self) -> tuple[str, ...]:
        """Every variable that has a value at each step: states, derived variables, constants, inputs."""
        return (*self.state_names, *(d.name for d in (*self.derived, *self.constants)), *self.inputs)

    def port(self, name: str) -> Port | None:
        return next((p for p in self.ports if p.name == name), None)

    def inlined(self, expr: Expr) -> Expr:
        """The expression with derived variables replaced by what they stand for: only states, parameters,
        constants, inputs, i_ext, t.
        """
        table: dict[str, Expr] = {}
        for d in self.derived:
            table[d.name] = substitute(d.expr, table)
        return substitute(expr, table)

    def expressions(self) -> Iterator[Expr]:
        """Every expression that can read a state: derivatives, derived variables, conditions, ports."""
        yield from self.derivatives.values()
        yield from (d.expr for d in self.derived)
        for c in self.conditions:
            yield c.test
            yield from (a.expr for a in c.assignments)
        for p in self.ports:
            yield from (a.expr for a in p.assignments)

    def needed(self, exprs: Iterable[Expr]) -> tuple[Derived, ...]:
        """The derived variables that the expressions read, directly or not, in order of evaluation."""
        wanted: set[str] = set()
        for e in exprs:
            wanted |= names(e)
        out = []
        for d in reversed(self.derived):
            if d.name in wanted:
                wanted |= names(d.expr)
                out.append(d)
        return tuple(out[::-1])

    def reads_time(self) -> bool:
        """Whether an expression reads t."""
        return any("t" in names(e) for e in self.expressions())

    def reads_injected(self) -> bool:
        """Whether a current can be injected: some equation reads i_ext."""
        exprs = [*self.derivatives.values(), *(d.expr for d in self.derived)]
        return any(INJECTED in names(e) for e in exprs)

    def text(self) -> str:
        """The whole meaning as text; two Flats with the same text are the same model."""
        lines = [f"cell {self.name}"]
        lines += [f"parameter {p.name} [{p.unit}]" for p in self.parameters]
        lines += [f"input {n} [{coherent_unit(d)}]" for n, d in self.inputs.items()]
        lines += [f"compartments {self.compartments}"] * (self.compartments > 1)
        lines += [f"constant {d.name} = {emit(d.expr)}" for d in self.constants]
        lines += [f"state {s.name} = {emit(s.initial)}" for s in self.states]
        lines += [f"derived {d.name} = {emit(d.expr)}" for d in self.derived]
        lines += [f"d{s}/dt = {emit(e)}" for s, e in self.derivatives.items()]
        lines += [
            f"on {p.name}({p.weight_unit}): "
            + "; ".join(f"{a.variable} = {emit(a.expr)}" for a in p.assignments)
            for p in self.ports
        ]
        for c in self.conditions:
            lines.append(
                f"when {emit(c.test)}: "
                + "; ".join(["spike"] * c.spike + [f"{a.variable} = {emit(a.expr)}" for a in c.assignments])
            )
        if self.refractory:
            lines.append(f"refractory {emit(self.refractory.duration)} holding {', '.join(self.held)}")
        lines.append(f"integrator {self.integrator or 'auto'}")
        return "\n".join(lines)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]


# PyNN's suffixes for its two receptors: gsyn_exc, tau_syn_E.
_STATE_SUFFIX = {"excitatory": "exc", "inhibitory": "inh"}
_PARAMETER_SUFFIX = {"excitatory": "E", "inhibitory": "I"}


def receptor_parameter(receptor: str, name: str) -> str:
    """Name of a receptor's parameter on its cell: ("excitatory", "tau_syn") -> "tau_syn_E", ("ampa", ...) ->
    "tau_syn_ampa".
    """
    return f"{name}_{_PARAMETER_SUFFIX.get(receptor, receptor)}"


def receptor_state(receptor: str, name: str) -> str:
    """Name of a receptor's state or derived variable on its cell: ("excitatory", "gsyn") -> "gsyn_exc"."""
    return f"{name}_{_STATE_SUFFIX.get(receptor, receptor)}"


def flatten(cell: ComponentType, receptors: Mapping[str, ComponentType]) -> Flat:
    """Fold receptors into a cell. Raises ModelError on a name that two of them define."""
    parameters, states, derived = list(cell.parameters), [_state(s) for s in cell.states], list(cell.derived)
    derivatives = dict(cell.derivatives)
    ports = [Port(e.port, e.weight_unit, e.assignments) for e in cell.events]
    sums: dict[str, list[Expr]] = {name: [] for name in _receptor_sums(cell)}
    kernel: list[Derived] = []
    for port, r in receptors.items():
        _fits(cell, port, r)
        rename: dict[str, Expr] = {p.name: Name(receptor_parameter(port, p.name)) for p in r.parameters}
        rename |= {
            n: Name(receptor_state(port, n))
            for n in (*(s.name for s in r.states), *(d.name for d in r.derived))
        }
        rename |= {
            n: cell.exposes[n] for n in r.requires if n in cell.exposes
        }  # what the cell shows in place of a state

        def new(e: Expr, table: dict[str, Expr] = rename) -> Expr:
            return substitute(e, table)

        parameters += [
            Parameter(
                receptor_parameter(port, p.name), p.unit, p.default, p.description, p.positive, p.nonnegative
            )
            for p in r.parameters
        ]
        states += [FlatState(receptor_state(port, s.name), s.dimension, new(s.initial)) for s in r.states]
        kernel += [Derived(receptor_state(port, d.name), new(d.expr), d.dimension) for d in r.derived]
        derivatives |= {receptor_state(port, s): new(e) for s, e in r.derivatives.items()}
        for event in r.events:
            ports.append(
                Port(
                    port,
                    event.weight_unit,
                    tuple(Assign(_renamed(a.variable, rename), new(a.expr)) for a in event.assignments),
                )
            )
        for name, e in r.exposes.items():
            if name not in sums:
                raise ModelError(
                    f"{cell.name}.receptors['{port}']",
                    f"{r.name} adds to '{name}', which {cell.name} does not read",
                    f"a receptor of {cell.name} can add to: {', '.join(sums) or 'nothing'}",
                )
            sums[name].append(new(e))
    totals = [Derived(n, _total(es), cell.requires[n]) for n, es in sums.items()]
    ordered = _in_order(cell.name, [*kernel, *totals, *derived])
    _bounded(cell.name, ordered, derivatives)
    static = _constant_names(ordered, {p.name for p in parameters})
    _unique(
        cell.name,
        [*(p.name for p in parameters), *cell.inputs, *(s.name for s in states), *(d.name for d in ordered)],
        [p.name for p in ports],
    )
    return Flat(
        name=cell.name
        if not receptors
        else f"{cell.name}({', '.join(f'{k}={r.name}' for k, r in receptors.items())})",
        parameters=tuple(parameters),
        constants=tuple(d for d in ordered if d.name in static),
        states=tuple(states),
        derived=tuple(d for d in ordered if d.name not in static),
        derivatives=derivatives,
        conditions=cell.conditions,
        ports=tuple(ports),
        refractory=cell.refractory,
        integrator=cell.integrator,
        base=cell.name,
        receptors={k: r.name for k, r in receptors.items()},
        inputs=cell.inputs,
        compartments=cell.compartments,
    )


def _fits(cell: ComponentType, port: str, receptor: ComponentType) -> None:
    """What the receptor reads of the cell and adds to it must be there, with its dimension."""
    path = f"{cell.name}.receptors['{port}']"
    given = {p.name: p.dimension for p in cell.parameters} | {s.name: s.dimension for s in cell.states}
    given |= {d.name: d.dimension for d in cell.derived} | dict(cell.inputs)
    for name, want in receptor.requires.items():
        if name not in given:
            raise ModelError(
                path,
                f"{receptor.name} reads '{name}', which {cell.name} does not have",
                suggestion(name, given),
            )
        if given[name] != want:
            raise ModelError(
                path,
                f"{receptor.name} reads '{name}' as {describe(want)}, but in {cell.name} it is "
                f"{describe(given[name])}",
                "give both the same unit",
            )
    own = {p.name: p.dimension for p in receptor.parameters} | {s.name: s.dimension for s in receptor.states}
    own |= {d.name: d.dimension for d in receptor.derived}
    for name, expr in receptor.exposes.items():
        found = dimension_of(expr, {**receptor.requires, **own, "t": TIME, INJECTED: CURRENT})
        if name in cell.requires and found != cell.requires[name]:
            raise ModelError(
                path,
                f"{receptor.name} adds {describe(found)} to '{name}', which is "
                f"{describe(cell.requires[name])} in {cell.name}",
                "check the units of its equations",
            )


def _receptor_sums(cell: ComponentType) -> list[str]:
    return [n for n in cell.requires if n not in (INJECTED, "t")]


def _state(s: StateVariable) -> FlatState:
    return FlatState(s.name, s.dimension, s.initial)


def _renamed(name: str, table: dict[str, Expr]) -> str:
    found = table.get(name)
    return found.id if isinstance(found, Name) else name


def _total(exprs: list[Expr]) -> Expr:
    total: Expr = exprs[0] if exprs else Num(0.0)
    for e in exprs[1:]:
        total = Bin("+", total, e)
    return total


def _in_order(owner: str, derived: list[Derived]) -> list[Derived]:
    """Order of evaluation; ModelError on an algebraic loop."""
    table, done, out = {d.name: d for d in derived}, set[str](), list[Derived]()

    def visit(d: Derived, path: tuple[str, ...]) -> None:
        if d.name in done:
            return
        if d.name in path:
            raise ModelError(
                f"{owner}.{d.name}",
                f"algebraic loop: {' -> '.join([*path, d.name])}",
                "make one of them a state variable",
            )
        for n in sorted(names(d.expr) & table.keys()):
            visit(table[n], (*path, d.name))
        done.add(d.name)
        out.append(d)

    for d in derived:
        visit(d, ())
    return out


def _bounded(owner: str, ordered: list[Derived], derivatives: Mapping[str, Expr]) -> None:
    """Expressions with their derived variables written out in full must stay small: x1 = x0 + x0, x2 = x1 +
    x1, ... doubles at every line.
    """
    terms, depths = dict[str, int](), dict[str, int]()

    def depth(e: Expr) -> int:
        deepest, todo = 0, [(e, 1)]
        while todo:
            x, level = todo.pop()
            deepest = max(deepest, level - 1 + (depths.get(x.id, 1) if isinstance(x, Name) else 1))
            todo += [(c, level + 1) for c in children(x)]
        return deepest

    for name, expr in [
        *((d.name, d.expr) for d in ordered),
        *((f"d{s}/dt", e) for s, e in derivatives.items()),
    ]:
        terms[name] = sum(terms.get(e.id, 1) if isinstance(e, Name) else 1 for e in walk(expr))
        depths[name] = depth(expr)
        if terms[name] > MAX_TERMS or depths[name] > MAX_CHAIN:
            found = (
                f"written out in full it has {terms[name]} terms and is {depths[name]} deep; at most "
                f"{MAX_TERMS} and {MAX_CHAIN}"
            )
            raise ModelError(
                f"{owner}.{name}", found, "make one of the variables that it reads a state variable"
            )


def _constant_names(ordered: list[Derived], parameters: set[str]) -> set[str]:
    known = set(parameters)
    for d in ordered:
        if names(d.expr) <= known:
            known.add(d.name)
    return known - parameters


def _unique(owner: str, symbols: list[str], ports: list[str]) -> None:
    for group, what in ((symbols, "name"), (ports, "receptor")):
        for n in group:
            if group.count(n) > 1:
                raise ModelError(owner, f"the {what} '{n}' is defined twice", "rename one of them")
