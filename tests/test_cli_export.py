"""`portable export`: files, what is printed, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import portable as pt
from portable.cli import main

MODEL = """
import portable as pt

run_defaults = {"duration": "30 ms", "seed": 5}


def network(cells: int = 8) -> pt.Network:
    exc = pt.Population("exc", cells, pt.IF_curr_exp(i_offset=1.0), initial={"v": pt.Uniform(-65, -55)})
    return pt.Network("small", [exc], [pt.Projection(exc, exc, pt.FixedInDegree(2), pt.StaticSynapse(0.1, 1.0))], recordings=[pt.Record(exc, "spikes")])
"""  # noqa: E501


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "small.py"
    path.write_text(MODEL)
    return str(path)


def test_files_and_report(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "folder"
    assert main(["export", model, "--out", str(out), "--cells", "4", "--seed", "2"]) == 0
    said = capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["LEMS_small.xml", "small.net.nml"]
    assert "LEMS_small.xml" in said
    assert "forward Euler at dt" in said
    assert f"jnml {out}/LEMS_small.xml -nogui" in said
    assert 'length="30.0 ms"' in (out / "LEMS_small.xml").read_text()
    assert (out / "small.net.nml").read_text().count("<population ") == 4  # each cell has a v of its own


def test_json_hdf5_and_no_simulation(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h5py")
    out = tmp_path / "folder"
    assert (
        main(
            [
                "export",
                model,
                "--format",
                "neuroml",
                "--out",
                str(out),
                "--hdf5-above",
                "3",
                "--types",
                "custom",
                "--no-simulation",
                "--json",
            ]
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == ["small.types.xml", "small.net.nml.h5"]
    assert told["main"] == "small.net.nml.h5"
    assert {"where", "asked", "got", "largest_error", "reason"} == set(told["approximations"][0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "sonata"], "--format: unknown format 'sonata'; known: json, yaml, neuroml"),
        (["--types", "best"], "types: unknown word 'best'"),
        (["--dt", "0"], "dt: must be > 0 ms"),
    ],
)
def test_bad_input(
    arguments: list[str], said: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", model, "--out", str(tmp_path / "x"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_out_is_required(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", model]) == 2
    assert "--out" in capsys.readouterr().err


def test_every_command_takes_a_lems_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What README says: NeuroML and LEMS files are models, with the duration and step of their Simulation,
    and options of their own.
    """
    pytest.importorskip("pyneuroml")
    cells = pt.Population("cells", 2, pt.IF_curr_exp(), initial={"v": -60})
    net = pt.Network(
        "two",
        [cells],
        inputs=[pt.Injection(pt.DCSource("1 nA"), cells)],
        recordings=[pt.Record(cells, "spikes")],
    )
    folder = tmp_path / "files"
    written = pt.write_neuroml(net, folder, duration="50 ms", dt="0.1 ms")
    lems = next(folder.glob("LEMS*.xml"))
    assert written.path.is_file()
    assert main(["run", str(lems), "--integrator", "euler", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duration"] == 50.0
    assert main(["run", str(lems), "--folder", str(folder), "--duration", "20 ms"]) == 0
    assert main(["compare", str(lems), "--backends", "native,reference", "--integrator", "euler"]) == 0
    assert (
        main(
            [
                "validate",
                str(lems),
                "--backends",
                "native,reference",
                "--integrator",
                "euler",
                "--seeds",
                "1",
                "--power",
                "none",
                "--cache",
                str(tmp_path / "runs"),
            ]
        )
        == 0
    )
    for command in (
        ["show"],
        ["check", "--backend", "native"],
        ["import", "--out", str(tmp_path / "m.yaml")],
        ["validate-file"],
        ["export", "--out", str(tmp_path / "again")],
    ):
        assert main([command[0], str(lems), *command[1:]]) == 0, command
