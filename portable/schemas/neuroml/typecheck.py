"""The component types of a file looked at by themselves, used or not: names, dimensions, expressions,
ports.
"""

from __future__ import annotations

from collections.abc import Iterable

from portable.dynamics.dimensions import inferred
from portable.dynamics.expressions import Call, Cmp, Logic, names, walk
from portable.dynamics.grammar import parse
from portable.dynamics.lems.flat_model import Attached
from portable.dynamics.lems.flatten import Flattener
from portable.dynamics.lems.inherit import FullType, Types
from portable.dynamics.lems.instance import READ, Instance
from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.types import ComponentType, Dynamics, OnEvent, Quantity, Where
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml.collect import Collector
from portable.units import NONE, Dimension, describe


def check_types(model: Model, catch: Collector) -> None:
    """Every mistake in the types that the model's own files declare, to the collector."""
    types = Types(model)
    for name in model.own_types:
        t = model.types[name]
        with catch(t.where):
            full = types[name]
            _declarations(model, t, full, catch)
            if t.dynamics is not None:
                _ports(t, t.dynamics, full, catch)
                _dynamics(model, t, full, catch)


def _declarations(model: Model, t: ComponentType, full: FullType, catch: Collector) -> None:
    scope = model.scope
    for q in (
        *t.parameters,
        *t.constants,
        *t.derived_parameters,
        *t.properties,
        *t.requirements,
        *t.exposures,
    ):
        with catch(q.where):
            scope.exponents(q.dimension, q.where)
    for q in t.constants:
        with catch(q.where):
            scope.si(q.value, q.dimension, q.where, q.name)
    for q in t.derived_parameters:
        with catch(q.where):
            _derived_parameter(model, q, full)
    for s in t.slots:
        if s.type and s.type not in model.types:
            with catch():
                raise model.unknown_type(s.type)(
                    str(t.where),
                    f"its {s.kind} '{s.name[:60]}' is of an unknown component type '{s.type[:60]}'",
                    suggestion(s.type, model.types),
                )
    for name in t.fixed.keys() - full.parameters.keys():
        with catch():
            raise ModelError(
                str(t.where), f"fixes '{name[:60]}', which is no parameter", suggestion(name, full.parameters)
            )
    for node in t.structure or ():
        if node.tag not in READ:
            with catch():
                raise ModelError(
                    str(t.where),
                    f"<{node.tag[:60]}> in the Structure of a {t.name} is not read",
                    f"known: {', '.join(sorted(READ))}",
                )


def _derived_parameter(model: Model, q: Quantity, full: FullType) -> None:
    try:
        expr = parse(q.value, frozenset(), lems=True)
        known = {
            n: x.dimension
            for group in (full.parameters, full.constants, full.derived_parameters, full.properties)
            for n, x in group.items()
        }
        for n in sorted(names(expr)):
            if n not in known:
                raise ModelError(
                    "",
                    f"undefined name '{n[:60]}'; a derived parameter reads parameters and constants",
                    suggestion(n, known),
                )
        if isinstance(expr, Cmp | Logic) or any(isinstance(e, Call) and e.fn == "random" for e in walk(expr)):
            raise ModelError(
                "",
                f"'{q.value[:60]}' is no value that is known before the start",
                "use parameters, constants and functions",
            )
        found = inferred(expr, {n: _dimension(model, known[n], q.where) for n in names(expr)})
        want = _dimension(model, q.dimension, q.where)
        if found not in (None, want):
            raise ModelError(
                "",
                f"'{q.value[:60]}' is {describe(found or NONE)} but must be {describe(want)}",
                "check its dimensions",
            )
    except ModelError as error:
        raise error if error.path else error.under(str(q.where)) from None


def _dimension(model: Model, name: str, where: Where) -> Dimension:
    return Dimension(*(model.scope.exponents(name, where) or (0,) * 7))


def _ports(t: ComponentType, d: Dynamics, full: FullType, catch: Collector) -> None:
    """Events at ports that are not declared would never come."""
    events: Iterable[OnEvent] = (*d.events, *(e for r in d.regimes for e in r.events))
    for e in events:
        if e.port not in full.ports or full.ports[e.port].direction != "in":
            with catch():
                raise ModelError(
                    str(t.where),
                    f"an OnEvent is at '{e.port[:60]}', which is no port in of a {t.name}",
                    suggestion(e.port, [p.name for p in full.ports.values() if p.direction == "in"]),
                )


def _dynamics(model: Model, t: ComponentType, full: FullType, catch: Collector) -> None:
    """Expressions, by flattening a stand-in with numbers for all values, in a place that provides all that it
    requires.
    """
    around = Instance(Component("", "", "", {}), FullType("", ("",)), "")
    stand_in = Instance(Component(t.name, "", t.name, {}, (), t.where), full, t.name, around)
    stand_in.values |= dict.fromkeys(
        [*full.parameters, *full.constants, *full.derived_parameters, *full.properties], 1.0
    )
    Flattener(model, [stand_in], {id(around): ""}, Attached(temperature=300.0), catch=catch).flatten()
