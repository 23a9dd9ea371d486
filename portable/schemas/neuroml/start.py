"""Whether a flat model has numbers to start with: a division by zero, or an overflow, is told with the
component that it is in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from portable.dynamics.evaluate import evaluate
from portable.dynamics.expressions import Expr, names
from portable.dynamics.flat import INJECTED
from portable.dynamics.lems.flat_model import FlatModel
from portable.dynamics.lems.instance import Instance
from portable.errors import ModelError
from portable.schemas.neuroml.celltype import quantity_text, text

MAX_SHOWN = 6  # values in a message


class Start:
    """The values of a flat model at time 0, in coherent units. `given` are values of its inputs; other inputs
    are not known, and neither is what reads them or random(). States have their initial values, those that
    are read while they are worked out 0."""

    def __init__(self, flat: FlatModel, given: Mapping[str, float]) -> None:
        self.flat = flat
        self.values: dict[str, float] = {n: v for n, (v, _) in flat.parameters.items()} | {
            "t": 0.0,
            INJECTED: 0.0,
            **given,
        }
        self._open: set[str] = set()
        with np.errstate(all="ignore"):
            for name in (*flat.derived, *flat.states):
                self._settle(name)

    def _settle(self, name: str) -> None:
        if name in self.values or name in self._open:
            return
        expr = (
            self.flat.initial.get(name)
            if name in self.flat.states
            else self.flat.derived[name][0]
            if name in self.flat.derived
            else None
        )
        if expr is None:
            if name in self.flat.states:
                self.values[name] = 0.0
            return
        self._open.add(name)
        found = self.value(expr)
        self._open.discard(name)
        if found is not None:
            self.values[name] = found

    def value(self, expr: Expr) -> float | None:
        """None if it reads what is not known."""
        read = names(expr)
        for n in read:
            self._settle(n)
        known = {
            n: self.values.get(n, 0.0)
            for n in read
            if n in self.values or (n in self._open and n in self.flat.states)
        }
        try:
            with np.errstate(all="ignore"):
                return float(evaluate(expr, known))
        except KeyError:
            return None

    def check(self, within: Iterable[Instance], shown: Iterable[str] = ()) -> None:
        """ModelError if a state, its derivative or one of the variables `shown` is not finite; it names the
        variable that was the first.
        """
        owners = {
            symbol: (i, variable)
            for i in within
            for variable in (v.name for v in i.type.dynamics.variables)
            if (symbol := self.flat.symbol(i, variable))
        }
        for name in (*self.flat.states, *shown):
            if not math.isfinite(self.values.get(name, 0.0)):
                self._blame(
                    name,
                    self.flat.initial.get(name) or self.flat.derived[name][0],
                    "",
                    self.values[name],
                    owners,
                )
        for name, expr in self.flat.derivatives.items():
            found = self.value(expr)
            if found is not None and not math.isfinite(found):
                self._blame(name, expr, "the derivative of ", found, owners)

    def _blame(
        self, name: str, expr: Expr, what: str, found: float, owners: Mapping[str, tuple[Instance, str]]
    ) -> None:
        behind = self._behind(expr)
        first = next(
            (n for n in self.flat.derived if n in behind and not math.isfinite(self.values.get(n, 0.0))), ""
        )
        if first:
            name, expr, what, found = first, self.flat.derived[first][0], "", self.values[first]
        owner, variable = owners.get(name, (None, name))
        read = ", ".join(f"{n} = {self._shown(n)}" for n in sorted(names(expr)) if n in self.values)
        known = f", with {read[:200]}" if read else ""
        raise ModelError(
            str(owner.where if owner else ""),
            f"{what}'{variable}' is {found} at the start: {text(expr)[:120]}{known}",
            "is there a division by zero, or a number too large?",
        )

    def _shown(self, name: str) -> str:
        f = self.flat
        dimension = (
            f.parameters[name][1]
            if name in f.parameters
            else f.states[name]
            if name in f.states
            else f.derived[name][1]
            if name in f.derived
            else f.inputs.get(name)
        )
        value = float(f"{self.values[name]:.6g}")
        return f"{value:g}" if dimension is None else str(quantity_text(value, dimension))

    def _behind(self, expr: Expr) -> set[str]:
        """Derived variables that an expression reads, directly or not."""
        seen, todo = set[str](), list(names(expr))
        while todo:
            n = todo.pop()
            if n not in seen and n in self.flat.derived:
                seen.add(n)
                todo += names(self.flat.derived[n][0])
        return seen
