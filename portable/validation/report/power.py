"""What the design would have seen, in words: deviations put in on purpose, and how small they may be."""

from __future__ import annotations

import math

from portable.validation.report.view import NOTHING, counted, listed, number
from portable.validation.report.words import with_unit
from portable.validation.verdicts import WEIGHTS, Power, Validation


def power_sentence(v: Validation) -> str:
    """The smallest deviation of each kind that the statistics of this design would have detected."""
    if not v.power:
        return "How small a deviation this design would have detected was not measured."
    seen = [f"{p.name} {_size(p, p.smallest)}".strip() for p in v.power if math.isfinite(p.smallest)]
    unseen = [
        f"{p.name} ({'up to ' if len(p.sizes) > 1 else ''}{_size(p, max(p.sizes))})" if p.unit else p.name
        for p in v.power
        if not math.isfinite(p.smallest) and p.sizes
    ]
    design = f"With {counted(len(v.seeds), 'seed')} of {number(v.duration)} ms, the statistics alone"
    parts = [
        f"{design} would have detected, as the smallest of the sizes tried: {', '.join(seen)}"
        if seen
        else f"{design} would have detected none of the deviations tried"
    ]
    parts += [f"they would have missed {listed(unseen)}"] if unseen else []
    return "; ".join(parts) + "."


def _size(p: Power, size: float) -> str:
    """A size with its unit; nothing for a deviation that has no sizes, such as another integrator."""
    unit = p.unit.removesuffix("s") if size == 1 and len(p.unit) > 3 else p.unit  # "1 step"
    return f"{number(size)}{with_unit(unit)}" if unit else ""


def caught_sentence(v: Validation) -> str:
    """How many of the deviations put in on purpose were caught, and where."""
    if not v.deviations:
        return (
            "No deviations were put in on purpose, so that it is not known what this design would have "
            "caught."
        )
    smallest = {
        d.name: d for d in sorted(v.deviations, key=lambda d: -d.size)
    }  # larger ones are there for the statistics
    levels = [d.caught for d in smallest.values() if d.caught is not None]
    missed = [d.name for d in smallest.values() if d.caught is None]
    text = (
        f"Of {counted(len(smallest), 'known deviation')} put into a copy of the engine, {len(levels)} "
        f"were caught, {sum(x <= WEIGHTS for x in levels)} of them by exact comparison (levels 0 to "
        f"{WEIGHTS})"
    )
    return f"{text}; not caught: {listed(missed)}." if missed else f"{text}."


def power_sizes(p: Power) -> str:
    """ "0.25 ✗, 0.5 ✓, 1 ✓"."""
    return ", ".join(f"{number(s)} {'✓' if d else '✗'}" for s, d in zip(p.sizes, p.detected)) or NOTHING
