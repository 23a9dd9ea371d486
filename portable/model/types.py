"""Types from a user's own equations: cell_type and receptor_type, the same route as the library's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from portable.dynamics.component import ComponentType
from portable.dynamics.text import component
from portable.errors import ModelError
from portable.frozen import Frozen
from portable.model.cells import CellType, Receptor, ReceptorType
from portable.model.values import value
from portable.units import unit


def cell_type(
    name: str,
    *,
    equations: str,
    parameters: Mapping[str, Any],
    threshold: str = "",
    reset: str = "",
    refractory: str = "",
    edge: bool = False,
    events: Mapping[str, str] | None = None,
    weight_units: Mapping[str, str] | None = None,
    receptors: Mapping[str, ReceptorType | Receptor] | None = None,
    initial: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    conditions: Sequence[tuple[str, str]] = (),
    positive: tuple[str, ...] = (),
    nonnegative: tuple[str, ...] = (),
    integrator: str = "",
    compartments: int = 1,
) -> CellType:
    """A cell type from your own equations, units checked.

    equations: lines "dv/dt = (E - v)/tau : mV" and "i = g*(E - v) : nA"; `t` and `i_ext` (nA) are given.
    threshold: a condition ("v >= v_thresh"); reset: assignments ("v = v_reset; w += b"); refractory: a time
    expression during which the states flagged (held), or those that the reset sets, do not move. edge: fire
    on the upward crossing only.
    events: what a spike does at each receptor, {"exc": "g_e += weight"}; weight_units: the unit of its
    weight, {"exc": "nS"}, left out that of the first state it changes. receptors: kernels to attach, {"exc":
    pt.CurrExp}; they add their current to `i_syn` (nA) if the equations read it.
    initial: {"v": "v_rest"}. parameters: {"tau": "20 ms", "a": 0.02, "gain": "nA"}; a unit alone makes the
    parameter required.
    inputs: {"v_peer": "mV"}, names that links give a value (pt.Link), constant over a step; 0 where nothing
    is linked.
    conditions: (test, statements) pairs beside or in place of the threshold: [("v > v_th and above < 0.5",
    "above = 1; spike"), ("v < v_th", "above = 0")]. Tested at the end of every step in order, after the
    threshold; each sees what those before it assigned; the statement `spike` sends a spike, one a step. Only
    those with `spike` are not tested while refractory.
    positive, nonnegative: parameters that must be > 0 or >= 0, such as time constants.
    integrator: "euler", "exponential_euler", "rk4", "rkf45" fixes the method; left out, linear
    equations are exact and others use
    the run's.

    compartments: more than one says that the equations are only the first compartment's of an imported cell:
    backends without compartments refuse it.

    Raises ModelError that quotes the line. Expressions are parsed by the LEMS grammar; nothing is executed.
    """
    if not isinstance(compartments, int) or compartments < 1:
        raise ModelError(
            f"cell_type '{name}'.compartments",
            f"must be a whole number > 0, got {compartments!r}",
            "leave it out",
        )
    for k, r in (receptors or {}).items():
        if isinstance(r, Receptor) and not _plain(r):
            raise ModelError(
                f"cell_type '{name}'.receptors['{k}']",
                f"has values, which a type does not keep: {r!r}",
                f"write pt.{r.type.name}, and give the values to the cells",
            )
    kinds = {k: (r.type if isinstance(r, Receptor) else r) for k, r in (receptors or {}).items()}
    for k, r in kinds.items():
        if not isinstance(r, ReceptorType):
            raise ModelError(
                f"cell_type '{name}'.receptors['{k}']",
                f"expected a receptor type, got {r!r}",
                "write for example pt.CurrExp",
            )
    if integrator not in ("", "euler", "exponential_euler", "rk4", "rkf45"):
        raise ModelError(
            f"cell_type '{name}'.integrator",
            f"unknown method '{integrator}'",
            'one of "euler", "exponential_euler", "rk4", "rkf45", or leave it out',
        )
    reads = {"i_syn": "nA"} if _mentions(equations, "i_syn") else {}
    shared: dict[str, Any] = {
        "equations": equations,
        "threshold": threshold,
        "reset": reset,
        "refractory": refractory,
        "edge": edge,
        "events": Frozen(events or {}),
        "weight_units": Frozen(weight_units or {}),
        "initial": Frozen(initial or {}),
        "positive": tuple(positive),
        "nonnegative": tuple(nonnegative),
        "integrator": integrator,
        "inputs": Frozen(inputs or {}) if isinstance(inputs or {}, Mapping) else inputs,
        "conditions": _pairs(conditions),
        "compartments": compartments,
    }
    made = component(name, "cell", parameters=parameters, requires=reads, **shared)
    _declared(made, positive, nonnegative)
    names = Frozen({k: r.name for k, r in kinds.items()})
    result = CellType(
        made, Frozen(kinds), Frozen({**shared, "parameters": declared_parameters(made), "receptors": names})
    )
    _ = result.parameters  # folds the receptors in, so that name clashes and algebraic loops show now
    return result


def _plain(receptor: Receptor) -> bool:
    """Whether every parameter has the value that its type gives it."""
    return all(
        p.default is not None and receptor.parameters[p.name] == value(p.default, p.unit, p.name)
        for p in receptor.type.component.parameters
    )


def receptor_type(
    name: str,
    *,
    equations: str,
    parameters: Mapping[str, Any],
    events: Mapping[str, str],
    exposes: Mapping[str, str],
    requires: Mapping[str, str] | None = None,
    weight_units: Mapping[str, str] | None = None,
    initial: Mapping[str, str] | None = None,
    positive: tuple[str, ...] = (),
    nonnegative: tuple[str, ...] = (),
) -> ReceptorType:
    """A receptor (synaptic kernel) type from your own equations, units checked; attach it to any cell that
    reads `i_syn`.

    equations, parameters, initial, positive, nonnegative: as in cell_type. events: what an arriving spike
    does, one port, {"in": "g += weight"}.
    exposes: what the cell gets, {"i_syn": "g*(e_rev - v)"}. requires: what is read of the cell, {"v": "mV"}.

        nmda = pt.receptor_type("NMDA", equations="dg/dt = -g/tau : uS", parameters={"tau": "100 ms", "e_rev":
        "0 mV", "mg": 1.0},
            events={"in": "g += weight"}, requires={"v": "mV"}, exposes={"i_syn": "g*(e_rev - v)/(1 +
            mg*exp(-0.062*v/(1 mV))/3.57)"})

    Raises ModelError that quotes the line.
    """
    path = f"receptor_type '{name}'"
    for argument, given in (
        ("events", events),
        ("exposes", exposes),
        ("requires", requires or {}),
        ("weight_units", weight_units or {}),
    ):
        if not isinstance(given, Mapping):
            raise ModelError(
                f"{path}.{argument}",
                f"expected a mapping, got {given!r}",
                'write for example {"in": "g += weight"}',
            )
    if len(events) != 1:
        raise ModelError(
            f"{path}.events",
            f"needs exactly one port, got {len(events)}",
            'write {"in": "g += weight"}; join two assignments with ;',
        )
    if not exposes:
        raise ModelError(
            f"{path}.exposes", "is empty, so the cell would not feel it", 'write {"i_syn": "g*(e_rev - v)"}'
        )
    for symbol, text in (requires or {}).items():
        try:
            unit(text)
        except ModelError as error:
            raise error.under(f"{path}.requires['{symbol}']") from None
    shared: dict[str, Any] = {
        "equations": equations,
        "events": Frozen(events),
        "exposes": Frozen(exposes),
        "requires": Frozen(requires or {}),
        "weight_units": Frozen(weight_units or {}),
        "initial": Frozen(initial or {}),
        "positive": tuple(positive),
        "nonnegative": tuple(nonnegative),
    }
    made = component(name, "receptor", parameters=parameters, **shared)
    _declared(made, positive, nonnegative)
    return ReceptorType(made, Frozen({**shared, "parameters": declared_parameters(made)}))


def declared_parameters(made: ComponentType) -> Frozen[str, Any]:
    """A type's parameters as a document writes them: "20.0 ms", 0.02 (dimensionless), or a unit alone
    (required).
    """
    out: dict[str, Any] = {}
    for p in made.parameters:
        if p.default is None:
            out[p.name] = "dimensionless" if p.unit == "1" else p.unit
        else:
            out[p.name] = p.default.value if p.default.unit == "1" else str(p.default)
    return Frozen(out)


def _declared(made: ComponentType, *groups: tuple[str, ...]) -> None:
    known = [p.name for p in made.parameters]
    for name in (n for group in groups for n in group):
        if name not in known:
            raise ModelError(
                f"{made.kind}_type '{made.name}'.positive",
                f"'{name}' is no parameter",
                f"parameters: {', '.join(known)}",
            )


def _pairs(given: Any) -> Any:
    """Conditions as a tuple of tuples; what is none stays as it is, for the reader to refuse."""
    return (
        tuple(tuple(p) if isinstance(p, list) else p for p in given)
        if isinstance(given, (list, tuple))
        else given
    )


def _mentions(equations: str, name: str) -> bool:
    text = (
        "\n".join(line.split("#")[0] for line in equations.splitlines()) if isinstance(equations, str) else ""
    )
    return re.search(rf"\b{name}\b", text) is not None and not re.search(rf"^\s*{name}\s*=", text, re.M)
