"""What a backend is. Readable in a minute; CONTRIBUTING.md walks through adding one.

capabilities                              capabilities.toml: what it can do, and when, at what cost
check(program, config) -> [Shortfall]     what that table cannot say, all at once
lower(program, config) -> Lowered         pure: imports no simulator
open(plan) -> Session                     the only place that imports it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from portable.dynamics.methods import NAMES
from portable.model.network import Network
from portable.resolve.program import Approximation, Ints, Program
from portable.units import Floats

INTEGRATORS = ("auto", *NAMES)


@dataclass(frozen=True)
class RunConfig:
    """How to run, apart from the model.

    inputs: "frozen" (the program's Poisson trains, the same on every backend) or "native" (the simulator
    draws its own).
    integrator: for cells whose equations are not linear; "auto" = the cell type's own, else rk4.
    compact: float32 for a user's weights too, where the backend can. options: the backend's own, checked
    against its capabilities. needs: what the session will be asked for besides one run, by its names in
    FEATURES ("session.pieces").
    """

    threads: int = 1
    inputs: str = "frozen"
    integrator: str = "auto"
    compact: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shortfall:
    """One thing of the model that a backend cannot do: what, where in the model, and what to do instead."""

    feature: str
    where: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.reason}"
            + (f"; {self.remedy}" if self.remedy else "")
            + f" [{self.feature}]"
        )


@dataclass(frozen=True)
class Lowered:
    """A backend's plan (plain data), what was changed on the way, and the integrator of each group of
    cells.
    """

    plan: Any
    approximations: tuple[Approximation, ...] = ()
    integrators: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Recorded:
    """Raw records so far. spikes: group -> (positions, stamps); traces: (group, variable) -> (ids, steps,
    values (samples, cells)) in coherent units, one entry per Trace of the program with that key, in its order
    of ids."""

    spikes: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)
    traces: dict[tuple[str, str], tuple[Ints, Ints, Floats]] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What really ran, which may be less than what was asked for.

    threads: that compute. inputs: by group of Poisson or given sources, "frozen" (the program's trains),
    "native" (drawn by the simulator) or "given". seconds: wall-clock of phases that only the session can
    tell apart, such as compiling.
    """

    threads: int = 1
    inputs: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


class Session(Protocol):
    """A built network that advances in pieces."""

    @property
    def now(self) -> int:
        """Steps taken. True at any time, also after `run` was left by an exception or by Ctrl-C."""

    def run(self, steps: int) -> None:
        """Advance by whole steps. May be called again and again; must give the same as one long call."""

    def set(self, group: str, values: Mapping[str, float | Floats]) -> None:
        """Change parameters (coherent units, float or one per cell) from now on. Called only where the table
        of capabilities has "session.set"."""

    def recorded(self) -> Recorded:
        """Everything recorded since the start; may be called at any time, any number of times."""

    def facts(self) -> Facts:
        """What really ran, up to now."""

    def close(self) -> None:
        """Free the simulator. The session is of no use afterwards."""


@dataclass(frozen=True)
class HeldConnections:
    """Connections as a built simulator holds them: one row a connection, in any order, with positions in
    their populations.

    They stand for the program's connections `names`, which join the same two populations. weights are in the
    simulator's unit: those of a connection in the program times factors[name] (1 where it is not named).
    delays in whole steps.
    """

    names: tuple[str, ...]
    sources: Ints
    targets: Ints
    weights: Floats
    delays: Ints
    factors: Mapping[str, float] = field(default_factory=dict)


class ReadsBack(Protocol):
    """What a session has as well where its table of capabilities has "session.connections"."""

    def connections(self) -> Iterator[HeldConnections]:
        """Everything the simulator holds as connections, read from the simulator. Connections that became
        something else (a Poisson source inside a cell's code) are not in it."""


class Learns(Protocol):
    """What a session has as well where its table of capabilities has "synapses.plastic". `name` is that of
    one of the program's connections that learn; values are in coherent units and in its order.
    """

    def synapses(self, name: str, variable: str) -> Floats:
        """The "weight", or another state, of each connection, after everything that its clock has seen up to
        now, spikes of targets included. Called where the table has "session.synapses"."""

    def set_synapses(self, name: str, values: Mapping[str, float | Floats]) -> None:
        """Set the weight or other states from now on; what has been sent keeps what it was sent with. Called
        where the table has "session.synapses.set"."""

    def plastic(self, name: str, on: bool) -> None:
        """Whether weights change from now on; everything else goes on. Called where the table has
        "session.plastic"."""

    def signal(self, name: str, spikes: int) -> None:
        """So many spikes of the third factor, which the connections see at the next step. Called where the
        table has "session.signal"."""


class Backend(Protocol):
    """A backend as found by the entry point `portable.backends`."""

    name: str
    folder: Path  # of capabilities.toml and deviations.toml
    capabilities: Any  # portable.backends.capabilities.Capabilities

    def default_threads(self, program: Program) -> int:
        """Threads for a program where the user did not say; 1 unless more are faster and change nothing."""

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        """What this backend lacks beyond its table of capabilities; [] if nothing. Imports no simulator."""

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        """Translate. Pure; plain data; imports no simulator."""

    def open(self, plan: Any) -> Session:
        """Build in the simulator. BackendUnavailable if it is not installed."""

    def version(self) -> str | None:
        """The installed simulator's version, None if it is not installed; must not import the simulator."""


@dataclass(frozen=True)
class Times:
    """Seconds that a network is expected to take with a number of threads, compiled code being kept.

    resolve: to draw the network. build: in the simulator. silent: to run one biological second in which no
    cell spikes. each_hz: more of it for each Hz of the cells' mean rate.
    """

    threads: int
    resolve: float
    build: float
    silent: float
    each_hz: float

    def run(self, rate: float, seconds: float = 1.0) -> float:
        """Seconds to run so many biological seconds at a mean rate in Hz."""
        return seconds * (self.silent + rate * self.each_hz)


@dataclass(frozen=True)
class Foreseen:
    """What a backend expects of a network. base: peak bytes of a process that has built it; each_spike: bytes
    more for each recorded spike; each_second: for each biological second of recorded traces. recorded: cells
    whose spikes are kept. times: with one thread, and with as many as a run takes by itself. left_out: what
    of the network it does not count.
    """

    base: float
    each_spike: float
    each_second: float
    recorded: int
    times: tuple[Times, ...]
    left_out: tuple[str, ...] = ()


@runtime_checkable
class Foresees(Protocol):
    """What a backend has as well if it can say what a network will take, from its declaration alone."""

    def foresee(self, network: Network, dt: float, tell: Callable[[str], object]) -> Foreseen:
        """Builds nothing of the network. What the machine takes for its parts is measured first where that is
        not known yet; `tell` gets a line for each stage of it.
        """
