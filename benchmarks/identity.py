"""Are the spike lists identical? Published models and 1000-cell networks of each kind of cell, on every
backend, several seeds.

    python benchmarks/identity.py                        # everything (about 10 minutes on 2 cores)
    python benchmarks/identity.py --only psc_exp,cuba --seeds 1 --duration 200

Frozen connectivity and frozen input spikes, dt 0.1 ms, heterogeneous weights and delays. One row a model and
seed: spikes of the first backend, and for each other backend "identical" or the fraction of equal spikes and
the first divergence.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import portable as pt

EXAMPLES = Path(__file__).parent.parent / "examples"
EVERY = ("native", "nest", "brian2")


def recurrent(
    cell: pt.Cell, exc: Any, inh: Any, drive: Any, rate: float = 100.0, n: int = 1000
) -> pt.Network:
    """800 excitatory and 200 inhibitory cells, in-degree 100, and 400 Poisson sources with in-degree 40."""
    n_e = int(0.8 * n)
    initial = {"v": pt.Uniform(-65, -50)}
    e, i = (
        pt.Population("exc", n_e, cell, initial=initial),
        pt.Population("inh", n - n_e, cell, initial=initial),
    )
    noise = pt.Population("noise", int(0.4 * n), pt.SpikeSourcePoisson(rate=rate))
    delay = pt.Normal(1.5, 0.75, low=0.1)
    k = n // 10

    def spread(w: float) -> pt.Normal:
        return pt.Normal(w, 0.1 * abs(w))

    links = [
        pt.Projection(
            e, [e, i], pt.FixedInDegree(int(0.8 * k)), pt.StaticSynapse(spread(exc), delay), "excitatory"
        ),
        pt.Projection(
            i, [e, i], pt.FixedInDegree(k - int(0.8 * k)), pt.StaticSynapse(spread(inh), delay), "inhibitory"
        ),
        pt.Projection(
            noise,
            [e, i],
            pt.FixedInDegree(int(0.4 * k)),
            pt.StaticSynapse(spread(drive), delay),
            "excitatory",
        ),
    ]
    return pt.Network(
        f"recurrent_{cell.type.name}", [e, i, noise], links, recordings=[pt.Record([e, i], "spikes")]
    )


def example(name: str, **arguments: Any) -> pt.Network:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.network(**arguments)


LIF = {"tau_refrac": 2.0, "cm": 0.25, "tau_m": 10.0}
# name -> cell, weights (excitatory, inhibitory, drive) of 1000 cells and of 200; they fire irregularly at 10
# to 40 Hz
KINDS: dict[
    str,
    tuple[
        Callable[[], pt.Cell], tuple[float, float, float], tuple[float, float, float] | None, tuple[str, ...]
    ],
] = {
    "psc_exp": (lambda: pt.IF_curr_exp(**LIF), (0.01, -0.08, 0.02), (0.03, -0.2, 0.1), EVERY),
    "psc_alpha": (lambda: pt.IF_curr_alpha(**LIF), (0.04, -0.3, 0.07), (0.1, -0.6, 0.4), EVERY),
    "psc_delta": (lambda: pt.IF_curr_delta(tau_refrac=2.0), (0.1, -0.6, 0.2), (0.3, -1.8, 1.0), EVERY),
    "cond_exp": (
        lambda: pt.IF_cond_exp(tau_refrac=2.0, cm=0.25, tau_m=15.0),
        (0.0001, 0.001, 0.00028),
        (0.0005, 0.004, 0.0014),
        EVERY,
    ),
    "adex": (
        lambda: pt.EIF_cond_exp_isfa_ista(tau_refrac=2.0),
        (0.0002, 0.002, 0.001),
        None,
        ("native", "nest"),
    ),
    "izhikevich": (lambda: pt.Izhikevich(), (0.3, -1.5, 1.2), None, EVERY),
}


def _case(kind: str) -> tuple[Callable[[], pt.Network], Callable[[], pt.Network] | None, tuple[str, ...]]:
    cell, large, small, backends = KINDS[kind]
    return (
        (lambda: recurrent(cell(), *large)),
        (None if small is None else lambda: recurrent(cell(), *small, n=200)),
        backends,
    )


# name -> (network, network of a smaller size for the reference backend, backends)
CASES: dict[str, tuple[Callable[[], pt.Network], Callable[[], pt.Network] | None, tuple[str, ...]]] = {
    **{kind: _case(kind) for kind in KINDS},
    "brunel": (lambda: example("brunel2000"), None, EVERY),
    "cuba": (lambda: example("cuba"), None, EVERY),
    "coba": (lambda: example("coba"), None, EVERY),
    "microcircuit": (
        lambda: example("microcircuit", scale=0.1),
        lambda: example("microcircuit", scale=0.01),
        EVERY,
    ),
}


def row(
    name: str, make: Callable[[], pt.Network], backends: tuple[str, ...], duration: float, seed: int
) -> None:
    comparison = pt.compare(make(), backends=backends, duration=duration, seeds=seed)
    print(f"{name:<26} seed {seed}  {'identical' if comparison.identical else 'NOT identical'}")
    print("    " + repr(comparison).replace("\n", "\n    "), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CASES), help="cases, separated by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=1000.0, help="ms")
    parser.add_argument(
        "--reference-duration",
        type=float,
        default=300.0,
        help="ms, of the smaller networks on the reference backend",
    )
    given = parser.parse_args()
    for name in given.only.split(","):
        make, small, backends = CASES[name]
        for seed in range(1, given.seeds + 1):
            row(name, make, backends, given.duration, seed)
        if small is not None:
            row(f"{name} (small)", small, ("reference", *backends), given.reference_duration, 1)


if __name__ == "__main__":
    main()
