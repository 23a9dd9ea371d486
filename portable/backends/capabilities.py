"""What a backend can do, as versioned data beside its code (capabilities.toml).

version = 2
backend = "nest"
distribution = "nest-simulator"        # whose installed version is shown; "" = nothing to install
install = "pip install 'portable-snn[nest]'"
fidelity = "exact"                     # how near its numbers are (FIDELITIES)
pace = "fast"                          # what the suite of reference cases gives it (PACES)
packages = ["nestml"]                  # others whose versions decide what it gives
own_files = false                      # runs the NeuroML file itself of a network that was read from one
    origin = "NeuroML"                     # only networks that were read from such a file; left out = any
[support]                              # feature = word; absent = unsupported
"cells.linear" = "exact"               # exact, lowered (another construct, the same result), approximate
"session.pieces" = { word = "exact", unless = { target = "cpp_standalone" }, reason = "...", remedy = "..." }
links = { word = "exact", only = "read", reason = "..." }      # of networks that were read from NeuroML
[integrators]                          # the same, for each named method
exact = "exact"
[limits]                               # numbers (LIMITS); absent = no limit
delay_steps = 60000
[memory]                               # bytes: of a process, and for each byte of the resolved network
base = 4e8
per_byte = 8.0
[options]                              # the backend's own: a sentence, or a table
nestml = { about = "...", values = ["auto", "always"], default = "auto" }
timeout = { about = "of a run", above = 0, unit = "seconds" }
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from math import inf
from pathlib import Path
from typing import Any

from portable.backends.contract import INTEGRATORS, RunConfig, Shortfall
from portable.backends.features import FEATURES, requirements
from portable.dynamics.linear import linear
from portable.dynamics.methods import choose, too_coarse
from portable.errors import ModelError, suggestion
from portable.resolve.program import Program

VERSION = 2
WORDS = ("exact", "lowered", "approximate")
# exact: the named methods in the steps of ARCHITECTURE.md, to rounding; method: a method of its own;
# emulated: numbers that are coarser than the model's
FIDELITIES = ("exact", "method", "emulated")
# fast: every reference case; slow: the quick ones, unless it is named; minutes: none, unless it is named
PACES = ("fast", "slow", "minutes")
LIMITS: Mapping[str, str] = {
    "delay_steps": "steps of the longest delay",
    "input_spikes": "spikes of sources in a run, above which handing them over takes too long",
}
_KEYS = {
    "version", "backend", "distribution", "install", "fidelity", "pace", "packages", "own_files", "origin",
    "support", "integrators", "limits", "memory", "options",
}  # fmt: skip


@dataclass(frozen=True)
class Support:
    """How a feature is there. unless: values of options (and of the integrator) that take it away; only: ""
    or "read", of networks that were read from NeuroML and not changed since; reason, remedy: told where it
    is not there."""

    word: str
    unless: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    only: str = ""
    reason: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        limits = [f"not with {k}={'/'.join(map(str, many))}" for k, many in self.unless.items()]
        limits += ["networks read from NeuroML"] if self.only else []
        return f"{self.word} ({'; '.join(limits)})" if limits else self.word


@dataclass(frozen=True)
class Option:
    """An option of a backend. values: what it may be (empty: anything); above: it must be a number above, of
    some unit."""

    about: str
    values: tuple[Any, ...] = ()
    default: Any = None
    above: float | None = None
    unit: str = ""

    def problem(self, value: Any) -> str:
        """What is wrong with a value; "" if nothing."""
        if self.values and value not in self.values:
            return f"must be one of {', '.join(map(str, self.values))}, got {value!r}"
        if self.above is None or value is None:
            return ""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.above < value < inf:
            return ""
        number = f"number of {self.unit}" if self.unit else "number"
        return f"must be a {number} > {self.above:g}, got {value!r}"


@dataclass(frozen=True)
class Memory:
    """What a process needs, in bytes: with its simulator imported and its code compiled (base), for each byte
    of the resolved network, and for each connection while they are read back."""

    base: float = 8e8
    per_byte: float = 8.0
    per_connection_read: float = 400.0

    def of(self, resolved: float, read_back: float = 0.0) -> float:
        """Bytes for a network of `resolved` bytes, of which `read_back` connections are read back."""
        return self.base + self.per_byte * resolved + self.per_connection_read * read_back


@dataclass(frozen=True)
class Capabilities:
    """The contents of one capabilities.toml."""

    backend: str
    distribution: str
    install: str
    support: Mapping[str, Support]
    integrators: Mapping[str, Support]
    options: Mapping[str, Option] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    memory: Memory = Memory()
    fidelity: str = "exact"
    pace: str = "fast"
    packages: tuple[str, ...] = ()
    own_files: bool = False
    origin: str = ""

    @classmethod
    def load(cls, folder: Path) -> Capabilities:
        """Read folder/capabilities.toml; unknown keys, features, words and options are refused by name."""
        path = folder / "capabilities.toml"
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        name = path.name
        _known(name, data, _KEYS)
        if data.get("version") != VERSION:
            raise ModelError(f"{name}.version", f"must be {VERSION}, got {data.get('version')}")
        for key in ("backend", "distribution", "install", "support", "integrators"):
            if key not in data:
                raise ModelError(f"{name}.{key}", "is missing")
        for key, words in (("fidelity", FIDELITIES), ("pace", PACES)):
            if data.get(key, words[0]) not in words:
                raise ModelError(f"{name}.{key}", f"must be one of {', '.join(words)}, got {data[key]!r}")
        options = {k: _option(f"{name}.options.{k}", v) for k, v in data.get("options", {}).items()}
        _known(f"{name}.limits", data.get("limits", {}), LIMITS)
        _known(f"{name}.memory", data.get("memory", {}), Memory.__dataclass_fields__)
        return cls(
            data["backend"],
            data["distribution"],
            data["install"],
            _supports(f"{name}.support", data["support"], FEATURES, options),
            _supports(f"{name}.integrators", data["integrators"], INTEGRATORS, options),
            options,
            data.get("limits", {}),
            Memory(**data.get("memory", {})),
            data.get("fidelity", FIDELITIES[0]),
            data.get("pace", PACES[0]),
            tuple(data.get("packages", ())),
            bool(data.get("own_files", False)),
            data.get("origin", ""),
        )

    def version(self) -> str | None:
        """The simulator's installed version without importing it; None if it is not installed."""
        try:
            return distribution_version(self.distribution or "portable-snn")
        except PackageNotFoundError:
            return None

    def word(self, feature: str, config: RunConfig | None = None, read: bool = False) -> str:
        """ "exact", "lowered", "approximate" or "" (not there): with these options, else the defaults; for a
        network that was read from a file (read), else one that was not.
        """
        support = self.support.get(feature) or self.integrators.get(feature.removeprefix("integrators."))
        return support.word if support is not None and not self._against(support, config, read) else ""

    def _against(self, support: Support, config: RunConfig | None, read: bool) -> bool:
        for name, values in support.unless.items():
            if self._value(name, config or RunConfig()) in values:
                return True
        return bool(support.only) and not read

    def shortfalls(self, program: Program, config: RunConfig) -> list[Shortfall]:
        """Every need of the program and of the run that the table does not cover."""
        if self.origin and (program.origin is None or program.origin.format != self.origin):
            reason = (
                f"{self.backend} runs only networks that were read from {self.origin}, and not changed since"
            )
            return [
                Shortfall("origin", f"network '{program.name}'", reason, "write it, read that, and run it")
            ]
        out: list[Shortfall] = []
        for feature, where in dict.fromkeys(requirements(program, config)):
            support = self.support.get(feature)
            if support is None:
                out.append(Shortfall(feature, where, f"{self.backend} has no {FEATURES[feature]}"))
            elif self._against(support, config, program.origin is not None):
                why = support.reason or f"{self.backend} has no {FEATURES[feature]} here"
                out.append(Shortfall(feature, where, why, support.remedy))
        return [*out, *self._methods(program, config), *self._beyond(program), *self._misspelt(config)]

    def _methods(self, program: Program, config: RunConfig) -> Iterator[Shortfall]:
        for group in program.cells:
            chosen, where = choose(group.flat, config.integrator), f"population '{group.name}'"
            method = chosen.name
            if config.integrator == "exact" and linear(group.flat) is None:
                why = (
                    f"the equations of {group.flat.base or group.flat.name} are not linear, so no step is "
                    "exact"
                )
                yield Shortfall("integrators.exact", where, why, "use integrator='auto'")
            support = self.integrators.get(method)
            if support is None:
                why, remedy = (
                    f"{self.backend} has no integrator '{method}'",
                    f"it has: {', '.join(self.integrators)}",
                )
                yield Shortfall(f"integrators.{method}", where, why, remedy)
            elif self._against(support, config, program.origin is not None):
                yield Shortfall(f"integrators.{method}", where, support.reason, support.remedy)
            elif (coarse := too_coarse(group.flat, chosen, group.values(), program.dt))[0]:
                yield Shortfall(f"integrators.{method}", where, *coarse)

    def _beyond(self, program: Program) -> Iterator[Shortfall]:
        most = self.limits.get("delay_steps", float("inf"))
        for c in program.connections:
            if (longest := c.delay_range()[1]) > most:
                why = f"its longest delay is {longest} steps, and {self.backend} has at most {most:g}"
                yield Shortfall("limits.delay_steps", f"projection '{c.projection}'", why, "use a larger dt")

    def _misspelt(self, config: RunConfig) -> Iterator[Shortfall]:
        for name, value in config.options.items():
            where = f"options['{name}']"
            if name not in self.options:
                why = f"{self.backend} has no such option"
                yield Shortfall("options", where, why, suggestion(name, self.options))
            elif reason := self.options[name].problem(value):
                yield Shortfall("options", where, reason)

    def _value(self, name: str, config: RunConfig) -> Any:
        """An option as given, else its default; the integrator that was asked for."""
        return (
            config.integrator
            if name == "integrator"
            else config.options.get(name, self.options[name].default)
        )


def _known(path: str, given: Mapping[str, Any], known: Any) -> None:
    for key in given:
        if key not in known:
            raise ModelError(f"{path}.{key}", "unknown name", suggestion(key, known))


def _supports(
    path: str, table: Mapping[str, Any], known: Any, options: Mapping[str, Option]
) -> dict[str, Support]:
    _known(path, table, known)
    return {key: _support(f"{path}.{key}", value, options) for key, value in table.items()}


def _support(path: str, given: Any, options: Mapping[str, Option]) -> Support:
    row: dict[str, Any] = {"word": given} if isinstance(given, str) else dict(given)
    _known(path, row, Support.__dataclass_fields__)
    if row.get("word") not in WORDS:
        raise ModelError(path, f"must be one of {', '.join(WORDS)}, got {row.get('word')!r}")
    if len(row) > 1 and not row.get("reason"):
        raise ModelError(f"{path}.reason", "is missing", "a condition says why")
    if row.get("only", "read") != "read":
        raise ModelError(f"{path}.only", f"must be 'read', got {row['only']!r}")
    unless = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in row.get("unless", {}).items()}
    _known(f"{path}.unless", unless, {*options, "integrator"})
    return Support(**{**row, "unless": unless})


def _option(path: str, given: Any) -> Option:
    row: dict[str, Any] = {"about": given} if isinstance(given, str) else dict(given)
    _known(path, row, Option.__dataclass_fields__)
    return Option(**{**row, "values": tuple(row.get("values", ()))})
