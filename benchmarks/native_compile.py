"""What a user of the native engine waits for before the first step: processor seconds from the start of the
process to the first step.

    python benchmarks/native_compile.py [--rounds 3]

all cold    nothing is compiled: the first run on a machine (resolve, the run loop, the cell's own functions)
new cell    the machine has run some model before, of another type of cells
known       the same model in a second process
twenty      a network of 20 populations of one cell each, of five types with other parameters, other receptors
            in use, with and without injected current, as NeuroML files have them: none of it compiled before

Each is a process of its own with caches in a temporary folder. CPU seconds, since what else the machine does
should count little; on an idle one the wall clock shows about the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def quadratic():  # type: ignore[no-untyped-def]
    """A cell of one's own."""
    import portable as pt

    return pt.cell_type(
        "Quadratic",
        equations="dv/dt = (k*(v - v_rest)*(v - v_crit) + i_syn + i_ext)/cm : mV",
        threshold="v >= v_peak",
        reset="v = v_reset",
        receptors={"excitatory": pt.CondExp, "inhibitory": pt.CondExp},
        parameters={
            "cm": "200 pF", "k": "0.7 nS/mV", "v_rest": "-65 mV", "v_crit": "-50 mV", "v_peak": "0 mV",
            "v_reset": "-60 mV",
        },
        initial={"v": "v_rest"},
    )(e_rev_E="0 mV", e_rev_I="-80 mV")  # fmt: skip


def small(cell):  # type: ignore[no-untyped-def]
    """A hundred cells with drawn weights."""
    import portable as pt

    cells = pt.Population("cells", 100, cell)
    synapse = pt.StaticSynapse(weight=pt.Normal(0.1, 0.01, low=0), delay=1.0)
    net = [pt.Projection(cells, cells, pt.FixedInDegree(10), synapse)]
    return pt.Network("small", [cells], net, recordings=[pt.Record(cells, "spikes")])


def twenty():  # type: ignore[no-untyped-def]
    """Twenty populations of one cell."""
    import portable as pt

    source = pt.Population("source", 1, pt.SpikeSourceArray([[1.0, 2.0, 5.0]]))
    types = (pt.IF_curr_exp, pt.IF_cond_exp, pt.IF_cond_alpha, pt.EIF_cond_exp_isfa_ista, pt.HH_cond_exp)
    cells = [
        pt.Population(f"p{n}", 1, types[n % 5](tau_syn_E=1 + 0.1 * n, tau_syn_I=2 + 0.1 * n))
        for n in range(20)
    ]
    arrivals = [
        pt.Projection(source, p, pt.AllToAll(), pt.StaticSynapse(weight=w, delay=1.0), receptor=r)
        for n, p in enumerate(cells)
        for r, w in (("excitatory", 0.01), ("inhibitory", -0.01 if n % 5 == 0 else 0.01))[: n // 5]
    ]
    inputs = [pt.Injection(pt.DCSource(0.1), p) for p in cells[1::2]]
    return pt.Network(
        "twenty", [source, *cells], arrivals, inputs=inputs, recordings=[pt.Record(cells, "spikes")]
    )


def child(what: str) -> None:
    """In a process of its own: run one step and print the CPU seconds since the process started."""
    import portable as pt

    network = {
        "first": lambda: small(pt.IF_curr_delta()),
        "new": lambda: small(quadratic()),
        "twenty": twenty,
    }[what]()
    with pt.open(network, "native") as sim:
        sim.advance(1)
        print(time.process_time())


def seconds(what: str, folder: Path) -> float:
    place = {"PORTABLE_CACHE": str(folder / "portable"), "NUMBA_CACHE_DIR": str(folder / "numba")}
    done = subprocess.run(
        [sys.executable, __file__, "--child", what],
        env={**os.environ, **place},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child)
        return
    found: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="portable-compile-") as place:
            for name, what in (
                ("all cold", "first"),
                ("new cell", "new"),
                ("known", "new"),
                ("twenty", "twenty"),
                ("twenty, known", "twenty"),
            ):
                found.setdefault(name, []).append(seconds(what, Path(place)))
    for name, values in found.items():
        print(f"{name:<15}{statistics.median(values):>7.2f} s of CPU (of {given.rounds})")


if __name__ == "__main__":
    main()
