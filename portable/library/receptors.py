"""Receptors (synaptic kernels). Each adds a current to the cell's `i_syn`; `v` is the cell's membrane
potential.

Current-based weights are in nA (negative = inhibitory), conductance-based in uS (always positive), as in
PyNN. A conductance excites or inhibits by its reversal potential, so `e_rev` has no default here: a cell's
type or the cell gives it. The standard cells have PyNN's.
"""

from __future__ import annotations

from portable.dynamics.text import component
from portable.model.cells import ReceptorType

CurrExp = ReceptorType(component(
    "CurrExp", "receptor",
    equations="disyn/dt = -isyn/tau_syn : nA",
    parameters={"tau_syn": "5 ms"}, positive=("tau_syn",),
    events={"in": "isyn += weight"}, exposes={"i_syn": "isyn"},
    description="Exponentially decaying current; jumps by the weight.",
    source="Rotter & Diesmann 1999, doi:10.1007/s004220050570", aliases={"NeuroML": "expCurrSynapse"},
))  # fmt: skip

CurrAlpha = ReceptorType(component(
    "CurrAlpha", "receptor",
    equations="""
        djsyn/dt = -jsyn/tau_syn : nA/ms
        disyn/dt = jsyn - isyn/tau_syn : nA
    """,
    parameters={"tau_syn": "5 ms"}, positive=("tau_syn",),
    events={"in": "jsyn += exp(1)*weight/tau_syn"}, weight_units={"in": "nA"}, exposes={"i_syn": "isyn"},
    description="Alpha-function current: the weight is its peak, tau_syn after the arrival.",
    source="Rotter & Diesmann 1999, doi:10.1007/s004220050570", aliases={"NeuroML": "alphaCurrSynapse"},
))  # fmt: skip

CondExp = ReceptorType(
    component(
        "CondExp",
        "receptor",
        equations="dgsyn/dt = -gsyn/tau_syn : uS",
        parameters={"tau_syn": "5 ms", "e_rev": "mV"},
        positive=("tau_syn",),
        requires={"v": "mV"},
        events={"in": "gsyn += weight"},
        exposes={"i_syn": "gsyn*(e_rev - v)"},
        description="Exponentially decaying conductance; jumps by the weight.",
        source="Destexhe, Mainen & Sejnowski 1994, doi:10.1162/neco.1994.6.1.14",
        aliases={"NeuroML": "expCondSynapse"},
    )
)

CondAlpha = ReceptorType(
    component(
        "CondAlpha",
        "receptor",
        equations="""
        dhsyn/dt = -hsyn/tau_syn : uS/ms
        dgsyn/dt = hsyn - gsyn/tau_syn : uS
    """,
        parameters={"tau_syn": "5 ms", "e_rev": "mV"},
        positive=("tau_syn",),
        requires={"v": "mV"},
        events={"in": "hsyn += exp(1)*weight/tau_syn"},
        weight_units={"in": "uS"},
        exposes={"i_syn": "gsyn*(e_rev - v)"},
        description="Alpha-function conductance: the weight is its peak, tau_syn after the arrival.",
        source="Rall 1967, doi:10.1152/jn.1967.30.5.1138",
        aliases={"NeuroML": "alphaCondSynapse"},
    )
)

RECEPTORS = {r.name: r for r in (CurrExp, CurrAlpha, CondExp, CondAlpha)}
