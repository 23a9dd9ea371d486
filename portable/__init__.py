"""`portable`: describe a spiking network once, run it on NEST, Brian2 or the built-in engine, and see that
the spikes agree.

import portable as pt

exc = pt.Population("exc", 80, pt.IF_curr_exp(tau_m="20 ms"), initial={"v": pt.Uniform(-65, -50)})
net = pt.Network("demo", [exc], recordings=[pt.Record(exc, "spikes")])
results = pt.run(net, backend="native", duration="1 s")
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it; loaded on first use, so that `import portable` stays light.
_PUBLIC = {
    **dict.fromkeys(
        (
            "PortableError",
            "ModelError",
            "UnsupportedError",
            "BackendNotFound",
            "BackendUnavailable",
            "BackendFailed",
        ),
        "portable.errors",
    ),
    "Quantity": "portable.units",
    **dict.fromkeys(("Array", "Uniform", "Normal", "Lognormal", "Clipped"), "portable.model.values"),
    **dict.fromkeys(("Cell", "CellType", "ReceptorType"), "portable.model.cells"),
    **dict.fromkeys(("cell_type", "receptor_type"), "portable.model.types"),
    **dict.fromkeys(
        ("SpikeSourceArray", "SpikeSourcePoisson", "DCSource", "StepCurrentSource"), "portable.model.sources"
    ),
    **dict.fromkeys(
        (
            "AllToAll",
            "OneToOne",
            "FixedProbability",
            "FixedInDegree",
            "FixedTotalNumber",
            "Explicit",
            "StaticSynapse",
        ),
        "portable.model.connectors",
    ),
    **dict.fromkeys(
        ("Population", "View", "Projection", "Injection", "Record", "Network"), "portable.model.network"
    ),
    "Link": "portable.model.links",
    **dict.fromkeys(("CurrExp", "CurrAlpha", "CondExp", "CondAlpha"), "portable.library.receptors"),
    **dict.fromkeys(
        (
            "IF_curr_exp",
            "IF_curr_alpha",
            "IF_curr_delta",
            "IF_cond_exp",
            "IF_cond_alpha",
            "EIF_cond_exp_isfa_ista",
            "Izhikevich",
            "HH_cond_exp",
        ),
        "portable.library.cells",
    ),
    **dict.fromkeys(
        (
            "STDP",
            "STDP_nearest",
            "STDP_presynaptic_centered",
            "STDP_restricted",
            "STDP_power",
            "Triplet",
            "VogelsSprekeler",
            "TsodyksMarkram",
            "DopamineSTDP",
            "StochasticRelease",
            "MultiQuantal",
            "HomeostaticScaling",
            "STDP_normalised",
        ),
        "portable.library.plasticity",
    ),
    **dict.fromkeys(
        (
            "STDPMechanism",
            "SpikePairRule",
            "Vogels2011Rule",
            "AdditiveWeightDependence",
            "MultiplicativeWeightDependence",
            "AdditivePotentiationMultiplicativeDepression",
            "GutigWeightDependence",
        ),
        "portable.library.mechanisms",
    ),
    **dict.fromkeys(("synapse_type", "SynapseType", "PlasticSynapse"), "portable.model.synapses"),
    **dict.fromkeys(("run", "open", "check", "Simulation"), "portable.simulation"),
    **dict.fromkeys(("predict", "Prediction"), "portable.prediction"),
    "Results": "portable.results.tables",
    "SynapseTable": "portable.results.synapses",
    "compare": "portable.validation.compare",
    "validate": "portable.validation.answer",
    "RunSettings": "portable.model.settings",
    "read_neuroml": "portable.schemas.neuroml.available",
    **dict.fromkeys(("load", "save", "to_document", "from_document"), "portable.schemas.document"),
    "write_neuroml": "portable.schemas.neuroml.write",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'portable' has no attribute '{name}'")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
