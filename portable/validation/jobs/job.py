"""A job: one run of one backend, and everything that decides what comes out of it. Its key names the result
in the cache.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import portable
from portable.backends import registry
from portable.errors import ModelError
from portable.model.network import Network
from portable.resolve.digest import model_hash, program_digest
from portable.resolve.program import Program
from portable.results.tables import Results
from portable.validation.readback import ReadBack

OK, UNSUPPORTED, UNAVAILABLE, FAILED, CRASHED, TIME_LIMIT, OUT_OF_MEMORY = (
    "ok",
    "unsupported",
    "not installed",
    "failed",
    "crashed",
    "time limit",
    "out of memory",
)
OF_RUNS = (
    "perform.py",
    "learnt.py",
    "deviations.py",
    "readback.py",
)  # of the validation's own modules, those that decide what a run gives
STATUSES = (OK, UNSUPPORTED, UNAVAILABLE, FAILED, CRASHED, TIME_LIMIT, OUT_OF_MEMORY)


@dataclass(frozen=True)
class Origin:
    """The NeuroML file of a network, for runs that take it from there: what the process that does the job
    reads again.
    """

    path: str
    network: str
    folder: str
    digest: str


@dataclass(frozen=True)
class Job:
    """Run `network` (drawn with `seed`), or `program` where one is given, for `steps` steps.

    deviation, size: of validation.deviations, put in after drawing. traces: (population, variable, cell) to
    record besides what the network records. read_back: compare what the simulator holds with the network as
    it was drawn. learnt: the steps after which the weights of projections that learn are read, of those that
    the network does not record (jobs.learnt).
    """

    network: Network
    backend: str
    seed: int
    dt: float
    steps: int
    inputs: str = "frozen"
    integrator: str = "auto"
    threads: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    deviation: str = ""
    size: float = 1.0
    program: Program | None = None
    traces: tuple[tuple[str, str, int], ...] = ()
    read_back: bool = False
    learnt: tuple[int, ...] = ()
    origin: Origin | None = None

    @property
    def what(self) -> str:
        """For progress and messages."""
        return f"{self.backend}{f' with {self.deviation}' if self.deviation else ''}, seed {self.seed}"


@dataclass(frozen=True)
class Outcome:
    """How a job ended. results: what it recorded (None unless OK); program: the digest of what was simulated;
    memory: peak, in bytes.
    """

    status: str
    message: str = ""
    results: Results | None = None
    program: str = ""
    read_back: ReadBack | None = None
    seconds: float = float("nan")
    memory: float = float("nan")
    cached: bool = False


def packed(job: Job) -> Job:
    """The job as it is sent to another process. A network that was read from NeuroML leaves its XML behind;
    where the run needs it (jLEMS step by step, jNeuroML with the file as it is), the other process reads the
    file again."""
    origin = job.network.origin
    if origin is None:
        return job
    bare = replace(job.network, origin=None)
    needed = (
        job.program is None
        and registry.get(job.backend).capabilities.own_files
        and origin.digest == _hash_of(job.network)
    )
    return replace(
        job,
        network=bare,
        origin=Origin(str(origin.path), origin.part, str(origin.folder), origin.digest) if needed else None,
    )


def unpacked(job: Job) -> Job:
    """The job with its network as it was read. ModelError if the file is not any more what it was."""
    if job.origin is None:
        return job
    from portable.schemas.neuroml.available import read_neuroml

    o = job.origin
    network = read_neuroml(o.path, network=o.network, dt=job.dt, folder=o.folder)
    if model_hash(network) != o.digest:
        raise ModelError(o.path, "is not any more the file that was read", "start again")
    return replace(job, network=network, origin=None)


def key(job: Job) -> str:
    """sha256 (hex) of the job with the versions of the simulator, of numpy and of every file of this
    package.
    """
    recorded = (
        None
        if job.program is None
        else [
            sorted((k, v.tolist()) for k, v in job.program.spikes.items()),
            [(t.group, t.variable, t.ids.tolist(), t.every) for t in job.program.traces],
        ]
    )
    about = {
        "network": _hash_of(job.network),
        "program": None if job.program is None else [program_digest(job.program), recorded],
        "backend": job.backend,
        "simulator": registry.get(job.backend).version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "code": code_digest(),
        "seed": job.seed,
        "dt": job.dt,
        "steps": job.steps,
        "inputs": job.inputs,
        "integrator": job.integrator,
        "threads": job.threads,
        "options": dict(job.options),
        "deviation": [job.deviation, job.size if job.deviation else 1.0],
        "traces": job.traces,
        "read_back": job.read_back,
        "learnt": job.learnt,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()


_hashes: dict[int, tuple[Network, str]] = {}


def _hash_of(network: Network) -> str:
    """model_hash, worked out once for each network (which is kept, so that its id stays its own)."""
    if id(network) not in _hashes:
        _hashes[id(network)] = network, model_hash(network)
    return _hashes[id(network)][1]


@functools.cache
def code_digest() -> str:
    """sha256 of the package's own files that a run goes through: results of other code are not taken for its
    own.

    Not the command line, pictures, nor what of the validation only reads results.
    """
    digest = hashlib.sha256()
    folder = Path(portable.__file__).parent
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.suffix in (".py", ".toml", ".txt") and (
            place.parts[0] not in ("cli", "validation", "pictures") or place.name in OF_RUNS
        ):
            digest.update(str(place).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
