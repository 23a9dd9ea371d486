"""The rules kept in the annotation hold only as long as the files are those that were written; else the files
are what counts.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.resolve import resolve

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")
h5py = pytest.importorskip("h5py")

FILES = ["net.types.xml", "net.net.nml", "LEMS_net.xml"]


def network(populations: int = 1) -> pt.Network:
    source = pt.Population("s", 3, pt.SpikeSourceArray([5.0]))
    cells = [
        pt.Population(f"p{i}", 4, pt.IF_cond_exp(tau_refrac="2 ms"), initial={"v": pt.Uniform(-65, -55)})
        for i in range(populations)
    ]
    connections = pt.Projection(
        source, cells[0], pt.FixedInDegree(2), pt.StaticSynapse(pt.Uniform("1 nS", "2 nS"), "1 ms"), name="e"
    )
    return pt.Network(
        "net",
        [source, *cells],
        [connections],
        [],
        [pt.Record(cells[0], ["spikes"])],
        settings=pt.RunSettings("20 ms", "0.1 ms"),
    )


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def notes(made: pt.Network) -> str:
    return " ".join(what for _, what in made.origin.notes)


def test_files_as_written_give_the_network_with_its_rules(tmp_path: Path) -> None:
    net = network()
    made = pt.write_neuroml(net, tmp_path)
    assert list(made.files) == FILES
    assert pt.read_neuroml(made.path) == net
    assert pt.read_neuroml(tmp_path / "net.net.nml") == net


def test_line_ends_and_names_of_files_do_not_matter(tmp_path: Path) -> None:
    net = network()
    pt.write_neuroml(net, tmp_path)
    for name in FILES:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(b"\n", b"\r\n"))
    (tmp_path / "LEMS_net.xml").rename(tmp_path / "run.xml")
    assert pt.read_neuroml(tmp_path / "run.xml") == net


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("net.net.nml", 'delay="', 'delay="1'),
        ("LEMS_net.xml", 'length="', 'length="1'),
        ("net.types.xml", "<Lems>", "<Lems><!-- mine -->"),
    ],
)
def test_an_edited_file_is_read_as_it_stands(name: str, old: str, new: str, tmp_path: Path) -> None:
    net = network()
    made = pt.write_neuroml(net, tmp_path)
    edited(tmp_path / name, old, new)
    got = pt.read_neuroml(made.path)
    assert got.origin is not None
    assert f"rules kept there are left out: {name} changed" in notes(got)
    result = pt.run(got, "native", duration="20 ms", dt="0.1 ms", seed=0)
    assert any("left out" in a.got for a in result.approximations), "what was run says so"


def test_an_edited_weight_counts(tmp_path: Path) -> None:
    made = pt.write_neuroml(network(), tmp_path)
    path = tmp_path / "net.net.nml"
    text = path.read_text()
    at = text.index('weight="') + len('weight="')
    path.write_text(text[:at] + "77.0" + text[text.index('"', at) :])
    program = resolve(pt.read_neuroml(made.path), 0, 0.1)
    weights = np.concatenate([np.atleast_1d(np.asarray(c.weights)) for c in program.connections])
    assert np.isclose(weights.max() / np.median(weights), 77.0 / np.median([1.5]), rtol=0.5), (
        "77 in the file's unit, beside 1 to 2"
    )


def test_what_is_written_again_holds_no_stale_rules(tmp_path: Path) -> None:
    made = pt.write_neuroml(network(), tmp_path / "a")
    edited(tmp_path / "a" / "net.net.nml", 'delay="', 'delay="1')
    again = pt.write_neuroml(pt.read_neuroml(made.path), tmp_path / "b")
    assert all("portable-snn.org" not in (again.folder / f).read_text() for f in again.files)


@pytest.mark.parametrize("populations", [1, 300], ids=["small", "more than a header of HDF5 holds"])
def test_hdf5(populations: int, tmp_path: Path) -> None:
    net = network(populations)
    made = pt.write_neuroml(net, tmp_path, hdf5_above=0)
    assert pt.read_neuroml(made.path) == net
    path = tmp_path / "net.net.nml.h5"
    buffer = io.BytesIO(path.read_bytes())
    with h5py.File(buffer, "r+") as file:
        group = file["neuroml/network"]
        table = next(d for n in group if n.startswith("projection_") for d in group[n].values())
        table[0, 2] = 5.0
    path.write_bytes(buffer.getvalue())
    got = pt.read_neuroml(made.path)
    assert "net.net.nml.h5 changed" in notes(got)
    assert max(float(np.max(c.weights)) for c in resolve(got, 0, 0.1).connections) > 2.0


def test_libneuroml_reads_our_hdf5(tmp_path: Path) -> None:
    loaders = pytest.importorskip("neuroml.loaders")
    pytest.importorskip("tables")
    pt.write_neuroml(network(), tmp_path, types="core", hdf5_above=0)
    found = loaders.NeuroMLHdf5Loader.load(str(tmp_path / "net.net.nml.h5")).networks[0]
    assert sum(len(p.connection_wds) for p in found.projections) == 8
