"""Time and memory to write and read a network of 1,000 cells with 100,000 connections as NeuroML, XML and
HDF5, beside libNeuroML.

    python benchmarks/neuroml_files.py [--connections 100000] [--repeats 3]

Each row is a process of its own, so that its peak memory is its own. "build" is what comes before the first
byte: for us the translation of the resolved program (with its connections as arrays), for libNeuroML its
objects, made from the same arrays. Reading ends with a Network that can be run, or libNeuroML's objects; both
read the file that libNeuroML wrote.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CELLS = 1000


def arrays(count: int) -> tuple[Any, Any, Any, Any]:
    """Sources, targets, weights (nA) and delays (ms on a grid of 0.1 ms)."""
    rng = np.random.default_rng(1)
    return (
        rng.integers(0, CELLS, count),
        rng.integers(0, CELLS, count),
        rng.normal(0.05, 0.005, count),
        np.round(rng.integers(5, 30, count) * 0.1, 1),
    )


def portable_program(count: int) -> Any:
    import portable as pt
    from portable.resolve import resolve

    pre, post, weights, delays = arrays(count)
    cells = pt.Population("cells", CELLS, pt.IF_curr_exp())
    synapse = pt.StaticSynapse(pt.Array(weights, "nA"), pt.Array(delays, "ms"))
    return resolve(
        pt.Network("bench", [cells], [pt.Projection(cells, cells, pt.Explicit(pre, post), synapse)]), 0, 0.1
    )


def write_portable(program: Any, folder: Path, hdf5: bool) -> None:
    from portable.schemas.neuroml.write import save
    from portable.schemas.neuroml.write_lems import write_lems

    save(write_lems(program, timing="nominal", hdf5_above=0 if hdf5 else None), folder)


def libneuroml_document(count: int) -> Any:
    import neuroml as nml

    pre, post, weights, delays = arrays(count)
    doc = nml.NeuroMLDocument(id="bench", notes="bench")
    doc.IF_curr_exp.append(
        nml.IF_curr_exp(
            id="cells_cell",
            cm=1.0,
            i_offset=0,
            tau_syn_E=5,
            tau_syn_I=5,
            v_init=-65,
            tau_refrac=0.1,
            v_thresh=-50,
            tau_m=20,
            v_rest=-65,
            v_reset=-65,
        )
    )
    doc.exp_curr_synapses.append(nml.ExpCurrSynapse(id="cells_excitatory", tau_syn=5))
    net = nml.Network(id="bench_net", notes="bench")
    doc.networks.append(net)
    net.populations.append(nml.Population(id="cells", component="cells_cell", size=CELLS))
    projection = nml.Projection(
        id="p", presynaptic_population="cells", postsynaptic_population="cells", synapse="cells_excitatory"
    )
    net.projections.append(projection)
    for k, (i, j, w, d) in enumerate(
        zip(pre.tolist(), post.tolist(), weights.tolist(), delays.tolist(), strict=True)
    ):
        made = nml.ConnectionWD(
            id=k, pre_cell_id=f"../cells[{i}]", post_cell_id=f"../cells[{j}]", weight=w, delay=f"{d} ms"
        )
        projection.connection_wds.append(made)
    return doc


def write_libneuroml(doc: Any, path: Path, hdf5: bool) -> None:
    import neuroml.utils  # noqa: F401  its HDF5 writer needs it and does not import it
    from neuroml import writers

    if hdf5:
        writers.NeuroMLHdf5Writer.write(doc, str(path))
    else:
        writers.NeuroMLWriter.write(doc, str(path))


def one(who: str, hdf5: bool, count: int) -> dict[str, float]:
    """Seconds and MB of one writer, in this process."""
    import h5py  # noqa: F401  a part of the start, not of the writing

    with tempfile.TemporaryDirectory() as folder:
        if who == "portable":
            program = portable_program(count)
            write_portable(portable_program(100), Path(folder, "warm"), hdf5)
            before, began = _peak(), time.perf_counter()
            write_portable(program, Path(folder, "out"), hdf5)
            seconds = {"build": 0.0, "write": time.perf_counter() - began}
            size = sum(p.stat().st_size for p in Path(folder, "out").iterdir())
        else:
            write_libneuroml(libneuroml_document(100), Path(folder, "warm"), hdf5)
            before, began = _peak(), time.perf_counter()
            doc = libneuroml_document(count)
            built = time.perf_counter()
            write_libneuroml(doc, Path(folder, "out"), hdf5)
            seconds = {"build": built - began, "write": time.perf_counter() - built}
            size = Path(folder, "out").stat().st_size
        return {**seconds, "memory": _peak() - before, "size": size / 1e6}


def read_one(who: str, hdf5: bool, path: Path) -> dict[str, float]:
    """Seconds and MB of one reader, in this process, after a start with a small file."""
    if who == "portable":
        import portable as pt

        reader: Any = pt.read_neuroml
    else:
        import neuroml.utils  # noqa: F401
        from neuroml import loaders

        reader = loaders.NeuroMLHdf5Loader.load if hdf5 else loaders.NeuroMLLoader.load
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "small.net.nml.h5" if hdf5 else "small.net.nml")
        write_libneuroml(libneuroml_document(100), small, hdf5)
        reader(str(small))
    before, began = _peak(), time.perf_counter()
    reader(str(path))
    return {"read": time.perf_counter() - began, "memory": _peak() - before}


def reading(count: int, repeats: int) -> None:
    print(f"{'':24}{'read s':>9}{'memory MB':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("xml", "hdf5"):
            path = Path(folder, "bench.net.nml.h5" if kind == "hdf5" else "bench.net.nml")
            write_libneuroml(libneuroml_document(count), path, kind == "hdf5")
            found = {}
            for who in ("portable", "libNeuroML"):
                command = [sys.executable, __file__, "--read", who, kind, str(path)]
                rows = [
                    json.loads(
                        subprocess.run(
                            command, capture_output=True, text=True, check=True
                        ).stdout.splitlines()[-1]
                    )
                    for _ in range(repeats)
                ]
                found[who] = {k: statistics.median(row[k] for row in rows) for k in rows[0]}
                print(f"{kind + ' ' + who:24}{found[who]['read']:9.3f}{found[who]['memory']:11.1f}")
            print(f"{'':24}{found['libNeuroML']['read'] / found['portable']['read']:.1f} times as fast\n")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("WHO", "KIND"))
    parser.add_argument("--read", nargs=3, metavar=("WHO", "KIND", "FILE"))
    a = parser.parse_args()
    if a.read:
        print(json.dumps(read_one(a.read[0], a.read[1] == "hdf5", Path(a.read[2]))))
        return
    if a.one:
        print(json.dumps(one(a.one[0], a.one[1] == "hdf5", a.connections)))
        return
    print(f"{CELLS} cells, {a.connections} connections; median of {a.repeats} processes\n")
    print(f"{'':24}{'build s':>9}{'write s':>9}{'all s':>9}{'memory MB':>11}{'file MB':>9}")
    for kind in ("xml", "hdf5"):
        total = {}
        for who in ("portable", "libNeuroML"):
            rows = []
            for _ in range(a.repeats):
                command = [sys.executable, __file__, "--connections", str(a.connections), "--one", who, kind]
                rows.append(
                    json.loads(
                        subprocess.run(
                            command, capture_output=True, text=True, check=True
                        ).stdout.splitlines()[-1]
                    )
                )
            r = {k: statistics.median(row[k] for row in rows) for k in rows[0]}
            total[who] = r["build"] + r["write"]
            print(
                f"{kind + ' ' + who:24}{r['build']:9.3f}{r['write']:9.3f}{total[who]:9.3f}{r['memory']:11.1f}{r['size']:9.2f}"  # noqa: E501
            )
        print(f"{'':24}{total['libNeuroML'] / total['portable']:.1f} times as fast\n")
    reading(a.connections, a.repeats)


if __name__ == "__main__":
    main()
