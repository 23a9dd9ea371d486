"""A tree of instances -> one flat cell (L2): every name unique, requirements and paths resolved, events
inside it worked into the actions.

Regimes become a state that holds the number of the active one; kinetic schemes become rate equations; what
the tree takes from outside (the membrane potential that a synapse on its own reads) becomes an input.
Expressions are in coherent units. A core type whose equations are dimensionally wrong (4 of 614 expressions)
is evaluated in SI, as jLEMS does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from portable.dynamics.dimensions import inferred
from portable.dynamics.expressions import (
    Bin,
    Cmp,
    Expr,
    Logic,
    Name,
    Num,
    Where,
    parse,
    rebuild,
    substitute,
    walk,
)
from portable.dynamics.flat import INJECTED, MAX_TERMS
from portable.dynamics.lems.instance import Instance, java_order, select
from portable.dynamics.lems.model import Model
from portable.dynamics.lems.names import Namer
from portable.dynamics.lems.types import (
    Action,
    Assign,
    DerivedVariable,
    KineticScheme,
    OnCondition,
    Regime,
    Transition,
)
from portable.dynamics.lems.types import Where as Place
from portable.errors import ModelError, suggestion
from portable.units import CURRENT, NONE, TIME, Dimension, coherent_power, describe, shift

MAX_RELAY = 20
FEW = 16  # terms of a sum from left to right
SPIKE = "spike"
REGIME = "regime"  # the state that holds the number of the active regime
Statement = tuple[str, Expr]  # (variable, value); (SPIKE, 0) for a spike
_FLIPPED = {">": "<=", "<=": ">", "<": ">=", ">=": "<", "==": "!=", "!=": "=="}


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


class Flattener:
    """Flattens trees. `outside` holds instances that are not part of the flat cell, each with a prefix for
    what is read of it: an input. `taken` are variables of instances that somebody outside reads: that one of
    them cannot be worked out is an error.

    complete: single children that are read must be there; a cell of several compartments, which is kept and
    not run, may lack some. With a `catch`, a context that takes errors, every expression is looked at, those
    that nothing needs too, and no component has to be complete: what is looked at is a type.
    """

    def __init__(
        self,
        model: Model,
        roots: Mapping[str, Instance] | Iterable[Instance],
        outside: Mapping[int, str] | None = None,
        attached: Attached | None = None,
        spiking: bool = True,
        complete: bool = True,
        taken: Iterable[tuple[Instance, str]] = (),
        catch: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.model, self.scope, self.out = model, model.scope, FlatModel()
        self.roots, self.spiking = (
            list(roots.values()) if isinstance(roots, Mapping) else list(roots),
            spiking,
        )
        self.beyond, self.taken = dict(outside or {}), tuple(taken)
        self.attached = attached or Attached()
        self.namer = Namer(self.roots)
        self.namer.prefix |= self.beyond
        if isinstance(roots, Mapping):
            self.namer.prefix |= {id(i): prefix for prefix, i in roots.items()}
        self.dims: dict[str, Dimension] = {"t": TIME, "weight": NONE, INJECTED: CURRENT}
        for mask in self.attached.masks.values():
            self.out.parameters[mask] = (0.0, NONE)
            self.dims[mask] = NONE
            self.namer.used[mask] = (0, mask)
        self.visiting: list[tuple[int, str]] = []
        self.local: dict[str, str] = {}  # states of the regime whose expressions are looked at
        self.event_weight: set[int] = set()  # instances whose `weight` is that of the arriving spike
        self.terms: dict[str, int] = {}  # of each derived variable, all that it reads written out
        self.complete, self.catch, self.abstract = complete, catch, catch is not nullcontext

    # -- the whole

    def flatten(self) -> FlatModel:
        every = [i for r in self.roots for i in r.everything()]
        context = self.roots[0].parent if self.roots else None
        while context is not None and id(context) not in self.beyond:
            every.append(context)
            context = context.parent
        for i in every:
            self._states(i)
        for i in every:
            self._dynamics(i)
        for i, port, name in self.attached.ports:
            self.event_weight.add(id(i))
            self.out.events[name] = self.received(i, port)
            self.event_weight.discard(id(i))
        for i, variable in self.taken:
            self._give(i, variable)
        for i in every:
            self._optional(i)
        for i in every:
            self._initial(i)
        return self.out

    def _states(self, i: Instance) -> None:
        derived = {d.name for d in i.type.dynamics.derived}
        for s in i.type.dynamics.states:
            if s.name not in derived:  # a name that is both: the derived one counts
                self._declare(i, s.name, self._dimension(s.dimension, s.where), self.out.states)
        if i.type.dynamics.regimes:
            self._declare(i, REGIME, NONE, self.out.states)
        for r in i.type.dynamics.regimes:
            for s in r.states:
                self._declare(i, _own(r, s.name), self._dimension(s.dimension, s.where), self.out.states)

    def _declare(self, i: Instance, variable: str, dimension: Dimension, into: dict[str, Dimension]) -> str:
        name = self.namer.name(i, variable)
        into[name] = dimension
        self.dims[name] = dimension
        self.out.symbols[id(i), variable] = name
        return name

    def _dimension(self, name: str, where: Place) -> Dimension:
        found = self.scope.exponents(name or "none", where)
        return NONE if found is None else Dimension(*found)

    def _dynamics(self, i: Instance) -> None:
        d = i.type.dynamics
        rates: dict[str, Expr] = {}
        for a in d.derivatives:
            with self.catch():
                state = self._own_state(i, a)
                rates[state] = self._rate(i, a)
        for number, regime in enumerate(d.regimes):
            active = Cmp("==", Name(self.out.symbols[id(i), REGIME]), Num(float(number)))
            for a in regime.derivatives:
                with self.catch(), self._inside(i, regime):
                    state = self._own_state(i, a)
                    rates[state] = Where(active, self._rate(i, a), rates.get(state, Num(0.0)))
        self.out.derivatives |= rates
        for scheme in d.schemes:
            self._scheme(i, scheme)
        for c in d.conditions:
            with self.catch():
                self._condition(i, c, None)
        for number, regime in enumerate(d.regimes):
            for c in regime.conditions:
                with self.catch(), self._inside(i, regime):
                    self._condition(i, c, number)
        if i in self.roots:
            self._ports(i)

    @contextmanager
    def _inside(self, i: Instance, regime: Regime | None) -> Iterator[None]:
        """Expressions of a regime see its own states; those of None, of the type, see none of them."""
        before = self.local
        self.local = (
            {}
            if regime is None
            else {s.name: self.out.symbols[id(i), _own(regime, s.name)] for s in regime.states}
        )
        try:
            yield
        finally:
            self.local = before

    def _state(self, i: Instance, variable: str) -> str:
        """The name of a state, that of a regime's own first; "" if there is none."""
        if variable in self.local:
            return self.local[variable]
        known = {s.name for s in i.type.dynamics.states}
        return self.out.symbols.get((id(i), variable), "") if variable in known else ""

    def _own_state(self, i: Instance, a: Assign) -> str:
        name = self._state(i, a.variable)
        if name not in self.out.states:
            raise ModelError(
                str(a.where),
                f"'{a.variable}' is no state variable of {i.type.name}",
                suggestion(a.variable, [*self.local, *(s.name for s in i.type.dynamics.states)]),
            )
        return name

    def _rate(self, i: Instance, a: Assign) -> Expr:
        dimension = self.dims[self._state(i, a.variable)]
        return self.expression(i, a.value, dimension.over(TIME), a.where)

    # -- expressions

    def expression(self, i: Instance, text: str, want: Dimension | None, where: Place) -> Expr:
        """A LEMS expression of an instance, names resolved, dimension checked; None wants none (a test)."""
        try:
            written = parse(text, frozenset(), lems=True)
        except ModelError as error:
            raise error.under(self.place(i, where)) from None
        if isinstance(written, Cmp | Logic) is not (want is None):
            is_, write = (
                ("a condition, where a value must stand", "use a ConditionalDerivedVariable, or H()")
                if want is not None
                else ("no condition", "write for example 'v .gt. thresh'")
            )
            raise ModelError(self.place(i, where), f"'{text[:100]}' is {is_}", write)
        made = rebuild(written, lambda e: self.resolve(i, e.id, where) if isinstance(e, Name) else e)
        return self._checked(made, text, want, where)

    def place(self, i: Instance, where: Place) -> str:
        """Where an error is to be shown: in the user's own files, be it the component if its type is a core
        type.
        """
        return str(where if where.file in self.model.files or not i.where.file else i.where)

    def _checked(self, expr: Expr, text: str, want: Dimension | None, where: Place) -> Expr:
        found: Dimension | None = None
        try:
            found = inferred(expr, self.dims)
            if want is None or found is None or found == want:
                return expr
            problem = ModelError(
                "", f"'{text}' is {describe(found)} but must be {describe(want)}", "check its dimensions"
            )
        except ModelError as error:
            problem = error
        negated = found == NONE and text.lstrip().startswith("-")  # jLEMS takes it for any dimension
        if where.file in self.model.files and not negated:
            raise ModelError(str(where), problem.rule, problem.remedy)
        self.out.notes.append(
            (str(where), f"'{text}' is dimensionally wrong and is evaluated in SI units, as jLEMS does")
        )
        plain = rebuild(
            expr,
            lambda e: (
                Bin("/", e, _one_si(self.dims[e.id]))
                if isinstance(e, Name) and self.dims[e.id] != NONE
                else e
            ),
        )
        return plain if want in (None, NONE) else Bin("*", plain, _one_si(want or NONE))

    def resolve(self, i: Instance, name: str, where: Place) -> Expr:
        """What a name means in an instance: its own variable or value, a requirement found further up, or the
        time.
        """
        if name == "weight" and id(i) in self.event_weight:
            return Name("weight")
        if name in self.local:
            return Name(self.local[name])
        if i.has(name):
            return self.variable(i, name, where)
        if name in i.type.requirements:
            return self.required(i, name, where)
        if name == "t":
            return Name("t")
        known = [*i.values, *i.missing, *i.type.requirements, *(v.name for v in i.type.dynamics.variables)]
        raise ModelError(self.place(i, where), f"undefined variable '{name}'", suggestion(name, known))

    def required(self, i: Instance, name: str, where: Place) -> Expr:
        """A requirement: what the instances above have of that name."""
        found = self._looked_up(i, i.parent, name, where)
        if found is not None:
            return found
        if name == "temperature":
            given = self.attached.temperature
            note = (
                ""
                if given is not None
                else "no temperature is given: 6.3 degC is used, as by jNeuroML's export to NEURON"
            )
            return self._parameter_named(
                "temperature", 6.3 + 273.15 if given is None else given, Dimension(k=1), note
            )
        raise Unavailable(
            str(i.where),
            f"requires '{name}', which nothing above it provides",
            "attach it to a component that exposes it",
        )

    def _looked_up(self, i: Instance, at: Instance | None, name: str, where: Place) -> Expr | None:
        """A name where jLEMS looks for it: at an instance, else at the one that it is in, and so on; an
        exposure counts before a variable. None if none of them has it.

        Numbers of what is outside are parameters, its variables inputs.
        """
        while at is not None:
            inner = at.type.exposed(name) or (name if at.has(name) else "")
            if id(at) in self.beyond and (self.abstract or at.type.variable(inner) is not None):
                return self._input(i, name, at, inner or name)
            if inner:
                return self.variable(at, inner, where)
            at = at.parent
        return None

    def _input(self, i: Instance, name: str, at: Instance, variable: str) -> Expr:
        """A variable of an instance outside, of the dimension that its reader states, else its own."""
        wanted, own = i.type.requirements.get(name), at.type.variable(variable)
        stated = wanted.dimension if wanted is not None else at.type.stated(own) if own is not None else ""
        symbol = self.namer.input(name, at)
        self.out.inputs[symbol] = self.dims[symbol] = self._dimension(stated, i.where)
        self.out.outside[symbol] = (at, variable)
        return Name(symbol)

    def _give(self, i: Instance, variable: str) -> None:
        """Work out a variable that is read from outside, under a name of its own."""
        inner = i.type.exposed(variable) or variable
        if i.has(inner):
            self.variable(i, inner, i.where)
            return
        found = self._looked_up(i, i, variable, i.where)
        if found is None:
            raise Unavailable(
                str(i.where),
                f"has no '{variable}', which what it is attached to reads of it",
                suggestion(variable, i.type.exposures),
            )
        assert isinstance(found, Name)
        name = self.namer.name(i, variable)
        self.out.derived[name] = (found, self.dims[found.id])
        self.dims[name] = self.dims[found.id]
        self.out.symbols[id(i), variable] = name

    def _parameter_named(self, name: str, si: float, dimension: Dimension, note: str = "") -> Expr:
        if name not in self.out.parameters and note:
            self.out.notes.append((name, note))
        self.out.parameters.setdefault(name, (coherent(si, dimension), dimension))
        self.dims[name] = dimension
        return Name(name)

    def variable(self, i: Instance, name: str, where: Place) -> Expr:
        """The symbol of an instance's own variable or value, worked out when first asked for."""
        key = (id(i), name)
        if key in self.out.symbols:
            return Name(self.out.symbols[key])
        if key in self.visiting:
            chain = " -> ".join(n for _, n in [*self.visiting[self.visiting.index(key) :], key])
            raise ModelError(
                self.place(i, where), f"algebraic loop: {chain}", "make one of them a state variable"
            )
        found = next((d for d in reversed(i.type.dynamics.derived) if d.name == name), None)
        if found is not None:
            self.visiting.append(key)
            try:
                with self._inside(i, None):
                    return self._derived(i, found)
            except RecursionError:
                if len(self.visiting) > 1:
                    raise
                raise ModelError(
                    self.place(i, found.where),
                    f"'{name}' reads variables that read others, too many levels deep",
                    "make one of them a state variable",
                ) from None
            finally:
                self.visiting.pop()
        if name in i.values:
            return self._value(i, name)
        raise Unavailable(str(i.where), i.missing.get(name, f"has no '{name}'"), f'write {name}="..."')

    def _value(self, i: Instance, name: str) -> Expr:
        t = i.type
        q = next(
            d[name] for d in (t.parameters, t.constants, t.derived_parameters, t.properties) if name in d
        )
        dimension, symbol = self._dimension(q.dimension, q.where), self.namer.name(i, name)
        value = coherent(i.values[name], dimension)
        if not math.isfinite(value):
            raise ModelError(
                str(i.where),
                f"{name}: {i.values[name]:g} in SI units is too large for a number",
                "give a smaller one",
            )
        self.out.parameters[symbol] = (value, dimension)
        self.dims[symbol] = dimension
        self.out.symbols[id(i), name] = symbol
        return Name(symbol)

    # -- derived variables

    def _derived(self, i: Instance, d: DerivedVariable) -> Expr:
        dimension = self._dimension(i.type.stated(d), d.where)
        if d.select:
            expr = self._selected(i, d, dimension)
        elif d.cases:
            expr = self._cases(i, d, dimension)
        else:
            expr = self.expression(i, d.value, dimension, d.where)
        name = self.namer.name(i, d.name)
        self._bounded(name, expr, self.place(i, d.where))
        self.out.derived[name] = (expr, dimension)
        self.dims[name] = dimension
        self.out.symbols[id(i), d.name] = name
        return Name(name)

    def _bounded(self, name: str, expr: Expr, place: str) -> None:
        """Written out in full, expressions must stay small: x1 = x0 + x0, x2 = x1 + x1, ... doubles at every
        line.
        """
        self.terms[name] = sum(self.terms.get(e.id, 1) if isinstance(e, Name) else 1 for e in walk(expr))
        if self.terms[name] > MAX_TERMS:
            raise ModelError(
                place,
                f"'{name}' with all that it reads written out has more than {MAX_TERMS} terms",
                "make one of the variables that it reads a state variable",
            )

    def _cases(self, i: Instance, d: DerivedVariable, dimension: Dimension) -> Expr:
        pairs = [
            (
                self.expression(i, c.condition, None, d.where) if c.condition else None,
                self.expression(i, c.value, dimension, d.where),
            )
            for c in d.cases
        ]
        default = next((value for test, value in pairs if test is None), None)
        pairs = [p for p in pairs if p[0] is not None]
        if default is None:
            *pairs, (last, default) = pairs
            if d.where.file in self.model.files and not any(
                test is not None and last is not None and _opposite(test, last) for test, _ in pairs
            ):
                self.out.notes.append(
                    (
                        str(d.where),
                        f"'{d.name}' has no value where none of its cases holds; it takes that of the last "
                        "one",
                    )
                )
        for test, value in reversed(pairs):
            assert test is not None
            default = Where(test, value, default)
        return default

    def _selected(self, i: Instance, d: DerivedVariable, dimension: Dimension) -> Expr:
        if d.reduce not in ("", "add", "multiply"):
            raise ModelError(
                self.place(i, d.where), f"reduce must be add or multiply, got {d.reduce[:40]!r}", "correct it"
            )
        found = None if self.abstract else select(i, d.select)
        if found is None:
            return self._absent(i, d, dimension)
        instances, variable = found
        terms = [self._term(x, variable, d) for x in instances]
        slot = i.type.slots.get(d.select.split("/")[0].split("[")[0])
        if slot is not None and slot.kind == "Attachments":
            terms += self._from_elsewhere(slot.name, variable, dimension)
        if not terms:
            return Num(1.0) if d.reduce == "multiply" else Num(0.0, dimension)
        total = _joined(terms, "*" if d.reduce == "multiply" else "+")
        return self._checked(total, d.select, dimension, d.where)

    def _absent(self, i: Instance, d: DerivedVariable, dimension: Dimension) -> Expr:
        """0 for a sum over nothing; a single child is needed."""
        first, slash, _ = d.select.partition("/")
        name = first.partition("[")[0].strip()
        if not slash or not name:
            raise ModelError(
                self.place(i, d.where),
                f"select={d.select[:80]!r} must be a path to a variable",
                'write for example select="synapses[*]/i"',
            )
        if self.complete and not self.abstract and not d.reduce:
            write = "put what is missing into it" if name in i.type.slots else suggestion(name, i.type.slots)
            raise Unavailable(
                str(i.where),
                f"there is no '{d.select.rpartition('/')[0][:100]}' in it, which its '{d.name}' reads "
                f"({d.where})",
                write,
            )
        return Num(0.0, dimension)

    def _from_elsewhere(self, slot: str, variable: str, dimension: Dimension) -> list[Expr]:
        """What links bring, and injected current."""
        out: list[Expr] = []
        if (slot, variable) in self.attached.linked:
            name = self.attached.linked[slot, variable]
            self.out.inputs[name] = self.dims[name] = dimension
            out.append(Name(name))
        if slot == self.attached.current and variable == "i" and dimension == CURRENT:
            out.append(Name(INJECTED))
        return out

    def _term(self, x: Instance, variable: str, d: DerivedVariable) -> Expr:
        term = self._looked_up(x, x, variable, d.where)
        if term is None and variable in x.type.requirements:
            term = self.required(x, variable, d.where)
        if term is None:
            raise Unavailable(
                str(x.where),
                f"has no '{variable}', which '{d.select[:80]}' reads ({d.where})",
                suggestion(variable, x.type.exposures),
            )
        mask = self.attached.masks.get(id(x))
        return term if mask is None else Bin("*", Name(mask), term)

    def _optional(self, i: Instance) -> None:
        """Derived variables that nothing has asked for: kept to be recorded, unless they cannot be worked
        out.
        """
        for d in i.type.dynamics.derived:
            if self.abstract:
                with self.catch():
                    self.variable(i, d.name, d.where)
                continue
            before = (
                dict(self.out.parameters),
                dict(self.out.derived),
                dict(self.out.symbols),
                dict(self.out.inputs),
                len(self.out.notes),
                dict(self.out.outside),
            )
            try:
                self.variable(i, d.name, d.where)
            except ModelError as error:
                if not isinstance(error, Unavailable) and d.where.file in self.model.files:
                    raise
                (
                    self.out.parameters,
                    self.out.derived,
                    self.out.symbols,
                    self.out.inputs,
                    kept,
                    self.out.outside,
                ) = before
                del self.out.notes[kept:]
                self.out.silent[self.namer.name(i, d.name)] = str(error)

    # -- kinetic schemes

    def _scheme(self, i: Instance, k: KineticScheme) -> None:
        nodes, edges = i.lists.get(k.nodes, []), i.lists.get(k.edges, [])
        if self.abstract:
            return
        if not nodes:
            raise ModelError(
                str(i.where),
                "its kinetic scheme has no states",
                f"put {k.nodes} such as <openState id='o'/> into it",
            )
        for n in nodes:
            if (id(n), k.state_variable) not in self.out.symbols:
                raise ModelError(
                    str(n.where),
                    f"is a state of a kinetic scheme and has no state variable '{k.state_variable[:60]}'",
                    f"the scheme is at {k.where}",
                )
        by_id = {n.component.id: n for n in nodes}
        change: dict[str, Expr] = {
            self.out.symbols[id(n), k.state_variable]: Num(0.0, Dimension(t=-1)) for n in nodes
        }
        for e in edges:
            ends = [e.text(key) for key in (k.edge_source, k.edge_target)]
            for end in ends:
                if end not in by_id:
                    raise ModelError(
                        str(e.where),
                        f"leads to the state '{end[:60]}', which is not there",
                        suggestion(end, by_id),
                    )
            a, b = (self.out.symbols[id(by_id[end]), k.state_variable] for end in ends)
            rates = [
                self.variable(e, e.type.exposed(r) or r, k.where) for r in (k.forward_rate, k.reverse_rate)
            ]
            flow = Bin("-", Bin("*", rates[0], Name(a)), Bin("*", rates[1], Name(b)))
            change[a], change[b] = Bin("-", change[a], flow), Bin("+", change[b], flow)
        self.out.derivatives |= change
        share = Num(1.0 / len(nodes))
        self.out.initial |= dict.fromkeys(change, share)

    # -- conditions and events

    def _condition(self, i: Instance, c: OnCondition, regime: int | None) -> None:
        test = self.expression(i, c.test, None, c.where)
        if regime is not None:
            test = Logic("and", (Cmp("==", Name(self.out.symbols[id(i), REGIME]), Num(float(regime))), test))
        self.out.conditions.append((test, self.statements(i, c.actions)))

    def statements(self, i: Instance, actions: Iterable[Action], depth: int = 0) -> list[Statement]:
        """Actions as assignments in order; events to instances inside are replaced by what those do."""
        if depth > MAX_RELAY:
            raise ModelError(
                str(i.where),
                f"events are relayed more than {MAX_RELAY} times",
                "is there a circle of event connections, or of Transitions in OnEntry?",
            )
        out: list[Statement] = []
        for a in actions:
            if isinstance(a, Assign):
                state = self._state(i, a.variable)
                if not state:
                    raise ModelError(
                        str(a.where),
                        f"'{a.variable}' is assigned but is no state variable",
                        suggestion(a.variable, [*self.local, *(s.name for s in i.type.dynamics.states)]),
                    )
                out.append((state, self.expression(i, a.value, self.dims[state], a.where)))
            elif isinstance(a, Transition):
                out += self._transition(i, a, depth)
            else:
                out += self._emitted(i, a.port, depth)
        return out

    def _transition(self, i: Instance, a: Transition, depth: int) -> list[Statement]:
        regimes = {r.name: (n, r) for n, r in enumerate(i.type.dynamics.regimes)}
        if a.regime not in regimes:
            raise ModelError(
                str(i.type.where), f"there is no regime '{a.regime[:60]}'", suggestion(a.regime, regimes)
            )
        number, regime = regimes[a.regime]
        with self._inside(i, regime):
            entered = self.statements(i, regime.on_entry, depth + 1)
        return [(self.out.symbols[id(i), REGIME], Num(float(number))), *entered]

    def _emitted(self, i: Instance, port: str, depth: int) -> list[Statement]:
        out: list[Statement] = []
        if port not in i.type.ports and i.type.where.file in self.model.files:
            raise ModelError(
                str(i.type.where),
                f"an EventOut is at '{port[:60]}', which is no port of a {i.type.name}",
                suggestion(port, i.type.ports),
            )
        if i in self.roots and self.spiking:
            out.append((SPIKE, Num(0.0)))
        first = next((p.name for p in i.type.ports.values() if p.direction == "out"), "")
        for mine, receiver, theirs in i.outlets:
            if (
                mine in ("", port)
                and (
                    mine
                    or port == first
                    or len([p for p in i.type.ports.values() if p.direction == "out"]) <= 2
                )
                and id(receiver) not in self.beyond
            ):
                out += self.received(receiver, theirs, depth + 1)
        return out

    def received(self, i: Instance, port: str, depth: int = 0) -> list[Statement]:
        """What an event at a port does; "" = the first port, as jLEMS counts."""
        handlers: dict[str, tuple[Action, ...]] = {}
        for e in i.type.dynamics.events:
            handlers[e.port] = handlers.get(e.port, ()) + e.actions
        if not port:
            inward = [p.name for p in i.type.ports.values() if p.direction == "in"]
            port = next(iter(java_order([*handlers, *(p for p in inward if p not in handlers)])), "")
        with self._inside(i, None):
            plain = self.statements(i, handlers.get(port, ()), depth)
        return plain + self._by_regime(i, port, depth)

    def _by_regime(self, i: Instance, port: str, depth: int) -> list[Statement]:
        out: list[Statement] = []
        for number, regime in enumerate(i.type.dynamics.regimes):
            active = Cmp("==", Name(self.out.symbols[id(i), REGIME]), Num(float(number)))
            for e in regime.events:
                if e.port == port:
                    with self._inside(i, regime):
                        found = self.statements(i, e.actions, depth)
                    out += [(s, Where(active, x, Name(s))) for s, x in found if s != SPIKE]
        return out

    def _ports(self, i: Instance) -> None:
        self.event_weight.add(id(i))
        for p in i.type.ports.values():
            if p.direction == "in":
                with self.catch():
                    found = self.received(i, p.name)
                    if found:
                        self.out.events[self.namer.port(i, p.name)] = found
        self.event_weight.discard(id(i))

    # -- start

    def _initial(self, i: Instance) -> None:
        d = i.type.dynamics
        self._started(i, d.on_start, None)
        for number, regime in enumerate(d.regimes):
            if regime.initial or (number == 0 and not any(r.initial for r in d.regimes)):
                self.out.initial[self.out.symbols[id(i), REGIME]] = Num(float(number))
                self._started(i, regime.on_entry, regime)

    def _started(self, i: Instance, actions: Iterable[Action], regime: Regime | None) -> None:
        known = [
            *(s.name for s in i.type.dynamics.states),
            *(s.name for s in (regime.states if regime else ())),
        ]
        for a in actions:
            if not isinstance(a, Assign):
                continue
            with self.catch(), self._inside(i, regime):
                state = self._state(i, a.variable)
                if state in self.out.states:
                    self.out.initial[state] = self.expression(i, a.value, self.dims[state], a.where)
                elif a.where.file in self.model.files and a.variable not in known:
                    raise ModelError(
                        str(a.where),
                        f"'{a.variable}' is assigned but is no state variable",
                        suggestion(a.variable, known),
                    )


def _joined(terms: list[Expr], operator: str) -> Expr:
    """A sum or product: from left to right, as it is written; of many terms by halves, so that thousands are
    no deep tree.
    """
    if len(terms) > FEW:
        half = len(terms) // 2
        return Bin(operator, _joined(terms[:half], operator), _joined(terms[half:], operator))
    total = terms[0]
    for term in terms[1:]:
        total = Bin(operator, total, term)
    return total


def _own(regime: Regime, variable: str) -> str:
    """What a state of a regime is called outside it."""
    return f"{regime.name}_{variable}"


def coherent(si: float, dimension: Dimension) -> float:
    """An SI value in our units."""
    return float(shift(si, -coherent_power(dimension)))


def _one_si(dimension: Dimension) -> Num:
    return Num(coherent(1.0, dimension), dimension)


def _opposite(a: Expr, b: Expr) -> bool:
    return isinstance(a, Cmp) and isinstance(b, Cmp) and (a.a, a.b) == (b.a, b.b) and _FLIPPED[a.op] == b.op
