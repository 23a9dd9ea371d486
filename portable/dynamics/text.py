"""Component types from text: the route that the standard library and users' own equations share.

    dv/dt = (v_rest - v)/tau_m + (i_syn + i_ext)/cm : mV (held)     a state variable, its equation and unit
    i_leak = g*(v_rest - v) : nA                                    a derived variable

`t` (ms) is the time and `i_ext` (nA) the sum of injected currents; `inputs` are values that links give. Every
expression's dimension is checked.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any

from portable.dynamics.component import (
    Assign,
    ComponentType,
    Derived,
    OnCondition,
    OnEvent,
    Parameter,
    Refractory,
    StateVariable,
)
from portable.dynamics.dimensions import inferred
from portable.dynamics.expressions import FUNCTIONS, Bin, Call, Cmp, Expr, Logic, Name, Num, names, walk
from portable.dynamics.grammar import MAX_LENGTH, parse
from portable.dynamics.random_calls import check_places
from portable.errors import ModelError, suggestion
from portable.frozen import Frozen
from portable.units import CURRENT, NONE, TIME, Dimension, describe, dimensionality, quantity, unit

RESERVED = {"t": TIME, "i_ext": CURRENT}
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}\Z")
# Words that the grammar or the languages of the code generators take.
TAKEN = FUNCTIONS | frozenset(keyword.kwlist) | {*RESERVED, "weight", "where", "dt", "inf", "nan"}
_UNIT_ALONE = re.compile(r"\s*(?![-+.\d])|\s*1\s*/")
_LINE = re.compile(
    r"(?:d(?P<state>[A-Za-z]\w*)\s*/\s*dt|(?P<name>[A-Za-z]\w*))\s*=(?!=)\s*(?P<expr>.*):\s*(?P<unit>[^:()]+?)\s*(?:\((?P<flags>[^()]*)\))?\s*$",
    re.S,
)
_BARE = re.compile(r"(?P<state>[A-Za-z]\w*)\s*:\s*(?P<unit>[^:()=]+?)\s*$")
_ASSIGN = re.compile(r"(?P<name>[A-Za-z]\w*)\s*(?P<op>[-+*/]?)=(?!=)\s*(?P<expr>.*)$", re.S)


def read_parameters(
    given: Mapping[str, Any], positive: tuple[str, ...] = (), nonnegative: tuple[str, ...] = ()
) -> tuple[Parameter, ...]:
    """Parameters from {"tau_m": "20 ms", "a": 0.02, "cm": "nF"}; a unit alone means that the user must give a
    value.
    """
    if not isinstance(given, Mapping):
        raise ModelError("parameters", f"expected a mapping, got {given!r}", 'write {"tau_m": "20 ms"}')
    out = []
    for name, default in given.items():
        path = f"parameters['{name}']"
        identifier(name, path)
        if isinstance(default, str) and _UNIT_ALONE.match(default):
            parameter = Parameter(name, _unit(default, path), None)
        else:
            text = (
                re.search(r"[A-Za-zµμ1].*$", re.sub(r"^\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?", "", default))
                if isinstance(default, str)
                else None
            )
            own = getattr(default, "unit", None) or (text[0] if text else "1")
            if hasattr(default, "dimensionality"):
                own = dimensionality(default)
            parameter = Parameter(name, own, quantity(default, _unit(own, path), path))
        out.append(
            Parameter(
                parameter.name, parameter.unit, parameter.default, "", name in positive, name in nonnegative
            )
        )
    return tuple(out)


def _unit(text: str, path: str) -> str:
    try:
        return unit(text).text
    except ModelError as error:
        raise error.under(path) from None


def identifier(name: str, path: str) -> None:
    if not isinstance(name, str) or not IDENTIFIER.match(name) or name.endswith("_"):
        raise ModelError(
            path,
            f"'{name}' cannot be a name",
            "use letters, digits and _, starting with a letter, and no _ at the end",
        )
    if name in TAKEN:
        raise ModelError(
            path, f"'{name}' cannot be a name: it has a meaning of its own", f"call it for example {name}_0"
        )


def component(
    name: str,
    kind: str,
    *,
    equations: str,
    parameters: Mapping[str, Any],
    threshold: str = "",
    reset: str = "",
    refractory: str = "",
    edge: bool = False,
    events: Mapping[str, str] | None = None,
    weight_units: Mapping[str, str] | None = None,
    requires: Mapping[str, str] | None = None,
    exposes: Mapping[str, str] | None = None,
    initial: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    conditions: Sequence[tuple[str, str]] = (),
    compartments: int = 1,
    positive: tuple[str, ...] = (),
    nonnegative: tuple[str, ...] = (),
    integrator: str = "",
    description: str = "",
    source: str = "",
    aliases: Mapping[str, str] | None = None,
) -> ComponentType:
    """Read a component type. With `edge` the threshold fires on its upward crossing only. ModelError names
    the line.
    """
    identifier(name, "name")
    try:
        reader = Reader(read_parameters(parameters, positive, nonnegative), requires or {})
        reader.take_inputs(inputs or {})
        reader.equations(equations)
        reader.initial(initial or {})
        if refractory:
            reader.refractory(refractory, reset)
        if threshold:
            reader.threshold(threshold, reset, edge)
        elif reset:
            raise ModelError("reset", "there is a reset but no threshold", "give threshold='v >= v_thresh'")
        reader.conditions += reader.more_conditions(conditions)
        on_event = tuple(
            reader.event(port, text, (weight_units or {}).get(port, ""))
            for port, text in (events or {}).items()
        )
        shown = {n: reader.checked(e, f"exposes['{n}']", None) for n, e in (exposes or {}).items()}
        reader.check()
    except ModelError as error:
        raise error.under(f"{kind}_type '{name}'") from None
    made = ComponentType(
        name=name,
        kind=kind,
        parameters=reader.parameters,
        states=tuple(reader.states.values()),
        derived=tuple(reader.derived),
        derivatives=Frozen(reader.derivatives),
        conditions=tuple(reader.conditions),
        events=on_event,
        refractory=reader.held,
        requires=Frozen({n: unit(u).dimension for n, u in (requires or {}).items()}),
        inputs=Frozen(reader.inputs),
        compartments=compartments,
        exposes=Frozen(shown),
        integrator=integrator,
        description=description,
        source=source,
        aliases=Frozen(aliases or {}),
    )
    try:
        check_places(made)
    except ModelError as error:
        raise error.under(f"{kind}_type '{name}'") from None
    return made


class Reader:
    """Collects one component type; `symbols` maps every name to its dimension."""

    def __init__(self, parameters: tuple[Parameter, ...], requires: Mapping[str, str]) -> None:
        self.parameters = parameters
        self.symbols: dict[str, Dimension] = {
            **RESERVED,
            **{n: unit(u).dimension for n, u in requires.items()},
        }
        for p in parameters:
            self.declare(p.name, p.dimension)
        self.states: dict[str, StateVariable] = {}
        self.derived: list[Derived] = []
        self.derivatives: dict[str, Expr] = {}
        self.conditions: list[OnCondition] = []
        self.held: Refractory | None = None
        self.flagged: list[str] = []
        self.inputs: dict[str, Dimension] = {}
        self.rules = False  # whether it is a rule of synapses

    def declare(self, name: str, dimension: Dimension) -> None:
        if name in self.symbols:
            raise ModelError(name, "is defined twice", "rename one of them")
        self.symbols[name] = dimension

    def take_inputs(self, given: Mapping[str, str]) -> None:
        if not isinstance(given, Mapping):
            raise ModelError("inputs", f"expected a mapping, got {given!r}", 'write {"i_in": "nA"}')
        for name, text in given.items():
            path = f"inputs['{name}']"
            identifier(name, path)
            self.inputs[name] = unit(_unit(text, path)).dimension
            self.declare(name, self.inputs[name])

    def equations(self, text: str, place: str = "equations", bare: bool = False) -> None:
        """States and derived variables from lines; `place` names the text in errors. bare: a line
        "x : unit" is a state that no equation moves.
        """
        lines = _joined(text)
        found = []
        for line in lines:
            match = _LINE.match(line)
            if bare and not match and (alone := _BARE.match(line)):
                identifier(alone["state"], place)
                own = unit(_unit(alone["unit"], f"{place}: {alone['state']}"))
                self.declare(alone["state"], own.dimension)
                self.states[alone["state"]] = StateVariable(alone["state"], own.text, Num(0.0, own.dimension))
                continue
            if not match:
                raise ModelError(
                    place,
                    f"cannot read '{line}'",
                    "write 'dv/dt = expression : mV' or 'x = expression : unit'",
                )
            name = match["state"] or match["name"]
            identifier(name, place)
            dimension = unit(_unit(match["unit"], f"{place}: {name}")).dimension
            self.declare(name, dimension)
            if match["state"]:
                self.states[name] = StateVariable(name, unit(match["unit"]).text, Num(0.0, dimension))
            if match["flags"]:
                if match["flags"].strip() not in ("held", "unless refractory") or not match["state"]:
                    raise ModelError(
                        f"{place}: {name}",
                        f"unknown flag ({match['flags']})",
                        "only (held) is known: the state does not move while refractory",
                    )
                self.flagged.append(name)
            found.append((match, name, dimension))
        for match, name, dimension in found:
            if match["state"]:
                self.derivatives[name] = self.checked(
                    match["expr"], f"{place}: d{name}/dt", dimension.over(TIME)
                )
            else:
                self.derived.append(
                    Derived(name, self.checked(match["expr"], f"{place}: {name}", dimension), dimension)
                )

    def checked(
        self, text: str, path: str, want: Dimension | None, extra: Mapping[str, Dimension] | None = None
    ) -> Expr:
        symbols = {**self.symbols, **(extra or {})}
        try:
            expr = parse(str(text), frozenset(symbols))
            found = inferred(expr, symbols)
        except ModelError as error:
            raise error.under(path) from None
        if not self.rules and any(isinstance(e, Call) and e.fn == "binomial" for e in walk(expr)):
            raise ModelError(path, "binomial() is known to rules of synapses only", "use random() here")
        if want is not None and found is not None and found != want:
            raise ModelError(
                path,
                f"'{text.strip()}' is {describe(found)} but must be {describe(want)}",
                "check the units of its parameters",
            )
        return expr

    def initial(self, given: Mapping[str, str]) -> None:
        for name, text in given.items():
            if name not in self.states:
                raise ModelError(f"initial['{name}']", "is no state variable", suggestion(name, self.states))
            s = self.states[name]
            self.states[name] = StateVariable(
                name, s.unit, self.checked(text, f"initial['{name}']", s.dimension)
            )

    def assignments(
        self, text: str, path: str, extra: Mapping[str, Dimension] | None = None
    ) -> tuple[Assign, ...]:
        out = []
        for part in (p.strip() for line in text.splitlines() for p in line.split(";")):
            if not part:
                continue
            match = _ASSIGN.match(part)
            if not match:
                raise ModelError(path, f"cannot read '{part}'", "write 'v = v_reset' or 'w += b'")
            name = match["name"]
            if name not in self.states:
                raise ModelError(
                    path, f"'{name}' is assigned but is no state variable", suggestion(name, self.states)
                )
            scaled = match["op"] in ("*", "/")
            expr = self.checked(match["expr"], path, NONE if scaled else self.symbols[name], extra)
            out.append(Assign(name, Bin(match["op"], Name(name), expr) if match["op"] else expr))
        return tuple(out)

    def condition(self, test: str, path: str) -> Expr:
        expr = self.checked(test, path, NONE)
        if not isinstance(expr, (Cmp, Logic)):
            raise ModelError(path, f"'{test}' is no condition", "write for example 'v >= v_thresh'")
        return expr

    def more_conditions(self, given: Sequence[tuple[str, str]]) -> list[OnCondition]:
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise ModelError(
                "conditions",
                f"expected a list of (test, statements), got {given!r}",
                'write [("v < v_th", "above = 0")]',
            )
        out = []
        for i, pair in enumerate(given):
            path = f"conditions[{i}]"
            if (
                not isinstance(pair, (tuple, list))
                or len(pair) != 2
                or not all(isinstance(x, str) for x in pair)
            ):
                raise ModelError(
                    path, f"expected (test, statements), got {pair!r}", 'write ("v < v_th", "above = 0")'
                )
            parts = [p.strip() for line in pair[1].splitlines() for p in line.split(";")]
            actions = self.assignments("; ".join(p for p in parts if p != "spike"), path)
            spike = "spike" in parts
            if not actions and not spike:
                raise ModelError(
                    path, f"'{pair[0]}' does nothing", "give assignments, or the statement spike"
                )
            out.append(OnCondition(self.condition(pair[0], path), actions, spike))
        return out

    def threshold(self, test: str, reset: str, edge: bool) -> None:
        expr = self.condition(test, "threshold")
        actions = self.assignments(reset, "reset")
        if not edge:
            self.conditions = [OnCondition(expr, actions, spike=True)]
            return
        self.declare("above", NONE)
        self.states["above"] = StateVariable("above", "1", Num(0.0))
        below = Cmp("<", Name("above"), Num(0.5))
        self.conditions = [
            OnCondition(Logic("and", (expr, below)), (*actions, Assign("above", Num(1.0))), spike=True),
            OnCondition(Logic("not", (expr,)), (Assign("above", Num(0.0)),)),
        ]

    def refractory(self, text: str, reset: str) -> None:
        expr = self.checked(text, "refractory", TIME)
        if names(expr) & (self.states.keys() | self.inputs.keys() | {"t"}):
            raise ModelError("refractory", f"'{text}' depends on a state variable", "use parameters only")
        held = self.flagged or [
            a.variable for a in self.assignments(reset, "reset") if a.variable not in names(a.expr)
        ]
        self.held = Refractory(expr, tuple(dict.fromkeys(held)))

    def event(self, port: str, text: str, weight_unit: str) -> OnEvent:
        path = f"events['{port}']"
        first = _ASSIGN.match(text.strip())
        if not weight_unit and first and first["name"] in self.states:
            weight_unit = self.states[first["name"]].unit
        weight_unit = _unit(weight_unit or "1", path)
        return OnEvent(
            port, self.assignments(text, path, {"weight": unit(weight_unit).dimension}), weight_unit
        )

    def check(self) -> None:
        for name, s in self.states.items():
            if names(s.initial) & (
                self.states.keys() | {d.name for d in self.derived} | self.inputs.keys() | {"t"}
            ):
                raise ModelError(
                    f"initial['{name}']", "may read parameters only", "write the value that it has there"
                )
        if self.flagged and not self.held:
            raise ModelError(
                "equations",
                f"'{self.flagged[0]}' is (held) but there is no refractory period",
                "give refractory='tau_refrac' or drop the flag",
            )


def _joined(text: str) -> list[str]:
    """Lines without comments; a line that ends in an open bracket or operator goes on in the next."""
    if not isinstance(text, str):
        raise ModelError(
            "equations", f"must be text, got {text!r}", "write 'dv/dt = (v_rest - v)/tau_m : mV'"
        )
    if len(text) > 5 * MAX_LENGTH:
        raise ModelError(
            "equations",
            f"{len(text)} characters; at most {5 * MAX_LENGTH} are read",
            "write shorter equations",
        )
    out: list[str] = []
    carry = ""
    for raw in text.splitlines():
        line = f"{carry} {' '.join(raw.split('#')[0].split())}".strip()
        if not line:
            continue
        if len(line) > MAX_LENGTH:
            raise ModelError(
                "equations",
                f"a line of more than {MAX_LENGTH} characters: '{line[:40]}...'",
                "close its brackets, or split it into derived variables",
            )
        if line.count("(") > line.count(")") or line[-1] in "+-*/=,":
            carry = line
            continue
        out.append(line)
        carry = ""
    return [*out, carry] if carry else out
