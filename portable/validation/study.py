"""The runs of a validation, in three rounds of jobs, each in processes of their own and from the cache where
they were done before: the network for every backend and seed (with the perturbed and deviated runs of the
native engine); cells alone, and voltages around the first divergences, which the first round decides;
deviations that the statistics did not see, enlarged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from portable.resolve import estimate, resolve
from portable.validation.design import BASELINE, PROBED, Design
from portable.validation.deviations import DEVIATIONS, INJECTED
from portable.validation.evidence import Traces
from portable.validation.jobs.job import Job, key
from portable.validation.jobs.learnt import learning, sampled
from portable.validation.jobs.schedule import Executor, Progress
from portable.validation.levels.power import deviation_check
from portable.validation.levels.ran import Ran, lives, of, watched
from portable.validation.levels.same_cells import FACTORS, LONGEST, Loop, cell_check, loops
from portable.validation.levels.same_spikes import first_apart, spike_checks
from portable.validation.levels.same_statistics import (
    Measured,
    decides,
    ensemble_checks,
    measured,
    paired_checks,
)
from portable.validation.verdicts import (
    CellCheck,
    DeviationCheck,
    EnsembleCheck,
    PairedCheck,
    SpikeCheck,
)

Say = Callable[[str, Progress | None], None]
AROUND = 20.0  # ms of voltage before and after a divergence that are kept
VOLTAGE = "v"
READ_BACK = 20_000_000  # connections: about 8 GB in NEST, and minutes


@dataclass
class Study:
    """The rounds of one validation, and what they found so far."""

    plan: Design
    execute: Executor
    say: Say
    runs: list[Ran] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cells: list[CellCheck] = field(default_factory=list)
    traces: dict[tuple[str, str], Traces] = field(default_factory=dict)
    around: dict[tuple[str, int], Traces] = field(default_factory=dict)
    deviations: list[DeviationCheck] = field(default_factory=list)
    deviated_cells: dict[str, list[CellCheck]] = field(default_factory=dict)
    applicable: tuple[str, ...] = ()  # deviations that change something in this network
    _measured: dict[str, Measured] = field(default_factory=dict)
    _spikes: dict[str, list[SpikeCheck]] = field(default_factory=dict)

    def rounds(self) -> Study:
        """All rounds; the study itself."""
        if self.plan.power != "none":
            program = resolve(self.plan.network, self.plan.seeds[0], self.plan.dt)
            self.applicable = tuple(d for d in INJECTED if DEVIATIONS[d].apply(program, 1.0) is not None)
        self._networks()
        self._alone()
        self._enlarged()
        self.say("statistics", None)
        return self

    # -- rounds

    def round(self, title: str, jobs: Sequence[Job]) -> list[Ran]:
        """Run jobs and keep what came of them."""
        self.say(title, None)
        outcomes = self.execute(jobs, lambda p: self.say(title, p))
        return [Ran(j, o, key(j)) for j, o in zip(jobs, outcomes, strict=True)]

    def job(self, backend: str, seed: int, **more: Any) -> Job:
        """A job of this validation."""
        p = self.plan
        given = p.options.get(backend, {})
        return Job(p.network, backend, seed, p.dt, p.steps, p.inputs, p.integrator, p.threads, given, **more)

    def _networks(self) -> None:
        p = self.plan
        count = estimate(p.network, p.dt).total_synapses
        asked = p.seeds[:1] if count <= READ_BACK else ()
        if not asked:
            self.notes.append(
                f"{count:,} connections were not read back from the simulators: it is done for up to "
                f"{READ_BACK:,}, as it needs more memory than the run"
            )
        about: dict[str, Any] = {"learnt": self._learnt()}
        jobs = [self.job(b, s, read_back=s in asked, **about) for s in p.seeds for b in p.backends]
        if p.mode == "paired":
            jobs += [self.job(p.reference, s, deviation="start") for s in p.seeds[:PROBED]]
        if p.power != "none":
            if BASELINE not in p.backends:
                jobs += [self.job(BASELINE, s, read_back=s in asked, **about) for s in p.seeds]
            jobs += [
                self.job(BASELINE, s, deviation=d, read_back=s in asked, **about)
                for d in self.applicable
                for s in p.seeds
            ]
        self.runs = self.round("networks", jobs)

    def _learnt(self) -> tuple[int, ...]:
        """When the weights of connections that learn are read."""
        p, names = self.plan, learning(self.plan.network)
        sizes = estimate(p.network, p.dt).synapses
        count = sum(sizes[n] for n in names)
        if not count or count > READ_BACK:
            self.notes += [
                f"{count:,} weights that learn were not read: it is done for up to {READ_BACK:,}"
            ] * bool(count)
            return ()
        self.notes.append("cells alone: connections that learn keep the weights that they start with")
        return sampled(count, p.steps)

    def _alone(self) -> None:
        """Cells out of the loop, and the voltages around the first divergences."""
        p, seed = self.plan, self.plan.seeds[0]
        reference = of(self.runs, p.reference).get(seed)
        if reference is None:
            self.notes.append(
                f"{p.reference}, the reference, gave no result for seed {seed}: cells were not compared alone"
            )
            return
        able = [b for b in p.backends if of(self.runs, b)]
        baseline = (
            [BASELINE] if self.applicable and BASELINE not in able else []
        )  # what deviated cells are compared with
        made = loops(resolve(p.network, seed, p.dt), reference.results)
        steps = min(p.steps, round(LONGEST / p.dt))
        jobs, places = list[Job](), list[tuple[Loop, str, str, int]]()
        for loop in made:
            for b, deviation, factor in [
                *((b, "", 1) for b in baseline),
                *((b, "", f) for b in able for f in (FACTORS if p.orders else FACTORS[:1])),
                *((BASELINE, d, 1) for d in self.applicable),
            ]:
                program = loop.programs[factor]
                if deviation and DEVIATIONS[deviation].apply(program, 1.0) is None:
                    continue
                jobs.append(
                    replace(
                        self.job(b, seed, deviation=deviation),
                        program=program,
                        dt=program.dt,
                        steps=steps * factor,
                    )
                )
                places.append((loop, b, deviation, factor))
        probes = self._probes(able)
        ran = self.round("cells alone", [*jobs, *(j for _, pair in probes for j in pair)])
        self._compared(places, ran[: len(jobs)])
        for (where, _), one, two in zip(probes, ran[len(jobs) :: 2], ran[len(jobs) + 1 :: 2], strict=True):
            self._seen(where, one, two)

    def _compared(self, places: Sequence[tuple[Loop, str, str, int]], ran: Sequence[Ran]) -> None:
        found: dict[tuple[str, str, str], dict[int, Ran]] = {}
        by_group = {loop.group: loop for loop, *_ in places}
        for (loop, b, deviation, factor), r in zip(places, ran, strict=True):
            if r.ok:
                found.setdefault((loop.group, b, deviation), {})[factor] = r
        for (group, b, deviation), by_factor in found.items():
            base = found.get((group, BASELINE if deviation else self.plan.reference, ""), {})
            if 1 not in by_factor or 1 not in base:
                continue
            check, trace = cell_check(
                by_group[group], base[1].results, {f: r.results for f, r in by_factor.items()}
            )
            if deviation:
                self.deviated_cells.setdefault(deviation, []).append(check)
            elif b in self.plan.backends:
                self.cells.append(check)
                self.traces[b, group] = trace

    def _probes(self, able: Sequence[str]) -> list[tuple[tuple[str, int], tuple[Job, Job]]]:
        """For each backend that parts from the reference: both sides again up to there, with the voltage of
        that cell.
        """
        p, out = self.plan, []
        for b in able[1:] if able and able[0] == p.reference else []:
            c = first_apart(self.spikes(b))
            if c is None:
                continue
            population = p.network.population(c.population)
            states = population.cell.flat.state_names if hasattr(population.cell, "flat") else ()
            if not states:
                continue
            variable = VOLTAGE if VOLTAGE in states else states[0]
            steps = min(p.steps, round((c.time + AROUND) / p.dt))
            one, two = (
                replace(self.job(side, c.seed, traces=((c.population, variable, c.neuron),)), steps=steps)
                for side in (p.reference, b)
            )
            out.append(((b, c.seed), (one, two)))
        return out

    def _seen(self, where: tuple[str, int], one: Ran, two: Ran) -> None:
        if not (one.ok and two.ok and one.results.traces):
            return
        (name, variable), a = next(iter(one.results.traces.items()))
        b = two.results.traces[name, variable]
        late = a.times >= a.times[-1] - 2 * AROUND
        self.around[where] = Traces(
            name, int(a.ids[0]), variable, a.unit, a.times[late], a.values[late, 0], b.values[late, 0]
        )

    def _enlarged(self) -> None:
        """The power of the statistics: what they did not see is made three and ten times larger."""
        if self.plan.power == "none":
            return
        names = list(self.applicable)
        for level in range(3):
            ran = (
                [r for r in self.runs if r.job.deviation in names]
                if level == 0
                else self.round("larger deviations", self._larger(names, level))
            )
            if level:
                self.runs += ran
            unseen = []
            for name in names:
                mine = {r.job.seed: r for r in ran if r.job.deviation == name and r.ok}
                if mine:
                    self.deviations.append(self._judged(name, mine))
                    unseen += [name] if not self.deviations[-1].statistics else []
            names = [n for n in unseen if len(DEVIATIONS[n].sizes) > level + 1]
            if self.plan.power == "quick" or not names or len(self.plan.seeds) < 3:
                return

    def _larger(self, names: Sequence[str], level: int) -> list[Job]:
        return [
            self.job(BASELINE, s, deviation=n, size=DEVIATIONS[n].sizes[level])
            for n in names
            for s in self.plan.seeds
        ]

    def _judged(self, name: str, mine: Mapping[int, Ran]) -> DeviationCheck:
        base = of(self.runs, BASELINE)
        found = self.statistics(base, mine)
        size = next(iter(mine.values())).job.size
        cells = self.deviated_cells.get(name, []) if size == 1.0 else []
        return deviation_check(name, size, base, mine, cells, found)

    # -- spikes and statistics

    def spikes(self, backend: str) -> list[SpikeCheck]:
        """Level 3 of a backend, worked out once after the networks have run; [] where the input is not the
        same.
        """
        if backend not in self._spikes:
            self._spikes[backend] = (
                spike_checks(self.runs, self.plan.reference, backend) if self.plan.mode == "paired" else []
            )
        return self._spikes[backend]

    def measured(self, ran: Ran) -> Measured:
        """Statistics of a run, worked out once."""
        if ran.key not in self._measured:
            self._measured[ran.key] = measured(ran.results, watched(self.plan.network), self.plan.warmup)
        return self._measured[ran.key]

    def statistics(
        self, reference: Mapping[int, Ran], other: Mapping[int, Ran]
    ) -> list[PairedCheck | EnsembleCheck]:
        """What decides level 5 for two sets of runs."""
        seeds = [
            s
            for s in sorted(reference.keys() & other.keys())
            if lives(reference[s].results) and lives(other[s].results)
        ]
        if self.plan.mode == "paired":
            a, b = ({s: self.measured(side[s]) for s in seeds} for side in (reference, other))
            return list(paired_checks(a, b, seeds, self.plan.margin))
        return [
            e
            for e in ensemble_checks(
                {s: self.measured(r) for s, r in reference.items()},
                {s: self.measured(r) for s, r in other.items()},
            )
            if decides(e)
        ]
