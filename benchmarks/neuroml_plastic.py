"""Short-term plasticity read from NeuroML: a rule of connections beside a cell for each connection.

    python benchmarks/neuroml_plastic.py [--sources 1000] [--cells 400] [--each 100] [--duration "1 s"]

Writes a NeuroML network of Poisson sources, a blockingPlasticSynapse with tsodyksMarkramDepFacMechanism and
iafCells, reads it both ways and runs each on native in a process of its own: connections, seconds to read and
to run, and the memory a connection that a session takes (resident after the run less before it is opened,
less the same of a network without connections).
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HEAD = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="stp">
<blockingPlasticSynapse id="stp" gbase="5nS" erev="0mV" tauRise="0.5ms" tauDecay="5ms">
<tsodyksMarkramDepFacMechanism id="m" initReleaseProb="0.3" tauRec="200ms" tauFac="100ms"/>
</blockingPlasticSynapse>
<iafRefCell id="iaf" refract="2ms" leakReversal="-65mV" thresh="-50mV" reset="-70mV" C="0.2nF"
leakConductance="10nS"/>
<SpikeSourcePoisson id="noise" start="0ms" duration="1000s" rate="10Hz"/>
"""


def text(sources: int, cells: int, each: int) -> str:
    rng = np.random.default_rng(1)
    pre = rng.integers(0, sources, cells * each)
    post = np.repeat(np.arange(cells), each)
    delay = rng.integers(1, 40, pre.size) * 0.1
    rows = "".join(
        f'<connectionWD id="{k}" preCellId="../src[{i}]" postCellId="../cells[{j}]" weight="1" '
        f'delay="{d:.1f}ms"/>\n'
        for k, (i, j, d) in enumerate(zip(pre, post, delay, strict=True))
    )
    projection = (
        '<projection id="p" presynapticPopulation="src" postsynapticPopulation="cells" synapse="stp">\n'
        f"{rows}</projection>"
    )
    return (
        f'{HEAD}<network id="net"><population id="src" component="noise" size="{sources}"/>'
        f'<population id="cells" component="iaf" size="{cells}"/>{projection if each else ""}'
        "</network></neuroml>"
    )


def one(path: str, how: str, duration: str, threads: int) -> None:
    """In a process of its own."""
    import portable as pt

    began = time.perf_counter()
    net = pt.read_neuroml(path, dt="0.1 ms", synapses=how)
    read = time.perf_counter() - began
    gc.collect()
    before = resident()
    with pt.open(net, "native", dt="0.1 ms", seed=1, threads=threads) as sim:
        sim.run("10 ms")  # what is compiled once
        began = time.perf_counter()
        sim.run(duration)
        ran = time.perf_counter() - began
        gc.collect()
        held = resident() - before
        spikes = sum(len(s) for s in sim.results().spikes.values())
    print(json.dumps({"read": read, "run": ran, "held": held, "spikes": spikes}))


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("sources", 1000), ("cells", 400), ("each", 100), ("threads", 1)):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--duration", default="1 s")
    p.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        one(*a.one, a.duration, a.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        found: dict[tuple[str, int], dict[str, float]] = {}
        for each in (0, a.each):
            path = Path(folder) / f"net{each}.nml"
            path.write_text(text(a.sources, a.cells, each))
            for how in ("rules", "cells"):
                command = [sys.executable, __file__, "--one", str(path), how, "--duration", a.duration]
                out = subprocess.run(
                    [*command, "--threads", str(a.threads)], capture_output=True, text=True, check=True
                )
                found[how, each] = json.loads(out.stdout.splitlines()[-1])
    n = a.cells * a.each
    print(f"{n} connections, {a.duration} on native, {a.threads} thread(s)")
    for how in ("rules", "cells"):
        r, none = found[how, a.each], found[how, 0]
        print(
            f"{how:6} read {r['read']:.2f} s, run {r['run']:.3f} s, "
            f"{(r['held'] - none['held']) / n:.0f} bytes a connection, {r['spikes']} spikes"
        )


if __name__ == "__main__":
    main()
