"""XML -> L1: Dimension, Unit, Constant and ComponentType elements."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from portable.dynamics.lems.model import Model
from portable.dynamics.lems.types import (
    Action,
    Assign,
    Case,
    ComponentType,
    DerivedVariable,
    Dimension,
    Dynamics,
    EventOut,
    EventPort,
    KineticScheme,
    Node,
    OnCondition,
    OnEvent,
    Quantity,
    Regime,
    Slot,
    StateVariable,
    Transition,
    Unit,
)
from portable.errors import ModelError, suggestion
from portable.schemas.neuroml.xml import attributes, name, where

MAX_POWER = 100
SLOTS = (
    "Child",
    "Children",
    "Attachments",
    "ComponentReference",
    "Link",
    "InstanceRequirement",
    "ComponentRequirement",
)
_ALSO = (
    "IndexParameter",
    "PathParameter",
    "Insertion",
    "Assertion",
    "Simulation",
    "About",
    "Meta",
    "notes",
    "annotation",
    "Collection",
    "PairCollection",
    "Procedure",
    "Equilibrate",
)


def declaration(model: Model, element: Any, file: str) -> bool:
    """Take a top-level declaration into the model; False if the element is none."""
    tag = name(element)
    if tag == "Dimension":
        found = Dimension(_need(element, "name", file), tuple(_whole(element, k, file) for k in "mltiknj"))
        model.dimensions[found.name] = found
    elif tag == "Unit":
        unit = Unit(
            _need(element, "symbol", file),
            _need(element, "dimension", file),
            _whole(element, "power", file),
            _number(element, "scale", 1.0, file),
            _number(element, "offset", 0.0, file),
        )
        if unit.scale == 0.0:
            raise ModelError(str(where(element, file)), "scale must not be 0", "leave it out for 1")
        model.units[unit.symbol] = unit
    elif tag == "Constant":
        model.constants.append(_quantity(element, file))
    elif tag == "ComponentType":
        made = component_type(element, file)
        model.types[made.name] = made
    else:
        return False
    return True


def _need(element: Any, key: str, file: str) -> str:
    found = element.get(key)
    if not found:
        raise ModelError(str(where(element, file)), f"must have a {key}", f'write {key}="..."')
    return str(found)


def _number(element: Any, key: str, default: float, file: str) -> float:
    text = element.get(key)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ModelError(
            str(where(element, file)), f"{key} must be a number, got {text[:40]!r}", f'write {key}="1"'
        )
    return value


def _whole(element: Any, key: str, file: str) -> int:
    value = _number(element, key, 0.0, file)
    if value != int(value) or abs(value) > MAX_POWER:
        raise ModelError(
            str(where(element, file)),
            f"{key} must be a whole number between -{MAX_POWER} and {MAX_POWER}, got {value:g}",
            "check the power of ten",
        )
    return int(value)


def _quantity(element: Any, file: str) -> Quantity:
    value = element.get("value", element.get("defaultValue", ""))
    return Quantity(
        _need(element, "name", file), element.get("dimension", "none"), value, where(element, file)
    )


def component_type(element: Any, file: str) -> ComponentType:
    """One ComponentType. ModelError with file and line on an unknown element."""
    groups: dict[str, list[Any]] = {}
    for child in element:
        tag = name(child)
        if tag:
            groups.setdefault(tag, []).append(child)
    known = {
        "Parameter",
        "Constant",
        "DerivedParameter",
        "Property",
        "Requirement",
        "Exposure",
        "EventPort",
        "Text",
        "Path",
        "Fixed",
        "Dynamics",
        "Structure",
        *SLOTS,
        *_ALSO,
    }
    for tag, found in groups.items():
        if tag not in known:
            raise ModelError(
                str(where(found[0], file)),
                f"<{tag[:60]}> is no part of a ComponentType",
                suggestion(tag, known),
            )
        if tag in ("Dynamics", "Structure") and len(found) > 1:
            raise ModelError(
                str(where(found[1], file)), f"is the second <{tag}> of its type; one counts", "join them"
            )

    def quantities(tag: str) -> tuple[Quantity, ...]:
        return tuple(_quantity(e, file) for e in groups.get(tag, ()))

    def names(tag: str) -> tuple[str, ...]:
        return tuple(_need(e, "name", file) for e in groups.get(tag, ()))

    dynamics, structure = groups.get("Dynamics"), groups.get("Structure")
    return ComponentType(
        _need(element, "name", file),
        element.get("extends", ""),
        quantities("Parameter"),
        {_need(e, "parameter", file): _need(e, "value", file) for e in groups.get("Fixed", ())},
        quantities("Constant"),
        quantities("DerivedParameter"),
        quantities("Property"),
        quantities("Requirement"),
        quantities("Exposure"),
        tuple(
            EventPort(_need(e, "name", file), e.get("direction", "in")) for e in groups.get("EventPort", ())
        ),
        names("Text"),
        (*names("Path"), *names("IndexParameter")),
        tuple(
            Slot(tag, _need(e, "name", file), e.get("type", "")) for tag in SLOTS for e in groups.get(tag, ())
        ),
        _dynamics(dynamics[0], file) if dynamics else None,
        tuple(_node(e) for e in structure[0] if name(e)) if structure else None,
        where(element, file),
    )


def _node(element: Any) -> Node:
    return Node(name(element), attributes(element), tuple(_node(e) for e in element if name(e)))


def _dynamics(element: Any, file: str) -> Dynamics:
    g = _grouped(
        element,
        file,
        {
            "StateVariable",
            "DerivedVariable",
            "ConditionalDerivedVariable",
            "TimeDerivative",
            "OnStart",
            "OnCondition",
            "OnEvent",
            "Regime",
            "KineticScheme",
        },
    )
    derived = tuple(_derived(e, file) for e in (*g["DerivedVariable"], *g["ConditionalDerivedVariable"]))
    schemes = tuple(
        KineticScheme(
            _need(e, "name", file),
            _need(e, "nodes", file),
            _need(e, "stateVariable", file),
            _need(e, "edges", file),
            _need(e, "edgeSource", file),
            _need(e, "edgeTarget", file),
            _need(e, "forwardRate", file),
            _need(e, "reverseRate", file),
            where(e, file),
        )
        for e in g["KineticScheme"]
    )
    start = tuple(a for e in g["OnStart"] for a in _actions(e, file))
    return Dynamics(
        _states(g["StateVariable"], file),
        derived,
        _rates(g["TimeDerivative"], file),
        start,
        _conditions(g["OnCondition"], file),
        _events(g["OnEvent"], file),
        tuple(_regime(e, file) for e in g["Regime"]),
        schemes,
    )


def _grouped(element: Any, file: str, known: set[str]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {k: [] for k in known}
    for child in element:
        tag = name(child)
        if not tag:
            continue
        if tag not in known:
            raise ModelError(
                str(where(child, file)),
                f"<{tag[:60]}> is no part of <{name(element)}>",
                f"known: {', '.join(sorted(known))}",
            )
        out[tag].append(child)
    return out


def _derived(e: Any, file: str) -> DerivedVariable:
    cases = tuple(Case(c.get("condition", ""), _need(c, "value", file)) for c in e if name(c) == "Case")
    if not cases and not e.get("value") and not e.get("select"):
        raise ModelError(str(where(e, file)), "must have a value, a select or cases", 'write value="..."')
    return DerivedVariable(
        _need(e, "name", file),
        e.get("dimension", ""),
        e.get("exposure", ""),
        e.get("value", ""),
        e.get("select", ""),
        e.get("reduce", ""),
        cases,
        where(e, file),
    )


def _states(elements: Iterable[Any], file: str) -> tuple[StateVariable, ...]:
    return tuple(
        StateVariable(
            _need(e, "name", file), e.get("dimension", "none"), e.get("exposure", ""), where(e, file)
        )
        for e in elements
    )


def _rates(elements: Iterable[Any], file: str) -> tuple[Assign, ...]:
    return tuple(
        Assign(_need(e, "variable", file), _need(e, "value", file), where(e, file)) for e in elements
    )


def _conditions(elements: Iterable[Any], file: str) -> tuple[OnCondition, ...]:
    return tuple(OnCondition(_need(e, "test", file), _actions(e, file), where(e, file)) for e in elements)


def _events(elements: Iterable[Any], file: str) -> tuple[OnEvent, ...]:
    return tuple(OnEvent(_need(e, "port", file), _actions(e, file)) for e in elements)


def _actions(element: Any, file: str) -> tuple[Action, ...]:
    out: list[Action] = []
    for e in element:
        match name(e):
            case "StateAssignment":
                out.append(Assign(_need(e, "variable", file), _need(e, "value", file), where(e, file)))
            case "EventOut":
                out.append(EventOut(_need(e, "port", file)))
            case "Transition":
                out.append(Transition(_need(e, "regime", file)))
            case "":
                continue
            case other:
                raise ModelError(
                    str(where(e, file)),
                    f"<{other[:60]}> is no action",
                    "StateAssignment, EventOut or Transition",
                )
    return tuple(out)


def _regime(e: Any, file: str) -> Regime:
    g = _grouped(e, file, {"StateVariable", "TimeDerivative", "OnEntry", "OnCondition", "OnEvent"})
    entry = tuple(a for x in g["OnEntry"] for a in _actions(x, file))
    return Regime(
        _need(e, "name", file),
        e.get("initial") == "true",
        _rates(g["TimeDerivative"], file),
        entry,
        _conditions(g["OnCondition"], file),
        _events(g["OnEvent"], file),
        _states(g["StateVariable"], file),
    )
