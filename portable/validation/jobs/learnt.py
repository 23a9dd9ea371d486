"""Weights of connections that learn, read while a job runs: what the network itself does not record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portable.backends import registry
from portable.dynamics.synapse import WEIGHT
from portable.model.network import Network
from portable.model.synapses import PlasticSynapse
from portable.options import run_config
from portable.resolve.program import Program
from portable.results.synapses import SynapseTable
from portable.simulation import Simulation
from portable.validation.jobs.job import Job

READ, PIECES = "session.synapses", "session.pieces"
SAMPLES = 20  # times at which weights are read, where there are few
VALUES = 4_000_000  # weights of a run that are kept, 32 MB: fewer times where there are many


def learning(network: Network) -> list[str]:
    """Projections that learn."""
    return [p.name for p in network.projections if isinstance(p.synapse, PlasticSynapse)]


def unrecorded(network: Network) -> list[str]:
    """Those whose weights the network does not record."""
    kept = {r.synapses.projection for r in network.recordings if r.synapses and WEIGHT in r.variables}
    return [n for n in learning(network) if n not in kept]


def sampled(count: int, steps: int) -> tuple[int, ...]:
    """The steps at which to read so many weights, the last one among them: half of them evenly spaced, the
    others at a half, a quarter, an eighth, ..., as weights are compared up to where spikes part.
    """
    n = max(1, min(SAMPLES, steps, VALUES // max(1, count)))
    even = [round(steps * (i + 1) / (n - n // 2)) for i in range(n - n // 2)]
    early = [steps >> (i + 1) for i in range(n // 2)]
    return tuple(sorted({max(1, s) for s in (*even, *early)}))


def able(job: Job, program: Program) -> tuple[str, ...]:
    """What of READ and PIECES the job's session is asked for: nothing that would have it refused."""
    if not job.learnt or not unrecorded(job.network):
        return ()
    adapter = registry.get(job.backend)
    config, _ = run_config(
        program, adapter, job.threads, job.inputs, job.integrator, False, job.options, (READ,)
    )
    read = program.origin is not None
    return tuple(f for f in (READ, PIECES) if adapter.capabilities.word(f, config, read))


def advanced(sim: Simulation, job: Job) -> Mapping[tuple[str, str], SynapseTable]:
    """Run the job's steps; the weights that it was to read, at the start, on the way and at the end as far as
    the session can: a program that runs once tells the last ones.
    """
    names = unrecorded(job.network) if job.learnt and sim.can(READ) else []
    pieces = bool(names) and bool(sim.can(PIECES))
    stops: Sequence[int] = [s for s in job.learnt if s < job.steps] if pieces else []
    found: dict[tuple[str, str], SynapseTable] = {}
    if pieces:
        _take(sim, names, found)
    for stop in (*stops, job.steps):
        sim.advance(stop - sim.steps)
        _take(sim, names, found)
    return found


def _take(sim: Simulation, names: Sequence[str], found: dict[tuple[str, str], SynapseTable]) -> None:
    for n in names:
        now = sim.weights(n)
        found[n, WEIGHT] = found[n, WEIGHT].joined(now) if (n, WEIGHT) in found else now
