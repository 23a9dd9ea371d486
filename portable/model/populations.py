"""Population and View: cells of one kind, and some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from portable.dynamics.text import IDENTIFIER
from portable.errors import ModelError, suggestion
from portable.frozen import Frozen
from portable.model.cells import Cell, CellType
from portable.model.sources import SPIKE_SOURCES, SpikeSourceArray, SpikeSourcePoisson
from portable.model.values import Array, Value, value
from portable.units import coherent_unit

Node = Union[Cell, SpikeSourceArray, SpikeSourcePoisson]  # noqa: UP007


@dataclass(frozen=True, init=False)
class Population:
    """`size` cells of one kind. `initial` gives state variables their starting values: {"v": pt.Uniform(-65,
    -50)}.

    Slicing makes a view: exc[:10], exc[::2], exc[[1, 5, 7]].
    """

    name: str
    size: int
    cell: Node
    initial: Mapping[str, Value]

    def __init__(
        self, name: str, size: int, cell: Node | CellType, initial: Mapping[str, Any] | None = None
    ) -> None:
        path = f"Population '{name}'"
        if not isinstance(name, str) or not IDENTIFIER.match(name):
            raise ModelError(
                "Population.name",
                f"must be letters, digits and _, starting with a letter, got {name!r}",
                'call it for example "exc"',
            )
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
            raise ModelError(
                f"{path}.size", f"must be a whole number > 0, got {size!r}", "give the number of cells"
            )
        if size >= 2**32:
            raise ModelError(
                f"{path}.size",
                f"must be less than 2**32, got {size}",
                "no backend can hold so many cells in one population",
            )
        if isinstance(cell, CellType):
            cell = cell()
        if not isinstance(cell, (Cell, *SPIKE_SOURCES)):
            raise ModelError(
                f"{path}.cell",
                f"expected a cell or a spike source, got {cell!r}",
                "for example pt.IF_curr_exp(tau_m='20 ms')",
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "size", int(size))
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "initial", Frozen(self._initial(cell, initial or {}, path)))
        self._sizes(path)

    @staticmethod
    def _initial(cell: Node, given: Mapping[str, Any], path: str) -> dict[str, Value]:
        states = {s.name: s for s in cell.flat.states} if isinstance(cell, Cell) else {}
        units = {s.name: s.unit for s in cell.type.component.states} if isinstance(cell, Cell) else {}
        out = {}
        for name, v in given.items():
            if name not in states:
                raise ModelError(
                    f"{path}.initial['{name}']", "is no state variable of this cell", suggestion(name, states)
                )
            out[name] = value(
                v, units.get(name) or coherent_unit(states[name].dimension), f"{path}.initial['{name}']"
            )
        return out

    def _sizes(self, path: str) -> None:
        named = (
            {**self.cell.parameters, **{f"initial['{k}']": v for k, v in self.initial.items()}}
            if isinstance(self.cell, Cell)
            else {}
        )
        if isinstance(self.cell, SpikeSourcePoisson):
            named = {"rate": self.cell.rate}
        for name, v in named.items():
            if isinstance(v, Array) and len(v) != self.size:
                raise ModelError(
                    f"{path}.{name}",
                    f"has {len(v)} values for {self.size} cells",
                    "give one value, or one per cell",
                )
        if isinstance(self.cell, SpikeSourceArray) and len(self.cell.spike_times) not in (1, self.size):
            raise ModelError(
                f"{path}.spike_times",
                f"has {len(self.cell.spike_times)} trains for {self.size} cells",
                "give one train, or one per cell",
            )

    def __hash__(self) -> int:
        return hash((self.name, self.size))

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: slice | int | Sequence[int] | npt.NDArray[Any]) -> View:
        if isinstance(index, slice):
            return View(self, index)
        return View(self, _positions(self, index))

    def __repr__(self) -> str:
        extra = f", initial={dict(self.initial)}" if self.initial else ""
        return f"Population({self.name!r}, {self.size}, {self.cell!r}{extra})"


@dataclass(frozen=True)
class View:
    """Some cells of a population, in order; `index` is a slice or a tuple of positions."""

    population: Population
    index: slice | tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.population, Population):
            raise ModelError(
                "View.population",
                f"expected a population, got {self.population!r}",
                "write for example exc[:10]",
            )
        if not isinstance(self.index, slice):
            object.__setattr__(self, "index", _positions(self.population, self.index))
            return
        parts = (self.index.start, self.index.stop, self.index.step)
        if (
            any(not (p is None or (isinstance(p, (int, np.integer)) and abs(int(p)) < 2**62)) for p in parts)
            or parts[2] == 0
        ):
            raise ModelError(
                f"{self.population.name}[...]",
                f"a slice takes whole numbers and a step other than 0, got {self.index}",
                "write for example exc[0:100:2]",
            )
        object.__setattr__(self, "index", slice(*(None if p is None else int(p) for p in parts)))

    def __hash__(self) -> int:
        return hash((self.population, str(self.index)))

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Positions in the population."""
        if isinstance(self.index, slice):
            return np.arange(self.population.size)[self.index]
        return np.array(self.index, dtype=np.int64)

    def __len__(self) -> int:
        return (
            len(range(*self.index.indices(self.population.size)))
            if isinstance(self.index, slice)
            else len(self.index)
        )

    def __repr__(self) -> str:
        if isinstance(self.index, tuple):
            return f"{self.population.name}[{len(self.index)} cells]"
        parts = [self.index.start, self.index.stop] + ([self.index.step] if self.index.step else [])
        return f"{self.population.name}[{':'.join('' if p is None else str(p) for p in parts)}]"


def _positions(population: Population, index: Any) -> tuple[int, ...]:
    """Positions (0-based; negative ones count from the end; or one bool per cell) as a tuple; ModelError
    where there is no such cell.
    """
    path, remedy = f"{population.name}[...]", f"'{population.name}' has cells 0 to {population.size - 1}"
    try:
        given = np.atleast_1d(np.asarray(index))
    except ValueError:
        given = np.zeros((0, 0))
    if given.dtype.kind == "b" and given.size != population.size:
        raise ModelError(path, f"a mask of {given.size} values for {population.size} cells", remedy)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iub"):
        raise ModelError(path, f"cells are chosen by whole numbers, got {index!r}", remedy)
    if given.dtype.kind == "b":
        return tuple(np.flatnonzero(given).tolist())
    given = given.astype(np.int64)
    bad = given[(given < -population.size) | (given >= population.size)]
    if bad.size:
        raise ModelError(path, f"there is no cell {bad[0]}", remedy)
    return tuple(np.where(given < 0, given + population.size, given).tolist())


Side = tuple[View, ...]
All = slice(None)


def side(given: Any, path: str) -> Side:
    """A population, a view, or a list of them, as a tuple of views."""
    items = given if isinstance(given, (list, tuple)) else [given]
    out = []
    for i, item in enumerate(items):
        if isinstance(item, Population):
            item = View(item, All)
        if not isinstance(item, View):
            raise ModelError(
                path if len(items) == 1 else f"{path}[{i}]",
                f"expected a population or a view, got {item!r}",
                "for example exc, exc[:10] or [exc, inh]",
            )
        if len(item) == 0:
            raise ModelError(path, f"the view {item} is empty", "choose at least one cell")
        out.append(item)
    if not out:
        raise ModelError(path, "is an empty list", "give at least one population or view")
    return tuple(out)
