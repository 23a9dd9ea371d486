"""What the parameters of the library's rules of plasticity are, in a few words: the same name means the same
in each.
"""

from __future__ import annotations

from collections.abc import Mapping

PARAMETERS: Mapping[str, str] = {
    "tau_plus": "Time constant of the source's trace",
    "tau_minus": "Time constant of the target's trace",
    "tau_x": "Time constant of the source's slow trace",
    "tau_y": "Time constant of the target's slow trace",
    "tau": "Time constant of both traces",
    "a_plus": "Largest potentiation by one pair of spikes, as a part of the range of weights",
    "a_minus": "Largest depression by one pair of spikes, as a part of the range of weights",
    "a2_plus": "Potentiation by a pair, as a part of the range of weights",
    "a3_plus": "Potentiation by a triplet, as a part of the range of weights",
    "a2_minus": "Depression by a pair, as a part of the range of weights",
    "a3_minus": "Depression by a triplet, as a part of the range of weights",
    "a": "Amplitude of potentiation, as a part of w_ref",
    "alpha": "Depression over potentiation",
    "mu": "Exponent of the weight in potentiation",
    "mu_plus": "How potentiation depends on the weight: 0 not, 1 in proportion to what is left",
    "mu_minus": "How depression depends on the weight: 0 not, 1 in proportion",
    "w_ref": "Weight whose part the amplitudes are",
    "w_min": "Weight at one end of the range",
    "w_max": "Weight at the other end of the range; below w_min where weights are negative",
    "n": "Sites that may release",
    "p": "Probability that a spike is passed on",
    "tau_rate": "Time constant of the target's rate",
    "beta": "Part of the weight that one scaling changes, for each part that the rate is away from rho0",
    "total": "Sum of the weights onto one target",
    "tau_c": "Time constant of the eligibility trace",
    "tau_n": "Time constant of the third factor",
    "b": "Level of the third factor at which nothing changes",
    "eta": "Change by one pair of spikes, as a part of the range of weights",
    "rho0": "Rate of the target at which nothing changes",
    "U": "The part of the resources that the first spike releases",
    "tau_rec": "Time constant at which resources come back",
    "tau_facil": "Time constant at which facilitation goes",
}


def meaning(parameter: str) -> str:
    """A phrase without a full stop."""
    return PARAMETERS.get(parameter, f"The rule's {parameter}")
