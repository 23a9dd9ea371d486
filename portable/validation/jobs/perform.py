"""Doing a job, in the process that calls. What goes wrong becomes the outcome's status; only a crash of the
process is left to others.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from portable.errors import (
    BackendFailed,
    BackendNotFound,
    BackendUnavailable,
    PortableError,
    UnsupportedError,
)
from portable.memory import forget_peak, peak
from portable.resolve import resolve
from portable.resolve.digest import program_digest
from portable.resolve.program import Program, Trace
from portable.results.tables import Results
from portable.simulation import open as open_simulation
from portable.validation.deviations import DEVIATIONS, deviate
from portable.validation.jobs.job import (
    FAILED,
    OK,
    OUT_OF_MEMORY,
    UNAVAILABLE,
    UNSUPPORTED,
    Job,
    Outcome,
    unpacked,
)
from portable.validation.jobs.learnt import able, advanced
from portable.validation.readback import ReadBack, read_back


def perform(job: Job) -> Outcome:
    """Run a job here."""
    began = time.perf_counter()
    forget_peak()
    try:
        results, digest, held, memory = _run(unpacked(job))
    except (BackendUnavailable, BackendNotFound) as error:
        return Outcome(UNAVAILABLE, str(error))
    except UnsupportedError as error:
        return Outcome(UNSUPPORTED, str(error))
    except MemoryError as error:
        return Outcome(OUT_OF_MEMORY, str(error) or "not enough memory", memory=peak())
    except BackendFailed as error:  # a simulator may say in its own way that memory ran out
        short = any(word in str(error) for word in ("MemoryError", "bad_alloc"))
        return Outcome(
            OUT_OF_MEMORY if short else FAILED, str(error), memory=peak() if short else float("nan")
        )
    except PortableError as error:
        return Outcome(FAILED, str(error))
    except Exception as error:  # a row of the report, not the end of the validation
        return Outcome(FAILED, f"{type(error).__name__}: {error}")
    return Outcome(OK, "", results, digest, held, time.perf_counter() - began, memory)


def _run(job: Job) -> tuple[Results, str, ReadBack | None, float]:
    began = time.perf_counter()
    asked = job.program if job.program is not None else resolve(job.network, job.seed, job.dt)
    drawn = time.perf_counter() - began
    program = _probed(deviate(asked, job.deviation, job.size) if job.deviation else asked, job.traces)
    integrator = DEVIATIONS[job.deviation].integrator or job.integrator if job.deviation else job.integrator
    with open_simulation(
        job.network,
        job.backend,
        dt=program.dt,
        seed=program.seed,
        threads=job.threads,
        inputs=job.inputs,
        integrator=integrator,
        options=job.options,
        program=program,
        needs=able(job, program),
    ) as sim:
        sim.phases["resolve"] += drawn
        asks = job.read_back and bool(sim.can("session.connections"))
        first = asks and any(c.learning is not None for c in program.connections)
        held = read_back(asked, sim.connections()) if first else None  # as they start
        found = advanced(sim, job)
        results, memory = sim.results(), peak()  # what reading back needs is not the simulation's
        if asks and not first:
            held = read_back(asked, sim.connections())
        results = replace(results, synapses={**results.synapses, **found})
        return results, program_digest(program), held, memory


def _probed(program: Program, traces: tuple[tuple[str, str, int], ...]) -> Program:
    """The program with traces in place of those it has."""
    if not traces:
        return program
    made = tuple(
        Trace(group, variable, np.array([cell], dtype=np.int64), 1) for group, variable, cell in traces
    )
    return replace(program, traces=made, shown=made)
