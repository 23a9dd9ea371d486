"""PyNN's way to put a rule of plasticity together: a dependence on spike times and one on the weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portable.errors import ModelError
from portable.library.plasticity import STDP, VogelsSprekeler
from portable.model.synapses import PlasticSynapse


@dataclass(frozen=True)
class SpikePairRule:
    """All pairs of spikes, with exponential windows; A_plus and A_minus as parts of the weights' range."""

    tau_plus: Any = 20.0
    tau_minus: Any = 20.0
    A_plus: Any = 0.01
    A_minus: Any = 0.01


@dataclass(frozen=True)
class Vogels2011Rule:
    """Inhibitory plasticity: tau (ms), eta in the unit of weights (a number), target rate rho (Hz)."""

    tau: Any = 20.0
    eta: float = 1e-10
    rho: Any = 3.0


@dataclass(frozen=True)
class _Dependence:
    w_min: Any = 0.0
    w_max: Any = 1.0

    @property
    def mu(self) -> tuple[Any, Any]:
        return 0.0, 0.0


class AdditiveWeightDependence(_Dependence):
    """Changes do not depend on the weight."""


class MultiplicativeWeightDependence(_Dependence):
    """Potentiation goes with w_max - w, depression with w - w_min."""

    @property
    def mu(self) -> tuple[Any, Any]:
        return 1.0, 1.0


class AdditivePotentiationMultiplicativeDepression(_Dependence):
    """Potentiation does not depend on the weight, depression goes with w - w_min."""

    @property
    def mu(self) -> tuple[Any, Any]:
        return 0.0, 1.0


@dataclass(frozen=True)
class GutigWeightDependence(_Dependence):
    """Between additive (0) and multiplicative (1)."""

    mu_plus: Any = 0.5
    mu_minus: Any = 0.5

    @property
    def mu(self) -> tuple[Any, Any]:
        return self.mu_plus, self.mu_minus


def STDPMechanism(
    timing_dependence: SpikePairRule | Vogels2011Rule | None = None,
    weight_dependence: _Dependence | None = None,
    voltage_dependence: None = None,
    dendritic_delay_fraction: float = 1.0,
    weight: Any = 0.0,
    delay: Any = 1.0,
) -> PlasticSynapse:
    """A plastic synapse put together as in PyNN; the same as a call of pt.STDP or pt.VogelsSprekeler.

    ModelError where the parts do not go together.
    """
    timing, bounds = timing_dependence or SpikePairRule(), weight_dependence or AdditiveWeightDependence()
    if voltage_dependence is not None:
        raise ModelError(
            "STDPMechanism.voltage_dependence", "is not known", "write the rule with pt.synapse_type"
        )
    common: dict[str, Any] = {
        "weight": weight,
        "delay": delay,
        "w_min": bounds.w_min,
        "w_max": bounds.w_max,
        "dendritic_delay_fraction": dendritic_delay_fraction,
    }
    match timing:
        case SpikePairRule(tau_plus, tau_minus, up, down):
            mu_plus, mu_minus = bounds.mu
            return STDP(
                **common, tau_plus=tau_plus, tau_minus=tau_minus, a_plus=up, a_minus=down,
                mu_plus=mu_plus, mu_minus=mu_minus,
            )  # fmt: skip
        case Vogels2011Rule(tau, eta, rho):
            if bounds.mu != (0.0, 0.0) or not all(
                isinstance(x, (int, float)) for x in (bounds.w_min, bounds.w_max)
            ):
                raise ModelError(
                    "STDPMechanism.weight_dependence",
                    f"Vogels2011Rule goes with AdditiveWeightDependence of plain numbers, got {bounds!r}",
                    "or call pt.VogelsSprekeler, whose eta is a part of the range",
                )
            return VogelsSprekeler(**common, tau=tau, eta=eta / (bounds.w_max - bounds.w_min), rho0=rho)
    raise ModelError(
        "STDPMechanism.timing_dependence",
        f"expected a rule, got {timing!r}",
        "for example pt.SpikePairRule()",
    )
