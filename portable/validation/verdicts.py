"""What a validation finds, as plain data: one record for each check, one verdict for each (level, backend).

    Validation                      what was asked, by whom it was answered, and the answer
      levels    LevelVerdict[]      (level, backend) -> verdict, one plain sentence, a score
      runs      Run[]               every run: status, versions, approximations, seconds, memory
      networks  NetworkCheck[]      level 1: hashes, and what was read back from the simulator
      cells     CellCheck[]         level 2: a cell type alone with frozen input
      spikes    SpikeCheck[]        level 3: the whole network with frozen input
      weights   WeightCheck[]       level 4: weights that are learnt
      paired_weights, ensemble_weights  level 4: those at the end, where spikes are not the same
      paired, ensembles             level 5: PairedCheck[], EnsembleCheck[]
      deviations, power             what the design would have seen
      costs     Cost[]              level 6

Everything here serialises to report.json (schemas/report.schema.json); arrays for pictures live in
`evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PASS, FAIL, UNDECIDED, NOT_COMPARABLE, NOT_RUN = "pass", "fail", "undecided", "not comparable", "not run"
VERDICTS = (PASS, FAIL, UNDECIDED, NOT_COMPARABLE, NOT_RUN)
COMPARABLE, NETWORK, CELLS, SPIKES, WEIGHTS, STATISTICS, COST = range(7)
LEVELS = {
    COMPARABLE: "comparable at all",
    NETWORK: "same network",
    CELLS: "same cells",
    SPIKES: "same spikes",
    WEIGHTS: "same weights",
    STATISTICS: "same statistics",
    COST: "same cost",
}
# The answer for one backend, best first; "no answer" covers a backend that did not run or that cannot be
# compared.
IDENTICAL, EQUIVALENT, DIFFERENT, OPEN, NO_ANSWER = (
    "identical spikes",
    "statistically equivalent",
    "different",
    "undecided",
    "not comparable",
)


@dataclass(frozen=True)
class LevelVerdict:
    """One cell of the matrix. `score` in 0..1 is the share of what was checked that agrees; nan where nothing
    was checked.
    """

    level: int
    backend: str
    verdict: str
    summary: str
    score: float = float("nan")

    @property
    def name(self) -> str:
        return LEVELS[self.level]


@dataclass(frozen=True)
class Run:
    """One run of one backend. `status` is "ok" or what went wrong (jobs.outcome.STATUSES); `alive` by
    population: did it spike in the last fifth of the run; `approximations` one line for each kind."""

    backend: str
    seed: int
    role: str  # "main", "perturbed", or "deviation NAME"
    status: str
    message: str = ""
    simulator: str = ""
    inputs: str = ""
    integrators: Mapping[str, str] = field(default_factory=dict)
    approximations: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory: float = float("nan")  # bytes
    spikes: Mapping[str, int] = field(default_factory=dict)
    alive: Mapping[str, bool] = field(default_factory=dict)
    key: str = ""
    cached: bool = False


@dataclass(frozen=True)
class NetworkCheck:
    """Level 1, one run. program: sha256 of the resolved arrays. Errors are the largest absolute differences
    between what the simulator holds and the program, in the port's unit and in ms; `missing` counts
    connections on one side only. read_back "" if it was done, else why not."""

    backend: str
    seed: int
    program: str
    same_program: bool
    connections: int
    missing: int
    weight_error: float
    delay_error: float
    read_back: str = ""

    @property
    def equal(self) -> bool:
        """As far as it was looked at: `read_back` says where only the program was."""
        return self.same_program and (
            bool(self.read_back) or (not self.missing and self.weight_error == 0 and self.delay_error == 0)
        )


@dataclass(frozen=True)
class CellCheck:
    """Level 2, cells of one population alone on one backend, against the reference.

    trace_difference: largest |difference| (in `unit`) of `variable` before the first differing spike;
    spike_time_difference in ms, nan where numbers of spikes differ. errors: dt (ms) -> largest error of the
    trace against the finest step, of this backend alone; order: the power of dt with which they shrink, inf
    where the method is exact to rounding.
    """

    backend: str
    population: str
    cell_type: str
    seed: int
    cells: int
    integrators: tuple[str, str]  # reference, this backend
    spikes: tuple[int, int]
    identical: bool
    spike_time_difference: float
    trace_difference: float
    variable: str
    unit: str
    order: float = float("nan")
    errors: Mapping[str, float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()  # inputs left out, as their spikes were not all recorded
    verdict: str = PASS


@dataclass(frozen=True)
class SpikeCheck:
    """Level 3, the whole network for one seed against the reference. Times in ms; nan or "" where the lists
    are identical.

    perturbed: when the reference parts from itself after a change of 1e-12 of its start; inf if it did not
    within the run, nan if that was not tried. equal, near: share of the longer list with a partner at the
    same step, or within one. spike_distance (0 to 1), van_rossum (tau 10 ms): distances of the two trains of
    a cell, averaged over the cells that spike on either side, all populations.
    perturbed_spike_distance: that of the reference from itself after the change.
    """

    backend: str
    seed: int
    spikes: tuple[int, int]
    identical: bool
    equal: float
    near: float
    time: float = float("nan")
    population: str = ""
    neuron: int = -1
    perturbed: float = float("nan")
    spike_distance: float = float("nan")
    van_rossum: float = float("nan")
    perturbed_spike_distance: float = float("nan")


@dataclass(frozen=True)
class LearningRule:
    """Level 1: how the connections of a projection learn, as text; it is part of the resolved network, whose
    hash is compared. parameters by name, with units; dendritic: the part of delays after which a spike of the
    target is seen.
    """

    projection: str
    rule: str
    parameters: Mapping[str, str]
    weight: str
    dendritic: float = 1.0
    source: str = ""


@dataclass(frozen=True)
class WeightCheck:
    """Level 4, the weights of one projection for one seed against the reference, at every time at which both
    were read.

    difference: the largest, in `unit`, at `time` (ms) of the connection source -> target (in their sides),
    whose weights were `values` (reference, backend); relative: the same as a share of `scale`, which
    `scale_from` names. before: the largest share up to the first spike that differs, nan where no weight was
    read before it; identical: no spike differs up to the last reading. at_end: the largest share at the end,
    where means, spreads (SD) are those of both sides and ks is the distance of their distributions; start:
    mean at the start. margin: of `before`, a share; nan where there is none.
    """

    backend: str
    seed: int
    projection: str
    rule: str
    connections: int
    samples: int
    unit: str
    scale: float
    scale_from: str
    identical: bool
    difference: float
    relative: float
    before: float
    at_end: float
    time: float
    source: int
    target: int
    values: tuple[float, float]
    means: tuple[float, float]
    spreads: tuple[float, float]
    start: float
    ks: float
    margin: float
    margin_from: str
    verdict: str


@dataclass(frozen=True)
class PairedCheck:
    """Level 5 with frozen input: one statistic of one population, differences (backend - reference) paired
    over seeds.

    margin: half-width of equivalence, in the statistic's unit, with `margin_from` saying where it comes from.
    interval: the 90 % confidence interval of the mean difference (the one of two one-sided tests at 5 %).
    p_equivalence: of TOST; p_holm: the same corrected over populations; p_difference: of a paired t-test,
    shown only. effect: mean difference in units of the reference's seed-to-seed SD. detectable: the smallest
    true difference that this design calls different with a chance of 80 %.
    """

    backend: str
    population: str
    statistic: str
    unit: str
    n: int
    reference: float
    spread: float  # SD over the reference's seeds
    difference: float
    interval: tuple[float, float]
    margin: float
    margin_from: str
    p_equivalence: float
    p_holm: float
    p_difference: float
    effect: float
    detectable: float
    verdict: str
    differences: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class EnsembleCheck:
    """Level 5 with a backend's own random numbers: the distribution of one statistic over cells, by distance
    between runs.

    measure: "KS" or "Wasserstein". within, within_sd: distance between two seeds of the reference, mean and
    SD; limit = within + 2 within_sd; between: mean distance from the backend's runs to the reference's.
    p_permutation: share of relabellings with as large a between (shown, not the verdict).
    """

    backend: str
    population: str
    statistic: str
    measure: str
    unit: str
    between: float
    within: float
    within_sd: float
    limit: float
    p_permutation: float
    verdict: str


@dataclass(frozen=True)
class DeviationCheck:
    """A known deviation put into the native engine. caught: the first level that failed, None if none did.
    failed: all that did.
    time: first diverging spike (ms); equal: share of equal spikes; statistics: "population statistic" that
    were called different."""

    name: str
    what: str
    caught: int | None
    failed: tuple[int, ...]
    time: float
    equal: float
    statistics: tuple[str, ...]
    largest_effect: float
    size: float = 1.0  # times the deviation that the name says


@dataclass(frozen=True)
class Power:
    """What the design would have seen at level 5 alone: for each kind of deviation the smallest size tried
    that was called different (nan if none was), of `sizes`."""

    name: str
    unit: str
    sizes: tuple[float, ...]
    detected: tuple[bool, ...]

    @property
    def smallest(self) -> float:
        found = [s for s, d in zip(self.sizes, self.detected) if d]
        return min(found) if found else float("nan")


@dataclass(frozen=True)
class Cost:
    """Level 6: medians over seeds. seconds by phase (resolve, lower, build, run, collect), real-time factor,
    peak memory (bytes).
    """

    backend: str
    seconds: Mapping[str, float]
    real_time_factor: float
    peak_memory: float
    runs: int


@dataclass(frozen=True)
class Validation:
    """The whole answer. backends[0] is the reference. `answers` maps every other backend to IDENTICAL,
    EQUIVALENT, DIFFERENT, OPEN or NO_ANSWER; provenance: versions, machine, command, hashes, dates."""

    network: str
    model_hash: str
    dt: float
    duration: float
    backends: tuple[str, ...]
    seeds: tuple[int, ...]
    populations: Mapping[str, int]
    synapses: int
    levels: tuple[LevelVerdict, ...]
    answers: Mapping[str, str]
    runs: tuple[Run, ...] = ()
    networks: tuple[NetworkCheck, ...] = ()
    cells: tuple[CellCheck, ...] = ()
    spikes: tuple[SpikeCheck, ...] = ()
    paired: tuple[PairedCheck, ...] = ()
    ensembles: tuple[EnsembleCheck, ...] = ()
    deviations: tuple[DeviationCheck, ...] = ()
    power: tuple[Power, ...] = ()
    costs: tuple[Cost, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[LearningRule, ...] = ()
    weights: tuple[WeightCheck, ...] = ()
    paired_weights: tuple[PairedCheck, ...] = ()
    ensemble_weights: tuple[EnsembleCheck, ...] = ()

    @property
    def reference(self) -> str:
        return self.backends[0]

    @property
    def verdict(self) -> str:
        """The worst answer of all backends."""
        order = (NO_ANSWER, DIFFERENT, OPEN, EQUIVALENT, IDENTICAL)
        return min(self.answers.values(), key=order.index, default=NO_ANSWER)

    @property
    def exit_code(self) -> int:
        """0 identical or equivalent, 1 different or undecided, 2 not comparable or could not run."""
        return {IDENTICAL: 0, EQUIVALENT: 0, DIFFERENT: 1, OPEN: 1, NO_ANSWER: 2}[self.verdict]

    def level(self, level: int, backend: str) -> LevelVerdict | None:
        """The cell of the matrix, None if that level was not tried."""
        return next((v for v in self.levels if v.level == level and v.backend == backend), None)

    def __repr__(self) -> str:
        head = (
            f"Validation of '{self.network}' ({self.duration:g} ms, dt {self.dt:g} ms, {len(self.seeds)} "
            f"seed{'s' * (len(self.seeds) != 1)}) against {self.reference}: {self.verdict}"
        )
        rows = [f"  {b}: {self.answers[b]}" for b in self.backends[1:]]
        rows += [
            f"    level {v.level} {v.name}: {v.verdict}; {v.summary}"
            for b in self.backends[1:]
            for v in self.levels
            if v.backend == b
        ]
        return "\n".join([head, *rows])
