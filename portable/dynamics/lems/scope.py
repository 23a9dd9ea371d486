"""Names in a tree of instances -> expressions of the flat cell: own variables, requirements, paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from portable.dynamics.dimensions import inferred
from portable.dynamics.expressions import Bin, Cmp, Expr, Logic, Name, Num, Where, rebuild, walk
from portable.dynamics.flat import INJECTED, MAX_TERMS
from portable.dynamics.grammar import parse
from portable.dynamics.lems.flat_model import (
    Attached,
    FlatModel,
    Unavailable,
    coherent,
)
from portable.dynamics.lems.instance import Instance, select
from portable.dynamics.lems.model import Model
from portable.dynamics.lems.names import Namer
from portable.dynamics.lems.types import (
    Assign,
    DerivedVariable,
    Regime,
)
from portable.dynamics.lems.types import Where as Place
from portable.errors import ModelError, suggestion
from portable.units import CURRENT, NONE, TIME, Dimension, describe

FEW = 16  # terms of a sum from left to right
_FLIPPED = {">": "<=", "<=": ">", "<": ">=", ">=": "<", "==": "!=", "!=": "=="}


class TreeScope:
    """What names mean in the instances of a tree. Asking for a variable puts it, and what it reads, into
    `out` in order of evaluation. The arguments are those of Flattener.
    """

    def __init__(
        self,
        model: Model,
        roots: Mapping[str, Instance] | Iterable[Instance],
        outside: Mapping[int, str] | None,
        attached: Attached | None,
        complete: bool,
        abstract: bool,
    ) -> None:
        self.model, self.units, self.out = model, model.scope, FlatModel()
        self.roots = list(roots.values()) if isinstance(roots, Mapping) else list(roots)
        self.beyond, self.attached = dict(outside or {}), attached or Attached()
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
        self.complete, self.abstract = complete, abstract

    def declare(self, i: Instance, variable: str, dimension: Dimension, into: dict[str, Dimension]) -> str:
        name = self.namer.name(i, variable)
        into[name] = dimension
        self.dims[name] = dimension
        self.out.symbols[id(i), variable] = name
        return name

    def dimension(self, name: str, where: Place) -> Dimension:
        found = self.units.exponents(name or "none", where)
        return NONE if found is None else Dimension(*found)

    @contextmanager
    def inside(self, i: Instance, regime: Regime | None) -> Iterator[None]:
        """Expressions of a regime see its own states; those of None, of the type, see none of them."""
        before = self.local
        self.local = (
            {}
            if regime is None
            else {s.name: self.out.symbols[id(i), regime_state(regime, s.name)] for s in regime.states}
        )
        try:
            yield
        finally:
            self.local = before

    def state(self, i: Instance, variable: str) -> str:
        """The name of a state, that of a regime's own first; "" if there is none."""
        if variable in self.local:
            return self.local[variable]
        known = {s.name for s in i.type.dynamics.states}
        return self.out.symbols.get((id(i), variable), "") if variable in known else ""

    def own_state(self, i: Instance, a: Assign) -> str:
        name = self.state(i, a.variable)
        if name not in self.out.states:
            raise ModelError(
                str(a.where),
                f"'{a.variable}' is no state variable of {i.type.name}",
                suggestion(a.variable, [*self.local, *(s.name for s in i.type.dynamics.states)]),
            )
        return name

    def rate(self, i: Instance, a: Assign) -> Expr:
        dimension = self.dims[self.state(i, a.variable)]
        return self.expression(i, a.value, dimension.over(TIME), a.where)

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
        self.out.inputs[symbol] = self.dims[symbol] = self.dimension(stated, i.where)
        self.out.outside[symbol] = (at, variable)
        return Name(symbol)

    def give(self, i: Instance, variable: str) -> None:
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
                with self.inside(i, None):
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
        dimension, symbol = self.dimension(q.dimension, q.where), self.namer.name(i, name)
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

    def _derived(self, i: Instance, d: DerivedVariable) -> Expr:
        dimension = self.dimension(i.type.stated(d), d.where)
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


def regime_state(regime: Regime, variable: str) -> str:
    """What a state of a regime is called outside it."""
    return f"{regime.name}_{variable}"


def _one_si(dimension: Dimension) -> Num:
    return Num(coherent(1.0, dimension), dimension)


def _opposite(a: Expr, b: Expr) -> bool:
    return isinstance(a, Cmp) and isinstance(b, Cmp) and (a.a, a.b) == (b.a, b.b) and _FLIPPED[a.op] == b.op
