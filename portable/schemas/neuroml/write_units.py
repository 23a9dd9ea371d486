"""LEMS dimensions and units of ours: a number in coherent units (ms, mV, pA, pF, nS) as text with a unit that
jLEMS knows.

The core types define 24 dimensions; every other one is declared in the file that uses it, with a unit of its
own, so that the number written is the number we hold and no factor is applied on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from portable.units import (
    CAPACITANCE,
    CONDUCTANCE,
    CURRENT,
    LENGTH,
    NONE,
    RATE,
    TIME,
    VOLTAGE,
    Dimension,
    coherent_power,
)

# (Its resistivity has wrong exponents, m2 for m1 l3, so it is not here.) Dimension: its name in
# NeuroMLCoreDimensions.xml and the core unit that is our coherent one ("" where there is none).
_CORE: dict[Dimension, tuple[str, str]] = {
    NONE: ("none", ""),
    TIME: ("time", "ms"),
    RATE: ("per_time", "per_ms"),
    VOLTAGE: ("voltage", "mV"),
    NONE.over(VOLTAGE): ("per_voltage", "per_mV"),
    CONDUCTANCE: ("conductance", "nS"),
    CAPACITANCE: ("capacitance", "pF"),
    CURRENT: ("current", "pA"),
    VOLTAGE.over(CURRENT): ("resistance", ""),
    CURRENT.times(TIME): ("charge", ""),
    LENGTH: ("length", "um"),
    LENGTH.power(2): ("area", "um2"),
    LENGTH.power(3): ("volume", "um3"),
    Dimension(n=1, l=-3): ("concentration", "mM"),
    Dimension(n=1): ("substance", ""),
    LENGTH.over(TIME): ("permeability", "um_per_ms"),
    Dimension(k=1): ("temperature", ""),
    CURRENT.over(LENGTH.power(2)): ("currentDensity", ""),
    CONDUCTANCE.over(LENGTH.power(2)): ("conductanceDensity", ""),
    CAPACITANCE.over(LENGTH.power(2)): ("specificCapacitance", ""),
    CONDUCTANCE.over(VOLTAGE): ("conductance_per_voltage", ""),
    CURRENT.times(TIME).over(Dimension(n=1)): ("charge_per_mole", ""),
    Dimension(m=1, l=2, t=-2, k=-1, n=-1): ("idealGasConstantDims", ""),
    Dimension(l=-1, n=1, i=-1, t=-1): ("rho_factor", ""),
}


@dataclass
class Units:
    """Names of dimensions and units, and the elements that declare those which the core types lack."""

    declared: dict[Dimension, list[str]] = field(default_factory=dict)

    def dimension(self, d: Dimension) -> str:
        """The name of a dimension."""
        if d in _CORE:
            return _CORE[d][0]
        name = "dim" + "".join(f"_{s}{'m' * (e < 0)}{abs(e)}" for s, e in zip("mltiknj", d, strict=True) if e)
        powers = " ".join(f'{s}="{e}"' for s, e in zip("mltiknj", d, strict=True) if e)
        self.declared.setdefault(d, [f'<Dimension name="{name}" {powers}/>'])
        return name

    def unit(self, d: Dimension) -> str:
        """The symbol of our coherent unit of a dimension ("" for none)."""
        if d == NONE or (d in _CORE and _CORE[d][1]):
            return _CORE[d][1]
        name = self.dimension(d)
        lines = self.declared.setdefault(d, [])
        symbol = f"coherent_{name}"
        line = f'<Unit symbol="{symbol}" dimension="{name}" power="{coherent_power(d)}"/>'
        if line not in lines:
            lines.append(line)
        return symbol

    def number(self, value: float, d: Dimension) -> str:
        """A number of coherent units as text, to the last bit: "-65.0 mV"."""
        return f"{float(value)!r} {self.unit(d)}".strip()

    def elements(self) -> list[str]:
        """What has to be declared, dimensions before their units."""
        return [line for lines in self.declared.values() for line in lines]
