"""XML of a network or a simulation -> tables (dynamics.lems.network). Long lists are read by column, not one
by one into objects.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portable.dynamics.lems.model import Component, Model
from portable.dynamics.lems.network import (
    Column,
    Continuous,
    Events,
    Inputs,
    Ints,
    LemsNetwork,
    LemsPopulation,
    LemsSimulation,
    Selection,
)
from portable.dynamics.lems.types import Where
from portable.errors import ModelError
from portable.schemas.neuroml import hdf5
from portable.schemas.neuroml.collect import Collector
from portable.schemas.neuroml.hdf5 import MAX_CELLS, Hdf5Network
from portable.schemas.neuroml.paths import Place
from portable.schemas.neuroml.rows import by_tag, column
from portable.schemas.neuroml.xml import name, where
from portable.units import Floats

LEAST_STEP, MOST_STEP = 1e-9, 1e9  # ms
_WHOLE = re.compile(r"\d+", re.A)
_SKIPPED = frozenset(
    {"notes", "annotation", "property", "region", "space", "layer", "extracellularProperties"}
)


def read_network(model: Model, component: Component, catch: Collector | None = None) -> LemsNetwork:
    """The tables of a network component. ModelError naming file, line and element; with a collector that
    keeps them, reading goes on.
    """
    if isinstance(component.element, Hdf5Network):
        return hdf5.read_network(model, component, catch)
    return _Reader(model, component, catch or Collector()).read()


class _Reader:
    def __init__(self, model: Model, component: Component, catch: Collector) -> None:
        self.catch = catch
        self.model, self.component, self.file = model, component, component.where.file
        self.populations: list[LemsPopulation] = []
        self.events: list[Events] = []
        self.continuous: list[Continuous] = []
        self.inputs: list[Inputs] = []
        self.ignored: list[str] = []
        self.order: list[tuple[str, Any]] = []
        self.numbers: dict[str, Ints] = {}
        self.named = set[str]()  # populations that there are, those too that could not be read

    def read(self) -> LemsNetwork:
        element, scope = self.component.element, self.model.scope
        temperature = element.get("temperature")
        kelvin = (
            scope.si(temperature, "temperature", self.component.where, "temperature") if temperature else None
        )
        later: list[tuple[str, list[Any]]] = []
        for child in element:
            with self.catch(functools.partial(where, child, self.file)):
                self._element(child, later)
        sizes = {p.id: p.size for p in self.populations}
        self.place = Place(sizes, self.numbers, frozenset(self.named - sizes.keys()))
        for tag, elements in later:
            with self.catch(where(elements[0], self.file)):
                self.readers()[tag](elements)
        return LemsNetwork(
            self.component.id,
            kelvin,
            tuple(self.populations),
            tuple(self.events),
            tuple(self.continuous),
            tuple(self.inputs),
            tuple(self.ignored),
            tuple(self.order),
        )

    def _element(self, child: Any, later: list[tuple[str, list[Any]]]) -> None:
        """Populations at once, what refers to them later; alike connections and inputs that stand one after
        another together.
        """
        tag = name(child)
        if tag in ("population", "populationList"):
            self._population(child)
        elif not tag or tag in _SKIPPED:
            if tag not in ("", "notes", "annotation", "property"):
                self.ignored.append(f"{where(child, self.file)} is not simulated")
        elif tag not in self.readers():
            raise ModelError(
                str(where(child, self.file)),
                f"<{tag[:60]}> is nothing that a network can hold",
                f"known: population, {', '.join(self.readers())}",
            )
        elif (
            later
            and later[-1][0] == tag
            and tag in ("synapticConnection", "synapticConnectionWD", "explicitInput", "explicitConnection")
        ):
            later[-1][1].append(child)
        else:
            later.append((tag, [child]))

    def readers(self) -> dict[str, Callable[[list[Any]], None]]:
        return {
            "projection": self._projection,
            "synapticConnection": self._synaptic,
            "synapticConnectionWD": self._synaptic,
            "explicitConnection": self._synaptic,
            "electricalProjection": self._electrical,
            "continuousProjection": self._continuous,
            "inputList": self._input_list,
            "explicitInput": self._explicit_input,
        }

    def _needed(self, element: Any, key: str) -> str:
        found = element.get(key)
        if not found:
            raise ModelError(str(where(element, self.file)), f"must have {key}=", f'write {key}="..."')
        return str(found)

    # -- populations

    def _population(self, element: Any) -> None:
        id, place = self._needed(element, "id"), where(element, self.file)
        if id in self.named:
            raise ModelError(
                str(place), f"the id '{id[:60]}' is taken by another population", "give it another id"
            )
        self.named.add(id)
        component = self.model.component(self._needed(element, "component"), place, "the component")
        instances = [e for e in element if name(e) == "instance"]
        if not instances:
            size = element.get("size", "")
            if not _WHOLE.fullmatch(size):
                raise ModelError(
                    str(place),
                    f"size must be a whole number >= 0, got {size[:40]!r}",
                    'write size="10", or instances',
                )
            if len(size) > 10 or int(size) > MAX_CELLS:
                raise ModelError(
                    str(place),
                    f"size must be at most {MAX_CELLS}, got {size[:40]}",
                    "is it a slip of the keyboard?",
                )
            self.populations.append(LemsPopulation(id, component, int(size), None, place))
            return
        locations, numbers = np.zeros((len(instances), 3)), np.arange(len(instances))
        for i, e in enumerate(instances):
            at = next((x for x in e if name(x) == "location"), None)
            if at is not None:
                locations[i] = [self._number(at, k) for k in "xyz"]
            number = e.get("id")
            if number is not None and not (_WHOLE.fullmatch(number) and len(number) <= 18):
                raise ModelError(
                    str(where(e, self.file)),
                    f"id must be a whole number >= 0, got {number[:40]!r}",
                    "number the instances 0, 1, 2, ...",
                )
            numbers[i] = i if number is None else int(number)
        if np.unique(numbers).size != numbers.size:
            values, counts = np.unique(numbers, return_counts=True)
            raise ModelError(
                str(place),
                f"the instance id {values[counts > 1][0]} is there twice",
                "number the instances 0, 1, 2, ...",
            )
        if np.any(numbers != np.arange(numbers.size)):
            self.numbers[id] = numbers
        self.populations.append(LemsPopulation(id, component, len(instances), locations, place))

    def _number(self, element: Any, key: str) -> float:
        text = element.get(key, "0")
        if not _finite(text):
            raise ModelError(
                str(where(element, self.file)),
                f"{key} must be a number, got {text[:40]!r}",
                f'write {key}="0"',
            )
        return float(text)

    # -- connections

    def _projection(self, elements: list[Any]) -> None:
        (element,) = elements
        synapse = self.model.component(
            self._needed(element, "synapse"), where(element, self.file), "the synapse"
        )
        for key in ("presynapticPopulation", "postsynapticPopulation"):
            self.place.known(self._needed(element, key), where(element, self.file), key)
        for tag, found in by_tag(element).items():
            if tag in ("connection", "connectionWD"):
                self._connected(
                    self._needed(element, "id"),
                    synapse,
                    found,
                    "preCellId",
                    "postCellId",
                    where(element, self.file),
                )
            elif tag and tag not in _SKIPPED:
                raise ModelError(
                    str(where(found[0], self.file)),
                    f"<{tag[:60]}> is nothing that a projection can hold",
                    "connection or connectionWD",
                )

    def _synaptic(self, elements: list[Any]) -> None:
        runs: list[
            tuple[tuple[str, str], list[Any]]
        ] = []  # consecutive ones through one synapse are read together
        for e in elements:
            key = e.get("synapse", ""), e.get("targetPort", "")
            if runs and runs[-1][0] == key:
                runs[-1][1].append(e)
            else:
                runs.append((key, [e]))
        for (synapse, port), found in runs:
            place = where(found[0], self.file)
            component = self.model.component(synapse, place, "the synapse") if synapse else None
            self._connected(
                f"{name(found[0])}{len(self.events)}", component, found, "from", "to", place, port
            )

    def _connected(
        self,
        id: str,
        synapse: Component | None,
        elements: Sequence[Any],
        pre: str,
        post: str,
        place: Where,
        port: str = "",
    ) -> None:
        weights, delays = self._weights(elements), self._delays(elements)
        a, from_, i = self.place.cells(elements, pre, self.file)
        b, to, j = self.place.cells(elements, post, self.file)
        destinations, slot = _destinations(elements)
        single = len(a) == len(b) == len(destinations) == 1
        for (x, source), (y, target), (z, into) in itertools.product(
            *(enumerate(names) for names in (a, b, destinations))
        ):
            mine = slice(None) if single else np.flatnonzero((from_ == x) & (to == y) & (slot == z))
            if i[mine].size:
                self.order.append(("events", len(self.events)))
                w, d = (None if v is None else v[mine] for v in (weights, delays))
                self.events.append(
                    Events(id, synapse, source, target, i[mine], j[mine], w, d, port, into, place)
                )

    def _weights(self, elements: Sequence[Any]) -> Floats | None:
        texts = column(elements, "weight")
        if not any(t is not None for t in texts):
            return None
        try:
            out = numbers(texts)
        except ValueError:
            out = np.full(len(texts), np.nan)
        if not np.isfinite(out).all() or any("_" in t for t in texts if t is not None):
            bad = next(i for i, t in enumerate(texts) if not _finite(t))
            raise ModelError(
                str(where(elements[bad], self.file)),
                f"weight must be a number, got {str(texts[bad])[:40]!r}",
                'write weight="1.0"',
            )
        return out

    def _delays(self, elements: Sequence[Any]) -> Floats | None:
        texts = column(elements, "delay")
        distinct = {t for t in set(texts) if t is not None}
        if not distinct:
            return None
        known: dict[str | None, float] = {None: 0.0}
        try:
            known |= {text: self.model.scope.si(text, "time", Where(), "delay") for text in distinct}
            good = all(0 <= d < np.inf for d in known.values())
        except ModelError:
            good = False
        if not good:  # again, with the places that an error names
            for e in elements:
                if (
                    e.get("delay") is not None
                    and not 0
                    <= self.model.scope.si(e.get("delay"), "time", where(e, self.file), "delay")
                    < np.inf
                ):
                    raise ModelError(
                        str(where(e, self.file)),
                        f"delay must be >= 0, got {e.get('delay')!r}",
                        'write delay="1ms"',
                    )
        return np.array([known[t] for t in texts])

    # -- electrical and continuous

    def _electrical(self, elements: list[Any]) -> None:
        (element,) = elements
        self._pairs(
            element,
            "synapse",
            "synapse",
            ("electricalConnection", "electricalConnectionInstance", "electricalConnectionInstanceW"),
        )

    def _continuous(self, elements: list[Any]) -> None:
        (element,) = elements
        self._pairs(
            element,
            "preComponent",
            "postComponent",
            ("continuousConnection", "continuousConnectionInstance", "continuousConnectionInstanceW"),
        )

    def _pairs(self, element: Any, left: str, right: str, known: tuple[str, str, str]) -> None:
        populations = [self._needed(element, k) for k in ("presynapticPopulation", "postsynapticPopulation")]
        for p in populations:
            self.place.known(p, where(element, self.file), "")
        groups: dict[tuple[str, str, bool], list[Any]] = {}
        for e in element:
            if not name(e) or name(e) in _SKIPPED:
                continue
            if name(e) not in known:
                raise ModelError(
                    str(where(e, self.file)),
                    f"<{name(e)[:60]}> is nothing that a {name(element)} can hold",
                    f"known: {', '.join(known)}",
                )
            key = (
                self._needed(e, left),
                self._needed(e, right),
                bool(_WHOLE.fullmatch(str(e.get("preCell", "")))),
            )
            groups.setdefault(key, []).append(e)
        for (a, b, bare), found in groups.items():
            place = where(found[0], self.file)
            ids = [
                self._indices(found, k, p) if bare else self._addressed(found, k, p)
                for k, p in zip(("preCell", "postCell"), populations, strict=True)
            ]
            self.order.append(("continuous", len(self.continuous)))
            self.continuous.append(
                Continuous(
                    self._needed(element, "id"),
                    self.model.component(a, place, "the component"),
                    self.model.component(b, place, "the component"),
                    populations[0],
                    populations[1],
                    ids[0],
                    ids[1],
                    self._weights(found),
                    place,
                )
            )

    def _indices(self, elements: list[Any], key: str, population: str) -> Ints:
        out = np.zeros(len(elements), dtype=np.int64)
        for n, e in enumerate(elements):
            text = self._needed(e, key)
            if not _WHOLE.fullmatch(text) or len(text) > 18 or int(text) >= self.place.sizes[population]:
                raise ModelError(
                    str(where(e, self.file)),
                    f"{key}: population '{population}' has no cell {text[:40]!r}",
                    f"it has {self.place.sizes[population]}, numbered from 0",
                )
            out[n] = int(text)
        return out

    def _addressed(self, elements: list[Any], key: str, population: str) -> Ints:
        names, _, ids = self.place.cells(elements, key, self.file)
        if names != (population,):
            raise ModelError(
                str(where(elements[0], self.file)),
                f"{key} is a cell of {', '.join(names)}, but the projection says '{population}'",
                "make them the same",
            )
        return ids

    # -- inputs

    def _input_list(self, elements: list[Any]) -> None:
        (element,) = elements
        found = [e for e in element if name(e) and name(e) not in _SKIPPED]
        for e in found:
            if name(e) not in ("input", "inputW"):
                raise ModelError(
                    str(where(e, self.file)),
                    f"<{name(e)[:60]}> is nothing that an inputList can hold",
                    "input or inputW",
                )
        self._attached(
            element.get("id", ""), self._needed(element, "component"), found, where(element, self.file)
        )

    def _explicit_input(self, elements: list[Any]) -> None:
        by: dict[str, list[Any]] = {}
        for e in elements:
            by.setdefault(self._needed(e, "input"), []).append(e)
        for component, found in by.items():
            self._attached(component, component, found, where(found[0], self.file))

    def _attached(self, id: str, component: str, elements: list[Any], place: Where) -> None:
        made = self.model.component(component, place, "the input")
        if not elements:
            return
        weights = self._weights(elements)
        names, which, ids = self.place.cells(elements, "target", self.file)
        destinations, slot = _destinations(elements)
        for (k, population), (z, into) in itertools.product(enumerate(names), enumerate(destinations)):
            mine = (which == k) & (slot == z)
            if mine.any():
                w = None if weights is None else weights[mine]
                self.order.append(("inputs", len(self.inputs)))
                self.inputs.append(Inputs(id, made, population, ids[mine], w, into, place))


def _destinations(elements: Sequence[Any]) -> tuple[tuple[str, ...], Ints]:
    """The Attachments that elements name, "" where they name none, and which of them each names."""
    texts = [t or "" for t in column(elements, "destination")]
    number = {t: n for n, t in enumerate(dict.fromkeys(texts))}
    if len(number) <= 1:
        return tuple(number), np.zeros(len(texts), dtype=np.int64)
    return tuple(number), np.array([number[t] for t in texts], dtype=np.int64)


def numbers(texts: Sequence[str | None]) -> Floats:
    """Texts as numbers, 1 where there is none. ValueError if one is no number."""
    if None not in texts:
        with warnings.catch_warnings(), contextlib.suppress(DeprecationWarning):
            warnings.simplefilter("error")  # numpy stops with a warning where a text is no number
            out = np.fromstring("\n".join(texts), dtype=np.float64, sep="\n")  # type: ignore[arg-type]
            if out.size == len(texts):
                return out
    return np.array([1.0 if t is None else float(t) for t in texts])


def _finite(text: str | None) -> bool:
    try:
        return text is None or (
            bool(np.isfinite(float(text))) and "_" not in text
        )  # Python's float reads 1_000
    except ValueError:
        return False


def read_simulation(model: Model, component: Component) -> LemsSimulation:
    """A Simulation: length and step in s, what is recorded, and the lines of its displays."""
    element, scope, file = component.element, model.scope, component.where.file
    columns, selections, displays = list[Column](), list[Selection](), list[Column]()
    for group in element:
        out = group.get("fileName") or group.get("id") or ""
        for e in group:
            place = where(e, file)
            if name(group) in ("OutputFile", "Display") and name(e) in ("OutputColumn", "Line"):
                (columns if name(group) == "OutputFile" else displays).append(
                    Column(out, e.get("id", ""), e.get("quantity", ""), place)
                )
            elif name(group) == "EventOutputFile" and name(e) == "EventSelection":
                selections.append(
                    Selection(
                        out,
                        group.get("format", "TIME_ID"),
                        e.get("id", ""),
                        e.get("select", ""),
                        e.get("eventPort", "spike"),
                        place,
                    )
                )

    def seconds(key: str) -> float:
        value = scope.si(element.get(key, ""), "time", component.where, key)
        if not 0 < value < np.inf:
            raise ModelError(
                str(component.where), f"{key} must be > 0, got {element.get(key)!r}", f'write {key}="1ms"'
            )
        return value

    step = seconds("step")
    if not LEAST_STEP <= step * 1e3 <= MOST_STEP:
        raise ModelError(
            str(component.where),
            f"step must be at least {LEAST_STEP} ms and at most {MOST_STEP:g} ms, got "
            f"{element.get('step')!r}",
            "is its unit right?",
        )
    seed = element.get("seed", "")
    return LemsSimulation(
        component.id,
        element.get("target", ""),
        seconds("length"),
        step,
        int(seed) if re.fullmatch(r"-?\d{1,18}", seed, re.A) else None,
        tuple(columns),
        tuple(selections),
        tuple(displays),
    )
