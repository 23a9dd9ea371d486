"""Reference cases with published numbers: networks, single cells and connections that learn whose rates,
irregularity, correlation, potentials or weights are known.
"""

from __future__ import annotations

from portable.errors import ModelError, suggestion
from portable.validation.cases import brette, brunel, lif, plasticity, potjans_diesmann
from portable.validation.cases.case import Case, Citation, Published, run_case

CASES: dict[str, Case] = {
    case.name: case for family in (lif, plasticity, potjans_diesmann, brunel, brette) for case in family.CASES
}


def get(name: str) -> Case:
    """The case of that name; ModelError with a suggestion if there is none."""
    if name not in CASES:
        raise ModelError("case", f"no case '{name}'", suggestion(name, CASES))
    return CASES[name]


__all__ = ["CASES", "Case", "Citation", "Published", "get", "run_case"]
