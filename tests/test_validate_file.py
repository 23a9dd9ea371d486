"""`portable validate-file`: every problem with its line, by the schema, our reader and jNeuroML; exit codes
0, 1 and 2.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import portable as pt
from portable.backends import registry
from portable.cli import main
from portable.errors import BackendUnavailable
from portable.schemas.neuroml import xsd

GOOD = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="doc">
  <iafTauCell id="iaf" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="10ms"/>
  <pulseGenerator id="pulse" delay="5ms" duration="60ms" amplitude="3pA"/>
  <network id="net">
    <population id="pop" component="iaf" size="2"/>
  </network>
</neuroml>
"""
LEMS = """<Lems>
  <Target component="sim"/>
  <Include file="Cells.xml"/>
  <Include file="Networks.xml"/>
  <Include file="Simulation.xml"/>
  <Include file="net.nml"/>
  <Simulation id="sim" length="10ms" step="0.1ms" target="net"/>
</Lems>
"""
needs_jar = pytest.mark.skipif(
    registry.get("jneuroml").version() is None, reason=registry.get("jneuroml").capabilities.install
)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str], str]:
    code = main(["validate-file", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def write(folder: Path, text: str, name: str = "net.nml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_nothing_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, main_file = write(tmp_path, GOOD), write(tmp_path, LEMS, "LEMS.xml")
    for path in (net, main_file):
        assert run(capsys, path) == (0, [f"{path}: nothing is wrong"], "")


def test_every_problem_of_the_schema_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        GOOD.replace('tau="10ms"', 'tau="10mV"')
        .replace('delay="5ms" ', "")
        .replace('size="2"', 'size="two"'),
    )
    code, lines, _ = run(capsys, path)
    assert code == 1
    assert {line.split(": ")[0] for line in lines} == {f"{path}:2", f"{path}:3", f"{path}:5"}
    assert len(lines) == 3  # the reader objects to the same: each is told once, in its words
    assert lines[0].startswith(f"{path}:2: <iafTauCell id='iaf'>: tau: must be a time, got '10mV'")
    assert lines[1].startswith(f"{path}:3: <pulseGenerator id='pulse'>: a pulseGenerator needs the parameter")
    assert lines[2].startswith(f"{path}:5: <population id='pop'>: size must be a whole number")


def test_what_only_the_schema_minds_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path, GOOD.replace('tau="10ms"', 'tau="10ms" bogus="1"').replace('size="2"', 'size="two"')
    )
    code, lines, _ = run(capsys, path)
    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith(f"{path}:5: <population id='pop'>: size must be a whole number")
    assert lines[1].startswith(f"{path}:2: <iafTauCell id='iaf'>: attribute 'bogus': ")
    assert lines[1].endswith(" (only the schema minds)")
    assert not lines[0].endswith(" minds)")
    assert main(["validate-file", str(path), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["readable"] is False
    assert [p["kind"] for p in said["problems"]] == ["reader", "schema"]


@pytest.mark.parametrize("above", [0, None])
def test_what_we_export_has_nothing_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], above: int | None
) -> None:
    """The network in its own file, HDF5 or XML, and its types in another: it is read from what is kept."""
    a = pt.Population("a", 3, pt.IF_curr_exp(i_offset="1 nA"))
    net = pt.Network("n", [a], [pt.Projection(a, a, pt.AllToAll(), pt.StaticSynapse("1 pA", "1 ms"))])
    made = pt.write_neuroml(net, tmp_path, duration="10 ms", types="custom", hdf5_above=above)
    assert len(made.files) == 3
    for file in made.files:
        assert run(capsys, tmp_path / file) == (0, [f"{tmp_path / file}: nothing is wrong"], "")
        if "types" not in file:
            assert pt.read_neuroml(tmp_path / file) == net


def test_the_reader_says_what_the_schema_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GOOD.replace('component="iaf"', 'component="aif"'))
    code, lines, _ = run(capsys, path)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"{path}:5: <population id='pop'>: ")
    assert "'aif'" in lines[0]


def test_included_files_are_looked_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, GOOD.replace('size="2"', 'size="two"'))
    code, lines, _ = run(capsys, write(tmp_path, LEMS, "LEMS.xml"))
    assert code == 1
    assert lines[0].startswith("net.nml:5: <population id='pop'>: size must be a whole number")


def test_includes_elsewhere_need_a_wider_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, GOOD.replace('size="2"', 'size="two"'))
    (tmp_path / "inner").mkdir()
    path = write(tmp_path / "inner", LEMS.replace("net.nml", "../net.nml"), "LEMS.xml")
    code, lines, _ = run(capsys, path)
    assert (code, len(lines)) == (1, 1)
    assert f"{path}:6: <Include>: '../net.nml' is outside the folder" in lines[0]
    assert lines[0].endswith("allow a wider folder with --folder")
    code, lines, _ = run(capsys, path, "--folder", tmp_path)
    assert code == 1
    assert lines[0].startswith("net.nml:5: <population id='pop'>: size must be a whole number")


def test_not_well_formed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD[: GOOD.index("</network>")])
    code, lines, _ = run(capsys, path)
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"{path}:6: is no well-formed XML")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, GOOD.replace('size="2"', 'size="two"'))
    assert main(["validate-file", str(path), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["valid"] is False
    assert {p["line"] for p in said["problems"]} == {5}
    assert set(said["problems"][0]) == {"file", "line", "element", "rule", "kind"}


def test_no_such_file_and_no_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, error = run(capsys, tmp_path / "nowhere.nml")
    assert code == 2
    assert "there is no such file" in error

    def absent() -> Path:
        raise BackendUnavailable("libNeuroML is not installed; pip install 'portable-snn[neuroml]'")

    monkeypatch.setattr(xsd, "schema", absent)
    code, _, error = run(capsys, write(tmp_path, GOOD))
    assert code == 2
    assert "pip install" in error


@needs_jar
def test_jneuroml_is_asked_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, sim = write(tmp_path, GOOD), write(tmp_path, LEMS, "LEMS.xml")
    assert run(capsys, path, "--jnml")[0] == 0
    assert run(capsys, sim, "--jnml")[0] == 0
    path.write_text(GOOD.replace('tau="10ms"', 'tau="10mV"'))
    code, lines, _ = run(capsys, path, "--jnml")
    assert code == 1
    assert any(line.startswith(f"{path}: jNeuroML: ") for line in lines)
    code, lines, _ = run(capsys, sim, "--jnml")
    assert code == 1
    assert any(line.startswith(f"{sim}: jNeuroML: Can't set parameter: tau") for line in lines)
