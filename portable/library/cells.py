"""The standard cells, with PyNN's names, parameters and defaults. Plain floats are in ms, mV, nF, nA, uS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portable.dynamics.text import component
from portable.library.receptors import CondAlpha, CondExp, CurrAlpha, CurrExp
from portable.model.cells import CellType, ReceptorType

_LIF = {
    "v_rest": "-65 mV",
    "cm": "1 nF",
    "tau_m": "20 ms",
    "tau_refrac": "0.1 ms",
    "i_offset": "0 nA",
    "v_reset": "-65 mV",
    "v_thresh": "-50 mV",
}
_POSITIVE = ("cm", "tau_m")
LARGEST_EXPONENT = 30.0  # of AdEx's exponential; it stands in the equation, too


def _two(kind: ReceptorType) -> Mapping[str, ReceptorType]:
    return {"excitatory": kind, "inhibitory": kind}


def _leaky(name: str, receptor: ReceptorType, defaults: Mapping[str, str], **about: Any) -> CellType:
    return CellType(
        component(
            name,
            "cell",
            equations="dv/dt = (v_rest - v)/tau_m + (i_syn + i_offset + i_ext)/cm : mV (held)",
            threshold="v >= v_thresh",
            reset="v = v_reset",
            refractory="tau_refrac",
            requires={"i_syn": "nA"},
            parameters=_LIF,
            positive=_POSITIVE,
            nonnegative=("tau_refrac",),
            initial={"v": "v_rest"},
            **about,
        ),
        _two(receptor),
        defaults=defaults,
    )


IF_curr_exp = _leaky(
    "IF_curr_exp",
    CurrExp,
    {},
    description="Leaky integrate-and-fire with exponentially decaying currents.",
    source="Rotter & Diesmann 1999, doi:10.1007/s004220050570",
    aliases={"PyNN": "IF_curr_exp", "NEST": "iaf_psc_exp", "NeuroML": "IF_curr_exp"},
)
IF_curr_alpha = _leaky(
    "IF_curr_alpha",
    CurrAlpha,
    {"tau_syn_E": "0.5 ms", "tau_syn_I": "0.5 ms"},
    description="Leaky integrate-and-fire with alpha-function currents.",
    source="Rotter & Diesmann 1999, doi:10.1007/s004220050570",
    aliases={"PyNN": "IF_curr_alpha", "NEST": "iaf_psc_alpha", "NeuroML": "IF_curr_alpha"},
)
IF_cond_exp = _leaky(
    "IF_cond_exp",
    CondExp,
    {"e_rev_E": "0 mV", "e_rev_I": "-70 mV"},
    description="Leaky integrate-and-fire with exponentially decaying conductances.",
    source="Brette et al. 2007, doi:10.1007/s10827-007-0038-6",
    aliases={"PyNN": "IF_cond_exp", "NEST": "iaf_cond_exp", "NeuroML": "IF_cond_exp"},
)
IF_cond_alpha = _leaky(
    "IF_cond_alpha",
    CondAlpha,
    {"tau_syn_E": "0.3 ms", "tau_syn_I": "0.5 ms", "e_rev_E": "0 mV", "e_rev_I": "-70 mV"},
    description="Leaky integrate-and-fire with alpha-function conductances.",
    source="Brette et al. 2007, doi:10.1007/s10827-007-0038-6",
    aliases={"PyNN": "IF_cond_alpha", "NEST": "iaf_cond_alpha", "NeuroML": "IF_cond_alpha"},
)

IF_curr_delta = CellType(
    component(
        "IF_curr_delta",
        "cell",
        equations="dv/dt = (v_rest - v)/tau_m + (i_offset + i_ext)/cm : mV (held)",
        threshold="v >= v_thresh",
        reset="v = v_reset",
        refractory="tau_refrac",
        events={"excitatory": "v += weight", "inhibitory": "v += weight"},
        parameters=_LIF,
        positive=_POSITIVE,
        nonnegative=("tau_refrac",),
        initial={"v": "v_rest"},
        description="Leaky integrate-and-fire; a spike moves v by the weight (mV), and is lost while "
        "refractory.",
        source="Brunel 2000, doi:10.1023/A:1008925309027",
        aliases={"PyNN": "IF_curr_delta", "NEST": "iaf_psc_delta"},
    )
)

EIF_cond_exp_isfa_ista = CellType(
    component(
        "EIF_cond_exp_isfa_ista",
        "cell",
        equations="""
        g_leak = cm/tau_m : uS
        v_peak = where(delta_T > 0, v_spike, v_thresh) : mV
        i_spike = where(delta_T > 0, g_leak*delta_T*exp(min((min(v, v_peak) - v_thresh)/max(delta_T, 1e-12 mV), 30)), 0 nA) : nA
        dv/dt = (g_leak*(v_rest - min(v, v_peak)) + i_spike + i_syn - w + i_offset + i_ext)/cm : mV (held)
        dw/dt = (a*(min(v, v_peak) - v_rest) - w)/tau_w : nA
    """,  # noqa: E501
        threshold="v >= v_peak",
        reset="v = v_reset; w += b",
        refractory="tau_refrac",
        requires={"i_syn": "nA"},
        exposes={
            "v": "min(v, v_peak)"
        },  # receptors see the same bounded potential as the cell's own currents, as in NEST
        parameters={
            "cm": "0.281 nF",
            "tau_refrac": "0.1 ms",
            "v_spike": "-40 mV",
            "v_reset": "-70.6 mV",
            "v_rest": "-70.6 mV",
            "tau_m": "9.3667 ms",
            "i_offset": "0 nA",
            "a": "0.004 uS",
            "b": "0.0805 nA",
            "delta_T": "2 mV",
            "tau_w": "144 ms",
            "v_thresh": "-50.4 mV",
        },
        positive=("cm", "tau_m", "tau_w"),
        nonnegative=("tau_refrac", "delta_T"),
        initial={"v": "v_rest"},
        integrator="rkf45",
        description="Adaptive exponential integrate-and-fire (AdEx) with exponentially decaying "
        "conductances. The exponent stays at 30, from where v needs 1e-13 tau_m to infinity.",
        source="Brette & Gerstner 2005, doi:10.1152/jn.00686.2005",
        aliases={
            "PyNN": "EIF_cond_exp_isfa_ista",
            "NEST": "aeif_cond_exp",
            "NeuroML": "EIF_cond_exp_isfa_ista",
        },
    ),
    _two(CondExp),
    defaults={"e_rev_E": "0 mV", "e_rev_I": "-80 mV"},
)

Izhikevich = CellType(
    component(
        "Izhikevich",
        "cell",
        equations="""
        dv/dt = (0.04*v*v/mV + 5.0*v + 140.0 mV - u*ms + (i_offset + i_ext)*(1 mV/pA))/ms : mV
        du/dt = a*(b*v - u) : mV/ms
    """,
        threshold="v >= v_thresh",
        reset="v = c; u += d",
        events={"excitatory": "v += weight", "inhibitory": "v += weight"},
        parameters={
            "a": "0.02 1/ms",
            "b": "0.2 1/ms",
            "c": "-65 mV",
            "d": "8 mV/ms",
            "i_offset": "0 nA",
            "v_thresh": "30 mV",
        },
        initial={"v": "c", "u": "b*c"},
        integrator="euler",
        description="Izhikevich's two-variable model; i_offset of 1 pA drives 1 mV/ms, a spike moves v by "
        "the weight (mV).",
        source="Izhikevich 2003, doi:10.1109/TNN.2003.820440",
        aliases={"PyNN": "Izhikevich", "NEST": "izhikevich", "NeuroML": "izhikevichCell"},
    )
)

HH_cond_exp = CellType(
    component(
        "HH_cond_exp",
        "cell",
        equations="""
        x = v - v_offset : mV
        alpha_n = 0.032*5/(ms*exprel((15 mV - x)/(5 mV))) : 1/ms
        beta_n = 0.5*exp((10 mV - x)/(40 mV))/ms : 1/ms
        alpha_m = 0.32*4/(ms*exprel((13 mV - x)/(4 mV))) : 1/ms
        beta_m = 0.28*5/(ms*exprel((x - 40 mV)/(5 mV))) : 1/ms
        alpha_h = 0.128*exp((17 mV - x)/(18 mV))/ms : 1/ms
        beta_h = 4/(ms*(1 + exp((40 mV - x)/(5 mV)))) : 1/ms
        i_na = gbar_Na*m^3*h*(e_rev_Na - v) : nA
        i_k = gbar_K*n^4*(e_rev_K - v) : nA
        dv/dt = (g_leak*(e_rev_leak - v) + i_na + i_k + i_syn + i_offset + i_ext)/cm : mV
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    """,
        threshold="v >= 0 mV",
        edge=True,
        requires={"i_syn": "nA"},
        parameters={
            "gbar_Na": "20 uS",
            "gbar_K": "6 uS",
            "g_leak": "0.01 uS",
            "cm": "0.2 nF",
            "v_offset": "-63 mV",
            "e_rev_Na": "50 mV",
            "e_rev_K": "-90 mV",
            "e_rev_leak": "-65 mV",
            "i_offset": "0 nA",
        },
        positive=("cm",),
        nonnegative=("gbar_Na", "gbar_K", "g_leak"),
        initial={"v": "e_rev_leak", "h": "1"},
        integrator="rkf45",
        description="Hodgkin-Huxley with Traub-Miles rates; a spike is the upward crossing of 0 mV.",
        source="Traub & Miles 1991; Brette et al. 2007, doi:10.1007/s10827-007-0038-6",
        aliases={"PyNN": "HH_cond_exp", "NEST": "hh_cond_exp_traub", "NeuroML": "HH_cond_exp"},
    ),
    _two(CondExp),
    defaults={"tau_syn_E": "0.2 ms", "tau_syn_I": "2 ms", "e_rev_E": "0 mV", "e_rev_I": "-80 mV"},
)

CELLS = {
    c.name: c
    for c in (
        IF_curr_exp,
        IF_curr_alpha,
        IF_curr_delta,
        IF_cond_exp,
        IF_cond_alpha,
        EIF_cond_exp_isfa_ista,
        Izhikevich,
        HH_cond_exp,
    )
}
