"""Which of NEST's own models is exactly a given flat cell, and with which parameters.

A cell is recognised by its meaning: its flat form must be, word for word, the library type's with the same
receptors. The map is refused (and the cell goes to NESTML) where NEST's model could not do what the network
asks: a weight of the wrong sign for a port that NEST chooses by sign, an initial synaptic state that cannot
be set, a recorded state it does not show, another integrator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portable.backends.contract import RunConfig
from portable.backends.nest import synapses
from portable.backends.nest.plan import PortMap
from portable.dynamics.flat import Flat, flatten, receptor_parameter, receptor_state
from portable.library.cells import CELLS, LARGEST_EXPONENT
from portable.library.receptors import RECEPTORS
from portable.resolve.program import CellGroup, PerCell, Program

LARGEST_RATIO = 300.0  # dt/tau up to which NEST's exact models are taken; exp(300) squared is still a number
# NEST's parameter: ours (both in the unit of the comment)
_LEAKY = {
    "E_L": "v_rest",  # mV
    "C_m": "cm",  # pF
    "V_th": "v_thresh",  # mV
    "V_reset": "v_reset",  # mV
    "I_e": "i_offset",  # pA
}
_CURRENT = {**_LEAKY, "tau_m": "tau_m"}  # ms
_CONDUCTANCE = {**_LEAKY, "g_L": "g_leak"}  # nS, cm/tau_m
_AEIF = {
    **_CONDUCTANCE,
    "V_peak": "v_spike",  # mV
    "a": "a",  # nS
    "b": "b",  # pA
    "Delta_T": "delta_T",  # mV
    "tau_w": "tau_w",  # ms
}
_IZHIKEVICH = {
    "a": "a",  # 1/ms
    "b": "b",  # 1/ms
    "c": "c",  # mV
    "d": "d",  # mV/ms
    "V_th": "v_thresh",  # mV
    "I_e": "i_offset",  # pA
}


@dataclass(frozen=True)
class Model:
    """A row: NEST's model of a library cell. receptor: the kernel its two ports have ("" = voltage jumps);
    multi: NEST's model with any number of receptors; fixed: parameters always set; synaptic: (state, settable
    as, recordable as) with {} = ex or in. Only what can also be read from the node counts as recordable
    (record.Traces needs it), so not NEST's I_syn_ex."""

    nest: str
    parameters: Mapping[str, str]
    integrator: str
    receptor: str = ""
    multi: str = ""
    states: Mapping[str, str] = ()  # type: ignore[assignment]
    fixed: Mapping[str, Any] = ()  # type: ignore[assignment]
    synaptic: tuple[tuple[str, str, str], ...] = ()
    methods: tuple[str, ...] = ("exact",)


TABLE: Mapping[str, Model] = {
    "IF_curr_exp": Model(
        "iaf_psc_exp",
        _CURRENT,
        "exact",
        "CurrExp",
        "iaf_psc_exp_multisynapse",
        {"v": "V_m"},
        {},
        (("isyn", "", ""),),
    ),
    "IF_curr_alpha": Model(
        "iaf_psc_alpha",
        _CURRENT,
        "exact",
        "CurrAlpha",
        "iaf_psc_alpha_multisynapse",
        {"v": "V_m"},
        {},
        (("jsyn", "", ""), ("isyn", "", "")),
    ),
    "IF_curr_delta": Model(
        "iaf_psc_delta", _CURRENT, "exact", "", "", {"v": "V_m"}, {"refractory_input": False}
    ),
    "IF_cond_exp": Model(
        "iaf_cond_exp",
        _CONDUCTANCE,
        "gsl rkf45 (abs 0.001)",
        "CondExp",
        "",
        {"v": "V_m"},
        {},
        (("gsyn", "g_{}", "g_{}"),),
        ("rkf45",),
    ),
    "IF_cond_alpha": Model(
        "iaf_cond_alpha",
        _CONDUCTANCE,
        "gsl rkf45 (abs 0.001)",
        "CondAlpha",
        "",
        {"v": "V_m"},
        {},
        (("hsyn", "dg_{}", ""), ("gsyn", "g_{}", "g_{}")),
        ("rkf45",),
    ),
    "EIF_cond_exp_isfa_ista": Model(
        "aeif_cond_exp",
        _AEIF,
        "gsl rkf45 (abs 1e-06, rel 1e-06 of h*dy/dt, spikes within the step)",
        "CondExp",
        "",
        {"v": "V_m", "w": "w"},
        {"gsl_error_tol": 1e-6},
        (("gsyn", "g_{}", "g_{}"),),
        ("rkf45",),
    ),
    "Izhikevich": Model(
        "izhikevich",
        _IZHIKEVICH,
        "euler",
        "",
        "",
        {"v": "V_m", "u": "U_m"},
        {"consistent_integration": True},
        (),
        ("euler",),
    ),
}


@dataclass(frozen=True)
class Choice:
    """A recognised cell: the row, NEST's model (two-port or multisynapse), the ports in NEST's order and how
    each is reached.
    """

    row: Model
    model: str
    order: tuple[str, ...]
    ports: Mapping[str, PortMap]
    initial: Mapping[str, str]
    recordables: Mapping[str, str]


def recognise(flat: Flat) -> Model | None:
    """The row of a flat cell that means exactly a library type, else None."""
    row = TABLE.get(flat.base)
    if row is None or any(kind not in RECEPTORS for kind in flat.receptors.values()):
        return None
    library = flatten(
        CELLS[flat.base].component, {port: RECEPTORS[kind].component for port, kind in flat.receptors.items()}
    )
    if library.text() != flat.text() or (
        row.receptor and any(k != row.receptor for k in flat.receptors.values())
    ):
        return None
    return row


def choose(group: CellGroup, program: Program, config: RunConfig) -> Choice | None:
    """NEST's own model for a population, None if there is no exact one."""
    row = recognise(group.flat)
    if (
        row is None
        or config.options.get("nestml") == "always"
        or not _method_fits(row, config)
        or not _legal(row, group.parameters)
        or not _resolved(row, group.parameters, program.dt)
    ):
        return None
    recorded = {t.variable for t in program.traces if t.group == group.name}
    candidates: list[Callable[[], Choice | None]] = [
        lambda: _jumps(row, group),
        lambda: _two_ports(row, group, program),
        lambda: _multi(row, group),
    ]
    for make in candidates:
        choice = make()
        if choice and all(choice.recordables.get(v) for v in recorded) and _initial_fits(choice, group):
            return choice
    return None


def _method_fits(row: Model, config: RunConfig) -> bool:
    return config.integrator in ("auto", "exact", *row.methods)


def takes(choice: Choice, values: Mapping[str, PerCell], dt: float) -> bool:
    """Whether NEST's model of that choice is still exact with these parameters of its cells."""
    return _legal(choice.row, values) and _resolved(choice.row, values, dt)


def _legal(row: Model, p: Mapping[str, PerCell]) -> bool:
    """What NEST refuses of a parameter set (V_reset below V_th, V_peak above V_th) is left to the generated
    model.
    """
    if row.nest == "izhikevich":
        return True
    if row.nest == "aeif_cond_exp":
        return bool(
            np.all(np.less(p["v_reset"], p["v_spike"]))
            and np.all(np.less_equal(p["v_thresh"], p["v_spike"]))
            and np.all(
                # the library's cell bounds the exponent, NEST's does not
                np.less_equal(
                    np.asarray(p["v_spike"]) - p["v_thresh"], LARGEST_EXPONENT * np.asarray(p["delta_T"])
                )
                | np.equal(p["delta_T"], 0.0)
            )
        )
    return bool(np.all(np.less(p["v_reset"], p["v_thresh"])))


def _resolved(row: Model, p: Mapping[str, PerCell], dt: float) -> bool:
    """NEST's propagators hold exp(dt/tau) and overflow where it is beyond 709; ours do not."""
    times = [float(np.min(v)) for n, v in p.items() if n == "tau_m" or n.startswith("tau_syn")]
    return row.integrator != "exact" or dt / min(times, default=np.inf) < LARGEST_RATIO


def _initial_fits(choice: Choice, group: CellGroup) -> bool:
    return all(choice.initial.get(s) or not np.any(v) for s, v in group.initial.items())


def _jumps(row: Model, group: CellGroup) -> Choice | None:
    if row.receptor:
        return None
    names = tuple(p.name for p in group.flat.ports)
    return Choice(row, row.nest, names, {n: PortMap() for n in names}, row.states, row.states)


def _two_ports(row: Model, group: CellGroup, program: Program) -> Choice | None:
    """NEST's two-port model sends positive weights to one port and negative ones to the other."""
    ports = tuple(group.flat.receptors)
    if not row.receptor or not 0 < len(ports) <= 2:
        return None
    signs = {p: _signs(program, group.name, p) for p in ports}
    if row.receptor.startswith("Cond"):  # conductances: the inhibitory port wants the weight negated
        if any(low < 0 for low, _ in signs.values()):
            return None
        return _named(row, ports, {p: PortMap(1.0 - 2.0 * i) for i, p in enumerate(ports)})
    for order in (ports, ports[::-1]):
        if (len(ports) == 1 or signs[order[1]][1] <= 0) and signs[order[0]][0] >= 0:
            return _named(row, order, {p: PortMap() for p in ports})
    return None


def _signs(program: Program, group: str, port: str) -> tuple[float, float]:
    found = [synapses.sent(c) for c in program.connections if c.post == group and c.port == port and c.count]
    return min([0.0, *(low for low, _ in found)]), max([0.0, *(high for _, high in found)])


def _named(row: Model, order: tuple[str, ...], ports: Mapping[str, PortMap]) -> Choice:
    initial, recordables = dict(row.states), dict(row.states)
    for port, side in zip(order, ("ex", "in"), strict=False):
        for state, settable, shown in row.synaptic:
            initial[receptor_state(port, state)] = settable.format(side)
            recordables[receptor_state(port, state)] = shown.format(side)
    return Choice(row, row.nest, order, ports, initial, recordables)


def _multi(row: Model, group: CellGroup) -> Choice | None:
    ports = tuple(group.flat.receptors)
    if not row.multi or not ports:
        return None
    return Choice(
        row, row.multi, ports, {p: PortMap(1.0, i + 1) for i, p in enumerate(ports)}, row.states, row.states
    )


def parameters(choice: Choice, group: CellGroup, values: Mapping[str, PerCell], dt: float) -> dict[str, Any]:
    """NEST's parameters in NEST's units: floats, arrays (n,), or arrays (k,) and (n, k) for those with one
    value a receptor.
    """
    table = dict(values)
    if "g_L" in choice.row.parameters and "g_leak" not in table:
        table["g_leak"] = np.divide(values["cm"], values["tau_m"])
    out: dict[str, Any] = {nest: table[ours] for nest, ours in choice.row.parameters.items()}
    if choice.row.nest != "izhikevich":
        out["t_ref"] = np.multiply(group.refractory, dt)
    taus = [values[receptor_parameter(p, "tau_syn")] for p in choice.order] if choice.row.receptor else []
    if choice.model == choice.row.multi:
        out["tau_syn"] = np.stack(np.broadcast_arrays(*taus), axis=-1)
    else:
        for port, tau, side in zip(choice.order, taus, ("ex", "in"), strict=False):
            out[f"tau_syn_{side}"] = tau
            if choice.row.receptor.startswith("Cond"):
                out[f"E_{side}"] = values[receptor_parameter(port, "e_rev")]
    return {**out, **choice.row.fixed}
