"""What statistics are called in a report, and what they are."""

from __future__ import annotations

from collections.abc import Iterable

from portable.results.activity import STATISTICS, Statistic
from portable.validation.report.view import Cell, Table

# Distributions that are no single number of a population (activity.distributions).
INTERVALS = Statistic("ms", "interspike interval", "Times between two spikes of one cell, of all cells.")
KNOWN = {**STATISTICS, "isi": INTERVALS}


SHORT = {"cv": "CV", "lv": "LV", "isi": "ISI", "fano": "Fano factor"}


def label(statistic: str) -> str:
    """ "CV" for cv, "peak frequency" for peak_frequency; a name that is not ours stays as it is."""
    return SHORT.get(statistic, statistic.replace("_", " ")) if statistic in KNOWN else statistic


def unit(statistic: str) -> str:
    return KNOWN[statistic].unit if statistic in KNOWN else ""


def glossary(statistics: Iterable[str]) -> Table:
    """Definitions, with sources, of those that are ours."""
    rows = tuple(
        (Cell(label(s)), Cell(KNOWN[s].name), Cell(KNOWN[s].unit or "none"), Cell(KNOWN[s].definition))
        for s in dict.fromkeys(statistics)
        if s in KNOWN
    )
    return Table("What the statistics are", ("statistic", "name", "unit", "definition and source"), rows)
