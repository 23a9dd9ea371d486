"""Which groups of cells are NeuroML's own (PyNN) types, and with which numbers.

A cell is recognised by its meaning: its flat form must be, word for word, the library type's with the same
receptors. NeuroML's types have the synapses' states in the synapses, in regimes that hold a refractory cell
for one step or more; so a group whose receptor states are recorded or do not start at 0, or that has no
refractory step, is written as a type of its own (`write_cells`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from portable.dynamics.flat import Flat, flatten, receptor_parameter, receptor_state
from portable.library.cells import CELLS
from portable.library.receptors import RECEPTORS
from portable.resolve.program import CellGroup, PerCell

# NeuroML's attribute: (ours, the number of our coherent units in NeuroML's); NeuroML's are ms, mV, nF, nA, uS
# without a unit
_LEAKY = {
    "cm": ("cm", 1e3),
    "i_offset": ("i_offset", 1e3),
    "v_thresh": ("v_thresh", 1.0),
    "tau_m": ("tau_m", 1.0),
    "v_rest": ("v_rest", 1.0),
    "v_reset": ("v_reset", 1.0),
}
_ADAPTIVE = {
    **_LEAKY,
    "v_spike": ("v_spike", 1.0),
    "delta_T": ("delta_T", 1.0),
    "tau_w": ("tau_w", 1.0),
    "a": ("a", 1e3),
    "b": ("b", 1e3),
}
EQUAL = {"IF_curr_exp": _LEAKY, "IF_curr_alpha": _LEAKY}
# Written as core types only where asked: v of a cell with regimes reaches its synapses one step late in
# jLEMS, and the states of a regime are updated one after the other, not at once. In a strongly driven network
# of 200 ms at 0.1 ms the spikes of these move by up to 29 (IF_cond_exp), 6 (IF_cond_alpha) and 86 steps
# (EIF), and one more or less.
NEAR = {"IF_cond_exp": _LEAKY, "IF_cond_alpha": _LEAKY, "EIF_cond_exp_isfa_ista": _ADAPTIVE}
_CONDUCTANCE = ("IF_cond_exp", "IF_cond_alpha", "EIF_cond_exp_isfa_ista")
SYNAPSES = {
    "CurrExp": "expCurrSynapse",
    "CurrAlpha": "alphaCurrSynapse",
    "CondExp": "expCondSynapse",
    "CondAlpha": "alphaCondSynapse",
}
WEIGHT = 1e3  # pA in nA, nS in uS


@dataclass(frozen=True)
class CoreCells:
    """A group as core components: for each distinct set of numbers the cell's attributes and each port's
    (type, attributes).
    """

    type: str
    sets: tuple[Mapping[str, str], ...]
    synapses: tuple[Mapping[str, tuple[str, Mapping[str, str]]], ...]
    part: npt.NDArray[np.int64]  # the set of every cell


@functools.lru_cache(maxsize=64)
def _library_text(base: str, receptors: tuple[tuple[str, str], ...]) -> str:
    return flatten(CELLS[base].component, {port: RECEPTORS[r].component for port, r in receptors}).text()


def is_library(flat: Flat) -> bool:
    """Whether a flat cell is the library's type of its name with library receptors."""
    if flat.base not in CELLS or any(r not in RECEPTORS for r in flat.receptors.values()):
        return False
    return _library_text(flat.base, tuple(flat.receptors.items())) == flat.text()


def core_cells(
    group: CellGroup, recorded: frozenset[str], dt: float, half: float, near: bool, most: int
) -> CoreCells | None:
    """The group as core components, None where a core type would not do the same.

    recorded: its states that are recorded. half: steps taken off the refractory period. near: also types that
    are only nearly equal.
    most: the largest number of distinct parameter sets.
    """
    flat, known = group.flat, group.values()
    table = {**EQUAL, **(NEAR if near else {})}.get(flat.base)
    if table is None or not is_library(flat) or np.any(np.asarray(group.refractory) < 1):
        return None
    synaptic = [s for s in flat.state_names if s not in ("v", "w")]
    if recorded - {"v"} or any(
        np.any(np.asarray(group.initial[s]) != 0.0) for s in flat.state_names if s != "v"
    ):
        return None
    columns: dict[str, PerCell] = {ours: known[ours] for ours, _ in table.values()}
    columns |= {"v_init": group.initial["v"], "tau_refrac": (np.asarray(group.refractory) - half) * dt}
    for port, kind in flat.receptors.items():
        columns |= {
            receptor_parameter(port, p.name): known[receptor_parameter(port, p.name)]
            for p in RECEPTORS[kind].component.parameters
        }
    assert all(
        receptor_state(port, s.name) in synaptic
        for port, kind in flat.receptors.items()
        for s in RECEPTORS[kind].component.states
    )
    rows, part = distinct(list(columns.values()), group.size)
    if rows.shape[0] > most:
        return None
    sets = [dict(zip(columns, row.tolist(), strict=True)) for row in rows]
    return CoreCells(
        flat.base,
        tuple(_attributes(flat, table, s) for s in sets),
        tuple(_synapses(flat, s) for s in sets),
        part,
    )


def distinct(columns: list[PerCell], size: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The different rows (sets, columns) of numbers of one or one a cell, in order of first appearance, and
    the row of every cell.
    """
    arrays = [np.broadcast_to(np.asarray(c, dtype=np.float64), size) for c in columns]
    if all(np.ndim(c) == 0 for c in columns):
        return np.array([[float(c) for c in columns]]).reshape(1, len(columns)), np.zeros(
            size, dtype=np.int64
        )
    stacked = np.stack(arrays, axis=1)
    _, first, inverse = np.unique(stacked, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return stacked[first[order]], rank[inverse.reshape(-1)]


def text(value: float, per: float = 1.0) -> str:
    """A number in NeuroML's unit; `per` of ours make one of them. Division is correctly rounded, so 250 pF is
    "0.25".
    """
    return repr(float(value) / per)


def _attributes(
    flat: Flat, table: Mapping[str, tuple[str, float]], numbers: Mapping[str, float]
) -> Mapping[str, str]:
    out = {name: text(numbers[ours], per) for name, (ours, per) in table.items()}
    out |= {"tau_refrac": text(numbers["tau_refrac"]), "v_init": text(numbers["v_init"])}
    for port, suffix in (
        ("excitatory", "E"),
        ("inhibitory", "I"),
    ):  # never read by NeuroML's cells, but required
        out[f"tau_syn_{suffix}"] = text(numbers.get(receptor_parameter(port, "tau_syn"), 5.0))
        if flat.base in _CONDUCTANCE:
            out[f"e_rev_{suffix}"] = text(numbers.get(receptor_parameter(port, "e_rev"), 0.0))
    return out


def _synapses(flat: Flat, numbers: Mapping[str, float]) -> Mapping[str, tuple[str, Mapping[str, str]]]:
    return {
        port: (
            SYNAPSES[kind],
            {
                p.name: text(numbers[receptor_parameter(port, p.name)])
                for p in RECEPTORS[kind].component.parameters
            },
        )
        for port, kind in flat.receptors.items()
    }
