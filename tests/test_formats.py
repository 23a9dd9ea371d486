"""File formats are found by entry point: what one brings works in every command, as our own do."""

from __future__ import annotations

import json
import sys
import tomllib
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import portable as pt
from portable.cli import main
from portable.cli.model import load
from portable.errors import ModelError
from portable.schemas import formats
from portable.schemas.written import Written

ROOT = Path(__file__).resolve().parents[1]


def toy_read(path: Path, size: str = "", dt: Any = None) -> pt.Network:
    cells = pt.Population(
        f"dt_{dt}".replace(".", "_").replace(" ", "_"), int(size or path.read_text()), pt.IF_curr_exp()
    )
    return pt.Network("toy", [cells])


def toy_write(network: pt.Network, out: Path, *, types: str = "auto") -> Written:
    out.write_text(f"{network.populations[0].size} {types}")
    return Written(out.parent, (out.name,), out.name, ())


TOY = formats.Format(
    "toy",
    "a toy",
    (".toy",),
    toy_read,
    toy_write,
    {"size": "How many cells."},
    ("dt",),
    lambda _path: {"duration": "7 ms", "dt": "0.5 ms"},
)
ONLY = formats.Format("only", "a file that is only written", (".only",), write=toy_write)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another distribution's module with formats, and their entry points."""
    module = types.ModuleType("toy_format")
    module.TOY, module.ONLY = TOY, ONLY  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_format", module)
    points = [EntryPoint(n, f"toy_format:{n.upper()}", formats.GROUP) for n in ("toy", "only")]
    monkeypatch.setattr(formats, "entry_points", lambda group: points if group == formats.GROUP else [])
    formats.known.cache_clear()
    yield
    formats.known.cache_clear()


def test_our_own_are_entry_points_too() -> None:
    """As in pyproject.toml, and there before anything is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][formats.GROUP] == formats.OWN
    assert formats.suffixes() == (".json", ".yaml", ".yml", ".nml", ".xml", ".h5")
    assert formats.suffixes(whole=True) == (".json", ".yaml", ".yml")


@pytest.mark.usefixtures("registered")
def test_a_file_of_another_format_is_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.TOY"
    path.write_text("3")
    assert main(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["populations"][0]["size"] == 3
    # an option of its own, and the run's step, which the file states
    assert main(["import", str(path), "--size", "5", "--out", str(tmp_path / "x.yaml")]) == 0
    (cells,) = pt.load(tmp_path / "x.yaml").populations
    assert (cells.name, cells.size) == ("dt_0_5_ms", 5)


@pytest.mark.usefixtures("registered")
def test_a_model_is_written_in_another_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pt.save(pt.Network("n", [pt.Population("a", 4, pt.IF_curr_exp())]), tmp_path / "n.json")
    out = tmp_path / "y.toy"
    export = ["export", str(tmp_path / "n.json"), "--out", str(out), "--format"]
    assert main([*export, "toy", "--types", "custom"]) == 0
    assert out.read_text() == "4 custom"
    assert main([*export, "toy", "--no-simulation"]) == 2
    assert "--simulation: means nothing for --format toy" in capsys.readouterr().err
    assert main([*export, "tyo"]) == 2
    assert "unknown format 'tyo'; known: json, yaml, neuroml, toy" in capsys.readouterr().err


@pytest.mark.usefixtures("registered")
def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.only").write_text("")
    assert main(["show", str(tmp_path / "x.only")]) == 2
    assert "is no model" in capsys.readouterr().err
    with pytest.raises(ModelError, match="is a file that is only written, which is written and not read"):
        load(tmp_path / "x.only")
    with pytest.raises(ModelError, match="unknown format 'ony'; did you mean 'only'"):
        formats.get("ony")


@pytest.mark.parametrize("format", ["json", "yaml"])
def test_documents_are_exported(tmp_path: Path, format: str) -> None:
    net = pt.Network("n", [pt.Population("a", 4, pt.IF_curr_exp())])
    pt.save(net, tmp_path / "n.json")
    out = tmp_path / f"m.{format}"
    assert main(["export", str(tmp_path / "n.json"), "--format", format, "--out", str(out)]) == 0
    assert pt.load(out) == net
