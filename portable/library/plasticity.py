"""Rules of plasticity, each a short text: spike-timing dependent, triplet, inhibitory, short-term.

Names follow PyNN where it has them; amplitudes a_plus and a_minus are parts of the range of weights, so that
one rule serves currents (nA) and conductances (uS). `x` is a trace of the source's spikes, `y` of the
target's; on_post and on_pre read them as they are before the spikes of the same instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portable.model.synapses import synapse_type

_TRACES: Mapping[str, Any] = {
    "pre_traces": "dx/dt = -x/tau_plus : 1",
    "post_traces": "dy/dt = -y/tau_minus : 1",
    "after_pre": "x += 1",
    "after_post": "y += 1",
}
_TIMES = {"tau_plus": "20 ms", "tau_minus": "20 ms"}
_RANGE = {"w_min": "0 weight", "w_max": "weight"}
_V = "(weight - w_min)/(w_max - w_min)"
_BOUNDS = ("w_min", "w_max")
_GUETIG: Mapping[str, Any] = {
    "on_post": f"weight += (w_max - w_min)*a_plus*(1 - {_V})^mu_plus*x",
    "on_pre": f"weight -= (w_max - w_min)*a_minus*({_V})^mu_minus*y",
    "bounds": _BOUNDS,
}
_PAIR: Mapping[str, Any] = {
    "parameters": {**_TIMES, "a_plus": 0.01, "a_minus": 0.0105, "mu_plus": 0.0, "mu_minus": 0.0, **_RANGE},
    "positive": ("tau_plus", "tau_minus"),
    "nonnegative": ("mu_plus", "mu_minus"),
}

STDP = synapse_type(
    "STDP",
    **_PAIR,
    **_TRACES,
    **_GUETIG,
    description="All pairs of spikes; mu = 0 additive, 1 multiplicative, between them as in Gütig et al.",
    source="Song, Miller & Abbott 2000, doi:10.1038/78829; Gütig et al. 2003, "
    "doi:10.1523/JNEUROSCI.23-09-03697.2003",
    aliases={"PyNN": "STDPMechanism(SpikePairRule)", "NEST": "stdp_synapse"},
)
STDP_nearest = synapse_type(
    "STDP_nearest",
    **_PAIR,
    **{**_TRACES, "after_pre": "x = 1", "after_post": "y = 1"},
    **_GUETIG,
    description="Nearest neighbours, symmetric: each spike pairs with the last one of the other side.",
    source="Morrison, Diesmann & Gerstner 2008, fig. 7A, doi:10.1007/s00422-008-0233-1",
    aliases={"NEST": "stdp_nn_symm_synapse"},
)
STDP_presynaptic_centered = synapse_type(
    "STDP_presynaptic_centered",
    **_PAIR,
    equations="dx/dt = -x/tau_plus : 1",
    post_traces="dy/dt = -y/tau_minus : 1",
    on_post=f"{_GUETIG['on_post']}; x = 0",
    on_pre=_GUETIG["on_pre"],
    after_pre="x += 1",
    after_post="y = 1",
    bounds=_BOUNDS,
    description="Presynaptic centred: each spike of the source pairs with the last of the target before it "
    "and the next one after it.",
    source="Morrison, Diesmann & Gerstner 2008, fig. 7B, doi:10.1007/s00422-008-0233-1",
    aliases={"NEST": "stdp_nn_pre_centered_synapse"},
)
STDP_restricted = synapse_type(
    "STDP_restricted",
    **_PAIR,
    pre_traces="dx/dt = -x/tau_plus : 1",
    post_traces="dy/dt = -y/tau_minus : 1",
    equations="free : 1\nseen : 1",
    on_post=f"weight += free*(w_max - w_min)*a_plus*(1 - {_V})^mu_plus*x; free = 0; seen = 1",
    on_pre=f"weight -= seen*(w_max - w_min)*a_minus*({_V})^mu_minus*y; seen = 0; free = 1",
    after_pre="x = 1",
    after_post="y = 1",
    bounds=_BOUNDS,
    description="Nearest neighbours, restricted: only a spike that follows at once on one of the other side "
    "pairs with it.",
    source="Morrison, Diesmann & Gerstner 2008, fig. 7C, doi:10.1007/s00422-008-0233-1",
    aliases={"NEST": "stdp_nn_restr_synapse"},
)
STDP_power = synapse_type(
    "STDP_power",
    parameters={**_TIMES, "a": 0.01, "alpha": 1.0, "mu": 0.4, "w_ref": "weight"},
    positive=("tau_plus", "tau_minus"),
    **_TRACES,
    on_post="weight += a*w_ref*(weight/w_ref)^mu*x",
    on_pre="weight -= a*alpha*weight*y",
    bounds=("0", None),
    description="Power law: potentiation grows as weight^mu, depression with the weight; no upper bound.",
    source="Morrison, Aertsen & Diesmann 2007, doi:10.1162/neco.2007.19.6.1437",
    aliases={"NEST": "stdp_pl_synapse_hom"},
)
Triplet = synapse_type(
    "Triplet",
    parameters={
        "tau_plus": "16.8 ms", "tau_x": "101 ms", "tau_minus": "33.7 ms", "tau_y": "125 ms",
        "a2_plus": 5e-10, "a3_plus": 6.2e-3, "a2_minus": 7e-3, "a3_minus": 2.3e-4, **_RANGE,
    },
    positive=("tau_plus", "tau_x", "tau_minus", "tau_y"),
    pre_traces="dx/dt = -x/tau_plus : 1\ndx2/dt = -x2/tau_x : 1",
    post_traces="dy/dt = -y/tau_minus : 1\ndy2/dt = -y2/tau_y : 1",
    on_post="weight += (w_max - w_min)*x*(a2_plus + a3_plus*y2)",
    on_pre="weight -= (w_max - w_min)*y*(a2_minus + a3_minus*x2)",
    after_pre="x += 1; x2 += 1",
    after_post="y += 1; y2 += 1",
    bounds=_BOUNDS,
    description="Pairs and triplets of spikes; the amplitudes are fitted to visual cortex (all to all).",
    source="Pfister & Gerstner 2006, doi:10.1523/JNEUROSCI.1425-06.2006",
    aliases={"NEST": "stdp_triplet_synapse"},
)  # fmt: skip
VogelsSprekeler = synapse_type(
    "VogelsSprekeler",
    parameters={"tau": "20 ms", "eta": 0.01, "rho0": "3 Hz", **_RANGE},
    positive=("tau",),
    pre_traces="dx/dt = -x/tau : 1",
    post_traces="dy/dt = -y/tau : 1",
    on_post="weight += eta*(w_max - w_min)*x",
    on_pre="weight += eta*(w_max - w_min)*y; weight -= eta*(w_max - w_min)*2*rho0*tau",
    after_pre="x += 1",
    after_post="y += 1",
    bounds=_BOUNDS,
    description="Inhibition that balances excitation: the target's rate goes to rho0.",
    source="Vogels et al. 2011, doi:10.1126/science.1211095",
    aliases={"PyNN": "Vogels2011Rule", "NEST": "vogels_sprekeler_synapse"},
)
TsodyksMarkram = synapse_type(
    "TsodyksMarkram",
    parameters={"U": 0.5, "tau_rec": "100 ms", "tau_facil": "0 ms"},
    positive=("tau_rec",),
    nonnegative=("tau_facil",),
    equations="du/dt = -u/tau_facil : 1\ndr/dt = (1 - r)/tau_rec : 1",
    on_pre="u += U*(1 - u)",
    sends="weight*u*r",
    after_pre="r -= u*r",
    initial={"r": "1"},
    description="Short-term depression (r, the resources left) and facilitation (u, the part released).",
    source="Tsodyks & Markram 1997, doi:10.1073/pnas.94.2.719; Markram, Wang & Tsodyks 1998, "
    "doi:10.1073/pnas.95.9.5323",
    aliases={"PyNN": "TsodyksMarkramSynapse", "NEST": "tsodyks2_synapse"},
)
DopamineSTDP = synapse_type(
    "DopamineSTDP",
    parameters={
        **_TIMES, "tau_c": "1000 ms", "tau_n": "200 ms", "a_plus": 0.01, "a_minus": 0.015,
        "b": "0 Hz", **_RANGE,
    },
    positive=("tau_plus", "tau_minus", "tau_c", "tau_n"),
    **_TRACES,
    signal_traces="dn/dt = -n/tau_n : 1/ms",
    on_signal="n += 1/tau_n",
    equations="dc/dt = -c/tau_c : weight\ndweight/dt = c*(n - b) : weight/ms",
    on_post="c += (w_max - w_min)*a_plus*x",
    on_pre="c -= (w_max - w_min)*a_minus*y",
    bounds=_BOUNDS,
    description="Reward: pairs of spikes leave an eligibility trace c, which dopamine n, above its level b, "
    "turns into a change of the weight.",
    source="Izhikevich 2007, doi:10.1093/cercor/bhl152; Potjans, Morrison & Diesmann 2010, "
    "doi:10.3389/fncom.2010.00141",
    aliases={"NEST": "stdp_dopamine_synapse"},
)  # fmt: skip
StochasticRelease = synapse_type(
    "StochasticRelease",
    parameters={"p": 0.5},
    on_pre="u = random(1)",
    equations="u : 1",
    sends="u < p ? weight : 0*weight",
    description="Each spike is passed on with probability p.",
    source="Allen & Stevens 1994, doi:10.1073/pnas.91.22.10380",
    aliases={"PyNN": "SimpleStochasticSynapse", "NEST": "bernoulli_synapse"},
)
MultiQuantal = synapse_type(
    "MultiQuantal",
    parameters={"n": 5.0, "U": 0.5, "tau_rec": "100 ms", "tau_facil": "0 ms"},
    positive=("n", "tau_rec"),
    nonnegative=("tau_facil",),
    equations="du/dt = -u/tau_facil : 1\ndz/dt = -z/tau_rec : 1\na : 1\nr : 1",
    on_pre="u += U*(1 - u); a += binomial(n - a, 1 - z); r = binomial(a, u); a -= r",
    sends="weight*r",
    after_pre="z = 1",
    initial={"a": "n", "z": "1"},
    description="n sites release with probability u (facilitation) and fill again with tau_rec; each that "
    "releases gives the weight.",
    source="Fuhrmann et al. 2002, doi:10.1152/jn.00258.2001",
    aliases={"PyNN": "MultiQuantalSynapse", "NEST": "quantal_stp_synapse"},
)
HomeostaticScaling = synapse_type(
    "HomeostaticScaling",
    parameters={"tau_rate": "1000 ms", "rho0": "5 Hz", "beta": 0.01, **_RANGE},
    positive=("tau_rate", "rho0"),
    equations="dz/dt = -z/tau_rate : Hz",
    after_post="z += 1/tau_rate",
    every=("100 ms", "weight *= 1 + beta*(1 - z/rho0)"),
    bounds=_BOUNDS,
    description="Every 100 ms all weights of a cell are scaled by how far its rate z is from rho0.",
    source="van Rossum, Bi & Turrigiano 2000, doi:10.1523/JNEUROSCI.20-23-08812.2000",
)
STDP_normalised = STDP.extended(
    "STDP_normalised",
    parameters={"total": "weight"},
    every=("100 ms", "weight *= total/incoming"),
    description="All pairs of spikes; every 100 ms each cell's incoming weights are scaled to one sum.",
    source="Diehl & Cook 2015, doi:10.3389/fncom.2015.00099",
    aliases={},
)
SYNAPSES = {
    s.name: s
    for s in (
        STDP, STDP_nearest, STDP_presynaptic_centered, STDP_restricted, STDP_power, Triplet, VogelsSprekeler,
        TsodyksMarkram, DopamineSTDP, StochasticRelease, MultiQuantal, HomeostaticScaling, STDP_normalised,
    )
}  # fmt: skip
